/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/history_judge.h"

#include <string.h>

#include "base/guard.h"
#include "reconciler/engine/env_task.h"

#define HISTORY_STEPS_MIN 8
#define HISTORY_STEPS_MORE 10
#define HISTORY_PART_MS 1500
#define HISTORY_JOB_LOOKS 150 /* longer than from one time of theirs to the next */
#define HISTORY_JOB_MS 70000  /* one of them begins in it */
#define SETTLE_ROUNDS_MAX 150
#define SETTLE_ROUND_MS 12000
#define SETTLE_CALM_ROUNDS 3 /* longer than a reconcile interval */

static int draw(struct history *h, int n)
{
    return shop_draw(&h->random, n);
}

static int chance(struct history *h, int percent)
{
    return draw(h, 100) < percent;
}

static void note(struct history *h, const char *what)
{
    if (getenv("STORY"))
        (void)fprintf(stderr, "%8lld life %d: %s\n",
                      h->world.loop ? (long long)loop_mono_ms(h->world.loop) : -1, h->world.n_lives,
                      what);
}

/* Step by step, so that the laws of every moment are asked often; only effects can break them. */
static void run(struct history *h, int64_t ms)
{
    while (ms > 0 && !h->broken) {
        int64_t part = 1 + draw(h, HISTORY_PART_MS);
        int n_effects;

        world_run(&h->world, part < ms ? part : ms);
        ms -= part;
        n_effects = h->world.passed[CRASH_OP_AFTER_INTENT] +
                    h->world.passed[CRASH_JOB_AFTER_STARTED] + h->world.n_lives;
        if (n_effects != h->n_effects)
            h->broken = laws_now(&h->world, &h->laws);
        h->n_effects = n_effects;
    }
}

/* --- what happens -------------------------------------------------------------------------------- */

static void push_shop(struct history *h)
{
    if (!h->shop.is_broken)
        h->good = h->shop;
    world_push(&h->world, shop_text(&h->world.arena, &h->shop));
    note(h,
         str_fmt(&h->world.arena,
                 "push web %d%s api %d%s worker %d blog %d%s%s cron %d%s data %d jobs %d %s %s%s",
                 h->shop.services[0].version, h->shop.services[0].bad ? " bad" : "",
                 h->shop.services[1].version, h->shop.services[1].bad ? " bad" : "",
                 h->shop.services[2].version, h->shop.services[3].version,
                 h->shop.services[3].bad ? " bad" : "", h->shop.services[3].present ? "" : " gone",
                 h->shop.services[4].version, h->shop.services[4].present ? "" : " gone",
                 h->shop.storage, h->shop.jobs, shop_name_now(&h->shop, SHOP_WEB),
                 h->shop.domain ? h->shop.domain : "app", h->shop.is_broken ? " broken" : "")
             .p);
}

static void push(struct history *h)
{
    if (h->world.n_commits >= WORLD_COMMITS_MAX - 2)
        return;
    shop_change(&h->shop, &h->random);
    push_shop(h);
}

/* The newest plan of an environment in this state, as hex; "" for none. */
static struct str find_plan(struct history *h, const char *state)
{
    struct arena *a = &h->world.arena;
    struct rec_plan *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(&h->world), a, plan, "WHERE state = $1 ORDER BY made_seq DESC",
                   &rows, &n, err, DB_T(str_from_c(state))));
    return n ? digest_hex(a, &rows[(size_t)draw(h, (int)n)].id) : S("");
}

static struct str find_parked(struct history *h)
{
    struct rec_operation *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(&h->world), &h->world.arena, operation, "WHERE outcome = 'parked'",
                   &rows, &n, err));
    return n ? rows[(size_t)draw(h, (int)n)].uid : S("");
}

static void say(struct history *h, enum command_verb verb)
{
    static const char *const as[] = { "done", "failed", "retry" };
    struct command c = { .verb = verb,
                         .env = str_from_c(shop_envs[draw(h, h->shop.n_envs)]),
                         .as = S("") };
    int *done = NULL;

    if (!h->world.engine || !h->world.reader)
        return;
    if (verb == COMMAND_APPROVE || verb == COMMAND_REJECT)
        c.plan = find_plan(h, "waiting");
    if (verb == COMMAND_SETTLE) {
        c.operation = find_parked(h);
        c.as = str_from_c(as[draw(h, 3)]);
    }
    if (verb == COMMAND_ROLLBACK)
        c.revision = 1 + draw(h, 4);
    if (verb == COMMAND_UNDO || verb == COMMAND_ROLLBACK)
        done = &h->n_undone;
    if (verb == COMMAND_REJECT)
        done = &h->n_rejected;
    note(h, str_fmt(&h->world.arena, "say %d to %.*s", (int)verb, STR_ARG(c.env)).p);
    world_say(&h->world, &c, done);
}

