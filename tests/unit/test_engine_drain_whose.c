/* engine: whose an output is, asked before all of it is committed, and what is sent of it then. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/drain_batch.h"
#include "reconciler/engine/drain_whose.h"
#include "specs/digest.h"
#include "specs/json_io.h"
#include "tests/unit/test_state_given.h"

#define OWNER "rv1aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SPEC                                                                                       \
    "{\"about\":{\"type\":\"instance\",\"name\":\"web@0123456789ab.0\",\"label\":{\"env_uid\":"    \
    "\"e1\"}}}"
#define RUNS "{\"command\":[\"/bin/web\"]}"

static void write_file(struct given *g, const char *path, const char *text)
{
    const char *full = str_fmt(&g->a, "%s/%s", g->dir, path).p;

    expect_ok(g, sys_write_file(full, 0600, str_from_c(text), &g->err));
}

static struct value *parsed(struct given *g, struct str text)
{
    struct value *v = NULL;

    expect_ok(g, json_parse(&g->a, text, 1 << 16, &v, &g->err));
    return v;
}

/* One instance that has printed a line; `services` are those of the drain. */
static void given_printed(struct given *g, struct drain_tails *d, const char *services)
{
    const char *run = str_fmt(&g->a, "%s/run/" OWNER, g->dir).p;
    struct str daemon = str_fmt(&g->a,
                                "{\"state\":{\"file\":\"%s/state.db\"},\"providers\":{\"local\":"
                                "{\"driver\":\"process\",\"directory\":\"%s\"}}}",
                                g->dir, g->dir);

    expect_ok(g, sys_mkdir_all(run, 0700, &g->err));
    write_file(g, "run/" OWNER "/spec.json", SPEC);
    write_file(g, "run/" OWNER "/log", "a line of web\n");
    *d = (struct drain_tails){
        .name = S("archive"),
        .config = parsed(g, str_fmt(&g->a, "{\"services\":[\"%s\"]}", services)),
        .daemon = parsed(g, daemon),
        .dir = str_fmt(&g->a, "%s/drains", g->dir).p,
        .host = S("here"),
    };
}

static void given_environment(struct given *g)
{
    given_put(g, REC_source,
              &(struct rec_source){ .name = S("acme"), .url = S("file:///x"), .error = STR_NONE });
    given_put(g, REC_environment,
              &(struct rec_environment){ .uid = S("e1"),
                                         .name = S("prod"),
                                         .source = S("acme"),
                                         .branch = S("main"),
                                         .sync = S("converging"),
                                         .health = S("unknown"),
                                         .reason = S(""),
                                         .deleted_ms = REC_NONE });
}

/* What it was given is committed. */
static void given_instance(struct given *g)
{
    struct value *body = parsed(g, S(RUNS));
    struct rec_resource row = { .env = S("e1"),
                                .kind = S("instance"),
                                .name = S("web@0123456789ab.0"),
                                .incarnation = 1,
                                .provider = S("local"),
                                .owner = S(OWNER),
                                .desired = digest_value(&g->a, S("desired"), body),
                                .outputs = S("{}"),
                                .status = S("ready"),
                                .protect = S(""),
                                .drift = S("{}"),
                                .reason = S("") };
    struct tx *tx;

    expect_ok(g, db_batch_begin(g->db, &g->err));
    tx = given_tx(g, "resource.changed");
    expect_ok(g, tx_document(tx, S("desired"), &row.desired, json_format(&g->a, body), &g->err));
    expect_ok(g, tx_put_resource(tx, &row, &g->err));
    expect_ok(g, tx_commit(tx, &g->err));
    expect_ok(g, db_batch_commit(g->db, &g->err));
}

/* A round of the drain, up to what would be sent. */
static struct drain_batch one_round(struct given *g, struct drain_tails *d)
{
    struct drain_batch batch;

    expect_ok(g, drain_tails_scan(d, &g->a, &g->err));
    expect_ok(g, drain_whose_ask(d, g->db, &g->a, &g->err));
    expect_ok(g, drain_batch_read(d, DRAIN_JSON, &g->a, &batch, &g->err));
    drain_tails_sent(d, &batch, DRAIN_TAKEN);
    return batch;
}

static void expect_sent(struct given *g, struct drain_tails *d, int64_t lines, int64_t withheld)
{
    struct drain_batch batch = one_round(g, d);

    assert_int_equal(batch.lines, lines);
    assert_int_equal(batch.withheld, withheld);
    assert_int_equal(str_find(batch.body, S("a line of web")) != STR_NPOS, lines > 0);
}

static void test_who_prints_before_it_is_committed_is_asked_for_again(void **state)
{
    struct given *g = *state;
    struct drain_tails d;

    given_printed(g, &d, "*");
    expect_sent(g, &d, 0, 0); /* nobody knows its environment */
    given_environment(g);
    for (int i = 0; i < 3; i++)
        expect_sent(g, &d, 0, 0); /* nor what it was given */
    given_instance(g);
    expect_sent(g, &d, 1, 0);
    expect_sent(g, &d, 0, 0); /* once */
    drain_tails_fini(&d);
}

/* Nothing of it is shown: it may have been given anything. */
static void test_who_is_never_committed_is_withheld_in_the_end(void **state)
{
    struct given *g = *state;
    struct drain_tails d;

    given_environment(g);
    given_printed(g, &d, "*");
    for (int i = 1; i < DRAIN_ASK_TIMES; i++)
        expect_sent(g, &d, 0, 0);
    expect_sent(g, &d, 0, 1);
    drain_tails_fini(&d);
}

static void test_whom_the_drain_does_not_want_is_not_asked_for_again(void **state)
{
    struct given *g = *state;
    struct drain_tails d;

    given_environment(g);
    given_instance(g);
    given_printed(g, &d, "api");
    expect_sent(g, &d, 0, 0);
    assert_int_equal(d.first->n_asks, 1);
    write_file(g, "run/" OWNER "/log", "a line of web\na line of web\n");
    expect_sent(g, &d, 0, 0);
    assert_int_equal(d.first->n_asks, 1);
    drain_tails_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_prints_before_it_is_committed_is_asked_for_again,
                                        given_state, given_end),
        cmocka_unit_test_setup_teardown(test_who_is_never_committed_is_withheld_in_the_end,
                                        given_state, given_end),
        cmocka_unit_test_setup_teardown(test_whom_the_drain_does_not_want_is_not_asked_for_again,
                                        given_state, given_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
