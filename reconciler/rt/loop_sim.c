/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/rt/loop_sim.h"

#include <setjmp.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "reconciler/rt/loop_ops.h"

#define SIM_START_MS 1000 /* the monotonic clock at the beginning: 0 would hide mistakes */

#define SIM_REVERT_THREADS 16 /* of which a share has four: as many as there are */

struct loop_sim {
    struct loop loop;
    struct loop_sim_options options;
    uint64_t random;
    int64_t now_ms, wall_offset_ms;
    int64_t work_ms; /* what the running work slept or waited: its completion comes so much later */
    int running, stopped;
    struct loop_post *posts, **posts_end;
    struct wait_queue state; /* of the STATE thread */
    struct loop_timer state_turn;
    struct wait_share revert;           /* its few threads are one share of more */
    struct wait *group[LOOP_BATCH_MAX]; /* ran and was not answered yet */
    size_t n_group;
    jmp_buf crash;
};

/* The simulated part of one wait. */
struct sim_wait {
    struct wait *w;
    struct loop_timer turn; /* work begins or is answered, an answer arrives */
};

static struct loop_sim *sim_of(struct loop *loop)
{
    return container_of(loop, struct loop_sim, loop);
}

/* splitmix64 */
static uint64_t sim_random(struct loop *loop)
{
    uint64_t z = sim_of(loop)->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int64_t sim_draw_ms(struct loop_sim *s)
{
    return (int64_t)(sim_random(&s->loop) % ((uint64_t)s->options.work_ms_max + 1));
}

static int64_t sim_mono_ms(struct loop *loop)
{
    return sim_of(loop)->now_ms + sim_of(loop)->work_ms;
}

static int64_t sim_wall_ms(struct loop *loop)
{
    return sim_mono_ms(loop) + sim_of(loop)->wall_offset_ms;
}

static void sim_alarm(struct loop *loop, int64_t at_ms)
{
    (void)loop; /* loop_sim_run() looks at the heap itself */
    (void)at_ms;
}

static void sim_post(struct loop *loop, struct loop_post *post)
{
    struct loop_sim *s = sim_of(loop);

    post->next = NULL;
    *s->posts_end = post;
    s->posts_end = &post->next;
}

static void sim_run_post(struct loop_sim *s)
{
    struct loop_post *post = s->posts;

    s->posts = post->next;
    if (!s->posts)
        s->posts_end = &s->posts;
    post->fn(post->ctx);
}

static void sim_stop(struct loop *loop)
{
    sim_of(loop)->stopped = 1;
}

static int sim_watch(struct loop *loop, int fd, loop_fn *fn, void *ctx, struct loop_watch **ret,
                     struct err *err)
{
    (void)loop;
    (void)fn;
    (void)ctx;
    (void)ret;
    return err_set(err, ERR_REFUSED, "watch descriptor %d: not in a simulation", fd);
}

static void sim_unwatch(struct loop_watch *watch)
{
    (void)watch;
    UNREACHABLE(); /* none was ever made */
}

static int sim_on_signal(struct loop *loop, int signum, loop_fn *fn, void *ctx, struct err *err)
{
    (void)loop;
    (void)fn;
    (void)ctx;
    return err_set(err, ERR_REFUSED, "handle signal %d: not in a simulation", signum);
}

/* Work gets its turn. */
static void sim_admit(struct wait *w)
{
    struct sim_wait *sw = w->own;
    struct loop_sim *s = sim_of(w->loop);

    loop_timer_set(&sw->turn, s->now_ms + sim_draw_ms(s));
}

/* The simulated part goes, the wait ends. */
static void sim_end(struct wait *w)
{
    struct wait *next = w->kind == WAIT_WORK ? wait_share_leave(w) : NULL;
    struct sim_wait *sw = TAKE(w->own);

    if (next)
        sim_admit(next);
    loop_timer_set(&sw->turn, -1);
    alloc_free(sw);
    wait_end(w, w->rc);
}

static void sim_answer(void *ctx)
{
    sim_end(((struct sim_wait *)ctx)->w);
}

/* The pools but STATE and REVERT have as many threads as there is work; a share of them is what it really is. */
static void sim_work(void *ctx)
{
    struct sim_wait *sw = ctx;
    struct loop_sim *s = sim_of(sw->w->loop);

    sw->w->u.work.taken = 1;
    sw->w->rc = wait_work_run(sw->w);
    sw->turn.fn = sim_answer;
    loop_timer_set(&sw->turn, s->now_ms + TAKE(s->work_ms) + sim_draw_ms(s));
}

/* The STATE thread's turn: answer the group that was committed, or run the next one. */
static void sim_state_turn(void *ctx)
{
    struct loop_sim *s = ctx;
    size_t n = s->n_group;

    s->n_group = 0;
    for (size_t i = 0; i < n; i++)
        sim_end(s->group[i]);
    for (; !n && s->state.first && s->n_group < LOOP_BATCH_MAX; s->n_group++) {
        s->group[s->n_group] = s->state.first;
        s->state.first->u.work.taken = 1;
        wait_queue_remove(&s->state, s->state.first);
    }
    if (s->n_group)
        wait_work_run_group(&s->loop, s->group, s->n_group);
    if (s->n_group || s->state.first)
        loop_timer_set(&s->state_turn, s->now_ms + TAKE(s->work_ms) + sim_draw_ms(s));
}

/* What the hook says: rc, and after how long. */
static int sim_ask(struct loop_sim *s, struct wait *w, int64_t *ret_delay_ms)
{
    const struct loop_sim_options *o = &s->options;
    struct wait_exec *e = &w->u.exec;
    struct wait_http *h = &w->u.http;
    struct wait_connect *c = &w->u.connect;
    int64_t timeout_ms = 0;
    int rc = ERR_UNREACHABLE;

    if (w->kind == WAIT_EXEC) {
        timeout_ms = e->in->timeout_ms;
        rc = o->exec ? o->exec(o->ctx, e->in, e->arena, e->ret, ret_delay_ms) : rc;
    } else if (w->kind == WAIT_HTTP) {
        timeout_ms = h->in->timeout_ms;
        rc = o->http ? o->http(o->ctx, h->in, h->arena, h->ret, ret_delay_ms) : rc;
    } else {
        timeout_ms = c->timeout_ms;
        rc = o->connect ? o->connect(o->ctx, c->host, c->port, ret_delay_ms) : rc;
    }
    if (timeout_ms > 0 && *ret_delay_ms > timeout_ms) {
        *ret_delay_ms = timeout_ms;
        rc = ERR_TIMEOUT;
    }
    if (rc == ERR_TIMEOUT && w->kind == WAIT_EXEC)
        e->ret->timed_out = 1;
    return rc < 0 ? err_set(w->err, rc, "simulated") : rc;
}

static void sim_start(struct wait *w)
{
    struct loop_sim *s = sim_of(w->loop);
    struct sim_wait *sw = alloc_zero(sizeof(*sw));
    int64_t delay_ms = 0;

    if (!sw) {
        wait_end(w, err_set(w->err, ERR_NOMEM, "out of memory"));
        return;
    }
    sw->w = w;
    w->own = sw;
    loop_timer_init(&sw->turn, w->loop, w->kind == WAIT_WORK ? sim_work : sim_answer, sw);
    if (w->kind != WAIT_WORK) {
        w->rc = sim_ask(s, w, &delay_ms);
        loop_timer_set(&sw->turn, s->now_ms + delay_ms);
    } else if (w->u.work.pool != POOL_STATE) {
        int is_revert = w->u.work.pool == POOL_REVERT;

        if (is_revert)
            w->u.work.share = &s->revert;
        if (wait_share_enter(w, is_revert ? SIM_REVERT_THREADS : LOOP_DRIVER_THREADS))
            sim_admit(w);
    } else {
        wait_queue_push(&s->state, w);
        if (s->state_turn.at_ms < 0 && !s->n_group)
            loop_timer_set(&s->state_turn, s->now_ms + sim_draw_ms(s));
    }
}

static void sim_cancel(struct wait *w)
{
    if (w->kind == WAIT_WORK && w->u.work.taken)
        return; /* it runs: awaited */
    if (w->kind == WAIT_WORK && w->u.work.pool == POOL_STATE)
        wait_queue_remove(&sim_of(w->loop)->state, w);
    sim_end(w);
}

static void sim_drop(struct wait *w)
{
    struct sim_wait *sw = w->own;

    loop_timer_set(&sw->turn, -1);
    alloc_free(sw);
}

/* From inside work: answered on the spot, what it takes is added to the work. */
static void sim_call(struct wait *w, const atomic_int *stop)
{
    struct loop_sim *s = sim_of(w->loop);
    int64_t delay_ms = 0;

    if (w->kind == WAIT_WORK && w->u.work.pool == POOL_STATE)
        wait_work_run_group(w->loop, &w, 1);
    else if (w->kind == WAIT_WORK)
        w->rc = wait_work_run(w);
    else if (stop && *stop)
        w->rc = err_set(w->err, ERR_CANCELLED, "cancelled");
    else
        w->rc = sim_ask(s, w, &delay_ms);
    s->work_ms += delay_ms;
}

static void sim_sleep(struct loop *loop, int64_t ms)
{
    sim_of(loop)->work_ms += ms;
}

/* Nothing that was under way goes on. */
static void sim_drop_all(struct loop_sim *s)
{
    task_drop_all(&s->loop);
    loop_timers_clear(&s->loop);
    while (s->posts) {
        struct loop_post *next = s->posts->next;

        loop_post_drop(s->posts);
        s->posts = next;
    }
    s->posts_end = &s->posts;
    s->state = (struct wait_queue){ 0 };
    s->revert = (struct wait_share){ 0 };
    s->n_group = 0;
    s->work_ms = 0;
}

static void sim_free(struct loop *loop)
{
    struct loop_sim *s = sim_of(loop);

    while (s->n_group || s->state.first)
        sim_state_turn(s);
    sim_drop_all(s);
    alloc_free(s);
}

static void sim_go(struct loop_sim *s, int64_t until_ms)
{
    while (!s->stopped) {
        int64_t at_ms = loop_timers_next(&s->loop);

        if (s->posts) {
            sim_run_post(s);
        } else if (s->loop.queue) {
            (void)task_run_queue(&s->loop); /* looked at again above */
        } else if (at_ms < 0) {
            return;
        } else if (at_ms > until_ms) {
            s->now_ms = until_ms;
            return;
        } else {
            s->now_ms = at_ms > s->now_ms ? at_ms : s->now_ms;
            loop_timers_fire(&s->loop, s->now_ms, 1);
        }
    }
}

int loop_sim_run(struct loop *loop, int64_t until_ms)
{
    struct loop_sim *s = sim_of(loop);

    s->stopped = 0;
    s->running = 1;
    if (setjmp(s->crash)) {
        sim_drop_all(s);
        s->running = 0;
        return 1;
    }
    sim_go(s, until_ms);
    s->running = 0;
    return 0;
}

static void sim_run(struct loop *loop)
{
    (void)loop_sim_run(loop, INT64_MAX); /* a crash ends it as a stop does */
}

void loop_sim_crash(struct loop *loop)
{
    struct loop_sim *s = sim_of(loop);

    PRE(s->running);
    longjmp(s->crash, 1);
}

void loop_sim_step_wall(struct loop *loop, int64_t by_ms)
{
    sim_of(loop)->wall_offset_ms += by_ms;
}

static size_t sim_queued(struct loop *loop, enum loop_pool pool)
{
    return pool == POOL_STATE ? sim_of(loop)->state.n : 0; /* the others run inline */
}

static const struct loop_ops sim_ops = {
    .free = sim_free,
    .run = sim_run,
    .stop = sim_stop,
    .mono_ms = sim_mono_ms,
    .wall_ms = sim_wall_ms,
    .boot_ms = sim_mono_ms,
    .random = sim_random,
    .order = sim_random,
    .alarm = sim_alarm,
    .post = sim_post,
    .watch = sim_watch,
    .unwatch = sim_unwatch,
    .on_signal = sim_on_signal,
    .start = sim_start,
    .cancel = sim_cancel,
    .drop = sim_drop,
    .queued = sim_queued,
    .call = sim_call,
    .sleep = sim_sleep,
};

struct loop *loop_sim_new(const struct loop_sim_options *options)
{
    struct loop_sim *s = alloc_zero(sizeof(*s));

    if (!s)
        return NULL;
    loop_init(&s->loop, &sim_ops, &options->batch);
    s->options = *options;
    s->random = options->seed;
    s->now_ms = SIM_START_MS;
    s->wall_offset_ms = options->wall_ms - SIM_START_MS;
    s->posts_end = &s->posts;
    loop_timer_init(&s->state_turn, &s->loop, sim_state_turn, s);
    return &s->loop;
}