static void say_something(struct history *h)
{
    static const enum command_verb verbs[] = {
        COMMAND_RECONCILE, COMMAND_APPROVE, COMMAND_APPROVE, COMMAND_APPROVE,  COMMAND_REJECT,
        COMMAND_CANCEL,    COMMAND_UNDO,    COMMAND_UNDO,    COMMAND_ROLLBACK, COMMAND_HOLD,
        COMMAND_RESUME,    COMMAND_RESUME,  COMMAND_RETRY,   COMMAND_SETTLE,
    };

    say(h, verbs[draw(h, N_ELEMENTS(verbs))]);
}

static void add_fault(struct history *h)
{
    static const char *const types[] = { "",        "instance", "instance", "backend",
                                         "routes",  "switch",   "artifact", "release",
                                         "address", "verify",   "job" };
    static const char *const calls[] = { "apply", "apply", "apply",    "resume",
                                         "read",  "find",  "counters", "health" };
    static const enum rv_verdict verdicts[] = { RV_RETRY, RV_RETRY,     RV_WAIT, RV_USER,
                                                RV_STALE, RV_CANCELLED, RV_FATAL };
    struct null_fault f = { .type = str_from_c(types[draw(h, N_ELEMENTS(types))]),
                            .call = str_from_c(calls[draw(h, N_ELEMENTS(calls))]),
                            .action = S(""),
                            .name = S(""),
                            .nth = chance(h, 80) ? 1 + draw(h, 4) : 0,
                            .verdict = verdicts[draw(h, N_ELEMENTS(verdicts))],
                            .acted = (enum rv_acted)draw(h, 3) };
    int looks = !str_eq_c(f.call, "apply") && !str_eq_c(f.call, "resume");

    if (looks) { /* looking changes nothing */
        f.acted = RV_ACTED_NO;
        f.verdict = chance(h, 50) ? RV_RETRY : RV_WAIT;
    }
    f.kind = f.acted == RV_ACTED_NO ? NULL_FAULT_BEFORE : NULL_FAULT_AFTER;
    h->n_run_faults += !looks && f.acted != RV_ACTED_NO &&
                       (f.verdict == RV_USER || f.verdict == RV_FATAL);
    world_fault(&h->world, f);
    note(h, str_fmt(&h->world.arena, "fault %.*s %.*s nth %d verdict %d acted %d", STR_ARG(f.call),
                    STR_ARG(f.type), (int)f.nth, (int)f.verdict, (int)f.acted)
                .p);
}

static enum crash_point draw_point(struct history *h)
{
    int n_jobs = CRASH_JOB_AFTER_CLEARED - CRASH_JOB_AFTER_DUE + 1, point;

    if (h->shop.jobs && chance(h, 20))
        return (enum crash_point)(CRASH_JOB_AFTER_DUE + draw(h, n_jobs));
    point = draw(h, N_CRASH_POINTS - n_jobs);
    return (enum crash_point)(point < CRASH_JOB_AFTER_DUE ? point : point + n_jobs);
}

static void arm_death(struct history *h)
{
    enum crash_point point = draw_point(h);
    int is_rare = point >= CRASH_JOB_AFTER_DUE && point <= CRASH_JOB_AFTER_CLEARED;
    int far = point == CRASH_GATE_AFTER_OPENED  ? 40
              : point < CRASH_PLAN_AFTER_STORED ? 12
              : is_rare                         ? 1
                                                : 2;

    world_die(&h->world, point, 1 + draw(h, far), chance(h, 70) ? 1 : 1 + draw(h, 4));
    note(h, crash_point_name(point));
    if (is_rare)
        run(h, HISTORY_JOB_MS);
}

/* At once, or beside the next one. */
static int draw_job_looks(struct history *h)
{
    return draw(h, chance(h, 50) ? 5 : HISTORY_JOB_LOOKS);
}

static void change_provider(struct history *h)
{
    struct world *w = &h->world;

    if (chance(h, 50))
        w->n_faults = 0;
    w->latency_ms = chance(h, 50) ? 0 : (uint32_t)draw(h, 150);
    w->pending = chance(h, 50) ? 0 : draw(h, 4);
    w->job_looks = draw_job_looks(h);
    world_fault(w, (struct null_fault){ .name = S("nobody"),
                                        .call = S(""),
                                        .type = S(""),
                                        .action = S(""),
                                        .kind = NULL_FAULT_BEFORE });
}

