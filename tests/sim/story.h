/*
 * story: how a test tells what happens to the shop, and says what must hold. SPDX-License-Identifier: Apache-2.0
 *
 * A story is a function; story_tell_all() runs a table of them, each in a world of its own, and asks the laws at
 * its end.
 *
 * Thread   one.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/guard.h"
#include "base/log.h"
#include "reconciler/engine/env_task.h"
#include "state/events.h"
#include "tests/sim/laws.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)

struct story {
    struct world w;
    struct shop shop;
    struct laws laws;
    int done; /* commands that were carried out */
};

/* --- telling ------------------------------------------------------------------------------------- */

static inline void run(struct story *s, int64_t ms)
{
    for (int64_t gone = 0; gone < ms; gone += SECOND) {
        const char *broken;

        world_run(&s->w, SECOND);
        broken = laws_now(&s->w, &s->laws);
        if (broken)
            fail_msg("%s", broken);
    }
}

static inline void push(struct story *s)
{
    s->shop.comment++;
    world_push(&s->w, shop_text(&s->w.arena, &s->shop));
}

static inline void change(struct story *s, enum shop_name service, int bad)
{
    s->shop.services[service].version++;
    s->shop.services[service].bad = bad;
}

static inline void say(struct story *s, enum command_verb verb)
{
    world_say(&s->w, &(struct command){ .verb = verb, .env = S("prod"), .as = S("") }, &s->done);
}

/* The first instance of what is live, with its keeper. */
static inline void lose_live(struct story *s, struct str service)
{
    struct arena *a = &s->w.arena;
    struct rec_environment env;
    struct rec_set *live;
    size_t n;

    MUST(environments_by_name(world_reader(&s->w), a, S("prod"), &env, err));
    MUST(DB_SELECT(world_reader(&s->w), a, set,
                   "WHERE env = $1 AND service = $2 AND state = 'live'", &live, &n, err,
                   DB_T(env.uid), DB_T(service)));
    assert_int_equal(n, 1);
    assert_true(
        world_lose_named(&s->w, env.uid, identity_instance_name(a, service, &live->set_key, 0)));
}

/* The shop runs at its first version. */
static inline void given_shop(struct story *s, uint64_t seed, enum world_boxes boxes)
{
    *s = (struct story){ 0 };
    world_init(&s->w, seed, boxes);
    shop_init(&s->shop);
    push(s);
    run(s, MINUTE);
    assert_string_equal(world_status(&s->w, S("prod")).p, "in_sync: ");
}

static inline void expect_status(struct story *s, const char *prefix)
{
    struct str status = world_status(&s->w, S("prod"));

    if (!str_starts(status, str_from_c(prefix)))
        fail_msg("prod is %s, expected %s", status.p, prefix);
}

static inline void expect_version(struct story *s, enum shop_name service, int version)
{
    struct shop wanted = s->shop;
    const char *broken;

    wanted.services[service].version = version;
    broken = laws_runs(&s->w, &wanted, 0, service);
    if (broken)
        fail_msg("%s", broken);
}

static inline void expect_laws(struct story *s)
{
    const char *broken = laws_settled(&s->w);

    if (!broken)
        broken = laws_history(&s->w);
    if (broken)
        fail_msg("%s", broken);
}

static inline int64_t count(struct story *s, const char *kind)
{
    struct err err = ERR_INIT;
    struct event *events;
    size_t n;

    if (events_list(world_reader(&s->w), &s->w.arena,
                    &(struct event_query){ .env = STR_NONE,
                                           .subject = STR_NONE,
                                           .actor = STR_NONE,
                                           .kind_prefix = str_from_c(kind),
                                           .limit = EVENTS_PAGE_MAX },
                    &events, &n, &err))
        fail_msg("%s", err.text);
    return (int64_t)n;
}

/* Until both environments have applied the newest commit; what was before is kept for a while. */
static inline void run_until_applied(struct story *s)
{
    int64_t n = count(s, "rollout.applied");

    for (int i = 0; i < 60 && count(s, "rollout.applied") < n + SHOP_ENVS; i++)
        run(s, SECOND);
}

