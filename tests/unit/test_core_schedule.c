/* core/schedule: moves and ends as tables, and whole plans played with everything that can go wrong.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_core_play.h"

/* --- moves and ends ------------------------------------------------------------------------------ */

/* A plan as text: one word an item, "1:4" is group 1, step 4; behind '!' on the way back, '~' in the
 * tail, 'x' without a group; "=" a gate, "." a mark; "<N" needs item N, "?N" only after it. */
static struct plan given_plan(struct arena *a, const char *text)
{
    struct plan plan = { 0 };
    struct str rest = str_copy(a, str_from_c(text)), word;

    while (str_next(&rest, ' ', &word)) {
        struct plan_item *item = vec_push(a, &plan.items);
        const char *at = word.p, *end = word.p + word.n;

        *item = (struct plan_item){ .group = -1,
                                    .only_after = -1,
                                    .kind = S("instance"),
                                    .name = S("i"),
                                    .service = S("s"),
                                    .action = PLAN_CREATE };
        for (; at < end; at++) {
            char *after;
            long number = at + 1 < end ? strtol(at + 1, &after, 10) : 0;

            if (*at == '!')
                item->lane = LANE_REVERT;
            else if (*at == '~')
                item->lane = LANE_TAIL;
            else if (*at == '=')
                item->action = PLAN_GATE;
            else if (*at == '.')
                item->action = PLAN_MARK;
            else if (*at == ':')
                item->step = (int)number;
            else if (*at == '?')
                item->only_after = (int)number;
            else if (*at == '<')
                *vec_push(a, &item->needs) = (size_t)number;
            else if (*at != 'x')
                item->group = *at - '0';
            if (strchr(":?<", *at))
                at = after - 1;
        }
        while (item->group >= (int)plan.groups.n)
            vec_push(a, &plan.groups)->auto_revert = 1;
    }
    assert_int_equal(plan_index(&plan), 0);
    return plan;
}

static void given_statuses(struct arena *a, struct schedule *s, const char *items,
                           const char *groups)
{
    static const char item_letters[] = "-odsfp", group_letters[] = "rpbuh";

    s->items = arena_new_n(a, enum item_status, s->plan->items.n + 1);
    s->groups = arena_new_n(a, enum group_state, s->plan->groups.n + 1);
    assert_int_equal(strlen(items), s->plan->items.n);
    assert_int_equal(strlen(groups), s->plan->groups.n);
    for (size_t i = 0; items[i]; i++)
        s->items[i] = (enum item_status)(strchr(item_letters, items[i]) - item_letters);
    for (size_t i = 0; groups[i]; i++)
        s->groups[i] = (enum group_state)(strchr(group_letters, groups[i]) - group_letters);
}

static struct str format_moves(struct arena *a, const struct schedule *s)
{
    static const char *const words[] = {
        "start", "skip", "cancel", "revert", "proven", "reverted"
    };
    struct schedule_move moves[SCHEDULE_MOVES_MAX];
    size_t n = schedule_next(s, moves, SCHEDULE_MOVES_MAX);
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < n; i++) {
        const struct schedule_move *m = &moves[i];
        int is_group = m->kind >= MOVE_REVERT;

        sb_addf(&b, "%s%s %d", i ? ", " : "", words[m->kind], is_group ? m->group : (int)m->item);
        if (m->kind == MOVE_REVERT && m->culprit >= 0)
            sb_addf(&b, " for %d", m->culprit);
    }
    return sb_str(&b);
}

#define ROLL "0:4 0=:5<0 0:6<1 0=:7<2 0.:8<3 !0:6?2 !0:11?0<5 !0.:8<6 ~0=:9<4 ~0:11<8 x.<4"
/*            0   1      2     3      4      5       6         7       8       9      10         */

