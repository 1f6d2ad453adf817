/*
 * sim: stories, each told once on the simulated loop: what histories found, and what must never be lost.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "reconciler/core/identity.h"
#include "reconciler/engine/spare.h"
#include "tests/sim/story.h"

/* --- stories ------------------------------------------------------------------------------------- */

static void a_push_converges(struct story *s)
{
    change(s, SHOP_API, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_API, 2);
}

/* Also what was pushed while it looked at what it knew. */
static void one_run_ends_with_the_newest_commit(struct story *s)
{
    int64_t n = count(s, "plan.started");

    s->shop.n_envs = 1;
    for (int i = 0; i < 40; i++) {
        s->w.latency_ms = (uint32_t)i;
        change(s, SHOP_CRON, 0);
        push(s);
        world_once(&s->w);
        expect_status(s, "in_sync: ");
        assert_int_equal(count(s, "plan.started"), ++n);
    }
    run(s, SECOND); /* the laws ask a daemon that runs */
}

static void a_branch_that_cannot_be_read_holds_up_no_other(struct story *s)
{
    int n;

    s->w.is_beside_hostile = 1;
    run(s, MINUTE);
    n = s->w.n_fetches;
    change(s, SHOP_API, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_API, 2);
    assert_true(s->w.n_fetches - n < 20); /* every ten seconds */
}

static void what_kills_who_fetches_is_read_alone(struct story *s)
{
    s->w.is_reading_deadly = 1;
    change(s, SHOP_API, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_API, 2);
}

static void a_bad_commit_goes_back_and_the_next_one_rolls(struct story *s)
{
    change(s, SHOP_API, 1);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "reverted: quarantined: api");
    expect_version(s, SHOP_API, 1);
    change(s, SHOP_API, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
}

static void three_bad_commits_in_a_row_hold_the_environment(struct story *s)
{
    s->shop.n_envs = 1;
    for (int i = 0; i < 3; i++) {
        change(s, SHOP_BLOG, 1);
        push(s);
        run(s, MINUTE);
        expect_status(s, "reverted: quarantined: blog");
    }
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, MINUTE);
    expect_status(s, "held: held by reeve: 3 rollouts in a row failed");
    expect_version(s, SHOP_BLOG, 1);
    say(s, COMMAND_RESUME);
    run(s, MINUTE);
    assert_int_equal(s->done, 1);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 5);
}

static void what_rots_after_the_switch_goes_back(struct story *s)
{
    change(s, SHOP_WEB, 2);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "reverted: quarantined: ");
    expect_version(s, SHOP_WEB, 1);
    assert_int_equal(count(s, "rollout.reverting"), 2); /* prod and stage, once each */
}

static void a_good_commit_takes_over_from_a_bad_one(struct story *s)
{
    int64_t n = count(s, "rollout.applied");

    change(s, SHOP_BLOG, 1);
    push(s);
    run(s, 11 * SECOND); /* it waits for ready, which never comes; the next poll is near */
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 25 * SECOND); /* seen, back, rolled: no back-off is waited for */
    assert_int_equal(count(s, "rollout.applied"), n + SHOP_ENVS);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 3);
    assert_int_equal(count(s, "rollout.reverted"), 2);
}

static void an_outage_quarantines_nothing(struct story *s)
{
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 11 * SECOND);
    s->w.is_everything_sick = 1;
    run(s, 2 * MINUTE);
    s->w.is_everything_sick = 0;
    run(s, 12 * MINUTE); /* its back-off is over */
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
}

static void a_short_outage_quarantines_nothing(struct story *s)
{
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 11 * SECOND);
    s->w.is_everything_sick = 1;
    run(s, 20 * SECOND); /* longer than healthy_deadline */
    s->w.is_everything_sick = 0;
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
}