/* Nothing is lost where the copy knows everything that is there: then it is gone on with. */
static void lose_database(struct history *h)
{
    static const enum crash_point points[] = { CRASH_RECOVER_AFTER_MADE,
                                               CRASH_RECOVER_BETWEEN_FILES,
                                               CRASH_RECOVER_AFTER_PLACED, N_CRASH_POINTS };
    struct world *w = &h->world;
    int loses_all = chance(h, 25) && !h->n_lost, done = 0;

    if (chance(h, 50))
        world_stop(w);
    else
        world_kill(w);
    if (!loses_all && !w->has_copy)
        return;
    world_lose_database(w, loses_all ? WORLD_LOSES_ALL : WORLD_LOSES_SOME);
    h->broken = world_recover(w, points[draw(h, N_ELEMENTS(points))], &done);
    if (h->broken)
        return;
    note(h, done ? "the database is lost, and recovered" : "the database is older");
    if (!done) {
        h->laws = (struct laws){ 0 };
        map_init(&w->begun, &w->arena); /* nobody remembers what is over */
        h->n_lost++;                    /* nor what was taken away since: it is missed */
    }
    laws_recovered(w, &h->laws);
    h->n_recovered++;
    h->n_forgotten += loses_all;
}

/* All that is durable was heard. The one before is started again beside it, now or never. */
static void take_over(struct history *h)
{
    static const enum crash_point points[] = { CRASH_TAKEOVER_AFTER_MET, CRASH_TAKEOVER_AFTER_MARK,
                                               CRASH_TAKEOVER_AFTER_BEGUN, N_CRASH_POINTS };
    struct world *w = &h->world;

    if (w->n_takeovers)
        world_put_aside(w);
    if (chance(h, 50)) {
        world_hear(w);
        run(h, draw(h, 3000));
    }
    world_kill(w);
    world_hear(w);
    note(h, "a standby takes over");
    world_take_over(w, points[draw(h, N_ELEMENTS(points))]);
    run(h, 1 + draw(h, 200));
    if (!h->broken && chance(h, 50))
        h->broken = world_comes_back(w, draw(h, 5000));
}

/* Every environment has a revision that it can be repaired from. */
static int is_applied(struct history *h)
{
    struct rec_environment *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(&h->world), &h->world.arena, environment, "WHERE live_rev IS NULL",
                   &rows, &n, err));
    return !n;
}

static void happen(struct history *h)
{
    struct world *w = &h->world;
    int which = draw(h, 100);

    if (chance(h, 20)) {
        note(h, "a copy");
        world_keep_copy(w);
    }
    if (which < 28) {
        push(h);
    } else if (which < 50) {
        say_something(h);
    } else if (which < 53) {
        world_drift(w);
        note(h, "databases drift");
    } else if (which < 66) {
        add_fault(h);
    } else if (which < 72) {
        change_provider(h);
    } else if (which < 82) {
        arm_death(h);
    } else if (which < 85) {
        w->is_git_down = !w->is_git_down;
    } else if (which < 86) {
        w->git_slow_ms = draw(h, 20000);
    } else if (which < 88) {
        w->is_disk_full = 1;
        note(h, "the disk is full");
        run(h, draw(h, 4000));
        w->is_disk_full = 0;
    } else if (which < 90) {
        w->is_everything_sick = !w->is_everything_sick;
        h->n_sick++;
        note(h, w->is_everything_sick ? "sick" : "sick no more");
    } else if (which < 93) {
        if (h->n_forgotten ||
            !is_applied(h)) /* nothing says what it was: its keeper alone runs it again */
            return;
        h->n_lost += world_lose_instance(w, (uint64_t)draw(h, 1000));
        note(h, "an instance is lost");
    } else if (which < 95 && w->loop) {
        loop_sim_step_wall(w->loop, (int64_t)(draw(h, 2) ? 1 : -1) * draw(h, 7200) * 1000);
        note(h, "the clock steps");
    } else if (which < 98) {
        lose_database(h);
    } else if (which < 99) {
        take_over(h);
    } else if (chance(h, 50)) {
        note(h, "stop");
        world_stop(w);
    } else {
        note(h, "kill");
        world_kill(w);
    }
}

/* --- how it ends --------------------------------------------------------------------------------- */

