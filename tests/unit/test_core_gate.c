/* core/gate: what samples say, one row a situation. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/gate.h"
#include "reconciler/core/latency.h"
#include "tests/unit/test_core_given.h"

#define NOW_MS 100000
#define SAMPLES_MAX 3

static const char ready_need[] = "{\"type\":\"ready\",\"replicas\":1,\"min_healthy_ms\":10000,"
                                 "\"probe\":{\"success_threshold\":3,\"failure_threshold\":3}}";
static const char pair_need[] = "{\"type\":\"ready\",\"replicas\":2,\"min_healthy_ms\":0,"
                                "\"probe\":{\"success_threshold\":1}}";
static const char bare_need[] = "{\"type\":\"ready\",\"replicas\":1}";
static const char bake_need[] =
    "{\"type\":\"bake\",\"members\":[{\"service\":\"api\",\"probe\":{\"failure_threshold\":3},"
    "\"abort_if\":{\"error_rate\":200,\"min_requests\":20,\"restarts\":1}},{\"service\":\"w\"}]}";
static const char slow_need[] =
    "{\"type\":\"bake\",\"members\":[{\"service\":\"api\",\"abort_if\":{\"p95_ms\":500,"
    "\"min_requests\":20}}]}";
static const char recover_need[] = "{\"type\":\"recover\"}";
static const char drained_need[] = "{\"type\":\"drained\"}";
static const char keep_need[] = "{\"type\":\"keep\"}";

/* A new instance and a live one. */
#define NEW(...)                                                                                   \
    {                                                                                              \
        .subject = S_INIT("api@1.0"), .message = S_INIT("m"), __VA_ARGS__                          \
    }
#define LIVE(...)                                                                                  \
    {                                                                                              \
        .subject = S_INIT("api@0.0"), .message = S_INIT("m"), .is_live = 1, __VA_ARGS__            \
    }
#define READY .ok_in_row = 3, .ready_since_ms = NOW_MS - 10000
#define FAILING .failed_in_row = 1, .ready_since_ms = -1

