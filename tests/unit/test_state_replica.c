/* state: a copy takes what fits its chain, and nothing else. SPDX-License-Identifier: Apache-2.0 */
#include "state/documents.h"
#include "state/replica.h"
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
    { NO_BODY,            ERR_CORRUPT,  "event 5: column 'body' is missing" },
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

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, given_pair, end_pair)
    const struct CMUnitTest tests[] = {
        TEST(test_a_copy_begins_with_the_first_event),
        TEST(test_what_is_known_is_passed_over),
        TEST(test_pages_are_limited),
        TEST(test_what_does_not_fit_is_refused_whole),
        TEST(test_no_copy_begins_with_a_lie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
