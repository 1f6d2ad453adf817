/* http/feed: many who listen, leave, come back, or take nothing. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>

#include "tests/unit/test_http_feed_given.h"

#define FIRST 1000 /* events that were before */
#define EVENTS 3000
#define STEADY 50
#define COMING_BACK 40
#define DEAF 10
#define HELD_MAX (4u << 20) /* bytes, for all who never read: pages kept and being read */

struct reader {
    struct fixture *f;
    uint32_t seed;
    pthread_t thread;
};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

/* --- who reads ----------------------------------------------------------------------------------- */

static void expect_each(const struct client *c, const char *sentence)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%d of %d", c->n_ids, EVENTS);
    if (c->n_ids != EVENTS)
        fail_later(sentence, text);
}

static void *steady_main(void *arg)
{
    const struct reader *r = arg;
    struct client c = client_open(r->f, "/events?after=1000");

    hear_until(&c, "one of many", FIRST + EVENTS);
    expect_each(&c, "one of many");
    hear_end(&c, "one of many, when we stop");
    (void)close(c.fd);
    return NULL;
}

/* Leaves in the middle of whatever is being said, and comes back with the last event that was whole. */
static void *coming_back_main(void *arg)
{
    struct reader *r = arg;
    struct client all = { .last = FIRST };

    while (all.last < FIRST + EVENTS && !failure[0]) {
        char target[64];
        struct client c;

        (void)snprintf(target, sizeof(target), "/events?after=%lld", (long long)all.last);
        c = client_open(r->f, target);
        if (!c.last) /* with its greeting it may have heard more */
            c.last = all.last;
        do {
            if (c.last < FIRST + EVENTS && !hear(&c, "who comes back", WAIT_MS) && !c.is_over)
                fail_later("who comes back", "silence");
        } while (!c.is_over && /* on a busy machine it was too slow, and cut */
                 c.last < FIRST + EVENTS && !failure[0] && next_random(&r->seed) % 4);
        all.last = c.last;
        all.n_ids += c.n_ids;
        (void)close(c.fd);
    }
    expect_each(&all, "who comes back");
    return NULL;
}

/* Who never reads, from when something was sent to it. */
static int given_deaf(struct fixture *f)
{
    int fd = dial(f, "/events?after=0");
    struct pollfd p = { fd, POLLIN, 0 };

    if (poll(&p, 1, WAIT_MS) != 1)
        fail_later("who never reads", "nothing was sent");
    return fd;
}

static void expect_cut(int fd, const char *sentence)
{
    int64_t end_ms = sys_mono_ms() + WAIT_MS;

    for (struct pollfd p = { fd, 0, 0 }; !(p.revents & POLLHUP);)
        if (poll(&p, 1, 50) < 0 || sys_mono_ms() > end_ms) {
            fail_later(sentence, "was not cut");
            break;
        }
    (void)close(fd);
}

/* Requests beside them, and streams that nobody waits for. */
static void *others_main(void *arg)
{
    const struct reader *r = arg;

    while (r->f->newest < FIRST + EVENTS && !failure[0]) {
        AUTO_CLOSE int plain = dial(r->f, "/x"), gone = dial(r->f, "/events?after=1000");
        struct pollfd p = { plain, POLLIN, 0 };

        if (poll(&p, 1, WAIT_MS) != 1)
            fail_later("a request beside them", "not answered");
    }
    return NULL;
}

/* --- rows ---------------------------------------------------------------------------------------- */

static void publish_all(struct fixture *f)
{
    uint32_t seed = 1;

    while (f->newest < FIRST + EVENTS) {
        int64_t n = next_random(&seed) % 7 + 1;

        publish(f, (int)(f->newest + n > FIRST + EVENTS ? 1 : n));
        (void)sched_yield();
    }
}

static void start_readers(struct fixture *f, struct reader *readers, uint32_t n,
                          void *(*fn)(void *arg))
{
    for (uint32_t i = 0; i < n; i++) {
        readers[i] = (struct reader){ .f = f, .seed = i };
        (void)pthread_create(&readers[i].thread, NULL, fn, &readers[i]);
    }
}

static void join_readers(struct reader *readers, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        (void)pthread_join(readers[i].thread, NULL);
}

static void talk_many(struct fixture *f)
{
    struct reader steady[STEADY], back[COMING_BACK], other;
    int deaf[DEAF];

    for (int i = 0; i < DEAF; i++)
        deaf[i] = given_deaf(f);
    start_readers(f, steady, STEADY, steady_main);
    start_readers(f, back, COMING_BACK, coming_back_main);
    start_readers(f, &other, 1, others_main);
    publish_all(f);
    join_readers(back, COMING_BACK);
    join_readers(&other, 1);
    for (int i = 0; i < DEAF; i++)
        expect_cut(deaf[i], "who never reads");
    for (int i = 0; i < DEAF; i++)
        deaf[i] = given_deaf(f);
    f->has_stopped = 1;
    loop_post(f->loop, stop, f);
    join_readers(steady, STEADY);
    for (int i = 0; i < DEAF; i++)
        expect_cut(deaf[i], "who never reads, when we stop");
}

static void test_each_hears_each_event_once_whoever_leaves_or_takes_nothing(void **state)
{
    (void)state;
    run(talk_many);
}

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void); /* gcc has no header of it */
#endif

/* Of this process. */
static size_t bytes_held(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

/* They would hold 16 MiB each, and the pages as much. */
static void talk_deaf(struct fixture *f)
{
    struct client other = client_open(f, "/events");
    size_t before, most = 0;
    char text[64];
    int deaf[DEAF];

    for (int i = 0; i < DEAF; i++)
        deaf[i] = given_deaf(f);
    before = bytes_held();
    while (f->newest < FIRST + EVENTS && !failure[0]) {
        publish(f, 10);
        hear_until(&other, "beside those who never read", f->newest);
        if (bytes_held() > before + most)
            most = bytes_held() - before;
    }
    (void)snprintf(text, sizeof(text), "%zu bytes", most);
    if (most > HELD_MAX)
        fail_later("what is held for those who never read", text);
    print_message("held for %d who never read: %s\n", DEAF, text);
    for (int i = 0; i < DEAF; i++)
        (void)close(deaf[i]);
    (void)close(other.fd);
}

static void test_who_takes_nothing_costs_next_to_nothing(void **state)
{
    (void)state;
    run_as(&(struct fixture){
        .talk = talk_deaf, .newest = FIRST, .n_padding = 4000, .stream_ms = WAIT_MS });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_hears_each_event_once_whoever_leaves_or_takes_nothing),
        cmocka_unit_test(test_who_takes_nothing_costs_next_to_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
