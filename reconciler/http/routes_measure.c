/* Numbers and health. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/counts.h"
#include "reconciler/engine/health.h"
#include "reconciler/http/measure.h"
#include "reconciler/http/routes_parts.h"

/* All parts: what the loop knew, and what is seen now. */
static int read_parts(const struct route_world *w, struct value **ret, struct err *err)
{
    struct value *list = value_list(w->view.a);

    for (size_t i = 0; i < value_count(w->live); i++)
        value_add(w->view.a, list, value_copy(w->view.a, value_item(w->live, i)));
    *ret = list;
    return health_state(&w->view, w->state_path, list, err);
}

static void put_health(struct metrics *m, const struct value *parts)
{
    static const double values[N_HEALTH_STATUSES] = {
        [HEALTH_HEALTHY] = 1, [HEALTH_DEGRADED] = 0.5
    };

    for (size_t i = 0; i < value_count(parts); i++)
        METRICS_PUT(m, HEALTH, values[health_sum_status(value_item(parts, i))],
                    value_get_text(value_item(parts, i), S("kind"), S("")),
                    value_get_text(value_item(parts, i), S("name"), S("")));
}

int routes_read_metrics(const struct route_world *w, const struct route_call *call,
                        struct value **ret, struct err *err)
{
    struct metrics *m = w->metrics;
    struct value *parts;

    (void)call;
    if (!m)
        return err_set(err, ERR_USAGE, "numbers are a daemon's");
    if (read_parts(w, &parts, err) || counts_put_state(w->view.db, m, w->view.now_ms, err))
        return err->code;
    METRICS_PUT(m, UP, 1);
    METRICS_PUT(m, BUILD, 1, S(REEVE_VERSION));
    put_health(m, parts);
    measure_put_machine(m, w->state_path);
    *ret = value_text(w->view.a, metrics_text(m));
    return arena_status(m->a, err) ? err->code : arena_status(w->view.a, err);
}

int routes_read_targets(const struct route_world *w, const struct route_call *call,
                        struct value **ret, struct err *err)
{
    (void)call;
    return view_targets(&w->view, ret, err);
}

static int read_health(const struct route_world *w, struct value **ret, struct value **ret_parts,
                       struct err *err)
{
    struct value *map = value_map(w->view.a);

    if (read_parts(w, ret_parts, err))
        return err->code;
    value_set_text(w->view.a, map, S("status"),
                   str_from_c(health_sum_word(health_sum_of(*ret_parts))));
    value_set_text(w->view.a, map, S("version"), S(REEVE_VERSION));
    value_set_int(w->view.a, map, S("now_ms"), w->view.now_ms);
    *ret = map;
    return arena_status(w->view.a, err);
}

int routes_read_health(const struct route_world *w, const struct route_call *call,
                       struct value **ret, struct err *err)
{
    struct value *parts;
    int rc = read_health(w, ret, &parts, err);

    (void)call;
    if (!rc)
        value_set(w->view.a, *ret, S("dependencies"), health_sum_kinds(w->view.a, parts));
    return rc;
}

int routes_read_health_detailed(const struct route_world *w, const struct route_call *call,
                                struct value **ret, struct err *err)
{
    struct value *parts;
    int rc = read_health(w, ret, &parts, err);

    (void)call;
    if (!rc)
        value_set(w->view.a, *ret, S("dependencies"), parts);
    return rc;
}
