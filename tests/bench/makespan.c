/* makespan: how long plans take against the longest way through them. SPDX-License-Identifier: Apache-2.0
 *
 *     makespan
 *
 * The real engine on the simulated loop, where calls of drivers and gates take the time that is given here and
 * nothing else takes any. The longest way is that of the plan's own document: its items, their needs, and
 * what each must take; the edge makes one generation at a time. Prints rows of the table; nothing here passes or fails. */
#include "base/guard.h"
#include "base/log.h"
#include "reconciler/core/plan.h"
#include "state/events.h"
#include "state/plans.h"
#include "tests/bench/table.h"
#include "tests/sim/world.h"

#define MAKESPAN_CALL_MS 50 /* of a driver: an operation applies, then reads */
#define MAKESPAN_HEALTHY_MS 10000
#define MAKESPAN_BAKE_MS 60000
#define MAKESPAN_APPLY_MS 1800000 /* virtual; far more than any of them needs */

struct shape {
    const char *what;
    int n_services;
    int is_chain;     /* each needs the one before it */
    int is_recreated; /* one after the other where they need each other */
};

static struct str shape_specs(struct arena *a, const struct shape *s, int version)
{
    struct sb b;

    sb_init(&b, a);
    sb_add_c(&b, "apiVersion: reeve/v1\nkind: Application\nname: app\nservices:\n");
    for (int i = 0; i < s->n_services; i++) {
        sb_addf(
            &b,
            "  s%d:\n    command: [./run]\n    port: %d\n    replicas: %d\n"
            "    environment: {VERSION: \"%d\"}\n"
            "    healthcheck: {readiness: {http: {path: /}, interval: 1s, success_threshold: 1}}\n"
            "    rollout: {strategy: %s, min_healthy_time: %ds, bake_time: %ds, "
            "keep_previous: 0s}\n    termination: {drain: 1s}\n",
            i, 8000 + i, 1 + i % 3, version, s->is_recreated ? "recreate" : "blue_green",
            MAKESPAN_HEALTHY_MS / 1000, MAKESPAN_BAKE_MS / 1000);
        if (s->is_chain && i)
            sb_addf(&b, "    depends_on: {s%d: {condition: service_healthy}}\n", i - 1);
    }
    sb_add_c(&b, "domains:\n  web: {hosts: [web.example.test], routes: {");
    for (int i = 0; i < s->n_services; i++)
        sb_addf(&b, "%s/s%d: {service: s%d}", i ? ", " : "", i, i);
    sb_add_c(&b, "}}\n---\napiVersion: reeve/v1\nkind: Environment\nname: prod\napplication: app\n"
                 "trigger: {branch: main}\napproval: {policy: auto}\n");
    return sb_str(&b);
}

/* What an item must take when nothing is in its way. */
static int64_t length_ms(const struct plan_item *item)
{
    if (item->action == PLAN_MARK)
        return 0;
    if (item->action != PLAN_GATE)
        return 2 * MAKESPAN_CALL_MS;
    return str_starts(item->name, S("ready"))  ? MAKESPAN_HEALTHY_MS
           : str_starts(item->name, S("bake")) ? MAKESPAN_BAKE_MS
                                               : 0;
}

struct way {
    const struct plan *plan;
    int64_t *not_before_ms, *end_ms; /* one an item */
};

static int64_t ready_ms(const struct way *w, const struct plan_item *item)
{
    int64_t at_ms = 0;

    for (size_t n = 0; n < item->needs.n; n++)
        if (w->end_ms[item->needs.p[n]] > at_ms)
            at_ms = w->end_ms[item->needs.p[n]];
    return at_ms;
}

/* Items stand behind what they need, but for groups that wait for each other: until nothing moves. */
static int64_t walk(struct way *w)
{
    int64_t longest_ms = 0;
    int moved = 1;

    while (moved) {
        moved = 0;
        for (size_t i = 0; i < w->plan->items.n; i++) {
            const struct plan_item *item = &w->plan->items.p[i];
            int64_t at_ms = ready_ms(w, item);

            if (item->lane != LANE_MAIN)
                continue;
            at_ms = (at_ms > w->not_before_ms[i] ? at_ms : w->not_before_ms[i]) + length_ms(item);
            moved |= at_ms != w->end_ms[i];
            w->end_ms[i] = at_ms;
            longest_ms = at_ms > longest_ms ? at_ms : longest_ms;
        }
    }
    return longest_ms;
}

