/* bench: the figures of DESIGN section 10 that exist, target and floor beside each. SPDX-License-Identifier: Apache-2.0
 *
 *     bench [small]
 *
 * Prints one table. Nothing here passes or fails: `small` only shows that it runs. The floor is the same
 * work without Reeve on this machine in this run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "reconciler/core/plan.h"
#include "state/tx.h"
#include "tests/bench/change.h"
#include "tests/bench/estate.h"
#include "tests/bench/table.h"

/* --- planning without a cache -------------------------------------------------------------------- */

static size_t plan_all(struct estate *e)
{
    AUTO_ARENA struct arena a;
    AUTO_ARENA struct arena cycle; /* of one environment, as in the daemon */
    struct spec_messages m;
    struct bundle b;
    struct err err = ERR_INIT;
    size_t n_resources = 0;

    arena_init(&a, 0);
    arena_init(&cycle, 0);
    spec_messages_init(&m, &a);
    ESTATE_MUST(bundle_read(&a, BUNDLE_REPOSITORY, e->files, e->n_files, &b, &m, &err), &err);
    for (size_t i = 0; i < b.environments.n; i++) {
        const struct normalise_input in = { .environment = b.environments.entries[i].key,
                                            .branch = S("main"),
                                            .spec_path = S(".reeve") };
        struct environment_spec spec;
        struct snapshot s;
        struct plan plan;

        ESTATE_MUST(normalise_environment(&cycle, &b, &in, &spec, &m, &err), &err);
        estate_converged(&cycle, &spec, &s);
        ESTATE_MUST(plan_make(&cycle, &s, &plan, &err), &err);
        n_resources += spec.resources.n;
        arena_reset(&cycle);
    }
    PRE(m.n_errors == 0);
    return n_resources;
}

/* libyaml's events of the same bytes, and nothing else. */
static void read_events(const struct estate *e)
{
    for (size_t i = 0; i < e->n_files; i++) {
        yaml_parser_t parser;
        yaml_event_t event;
        int over = 0;

        PRE(yaml_parser_initialize(&parser));
        yaml_parser_set_input_string(&parser, (const unsigned char *)e->files[i].text.p,
                                     e->files[i].text.n);
        while (!over && yaml_parser_parse(&parser, &event)) {
            over = event.type == YAML_STREAM_END_EVENT;
            yaml_event_delete(&event);
        }
        yaml_parser_delete(&parser);
    }
}

static void bench_plans(size_t n_files, size_t n_services)
{
    struct estate e;
    struct table_row r = { "no-op plan of every resource, specs parsed, in process",
                           "ms",
                           "<= 300",
                           0,
                           0,
                           "libyaml's events of the same files" };
    char what[96];
    double before;
    size_t n;

    estate_init(&e, n_files, n_services, 1);
    before = table_cpu_ms();
    read_events(&e);
    r.floor = table_cpu_ms() - before;
    before = table_cpu_ms();
    n = plan_all(&e);
    r.figure = table_cpu_ms() - before;
    (void)snprintf(what, sizeof(what),
                   "no-op plan of %zu resources in %zu files, parsed anew (CPU)", n, n_files);
    r.what = what;
    table_row(&r);
    estate_fini(&e);
}

/* --- applying ------------------------------------------------------------------------------------ */

/* What SQLite alone takes for the rows of n operations: four savepoints each, 64 to a commit. */
static double bare_savepoints(const char *path, size_t n)
{
    struct err err = ERR_INIT;
    struct db *db;
    double before;

    ESTATE_MUST(db_open(path, DB_WRITE, &db, &err), &err);
    before = table_cpu_ms();
    for (size_t i = 0; i < n * 4; i++) {
        const struct tx_head head = {
            .kind = S("bench"), .subject = S(""), .actor = S("bench"), .cause = S(""), .env = S("")
        };
        struct rec_meta row = { S("bench"), S("1") };
        struct tx *tx;

        if (i % 64 == 0)
            ESTATE_MUST(db_batch_begin(db, &err), &err);
        ESTATE_MUST(tx_begin(db, &head, &tx, &err), &err);
        ESTATE_MUST(tx_put(tx, REC_meta, &row, &err), &err);
        ESTATE_MUST(tx_commit(tx, &err), &err);
        if (i % 64 == 63 || i + 1 == n * 4)
            ESTATE_MUST(db_batch_commit(db, &err), &err);
    }
    before = table_cpu_ms() - before;
    db_close(db);
    return before;
}

static void print_apply(const char *what, double figure, const char *target, double floor)
{
    table_row(&(struct table_row){ what, "ms", target, figure, floor,
                                   "as many events in a bare state file" });
}

static void print_each(double all_ms, size_t n, double floor_ms)
{
    table_row(&(struct table_row){ "  each of them", "us", "the same", all_ms * 1e3 / (double)n,
                                   floor_ms * 1e3 / (double)n, "" });
}

/* The daemon gives back what it has no use for when everything rests. */
static double settled_mib(void)
{
    alloc_give_back();
    return table_anonymous_mib();
}

static void bench_apply(size_t n_envs, size_t n_replicas, const char *target)
{
    struct estate e;
    char what[96], path[600];
    size_t n = n_envs * n_replicas;
    double before, floor, figure;

    estate_init(&e, n_envs, 1, n_replicas);
    (void)snprintf(path, sizeof(path), "%s/bare.db", e.dir);
    floor = bare_savepoints(path, n);
    before = table_cpu_ms();
    estate_once(&e);
    figure = table_cpu_ms() - before;
    (void)snprintf(what, sizeof(what), "applying %zu resources in %zu environments (CPU)", n,
                   n_envs);
    print_apply(what, figure, target, floor);
    print_each(figure, n, floor);

    before = table_cpu_ms();
    estate_once(&e);
    (void)snprintf(what, sizeof(what), "the same once more, nothing changed, start to exit (CPU)");
    table_row(&(struct table_row){ what, "ms", "", table_cpu_ms() - before, 0, "" });
    (void)snprintf(what, sizeof(what), "memory, %zu environments x %zu resources", n_envs,
                   n_replicas);
    table_row(&(struct table_row){ what, "MiB", n_envs < 1000 ? "" : "<= 40", e.settled_mib,
                                   settled_mib(), "this program after it all" });
    estate_fini(&e);
}

int main(int argc, char **argv)
{
    int small = argc > 1 && !strcmp(argv[1], "small");

    log_setup(LOG_ERROR, LOG_TEXT);
    alloc_setup();
    estate_on_settled(settled_mib);
    table_head();
    bench_plans(small ? 20 : 1000, 10);
    bench_change(small ? 10 : 100);
    bench_change(small ? 20 : 1000);
    if (small) {
        bench_apply(5, 10, "");
        return 0;
    }
    bench_apply(50, 100, "<= 2500");
    bench_apply(125, 10, "");
    bench_apply(500, 10, "<= 2500");
    bench_apply(1000, 10, "<= 5000");
    return 0;
}
