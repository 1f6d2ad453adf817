/* bench: the figures of DESIGN section 10 that exist, target and floor beside each. SPDX-License-Identifier: Apache-2.0
 *
 *     bench [small]
 *
 * Prints one table. Nothing here passes or fails: `small` only shows that it runs. The floor is the same
 * work without Reeve on this machine in this run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/core/plan.h"
#include "state/tx.h"
#include "tests/bench/estate.h"

struct row {
    const char *what, *unit, *target;
    double figure, floor;
    const char *floor_is;
};

static void print_head(void)
{
    (void)printf("%-64s %10s %-4s %-12s %10s  %s\n", "what", "figure", "", "target", "floor",
                 "the floor is");
}

static void print_row(const struct row *r)
{
    (void)printf("%-64s %10.1f %-4s %-12s %10.1f  %s\n", r->what, r->figure, r->unit, r->target,
                 r->floor, r->floor_is);
}

static double cpu_ms(void)
{
    struct rusage u;

    PRE(getrusage(RUSAGE_SELF, &u) == 0);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

/* Anonymous memory of this process, in MiB. */
static double anonymous_mib(void)
{
    AUTO_ARENA struct arena a = { 0 };
    struct err err = ERR_INIT;
    struct str text, line;
    int64_t kib = 0;

    if (sys_read_file(&a, "/proc/self/smaps_rollup", 65536, &text, &err))
        return -1;
    while (str_next(&text, '\n', &line))
        if (str_starts(line, S("Anonymous:")))
            (void)str_to_i64(str_trim(str_slice(line, 10, line.n - 13)), &kib); /* "N kB" */
    return (double)kib / 1024;
}

/* --- planning without a cache -------------------------------------------------------------------- */

/* The recorded side of a world that is as the specs say. */
static void converged(struct arena *a, const struct environment_spec *spec, struct snapshot *ret)
{
    *ret = (struct snapshot){ .installation = S("bench"), .target = spec };
    ret->env = (struct rec_environment){ .uid = S("bench"), .name = spec->name };
    ret->recorded = arena_new_n(a, struct recorded, spec->resources.n + 1);
    ret->sets = arena_new_n(a, struct rec_set, spec->resources.n + 1);
    for (size_t i = 0; i < spec->resources.n; i++) {
        const struct spec_resource *r = &spec->resources.p[i];

        ret->recorded[ret->n_recorded++] = (struct recorded){ r->kind, r->name, r->provider,
                                                              r->desired, r->digest };
        ret->sets[ret->n_sets++] = (struct rec_set){ .service = r->name,
                                                     .set_key = identity_set_key(a, r->desired),
                                                     .state = S("live"),
                                                     .replicas = value_get_int(r->desired,
                                                                               S("replicas"), 1) };
    }
}

static size_t plan_all(struct estate *e)
{
    struct arena a;
    struct spec_messages m;
    struct bundle b;
    struct err err = ERR_INIT;
    size_t n_resources = 0;

    arena_init(&a, 0);
    spec_messages_init(&m, &a);
    ESTATE_MUST(bundle_read(&a, BUNDLE_REPOSITORY, e->files, e->n_files, &b, &m, &err), &err);
    for (size_t i = 0; i < b.environments.n; i++) {
        const struct normalise_input in = { .environment = b.environments.entries[i].key,
                                            .branch = S("main"),
                                            .spec_path = S(".reeve") };
        struct environment_spec spec;
        struct snapshot s;
        struct plan plan;

        ESTATE_MUST(normalise_environment(&a, &b, &in, &spec, &m, &err), &err);
        converged(&a, &spec, &s);
        ESTATE_MUST(plan_make(&a, &s, &plan, &err), &err);
        n_resources += spec.resources.n;
    }
    PRE(m.n_errors == 0);
    arena_fini(&a);
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
    struct row r = { "no-op plan of every resource, specs parsed, in process",
                     "ms",
                     "<= 300",
                     0,
                     0,
                     "libyaml's events of the same files" };
    char what[96];
    double before;
    size_t n;

    estate_init(&e, n_files, n_services, 1);
    before = cpu_ms();
    read_events(&e);
    r.floor = cpu_ms() - before;
    before = cpu_ms();
    n = plan_all(&e);
    r.figure = cpu_ms() - before;
    (void)snprintf(what, sizeof(what),
                   "no-op plan of %zu resources in %zu files, parsed anew (CPU)", n, n_files);
    r.what = what;
    print_row(&r);
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
    before = cpu_ms();
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
    before = cpu_ms() - before;
    db_close(db);
    return before;
}

static void bench_apply(size_t n_envs, size_t n_replicas)
{
    struct estate e;
    char what[96], path[600];
    struct row r = { what, "ms", n_envs * n_replicas > 5000 ? "<= 5000" : "<= 2500",
                     0,    0,    "as many events in a bare state file" };
    double before;

    estate_init(&e, n_envs, 1, n_replicas);
    (void)snprintf(what, sizeof(what), "applying %zu resources on the null driver (CPU)",
                   n_envs * n_replicas);
    (void)snprintf(path, sizeof(path), "%s/bare.db", e.dir);
    r.floor = bare_savepoints(path, n_envs * n_replicas);
    before = cpu_ms();
    estate_once(&e);
    r.figure = cpu_ms() - before;
    print_row(&r);

    before = cpu_ms();
    estate_once(&e);
    (void)snprintf(what, sizeof(what), "the same once more, nothing changed, start to exit (CPU)");
    print_row(&(struct row){ what, "ms", "", cpu_ms() - before, 0, "" });
    (void)snprintf(what, sizeof(what), "memory, %zu environments x %zu resources", n_envs,
                   n_replicas);
    print_row(&(struct row){ what, "MiB", n_envs < 1000 ? "" : "<= 40", e.settled_mib,
                             anonymous_mib(), "this program after it all" });
    estate_fini(&e);
}

int main(int argc, char **argv)
{
    int small = argc > 1 && !strcmp(argv[1], "small");

    log_setup(LOG_ERROR, LOG_TEXT);
    estate_on_settled(anonymous_mib);
    print_head();
    bench_plans(small ? 20 : 1000, 10);
    bench_apply(small ? 5 : 50, small ? 10 : 100);
    if (!small)
        bench_apply(1000, 10);
    return 0;
}
