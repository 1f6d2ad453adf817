/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "reconciler/rt/loop_uv.h"

#define WAIT_CALL_LOOK_MS 20 /* how often a blocked caller looks whether it shall stop */

/* On the stack of the blocked thread, which leaves only when nothing that was posted is under way. */
struct wait_call {
    struct wait *w;
    struct loop_post start, ask;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int ended, asking;
};

static void wait_call_update(struct wait_call *c, int *flag, int value)
{
    PRE(!pthread_mutex_lock(&c->lock));
    *flag = value;
    PRE(!pthread_cond_signal(&c->changed));
    PRE(!pthread_mutex_unlock(&c->lock)); /* the caller may be gone after this */
}

static void wait_call_ended(struct wait *w)
{
    struct wait_call *c = w->own_call;

    wait_call_update(c, &c->ended, 1);
}

static void wait_call_start(void *ctx)
{
    struct wait_call *c = ctx;

    c->w->loop->ops->start(c->w);
}

static void wait_call_ask(void *ctx)
{
    struct wait_call *c = ctx;

    if (!c->ended)
        wait_ask(c->w, ERR_CANCELLED);
    wait_call_update(c, &c->asking, 0);
}

static struct timespec wait_call_next_look(void)
{
    struct timespec at;

    PRE(!clock_gettime(CLOCK_MONOTONIC, &at));
    at.tv_nsec += WAIT_CALL_LOOK_MS * 1000000L;
    if (at.tv_nsec >= 1000000000L) {
        at.tv_nsec -= 1000000000L;
        at.tv_sec++;
    }
    return at;
}

/* With the lock held, until the wait has ended and no asking is on its way. */
static void wait_call_block(struct wait_call *c, const atomic_int *stop)
{
    int asked = 0;

    while (!c->ended || c->asking) {
        struct timespec at = wait_call_next_look();

        if (!stop || asked) {
            PRE(!pthread_cond_wait(&c->changed, &c->lock));
            continue;
        }
        if (*stop) {
            asked = c->asking = 1;
            loop_uv_post(c->w->loop, &c->ask);
            continue;
        }
        (void)pthread_cond_clockwait(&c->changed, &c->lock, CLOCK_MONOTONIC,
                                     &at); /* or look again */
    }
}

void wait_call_uv(struct wait *w, const atomic_int *stop)
{
    struct wait_call c = { .w = w };

    c.start = (struct loop_post){ .fn = wait_call_start, .ctx = &c };
    c.ask = (struct loop_post){ .fn = wait_call_ask, .ctx = &c };
    w->own_call = &c;
    w->ended = wait_call_ended;
    PRE(!pthread_mutex_init(&c.lock, NULL) && !pthread_cond_init(&c.changed, NULL));
    loop_uv_post(w->loop, &c.start);
    PRE(!pthread_mutex_lock(&c.lock));
    wait_call_block(&c, stop);
    PRE(!pthread_mutex_unlock(&c.lock));
    PRE(!pthread_cond_destroy(&c.changed) && !pthread_mutex_destroy(&c.lock));
}
