/* Would the daemon start? SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <unistd.h>

#include "base/sys.h"
#include "reconciler/cli/programs.h"
#include "reconciler/cli/verbs.h"
#include "state/db.h"

/* Beside the state lie its lock, its log and its keys: who may not write there does not start. */
static int check_place(struct cli *c, struct str file, struct err *err)
{
    struct str dir = file;
    const char *path;

    do { /* what is not made yet is made in the one above */
        while (dir.n > 1 && dir.p[dir.n - 1] != '/')
            dir.n--;
        dir.n -= dir.n > 1;
        path = str_to_c(c->arena, dir);
    } while (path && dir.n > 1 && !sys_exists(path));
    if (path && faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS))
        return err_sys(err, "state at '%.*s': the daemon's user cannot write in '%s'",
                       STR_ARG(file), path);
    return arena_status(c->arena, err);
}

/* The state as this program finds it: 0 too when it is to be made, or brought to this program's version. */
static int check_state(struct cli *c, struct str *ret, struct err *err)
{
    struct str file = value_get_text(value_get(c->daemon, S("state")), S("file"), S(""));
    const char *path = str_to_c(c->arena, file);
    struct db *db = NULL;
    int rc = arena_status(c->arena, err);

    *ret = S("it is made at the start");
    if (!rc)
        rc = check_place(c, file, err);
    if (rc || !sys_exists(path))
        return rc;
    rc = db_open(path, DB_READ, &db, err);
    if (!rc)
        rc = db_meta(db, c->arena, S("schema"), ret, err);
    db_close(db);
    if (!rc)
        *ret = str_fmt(c->arena, "schema %.*s", STR_ARG(*ret));
    if (rc == ERR_CORRUPT)
        return err_wrap(err, "the state cannot be read; a new one: reeve recover");
    if (rc != ERR_CONFLICT)
        return rc;
    *ret = S("it is upgraded at the start, a copy is kept");
    *err = (struct err)ERR_INIT;
    return 0;
}

static void check_write(struct cli *c, struct str state)
{
    struct value *v = value_map(c->arena);

    value_set_text(c->arena, v, S("config"), str_from_c(c->config_path));
    value_set_text(c->arena, v, S("version"), S(REEVE_VERSION));
    value_set_text(c->arena, v, S("state"), state);
    if (cli_wrote_json(c, v) || c->args.quiet)
        return;
    (void)fprintf(c->out, "reeve %s would start with '%s'\n  state: %.*s\n", REEVE_VERSION,
                  c->config_path, STR_ARG(state)); /* main asks the stream */
}

int verb_check(struct cli *c, struct err *err)
{
    const char *self, *keeper;
    struct str state;
    int rc = config_need(c, err);

    if (!rc)
        rc = config_serves(c, err);
    if (!rc)
        rc = config_drop(c, err);
    if (!rc)
        rc = programs_find_self(c->arena, &self, err);
    if (!rc)
        rc = programs_find_keeper(c->arena, self, &keeper, err);
    if (!rc)
        rc = check_state(c, &state, err);
    if (!rc)
        check_write(c, state);
    return rc;
}
