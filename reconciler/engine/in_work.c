/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/in_work.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/guard.h"

#define SLOT_BYTES 64u /* a uid has 36 */
#define FILE_BYTES (IN_WORK_SLOTS * SLOT_BYTES)

int in_work_open(struct in_work *w, const char *path, struct arena *a, struct value **ret_left,
                 struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    char *slots;

    *ret_left = value_list(a);
    if (fd < 0 || ftruncate(fd, FILE_BYTES))
        return err_sys(err, "open '%s'", path);
    slots = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (slots == MAP_FAILED)
        return err_sys(err, "map '%s'", path);
    for (size_t i = 0; i < IN_WORK_SLOTS; i++) {
        char *slot = slots + i * SLOT_BYTES;

        if (!*slot)
            continue;
        slot[SLOT_BYTES - 1] = 0;
        value_add(a, *ret_left, value_text(a, str_clean(a, str_copy(a, str_from_c(slot)))));
        memset(slot, 0, SLOT_BYTES);
    }
    w->slots = slots;
    return arena_status(a, err);
}

void in_work_close(struct in_work *w)
{
    if (w->slots)
        (void)munmap(w->slots, FILE_BYTES); /* ours */
    w->slots = NULL;
}

void in_work_mark(struct in_work *w, size_t slot, struct str uid)
{
    char *at = w->slots && slot < IN_WORK_SLOTS ? w->slots + slot * SLOT_BYTES : NULL;

    if (at && uid.p && uid.n < SLOT_BYTES && !*at)
        memcpy(at, uid.p, uid.n);
}

void in_work_clear(struct in_work *w, size_t slot)
{
    if (w->slots && slot < IN_WORK_SLOTS && w->slots[slot * SLOT_BYTES])
        memset(w->slots + slot * SLOT_BYTES, 0, SLOT_BYTES);
}
