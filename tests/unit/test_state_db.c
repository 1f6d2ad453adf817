/* state: opening, upgrading, locking, and a disk that is full. SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "state/ballast.h"
#include "state/lock.h"
#include "state/migrate.h"
#include "state/outbox.h"
#include "test_state_given.h"

static void test_a_state_keeps_its_installation(void **state)
{
    struct given *g = *state;
    struct db *other = NULL;
    const struct db_birth birth = { .time_ms = GIVEN_MS + 5,
                                    .installation = S("018bcfe5-6800-7000-8000-00000000ffff") };

    db_close(TAKE(g->db));
    expect_ok(g, db_create(g->path, &birth, &other, &g->err));
    assert_string_equal(db_installation(other).p, "018bcfe5-6800-7000-8000-000000000001");
    expect_ok(g, db_check(other, &g->err));
    db_close(other);
    given_open(g);
    assert_int_equal(given_count(g, "SELECT count(*) FROM events"), 1);
}

static void test_a_new_installation_is_a_uuid(void **state)
{
    struct given *g = *state;
    char path[80];
    struct db *other = NULL;

    (void)snprintf(path, sizeof(path), "%s/other.db", g->dir);
    expect_ok(g, db_open(path, DB_WRITE, &other, &g->err));
    assert_int_equal(db_installation(other).n, 36);
    db_close(other);
}

static void test_files_that_are_not_ours_are_refused(void **state)
{
    struct given *g = *state;
    char path[80];
    struct db *db = NULL;
    sqlite3 *raw = NULL;

    (void)snprintf(path, sizeof(path), "%s/no.db", g->dir);
    expect_code(g, db_open(path, DB_READ, &db, &g->err), ERR_NOT_FOUND);
    assert_false(sys_exists(path));
    assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(raw);
    expect_code(g, db_open(path, DB_WRITE, &db, &g->err), ERR_REFUSED);
    expect_ok(g, sys_write_file(path, 0600,
                                S("not a database, but longer than its header is: "
                                  "a hundred bytes of text that nobody can read"),
                                &g->err));
    expect_code(g, db_open(path, DB_WRITE, &db, &g->err), ERR_CORRUPT);
    assert_null(db);
}

static void test_a_reader_cannot_write_and_sees_one_view(void **state)
{
    struct given *g = *state;
    struct db *reader = NULL;
    struct digest hash;
    int64_t seq;

    expect_ok(g, db_open(g->path, DB_READ, &reader, &g->err));
    assert_int_not_equal(sqlite3_exec(reader->handle, "DELETE FROM meta", NULL, NULL, NULL),
                         SQLITE_OK);
    expect_ok(g, db_view_begin(reader, &g->err));
    expect_ok(g, events_head(reader, &seq, &hash, &g->err));
    given_put(g, REC_meta, &(struct rec_meta){ .k = S("k"), .v = S("1") });
    expect_ok(g, events_head(reader, &seq, &hash, &g->err));
    assert_int_equal(seq, 1);
    db_view_end(reader);
    expect_ok(g, events_head(reader, &seq, &hash, &g->err));
    assert_int_equal(seq, 2);
    db_close(reader);
}

static const struct migration wider[] = {
    { 4, 1, NULL },
    { 5, 1, "ALTER TABLE holds ADD COLUMN extra TEXT" },
    { 6, 1, "CREATE TABLE extras (a TEXT NOT NULL PRIMARY KEY) STRICT" },
};
static const struct migration closing[] = {
    { 4, 1, NULL },
    { 5, 5, "ALTER TABLE holds ADD COLUMN extra TEXT" },
};
static const struct db_birth later = { .time_ms = GIVEN_MS + 1000 };

static void test_an_upgrade_keeps_a_copy_and_is_an_event(void **state)
{
    struct given *g = *state;
    char copy[80];
    struct event e;
    struct db *old = NULL;
    struct digest hash;
    struct str v;
    int64_t n;

    given_put(g, REC_meta, &(struct rec_meta){ .k = S("k"), .v = S("1") });
    (void)snprintf(copy, sizeof(copy), "%s.v4", g->path);
    expect_ok(g, sys_write_file(copy, 0600, S("of an attempt that failed"), &g->err));
    expect_ok(g, migrate_run(g->db, g->path, wider, 3, &later, &g->err));
    expect_ok(g, events_get(g->db, &g->a, 3, &e, &g->err));
    assert_string_equal(e.kind.p, "state.migrated");
    assert_string_equal(e.body.p, "{\"notes\":{\"from\":4,\"to\":6},\"rows\":{\"meta\":["
                                  "{\"k\":\"schema\",\"v\":\"6\"},"
                                  "{\"k\":\"min_reader\",\"v\":\"1\"}]}}");
    expect_ok(g, db_meta(g->db, &g->a, S("schema"), &v, &g->err));
    assert_string_equal(v.p, "6");
    expect_ok(g, replay_verify(g->db, &n, &g->err));

    /* the copy is the state as it was */
    expect_ok(g, db_open(copy, DB_READ, &old, &g->err));
    expect_ok(g, events_verify(old, &n, &g->err));
    expect_ok(g, events_head(old, &n, &hash, &g->err));
    assert_int_equal(n, 2);
    db_close(old);

    /* the program of the version before still opens it, reads and writes; nothing is done twice */
    given_reopen(g);
    given_put(g, REC_hold, &(struct rec_hold){ .uid = S("h"), .until_ms = REC_NONE });
    expect_ok(g, migrate_run(g->db, g->path, wider, 3, &later, &g->err));
    assert_int_equal(given_count(g, "SELECT count(*) FROM events"), 4);
    expect_ok(g, replay_verify(g->db, &n, &g->err));
}