/* Looks every millisecond: what follows is still to come. */
static inline void run_until_count(struct story *s, const char *kind, int64_t n)
{
    for (int i = 0; i < 60 * SECOND && count(s, kind) < n; i++)
        world_run(&s->w, 1);
    assert_true(count(s, kind) >= n);
}

/* What a person says of every parked operation, and of those that are parked then. */
static inline void settle_parked_as(struct story *s, const char *as)
{
    struct rec_operation *rows;
    struct err err = ERR_INIT;
    size_t n;

    for (int i = 0; i < 4; i++) {
        assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, operation,
                                   "WHERE outcome = 'parked'", &rows, &n, &err),
                         0);
        for (size_t k = 0; k < n; k++)
            world_say(&s->w,
                      &(struct command){
                          .verb = COMMAND_SETTLE, .operation = rows[k].uid, .as = str_from_c(as) },
                      &s->done);
        run(s, 20 * SECOND);
    }
}

static inline void settle_parked(struct story *s)
{
    settle_parked_as(s, "retry");
}

static inline struct str plan_in_state(struct story *s, const char *state)
{
    struct rec_plan *rows;
    struct err err = ERR_INIT;
    size_t n;

    if (DB_SELECT(world_reader(&s->w), &s->w.arena, plan,
                  "WHERE state = $1 AND env = (SELECT uid FROM environments WHERE name = 'prod')",
                  &rows, &n, &err, DB_T(str_from_c(state))))
        fail_msg("%s", err.text);
    return n ? digest_hex(&s->w.arena, &rows[0].id) : S("");
}

static inline void decide(struct story *s, enum command_verb verb, struct str plan)
{
    assert_true(plan.n > 0);
    world_say(&s->w, &(struct command){ .verb = verb, .plan = plan, .as = S("") }, &s->done);
}

static inline struct env_task *prod(struct story *s)
{
    for (size_t i = 0; i < s->w.engine->envs.n; i++)
        if (str_eq_c(s->w.engine->envs.p[i]->name, "prod"))
            return s->w.engine->envs.p[i];
    fail_msg("there is no prod");
    return NULL;
}

static inline void run_until_switched(struct story *s)
{
    struct rec_rollout *rows;
    struct err err = ERR_INIT;
    size_t n = 0;

    for (int i = 0; i < 600 && !n; i++) {
        world_run(&s->w, 100);
        assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, rollout,
                                   "WHERE state = 'switched'", &rows, &n, &err),
                         0);
    }
    assert_true(n > 0);
}

/* --- the table ----------------------------------------------------------------------------------- */

typedef void story_fn(struct story *s);

struct story_row {
    const char *name;
    story_fn *tell;
    uint64_t seed; /* this and below: set when it is told */
    enum world_boxes boxes;
};

#define STORY(name)                                                                                \
    {                                                                                              \
#name, name, 0, WORLD_ONE_BOX                                                              \
    }
#define STORIES_MAX 32

static inline void tell_story(void **state)
{
    const struct story_row *row = *state;
    struct story s;

    given_shop(&s, row->seed, row->boxes);
    row->tell(&s);
    run(&s, MINUTE);
    expect_laws(&s);
    world_fini(&s.w);
}

static inline int story_tell_all_in(enum world_boxes boxes, struct story_row *rows, size_t n)
{
    struct CMUnitTest tests[STORIES_MAX];

    for (size_t i = 0; i < n && i < STORIES_MAX; i++) {
        rows[i].seed = i + 1;
        rows[i].boxes = boxes;
        tests[i] = (struct CMUnitTest){ .name = rows[i].name,
                                        .test_func = tell_story,
                                        .initial_state = &rows[i] };
    }
    log_setup(getenv("DEBUG") ? LOG_DEBUG : LOG_ERROR, LOG_TEXT);
    return _cmocka_run_group_tests("stories", tests, n, NULL, NULL);
}

static inline int story_tell_all(struct story_row *rows, size_t n)
{
    return story_tell_all_in(WORLD_ONE_BOX, rows, n);
}
