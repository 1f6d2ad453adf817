/* rt: tasks move by their table on both loops, and every wait ends once. SPDX-License-Identifier: Apache-2.0 */
#include "test_rt_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

/* --- a task of several states */

enum { WALK_A, WALK_B, WALK_C, WALK_D };

struct walk {
    struct task task;
    struct fixture *fixture;
    char trace[64];
};

/* clang-format off */
static const struct task_state walk_states[] = {
    [WALK_A] = { "A", TO(WALK_B),          NO_ERROR_EDGE, 0 },
    [WALK_B] = { "B", TO2(WALK_C, WALK_D), WALK_D,        0 },
    [WALK_C] = { "C", TO(WALK_A),          NO_ERROR_EDGE, 0 },
    [WALK_D] = { "D", TO(WALK_D),          NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static int work_succeeds(struct task *t, struct err *err)
{
    (void)t;
    (void)err;
    return 0;
}

static int work_fails(struct task *t, struct err *err)
{
    (void)t;
    return err_set(err, ERR_BUSY, "the work says no");
}

static enum task_verdict walk_step(struct task *t)
{
    struct walk *w = container_of(t, struct walk, task);

    strcat(w->trace, t->states[t->state].name);
    switch (t->state) {
    case WALK_A:
        wait_until_start(t, loop_mono_ms(t->loop) + 1);
        return task_then(t, WALK_B);
    case WALK_B:
        wait_work_start(t, POOL_FILE, strlen(w->trace) > 4 ? work_fails : work_succeeds);
        return task_then(t, WALK_C);
    case WALK_C:
        return task_goto(t, WALK_A);
    case WALK_D:
        assert_string_equal(t->err.text, "the work says no");
        wait_work_start(t, POOL_FILE, work_fails); /* no error edge: the task ends */
        return task_then(t, WALK_D);
    }
    UNREACHABLE();
}

static void walk_ended(struct task *t, void *ctx)
{
    loop_stop(((struct walk *)ctx)->fixture->loop);
    strcat(((struct walk *)ctx)->trace, t->running ? "!" : ".");
}

static void test_states_follow_the_table_and_failures_the_error_edge(void **state)
{
    (void)state;
    FOR_BOTH_LOOPS(i)
    {
        struct fixture f;
        struct walk w = { .fixture = &f };

        both_loops[i](&f, NULL);
        task_start(&w.task, f.loop, "walk", walk_states, 4, WALK_A, walk_step, walk_ended, &w);
        assert_string_equal(w.trace, ""); /* the first step never runs inside task_start() */
        loop_run(f.loop);
        assert_string_equal(w.trace, "ABCABD.");
        assert_int_equal(w.task.rc, ERR_BUSY);
        fixture_fini(&f);
    }
}

/* --- one wait of each kind that would last */

static void wait_far(struct probe *p)
{
    wait_until_start(&p->task, loop_mono_ms(p->fixture->loop) + FAR_MS);
}

static void wait_for_signal(struct probe *p)
{
    wait_signal_start(&p->task, -1);
}

static int work_until_cancelled(struct task *t, struct err *err)
{
    (void)err;
    for (int i = 0; i < 10000 && !t->cancelled; i++)
        wait_sleep_call(t->loop, 1);
    return 0;
}

static void wait_work(struct probe *p)
{
    wait_work_start(&p->task, POOL_DRIVER, work_until_cancelled);
}

static void wait_exec(struct probe *p)
{
    static const char *const argv[] = { "/bin/sleep", "100", NULL }, *const env[] = { NULL };
    static const struct exec_request in = { .argv = argv, .env = env };
    static struct exec_result result;

    wait_exec_start(&p->task, &in, &p->fixture->arena, &result);
}

static struct sockaddr_in given_listener(int fd, int backlog)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    return at;
}

/* A listener that never accepts: the kernel makes connections to it, an answer never comes. And one whose
 * queue is full, so that connections to it are not made either. */
static int mute_fd = -1, full_fd = -1, full_port, queued_fds[4];
static char mute_url[64];

static void wait_http(struct probe *p)
{
    static struct http_request in = { .method = "GET", .url = mute_url };
    static struct http_reply reply;

    wait_http_start(&p->task, &in, &p->fixture->arena, &reply);
}

static void wait_connect(struct probe *p)
{
    wait_connect_start(&p->task, "127.0.0.1", full_port, FAR_MS);
}

static int given_mute_servers(void **state)
{
    struct sockaddr_in at;

    (void)state;
    mute_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at = given_listener(mute_fd, 128);
    (void)snprintf(mute_url, sizeof(mute_url), "http://127.0.0.1:%d/", ntohs(at.sin_port));
    full_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at = given_listener(full_fd, 0);
    full_port = ntohs(at.sin_port);
    for (size_t i = 0; i < N_ELEMENTS(queued_fds); i++) {
        queued_fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(queued_fds[i], (struct sockaddr *)&at, sizeof(at)); /* in progress */
    }
    return 0;
}

static int mute_servers_fini(void **state)
{
    (void)state;
    (void)close(mute_fd);
    (void)close(full_fd);
    for (size_t i = 0; i < N_ELEMENTS(queued_fds); i++)
        (void)close(queued_fds[i]);
    return 0;
}

static const struct {
    const char *name;
    void (*start)(struct probe *p);
} lasting_waits[] = {
    { "until", wait_far }, { "signal", wait_for_signal }, { "work", wait_work },
    { "exec", wait_exec }, { "http", wait_http },         { "connect", wait_connect },
};

static void cancel_as_stale(void *ctx)
{
    task_cancel(&((struct probe *)ctx)->task, ERR_STALE);
}

static void test_a_cancel_ends_each_kind_of_wait_with_its_code(void **state)
{
    (void)state;
    FOR_BOTH_LOOPS(i)
    for (size_t k = 0; k < N_ELEMENTS(lasting_waits); k++) {
        struct fixture f;
        struct probe p = { .ctx = NULL };
        struct loop_timer *timer;
        int64_t began_ms;

        both_loops[i](&f, NULL);
        given_probe(&p, &f, lasting_waits[k].start);
        timer = loop_timer_new(f.loop, cancel_as_stale, &p);
        began_ms = loop_mono_ms(f.loop);
        loop_timer_set(timer, began_ms + 20);
        loop_run(f.loop);
        expect_end(&p, "WAIT FAILED ", ERR_STALE);
        assert_true(loop_mono_ms(f.loop) - began_ms < FAR_MS / 2);
        loop_timer_free(timer);
        fixture_fini(&f);
    }
}

static void test_a_deadline_ends_each_kind_of_wait_with_timeout(void **state)
{
    (void)state;
    FOR_BOTH_LOOPS(i)
    for (size_t k = 0; k < N_ELEMENTS(lasting_waits); k++) {
        struct fixture f;
        struct probe p = { .ctx = NULL };
        int64_t began_ms;

        if (lasting_waits[k].start == wait_work)
            continue; /* work reads the clock itself; its row is below */
        both_loops[i](&f, NULL);
        given_probe_in(&p, &f, probe_states_with_deadline, lasting_waits[k].start);
        began_ms = loop_mono_ms(f.loop);
        loop_run(f.loop);
        expect_end(&p, "WAIT FAILED ", ERR_TIMEOUT);
        assert_string_equal(p.task.err.text, "not done within 30 ms");
        assert_true(loop_mono_ms(f.loop) - began_ms >= 30);
        assert_true(loop_mono_ms(f.loop) - began_ms < FAR_MS / 2);
        fixture_fini(&f);
    }
}

static int work_past_its_deadline(struct task *t, struct err *err)
{
    struct probe *p = container_of(t, struct probe, task);

    (void)err;
    wait_sleep_call(t->loop, 60);
    p->ctx = p; /* it ran to its end */
    return 0;
}

static void wait_long_work(struct probe *p)
{
    wait_work_start(&p->task, POOL_REVERT, work_past_its_deadline);
}

static void test_work_past_its_deadline_is_awaited(void **state)
{
    (void)state;
    FOR_BOTH_LOOPS(i)
    {
        struct fixture f;
        struct probe p = { .ctx = NULL };

        both_loops[i](&f, NULL);
        given_probe_in(&p, &f, probe_states_with_deadline, wait_long_work);
        loop_run(f.loop);
        expect_end(&p, "WAIT FAILED ", ERR_TIMEOUT);
        assert_non_null(p.ctx);
        fixture_fini(&f);
    }
}

static void test_a_cancel_before_the_first_step_meets_the_first_wait(void **state)
{
    (void)state;
    FOR_BOTH_LOOPS(i)
    {
        struct fixture f;
        struct probe p = { .ctx = NULL };

        both_loops[i](&f, NULL);
        given_probe(&p, &f, wait_far);
        task_cancel(&p.task, ERR_CANCELLED);
        task_cancel(&p.task, ERR_STALE); /* the first one stays */
        loop_run(f.loop);
        expect_end(&p, "WAIT FAILED ", ERR_CANCELLED);
        task_cancel(&p.task, ERR_CANCELLED); /* ended tasks ignore it */
        fixture_fini(&f);
    }
}

static void wait_after_clear(struct probe *p)
{
    task_clear_cancel(&p->task);
    wait_until_start(&p->task, 0);
}

static void test_a_cleared_cancel_lets_later_waits_run(void **state)
{
    (void)state;
    FOR_BOTH_LOOPS(i)
    {
        struct fixture f;
        struct probe p = { .ctx = NULL };

        both_loops[i](&f, NULL);
        given_probe(&p, &f, wait_after_clear);
        task_cancel(&p.task, ERR_CANCELLED);
        loop_run(f.loop);
        expect_end(&p, "WAIT AFTER ", 0);
        fixture_fini(&f);
    }
}

/* --- signals */

static void signal_it(void *ctx)
{
    wait_signal(&((struct probe *)ctx)->task);
}

static void wait_signal_or_30_ms(struct probe *p)
{
    wait_signal_start(&p->task, loop_mono_ms(p->fixture->loop) + 30);
}

static void test_a_signal_wakes_and_is_kept_when_it_comes_first(void **state)
{
    static const struct {
        const char *name, *trace;
        int first, later, rc;
    } rows[] = {
        { "it comes first", "WAIT AFTER ", 1, 0, 0 },
        { "it comes twice first", "WAIT AFTER ", 2, 0, 0 },
        { "it comes later", "WAIT AFTER ", 0, 1, 0 },
        { "it never comes", "WAIT FAILED ", 0, 0, ERR_TIMEOUT },
    };

    (void)state;
    FOR_BOTH_LOOPS(i)
    for (size_t r = 0; r < N_ELEMENTS(rows); r++) {
        struct fixture f;
        struct probe p = { .ctx = NULL };
        struct loop_timer *timer;

        both_loops[i](&f, NULL);
        given_probe(&p, &f, wait_signal_or_30_ms);
        for (int n = 0; n < rows[r].first; n++)
            wait_signal(&p.task);
        timer = loop_timer_new(f.loop, signal_it, &p);
        loop_timer_set(timer, rows[r].later ? loop_mono_ms(f.loop) + 5 : -1);
        loop_run(f.loop);
        expect_end(&p, rows[r].trace, rows[r].rc);
        loop_timer_free(timer);
        fixture_fini(&f);
    }
}

/* --- joins */

struct family {
    struct probe parent, children[3];
    struct task *list[3];
};

static void wait_for_children(struct probe *p)
{
    struct family *family = container_of(p, struct family, parent);

    wait_join_start(&p->task, family->list, N_ELEMENTS(family->list));
}

static void wait_a_little(struct probe *p)
{
    wait_until_start(&p->task, loop_mono_ms(p->fixture->loop) + 5);
}

static void given_family(struct family *family, struct fixture *f, const struct task_state *states,
                         void (*start)(struct probe *p))
{
    *family = (struct family){ .parent = { .ctx = NULL } };
    for (size_t i = 0; i < N_ELEMENTS(family->children); i++) {
        given_probe(&family->children[i], f, i ? start : wait_a_little);
        family->list[i] = &family->children[i].task;
    }
    given_probe_in(&family->parent, f, states, wait_for_children);
}

static void test_a_join_waits_for_all_children(void **state)
{
    (void)state;
    FOR_BOTH_LOOPS(i)
    {
        struct fixture f;
        struct family family;

        both_loops[i](&f, NULL);
        given_family(&family, &f, probe_states, wait_a_little);
        loop_run(f.loop);
        expect_end(&family.parent, "WAIT AFTER ", 0);
        for (size_t k = 0; k < 3; k++)
            expect_end(&family.children[k], "WAIT AFTER ", 0);
        fixture_fini(&f);
    }
}

static void test_a_join_that_ends_early_cancels_and_awaits_its_children(void **state)
{
    static const struct {
        const char *name;
        const struct task_state *states;
        int cancel_after_ms, rc;
    } rows[] = {
        { "cancelled before it began", probe_states, -1, ERR_CANCELLED },
        { "cancelled while it waits", probe_states, 20, ERR_STALE },
        { "its deadline passes", probe_states_with_deadline, 0, ERR_TIMEOUT },
    };

    (void)state;
    FOR_BOTH_LOOPS(i)
    for (size_t r = 0; r < N_ELEMENTS(rows); r++) {
        struct fixture f;
        struct family family;
        struct loop_timer *timer;

        both_loops[i](&f, NULL);
        given_family(&family, &f, rows[r].states, wait_work);
        timer = loop_timer_new(f.loop, cancel_as_stale, &family.parent);
        if (rows[r].cancel_after_ms < 0)
            task_cancel(&family.parent.task, ERR_CANCELLED);
        else if (rows[r].cancel_after_ms)
            loop_timer_set(timer, loop_mono_ms(f.loop) + rows[r].cancel_after_ms);
        loop_run(f.loop);
        expect_end(&family.parent, "WAIT FAILED ", rows[r].rc);
        expect_end(&family.children[1], "WAIT FAILED ", rows[r].rc);
        expect_end(&family.children[2], "WAIT FAILED ", rows[r].rc);
        loop_timer_free(timer);
        fixture_fini(&f);
    }
}

/* --- many */

static void wait_some_ms(struct probe *p)
{
    int64_t ms = (int64_t)(loop_random(p->fixture->loop) % 50);

    if (ms % 2)
        wait_until_start(&p->task, loop_mono_ms(p->fixture->loop) + ms);
    else
        wait_work_start(&p->task, POOL_STATE, work_succeeds);
}

static void test_ten_thousand_tasks_end(void **state)
{
    size_t n = 10000;
    struct probe *probes = calloc(n, sizeof(*probes));

    (void)state;
    assert_non_null(probes);
    FOR_BOTH_LOOPS(i)
    {
        struct fixture f;

        both_loops[i](&f, NULL);
        for (size_t k = 0; k < n; k++)
            given_probe_in(&probes[k], &f, probe_states, wait_some_ms);
        loop_run(f.loop);
        for (size_t k = 0; k < n; k++)
            expect_end(&probes[k], "WAIT AFTER ", 0);
        fixture_fini(&f);
    }
    free(probes);
}

static void note_time(void *ctx)
{
    struct probe *p = ctx;

    probe_note(p, p->trace[0] ? "b" : "a");
    if (p->trace[1])
        loop_stop(p->fixture->loop);
}

static void test_timers_fire_in_the_order_of_their_times(void **state)
{
    (void)state;
    FOR_BOTH_LOOPS(i)
    {
        struct fixture f;
        struct probe p = { .fixture = &f };
        struct loop_timer *timers[3];

        both_loops[i](&f, NULL);
        for (int k = 0; k < 3; k++) {
            timers[k] = loop_timer_new(f.loop, note_time, &p);
            loop_timer_set(timers[k], loop_mono_ms(f.loop) + 10 * (3 - k));
        }
        loop_timer_set(timers[2],
                       -1); /* the first is stopped, the second is moved behind the third */
        loop_timer_set(timers[1], loop_mono_ms(f.loop) + 40);
        loop_run(f.loop);
        assert_string_equal(p.trace, "ab");
        for (int k = 0; k < 3; k++)
            loop_timer_free(timers[k]);
        fixture_fini(&f);
    }
}

static void stop_loop(void *ctx)
{
    loop_stop(ctx);
}

static void test_tasks_that_did_not_end_are_dropped_without_a_word(void **state)
{
    (void)state;
    FOR_BOTH_LOOPS(i)
    for (size_t k = 0; k < N_ELEMENTS(lasting_waits); k++) {
        struct fixture f;
        struct probe p = { .ctx = NULL };
        struct loop_timer *timer;

        both_loops[i](&f, NULL);
        given_probe(&p, &f, lasting_waits[k].start);
        timer = loop_timer_new(f.loop, stop_loop, f.loop);
        loop_timer_set(timer, loop_mono_ms(f.loop) + 5);
        loop_run(f.loop);
        loop_timer_free(timer);
        fixture_fini(&f); /* the work sees `cancelled` */
        assert_string_equal(p.trace, "WAIT ");
        assert_int_equal(p.n_ended, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states_follow_the_table_and_failures_the_error_edge),
        cmocka_unit_test(test_a_cancel_ends_each_kind_of_wait_with_its_code),
        cmocka_unit_test(test_a_deadline_ends_each_kind_of_wait_with_timeout),
        cmocka_unit_test(test_work_past_its_deadline_is_awaited),
        cmocka_unit_test(test_a_cancel_before_the_first_step_meets_the_first_wait),
        cmocka_unit_test(test_a_cleared_cancel_lets_later_waits_run),
        cmocka_unit_test(test_a_signal_wakes_and_is_kept_when_it_comes_first),
        cmocka_unit_test(test_a_join_waits_for_all_children),
        cmocka_unit_test(test_a_join_that_ends_early_cancels_and_awaits_its_children),
        cmocka_unit_test(test_ten_thousand_tasks_end),
        cmocka_unit_test(test_timers_fire_in_the_order_of_their_times),
        cmocka_unit_test(test_tasks_that_did_not_end_are_dropped_without_a_word),
    };

    return cmocka_run_group_tests(tests, given_mute_servers, mute_servers_fini);
}
