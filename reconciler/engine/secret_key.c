/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/secret_key.h"

#include <limits.h>
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

static int secret_key_take(const char *path, char *ret, struct err *err)
{
    AUTO_WIPED_ARENA struct arena scratch;
    struct stat st;
    struct str key;

    arena_init(&scratch, 0);
    if (stat(path, &st))
        return err_sys(err, "look at '%s'", path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return err_set(err, ERR_REFUSED, "'%s' is open to others (mode %04o): chmod 600", path,
                       st.st_mode & 07777);
    if (sys_read_file(&scratch, path, SECRET_KEY_BYTES, &key, err))
        return err->code;
    if (key.n != SECRET_KEY_BYTES)
        return err_set(err, ERR_CORRUPT, "'%s' holds %zu bytes, not %u", path, key.n,
                       SECRET_KEY_BYTES);
    memcpy(ret, key.p, key.n);
    return 0;
}

int secret_key_read(const char *dir, const char *name, char ret[SECRET_KEY_BYTES], struct err *err)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_MAX];

    if (credentials &&
        (size_t)snprintf(path, sizeof(path), "%s/reeve.%s", credentials, name) < sizeof(path) &&
        sys_exists(path))
        return secret_key_take(path, ret, err);
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
        return err_set(err, ERR_LIMIT, "path '%s/%s' is too long", dir, name);
    if (!sys_exists(path) && secret_key_make(path, dir, err))
        return err->code;
    return secret_key_take(path, ret, err);
}