static const struct {
    const char *sentence, *need;
    struct gate_sample samples[SAMPLES_MAX];
    size_t n_samples;
    struct gate_counts counts;
    size_t n_counts;
    const char *latency, *before; /* of the answers */
    int is_over, is_progress_over;
    int64_t calm, n_ended;
    enum gate_opinion_verdict verdict;
    int asks_live;
    const char *reason;
} rows[] = {
    /* ready */
    { "ready long enough", ready_need, .samples = { NEW(READY) }, .n_samples = 1,
      .verdict = OPINION_PASS },
    { "ready, but not for long enough", ready_need,
      .samples = { NEW(.ok_in_row = 3, .ready_since_ms = NOW_MS - 9999) }, .n_samples = 1,
      .verdict = OPINION_WAIT },
    { "not often enough in a row", ready_need,
      .samples = { NEW(.ok_in_row = 2, .ready_since_ms = 0) }, .n_samples = 1,
      .verdict = OPINION_WAIT },
    { "a failing one is waited for", ready_need, .samples = { NEW(FAILING) }, .n_samples = 1,
      .verdict = OPINION_WAIT },
    { "not ready in time, nothing live to ask", ready_need, .samples = { NEW(FAILING) },
      .n_samples = 1, .is_over = 1, .verdict = OPINION_FAIL,
      .reason = "api@1.0 not ready in time: m" },
    { "its provider does not answer: that blames nobody, and is waited for", ready_need,
      .samples = { NEW(FAILING, .is_unknown = 1) }, .n_samples = 1, .is_over = 1,
      .verdict = OPINION_WAIT },
    { "but not for ever", ready_need, .samples = { NEW(FAILING, .is_unknown = 1) }, .n_samples = 1,
      .is_over = 1, .is_progress_over = 1, .verdict = OPINION_OUTAGE,
      .reason = "outage, the provider does not answer: api@1.0 not ready in time: m" },
    { "not ready in time asks the live set first", ready_need,
      .samples = { NEW(FAILING), LIVE(.ready_since_ms = -1) }, .n_samples = 2, .is_over = 1,
      .verdict = OPINION_WAIT, .asks_live = 1 },
    { "not ready in time, the live set serves: its own fault", ready_need,
      .samples = { NEW(FAILING), LIVE(READY) }, .n_samples = 2, .is_over = 1,
      .verdict = OPINION_FAIL, .reason = "api@1.0 not ready in time: m" },
    { "what fails both colours waits for the progress deadline", ready_need,
      .samples = { NEW(FAILING), LIVE(FAILING) }, .n_samples = 2, .is_over = 1,
      .verdict = OPINION_WAIT },
    { "then it is an outage", ready_need, .samples = { NEW(FAILING), LIVE(FAILING) },
      .n_samples = 2, .is_over = 1, .is_progress_over = 1, .verdict = OPINION_OUTAGE,
      .reason = "outage, the live set fails too: api@1.0 not ready in time: m" },
    { "a live set that is gone fails nothing: its own fault", ready_need,
      .samples = { NEW(FAILING), LIVE(FAILING, .is_gone = 1) }, .n_samples = 2, .is_over = 1,
      .verdict = OPINION_FAIL, .reason = "api@1.0 not ready in time: m" },
    { "both are gone: nobody's", ready_need,
      .samples = { NEW(FAILING, .is_gone = 1, .has_exited = 1), LIVE(FAILING, .is_gone = 1) },
      .n_samples = 2, .verdict = OPINION_OUTAGE,
      .reason = "outage, everything is gone: api@1.0 exits before it is ready: m" },
    { "what is left of it is asked", ready_need,
      .samples = { NEW(FAILING), LIVE(FAILING, .is_gone = 1), LIVE(FAILING) }, .n_samples = 3,
      .is_over = 1, .verdict = OPINION_WAIT },
    { "one live instance that serves is no outage", ready_need,
      .samples = { NEW(FAILING), LIVE(FAILING), LIVE(READY) }, .n_samples = 3, .is_over = 1,
      .is_progress_over = 1, .verdict = OPINION_FAIL, .reason = "api@1.0 not ready in time: m" },
    { "an exit before ready is not waited for", ready_need,
      .samples = { NEW(FAILING, .has_exited = 1), LIVE(READY) }, .n_samples = 2,
      .verdict = OPINION_FAIL, .reason = "api@1.0 exits before it is ready: m" },
    { "the third restart before ready is not waited for", ready_need,
      .samples = { NEW(FAILING, .restarts = 3) }, .n_samples = 1, .verdict = OPINION_FAIL,
      .reason = "api@1.0 exits before it is ready: m" },
    { "the second is", ready_need, .samples = { NEW(FAILING, .restarts = 2) }, .n_samples = 1,
      .verdict = OPINION_WAIT },
    { "both of two are ready", pair_need, .samples = { NEW(READY), NEW(READY) }, .n_samples = 2,
      .verdict = OPINION_PASS },
    { "one of two is ready, the other is not", pair_need, .samples = { NEW(READY), NEW(FAILING) },
      .n_samples = 2, .verdict = OPINION_WAIT },
    { "one of two is ready, the other is not there", pair_need, .samples = { NEW(READY) },
      .n_samples = 1, .verdict = OPINION_WAIT },
    { "nor in time", pair_need, .samples = { NEW(READY) }, .n_samples = 1, .is_over = 1,
      .verdict = OPINION_FAIL, .reason = "1 of 2 instances are there" },
    { "nothing is there in time", ready_need, .is_over = 1, .verdict = OPINION_FAIL,
      .reason = "0 of 1 instances are there" },
    { "without a probe three rounds of running are ready", bare_need, .samples = { NEW(READY) },
      .n_samples = 1, .verdict = OPINION_PASS },
    { "without a probe two are not", bare_need,
      .samples = { NEW(.ok_in_row = 2, .ready_since_ms = 0) }, .n_samples = 1,
      .verdict = OPINION_WAIT },
    /* bake */
    { "it bakes", bake_need, .samples = { NEW(READY) }, .n_samples = 1, .verdict = OPINION_WAIT },
    { "it is baked", bake_need, .samples = { NEW(READY) }, .n_samples = 1, .is_over = 1,
      .verdict = OPINION_PASS },
    { "too many errors", bake_need,
      .counts = { .service = S_INIT("api"), .requests = 100, .errors = 3 }, .n_counts = 1,
      .verdict = OPINION_FAIL, .reason = "api: 3.00 % of 100 requests failed, 0.00 % before" },
    { "just as many as allowed", bake_need,
      .counts = { .service = S_INIT("api"), .requests = 100, .errors = 2 }, .n_counts = 1,
      .verdict = OPINION_WAIT },
    { "errors that were there before do not count", bake_need,
      .counts = { S_INIT("api"), 100, 3, 1000, 10, 0 }, .n_counts = 1, .verdict = OPINION_WAIT },
    { "too few requests to judge", bake_need,
      .counts = { .service = S_INIT("api"), .requests = 19, .errors = 19 }, .n_counts = 1,
      .verdict = OPINION_WAIT },
    { "no request at all is no error", bake_need, .counts = { .service = S_INIT("api") },
      .n_counts = 1, .is_over = 1, .verdict = OPINION_PASS },
    { "no limit, no verdict by errors", bake_need,
      .counts = { .service = S_INIT("w"), .requests = 100, .errors = 100 }, .n_counts = 1,
      .verdict = OPINION_WAIT },
    { "too slow: the whole step of the 95th of 100 is above the limit", slow_need,
      .counts = { .service = S_INIT("api") }, .n_counts = 1, .latency = "[[1,2,94],[500,600,6]]",
      .before = "[[2,3,1000]]", .verdict = OPINION_FAIL,
      .reason =
          "api: p95 of 100 answers is 500 to 600 ms, allowed are 500 ms, before it was 2 to 3 ms" },
    { "one in twenty may be slow", slow_need, .counts = { .service = S_INIT("api") }, .n_counts = 1,
      .latency = "[[1,2,95],[500,600,5]]", .verdict = OPINION_WAIT },
    { "a step that the limit lies in or ends is not certain", slow_need,
      .counts = { .service = S_INIT("api") }, .n_counts = 1, .latency = "[[400,500,100]]",
      .verdict = OPINION_WAIT },
    { "too few answers to judge how slow", slow_need, .counts = { .service = S_INIT("api") },
      .n_counts = 1, .latency = "[[60000,0,19]]", .verdict = OPINION_WAIT },
    { "slower than the last step", slow_need, .counts = { .service = S_INIT("api") }, .n_counts = 1,
      .latency = "[[60000,0,20]]", .verdict = OPINION_FAIL,
      .reason =
          "api: p95 of 20 answers is over 60000 ms, allowed are 500 ms, before it was unknown" },
    { "no slower than what served before blames nobody", slow_need,
      .counts = { .service = S_INIT("api") }, .n_counts = 1, .latency = "[[600,750,50]]",
      .before = "[[600,750,50]]", .verdict = OPINION_WAIT },
    { "slow before, and slower now", slow_need, .counts = { .service = S_INIT("api") },
      .n_counts = 1, .latency = "[[750,1000,50]]", .before = "[[600,750,50]]",
      .verdict = OPINION_FAIL,
      .reason = "api: p95 of 50 answers is 750 to 1000 ms, allowed are 500 ms, before it was 600 "
                "to 750 ms" },
    { "too few before to compare with", slow_need, .counts = { .service = S_INIT("api") },
      .n_counts = 1, .latency = "[[600,750,50]]", .before = "[[600,750,19]]",
      .verdict = OPINION_FAIL,
      .reason =
          "api: p95 of 50 answers is 600 to 750 ms, allowed are 500 ms, before it was unknown" },
    { "no limit, no verdict by time", bake_need, .counts = { .service = S_INIT("api") },
      .n_counts = 1, .latency = "[[60000,0,100]]", .verdict = OPINION_WAIT },
    { "too many restarts", bake_need, .samples = { NEW(READY, .restarts = 2) }, .n_samples = 1,
      .verdict = OPINION_FAIL, .reason = "api@1.0 was restarted 2 times" },
    { "as many restarts as allowed", bake_need, .samples = { NEW(READY, .restarts = 1) },
      .n_samples = 1, .verdict = OPINION_WAIT },
    { "not ready any more", bake_need, .samples = { NEW(.failed_in_row = 3, .ready_since_ms = -1) },
      .n_samples = 1, .verdict = OPINION_FAIL, .reason = "api@1.0 is not ready any more: m" },
    { "what serves is gone", bake_need,
      .samples = { NEW(READY), LIVE(.failed_in_row = 3, .ready_since_ms = -1, .is_gone = 1) },
      .n_samples = 2, .verdict = OPINION_OUTAGE,
      .reason = "api@0.0 is gone, and is made again first" },
    { "what serves is gone for a moment", bake_need,
      .samples = { NEW(READY), LIVE(.failed_in_row = 2, .ready_since_ms = -1, .is_gone = 1) },
      .n_samples = 2, .verdict = OPINION_WAIT },
    { "what serves is not ready", bake_need,
      .samples = { NEW(READY), LIVE(.failed_in_row = 3, .ready_since_ms = -1) }, .n_samples = 2,
      .verdict = OPINION_WAIT },
    { "not ready for a moment", bake_need,
      .samples = { NEW(.failed_in_row = 2, .ready_since_ms = -1) }, .n_samples = 1,
      .verdict = OPINION_WAIT },
    { "the end does not wait for a failure to pass", bake_need,
      .samples = { NEW(.failed_in_row = 3, .ready_since_ms = -1) }, .n_samples = 1, .is_over = 1,
      .verdict = OPINION_FAIL, .reason = "api@1.0 is not ready any more: m" },
    /* recover */
    { "what served serves again", recover_need, .samples = { LIVE(.ok_in_row = 1), NEW(FAILING) },
      .n_samples = 2, .verdict = OPINION_PASS },
    { "not yet", recover_need, .samples = { LIVE(FAILING) }, .n_samples = 1,
      .verdict = OPINION_WAIT },
    { "not in time: it was never the new set's fault", recover_need, .samples = { LIVE(FAILING) },
      .n_samples = 1, .is_over = 1, .verdict = OPINION_OUTAGE,
      .reason = "outage, api@0.0 does not recover: m" },
    { "one of two serves again", recover_need, .samples = { LIVE(READY), LIVE(FAILING) },
      .n_samples = 2, .verdict = OPINION_WAIT },
    { "all that is left of them serves", recover_need,
      .samples = { LIVE(READY), LIVE(FAILING, .is_gone = 1) }, .n_samples = 2,
      .verdict = OPINION_PASS },
    { "nothing of it is left, and what was tried is there: its fault", recover_need,
      .samples = { LIVE(FAILING, .is_gone = 1), NEW(FAILING) }, .n_samples = 2,
      .verdict = OPINION_PASS, .reason = "nothing of what served before is left to compare with" },
    { "both are gone: nobody's", recover_need,
      .samples = { LIVE(FAILING, .is_gone = 1), NEW(FAILING, .is_gone = 1) }, .n_samples = 2,
      .verdict = OPINION_OUTAGE, .reason = "outage, everything is gone" },
    { "nothing is there to recover", recover_need, .verdict = OPINION_PASS,
      .reason = "nothing of what served before is left to compare with" },
    /* drained, keep */
    { "calm once", drained_need, .calm = 1, .verdict = OPINION_WAIT },
    { "calm twice", drained_need, .calm = 2, .verdict = OPINION_PASS },
    { "not calm in time", drained_need, .counts = { .streams = 3 }, .n_counts = 1, .is_over = 1,
      .verdict = OPINION_PASS, .reason = "3 connections were cut" },
    { "not calm in time, and not known", drained_need, .counts = { .streams = -1 }, .n_counts = 1,
      .is_over = 1, .verdict = OPINION_PASS,
      .reason = "connections may have been cut, how many is not known" },
    { "all that stayed open are ended", drained_need, .calm = 2, .n_ended = 24,
      .verdict = OPINION_PASS, .reason = "24 connections stayed open and were ended" },
    { "some end with their instance", drained_need, .counts = { .streams = 3 }, .n_counts = 1,
      .n_ended = 24, .is_over = 1, .verdict = OPINION_PASS,
      .reason = "24 connections stayed open and were ended, 3 of them with their instance" },
    { "over without a connection", drained_need, .is_over = 1, .verdict = OPINION_PASS },
    { "kept", keep_need, .verdict = OPINION_WAIT },
    { "kept long enough", keep_need, .is_over = 1, .verdict = OPINION_PASS },
    { "a gate that nobody knows", "{\"type\":\"magic\"}", .verdict = OPINION_FAIL,
      .reason = "a gate of type 'magic' is not known" },
};

