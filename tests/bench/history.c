/* history: how long a year of it takes to prove and to look into. SPDX-License-Identifier: Apache-2.0
 *
 *     history N      N events, each with the rows that an operation writes */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "state/events_chain.h"
#include "state/replay.h"
#include "state/tx.h"
#include "table.h"

#define BEGIN_MS 1700000000000
#define STEP_MS 31536 /* a million of them are a year */
#define BATCH 1000
#define ENVIRONMENTS 50
#define RESOURCES 20    /* of each */
#define NEW_EVENTS 1000 /* since the last verify */

static void must(int rc, const struct err *err)
{
    if (!rc)
        return;
    (void)fprintf(stderr, "history: %s\n", err->text);
    exit(1);
}

static struct digest digest_of(int64_t n)
{
    return hash_bytes((struct str){ (const char *)&n, sizeof(n) });
}

/* A resource that changed; each hundredth event is its environment's own row. */
static void write_event(struct db *db, struct arena *a, int64_t i, struct err *err)
{
    struct str env = str_fmt(a, "env-%02d", (int)(i % ENVIRONMENTS));
    struct tx_head head = { .time_ms = BEGIN_MS + i * STEP_MS,
                            .epoch = 1,
                            .actor = S("reeve"),
                            .cause = str_fmt(a, "plan:%012d", (int)(i / 40)),
                            .kind = S("operation.verified"),
                            .subject = S("service/web"),
                            .env = env };
    struct rec_resource r = { .env = env,
                              .kind = S("service"),
                              .name = str_fmt(a, "web%d", (int)(i / ENVIRONMENTS % RESOURCES)),
                              .incarnation = 1,
                              .turn = i,
                              .provider = S("local"),
                              .owner = S("0193/env/service/web"),
                              .desired = digest_of(i),
                              .observed = digest_of(i),
                              .outputs = S("{\"address\":\"127.0.0.1:2000\"}"),
                              .status = S("ready"),
                              .protect = S(""),
                              .reason = S(""),
                              .drift = S("") };
    struct rec_environment e = { .uid = env,
                                 .name = env,
                                 .source = S("shop"),
                                 .branch = S("main"),
                                 .apply_seq = i,
                                 .sync = S("in_sync"),
                                 .health = S("healthy"),
                                 .reason = S(""),
                                 .deleted_ms = REC_NONE };
    struct tx *tx;

    must(tx_begin(db, &head, &tx, err), err);
    if (i < ENVIRONMENTS || i % 100 == 0)
        must(tx_put(tx, REC_environment, &e, err), err);
    must(tx_put_resource(tx, &r, err), err);
    must(tx_commit(tx, err), err);
}

static void write_events(struct db *db, int64_t from, int64_t n)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;

    arena_init(&a, 0);
    for (int64_t i = from; i < from + n; i++) {
        arena_reset(&a);
        if ((i - from) % BATCH == 0)
            must(db_batch_begin(db, &err), &err);
        write_event(db, &a, i, &err);
        if ((i - from) % BATCH == BATCH - 1 || i == from + n - 1)
            must(db_batch_commit(db, &err), &err);
    }
}

static void row(const char *what, double figure, const char *unit, const char *target)
{
    table_row(&(struct table_row){
        .what = what, .figure = figure, .unit = unit, .target = target, .floor_is = "" });
}

static double since(int64_t from_ms)
{
    return (double)(sys_mono_ms() - from_ms);
}

static void measure_at(struct db *db, int64_t n)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    struct rec_resource *rows;
    int64_t from_ms = sys_mono_ms(), seq;
    size_t n_rows;

    arena_init(&a, 0);
    must(events_seq_at(db, BEGIN_MS + n / 2 * STEP_MS, &seq, &err), &err);
    must(DB_SELECT(db, &a, resource,
                   "WHERE env = $1 AND valid_from <= $2 AND (valid_to IS NULL OR valid_to > $2) "
                   "AND status <> 'gone' ORDER BY kind, name LIMIT 1000",
                   &rows, &n_rows, &err, DB_T(S("env-07")), DB_I(seq)),
         &err);
    row("--at, half a year ago: resources of an environment", since(from_ms), "ms", "< 500");
    if (n_rows != RESOURCES)
        (void)printf("  %zu of them were there\n", n_rows);
}

static void measure(struct db *db, int64_t n)
{
    struct err err = ERR_INIT;
    struct digest hash;
    int64_t seq, from_ms = sys_mono_ms(), n_rows;

    must(events_verify(db, &seq, &err), &err);
    row("audit verify, whole", since(from_ms), "ms", "");
    must(events_head(db, &seq, &hash, &err), &err);
    write_events(db, n, NEW_EVENTS);
    from_ms = sys_mono_ms();
    must(events_verify_after(db, seq, &hash, &seq, &err), &err);
    row("audit verify --incremental, 1,000 events on", since(from_ms), "ms", "< 500");
    from_ms = sys_mono_ms();
    must(replay_verify(db, &n_rows, &err), &err);
    row("audit verify --replay, the tables alone", since(from_ms), "ms", "");
    measure_at(db, n);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/historyXXXXXX", path[64];
    int64_t n = argc > 1 ? atoll(argv[1]) : 1000000, from_ms = sys_mono_ms();
    struct err err = ERR_INIT;
    struct db *db = NULL;
    struct stat st;

    if (n < ENVIRONMENTS * RESOURCES * 2 || !mkdtemp(dir))
        return 1;
    (void)snprintf(path, sizeof(path), "%s/state.db", dir);
    must(db_create(path, &(struct db_birth){ .time_ms = BEGIN_MS, .installation = S("0193-bench") },
                   &db, &err),
         &err);
    (void)printf("a history of %" PRId64 " events\n", n);
    table_head();
    write_events(db, 0, n);
    row("written", since(from_ms), "ms", "");
    measure(db, n);
    db_close(db);
    if (!stat(path, &st))
        row("the database", (double)st.st_size / (1 << 20), "MiB", "");
    return sys_remove_all(dir, &err) != 0;
}
