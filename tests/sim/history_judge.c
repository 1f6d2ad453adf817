/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/history_judge.h"

#include "base/guard.h"
#include "reconciler/engine/env_task.h"
#include "state/events.h"

#define HISTORY_EVENTS_MAX 4000 /* more is a loop that never rests */

static int is_excused(const struct history *h)
{
    return h->n_undone || h->n_lost || h->n_sick || h->n_run_faults || h->n_rejected;
}

/* A group that needs a bad service stays where it is. */
static int may_stay_behind(const struct history *h, enum shop_name service)
{
    const struct shop_service *x = h->good.services;

    if (service == SHOP_BLOG)
        return x[SHOP_BLOG].present && x[SHOP_BLOG].bad;
    return service != SHOP_CRON && (x[SHOP_WEB].bad || x[SHOP_API].bad);
}

static const char *check_env(struct history *h, int env, int was_retried)
{
    struct world *w = &h->world;
    struct str status = world_status(w, str_from_c(shop_envs[env]));
    int excused = is_excused(h) && !was_retried, in_sync = str_eq_c(status, "in_sync: ");
    const char *broken = NULL;

    if (h->n_rejected && str_eq_c(status, "waiting: the plan was rejected"))
        return NULL; /* until something else is wanted */
    if (!in_sync && !str_starts(status, S("reverted: quarantined: ")))
        return str_fmt(&w->arena, "%s is %.*s", shop_envs[env], STR_ARG(status)).p;
    if (!in_sync && !shop_is_bad(&h->good) && !excused)
        return str_fmt(&w->arena, "%s is %.*s, though nothing is bad", shop_envs[env],
                       STR_ARG(status))
            .p;
    if (in_sync && shop_is_bad(&h->good) &&
        !h->n_recovered) /* what had the traffic is adopted, proven or not: a person looked */
        return str_fmt(&w->arena, "%s is in sync with what is bad", shop_envs[env]).p;
    for (int i = 0; !broken && i < N_SHOP; i++)
        if (in_sync || (!excused && !may_stay_behind(h, (enum shop_name)i)))
            broken = laws_runs(w, &h->good, env, (enum shop_name)i);
    return broken;
}

void history_judge(struct history *h, int was_retried)
{
    struct world *w = &h->world;
    int64_t seq = 0;
    struct digest hash;

    for (int env = 0; !h->broken && env < h->shop.n_envs; env++)
        h->broken = check_env(h, env, was_retried);
    if (!h->broken)
        h->broken = laws_history(w);
    if (!h->broken)
        h->broken = world_place_fault(w);
    MUST(events_head(world_reader(w), &seq, &hash, err));
    if (!h->broken && seq > HISTORY_EVENTS_MAX)
        h->broken = str_fmt(&w->arena, "%lld events: something never rests", (long long)seq).p;
}

static void dump_runs(const struct env_task *env)
{
    for (const struct run *r = env->runs; r; r = r->next)
        for (size_t i = 0; r->is_loaded && i < r->plan.items.n; i++)
            if (r->schedule.items[i] != ITEM_DONE && r->schedule.items[i] != ITEM_SKIPPED)
                (void)fprintf(stderr, "  run %.*s %s: lane %d step %d %.*s is %d: %.*s\n",
                              STR_ARG(env->name), r == env->main ? "main" : "tail",
                              (int)r->plan.items.p[i].lane, r->plan.items.p[i].step,
                              STR_ARG(r->plan.items.p[i].name), (int)r->schedule.items[i],
                              STR_ARG(r->children[i].message));
}

void history_dump(struct history *h)
{
    struct world *w = &h->world;
    struct rec_operation *ops;
    size_t n;

    (void)fprintf(stderr,
                  "seed %llu: %s\n  again: SEED=%llu STORY=1 KEEP=1 ./test_sim_histories (%s)\n",
                  (unsigned long long)w->seed, h->broken, (unsigned long long)w->seed, w->dir);
    for (int i = 0; i < h->shop.n_envs; i++)
        (void)fprintf(stderr, "  %s is %s\n", shop_envs[i],
                      world_status(w, str_from_c(shop_envs[i])).p);
    for (size_t i = 0; w->engine && i < w->engine->envs.n; i++)
        dump_runs(w->engine->envs.p[i]);
    MUST(DB_SELECT(world_reader(w), &w->arena, operation,
                   "WHERE outcome IS NULL OR outcome = 'parked'", &ops, &n, err));
    for (size_t i = 0; i < n; i++)
        (void)fprintf(stderr, "  %.*s/%.*s %.*s %.*s %.*s attempt %lld deaths %lld: %.*s\n",
                      STR_ARG(ops[i].kind), STR_ARG(ops[i].name), STR_ARG(ops[i].action),
                      STR_ARG(ops[i].phase), STR_ARG(ops[i].outcome), (long long)ops[i].attempt,
                      (long long)ops[i].deaths, STR_ARG(ops[i].message));
}
