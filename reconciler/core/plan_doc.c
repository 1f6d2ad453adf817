/* The stored form of a plan. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/planner.h"
#include "reconciler/core/share.h"
#include "specs/digest.h"
#include "specs/json_io.h"

static const char *const action_names[N_PLAN_ACTIONS] = {
    [PLAN_NONE] = "none",       [PLAN_CREATE] = "create", [PLAN_UPDATE] = "update",
    [PLAN_DELETE] = "delete",   [PLAN_RUN] = "run",       [PLAN_SWITCH] = "switch",
    [PLAN_GATE] = "gate",       [PLAN_MARK] = "mark",     [PLAN_ADOPT] = "adopt",
    [PLAN_REPLACE] = "replace", [PLAN_FORGET] = "forget",
};

static const char *const way_names[N_PLAN_WAYS] = {
    [WAY_NONE] = "none",
    [WAY_FORWARD] = "forward",
    [WAY_BACK] = "back",
    [WAY_AWAY] = "away",
};
static const char *const back_names[N_PLAN_BACKS] = {
    [PLAN_BACK_PLAN] = "plan",
    [PLAN_BACK_SWITCH] = "switch",
    [PLAN_BACK_NONE] = "none",
};
static const char *const lane_names[] = { "main", "revert", "tail" };
static const char *const cause_names[] = {
    "commit", "undo", "rollback", "repair", "drift", "scale"
};

const char *plan_action_name(enum plan_action action)
{
    return action_names[action];
}

const char *plan_cause_name(enum plan_cause cause)
{
    return cause_names[cause];
}

static int find_name(const char *const *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_c(name, names[i]))
            return (int)i;
    return 0;
}

const char *plan_way_name(enum plan_way way)
{
    return way_names[way];
}

enum plan_way plan_way_from_name(struct str name)
{
    return (enum plan_way)find_name(way_names, N_PLAN_WAYS, name);
}

/* --- writing ------------------------------------------------------------------------------------- */

static void set_digest(struct arena *a, struct value *map, struct str key, const struct digest *d)
{
    if (!digest_is_none(d))
        value_set_text(a, map, key, digest_hex(a, d));
}

/* Absent rather than empty, so that documents stay small. */
static void set_some(struct arena *a, struct value *map, struct str key, struct str text)
{
    if (text.n)
        value_set_text(a, map, key, text);
}

static struct value *format_item(struct arena *a, const struct plan_item *item)
{
    struct value *v = value_map(a), *needs = value_list(a);

    value_set_text(a, v, S("action"), str_from_c(action_names[item->action]));
    value_set_text(a, v, S("lane"), str_from_c(lane_names[item->lane]));
    value_set_text(a, v, S("kind"), item->kind);
    value_set_text(a, v, S("name"), item->name);
    value_set_int(a, v, S("step"), item->step);
    value_set_int(a, v, S("group"), item->group);
    if (item->only_after >= 0)
        value_set_int(a, v, S("only_after"), item->only_after);
    if (item->clears)
        value_set(a, v, S("clears"), value_bool(a, 1));
    set_some(a, v, S("service"), item->service);
    set_some(a, v, S("provider"), item->provider);
    set_some(a, v, S("from"), item->from);
    set_digest(a, v, S("set"), &item->set_key);
    share_part(a, v, S("desired"), item->desired);
    share_part(a, v, S("gate"), item->gate);
    for (size_t i = 0; i < item->needs.n; i++)
        value_add(a, needs, value_int(a, (int64_t)item->needs.p[i]));
    value_set(a, v, S("needs"), needs);
    return v;
}

struct value *plan_line_value(struct arena *a, const struct plan_line *line)
{
    struct value *v = value_map(a), *changes = value_list(a);

