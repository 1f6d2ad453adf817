/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/op_body.h"

#include "base/guard.h"
#include "base/map.h"
#include "reconciler/core/generation.h"
#include "reconciler/engine/fill.h"
#include "reconciler/engine/op_assets.h"
#include "reconciler/engine/run.h"
#include "reconciler/engine/uids.h"
#include "specs/json_io.h"
#include "state/sets.h"

static struct db *body_db(struct op_task *op)
{
    return op->engine->db;
}

/* The environment's uid as a word the proxy's maps can hold. */
static struct str body_env_word(struct op_task *op)
{
    struct sb word;

    sb_init(&word, &op->arena);
    for (size_t i = 0; i < op->rec.env.n; i++)
        if (op->rec.env.p[i] != '-')
            sb_add_char(&word, op->rec.env.p[i]);
    return sb_str(&word);
}

static struct fill body_filled_of(struct op_task *op)
{
    return (struct fill){ body_db(op), &op->arena, op->rec.env };
}

/* --- routes and switch --------------------------------------------------------------------------- */

static struct str body_set_name(struct arena *a, struct str service, struct str key)
{
    return str_fmt(a, "%.*s %.*s", STR_ARG(service), STR_ARG(key));
}

/* Who serves: a backend by "SERVICE KEY", and that of the live set by "SERVICE". */
static int body_backends(struct op_task *op, struct map *ret, struct err *err)
{
    struct arena *a = &op->arena;
    struct rec_set *rows;
    size_t n;

    map_init(ret, a);
    if (sets_list(body_db(op), a, op->rec.env, &rows, &n, err))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        if (!rows[i].backend.p)
            continue;
        map_put(ret, body_set_name(a, rows[i].service, digest_hex(a, &rows[i].set_key)), &rows[i]);
        if (str_eq_c(rows[i].state, "live"))
            map_put(ret, rows[i].service, &rows[i]);
    }
    return arena_status(a, err);
}

/* Who has a share; who is to have all of it where nobody else serves. */
static void body_share(struct op_task *op, const struct rec_set *set, int64_t share,
                       struct value *route)
{
    struct arena *a = &op->arena;
    struct value *canary = value_map(a);

    value_set_text(a, canary, S("backend"), set->backend);
    value_set_int(a, canary, S("share"), share);
    value_set(a, route, S("canary"), canary);
}

static int body_route(struct op_task *op, const struct generation_route *made,
                      const struct map *backends, struct value *list, struct err *err)
{
    struct arena *a = &op->arena;
    const struct fill fill = body_filled_of(op);
    const struct plan_route *r = made->route;
    const struct rec_set *set = map_find(
        backends, made->set.p ? body_set_name(a, r->service, made->set) : r->service);
    const struct rec_set *canary = made->share.set.p
                                       ? map_find(backends, body_set_name(a, made->share.service,
                                                                          made->share.set))
                                       : NULL;
    struct value *one = value_map(a);

    if (!set && !canary)
        return 0; /* nothing serves it yet: the route stays out */
    if (!set || set == canary) {
        set = canary;
        canary = NULL;
    }
    if (canary)
        body_share(op, canary, made->share.of_10000, one);
    value_set_text(a, one, S("route"), r->route);
    value_set_text(a, one, S("host"), r->host);
    value_set_text(a, one, S("path"), r->path);
    value_set_text(a, one, S("backend"), set->backend);
    if (r->rules) {
        struct value *rules;

        if (fill_value(&fill, r->rules, &rules, err))
            return err->code;
        value_set(a, one, S("rules"), rules);
    }
    if (r->address.n) {
        const struct value *port;

        if (fill_output(&fill, str_fmt(a, "address/%.*s", STR_ARG(r->address)), S("port"), &port,
                        err))
            return err->code;
        value_set(a, one, S("port"), value_copy(a, port));
    }
    value_add(a, list, one);
    return 0;
}

/* The switches of this plan that were done, in order of items. */
static int body_switches(struct op_task *op, const struct plan_item ***ret, struct err *err)
{
    const struct plan *plan = &op->run->plan;
    struct rec_operation *rows;
    size_t n;

    *ret = arena_new_n(&op->arena, const struct plan_item *, plan->groups.n + 1);
    if (!*ret)
        return arena_status(&op->arena, err);
    if (DB_SELECT(body_db(op), &op->arena, operation,
                  "WHERE plan = $1 AND kind = 'switch' AND outcome = 'done' ORDER BY item", &rows,
                  &n, err, DB_D(&op->rec.plan)))
        return err->code;
    for (size_t i = 0; i < n; i++)
        generation_note(plan, (size_t)rows[i].item, *ret); /* checked when the plan was loaded */
    return 0;
}

static int body_next_routes(struct op_task *op, struct value *body, struct err *err)
{
    struct arena *a = &op->arena;
    struct rec_environment env;
    struct generation made;
    const struct plan_item **last;
    struct value *list = value_list(a);
    struct map backends;

    if (environments_by_uid(body_db(op), a, op->rec.env, &env, err) ||
        body_switches(op, &last, err) ||
        generation_make(a, &op->run->plan, op->index, last, &made, err) ||
        body_backends(op, &backends, err))
        return err->code;
    for (size_t i = 0; i < made.n; i++)
        if (body_route(op, &made.p[i], &backends, list, err))
            return err->code;
    op->rec.name = str_fmt(a, "G%lld", (long long)env.route_gen + 1);
    value_set_text(a, body, S("environment"), body_env_word(op));
    value_set_int(a, body, S("generation"), env.route_gen + 1);
    value_set(a, body, S("routes"), list);
    return 0;
}

