/* What a GET is answered from, and with. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/history_seal.h"
#include "reconciler/http/logs.h"
#include "reconciler/http/openapi.h"
#include "reconciler/http/routes_parts.h"
#include "state/events.h"

#define LINES_DEFAULT 50
#define LINES_MAX 2000

/* What routes_check() has seen to be one. */
static int64_t query_number(const struct route_call *call, const char *name, int64_t otherwise)
{
    int64_t number = otherwise;

    (void)str_to_i64(value_get_text(call->query, str_from_c(name), S("")), &number); /* absent */
    return number;
}

static int query_is_set(const struct route_call *call, const char *name)
{
    return str_eq_c(value_get_text(call->query, str_from_c(name), S("0")), "1");
}

/* 1 where it is not given. */
static int query_is_wanted(const struct route_call *call, const char *name)
{
    return !value_get(call->query, str_from_c(name)) || query_is_set(call, name);
}

static struct view_page query_page(const struct route_call *call)
{
    return (struct view_page){ query_number(call, "limit", 0),
                               value_get_text(call->query, S("cursor"), S("")) };
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
    return view_progress(&w->view, call->param, query_number(call, "after", 0), ret, err);
}

int routes_read_history(const struct route_world *w, const struct route_call *call,
                        struct value **ret, struct err *err)
{
    const struct view_history in = { .env = query_text(call, S("env")),
                                     .kind = query_text(call, S("kind")),
                                     .subject = query_text(call, S("subject")),
                                     .actor = query_text(call, S("actor")),
                                     .resource = query_text(call, S("resource")),
                                     .plan = query_text(call, S("plan")),
                                     .commit = query_text(call, S("commit")),
                                     .after = query_number(call, "after", 0),
                                     .before = query_number(call, "before", 0),
                                     .from_ms = query_number(call, "from_ms", 0),
                                     .to_ms = query_number(call, "to_ms", 0),
                                     .limit = query_number(call, "limit", 0),
                                     .cursor = query_text(call, S("cursor")),
                                     .newest_first = query_is_set(call, "newest"),
                                     .without_steps = !query_is_wanted(call, "steps"),
                                     .with_body = query_is_wanted(call, "bodies") };

    return view_history(&w->view, &in, ret, err);
}

int routes_read_state_at(const struct route_world *w, const struct route_call *call,
                         struct value **ret, struct err *err)
{
    return view_state_at(&w->view, call->param, query_number(call, "at_ms", w->view.now_ms), ret,
                         err);
}

int routes_read_changes(const struct route_world *w, const struct route_call *call,
                        struct value **ret, struct err *err)
{
    return view_changes(&w->view, call->param, query_number(call, "from_ms", 0),
                        query_number(call, "to_ms", w->view.now_ms), ret, err);
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
    int64_t n_lines = query_number(call, "lines", LINES_DEFAULT);
    const struct logs_ask ask = { .service = query_text(call, S("service")),
                                  .after = query_text(call, S("after")),
                                  .is_gone = query_is_set(call, "gone"),
                                  .n_lines = (size_t)(n_lines < LINES_MAX ? n_lines : LINES_MAX) };

    return logs_read(&w->view, w->daemon, call->param, &ask, ret, err);
}

int routes_read_audit(const struct route_world *w, const struct route_call *call,
                      struct value **ret, struct err *err)
{
    const struct view_audit_ask ask = {
        .depth = query_is_set(call, "replay") ? VIEW_AUDIT_REPLAY : VIEW_AUDIT_CHAIN,
        .keys = history_seal_keys(w->view.a, w->daemon),
        .is_incremental = query_is_set(call, "incremental"),
    };

    return view_audit(&w->view, &ask, ret, err);
}

int routes_read_export(const struct route_world *w, const struct route_call *call,
                       struct value **ret, struct err *err)
{
    const struct view_export in = { .after = query_number(call, "after", 0),
                                    .from_ms = query_number(call, "from_ms", 0),
                                    .to_ms = query_number(call, "to_ms", 0),
                                    .limit = query_number(call, "limit", 0) };

    return view_export(&w->view, &in, ret, err);
}

int routes_read_report(const struct route_world *w, const struct route_call *call,
                       struct value **ret, struct err *err)
{
    return view_report(&w->view, value_at(w->daemon, S("auth.people")),
                       query_number(call, "from_ms", 0),
                       query_number(call, "to_ms", w->view.now_ms), ret, err);
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

int routes_read_environments(const struct route_world *w, const struct route_call *call,
                             struct value **ret, struct err *err)
{
    const struct view_page page = query_page(call);