static void a_deadline_that_passes_unseen_proves_nothing(struct story *s)
{
    int64_t n = count(s, "gate.opened");

    change(s, SHOP_BLOG, 0);
    push(s);
    while (count(s, "gate.opened") == n) /* ready: it needs three seconds of fifteen */
        world_run(&s->w, 100);
    world_kill(&s->w);
    s->w.wall_ms += 60 * MINUTE; /* the daemon was down for so long */
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_BLOG, 2);
}

static void what_is_undone_stays_undone(struct story *s)
{
    change(s, SHOP_API, 0);
    change(s, SHOP_BLOG, 0);
    push(s);
    run_until_applied(s);
    say(s, COMMAND_UNDO);
    run(s, 2 * MINUTE);
    assert_int_equal(s->done, 1);
    expect_status(s, "reverted: quarantined: ");
    expect_version(s, SHOP_API, 1);
    expect_version(s, SHOP_BLOG, 1);
    say(s, COMMAND_RETRY); /* lifted by a person */
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_API, 2);
}

/* What the daemon said yes to while a plan ran is done by the next one, if it dies before its turn comes. */
static void what_was_asked_for_outlives_the_daemon(struct story *s)
{
    int64_t n_plans;

    s->shop.keep_s = 60;
    change(s, SHOP_BLOG, 0);
    push(s);
    run_until_applied(s);
    n_plans = count(s, "plan.started");
    change(s, SHOP_CRON, 0);
    push(s);
    while (count(s, "plan.started") < n_plans + SHOP_ENVS)
        world_run(&s->w, 100);
    say(s, COMMAND_UNDO);
    while (!s->done)
        world_run(&s->w, 10);
    assert_int_equal(count(s, "plan.started"), n_plans + SHOP_ENVS);
    world_kill(&s->w);
    run(s, MINUTE);
    expect_status(s, "reverted: quarantined: ");
    expect_version(s, SHOP_BLOG, 1);
}

static void another_commit_does_not_bring_back_what_was_undone(struct story *s)
{
    change(s, SHOP_API, 0);
    push(s);
    run_until_applied(s);
    say(s, COMMAND_UNDO);
    for (int i = 0; i < 3; i++) {
        s->shop.comment++; /* one while it is undone, and later ones */
        push(s);
        run(s, 15 * SECOND);
        if (i == 1)
            world_kill(&s->w);
    }
    expect_status(s, "reverted: quarantined: ");
    expect_version(s, SHOP_API, 1);
    change(s, SHOP_API, 0);
    push(s);
    run_until_applied(s);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_API, 3);
}

/* Its tail waits for the end of keep_previous, and no other does. */
static void expect_kept_by_the_newest(struct story *s)
{
    struct rec_set *set;
    struct rec_operation *waits;
    struct err err = ERR_INIT;
    size_t n;

    assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, set,
                               "WHERE service = 'blog' AND state = 'previous' AND env = (SELECT "
                               "uid FROM environments WHERE name = 'prod')",
                               &set, &n, &err),
                     0);
    assert_int_equal(n, 1);
    assert_int_equal(set->keep_ms, 60 * SECOND);
    assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, operation,
                               "WHERE env = $1 AND name GLOB 'keep:blog*' AND outcome IS NULL",
                               &waits, &n, &err, DB_T(set->env)),
                     0);
    assert_int_equal(n, 1);
    assert_true(digest_eq(&waits->plan, &set->kept_by));
}

/* The set that an undo made live again is kept for the whole time of the next plan, whatever an older plan
 * meant to do with it. */
static void what_is_kept_again_is_kept_to_the_end(struct story *s)
{
    s->shop.keep_s = 60;
    for (int i = 0; i < 2; i++) {
        change(s, SHOP_BLOG, 0);
        push(s);
        run_until_applied(s);
    }
    say(s, COMMAND_UNDO); /* from 3 to 2, which the last plan keeps for a minute */
    run(s, 5 * SECOND);
    change(s, SHOP_BLOG, 0);
    push(s);
    run_until_applied(s);
    run(s, 5 * SECOND);
    expect_kept_by_the_newest(s);
    run(s, 45 * SECOND); /* that minute is over, the one of the newest plan is not */
    say(s, COMMAND_UNDO);
    run(s, 5 * SECOND);
    assert_int_equal(s->done, 2);
    expect_version(s, SHOP_BLOG, 2);
    run(s, MINUTE);
}