/* The first generation that is ready and has no place yet; n: all have one. */
static size_t next_generation(const struct way *w, const unsigned char *placed)
{
    size_t first = w->plan->items.n;

    for (size_t i = 0; i < w->plan->items.n; i++) {
        const struct plan_item *item = &w->plan->items.p[i];

        if (item->lane == LANE_MAIN && item->action == PLAN_CREATE && !placed[i] &&
            str_eq_c(item->kind, "routes") &&
            (first == w->plan->items.n ||
             ready_ms(w, item) < ready_ms(w, &w->plan->items.p[first])))
            first = i;
    }
    return first;
}

/* The longest way, where the edge makes one generation and switches to it before it makes the next. */
static int64_t longest_way_ms(struct arena *a, const struct plan *p)
{
    struct way w = { p, arena_new_n(a, int64_t, p->items.n + 1),
                     arena_new_n(a, int64_t, p->items.n + 1) };
    unsigned char *placed = arena_new_n(a, unsigned char, p->items.n + 1);
    int64_t longest_ms, free_ms = 0;
    size_t i;

    PRE(w.not_before_ms && w.end_ms && placed);
    longest_ms = walk(&w);
    while ((i = next_generation(&w, placed)) < p->items.n) {
        placed[i] = 1;
        w.not_before_ms[i] = free_ms;
        longest_ms = walk(&w);
        free_ms = w.end_ms[i + 1]; /* its switch stands right behind it */
    }
    return longest_ms;
}

static int64_t event_ms(struct world *w, struct arena *a, const char *kind)
{
    struct event *events;
    size_t n;

    MUST(events_list(
        world_reader(w), a,
        &(struct event_query){ .kind_prefix = str_from_c(kind), .newest_first = 1, .limit = 1 },
        &events, &n, err));
    PRE(n == 1);
    return events[0].time_ms;
}

static void measure(const struct shape *s)
{
    AUTO_ARENA struct arena a = { 0 };
    struct world w;
    struct rec_plan *rows;
    struct str document;
    struct plan plan;
    char what[96];
    size_t n;
    int64_t took_ms, longest_ms;

    world_init(&w, 1, WORLD_ONE_BOX);
    w.latency_ms = MAKESPAN_CALL_MS;
    w.work_ms_max = 0;
    for (int version = 1; version <= 2; version++) {
        world_push(&w, shape_specs(&a, s, version));
        world_run(&w, MAKESPAN_APPLY_MS);
    }
    MUST(plans_list(world_reader(&w), &a, STR_NONE, 1, &rows, &n, err));
    PRE(n == 1 && str_eq_c(rows[0].state, "applied"));
    MUST(db_document(world_reader(&w), &a, &rows[0].doc, &document, err));
    MUST(plan_parse(&a, document, &plan, err));
    took_ms = event_ms(&w, &a, "rollout.applied") - event_ms(&w, &a, "plan.started");
    longest_ms = longest_way_ms(&a, &plan);
    (void)snprintf(what, sizeof(what), "makespan against the critical path: %s", s->what);
    table_row(&(struct table_row){ what, "x", "<= 1.05", (double)took_ms / (double)longest_ms, 1,
                                   "the critical path" });
    world_fini(&w);
}

int main(void)
{
    static const struct shape shapes[] = {
        { .what = "one service", .n_services = 1 },
        { .what = "20 services, 20 groups", .n_services = 20 },
        { .what = "8 services, one group", .n_services = 8, .is_chain = 1 },
        { .what = "4 recreated in a row", .n_services = 4, .is_chain = 1, .is_recreated = 1 },
    };

    log_setup(LOG_WARN, LOG_TEXT);
    for (size_t i = 0; i < N_ELEMENTS(shapes); i++)
        measure(&shapes[i]);
    return 0;
}
