/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/installation.h"

#include "base/sys.h"

#define INSTALLATION_CHARS 36
#define INSTALLATION_FILE_MAX 64

static const char *installation_path(struct arena *a, const char *keys)
{
    return str_fmt(a, "%s/installation", keys).p;
}

int installation_read(struct arena *a, const char *keys, struct str *ret, struct err *err)
{
    const char *path = installation_path(a, keys);
    struct str text;
    int rc = path ? sys_read_file(a, path, INSTALLATION_FILE_MAX, &text, err)
                  : arena_status(a, err);

    if (rc == ERR_NOT_FOUND) {
        *ret = STR_NONE;
        return 0;
    }
    if (rc)
        return rc;
    text = str_trim(text);
    if (text.n != INSTALLATION_CHARS)
        return err_set(err, ERR_CORRUPT, "'%s' holds no id", path);
    *ret = text;
    return 0;
}

int installation_keep(struct arena *a, const char *keys, struct str of_database, struct err *err)
{
    struct str known;

    if (installation_read(a, keys, &known, err))
        return err->code;
    if (!known.p)
        return sys_write_file(installation_path(a, keys), 0600,
                              str_fmt(a, "%.*s\n", STR_ARG(of_database)), err);
    if (!str_eq(known, of_database))
        return err_set(err, ERR_REFUSED,
                       "the database is of installation %.*s, '%s/installation' says %.*s",
                       STR_ARG(of_database), keys, STR_ARG(known));
    return 0;
}