    return view_environments(&w->view, &page, ret, err);
}

int routes_read_plans(const struct route_world *w, const struct route_call *call,
                      struct value **ret, struct err *err)
{
    const struct view_page page = query_page(call);

    return view_plans(&w->view, call->param, &page, ret, err);
}

int routes_read_operations(const struct route_world *w, const struct route_call *call,
                           struct value **ret, struct err *err)
{
    const struct view_page page = query_page(call);

    return view_operations(&w->view, call->param, &page, ret, err);
}

int routes_read_rollouts(const struct route_world *w, const struct route_call *call,
                         struct value **ret, struct err *err)
{
    const struct view_page page = query_page(call);

    return view_rollouts(&w->view, call->param, &page, ret, err);
}

int routes_read_revisions(const struct route_world *w, const struct route_call *call,
                          struct value **ret, struct err *err)
{
    const struct view_page page = query_page(call);

    return view_revisions(&w->view, call->param, &page, ret, err);
}

int routes_read_jobs(const struct route_world *w, const struct route_call *call, struct value **ret,
                     struct err *err)
{
    return view_jobs(&w->view, call->param, ret, err);
}

int routes_read_told(const struct route_world *w, const struct route_call *call, struct value **ret,
                     struct err *err)
{
    return view_told(&w->view, w->daemon, call->param, ret, err);
}

int routes_read_holds(const struct route_world *w, const struct route_call *call,
                      struct value **ret, struct err *err)
{
    return view_stops(&w->view, call->param, VIEW_HOLDS, ret, err);
}

int routes_read_quarantine(const struct route_world *w, const struct route_call *call,
                           struct value **ret, struct err *err)
{
    return view_stops(&w->view, call->param, VIEW_QUARANTINE, ret, err);
}

int routes_read_sources(const struct route_world *w, const struct route_call *call,
                        struct value **ret, struct err *err)
{
    (void)call;
    return view_sources(&w->view, ret, err);
}

/* How they answer is what the engine knows. */
int routes_read_providers(const struct route_world *w, const struct route_call *call,
                          struct value **ret, struct err *err)
{
    const struct value *providers = value_get(w->daemon, S("providers"));
    struct value *map = value_map(w->view.a), *list = value_list(w->view.a);

    (void)call;
    for (size_t i = 0; i < value_count(providers); i++) {
        const struct value_entry *e = &providers->u.map.entries[i];
        struct value *one = value_map(w->view.a);

        value_set_text(w->view.a, one, S("name"), e->key);
        value_set_text(w->view.a, one, S("driver"), value_get_text(e->value, S("driver"), S("")));
        value_add(w->view.a, list, one);
    }
    value_set(w->view.a, map, S("providers"), list);
    *ret = map;
    return arena_status(w->view.a, err);
}

int routes_read_openapi(const struct route_world *w, const struct route_call *call,
                        struct value **ret, struct err *err)
{
    (void)call;
    *ret = openapi_document(w->view.a);
    return arena_status(w->view.a, err);
}

int routes_read(const struct route_world *w, const struct route_call *call, struct value **ret,
                struct err *err)
{
    int rc = routes_check(call, SHAPES_QUERY, err);

    if (!rc)
        rc = db_view_begin(w->view.db, err);
    if (rc)
        return rc;
    rc = call->route->read(w, call, ret, err);
    db_view_end(w->view.db);
    return rc;
}

int routes_read_tokens(const struct route_world *w, const struct route_call *call,
                       struct value **ret, struct err *err)
{
    (void)call;
    return view_tokens(&w->view, ret, err);
}

int routes_read_events(const struct route_world *w, const struct route_call *call,
                       struct value **ret, struct err *err)
{
    struct value *map = value_map(w->view.a);
    struct digest hash;
    int64_t seq;
    int rc = events_head(w->view.db, &seq, &hash, err);

    (void)call;
    if (rc)
        return rc;
    value_set_int(w->view.a, map, S("seq"), seq);
    *ret = map;
    return 0;
}

int routes_read_people(const struct route_world *w, const struct route_call *call,
                       struct value **ret, struct err *err)
{
    (void)call;
    return view_people(&w->view, value_at(w->daemon, S("auth.people")), ret, err);
}

int routes_read_sessions(const struct route_world *w, const struct route_call *call,
                         struct value **ret, struct err *err)
{
    return view_sessions(&w->view, call->param, ret, err);
}

int routes_read_replica(const struct route_world *w, const struct route_call *call,
                        struct value **ret, struct err *err)
{
    return view_replica(&w->view, query_number(call, "after", 0),
                        query_number(call, "limit", INT64_MAX), ret, err);
}