static void test_a_state_that_is_too_new_is_refused(void **state)
{
    struct given *g = *state;
    struct db *db = NULL;

    expect_ok(g, migrate_run(g->db, g->path, closing, 2, &later, &g->err));
    db_close(TAKE(g->db));
    expect_code(g, db_open(g->path, DB_WRITE, &db, &g->err), ERR_REFUSED);
    assert_non_null(strstr(g->err.text, "was written by a newer reeve"));
    expect_code(g, db_open(g->path, DB_READ, &db, &g->err), ERR_REFUSED);
}

static void test_a_reader_leaves_upgrades_to_the_daemon(void **state)
{
    struct given *g = *state;
    struct db *reader = NULL;

    expect_ok(g, db_open(g->path, DB_READ, &reader, &g->err));
    expect_code(g, migrate_run(reader, g->path, wider, 3, &later, &g->err), ERR_CONFLICT);
    db_close(reader);
}

static void test_a_failed_upgrade_changes_nothing(void **state)
{
    struct given *g = *state;
    static const struct migration broken[] = {
        { 4, 1, NULL },
        { 5, 1, "ALTER TABLE holds ADD COLUMN extra TEXT" },
        { 6, 1, "CREATE TABLE holds (a)" },
    };
    struct str v;

    assert_int_not_equal(migrate_run(g->db, g->path, broken, 3, &later, &g->err), 0);
    expect_ok(g, db_meta(g->db, &g->a, S("schema"), &v, &g->err));
    assert_string_equal(v.p, "4");
    assert_int_equal(
        given_count(g, "SELECT count(*) FROM pragma_table_info('holds') WHERE name = 'extra'"), 0);
    given_put(g, REC_meta, &(struct rec_meta){ .k = S("k"), .v = S("1") });
}

/* What later versions added is taken away. */
static void given_version_1(struct given *g)
{
    static const char *const gone[] = {
        "DROP INDEX plans_standing",
        "DROP INDEX operations_of_env",
        "DROP INDEX outbox_waiting",
        "DROP INDEX outbox_done",
        "DROP INDEX outbox_of_env",
        "ALTER TABLE outbox DROP COLUMN env",
        "ALTER TABLE outbox DROP COLUMN word",
        "ALTER TABLE outbox DROP COLUMN made_ms",
        "ALTER TABLE outbox DROP COLUMN done_ms",
        "ALTER TABLE outbox DROP COLUMN outcome",
        "ALTER TABLE outbox DROP COLUMN error",
        "ALTER TABLE outbox DROP COLUMN digest",
        "ALTER TABLE anchors DROP COLUMN at_ms",
        "ALTER TABLE anchors DROP COLUMN proof",
    };

    given_put(g, REC_meta, &(struct rec_meta){ .k = S("schema"), .v = S("1") });
    for (size_t i = 0; i < N_ELEMENTS(gone); i++)
        expect_ok(g, db_exec(g->db, gone[i], &g->err));
}