    value_set_text(a, v, S("action"), str_from_c(action_names[line->action]));
    value_set_text(a, v, S("kind"), line->kind);
    value_set_text(a, v, S("name"), line->name);
    if (line->from.n)
        value_set_text(a, v, S("from"), line->from);
    value_set(a, v, S("classes"), plan_classes_value(a, line->classes));
    value_set_text(a, v, S("back"), str_from_c(back_names[line->way_back]));
    value_set_text(a, v, S("disruption"), line->disruption);
    value_set_text(a, v, S("reason"), line->reason);
    value_set_text(a, v, S("place"), line->place);
    value_set_int(a, v, S("group"), line->group);
    for (size_t i = 0; i < line->changes.n; i++) {
        const struct plan_change *c = &line->changes.p[i];
        struct value *one = value_map(a);

        value_set_text(a, one, S("path"), c->path);
        if (c->before.p)
            value_set_text(a, one, S("before"), c->before);
        if (c->after.p)
            value_set_text(a, one, S("after"), c->after);
        value_add(a, changes, one);
    }
    value_set(a, v, S("changes"), changes);
    return v;
}

static struct value *format_group(struct arena *a, const struct plan_group *g)
{
    struct value *v = value_map(a), *services = value_list(a);

    for (size_t i = 0; i < g->services.n; i++)
        value_add(a, services, value_text(a, g->services.p[i]));
    value_set(a, v, S("services"), services);
    set_digest(a, v, S("digest"), &g->digest);
    value_set(a, v, S("switching"), value_bool(a, g->is_switching));
    value_set(a, v, S("auto_revert"), value_bool(a, g->auto_revert));
    if (g->holds)
        value_set(a, v, S("holds"), value_bool(a, 1));
    if (g->asks_release)
        value_set(a, v, S("asks_release"), value_bool(a, 1));
    return v;
}

struct str plan_route_key(struct arena *a, const struct plan_route *r)
{
    return str_fmt(a, "%.*s %.*s %.*s", STR_ARG(r->host), STR_ARG(r->path), STR_ARG(r->address));
}

struct value *plan_route_value(struct arena *a, const struct plan_route *r)
{
    struct value *v = value_map(a);

    value_set_text(a, v, S("route"), r->route);
    value_set_text(a, v, S("host"), r->host);
    value_set_text(a, v, S("path"), r->path);
    set_some(a, v, S("address"), r->address);
    value_set_text(a, v, S("service"), r->service);
    if (r->rules)
        value_set(a, v, S("rules"), value_copy(a, r->rules));
    return v;
}

static struct value *format_routes(struct arena *a, const struct plan_routes *routes)
{
    struct value *list = value_list(a);

    for (size_t i = 0; i < routes->n; i++)
        value_add(a, list, plan_route_value(a, &routes->p[i]));
    return list;
}

/* Mostly nothing of them changes: then they stand once. */
static void format_both_routes(struct arena *a, struct value *v, const struct plan *p)
{
    struct value *after = format_routes(a, &p->routes),
                 *before = format_routes(a, &p->routes_before);

    value_set(a, v, S("routes"), after);
    if (!value_eq(after, before))
        value_set(a, v, S("routes_before"), before);
}

/* What the id is made of. */
static struct value *format_core(struct arena *a, const struct plan *p)
{
    struct value *v = value_map(a), *items = value_list(a), *groups = value_list(a),
                 *reads = value_list(a), *records = value_list(a);