/* What people do when nothing else is wrong: nobody is left waiting for them. */
static void do_chores(struct history *h)
{
    struct world *w = &h->world;
    struct command c = { .as = S("") };

    c.verb = COMMAND_RESUME;
    for (int i = 0; i < h->shop.n_envs; i++) {
        c.env = str_from_c(shop_envs[i]);
        world_say(w, &c, NULL);
    }
    c = (struct command){ .verb = COMMAND_APPROVE, .plan = find_plan(h, "waiting"), .as = S("") };
    if (c.plan.n)
        world_say(w, &c, NULL);
    c = (struct command){ .verb = COMMAND_SETTLE,
                          .operation = find_parked(h),
                          .as = chance(h, 50) ? S("retry") : S("done") };
    if (c.operation.n)
        world_say(w, &c, NULL);
}

static int is_quiet(struct history *h)
{
    struct world *w = &h->world;
    struct rec_operation *ops;
    size_t n;

    for (size_t i = 0; i < w->engine->envs.n; i++) {
        const struct env_task *env = w->engine->envs.p[i];

        if (!env->is_resting || env->runs || env->not_before_mono_ms > loop_mono_ms(w->loop))
            return 0; /* or it is about to try again */
    }
    MUST(DB_SELECT(world_reader(w), &w->arena, operation,
                   "WHERE outcome IS NULL OR outcome = 'parked'", &ops, &n, err));
    return !n && !find_plan(h, "waiting").n && w->engine->envs.n == (size_t)h->shop.n_envs;
}

static void settle(struct history *h)
{
    struct world *w = &h->world;
    int n_calm = 0;

    for (int i = 0; i < SETTLE_ROUNDS_MAX && n_calm < SETTLE_CALM_ROUNDS && !h->broken; i++) {
        do_chores(h);
        run(h, SETTLE_ROUND_MS);
        n_calm = is_quiet(h) ? n_calm + 1 : 0;
    }
    if (!h->broken && n_calm < SETTLE_CALM_ROUNDS)
        h->broken = "it does not settle";
    if (!h->broken)
        h->broken = laws_settled(w);
}

static void say_retry(struct history *h)
{
    struct command c = { .verb = COMMAND_RETRY, .as = S("") };

    for (int i = 0; i < h->shop.n_envs; i++) {
        c.env = str_from_c(shop_envs[i]);
        world_say(&h->world, &c, NULL);
    }
}

/* Where what had the traffic was adopted unproven, nothing that is bad can be told from it. */
static int needs_another(const struct history *h)
{
    return h->shop.is_broken || (h->n_recovered && shop_is_bad(&h->shop));
}

static void finish(struct history *h)
{
    int retries = chance(h, 30);

    note(h, "calm");
    world_calm(&h->world);
    if (chance(h, 30))
        world_kill(&h->world);
    if (needs_another(h) || h->n_rejected || chance(h, 50)) { /* a rejected plan waits for news */
        do
            push(h);
        while (needs_another(h) && h->world.n_commits < WORLD_COMMITS_MAX - 2);
        if (needs_another(h)) {
            shop_mend(&h->shop);
            push_shop(h);
        }
    }
    if (retries) { /* it is lifted, and may come again */
        settle(h);
        if (h->broken)
            return;
        say_retry(h);
        note(h, "retry");
    }
    settle(h);
    if (!h->broken)
        history_judge(h, retries);
}

void history_run(struct history *h, uint64_t seed)
{
    int n;

    *h = (struct history){ .random = seed };
    world_init(&h->world, seed, WORLD_ONE_BOX);
    shop_init(&h->shop);
    h->shop.storage = draw(h, 3);
    h->shop.n_envs = chance(h, 30) ? SHOP_ENVS : 1;
    h->shop.jobs = chance(h, 60) ? draw(h, 8) : 0;
    h->world.job_looks = draw_job_looks(h);
    h->good = h->shop;
    world_push(&h->world, shop_text(&h->world.arena, &h->shop));
    if (chance(h, 50))
        arm_death(h);
    n = HISTORY_STEPS_MIN + draw(h, HISTORY_STEPS_MORE);
    run(h, chance(h, 70) ? 25000 : 10);
    while (n-- > 0 && !h->broken) {
        happen(h);
        run(h, chance(h, 30) ? 200 : chance(h, 60) ? draw(h, 5000) : draw(h, 20000));
    }
    if (!h->broken)
        finish(h);
    if (h->broken)
        history_dump(h);
}

void history_fini(struct history *h)
{
    world_fini(&h->world);
}