static void test_version_1_is_upgraded(void **state)
{
    struct given *g = *state;
    struct rec_anchor anchor = { .seq = 1, .place = S("file:///x"), .proof = STR_NONE };
    struct rec_outbox *rows;
    struct str v;
    int64_t n;
    size_t found;

    given_version_1(g);
    given_reopen(g);
    expect_ok(g, db_meta(g->db, &g->a, S("schema"), &v, &g->err));
    assert_string_equal(v.p, "4");
    assert_int_equal(given_count(g, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'outbox%'"),
                     6);
    given_put(g, REC_outbox,
              &(struct rec_outbox){
                  .uid = S("u"), .target = S("t"), .done_seq = REC_NONE, .done_ms = REC_NONE });
    expect_ok(g, outbox_waiting_for(g->db, &g->a, S("t"), 9, &rows, &found, &g->err));
    assert_int_equal(found, 1);
    given_put(g, REC_anchor, &anchor);
    expect_ok(g, db_get(g->db, &g->a, REC_anchor, &anchor, &g->err));
    expect_ok(g, replay_verify(g->db, &n, &g->err));
    given_reopen(g); /* once */
    assert_int_equal(given_count(g, "SELECT count(*) FROM events WHERE kind = 'state.migrated'"),
                     1);
}

/* A child tries; the answer is its exit status. */
static int in_child(struct given *g, int (*try)(struct given *g))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid)
        _exit(try(g));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int try_lock(struct given *g)
{
    struct lock lock = { .fd = -1 };
    int rc = lock_take(g->path, "reeve once, pid 2, host web1", &lock, &g->err);

    lock_release(&lock);
    if (rc == ERR_LOCKED && !strstr(g->err.text, "is held by reeve serve, pid 1, host web1"))
        return 99;
    return -rc;
}

static void test_the_lock_names_its_holder(void **state)
{
    struct given *g = *state;
    struct lock lock = { .fd = -1 };

    expect_ok(g, lock_take(g->path, "reeve serve, pid 1, host web1", &lock, &g->err));
    assert_int_equal(in_child(g, try_lock), -ERR_LOCKED);
    lock_release(&lock);
    lock_release(&lock);
    lock_release(NULL);
    assert_int_equal(in_child(g, try_lock), 0);
}

/* What a killed daemon has just forked holds its lock, until it is another program. */
static void test_the_lock_of_the_dead_is_waited_for(void **state)
{
    struct given *g = *state;
    struct lock lock = { .fd = -1 };
    pid_t dead = fork(), child;
    int status, held[2];
    char holder[64], byte;

    assert_true(dead >= 0);
    if (!dead)
        _exit(0);
    assert_int_equal(waitpid(dead, &status, 0), dead);
    (void)snprintf(holder, sizeof(holder), "reeve serve, pid %d, host web1", (int)dead);
    assert_int_equal(pipe(held), 0);
    child = fork();
    assert_true(child >= 0);
    if (!child) {
        int rc = lock_take(g->path, holder, &lock, &g->err);

        (void)!write(held[1], "h", 1);
        (void)poll(NULL, 0, 100); /* is exec */
        _exit(-rc);
    }
    assert_int_equal(read(held[0], &byte, 1), 1);
    expect_ok(g, lock_take(g->path, "reeve serve, pid 1, host web1", &lock, &g->err));
    lock_release(&lock);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    (void)close(held[0]);
    (void)close(held[1]);
}