static int64_t count_artifacts(struct story *s)
{
    struct rec_artifact *rows;
    struct err err = ERR_INIT;
    size_t n;

    assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, artifact, "", &rows, &n, &err), 0);
    return (int64_t)n;
}

static void push_built(struct story *s)
{
    s->shop.services[SHOP_API].built++;
    push(s);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
}

static void what_was_built_long_ago_goes(struct story *s)
{
    int64_t first = count_artifacts(s);

    for (int i = 0; i < SPARE_REVISIONS; i++)
        push_built(s);
    assert_int_equal(count_artifacts(s), first + SPARE_REVISIONS * SHOP_ENVS);
    push_built(s);
    push_built(s);
    assert_true(count_artifacts(s) <= (SPARE_REVISIONS + 1) * SHOP_ENVS + first);
    world_say(
        &s->w,
        &(struct command){ .verb = COMMAND_ROLLBACK, .env = S("prod"), .revision = 2, .as = S("") },
        &s->done);
    run(s, 2 * MINUTE);
    assert_int_equal(s->done, 1);
    expect_status(s, "reverted: quarantined: ");
}

static void what_is_rolled_back_stays_so(struct story *s)
{
    change(s, SHOP_API, 0);
    push(s);
    run(s, MINUTE);
    change(s, SHOP_WEB, 0);
    push(s);
    run(s, MINUTE);
    expect_version(s, SHOP_WEB, 2);
    world_say(
        &s->w,
        &(struct command){ .verb = COMMAND_ROLLBACK, .env = S("prod"), .revision = 1, .as = S("") },
        &s->done);
    run(s, 3 * MINUTE);
    assert_int_equal(s->done, 1);
    expect_status(s, "reverted: quarantined: ");
    expect_version(s, SHOP_WEB, 1);
    expect_version(s, SHOP_API, 1);
}

/* A group that is left out by quarantine is not in the revision that is applied without it. */
static void a_rollback_restores_what_ran_not_what_was_asked_for(struct story *s)
{
    change(s, SHOP_API, 1);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 2 * MINUTE); /* blog is at 2, api was left at 1 */
    change(s, SHOP_CRON, 0);
    push(s);
    run(s, MINUTE); /* revision: api 1, blog 2, cron 2 */
    change(s, SHOP_BLOG, 0);
    push(s);
    run_until_applied(s);
    say(s, COMMAND_UNDO);
    run(s, MINUTE);
    assert_int_equal(s->done, 1);
    expect_version(s, SHOP_BLOG, 2);
    expect_version(s, SHOP_API, 1);
}

static void what_is_lost_runs_again(struct story *s)
{
    assert_true(world_lose_instance(&s->w, 3));
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
}

/* One of the instances whose names begin so is there no more, nor is what watched over it. */
static void vanish(struct story *s, struct str prefix)
{
    struct world_walk walk = { 0 };
    struct null_object *o;
    struct err err = ERR_INIT;

    while ((o = world_next(&s->w, &walk)))
        if (str_eq_c(o->type, "instance") && str_starts(o->name, prefix))
            break;
    assert_non_null(o);
    assert_int_equal(null_store_drop(&s->w.box->store, o->owner, &err), 0);
}

static void what_vanished_is_made_again(struct story *s)
{
    vanish(s, S("web@"));
    world_run(&s->w, 2 * MINUTE);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
}

