/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/peer_mark.h"

#include "base/sys.h"
#include "specs/json_io.h"

#define PEER_MARK_MAX 8192u

static const char *peer_mark_path(struct arena *a, struct str socket)
{
    return str_fmt(a, "%.*s.taken", STR_ARG(socket)).p;
}

int peer_mark_write(struct arena *a, struct str socket, const struct peer_mark *mark,
                    struct err *err)
{
    const char *path = peer_mark_path(a, socket);
    struct value *v = value_map(a);

    value_set_text(a, v, S("installation"), mark->installation);
    value_set_text(a, v, S("by"), mark->by);
    value_set_int(a, v, S("epoch"), mark->epoch);
    if (arena_status(a, err))
        return err->code;
    return sys_write_file(path, 0644, json_format(a, v), err);
}

int peer_mark_read(struct arena *a, struct str socket, struct peer_mark *ret, struct err *err)
{
    const char *path = peer_mark_path(a, socket);
    struct value *v = NULL;
    struct str text;
    int rc = path ? sys_read_file(a, path, PEER_MARK_MAX, &text, err) : arena_status(a, err);

    *ret = (struct peer_mark){ 0 };
    if (rc == ERR_NOT_FOUND) {
        *err = ERR_INIT;
        return 0;
    }
    if (!rc && json_parse(a, text, PEER_MARK_MAX, &v, err))
        rc = err_set(err, ERR_CORRUPT, "'%s' is no mark of a takeover", path);
    if (rc)
        return rc;
    ret->installation = value_get_text(v, S("installation"), S(""));
    ret->by = value_get_text(v, S("by"), S(""));
    ret->epoch = value_get_int(v, S("epoch"), 0);
    return ret->epoch > 0 && ret->installation.n
               ? 0
               : err_set(err, ERR_CORRUPT, "'%s' is no mark of a takeover", path);
}