static void test_ballast_is_kept_and_dropped(void **state)
{
    struct given *g = *state;
    char path[80];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s.ballast", g->path);
    assert_false(ballast_is_there(g->path));
    expect_ok(g, ballast_make(g->path, &g->err));
    expect_ok(g, ballast_make(g->path, &g->err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, BALLAST_BYTES);
    assert_true(st.st_blocks * 512 >= BALLAST_BYTES);
    assert_true(ballast_is_there(g->path));
    expect_ok(g, ballast_remove(g->path, &g->err));
    expect_ok(g, ballast_remove(g->path, &g->err));
    assert_false(ballast_is_there(g->path));
}

/* Write until something says no; what it was, and the bytes written before. */
static int write_until_full(struct given *g)
{
    struct rec_meta row = { .k = S("big") };
    char *big = calloc(1, 200001);
    int rc = 0;

    memset(big, 'x', 200000);
    row.v = (struct str){ big, 200000 };
    for (int i = 0; i < 1000 && !rc; i++) {
        const struct tx_head head = given_head("test.fill");
        struct tx *tx = NULL;

        row.k = str_fmt(&g->a, "big%d", i);
        rc = db_batch_begin(g->db, &g->err);
        if (rc)
            break;
        rc = tx_begin(g->db, &head, &tx, &g->err);
        if (!rc) {
            rc = tx_put(tx, REC_meta, &row, &g->err);
            if (rc)
                tx_rollback(tx);
            else
                rc = tx_commit(tx, &g->err);
        }
        if (rc) { /* whatever it says: the batch must not look committed with half an event */
            struct err err = ERR_INIT;

            (void)db_batch_commit(g->db, &err);
        } else {
            rc = db_batch_commit(g->db, &g->err);
        }
    }
    free(big);
    return rc;
}

static void expect_readable_and_then_writable(struct given *g)
{
    int64_t n;

    expect_ok(g, events_verify(g->db, &n, &g->err));
    assert_true(n > 1);
    expect_ok(g, replay_verify(g->db, &n, &g->err));
    given_reopen(g);
    given_put(g, REC_meta, &(struct rec_meta){ .k = S("after"), .v = S("1") });
    expect_ok(g, replay_verify(g->db, &n, &g->err));
}

static void test_a_full_database_is_said_and_stays_readable(void **state)
{
    struct given *g = *state;

    expect_ok(g, db_exec(g->db, "PRAGMA max_page_count = 600", &g->err));
    expect_code(g, write_until_full(g), ERR_FULL);
    assert_int_equal(err_class(ERR_FULL), ERR_CLASS_WAIT);
    expect_readable_and_then_writable(g);
}

/* A real write(2) that fails: a limit on the size of files. */
static int try_fill(struct given *g)
{
    const struct rlimit limit = { 3 << 20, 3 << 20 };
    int64_t n;

    (void)signal(SIGXFSZ, SIG_IGN);
    db_close(TAKE(g->db));
    given_open(g);
    if (setrlimit(RLIMIT_FSIZE, &limit))
        return 98;
    if (write_until_full(g) != ERR_FULL)
        return 97;
    if (events_verify(g->db, &n, &g->err) || n < 2 || replay_verify(g->db, &n, &g->err))
        return 96;
    db_close(TAKE(g->db));
    return 0;
}

static void test_a_full_disk_is_said_and_stays_readable(void **state)
{
    struct given *g = *state;

    db_close(TAKE(g->db));
    assert_int_equal(in_child(g, try_fill), 0);
    given_open(g);
    expect_readable_and_then_writable(g);
}

static void test_a_batch_that_sqlite_gave_up_is_not_committed(void **state)
{
    struct given *g = *state;
    struct rec_meta row = { .k = S("k"), .v = S("1") };
    struct tx *tx;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "test.lost");
    expect_ok(g, tx_put(tx, REC_meta, &row, &g->err));
    (void)sqlite3_exec(g->db->handle, "ROLLBACK", NULL, NULL, NULL); /* as on some failures */
    assert_int_not_equal(tx_commit(tx, &g->err), 0);
    assert_int_not_equal(db_batch_commit(g->db, &g->err), 0);
    assert_int_equal(given_count(g, "SELECT count(*) FROM events"), 1);
    given_put(g, REC_meta, &row);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, given_state, given_end)

/* Partial indexes must not make SQLite look at what is bound: it would compile at every step. */
static void test_a_question_is_compiled_once(void **state)
{
    struct given *g = *state;
    int n_again = 0;

    for (int i = 0; i < 9; i++) {
        const struct str kind = i % 2 ? S("switch") : S("instance");
        struct rec_operation *operations;
        struct rec_set *sets;
        size_t n;

        expect_ok(g, DB_SELECT(g->db, &g->a, operation,
                               "WHERE env = $1 AND kind = $2 AND name = $3 AND outcome IS NULL",
                               &operations, &n, &g->err, DB_T(S("e")), DB_T(kind), DB_T(S("x"))));
        expect_ok(g, DB_SELECT(g->db, &g->a, set, "WHERE env = $1 AND state = $2", &sets, &n,
                               &g->err, DB_T(S("e")), DB_T(i % 2 ? S("live") : S("previous"))));
    }
    for (sqlite3_stmt *st = sqlite3_next_stmt(g->db->handle, NULL); st;
         st = sqlite3_next_stmt(g->db->handle, st))
        n_again += sqlite3_stmt_status(st, SQLITE_STMTSTATUS_REPREPARE, 0);
    assert_int_equal(n_again, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_a_state_keeps_its_installation),
        UNIT(test_a_new_installation_is_a_uuid),
        UNIT(test_files_that_are_not_ours_are_refused),
        UNIT(test_a_reader_cannot_write_and_sees_one_view),
        UNIT(test_an_upgrade_keeps_a_copy_and_is_an_event),
        UNIT(test_version_1_is_upgraded),
        UNIT(test_a_state_that_is_too_new_is_refused),
        UNIT(test_a_reader_leaves_upgrades_to_the_daemon),
        UNIT(test_a_failed_upgrade_changes_nothing),
        UNIT(test_the_lock_names_its_holder),
        UNIT(test_the_lock_of_the_dead_is_waited_for),
        UNIT(test_ballast_is_kept_and_dropped),
        UNIT(test_a_full_database_is_said_and_stays_readable),
        UNIT(test_a_full_disk_is_said_and_stays_readable),
        UNIT(test_a_batch_that_sqlite_gave_up_is_not_committed),
        UNIT(test_a_question_is_compiled_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