    value_set_text(a, v, S("environment"), p->env_uid);
    value_set_int(a, v, S("apply_seq"), p->apply_seq);
    value_set_text(a, v, S("cause"), str_from_c(cause_names[p->cause]));
    set_digest(a, v, S("base"), &p->base);
    set_digest(a, v, S("target"), &p->target);
    value_set_text(a, v, S("planner"), S(PLANNER_VERSION));
    share_part(a, v, S("drivers"), p->drivers);
    share_part(a, v, S("secrets"), p->secrets);
    for (size_t i = 0; i < p->groups.n; i++)
        value_add(a, groups, format_group(a, &p->groups.p[i]));
    value_set(a, v, S("groups"), groups);
    for (size_t i = 0; i < p->items.n; i++)
        value_add(a, items, format_item(a, &p->items.p[i]));
    value_set(a, v, S("items"), items);
    for (size_t i = 0; i < p->records.n; i++) {
        const struct plan_record *r = &p->records.p[i];
        struct value *one = value_map(a);

        value_set_text(a, one, S("kind"), r->kind);
        value_set_text(a, one, S("name"), r->name);
        set_some(a, one, S("provider"), r->provider);
        set_digest(a, one, S("desired"), &r->desired);
        value_add(a, records, one);
    }
    value_set(a, v, S("records"), records);
    format_both_routes(a, v, p);
    for (size_t i = 0; i < p->reads.n; i++) {
        struct value *one = value_map(a);

        value_set_text(a, one, S("subject"), p->reads.p[i].subject);
        value_set_text(a, one, S("path"), p->reads.p[i].path);
        set_digest(a, one, S("digest"), &p->reads.p[i].digest);
        value_add(a, reads, one);
    }
    value_set(a, v, S("reads"), reads);
    return v;
}

struct digest plan_identity(struct arena *a, const struct plan *p)
{
    struct plan rest = *p;

    plan_drop_clears(a, &rest);
    return digest_value(a, S("plan"), format_core(a, &rest));
}

struct value *plan_value(struct arena *a, const struct plan *p)
{
    struct value *v = value_map(a), *lines = value_list(a), *notes = value_list(a),
                 *remarks = value_list(a), *core = format_core(a, p);
    struct digest sum, whole = plan_clears(p) ? digest_value(a, S("plan"), core) : p->id;

    set_digest(a, v, S("id"), &p->id);
    set_digest(a, v, S("whole"), &whole);
    value_set(a, v, S("classes"), plan_classes_value(a, p->classes));
    for (size_t i = 0; i < p->lines.n; i++)
        value_add(a, lines, plan_line_value(a, &p->lines.p[i]));
    value_set(a, v, S("lines"), lines);
    for (size_t i = 0; i < p->notes.n; i++)
        value_add(a, notes, value_text(a, p->notes.p[i]));
    value_set(a, v, S("notes"), notes);
    for (size_t i = 0; i < p->remarks.n; i++)
        value_add(a, remarks, value_text(a, p->remarks.p[i]));
    value_set(a, v, S("remarks"), remarks);
    sum = digest_value(a, S("plan-text"), v);
    set_digest(a, v, S("sum"), &sum);
    value_set(a, v, S("core"), core);
    return v;
}

struct str plan_format(struct arena *a, const struct plan *p)
{
    return json_format(a, plan_value(a, p));
}

/* Of everything that the id does not cover. */
static struct digest text_sum(struct arena *a, const struct value *document)
{
    struct value *v = value_map(a);

    for (size_t i = 0; i < value_count(document); i++) {
        const struct value_entry *e = &document->u.map.entries[i];

        if (!str_eq_c(e->key, "core") && !str_eq_c(e->key, "sum"))
            value_set(a, v, e->key, e->value);
    }
    return digest_value(a, S("plan-text"), v);
}

/* --- reading ------------------------------------------------------------------------------------- */

static struct digest get_digest(const struct value *map, struct str key)
{
    struct digest d = { { 0 } };

    (void)digest_from_hex(value_get_text(map, key, S("")), &d); /* absent is none */
    return d;
}

static struct str get_text(const struct value *v)
{
    return value_is(v, VALUE_TEXT) ? v->u.text : S("");
}

static int64_t get_number(const struct value *v)
{
    return value_is(v, VALUE_INT) ? v->u.number : -1;
}