/* What is gone fails nothing: the new set is to blame, and what was proven is made whole again. */
static void a_bad_commit_over_what_vanished_goes_back(struct story *s)
{
    struct rec_rollout *outages;
    struct rec_set *live;
    struct err err = ERR_INIT;
    size_t n;

    assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, set,
                               "WHERE service = 'blog' AND state = 'live'", &live, &n, &err),
                     0);
    change(s, SHOP_BLOG, 1);
    push(s);
    run_until_count(s, "rollout.began", count(s, "rollout.began") + SHOP_ENVS);
    for (size_t i = 0; i < n; i++)
        vanish(s, identity_set_name(&s->w.arena, live[i].service, &live[i].set_key));
    world_run(&s->w, 3 * MINUTE);
    expect_status(s, "reverted: quarantined: blog");
    expect_version(s, SHOP_BLOG, 1);
    assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, rollout, "WHERE state = 'outage'",
                               &outages, &n, &err),
                     0);
    assert_int_equal(n, 0);
}

/* The third death in one phase parks the operation; a person settles it, and the plan goes on. */
static void what_kills_the_daemon_is_parked_and_settled(struct story *s)
{
    change(s, SHOP_CRON, 0);
    s->shop.services[SHOP_CRON].replicas = 1;
    push(s);
    world_die(&s->w, CRASH_OP_AFTER_INTENT, 1, 8);
    run(s, 2 * MINUTE);
    expect_status(s, "parked: ");
    settle_parked(s);
    assert_true(s->done > 0);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_CRON, 2);
}

/* Until an operation on such a thing waits for its end to be written; 0: none did. */
static int run_until_it_ends(struct story *s, const char *action, const char *kind)
{
    struct rec_operation *rows;
    struct err err = ERR_INIT;
    size_t n = 0;

    for (int i = 0; !n && i < 2 * MINUTE; i++) {
        world_run(&s->w, 1);
        assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, operation,
                                   "WHERE action = $1 AND kind = $2 AND phase = 'SETTLED' AND "
                                   "outcome IS NULL",
                                   &rows, &n, &err, DB_T(str_from_c(action)),
                                   DB_T(str_from_c(kind))),
                         0);
    }
    return n != 0;
}

/* Three events each; of what runs once it is told, too, that it began. */
static void what_is_made_and_seen_is_soon_told(struct story *s)
{
    struct rec_operation *runs;
    struct err err = ERR_INIT;
    size_t n;
    int64_t intents = count(s, "operation.intent"), settled = count(s, "operation.settled");

    s->shop.n_envs = 1;
    change(s, SHOP_WEB, 0);
    push(s);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    assert_true(count(s, "operation.intent") > intents);
    assert_int_equal(count(s, "operation.settled") - settled,
                     count(s, "operation.intent") - intents);
    assert_int_equal(count(s, "operation.verified"), count(s, "operation.intent"));
    assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, operation, "WHERE action = 'run'",
                               &runs, &n, &err),
                     0);
    assert_int_equal(count(s, "operation.identified"), n);
}

/* A person does not believe that it can be taken away. */
static void give_up(struct story *s, const char *kind)
{
    change(s, SHOP_WEB, 0);
    push(s);
    assert_true(run_until_it_ends(s, "delete", kind));
    world_die(&s->w, CRASH_OP_AFTER_PROVE, 1, 8);
    run(s, MINUTE);
    expect_status(s, "parked: ");
    settle_parked_as(s, "failed");
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_version(s, SHOP_WEB, 2);
}

/* The next plan tries, and there is one at once. */
static void what_a_person_gives_up_is_left_to_the_next_plan(struct story *s)
{
    give_up(s, "instance");
}

/* Nothing is routed by it: the next rollout takes it away. */
static void routes_that_a_person_gives_up_are_left_to_the_next_rollout(struct story *s)
{
    give_up(s, "routes");
    change(s, SHOP_WEB, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_version(s, SHOP_WEB, 3);
}

static void what_cannot_be_written_has_not_happened(struct story *s)
{
    struct rec_resource *rows;
    struct err err = ERR_INIT;
    size_t n;

    change(s, SHOP_API, 0);
    push(s);
    assert_true(run_until_it_ends(s, "delete", "instance"));
    s->w.is_disk_full = 1; /* found when it is written, not when it is made */
    run(s, 5 * SECOND);
    s->w.is_disk_full = 0;
    run(s, MINUTE);
    assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, resource,
                               "WHERE valid_to IS NULL AND incarnation > 2", &rows, &n, &err),
                     0);
    if (n)
        fail_msg("%.*s/%.*s was deleted once and is incarnation %lld", STR_ARG(rows[0].kind),
                 STR_ARG(rows[0].name), (long long)rows[0].incarnation);
}