static void test_moves_and_ends(void **state)
{
    static const struct {
        const char *sentence, *plan, *items, *groups;
        enum schedule_wish wish;
        const char *moves;
        enum schedule_end end;
    } rows[] = {
        { "what needs nothing begins", ROLL, "-----------", "r", WISH_NONE, "start 0",
          SCHEDULE_RUNS },
        { "what is open is waited for", ROLL, "o----------", "r", WISH_NONE, "", SCHEDULE_RUNS },
        { "what was done lets the next begin", ROLL, "d----------", "r", WISH_NONE, "start 1",
          SCHEDULE_RUNS },
        { "a failure takes the group back", ROLL, "df---------", "r", WISH_NONE, "revert 0 for 1",
          SCHEDULE_RUNS },
        { "going back skips what was never done", ROLL, "df---------", "b", WISH_NONE, "skip 5",
          SCHEDULE_RUNS },
        { "going back takes away what was made", ROLL, "df---s-----", "b", WISH_NONE, "start 6",
          SCHEDULE_RUNS },
        { "going back switches back first", ROLL, "dddf-------", "b", WISH_NONE, "start 5",
          SCHEDULE_RUNS },
        { "going back tells what is open to give up", ROLL, "ddo--------", "b", WISH_NONE,
          "cancel 2", SCHEDULE_RUNS },
        { "going back ends gates", ROLL, "dddo-------", "b", WISH_NONE, "cancel 3", SCHEDULE_RUNS },
        { "a group that is back says so", ROLL, "df---sdd---", "b", WISH_NONE, "reverted 0",
          SCHEDULE_RUNS },
        { "the plan ends reverted", ROLL, "df---sdd---", "u", WISH_NONE, "", SCHEDULE_REVERTED },
        { "the plan ends held", ROLL, "df---------", "h", WISH_NONE, "", SCHEDULE_REVERTED },
        { "the last item proves the group", ROLL, "ddddd------", "r", WISH_NONE, "proven 0",
          SCHEDULE_RUNS },
        { "then the tail and the end begin", ROLL, "ddddd------", "p", WISH_NONE,
          "start 8, start 10", SCHEDULE_RUNS },
        { "the tail goes on behind the end", ROLL, "ddddd---o-d", "p", WISH_NONE, "",
          SCHEDULE_APPLIED },
        { "nothing is left", ROLL, "ddddd---ddd", "p", WISH_NONE, "", SCHEDULE_APPLIED },
        { "a newer commit takes back what is made", ROLL, "o----------", "r", WISH_SUPERSEDE,
          "revert 0", SCHEDULE_RUNS },
        { "a newer commit ends the ready gate", ROLL, "do---------", "r", WISH_SUPERSEDE,
          "revert 0", SCHEDULE_RUNS },
        { "a newer commit waits for the switch", ROLL, "ddo--------", "r", WISH_SUPERSEDE, "",
          SCHEDULE_RUNS },
        { "a newer commit waits for the bake", ROLL, "dddo-------", "r", WISH_SUPERSEDE, "",
          SCHEDULE_RUNS },
        { "a newer commit does not take back what is proven", ROLL, "ddddd------", "r",
          WISH_SUPERSEDE, "proven 0", SCHEDULE_RUNS },
        { "a person ends the bake", ROLL, "dddo-------", "r", WISH_CANCEL, "revert 0",
          SCHEDULE_RUNS },
        { "a person cannot end what is being proven", ROLL, "ddddo------", "r", WISH_CANCEL, "",
          SCHEDULE_RUNS },
        { "a superseded plan says so", ROLL, "ds---sdd---", "u", WISH_SUPERSEDE, "",
          SCHEDULE_SUPERSEDED },
        { "what is parked waits for a person", ROLL, "p----------", "r", WISH_NONE, "",
          SCHEDULE_RUNS },
        { "a newer commit goes past what is parked", ROLL, "p----------", "r", WISH_SUPERSEDE,
          "revert 0", SCHEDULE_RUNS },
        { "but not past a parked switch", ROLL, "ddp--------", "r", WISH_SUPERSEDE, "",
          SCHEDULE_RUNS },
        { "a way back that failed ends the plan", ROLL, "dddf-f-----", "b", WISH_NONE, "",
          SCHEDULE_FAILED },
        { "a newer commit waits for a release", "0:3 0:4<0 0.:8<1 !0.:8 x.<2", "o----", "r",
          WISH_SUPERSEDE, "", SCHEDULE_RUNS },
        { "so does a person", "0:3 0:4<0 0.:8<1 !0.:8 x.<2", "o----", "r", WISH_CANCEL, "",
          SCHEDULE_RUNS },
        { "a newer commit does not pass a parked release", "0:3 0:4<0 0.:8<1 !0.:8 x.<2", "p----",
          "r", WISH_SUPERSEDE, "", SCHEDULE_RUNS },
        { "a person does", "0:3 0:4<0 0.:8<1 !0.:8 x.<2", "p----", "r", WISH_CANCEL, "revert 0",
          SCHEDULE_RUNS },
        { "what stops is not left half way", "0:10 0:11<0 0.:8<1 !0.:8 x.<2", "do---", "r",
          WISH_CANCEL, "", SCHEDULE_RUNS },
        { "groups go side by side", "0:4 0.:8<0 1:4 1.:8<2 x.<1<3", "-----", "rr", WISH_NONE,
          "start 0, start 2", SCHEDULE_RUNS },
        { "one goes back, the other goes on", "0:4 0.:8<0 !0.:8 1:4 1.:8<3 x.<1<4", "f-----", "br",
          WISH_NONE, "start 2, start 3", SCHEDULE_RUNS },
        { "one waits for what it cannot end, the other goes back", "0:1 !0.:8 1:6 !1:6 !1.:8<3",
          "o-d--", "bb", WISH_NONE, "start 3, cancel 0", SCHEDULE_RUNS },
        { "one waits for what it cannot end, the other goes on", "0:1 !0.:8 1:4 1.:8<2 x.<3",
          "o-d--", "br", WISH_NONE, "start 3, cancel 0", SCHEDULE_RUNS },
        { "one is back, the other proven: reverted", "0:4 0.:8<0 !0.:8 1:4 1.:8<3 x.<1<4", "f-ddd-",
          "up", WISH_NONE, "", SCHEDULE_REVERTED },
        { "a group that waits for one that failed goes back", "0:4 0.:8<0 !0.:8 1:4<1 !1.:8 x.<1",
          "f-d---", "ur", WISH_NONE, "revert 1", SCHEDULE_RUNS },
        { "a group that waits for an item that failed goes back", "x 0:4<0 !0.:8 x.<0", "f---", "r",
          WISH_NONE, "revert 0 for 0", SCHEDULE_RUNS },
        { "a group that waits for one that is parked waits", "x 0:4<0 !0.:8 x.<0", "p---", "r",
          WISH_NONE, "", SCHEDULE_RUNS },
        { "an item alone that failed fails the plan", "x x.<0", "f-", "", WISH_NONE, "",
          SCHEDULE_FAILED },
        { "an item alone that is parked waits", "x x.<0", "p-", "", WISH_NONE, "", SCHEDULE_RUNS },
        { "a newer commit does not begin items alone", "x x.<0", "--", "", WISH_SUPERSEDE, "",
          SCHEDULE_SUPERSEDED },
        { "a plan of rows alone", "x.", "-", "", WISH_SUPERSEDE, "start 0", SCHEDULE_RUNS },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a;
        struct plan plan;
        struct schedule s = { .wish = rows[i].wish };
        struct str moves;

        arena_init(&a, 0);
        plan = given_plan(&a, rows[i].plan);
        s.plan = &plan;
        given_statuses(&a, &s, rows[i].items, rows[i].groups);
        moves = format_moves(&a, &s);
        if (!str_eq_c(moves, rows[i].moves) || schedule_main_end(&s) != rows[i].end)
            fail_msg("%s: moves '%.*s', end %d", rows[i].sentence, STR_ARG(moves),
                     (int)schedule_main_end(&s));
        arena_fini(&a);
    }
}