static void parse_item(struct arena *a, const struct value *v, struct plan_item *ret)
{
    const struct value *needs = value_get(v, S("needs"));

    ret->action = (enum plan_action)find_name(action_names, N_PLAN_ACTIONS,
                                              value_get_text(v, S("action"), S("")));
    ret->lane = (enum plan_lane)find_name(lane_names, N_ELEMENTS(lane_names),
                                          value_get_text(v, S("lane"), S("")));
    ret->kind = value_get_text(v, S("kind"), S(""));
    ret->name = value_get_text(v, S("name"), S(""));
    ret->step = (int)value_get_int(v, S("step"), 0);
    ret->group = (int)value_get_int(v, S("group"), -1);
    ret->only_after = (int)value_get_int(v, S("only_after"), -1);
    ret->clears = value_get_bool(v, S("clears"), 0);
    ret->service = value_get_text(v, S("service"), S(""));
    ret->provider = value_get_text(v, S("provider"), S(""));
    ret->from = value_get_text(v, S("from"), S(""));
    ret->set_key = get_digest(v, S("set"));
    ret->desired = value_get(v, S("desired"));
    ret->gate = value_get(v, S("gate"));
    for (size_t i = 0; i < value_count(needs); i++) {
        size_t *slot = vec_push(a, &ret->needs);

        if (slot)
            *slot = (size_t)get_number(value_item(needs, i)); /* plan_index() checks it */
    }
}

void plan_line_parse(struct arena *a, const struct value *v, struct plan_line *ret)
{
    const struct value *changes = value_get(v, S("changes"));

    ret->action = (enum plan_action)find_name(action_names, N_PLAN_ACTIONS,
                                              value_get_text(v, S("action"), S("")));
    ret->kind = value_get_text(v, S("kind"), S(""));
    ret->name = value_get_text(v, S("name"), S(""));
    ret->from = value_get_text(v, S("from"), S(""));
    ret->classes = plan_classes_parse(value_get(v, S("classes")));
    ret->way_back = (enum plan_back)find_name(back_names, N_PLAN_BACKS,
                                              value_get_text(v, S("back"), S("")));
    ret->disruption = value_get_text(v, S("disruption"), S(""));
    ret->reason = value_get_text(v, S("reason"), S(""));
    ret->place = value_get_text(v, S("place"), S(""));
    ret->group = (int)value_get_int(v, S("group"), -1);
    for (size_t i = 0; i < value_count(changes); i++) {
        struct plan_change *c = vec_push(a, &ret->changes);
        const struct value *one = value_item(changes, i);

        if (c)
            *c = (struct plan_change){ value_get_text(one, S("path"), S("")),
                                       value_get_text(one, S("before"), STR_NONE),
                                       value_get_text(one, S("after"), STR_NONE) };
    }
}

static void parse_group(struct arena *a, const struct value *v, struct plan_group *ret)
{
    const struct value *services = value_get(v, S("services"));

    ret->digest = get_digest(v, S("digest"));
    ret->is_switching = value_get_bool(v, S("switching"), 0);
    ret->auto_revert = value_get_bool(v, S("auto_revert"), 1);
    ret->holds = value_get_bool(v, S("holds"), 0);
    ret->asks_release = value_get_bool(v, S("asks_release"), 0);
    for (size_t i = 0; i < value_count(services); i++) {
        struct str *slot = vec_push(a, &ret->services);

        if (slot)
            *slot = get_text(value_item(services, i));
    }
}

/* Walk a list of the document into a vector of the plan. */
#define PARSE_LIST(a, list, vec, parse_one)                                                        \
    for (size_t i_ = 0; i_ < value_count(list); i_++) {                                            \
        __typeof__((vec)->p) slot_ = vec_push((a), (vec));                                         \
        if (slot_)                                                                                 \
            parse_one((a), value_item((list), i_), slot_);                                         \
    }

static void parse_read(struct arena *a, const struct value *v, struct plan_read *ret)
{
    (void)a;
    *ret = (struct plan_read){ value_get_text(v, S("subject"), S("")),
                               value_get_text(v, S("path"), S("")), get_digest(v, S("digest")) };
}

