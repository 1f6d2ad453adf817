/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/lives.h"

#include <inttypes.h>

#include "base/sys.h"

#define LIVES_FILE_MAX 128

static const char *lives_path(struct arena *a, const char *keys)
{
    return str_fmt(a, "%s/lives", keys).p;
}

/* INSTALLATION NUMBER */
static int64_t lives_parse(struct str text, struct str installation)
{
    struct str whose;
    int64_t n;

    text = str_trim(text);
    if (!str_next(&text, ' ', &whose) || !str_eq(whose, installation) || str_to_i64(text, &n))
        return 0;
    return n > 0 ? n : 0;
}

int lives_read(struct arena *a, const char *keys, struct str installation, int64_t *ret,
               struct err *err)
{
    const char *path = lives_path(a, keys);
    struct str text;
    int rc = path ? sys_read_file(a, path, LIVES_FILE_MAX, &text, err) : arena_status(a, err);

    *ret = rc ? 0 : lives_parse(text, installation);
    if (rc != ERR_NOT_FOUND && rc != ERR_LIMIT)
        return rc;
    *err = ERR_INIT;
    return 0;
}

int lives_keep(struct arena *a, const char *keys, struct str installation, int64_t epoch,
               struct err *err)
{
    int64_t known;

    if (lives_read(a, keys, installation, &known, err))
        return err->code;
    if (known >= epoch)
        return 0;
    return sys_write_file(lives_path(a, keys), 0600,
                          str_fmt(a, "%.*s %" PRId64 "\n", STR_ARG(installation), epoch), err);
}