static int64_t routes_generation(struct str name)
{
    int64_t generation = -1;

    (void)str_to_i64(str_slice(name, 1, name.n), &generation); /* "G7" */
    return generation;
}

/* A group that goes back may have made one that nobody will switch to any more. Any other that is newer than the
 * one in use is on its way. */
static int body_unused_routes(struct op_task *op, struct map *ret, struct err *err)
{
    const struct plan *plan = &op->run->plan;
    struct rec_operation *rows;
    size_t n;

    map_init(ret, &op->arena);
    if (op->item->lane != LANE_REVERT)
        return 0;
    if (DB_SELECT(body_db(op), &op->arena, operation,
                  "WHERE plan = $1 AND kind = 'routes' AND action = 'create'", &rows, &n, err,
                  DB_D(&op->rec.plan)))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (plan->items.p[rows[i].item].group == op->item->group)
            map_put(ret, rows[i].name, NULL);
    return 0;
}

/* The oldest generation that stands and is not the one in use. */
static int body_oldest_routes(struct op_task *op, struct value *body, struct err *err)
{
    struct rec_resource *rows, in_use;
    struct value *outputs = NULL;
    struct map unused;
    size_t n;
    int64_t oldest = INT64_MAX, used = -1;

    if (body_unused_routes(op, &unused, err) ||
        DB_SELECT(body_db(op), &op->arena, resource,
                  "WHERE env = $1 AND kind = 'routes' AND valid_to IS NULL AND status <> 'gone'",
                  &rows, &n, err, DB_T(op->rec.env)))
        return err->code;
    if (!resources_now(body_db(op), &op->arena, op->rec.env, S("switch"), op->run->env_name,
                       &in_use, err) &&
        !json_parse(&op->arena, in_use.outputs, KIT_BODY_MAX, &outputs, err))
        used = value_get_int(outputs, S("generation"), -1);
    for (size_t i = 0; i < n; i++) {
        int64_t generation = routes_generation(rows[i].name);

        if (generation != used && generation < oldest &&
            (generation < used || map_has(&unused, rows[i].name))) {
            oldest = generation;
            op->rec.name = rows[i].name;
        }
    }
    if (oldest == INT64_MAX)
        return err_set(err, ERR_CANCELLED, "no route generation is left behind");
    value_set_text(&op->arena, body, S("environment"), body_env_word(op));
    value_set_int(&op->arena, body, S("generation"), oldest);
    return 0;
}

/* The generation that this plan's routes item made. */
static int body_switch(struct op_task *op, struct value *body, struct err *err)
{
    int64_t item = value_get_int(op->item->desired, S("routes_item"), -1);
    struct rec_operation *rows;
    size_t n;

    if (DB_SELECT(body_db(op), &op->arena, operation, "WHERE plan = $1 AND item = $2", &rows, &n,
                  err, DB_D(&op->rec.plan), DB_I(item)))
        return err->code;
    if (!n)
        return err_set(err, ERR_NOT_FOUND, "no routes were made for this switch");
    value_set_text(&op->arena, body, S("environment"), body_env_word(op));
    value_set_int(&op->arena, body, S("generation"), routes_generation(rows[0].name));
    return 0;
}

/* --- the whole ----------------------------------------------------------------------------------- */

typedef int body_fn(struct op_task *op, struct value *body, struct err *err);

static const struct {
    const char *kind, *name;
    body_fn *fn;
} body_rows[] = {
    { "routes", "next", body_next_routes },
    { "routes", "oldest", body_oldest_routes },
    { "switch", NULL, body_switch },
};

int op_body_make(struct op_task *op, struct value **ret, struct err *err)
{
    const struct fill fill = body_filled_of(op);

    for (size_t i = 0; i < N_ELEMENTS(body_rows); i++)
        if (str_eq_c(op->item->kind, body_rows[i].kind) &&
            (!body_rows[i].name || str_eq_c(op->item->name, body_rows[i].name))) {
            *ret = value_map(&op->arena);
            return body_rows[i].fn(op, *ret, err);
        }
    return fill_value(&fill, op->item->desired, ret, err) || op_assets_fill(op, *ret, err)
               ? err->code
               : 0;
}

/* Of what its name shows the beginning of: a set, an artifact, a release. STR_NONE: of nothing. */
static struct str body_key(struct op_task *op)
{
    const struct plan_item *item = op->item;

    if (!digest_is_none(&item->set_key))
        return digest_hex(&op->arena, &item->set_key);
    return value_get_text(item->desired, S("key"),
                          value_get_text(item->desired, S("release"), STR_NONE));
}

int op_body_seal(struct op_task *op, struct value *body, struct err *err)
{
    struct arena *a = &op->arena;
    struct value *label = value_map(a);

    value_set_text(a, label, S("installation"), op->engine->installation);
    value_set_text(a, label, S("env"), op->run->env_name);
    value_set_text(a, label, S("env_uid"), op->rec.env);
    value_set_text(a, label, S("resource"),
                   str_fmt(a, "%.*s/%.*s", STR_ARG(op->rec.kind), STR_ARG(op->rec.name)));
    value_set_int(a, label, S("incarnation"), op->resource.incarnation);
    value_set_text(a, label, S("revision"), digest_hex(a, &op->run->plan.target));
    value_set_text(a, label, S("commit"), op->run->commit_id);
    if (str_eq_c(value_get_text(body, S("isolation"), S("")), "uid")) {
        int64_t uid;

        if (uids_of(op->engine, a, op->rec.env, &uid, err))
            return err->code;
        value_set_int(a, label, S("uid"), uid);
    }
    if (body_key(op).p)
        value_set_text(a, label, S("key"), body_key(op));
    value_set(a, body, S("label"), label);
    op->body = json_format(a, body);
    op->asked = body;
    return arena_status(a, err);
}