static void parse_record(struct arena *a, const struct value *v, struct plan_record *ret)
{
    (void)a;
    *ret = (struct plan_record){ value_get_text(v, S("kind"), S("")),
                                 value_get_text(v, S("name"), S("")),
                                 value_get_text(v, S("provider"), S("")),
                                 get_digest(v, S("desired")) };
}

static void parse_route(struct arena *a, const struct value *v, struct plan_route *ret)
{
    (void)a;
    *ret = (struct plan_route){
        value_get_text(v, S("route"), S("")),   value_get_text(v, S("host"), S("")),
        value_get_text(v, S("path"), S("")),    value_get_text(v, S("address"), S("")),
        value_get_text(v, S("service"), S("")), value_get(v, S("rules"))
    };
}

static void parse_note(struct arena *a, const struct value *v, struct str *ret)
{
    (void)a;
    *ret = get_text(v);
}

int plan_of_value(struct arena *a, const struct value *document, struct plan *ret, struct err *err)
{
    const struct value *v = document, *core = value_get(v, S("core"));
    struct plan p = { 0 };

    p.id = get_digest(v, S("id"));
    p.classes = plan_classes_parse(value_get(v, S("classes")));
    p.env_uid = value_get_text(core, S("environment"), S(""));
    p.apply_seq = value_get_int(core, S("apply_seq"), 0);
    p.cause = (enum plan_cause)find_name(cause_names, N_ELEMENTS(cause_names),
                                         value_get_text(core, S("cause"), S("")));
    p.base = get_digest(core, S("base"));
    p.target = get_digest(core, S("target"));
    p.drivers = value_get(core, S("drivers"));
    p.secrets = value_get(core, S("secrets"));
    PARSE_LIST(a, value_get(core, S("groups")), &p.groups, parse_group);
    PARSE_LIST(a, value_get(core, S("items")), &p.items, parse_item);
    PARSE_LIST(a, value_get(core, S("records")), &p.records, parse_record);
    PARSE_LIST(a, value_get(core, S("reads")), &p.reads, parse_read);
    PARSE_LIST(a, value_get(core, S("routes")), &p.routes, parse_route);
    PARSE_LIST(a, value_get(core, S("routes_before")), &p.routes_before, parse_route);
    if (!value_get(core, S("routes_before")))
        p.routes_before = p.routes;
    PARSE_LIST(a, value_get(v, S("lines")), &p.lines, plan_line_parse);
    PARSE_LIST(a, value_get(v, S("notes")), &p.notes, parse_note);
    PARSE_LIST(a, value_get(v, S("remarks")), &p.remarks, parse_note);
    if (arena_status(a, err))
        return err_wrap(err, "read plan");
    if (plan_index(&p))
        return err_set(err, ERR_CORRUPT, "a stored plan names items that it does not have");
    *ret = p;
    return 0;
}

int plan_parse(struct arena *a, struct str document, struct plan *ret, struct err *err)
{
    struct value *v;
    const struct value *core;
    struct digest id, sum, stored, whole, written;
    struct plan p;

    if (json_parse(a, document, PLAN_BYTES_MAX, &v, err))
        return err_wrap(err, "read plan");
    core = value_get(v, S("core"));
    stored = get_digest(v, S("sum"));
    sum = text_sum(a, v);
    whole = digest_value(a, S("plan"), core ? core : v);
    written = get_digest(v, S("whole"));
    if (!digest_eq(&whole, &written) || !digest_eq(&sum, &stored))
        return err_set(err, ERR_CORRUPT, "a stored plan does not match its id");
    if (plan_of_value(a, v, &p, err))
        return err->code;
    id = plan_clears(&p) ? plan_identity(a, &p) : whole;
    if (!digest_eq(&id, &p.id))
        return err_set(err, ERR_CORRUPT, "a stored plan does not match its id");
    *ret = p;
    return 0;
}
