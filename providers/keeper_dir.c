/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/keeper_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "base/utf8.h"

#define KEEPER_FILE_MAX (1u << 20)
#define KEEPER_LOCK_TRIES 100 /* 10 ms each: who looks holds the lock for an instant */

const char *keeper_dir_path(struct arena *a, const struct keeper_place *p, const char *file)
{
    return str_fmt(a, "%.*s/%.*s%s%s", STR_ARG(p->runs), STR_ARG(p->owner), file[0] ? "/" : "",
                   file)
        .p;
}

/* The label becomes a directory's name. */
static int keeper_check_owner(const struct rv_host *h, const struct keeper_place *p,
                              struct rv_result *answer)
{
    int ok = p->owner.n > 0 && p->owner.n <= 64;

    for (size_t i = 0; ok && i < p->owner.n; i++) {
        char c = p->owner.p[i];

        ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    return ok ? 0
              : kit_answer(h, answer, RV_USER, RV_ACTED_NO, "owner label '%.*s' is not one",
                           STR_ARG(p->owner));
}

/* --- looking --- */

int keeper_dir_open(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                    int *ret_fd, struct rv_result *answer)
{
    const char *path = keeper_dir_path(a, p, "");
    int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;

    if (!path)
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "out of memory");
    if (fd < 0 && errno != ENOENT)
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "open '%s': %s", path, strerror(errno));
    *ret_fd = fd;
    return 0;
}

static const struct value *keeper_read_json(struct arena *a, const struct keeper_place *p,
                                            const char *file)
{
    struct err err = ERR_INIT;
    struct str text;
    struct value *v;

    if (sys_read_file(a, keeper_dir_path(a, p, file), KEEPER_FILE_MAX, &text, &err) ||
        json_parse(a, text, KEEPER_FILE_MAX, &v, &err))
        return NULL; /* written by rename: not there, or of a machine that lost power */
    return v;
}

void keeper_dir_view(const struct value *v, struct keeper_view *ret)
{
    uint64_t epoch = (uint64_t)value_get_int(v, S("epoch"), 0);

    if (epoch > ret->epoch)
        ret->epoch = epoch;
    ret->state = value_get_text(v, S("state"), S(""));
    ret->message = value_get_text(v, S("message"), S(""));
    ret->boot = value_get_text(v, S("boot"), S(""));
    ret->keeper_pid = value_get_int(v, S("keeper"), 0);
    ret->keeper_start = value_get_int(v, S("keeper_start"), 0);
    ret->pid = value_get_int(v, S("pid"), 0);
    ret->start = value_get_int(v, S("start"), 0);
    ret->taking = value_get_int(v, S("taking"), 0);
    ret->leaving = value_get_int(v, S("leaving"), 0);
    ret->restarts = value_get_int(v, S("restarts"), 0);
    ret->full = value_get_int(v, S("full"), 0);
    ret->exit = value_get_int(v, S("exit"), -1);
    ret->signal = value_get_int(v, S("signal"), 0);
    ret->frozen = value_get_bool(v, S("frozen"), 0);
    ret->timed_out = value_get_bool(v, S("timed_out"), 0);
}

static void keeper_read_view(struct arena *a, const struct keeper_place *p, struct keeper_view *ret)
{
    const struct value *spec = keeper_read_json(a, p, "spec.json");

    ret->key = value_get_text(spec, S("key"), STR_NONE);
    ret->about = value_get(spec, S("about"));
    ret->epoch = (uint64_t)value_get_int(spec, S("epoch"), 0);
    keeper_dir_view(keeper_read_json(a, p, "state"), ret);
}

int keeper_look(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                struct keeper_view *ret, struct rv_result *answer)
{
    AUTO_CLOSE int dir = -1;
    AUTO_CLOSE int lock = -1;

    *ret = (struct keeper_view){ .life = KEEPER_NONE, .state = S(""), .exit = -1 };
    if (keeper_check_owner(h, p, answer) || keeper_dir_open(h, a, p, &dir, answer))
        return (int)answer->verdict;
    if (dir < 0)
        return 0;
    ret->life = KEEPER_GONE;
    lock = openat(dir, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0 && errno != ENOENT)
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "open the lock of '%.*s': %s",
                          STR_ARG(p->owner), strerror(errno));
    if (lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK)
        ret->life = KEEPER_LIVES;
    guard_close(&lock); /* the state is read after the lock was seen: an end is never missed */
    keeper_read_view(a, p, ret);
    return 0;
}

/* --- the directory --- */

int keeper_take(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                uint64_t epoch, struct keeper_hold *ret, struct rv_result *answer)
{
    AUTO_CLOSE int dir = -1;
    AUTO_CLOSE int lock = -1;
    const char *runs = str_to_c(a, p->runs), *path = keeper_dir_path(a, p, "");
    struct keeper_view view = { .life = KEEPER_GONE };
    struct err err = ERR_INIT;
    int tries = 0;

    if (keeper_check_owner(h, p, answer))
        return (int)answer->verdict;
    if (arena_status(a, &err) || sys_mkdir_all(path, 0700, &err) || sys_fsync_dir(runs, &err))
        return kit_answer_err(h, answer, RV_ACTED_NO, &err);
    if (keeper_dir_open(h, a, p, &dir, answer))
        return (int)answer->verdict;
    lock = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0)
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "lock '%s': %s", path, strerror(errno));
    while (flock(lock, LOCK_EX | LOCK_NB)) {
        if (++tries > KEEPER_LOCK_TRIES)
            return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "'%s' is in use", path);
        if (h->wait_fd(h->ctx, -1, 0, 10) == RV_CANCELLED)
            return kit_answer(h, answer, RV_CANCELLED, RV_ACTED_NO, "cancelled");
    }
    keeper_read_view(a, p, &view);
    if (epoch < view.epoch)
        return kit_answer(h, answer, RV_FATAL, RV_ACTED_NO,
                          "refused: epoch %llu is older than %llu", (unsigned long long)epoch,
                          (unsigned long long)view.epoch);
    ret->dir = TAKE_FD(dir);
    ret->lock = TAKE_FD(lock);
    return 0;
}