static void test_gates_judge_what_was_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gate_counts counts = rows[i].counts;
        const struct gate_facts facts = {
            .now_ms = NOW_MS,
            .is_over = rows[i].is_over,
            .is_progress_over = rows[i].is_progress_over,
            .calm_samples = rows[i].calm,
            .n_ended = rows[i].n_ended,
            .samples = rows[i].samples,
            .n_samples = rows[i].n_samples,
            .counts = &counts,
            .n_counts = rows[i].n_counts,
        };
        struct gate_opinion o;
        struct arena a;

        arena_init(&a, 0);
        if (rows[i].latency)
            counts.latency = given_json(&a, rows[i].latency);
        if (rows[i].before)
            counts.baseline_latency = given_json(&a, rows[i].before);
        o = gate_judge_facts(&a, given_json(&a, rows[i].need), &facts);
        if (o.verdict != rows[i].verdict || o.asks_live != rows[i].asks_live ||
            !str_eq_c(o.reason, rows[i].reason ? rows[i].reason : ""))
            fail_msg("%s: %d '%.*s'", rows[i].sentence, (int)o.verdict, STR_ARG(o.reason));
        arena_fini(&a);
    }
}

static void test_what_was_counted_before_is_taken_off(void **state)
{
    struct arena a;
    struct value *since;

    (void)state;
    arena_init(&a, 0);
    since = latency_since(&a, given_json(&a, "[[0,1,5],[1,2,7],[60000,0,1]]"),
                          given_json(&a, "[[0,1,5],[1,2,3]]"));
    assert_int_equal(latency_count(since), 5);
    assert_true(str_eq_c(json_format(&a, since), "[[1,2,4],[60000,0,1]]"));
    assert_int_equal(latency_share(since, 9500).over_ms, 60000);
    assert_int_equal(latency_share(since, 8000).over_ms, 1);
    assert_int_equal(latency_share(NULL, 9500).over_ms, -1);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gates_judge_what_was_seen),
        cmocka_unit_test(test_what_was_counted_before_is_taken_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