/* In the newest generation. */
static void expect_routed(struct story *s, const char *route, enum shop_name service)
{
    struct rec_route *rows;
    struct rec_set *sets;
    struct err err = ERR_INIT;
    size_t n, n_sets = 0;

    assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, route,
                               "WHERE route = $1 ORDER BY route_gen DESC LIMIT 1", &rows, &n, &err,
                               DB_T(str_from_c(route))),
                     0);
    if (n)
        assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, set,
                                   "WHERE env = $1 AND backend = $2 AND service = $3", &sets,
                                   &n_sets, &err, DB_T(rows[0].env), DB_T(rows[0].backend),
                                   DB_T(str_from_c(shop_names[service]))),
                         0);
    if (!n_sets)
        fail_msg("%s is not routed to %s", route, shop_names[service]);
}

/* Who cannot take over its places does not take them. */
static void places_stay_with_who_serves_them(struct story *s)
{
    int64_t n;

    s->shop.front = SHOP_BLOG;
    s->shop.has_more = 1;
    change(s, SHOP_BLOG, 1);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "reverted: quarantined: blog");
    expect_routed(s, "app:/@prod.example.test", SHOP_WEB);
    expect_routed(s, "app:/more@prod.example.test", SHOP_WEB);
    n = count(s, "plan.started");
    run(s, 2 * MINUTE);
    assert_int_equal(count(s, "plan.started"), n);
    change(s, SHOP_API, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "reverted: quarantined: blog");
    expect_version(s, SHOP_API, 2);
    expect_routed(s, "app:/@prod.example.test", SHOP_WEB);
    change(s, SHOP_BLOG, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_routed(s, "app:/@prod.example.test", SHOP_BLOG);
}

int main(void)
{
    static struct story_row rows[] = {
        STORY(a_push_converges),
        STORY(one_run_ends_with_the_newest_commit),
        STORY(a_bad_commit_goes_back_and_the_next_one_rolls),
        STORY(three_bad_commits_in_a_row_hold_the_environment),
        STORY(what_rots_after_the_switch_goes_back),
        STORY(a_good_commit_takes_over_from_a_bad_one),
        STORY(an_outage_quarantines_nothing),
        STORY(a_short_outage_quarantines_nothing),
        STORY(a_deadline_that_passes_unseen_proves_nothing),
        STORY(what_is_undone_stays_undone),
        STORY(what_was_asked_for_outlives_the_daemon),
        STORY(what_is_kept_again_is_kept_to_the_end),
        STORY(what_was_built_long_ago_goes),
        STORY(what_is_rolled_back_stays_so),
        STORY(a_rollback_restores_what_ran_not_what_was_asked_for),
        STORY(what_is_lost_runs_again),
        STORY(what_vanished_is_made_again),
        STORY(a_bad_commit_over_what_vanished_goes_back),
        STORY(what_kills_the_daemon_is_parked_and_settled),
        STORY(what_is_made_and_seen_is_soon_told),
        STORY(what_a_person_gives_up_is_left_to_the_next_plan),
        STORY(routes_that_a_person_gives_up_are_left_to_the_next_rollout),
        STORY(another_commit_does_not_bring_back_what_was_undone),
        STORY(a_branch_that_cannot_be_read_holds_up_no_other),
        STORY(what_cannot_be_written_has_not_happened),
        STORY(places_stay_with_who_serves_them),
        STORY(what_kills_who_fetches_is_read_alone),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
