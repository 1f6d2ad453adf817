/* state: a copy takes what fits its chain, and nothing else. SPDX-License-Identifier: Apache-2.0 */
#include "state/documents.h"
#include "state/replica.h"
#include "state/retain.h"
#include "test_state_given.h"

#define OTHER S("018bcfe5-6800-7000-8000-000000000002")

struct pair { /* the one that is followed, and its copy */
    struct given first;
    struct db *copy;
    char path[64];
};

static void given_event(struct given *g, const char *kind, int seed)
{
    const struct str body = str_fmt(&g->a, "{\"n\":%d}", seed);
    struct digest digest = documents_digest(S("plan"), body);
    union given_record rec;
    struct tx *tx = given_tx(g, kind);

    given_record(g, REC_hold, seed, 0, &rec);
    expect_ok(g, tx_put(tx, REC_hold, &rec, &g->err));
    expect_ok(g, tx_document(tx, S("plan"), &digest, body, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
}

static void given_events(struct given *g, int from, int n)
{
    expect_ok(g, db_batch_begin(g->db, &g->err));
    for (int i = from; i < from + n; i++)
        given_event(g, "test.hold", i);
    expect_ok(g, db_batch_commit(g->db, &g->err));
}

static int64_t copied(struct pair *p)
{
    struct digest hash;
    int64_t seq;

    expect_ok(&p->first, events_head(p->copy, &seq, &hash, &p->first.err));
    return seq;
}

static int add(struct pair *p, const struct replica_page *page)
{
    struct given *g = &p->first;
    int rc;

    expect_ok(g, db_batch_begin(p->copy, &g->err));
    rc = replica_add(p->copy, page, &g->err);
    if (rc)
        db_batch_abandon(p->copy);
    else
        expect_ok(g, db_batch_commit(p->copy, &g->err));
    return rc;
}

static void expect_same(struct pair *p)
{
    struct given *g = &p->first;
    struct digest ours, theirs;
    int64_t seq, n;

    expect_ok(g, events_head(g->db, &seq, &ours, &g->err));
    expect_ok(g, events_head(p->copy, &seq, &theirs, &g->err));
    assert_true(digest_eq(&ours, &theirs));
    expect_ok(g, events_verify(p->copy, &n, &g->err));
    expect_ok(g, replay_verify(p->copy, &n, &g->err));
}

static int given_pair(void **state)
{
    struct pair *p = calloc(1, sizeof(*p));
    struct given *g = &p->first;
    const struct rec_replica row = { S("primary"), S("unix:/x"), S("following"), 1, 2, 3 };
    struct replica_page page;

    (void)snprintf(g->dir, sizeof(g->dir), "/tmp/rstXXXXXX");
    assert_non_null(mkdtemp(g->dir));
    (void)snprintf(g->path, sizeof(g->path), "%s/state.db", g->dir);
    (void)snprintf(p->path, sizeof(p->path), "%s/copy.db", g->dir);
    arena_init(&g->a, 0);
    given_open(g);
    given_events(g, 1, 3);
    expect_ok(g, replica_read(g->db, &g->a, 0, 3, 1 << 20, &page, &g->err));
    expect_ok(g, replica_open(p->path, &page, &row, &p->copy, &g->err));
    *state = p;
    return 0;
}

static int end_pair(void **state)
{
    struct pair *p = *state;

    db_close(p->copy);
    db_close(p->first.db);
    arena_fini(&p->first.a);
    expect_ok(&p->first, sys_remove_all(p->first.dir, &p->first.err));
    free(p);
    return 0;
}

static void test_a_copy_begins_with_the_first_event(void **state)
{
    struct pair *p = *state;
    struct given *g = &p->first;
    struct replica_page page;
    struct rec_replica row;

    assert_int_equal(copied(p), 3);
    expect_ok(g, replica_row(p->copy, &g->a, &row, &g->err));
    assert_true(str_eq_c(row.state, "following"));
    expect_ok(g, replica_read(g->db, &g->a, 3, 100, 1 << 20, &page, &g->err));
    assert_int_equal(page.n_events, 1);
    assert_int_equal(page.n_documents, 1);
    expect_ok(g, add(p, &page));
    expect_same(p);
}

/* What is asked for twice, as after a death before the answer was committed, is taken once. */
static void test_what_is_known_is_passed_over(void **state)
{
    struct pair *p = *state;
    struct given *g = &p->first;
    struct replica_page page;

    given_events(g, 4, 3);
    expect_ok(g, replica_read(g->db, &g->a, 1, 100, 1 << 20, &page, &g->err));
    expect_ok(g, add(p, &page));
    expect_ok(g, add(p, &page));
    expect_same(p);
}

/* At least one event, however long; never more than was asked for. */
static void test_pages_are_limited(void **state)
{
    struct pair *p = *state;
    struct given *g = &p->first;
    struct replica_page page;

    given_events(g, 4, 5);
    expect_ok(g, replica_read(g->db, &g->a, 3, 2, 1 << 20, &page, &g->err));
    assert_int_equal(page.n_events, 2);
    expect_ok(g, replica_read(g->db, &g->a, 3, 100, 1, &page, &g->err));
    assert_int_equal(page.n_events, 1);
    expect_ok(g, replica_read(g->db, &g->a, 3, 0, 1, &page, &g->err));
    assert_int_equal(page.n_events, 0);
    assert_int_equal(page.head_seq, 9);
}

/* --- what is refused ----------------------------------------------------------------------------- */

static struct event *copy_of(struct given *g, const struct event *from, size_t n)
{
    struct event *list = arena_new_n(&g->a, struct event, n);

    memcpy(list, from, n * sizeof(*list));
    return list;
}

/* The chain of one that lies: every hash fits what it says. */
static void rehash(struct replica_page *page, size_t from)
{
    for (size_t i = from; i < page->n_events; i++) {
        struct event *e = &page->events[i];

        if (i)
            e->prev_hash = page->events[i - 1].hash;
        e->body_hash = hash_bytes(e->body);
        e->hash = events_hash(page->installation, e);
    }
}

enum harm {
    TORN,
    NO_BODY,
    WRONG_HASH,
    LAST_HASH,
    WRONG_BODY,
    BODY_OF_NO_ROWS,
    GAP_INSIDE,
    GAP_BEFORE,
    SWAPPED,
    OTHER_INSTALLATION,
    OTHER_PAST,
    OLDER,
    NO_DOCUMENT,
    OTHER_DOCUMENT,
    TIME_BACK,
};

static void do_harm(struct given *g, struct replica_page *page, enum harm harm)
{
    struct event *e = page->events;

    switch (harm) {
    case TORN:
        e[2].body = str_slice(e[2].body, 0, e[2].body.n / 2);
        break;
    case NO_BODY:
        e[1].body = STR_NONE;
        break;
    case WRONG_HASH:
        e[1].hash.b[7] ^= 1;
        break;
    case LAST_HASH:
        e[page->n_events - 1].hash.b[7] ^= 1;
        break;
    case WRONG_BODY:
        e[1].body = e[2].body;
        break;
    case BODY_OF_NO_ROWS:
        e[1].body = S("{\"rows\":{\"holds\":[{\"uid\":1}]}}");
        rehash(page, 1);
        break;
    case GAP_INSIDE:
        e[1] = e[2];
        page->n_events = 2;
        break;
    case GAP_BEFORE:
        page->after_seq += 1;
        page->events++;
        page->n_events--;
        break;
    case SWAPPED:
        e[0] = e[1];
        e[1] = page->events[2];
        break;
    case OTHER_INSTALLATION:
        page->installation = OTHER;
        break;
    case OTHER_PAST:
        page->after_hash.b[0] ^= 1;
        break;
    case OLDER:
        page->head_seq = 2;
        break;
    case NO_DOCUMENT:
        page->n_documents = 1;
        break;
    case OTHER_DOCUMENT:
        page->documents[1].body = S("{\"n\":99}");
        break;
    case TIME_BACK:
        e[2].time_ms = 1;
        rehash(page, 2);
        break;
    }
    (void)g;
}

/* clang-format off */
static const struct { enum harm harm; int code; const char *what; } harms[] = {
    { TORN,               ERR_CORRUPT,  "event 6: column 'body' does not fit the other" },
    { NO_BODY,            ERR_CONFLICT, "event 5: its body was removed there before it was copied" },
    { WRONG_HASH,         ERR_CORRUPT,  "event 5: column 'hash' was changed" },
    { LAST_HASH,          ERR_CORRUPT,  "event 6: column 'hash' is not that of the other columns" },
    { WRONG_BODY,         ERR_CORRUPT,  "event 5: column 'body' does not fit the other" },
    { BODY_OF_NO_ROWS,    ERR_CORRUPT,  "replay event 5" },
    { GAP_INSIDE,         ERR_CORRUPT,  "event 5 is missing" },
    { GAP_BEFORE,         ERR_CORRUPT,  "events 4 to 4 are missing" },
    { SWAPPED,            ERR_CORRUPT,  "event 4 is missing" },
    { OTHER_INSTALLATION, ERR_CONFLICT, "of installation 018bcfe5-6800-7000-8000-000000000002" },
    { OTHER_PAST,         ERR_CONFLICT, "event 3 is another one" },
    { OLDER,              ERR_CONFLICT, "it is an older one" },
    { NO_DOCUMENT,        ERR_CORRUPT,  "event 5: a document that it names is missing" },
    { OTHER_DOCUMENT,     ERR_CORRUPT,  "event 5: a document that it names does not have its digest" },
    { TIME_BACK,          ERR_CORRUPT,  "event 6: column 'time_ms' lies before" },
};
/* clang-format on */

/* Nothing of such a page is kept, and the right one is taken after it. */
static void test_what_does_not_fit_is_refused_whole(void **state)
{
    struct pair *p = *state;
    struct given *g = &p->first;
    struct replica_page page, harmed;
    int rc;

    given_events(g, 4, 2);
    expect_ok(g, replica_read(g->db, &g->a, 3, 100, 1 << 20, &page, &g->err));
    assert_int_equal(page.n_events, 3);
    for (size_t i = 0; i < N_ELEMENTS(harms); i++) {
        harmed = page;
        harmed.events = copy_of(g, page.events, page.n_events);
        harmed.documents = arena_new_n(&g->a, struct replica_document, page.n_documents);
        memcpy(harmed.documents, page.documents, page.n_documents * sizeof(*page.documents));
        do_harm(g, &harmed, harms[i].harm);
        g->err = ERR_INIT;
        rc = add(p, &harmed);
        if (rc != harms[i].code)
            fail_msg("harm %d: %s: %s", (int)harms[i].harm, err_name(rc), g->err.text);
        if (!strstr(g->err.text, harms[i].what))
            fail_msg("'%s' is not in: %s", harms[i].what, g->err.text);
        assert_int_equal(copied(p), 3);
    }
    expect_ok(g, add(p, &page));
    expect_same(p);
}

/* A first page that does not verify leaves no database behind. */
static void test_no_copy_begins_with_a_lie(void **state)
{
    struct pair *p = *state;
    struct given *g = &p->first;
    const struct rec_replica row = { S("primary"), S("unix:/x"), S("following"), 1, 2, 3 };
    const char *path = str_fmt(&g->a, "%s/none.db", g->dir).p;
    struct replica_page page;
    struct db *db = NULL;

    expect_ok(g, replica_read(g->db, &g->a, 0, 100, 1 << 20, &page, &g->err));
    page.events[2].hash.b[0] ^= 1;
    expect_code(g, replica_open(path, &page, &row, &db, &g->err), ERR_CORRUPT);
    page.events[2].hash.b[0] ^= 1;
    expect_ok(g, replica_open(path, &page, &row, &db, &g->err));
    db_close(db);
}

/* --- where old bodies were removed --------------------------------------------------------------- */

/* Of events 1 to 5 what they wrote is gone; a snapshot begins with the sixth, two more events come after it. */
static int64_t given_removed(struct pair *p)
{
    struct given *g = &p->first;
    const struct tx_head head = given_head("");
    int64_t snapshot, n;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    for (int i = 4; i < 200; i++) /* a page of 64 KiB does not hold them */
        given_event(g, "test.hold", i);
    expect_ok(g, retain_snapshot(g->db, &head, &g->err));
    expect_ok(g, retain_newest(g->db, INT64_MAX, &snapshot, &g->err));
    expect_ok(g, retain_drop(g->db, INT64_MAX, &n, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));
    given_events(g, 200, 2);
    return snapshot;
}

static int open_anew(struct pair *p, const struct replica_page *page)
{
    struct given *g = &p->first;
    const struct rec_replica row = { S("primary"), S("unix:/x"), S("following"), 1, 2, 3 };

    db_close(p->copy);
    p->copy = NULL;
    expect_ok(g, sys_remove_all(p->path, &g->err));
    expect_ok(g, sys_remove_all(str_fmt(&g->a, "%s-wal", p->path).p, &g->err));
    expect_ok(g, sys_remove_all(str_fmt(&g->a, "%s-shm", p->path).p, &g->err));
    return replica_open(p->path, page, &row, &p->copy, &g->err);
}

static int is_whole(struct pair *p)
{
    int is;

    expect_ok(&p->first, replica_is_whole(p->copy, &is, &p->first.err));
    return is;
}

/* As a standby does that dies behind every page. */
static void reopen_copy(struct pair *p)
{
    struct given *g = &p->first;

    db_close(p->copy);
    expect_ok(g, db_open(p->path, DB_WRITE, &p->copy, &g->err));
    assert_true(str_eq(db_installation(p->copy), db_installation(g->db)));
}

static void test_a_copy_begins_with_a_snapshot(void **state)
{
    static const int limits[] = { 1000, 150, 7, 1 };
    struct pair *p = *state;
    struct given *g = &p->first;
    int64_t snapshot = given_removed(p), head;
    struct replica_page page;
    struct digest hash;

    expect_ok(g, events_head(g->db, &head, &hash, &g->err));
    for (size_t i = 0; i < N_ELEMENTS(limits); i++) {
        expect_ok(g, replica_read(g->db, &g->a, 0, limits[i], 1 << 20, &page, &g->err));
        assert_null(page.events[0].body.p);
        expect_ok(g, open_anew(p, &page));
        while (copied(p) < head) {
            assert_int_equal(is_whole(p), copied(p) > snapshot);
            reopen_copy(p);
            expect_ok(g, replica_read(g->db, &g->a, copied(p), limits[i], 1 << 20, &page, &g->err));
            expect_ok(g, add(p, &page));
        }
        assert_true(is_whole(p));
        expect_same(p);
    }
    given_events(g, 300, 3); /* and goes on as any other */
    expect_ok(g, replica_read(g->db, &g->a, head, 100, 1 << 20, &page, &g->err));
    expect_ok(g, add(p, &page));
    expect_same(p);
}

/* A copy of a copy that began so. */
static void test_it_is_handed_on_as_it_came(void **state)
{
    struct pair *p = *state;
    struct given *g = &p->first;
    const char *path = str_fmt(&g->a, "%s/third.db", g->dir).p;
    const struct rec_replica row = { S("primary"), S("unix:/y"), S("following"), 1, 2, 3 };
    struct replica_page page;
    struct db *third;
    int64_t n;

    (void)given_removed(p);
    expect_ok(g, replica_read(g->db, &g->a, 0, 1000, 1 << 20, &page, &g->err));
    expect_ok(g, open_anew(p, &page));
    expect_ok(g, replica_read(p->copy, &g->a, 0, 1000, 1 << 20, &page, &g->err));
    expect_ok(g, replica_open(path, &page, &row, &third, &g->err));
    expect_ok(g, replay_verify(third, &n, &g->err));
    expect_ok(g, events_verify(third, &n, &g->err));
    db_close(third);
}

/* It has bodies that are gone there: it keeps them, and says what is to be done. */
static void test_who_was_away_too_long_gives_nothing_up(void **state)
{
    struct pair *p = *state;
    struct given *g = &p->first;
    struct replica_page page;

    (void)given_removed(p);
    expect_ok(g, replica_read(g->db, &g->a, 3, 1000, 1 << 20, &page, &g->err));
    expect_code(g, add(p, &page), ERR_CONFLICT);
    assert_non_null(strstr(g->err.text, "put the copy aside, and it is copied anew"));
    assert_int_equal(copied(p), 3);
}

enum bare_harm {
    FLIPPED_BEFORE, /* a byte, as the hash was */
    FLIPPED_IN,
    FLIPPED_AFTER,
    REMOVED_BEFORE,
    SWAPPED_BEFORE,
    ROW_OF_SNAPSHOT,
    BODY_OF_SNAPSHOT,
    BODY_AFTER,
    NO_SNAPSHOT,
    CUT_IN_SNAPSHOT,
};

/* clang-format off */
static const struct { enum bare_harm harm; int code; const char *what; } bare_harms[] = {
    { FLIPPED_BEFORE,   ERR_CORRUPT,  "event 2: column 'hash' is not that of the other columns" },
    { FLIPPED_IN,       ERR_CORRUPT,  "column 'hash' is not that of the other columns" },
    { FLIPPED_AFTER,    ERR_CORRUPT,  "column 'hash' is not that of the other columns" },
    { REMOVED_BEFORE,   ERR_CORRUPT,  "event 2 is missing" },
    { SWAPPED_BEFORE,   ERR_CORRUPT,  "event 2 is missing" },
    { ROW_OF_SNAPSHOT,  ERR_CORRUPT,  "column 'body' does not fit the other" },
    { BODY_OF_SNAPSHOT, ERR_CORRUPT,  "no snapshot says what they were" },
    { BODY_AFTER,       ERR_CONFLICT, "its body was removed there" },
    { NO_SNAPSHOT,      ERR_CORRUPT,  "no snapshot says what they were" },
    { CUT_IN_SNAPSHOT,  ERR_CORRUPT,  "no snapshot says what they were" },
};
/* clang-format on */

static void do_bare_harm(struct given *g, struct replica_page *page, int64_t snapshot,
                         enum bare_harm harm)
{
    struct event *e = page->events, *snap = &e[snapshot - 1], first = e[1];

    switch (harm) {
    case FLIPPED_BEFORE:
        e[1].actor = S("mallory");
        break;
    case FLIPPED_IN:
        snap->subject = S("mallory");
        break;
    case FLIPPED_AFTER:
        e[page->n_events - 1].cause = S("mallory");
        break;
    case REMOVED_BEFORE:
        memmove(&e[1], &e[2], (--page->n_events - 1) * sizeof(*e));
        break;
    case SWAPPED_BEFORE:
        e[1] = e[2];
        e[2] = first;
        break;
    case ROW_OF_SNAPSHOT:
        snap->body = str_fmt(&g->a, "%.*s ", STR_ARG(snap->body));
        break;
    case BODY_OF_SNAPSHOT:
        snap->body = STR_NONE;
        break;
    case BODY_AFTER:
        e[page->n_events - 1].body = STR_NONE;
        break;
    case NO_SNAPSHOT:
        for (size_t i = 0; i + 1 < page->n_events; i++)
            e[i].body = STR_NONE;
        break;
    case CUT_IN_SNAPSHOT:
        page->head_seq = snapshot;
        page->n_events = (size_t)snapshot;
        break;
    }
}

static void test_no_copy_begins_with_a_snapshot_that_lies(void **state)
{
    struct pair *p = *state;
    struct given *g = &p->first;
    int64_t snapshot = given_removed(p);
    struct replica_page page, harmed;
    int rc;

    expect_ok(g, replica_read(g->db, &g->a, 0, 1000, 1 << 20, &page, &g->err));
    for (size_t i = 0; i < N_ELEMENTS(bare_harms); i++) {
        harmed = page;
        harmed.events = copy_of(g, page.events, page.n_events);
        do_bare_harm(g, &harmed, snapshot, bare_harms[i].harm);
        g->err = ERR_INIT;
        rc = open_anew(p, &harmed);
        if (rc != bare_harms[i].code)
            fail_msg("harm %d: %s: %s", (int)bare_harms[i].harm, err_name(rc), g->err.text);
        if (!strstr(g->err.text, bare_harms[i].what))
            fail_msg("'%s' is not in: %s", bare_harms[i].what, g->err.text);
    }
    expect_ok(g, open_anew(p, &page));
    expect_same(p);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, given_pair, end_pair)
    const struct CMUnitTest tests[] = {
        TEST(test_a_copy_begins_with_the_first_event),
        TEST(test_what_is_known_is_passed_over),
        TEST(test_pages_are_limited),
        TEST(test_what_does_not_fit_is_refused_whole),
        TEST(test_no_copy_begins_with_a_lie),
        TEST(test_a_copy_begins_with_a_snapshot),
        TEST(test_it_is_handed_on_as_it_came),
        TEST(test_who_was_away_too_long_gives_nothing_up),
        TEST(test_no_copy_begins_with_a_snapshot_that_lies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
