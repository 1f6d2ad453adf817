/* What the state says that a person should look at. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/scope.h"
#include "reconciler/engine/notify_rules.h"
#include "reconciler/engine/stale.h"
#include "reconciler/engine/view_rows.h"
#include "state/events.h"
#include "state/replica.h"

static void add_finding(const struct view *v, struct value *list, struct str what, struct str mend)
{
    struct value *one = value_map(v->a);

    value_set_text(v->a, one, S("what"), what);
    value_set_text(v->a, one, S("mend"), mend);
    value_add(v->a, list, one);
}

static int find_sources(const struct view *v, struct value *list, struct err *err)
{
    struct rec_source *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, source, "WHERE error IS NOT NULL ORDER BY name", &rows, &n,
                       err);

    for (size_t i = 0; !rc && i < n; i++)
        add_finding(
            v, list,
            str_fmt(v->a, "source '%.*s': %.*s", STR_ARG(rows[i].name), STR_ARG(rows[i].error)),
            S("what was accepted last stays in force; mend the repository or its entry "
              "under 'sources'"));
    return rc;
}

/* Branches whose specs are refused, or hold documents that are. */
static int find_heads(const struct view *v, struct value *list, struct err *err)
{
    struct rec_head *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, head, "WHERE error IS NOT NULL ORDER BY source, branch", &rows,
                       &n, err);

    for (size_t i = 0; !rc && i < n; i++)
        add_finding(v, list,
                    str_fmt(v->a, "branch '%.*s' of source '%.*s': %.*s", STR_ARG(rows[i].branch),
                            STR_ARG(rows[i].source), STR_ARG(rows[i].error)),
                    S("what was accepted last stays in force; what a name may do: reeve doctor "
                      "ENV"));
    return rc;
}

static int find_environments(const struct view *v, struct value *list, struct err *err)
{
    struct rec_environment *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, environment,
                       "WHERE deleted_ms IS NULL AND (sync NOT IN ('in_sync', 'converging') OR "
                       "health NOT IN ('healthy', 'unknown')) ORDER BY name",
                       &rows, &n, err);

    for (size_t i = 0; !rc && i < n; i++)
        if (scope_has(v->scope, rows[i].name))
            add_finding(v, list,
                        str_fmt(v->a, "environment '%.*s' is %.*s, %.*s%s%.*s",
                                STR_ARG(rows[i].name), STR_ARG(rows[i].sync),
                                STR_ARG(rows[i].health), rows[i].reason.n ? ": " : "",
                                STR_ARG(rows[i].reason)),
                        str_fmt(v->a, "reeve explain %.*s", STR_ARG(rows[i].name)));
    return rc;
}

static int find_parked(const struct view *v, struct value *list, struct err *err)
{
    struct rec_operation *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, operation,
                       "WHERE outcome = 'parked' ORDER BY intent_ms DESC LIMIT 100", &rows, &n,
                       err);

    for (size_t i = 0; !rc && i < n; i++) {
        struct rec_environment env = { .uid = rows[i].env };

        rc = v->scope ? db_get(v->db, v->a, REC_environment, &env, err) : 0;
        if (!rc && scope_has(v->scope, env.name))
            add_finding(v, list,
                        str_fmt(v->a, "%.*s of %.*s/%.*s is parked: %.*s", STR_ARG(rows[i].action),
                                STR_ARG(rows[i].kind), STR_ARG(rows[i].name),
                                STR_ARG(rows[i].message)),
                        str_fmt(v->a, "look at it, then: reeve settle %.*s --as done|failed|retry",
                                STR_ARG(rows[i].uid)));
    }
    return rc;
}

static int find_clock(const struct view *v, struct value *list, struct err *err)
{
    const struct value *clock;
    int rc = view_clock(v, &clock, err);

    if (!rc && clock)
        add_finding(v, list,
                    str_fmt(v->a, "the clock stepped by %lld s: nothing expires",
                            (long long)value_get_int(clock, S("stepped_ms"), 0) / 1000),
                    S("look at `date`; when it is right: reeve resume --clock, or wait an hour"));
    return rc;
}