void keeper_release(struct keeper_hold *hold)
{
    if (!hold)
        return;
    guard_close(&hold->dir);
    guard_close(&hold->lock);
}

static struct value *keeper_texts(struct arena *a, const struct str *texts, size_t n)
{
    struct value *list = value_list(a);

    for (size_t i = 0; i < n; i++)
        value_add(a, list, value_text(a, texts[i]));
    return list;
}

int keeper_note(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                const struct keeper_want *want, const struct keeper_hold *hold,
                struct rv_result *answer)
{
    struct value *spec = value_map(a);
    struct err err = ERR_INIT;

    PRE(!hold || hold->lock >= 0); /* NULL: the one that lives there was told already */
    value_set(a, spec, S("about"), want->about ? value_copy(a, want->about) : value_map(a));
    value_set(a, spec, S("argv"), keeper_texts(a, want->argv, want->n_argv));
    value_set_text(a, spec, S("dir"), want->dir.p ? want->dir : S(""));
    value_set_int(a, spec, S("epoch"), (int64_t)want->epoch);
    value_set_int(a, spec, S("grace_ms"), want->grace_ms);
    value_set_text(a, spec, S("key"), want->key);
    value_set_text(a, spec, S("restart"),
                   want->restart == KEEPER_ALWAYS ? S("always") : S("never"));
    value_set_int(a, spec, S("timeout_ms"), want->timeout_ms);
    if (sys_write_file(keeper_dir_path(a, p, "spec.json"), 0600, json_format(a, spec), &err))
        return kit_answer_err(h, answer, RV_ACTED_YES, &err);
    return 0;
}

static void keeper_empty_bin(struct arena *a, const char *bin)
{
    DIR *dir = opendir(bin);
    struct dirent *entry;
    struct err err = ERR_INIT;

    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            (void)sys_remove_all(str_fmt(a, "%s/%s", bin, entry->d_name).p, &err); /* next time */
    if (dir)
        (void)closedir(dir); /* only read */
}

int keeper_remove(const struct rv_host *h, const struct keeper_place *p, struct keeper_hold *hold,
                  struct rv_result *answer)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    const char *bin, *to, *runs;

    arena_init(&a, 0);
    bin = str_fmt(&a, "%.*s/.gone", STR_ARG(p->runs)).p;
    to = str_fmt(&a, "%s/%.*s", bin, STR_ARG(p->owner)).p;
    runs = str_to_c(&a, p->runs);
    PRE(hold->lock >= 0);
    if (arena_status(&a, &err) || sys_mkdir_all(bin, 0700, &err) || sys_remove_all(to, &err) ||
        (rename(keeper_dir_path(&a, p, ""), to) && errno != ENOENT &&
         err_sys(&err, "remove '%s'", to)) ||
        sys_fsync_dir(runs, &err))
        return kit_answer_err(h, answer, RV_ACTED_MAYBE, &err);
    keeper_release(hold);
    keeper_empty_bin(&a, bin); /* also what one that died here left */
    return 0;
}

void keeper_forget(struct arena *a, const struct keeper_place *p)
{
    const char *left = str_fmt(a, "%.*s/.gone/%.*s", STR_ARG(p->runs), STR_ARG(p->owner)).p;
    struct err err = ERR_INIT;

    if (left)
        (void)sys_remove_all(left, &err); /* next time */
}

/* Bytes of a program's output as text that JSON can carry; with `is_plain` also without controls. */
static void keeper_make_text(char *text, size_t n, int is_plain)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        uint32_t unused;
        size_t len;

        if (c < 0x80) {
            if (!c || (is_plain && ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)))
                text[i] = '?';
            continue;
        }
        len = utf8_decode((struct str){ text + i, n - i }, &unused);
        if (len)
            i += len - 1;
        else
            text[i] = '?';
    }
}

static struct str keeper_read_log(struct arena *a, const struct keeper_place *p, size_t max,
                                  int is_plain)
{
    AUTO_CLOSE int fd = open(keeper_dir_path(a, p, "log"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char *text = arena_alloc(a, max + 1);
    struct stat st;
    struct str tail;
    ssize_t n;

    if (fd < 0 || !text || fstat(fd, &st))
        return S("");
    n = pread(fd, text, max, st.st_size > (off_t)max ? st.st_size - (off_t)max : 0);
    tail = (struct str){ text, n > 0 ? (size_t)n : 0 };
    if (st.st_size > (off_t)max && str_find_char(tail, '\n') != STR_NPOS)
        tail = str_slice(tail, str_find_char(tail, '\n') + 1, tail.n);
    tail = str_trim(tail);
    keeper_make_text(text + (tail.p - text), tail.n, is_plain);
    return tail;
}

struct str keeper_log_tail(struct arena *a, const struct keeper_place *p, size_t max)
{
    return keeper_read_log(a, p, max, 1);
}

struct str keeper_log_text(struct arena *a, const struct keeper_place *p, size_t max)
{
    return keeper_read_log(a, p, max, 0);
}
