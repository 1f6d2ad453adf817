/* What a GET is answered from, and with. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/logs.h"
#include "reconciler/http/routes_parts.h"

#define LINES_DEFAULT 50
#define LINES_MAX 2000

static int query_int(const struct route_call *call, struct str name, int64_t *ret, struct err *err)
{
    struct str text = value_get_text(call->query, name, S(""));

    if (!text.n)
        return 0;
    if (str_to_i64(text, ret) || *ret < 0)
        return err_set(err, ERR_USAGE, "'%.*s' is not a number: '%.*s'", STR_ARG(name),
                       STR_ARG(text));
    return 0;
}

static struct str query_text(const struct route_call *call, struct str name)
{
    return value_get_text(call->query, name, STR_NONE);
}

int routes_read_status(const struct route_world *w, const struct route_call *call,
                       struct value **ret, struct err *err)
{
    (void)call;
    return view_status(&w->view, ret, err);
}

int routes_read_environment(const struct route_world *w, const struct route_call *call,
                            struct value **ret, struct err *err)
{
    return view_environment(&w->view, call->param, ret, err);
}

int routes_read_plan_of(const struct route_world *w, const struct route_call *call,
                        struct value **ret, struct err *err)
{
    return view_plan_of(&w->view, call->param, ret, err);
}

int routes_read_diff(const struct route_world *w, const struct route_call *call, struct value **ret,
                     struct err *err)
{
    return view_diff(&w->view, call->param, query_text(call, S("from")), query_text(call, S("to")),
                     ret, err);
}

int routes_read_plan(const struct route_world *w, const struct route_call *call, struct value **ret,
                     struct err *err)
{
    return view_plan(&w->view, call->param, ret, err);
}

int routes_read_progress(const struct route_world *w, const struct route_call *call,
                         struct value **ret, struct err *err)
{
    int64_t after = 0, wait_ms = 0;
    int rc = query_int(call, S("after"), &after, err);

    if (!rc)
        rc = query_int(call, S("wait_ms"), &wait_ms, err);
    return rc ? rc : view_progress(&w->view, call->param, after, ret, err);
}

int routes_read_history(const struct route_world *w, const struct route_call *call,
                        struct value **ret, struct err *err)
{
    struct view_history in = { .env = query_text(call, S("env")),
                               .kind = query_text(call, S("kind")),
                               .subject = query_text(call, S("subject")),
                               .actor = query_text(call, S("actor")),
                               .newest_first = str_eq_c(query_text(call, S("newest")), "1"),
                               .with_body = !str_eq_c(query_text(call, S("bodies")), "0") };
    int rc = query_int(call, S("after"), &in.after, err);

    if (!rc)
        rc = query_int(call, S("before"), &in.before, err);
    if (!rc)
        rc = query_int(call, S("from_ms"), &in.from_ms, err);
    if (!rc)
        rc = query_int(call, S("to_ms"), &in.to_ms, err);
    if (!rc)
        rc = query_int(call, S("limit"), &in.limit, err);
    return rc ? rc : view_history(&w->view, &in, ret, err);
}

int routes_read_state_at(const struct route_world *w, const struct route_call *call,
                         struct value **ret, struct err *err)
{
    int64_t at_ms = w->view.now_ms;
    int rc = query_int(call, S("at_ms"), &at_ms, err);

    return rc ? rc : view_state_at(&w->view, call->param, at_ms, ret, err);
}

int routes_read_explain(const struct route_world *w, const struct route_call *call,
                        struct value **ret, struct err *err)
{
    return view_explain(&w->view, call->param, value_get_text(call->query, S("subject"), S("")),
                        ret, err);
}

int routes_read_logs(const struct route_world *w, const struct route_call *call, struct value **ret,
                     struct err *err)
{
    int64_t n_lines = LINES_DEFAULT;
    int rc = query_int(call, S("lines"), &n_lines, err);

    if (!rc && n_lines > LINES_MAX)
        n_lines = LINES_MAX;
    return rc ? rc
              : logs_read(&w->view, w->daemon, call->param, query_text(call, S("service")),
                          (size_t)n_lines, ret, err);
}

int routes_read_audit(const struct route_world *w, const struct route_call *call,
                      struct value **ret, struct err *err)
{
    enum view_audit depth = str_eq_c(query_text(call, S("replay")), "1") ? VIEW_AUDIT_REPLAY
                                                                         : VIEW_AUDIT_CHAIN;

    return view_audit(&w->view, depth, ret, err);
}

int routes_read_doctor(const struct route_world *w, const struct route_call *call,
                       struct value **ret, struct err *err)
{
    struct value *map = value_map(w->view.a), *findings;
    int rc = view_findings(&w->view, &findings, err);

    (void)call;
    if (rc)
        return rc;
    value_set(w->view.a, map, S("findings"), findings);
    *ret = map;
    return 0;
}

/* A name that we do not know is an error: it was meant to do something. */
static int check_query(const struct route_call *call, struct err *err)
{
    for (size_t i = 0; i < value_count(call->query); i++) {
        struct str rest = str_from_c(call->route->query), name;
        struct str key = call->query->u.map.entries[i].key;
        int is_known = 0;

        while (!is_known && str_next(&rest, ' ', &name))
            is_known = str_eq(name, key);
        if (!is_known)
            return err_set(err, ERR_USAGE, "'%.*s' is not asked with '%.*s'",
                           STR_ARG(str_from_c(call->route->path)), STR_ARG(key));
    }
    return 0;
}

int routes_read(const struct route_world *w, const struct route_call *call, struct value **ret,
                struct err *err)
{
    int rc = check_query(call, err);

    if (!rc)
        rc = db_view_begin(w->view.db, err);
    if (rc)
        return rc;
    rc = call->route->read(w, call, ret, err);
    db_view_end(w->view.db);
    return rc;
}
