/* core/rollout: each kind of change lowered to items, as text. SPDX-License-Identifier: Apache-2.0
 *
 * An item is "N action kind/name step", behind '~' in the tail and '!' on the way back; '?N' is the
 * item that must have been begun, '<- ..' what must be done before. Keys stand as the version they
 * were made of. */
#include "tests/unit/test_core_apply.h"

struct versions {
    struct map by_key; /* 12 digits -> command */
};

static void note_versions(struct world *w, struct versions *v)
{
    for (size_t i = 0; i < w->documents.n; i++) {
        const struct value *service = w->documents.entries[i].value;
        const struct value *command = value_get(service, S("command"));
        struct digest key = identity_set_key(w->a, service);
        struct str *word = arena_new(w->a, struct str);

        if (!value_count(command))
            continue;
        *word = value_item(command, 0)->u.text;
        map_put(&v->by_key, str_slice(digest_hex(w->a, &key), 0, IDENTITY_SHORT), word);
    }
}

/* "api@0123456789ab.0" as "api@v1.0"; the digests of groups and releases are left out. */
static struct str plain_name(struct world *w, const struct versions *v, struct str name)
{
    size_t at = str_find_char(name, '@'), colon = str_find_char(name, ':');
    const struct str *word = at == STR_NPOS
                                 ? NULL
                                 : map_find(&v->by_key, str_slice(name, at + 1, IDENTITY_SHORT));

    if (word)
        return str_fmt(w->a, "%.*s@%.*s%.*s", (int)at, name.p, STR_ARG(*word),
                       STR_ARG(str_slice(name, at + 1 + IDENTITY_SHORT, name.n)));
    if (at != STR_NPOS)
        return str_slice(name, 0, at);
    return colon == STR_NPOS ? name : str_slice(name, 0, colon);
}

static void add_item(struct world *w, const struct versions *v, struct sb *b,
                     const struct plan *plan, size_t i)
{
    static const char *const lanes[] = { "", "!", "~" };
    const struct plan_item *item = &plan->items.p[i];
    const struct value *servers = value_get(item->desired, S("servers")),
                       *leaving = value_get(item->gate, S("leaving"));

    sb_addf(b, "%s%zu %s %.*s/%.*s %d", lanes[item->lane], i, plan_action_name(item->action),
            STR_ARG(item->kind), STR_ARG(plain_name(w, v, item->name)), item->step);
    if (str_eq_c(item->kind, "backend") && item->action != PLAN_DELETE)
        sb_addf(b, " of %zu", value_count(servers));
    if (plan_item_share(item) < PLAN_SHARE_ALL)
        sb_addf(b, " %lld of 10000", (long long)plan_item_share(item));
    if (leaving)
        sb_addf(b, " of %lld..%lld", (long long)value_get_int(leaving, S("from"), 0),
                (long long)value_get_int(leaving, S("to"), 0));
    if (value_get_bool(item->gate, S("manual"), 0))
        sb_add_c(b, " by a person");
    if (item->only_after >= 0)
        sb_addf(b, " ?%d", item->only_after);
    for (size_t n = 0; n < item->needs.n; n++)
        sb_addf(b, "%s%zu", n ? "," : " <- ", item->needs.p[n]);
    sb_add_c(b, "\n");
}

/* What its generation holds when every switch above it in the main lanes was done, and no other. */
static void add_routes(struct world *w, const struct versions *v, struct sb *b,
                       const struct plan *plan, size_t item)
{
    const struct plan_item **last = arena_new_n(w->a, const struct plan_item *, plan->groups.n + 1);
    struct generation made;

    for (size_t i = 0; i < item; i++)
        if (plan->items.p[i].lane == LANE_MAIN)
            generation_note(plan, i, last);
    made = world_generation(w, plan, &plan->items.p[item], last);
    sb_add_c(b, "  routes:");
    for (size_t i = 0; i < made.n; i++) {
        struct str set = made.p[i].set;
        const struct str *word = set.p ? map_find(&v->by_key, str_slice(set, 0, IDENTITY_SHORT))
                                       : NULL;

        sb_addf(b, " %.*s=%.*s", STR_ARG(made.p[i].route->route),
                STR_ARG(made.p[i].route->service));
        if (word)
            sb_addf(b, "@%.*s", STR_ARG(*word));
        if (made.p[i].share.set.p)
            sb_addf(b, "%%%lld", (long long)made.p[i].share.of_10000);
    }
    sb_add_c(b, "\n");
}

static struct str format_plan(struct world *w, const struct plan *plan)
{
    struct versions v;
    struct sb b;

    map_init(&v.by_key, w->a);
    note_versions(w, &v);
    sb_init(&b, w->a);
    for (size_t i = 0; i < plan->notes.n; i++)
        sb_addf(&b, "note %.*s\n", STR_ARG(plan->notes.p[i]));
    for (size_t i = 0; i < plan->items.n; i++) {
        add_item(w, &v, &b, plan, i);
        if (str_eq_c(plan->items.p[i].kind, "routes") && plan->items.p[i].action == PLAN_CREATE)
            add_routes(w, &v, &b, plan, i);
    }
    return sb_str(&b);
}

enum twist {
    TWIST_NONE,
    TWIST_LOST,
    TWIST_QUARANTINE,
    TWIST_NO_EDGE,
    TWIST_UNPROVEN,
    TWIST_REMADE,
    TWIST_RAISED,
    TWIST_NO_ADDRESS,
    TWIST_HALF_WAY,
    TWIST_SHARED,
    TWIST_LEFT,
    TWIST_LEFT_LOST,
    TWIST_LEFT_KNOWN,
};