/* Whoever is live when a generation is made is in it: two must not be made at once. */
static void test_one_generation_is_made_at_a_time(void **state)
{
    static const struct {
        const char *sentence, *items, *groups, *moves;
    } rows[] = {
        { "one of two may begin", "-------", "rr", "start 0" },
        { "the other waits while it is made", "o------", "rr", "" },
        { "and while it is not switched to", "d------", "rr", "start 1" },
        { "and while the switch is open", "do-----", "rr", "" },
        { "then it begins", "dd-----", "rr", "start 2, start 3" },
        { "it does not wait for what will not switch", "d------", "ur", "start 3" },
        { "nor for one that could not be made", "f------", "ur", "start 3" },
        { "it waits for a parked switch", "dp-----", "rr", "" },
    };
    struct arena a;
    struct plan plan;

    (void)state;
    arena_init(&a, 0);
    plan = given_plan(&a, "0:6 0:6<0 0.:8<1 1:6 1:6<3 1.:8<4 x.<2<5");
    for (size_t i = 0; i < 2; i++) {
        struct value *desired = value_map(&a);

        plan.items.p[i * 3].kind = S("routes");
        plan.items.p[i * 3 + 1].action = PLAN_SWITCH;
        value_set_int(&a, desired, S("routes_item"), (int64_t)i * 3);
        plan.items.p[i * 3 + 1].desired = desired;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct schedule s = { .plan = &plan };
        struct str moves;

        given_statuses(&a, &s, rows[i].items, rows[i].groups);
        moves = format_moves(&a, &s);
        if (!str_eq_c(moves, rows[i].moves))
            fail_msg("%s: '%.*s'", rows[i].sentence, STR_ARG(moves));
    }
    arena_fini(&a);
}

