/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/secret_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/sys.h"

static int secret_key_make(const char *path, const char *dir, struct err *err)
{
    char key[SECRET_KEY_BYTES];
    int rc = sys_mkdir_all(dir, 0700, err);

    sys_random(key, sizeof(key));
    if (!rc)
        rc = sys_write_file(path, 0600, (struct str){ key, sizeof(key) }, err);
    explicit_bzero(key, sizeof(key));
    return rc;
}

int secret_key_check(const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st))
        return err_sys(err, "look at '%s'", path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return err_set(err, ERR_REFUSED, "'%s' is open to others (mode %04o): chmod 600", path,
                       st.st_mode & 07777);
    return 0;
}

static int secret_key_where(const char *dir, const char *name, char ret[PATH_MAX], struct err *err)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");

    if (credentials &&
        (size_t)snprintf(ret, PATH_MAX, "%s/reeve.%s", credentials, name) < PATH_MAX &&
        sys_exists(ret))
        return 0;
    if ((size_t)snprintf(ret, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
        return err_set(err, ERR_LIMIT, "path '%s/%s' is too long", dir, name);
    return 0;
}

int secret_key_find(const char *dir, const char *name, char ret[PATH_MAX], struct err *err)
{
    return secret_key_where(dir, name, ret, err) || secret_key_check(ret, err) ? err->code : 0;
}

static int secret_key_take(const char *path, char *ret, struct err *err)
{
    AUTO_WIPED_ARENA struct arena scratch;
    struct str key;

    arena_init(&scratch, 0);
    if (secret_key_check(path, err) || sys_read_file(&scratch, path, SECRET_KEY_BYTES, &key, err))
        return err->code;
    if (key.n != SECRET_KEY_BYTES)
        return err_set(err, ERR_CORRUPT, "'%s' holds %zu bytes, not %u", path, key.n,
                       SECRET_KEY_BYTES);
    memcpy(ret, key.p, key.n);
    return 0;
}

int secret_key_read_old(const char *dir, const char *name, char ret[SECRET_KEY_BYTES],
                        struct err *err)
{
    char path[PATH_MAX];

    if (secret_key_where(dir, name, path, err))
        return err->code;
    if (!sys_exists(path))
        return err_set(err, ERR_NOT_FOUND, "there is no '%s'", path);
    return secret_key_take(path, ret, err);
}

int secret_key_read(const char *dir, const char *name, char ret[SECRET_KEY_BYTES], struct err *err)
{
    char path[PATH_MAX];

    if (secret_key_where(dir, name, path, err) ||
        (!sys_exists(path) && secret_key_make(path, dir, err)))
        return err->code;
    return secret_key_take(path, ret, err);
}