static const struct {
    const char *sentence, *before, *want;
    enum given_tail tail;
    enum plan_cause cause;
    enum twist twist;
    const char *items;
} rows[] = {
#include "tests/unit/test_core_rollout.rows"
};

/* A rollout of this came so far, and the way back was not gone. */
static void given_part(struct world *w, const char *words, size_t n_items)
{
    struct environment_spec spec = given_spec(w->a, words);
    struct plan plan = world_plan(w, &spec, PLAN_CAUSE_COMMIT);

    for (size_t i = 0; i < n_items; i++) {
        world_claim(w, &plan, &plan.items.p[i]);
        world_do(w, &plan, &plan.items.p[i]);
    }
}

static void twist_world(struct world *w, enum twist twist, const struct environment_spec *want)
{
    struct plan plan;

    switch (twist) {
    case TWIST_NONE:
    case TWIST_RAISED:
        break;
    case TWIST_LOST:
        w->instances.p[0].health = INSTANCE_LOST;
        break;
    case TWIST_QUARANTINE:
        plan = world_plan(w, want, PLAN_CAUSE_COMMIT);
        *vec_push(w->a, &w->quarantines) = (struct rec_quarantine){
            .group_digest = plan.groups.p[0].digest, .culprit = S("api"), .reason = S("not ready")
        };
        break;
    case TWIST_NO_EDGE:
        w->has_edge = 0;
        break;
    case TWIST_UNPROVEN:
        w->recorded.n = 0;
        w->sets.p[0].rec.proven_seq = REC_NONE;
        break;
    case TWIST_NO_ADDRESS:
        for (size_t i = 0; i < w->recorded.n; i++)
            if (str_eq_c(w->recorded.p[i].kind, "address"))
                w->recorded.p[i].digest = (struct digest){ { 0 } };
        break;
    case TWIST_HALF_WAY:
        given_part(w, "api v2 port x3 rolling=1;domain app a.b /=api", 5);
        break;
    case TWIST_SHARED:
        given_part(w, "api v2 port canary=1000;domain app a.b /=api", 5);
        break;
    case TWIST_LEFT:
    case TWIST_LEFT_LOST: /* live, left for a person, never recorded */
    case TWIST_LEFT_KNOWN:
        given_part(w, "w v2 hold", 3);
        w->knows_sets = twist == TWIST_LEFT_KNOWN;
        if (twist == TWIST_LEFT_LOST)
            w->instances.p[1].health = INSTANCE_LOST;
        break;
    case TWIST_REMADE:
        w->sets.p[0].rec.proven_seq = REC_NONE;
        break;
    }
}

static void test_changes_are_lowered_to_items(void **state)
{
    int n_wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a;
        struct world w;
        struct environment_spec want;
        struct plan plan;
        struct str rest, one, text;

        arena_init(&a, 0);
        given_world(&w, &a);
        w.has_edge = rows[i].twist != TWIST_NO_EDGE;
        rest = str_copy(&a, str_from_c(rows[i].before));
        while (str_next(&rest, '|', &one))
            (void)given_applied(&w, str_to_c(&a, one), rows[i].tail);
        want = given_spec(&a, rows[i].want);
        world_know(&w, &want);
        want.schema_change = rows[i].twist == TWIST_RAISED ? S("irreversible") : S("");
        twist_world(&w, rows[i].twist, &want);
        plan = world_plan(&w, &want, rows[i].cause);
        text = format_plan(&w, &plan);
        if (!str_eq_c(text, rows[i].items)) {
            (void)printf("%s: got\n%.*s", rows[i].sentence, STR_ARG(text));
            n_wrong++;
        }
        arena_fini(&a);
    }
    assert_int_equal(n_wrong, 0);
}

/* No other plan, and nothing of a plan that does nothing. */
static void test_what_is_spare_goes_behind_the_last_mark(void **state)
{
    static const struct {
        const char *before, *want, *items;
    } cases[] = {
        { "a v1", "a v1", "" },
        { "a v1", "a v1 settings=1",
          "0 mark mark/applied 0\n~1 delete artifact/a 0 <- 0\n~2 delete artifact/b 0 <- 0\n" },
    };
    const struct plan_spare spare[] = { { .name = S("a@0000"), .provider = S("local") },
                                        { .name = S("b@0000"), .provider = S("local") } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena a;
        struct world w;
        struct environment_spec want;
        struct plan plan, again;
        struct err err = ERR_INIT;

        arena_init(&a, 0);
        given_world(&w, &a);
        (void)given_applied(&w, cases[i].before, TAIL_RUNS);
        want = given_spec(&a, cases[i].want);
        plan = world_plan(&w, &want, PLAN_CAUSE_COMMIT);
        plan_add_spare(&a, &plan, spare, 2);
        assert_string_equal(str_to_c(&a, format_plan(&w, &plan)), cases[i].items);
        assert_int_equal(plan_parse(&a, plan_format(&a, &plan), &again, &err), 0);
        assert_int_equal(again.items.n, plan.items.n);
        again = world_plan(&w, &want, PLAN_CAUSE_COMMIT);
        assert_memory_equal(&again.id, &plan.id, sizeof(plan.id));
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_are_lowered_to_items),
        cmocka_unit_test(test_what_is_spare_goes_behind_the_last_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
