/* replay: every file of a folder, once through the target. SPDX-License-Identifier: Apache-2.0
 *
 *     fuzz_specs DIRECTORY */
#include <dirent.h>
#include <stdio.h>

#include "base/sys.h"
#include "tests/fuzz/fuzz.h"

#define REPLAY_BYTES_MAX (16u << 20)

static int replay_file(const char *directory, const char *name)
{
    AUTO_ARENA struct arena a = { 0 };
    struct err err = ERR_INIT;
    struct str bytes;

    if (sys_read_file(&a, str_fmt(&a, "%s/%s", directory, name).p, REPLAY_BYTES_MAX, &bytes,
                      &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    return LLVMFuzzerTestOneInput((const uint8_t *)bytes.p, bytes.n);
}

int main(int argc, char **argv)
{
    struct dirent *entry;
    size_t n = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;

    if (!dir) {
        (void)fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 3;
    }
    while ((entry = readdir(dir)))
        if (entry->d_type == DT_REG && replay_file(argv[1], entry->d_name) == 0)
            n++;
    (void)closedir(dir); /* only read */
    (void)printf("%zu inputs\n", n);
    return n ? 0 : 1;
}