#define UNTOLD_ATTEMPTS 2 /* the first may have been a moment */

/* What was refused again and again, the oldest of each recipient. */
static int find_untold(const struct view *v, struct value *list, struct err *err)
{
    struct rec_outbox *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, outbox,
                       "WHERE done_seq IS NULL AND attempt >= $1 ORDER BY target, uid LIMIT 100",
                       &rows, &n, err, DB_I(UNTOLD_ATTEMPTS));

    for (size_t i = 0; !rc && i < n; i++) {
        struct rec_environment env = { .uid = rows[i].env, .name = S("") };
        int is_daemons = notify_rules_is_of_daemon(rows[i].target);
        struct value *body = NULL;
        struct str name;

        if (i && str_eq(rows[i].target, rows[i - 1].target))
            continue;
        rc = is_daemons ? 0 : db_get(v->db, v->a, REC_environment, &env, err);
        if (rc || json_parse(v->a, rows[i].body, VIEW_JSON_MAX, &body, err))
            return err->code;
        if (is_daemons ? v->scope != NULL : !scope_has(v->scope, env.name))
            continue;
        name = notify_rules_name(v->a, value_get(body, S("config")));
        add_finding(v, list,
                    str_fmt(v->a, "'%.*s'%s%.*s is not told: %.*s", STR_ARG(name),
                            is_daemons ? "" : " of environment ", STR_ARG(env.name),
                            STR_ARG(rows[i].error)),
                    str_fmt(v->a,
                            "it is tried again; when it is mended: reeve notify test%s%.*s %.*s",
                            is_daemons ? "" : " ", STR_ARG(env.name), STR_ARG(name)));
    }
    return rc;
}

#define COPY_LATE_MS 60000

/* Of a copy whose original is not heard, or is ahead. */
static int find_copy(const struct view *v, struct value *list, struct err *err)
{
    struct rec_replica row;
    struct digest hash;
    int64_t seq, ago_ms;
    int rc = replica_row(v->db, v->a, &row, err);

    if (rc == ERR_NOT_FOUND || (!rc && !str_eq_c(row.state, "following")))
        return 0;
    if (!rc)
        rc = events_head(v->db, &seq, &hash, err);
    ago_ms = v->now_ms - row.heard_ms;
    if (rc || (row.head_seq <= seq && ago_ms < COPY_LATE_MS))
        return rc;
    add_finding(v, list,
                str_fmt(v->a, "this copy of %.*s is %lld events behind and heard of it %lld s ago",
                        STR_ARG(row.url), (long long)(row.head_seq > seq ? row.head_seq - seq : 0),
                        (long long)(ago_ms / 1000)),
                S("reeve status says why; where that daemon is gone for good: reeve takeover"));
    return 0;
}

/* What a takeover found and no event tells of. */
static int find_strange(const struct view *v, struct value *list, struct err *err)
{
    struct rec_meta *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, meta, "WHERE k LIKE $1 ORDER BY k", &rows, &n, err,
                       DB_T(S(STALE_STRANGE "%")));

    for (size_t i = 0; !rc && i < n; i++)
        add_finding(v, list,
                    str_fmt(v->a, "a takeover found a thing of ours that no event tells of: %.*s",
                            STR_ARG(rows[i].v)),
                    S("a plan that wants it takes it as its own; else it is yours to end"));
    return rc;
}

int view_findings(const struct view *v, struct value **ret, struct err *err)
{
    struct value *list = value_list(v->a);
    int rc = find_clock(v, list, err);

    if (!rc && !v->scope) /* these speak of every environment */
        rc = find_sources(v, list, err);
    if (!rc && !v->scope)
        rc = find_heads(v, list, err);
    if (!rc)
        rc = find_environments(v, list, err);
    if (!rc)
        rc = find_parked(v, list, err);
    if (!rc)
        rc = find_untold(v, list, err);
    if (!rc)
        rc = find_copy(v, list, err);
    if (!rc)
        rc = find_strange(v, list, err);
    if (rc)
        return rc;
    *ret = list;
    return arena_status(v->a, err);
}