/* --- whole plans --------------------------------------------------------------------------------- */

#define PLAYS 400 /* of each pair of specs */

static void test_plans_are_played(void **state)
{
    static const struct {
        const char *about, *before, *want;
        enum plan_cause cause;
    } rows[] = {
        { "a first deploy", "", "a v1 port x2 built release;b v1 port uses=a;domain d h /=a /b=b",
          PLAN_CAUSE_COMMIT },
        { "a new set", "a v1 port x2;domain d h /=a", "a v2 port x2;domain d h /=a",
          PLAN_CAUSE_COMMIT },
        { "a set that is warm", "a v1 port|a v2 port", "a v1 port", PLAN_CAUSE_COMMIT },
        { "an undo", "a v1 port;domain d h /=a|a v2 port;domain d h /=a",
          "a v1 port;domain d h /=a", PLAN_CAUSE_UNDO },
        { "two groups with routes", "a v1 port;b v1 port;domain d h /=a /b=b",
          "a v2 port;b v2 port;domain d h /=a /b=b /c=b", PLAN_CAUSE_COMMIT },
        { "two new groups", "", "a v1 port;b v1 port;domain d h /=a /b=b", PLAN_CAUSE_COMMIT },
        { "recreate", "a v1 port x2 recreate;domain d h /=a",
          "a v2 port x2 recreate;domain d h /=a", PLAN_CAUSE_COMMIT },
        { "recreate what a rollout needs", "a v1 recreate;b v1 port needs=a",
          "a v2 recreate;b v2 port needs=a", PLAN_CAUSE_COMMIT },
        { "rolling", "a v1 port x3 rolling=1;domain d h /=a",
          "a v2 port x3 rolling=1;domain d h /=a", PLAN_CAUSE_COMMIT },
        { "rolling, more of them, two at a time", "a v1 port x2 rolling=1;domain d h /=a",
          "a v2 port x5 rolling=2;domain d h /=a /x=a", PLAN_CAUSE_COMMIT },
        { "rolling, fewer of them", "a v1 port x4 rolling=1;domain d h /=a",
          "a v2 port x2 rolling=1;domain d h /=a", PLAN_CAUSE_COMMIT },
        { "rolling workers", "a v1 x3 rolling=1;b v1 x2 rolling=1 needs=a",
          "a v2 x3 rolling=1;b v2 x3 rolling=2 needs=a", PLAN_CAUSE_COMMIT },
        { "rolling, held", "a v1 port x3 rolling=1 hold;domain d h /=a",
          "a v2 port x3 rolling=1 hold;domain d h /=a", PLAN_CAUSE_COMMIT },
        { "rolling, and a port comes", "a v1 x2 rolling=1", "a v2 port x2 rolling=1;domain d h /=a",
          PLAN_CAUSE_COMMIT },
        { "rolling, and the port goes", "a v1 port x2 rolling=1;domain d h /=a",
          "a v2 x2 rolling=1", PLAN_CAUSE_COMMIT },
        { "a canary", "a v1 port x2;domain d h /=a",
          "a v2 port x2 canary=1000,5000!;domain d h /=a /new=a", PLAN_CAUSE_COMMIT },
        { "a canary that is left to a person", "a v1 port hold;domain d h /=a",
          "a v2 port canary=1000 hold;domain d h /=a", PLAN_CAUSE_COMMIT },
        { "canaries of two groups, one of three",
          "a v1 port needs=b;b v1 port;c v1 port;e v1 port needs=b;domain d h /=a /b=b /c=c",
          "a v2 port canary=1000 needs=b;b v2 port;c v2 port canary=100,200;e v2 port "
          "needs=b;domain d h /=a /b=b /c=c",
          PLAN_CAUSE_COMMIT },
        { "what is only started first, of several groups",
          "a v1 port;b v1 port;c v1 x2 rolling=1;domain d h /=a /b=b",
          "a v2 port starts=b;b v2 port starts=c;c v2 x2 rolling=1;e v1 built starts=a;"
          "domain d h /=a /b=b",
          PLAN_CAUSE_COMMIT },
        { "jobs that end first, one behind a service",
          "a v1 port after=seed;b v1 port;job seed v9;domain d h /=a /b=b",
          "a v2 port after=seed;b v2 port;c v1 recreate after=fill after=seed;job seed v9 built;"
          "job fill v8 uses=b;domain d h /=a /b=b",
          PLAN_CAUSE_COMMIT },
        { "connections that stay open",
          "a v1 port x2 long;b v1 port x3 long rolling=1;domain d h /=a /b=b",
          "a v2 port x2 long;b v2 port x3 long rolling=1;domain d h /=a /b=b", PLAN_CAUSE_COMMIT },
        { "scaled up", "a v1 port x1;domain d h /=a", "a v1 port x3;domain d h /=a",
          PLAN_CAUSE_COMMIT },
        { "scaled down", "a v1 port x3;domain d h /=a", "a v1 port x1;domain d h /=a",
          PLAN_CAUSE_COMMIT },
        { "removed after what needed it", "a v1 port;b v1 uses=a", "b v2", PLAN_CAUSE_COMMIT },
        { "held", "a v1 port hold;b v1 port", "a v2 port hold;b v2 port", PLAN_CAUSE_COMMIT },
        { "only routes", "a v1 port;domain d h /=a", "a v1 port;domain d h /x=a",
          PLAN_CAUSE_COMMIT },
    };
    static const struct play_odds odds[] = {
        { .fail = 0 },
        { .fail = 80 },
        { .fail = 80, .die = 100 },
        { .fail = 40, .park = 60, .die = 50, .supersede = 40, .cancel = 20 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (uint64_t seed = 0; seed < PLAYS; seed++) {
            struct arena a;
            struct world w;
            struct str rest, one;
            struct environment_spec want;
            struct plan plan;
            struct play p = { .w = &w,
                              .plan = &plan,
                              .odds = odds[seed % (sizeof(odds) / sizeof(odds[0]))],
                              .about = rows[i].about,
                              .seed = seed };

            arena_init(&a, 0);
            given_world(&w, &a);
            rest = str_copy(&a, str_from_c(rows[i].before));
            while (str_next(&rest, '|', &one))
                (void)given_applied(&w, str_to_c(&a, one), TAIL_WAITS);
            want = given_spec(&a, rows[i].want);
            plan = world_plan(&w, &want, rows[i].cause);
            if (play_run(&p) == SCHEDULE_APPLIED)
                assert_true(digest_eq(&w.live_rev, &plan.target));
            else
                assert_int_not_equal(p.odds.fail, 0);
            arena_fini(&a);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves_and_ends),
        cmocka_unit_test(test_one_generation_is_made_at_a_time),
        cmocka_unit_test(test_plans_are_played),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
