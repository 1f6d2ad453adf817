/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/rt/loop_uv.h"

#include <signal.h>
#include <time.h>

#include "base/alloc.h"
#include "base/slice.h"
#include "base/sys.h"

struct loop_watch {
    struct loop *loop; /* first: loop_unwatch() finds the table by it */
    uv_poll_t poll;
    loop_fn *fn;
    void *ctx;
};

struct loop_uv_signal {
    uv_signal_t handle;
    loop_fn *fn;
    void *ctx;
};

void loop_uv_closed(uv_handle_t *handle)
{
    alloc_free(handle->data);
}

/* Nothing to do: while it is active the loop does not sleep. */
static void loop_uv_idled(uv_idle_t *handle)
{
    (void)handle;
}

/* Before the loop sleeps: step what is runnable, one generation at a time. */
static void loop_uv_prepared(uv_prepare_t *handle)
{
    struct loop_uv *l = handle->loop->data;
    int again = !l->draining && task_run_queue(&l->loop);

    PRE(!(again ? uv_idle_start(&l->idle, loop_uv_idled) : uv_idle_stop(&l->idle)));
}

static void loop_uv_alarmed(uv_timer_t *handle)
{
    struct loop_uv *l = handle->loop->data;

    loop_timers_fire(&l->loop, sys_mono_ms(), SIZE_MAX);
}

static void loop_uv_alarm(struct loop *loop, int64_t at_ms)
{
    struct loop_uv *l = loop_uv_of(loop);
    int64_t in_ms = at_ms - sys_mono_ms();

    if (at_ms < 0) {
        PRE(!uv_timer_stop(&l->alarm));
        return;
    }
    uv_update_time(&l->uv);
    PRE(!uv_timer_start(&l->alarm, loop_uv_alarmed, in_ms < 0 ? 0 : (uint64_t)in_ms, 0));
}

void loop_uv_post(struct loop *loop, struct loop_post *post)
{
    struct loop_uv *l = loop_uv_of(loop);
    int is_first;

    post->next = NULL;
    PRE(!pthread_mutex_lock(&l->posts_lock));
    is_first = !l->posts;
    *l->posts_end = post;
    l->posts_end = &post->next;
    if (is_first) /* under the lock: the handle is open while it may be sent */
        (void)uv_async_send(&l->async);
    PRE(!pthread_mutex_unlock(&l->posts_lock));
}

static void loop_uv_posted(uv_async_t *handle)
{
    struct loop_uv *l = handle->loop->data;
    struct loop_post *post;

    PRE(!pthread_mutex_lock(&l->posts_lock));
    post = TAKE(l->posts);
    l->posts_end = &l->posts;
    PRE(!pthread_mutex_unlock(&l->posts_lock));
    while (post) {
        struct loop_post *next = post->next;

        post->fn(post->ctx); /* may free it */
        post = next;
    }
}

static void loop_uv_readable(uv_poll_t *handle, int status, int events)
{
    struct loop_watch *watch = handle->data;

    (void)status; /* the owner of the descriptor finds the error by reading */
    (void)events;
    watch->fn(watch->ctx);
}

static int loop_uv_watch(struct loop *loop, int fd, loop_fn *fn, void *ctx, struct loop_watch **ret,
                         struct err *err)
{
    struct loop_watch *watch = alloc_zero(sizeof(*watch));
    int rc;

    if (!watch)
        return err_set(err, ERR_NOMEM, "out of memory");
    *watch = (struct loop_watch){ .loop = loop, .fn = fn, .ctx = ctx };
    rc = uv_poll_init(&loop_uv_of(loop)->uv, &watch->poll, fd);
    if (rc) {
        alloc_free(watch);
        return err_set(err, ERR_IO, "watch descriptor %d: %s", fd, uv_strerror(rc));
    }
    watch->poll.data = watch;
    PRE(!uv_poll_start(&watch->poll, UV_READABLE, loop_uv_readable));
    *ret = watch;
    return 0;
}

static void loop_uv_unwatch(struct loop_watch *watch)
{
    uv_close((uv_handle_t *)&watch->poll, loop_uv_closed);
}

static void loop_uv_signalled(uv_signal_t *handle, int signum)
{
    struct loop_uv_signal *s = handle->data;

    (void)signum;
    s->fn(s->ctx);
}

static int loop_uv_on_signal(struct loop *loop, int signum, loop_fn *fn, void *ctx, struct err *err)
{
    struct loop_uv_signal *s = alloc_zero(sizeof(*s));
    int rc;

    if (!s)
        return err_set(err, ERR_NOMEM, "out of memory");
    *s = (struct loop_uv_signal){ .fn = fn, .ctx = ctx };
    PRE(!uv_signal_init(&loop_uv_of(loop)->uv, &s->handle));
    s->handle.data = s;
    rc = uv_signal_start(&s->handle, loop_uv_signalled, signum);
    if (rc) {
        uv_close((uv_handle_t *)&s->handle, loop_uv_closed);
        return err_set(err, ERR_IO, "handle signal %d: %s", signum, uv_strerror(rc));
    }
    return 0;
}

static void loop_uv_run(struct loop *loop)
{
    slice_shorten();
    (void)uv_run(&loop_uv_of(loop)->uv,
                 UV_RUN_DEFAULT); /* handles stay open: it ends by uv_stop() */
}

static void loop_uv_stop(struct loop *loop)
{
    uv_stop(&loop_uv_of(loop)->uv);
}

static int64_t loop_uv_mono_ms(struct loop *loop)
{
    (void)loop;
    return sys_mono_ms();
}

static int64_t loop_uv_wall_ms(struct loop *loop)
{
    (void)loop;
    return sys_wall_ms();
}

static int64_t loop_uv_boot_ms(struct loop *loop)
{
    (void)loop;
    return sys_boot_ms();
}

static uint64_t loop_uv_random(struct loop *loop)
{
    uint64_t value;

    (void)loop;
    sys_random(&value, sizeof(value));
    return value;
}

static uint64_t loop_uv_order(struct loop *loop)
{
    return loop_uv_of(loop)->n_orders++;
}

static void loop_uv_sleep(struct loop *loop, int64_t ms)
{
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    (void)loop;
    while (nanosleep(&left, &left)) /* interrupted: the rest */
        continue;
}

/* What WAIT_WORK and the others mean here. */
static const struct {
    void (*start)(struct wait *w), (*cancel)(struct wait *w), (*drop)(struct wait *w);
} loop_uv_kinds[] = {
    [WAIT_WORK] = { wait_work_uv_start, wait_work_uv_cancel, wait_work_uv_drop },
    [WAIT_EXEC] = { wait_exec_uv_start, wait_exec_uv_cancel, wait_exec_uv_drop },
    [WAIT_HTTP] = { wait_http_uv_start, wait_http_uv_cancel, wait_http_uv_drop },
    [WAIT_CONNECT] = { wait_http_uv_start, wait_http_uv_cancel, wait_http_uv_drop },
};

static void loop_uv_start(struct wait *w)
{
    loop_uv_kinds[w->kind].start(w);
}

static void loop_uv_cancel(struct wait *w)
{
    loop_uv_kinds[w->kind].cancel(w);
}

static void loop_uv_drop(struct wait *w)
{
    loop_uv_kinds[w->kind].drop(w);
}

static void loop_uv_close_handle(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(handle))
        uv_close(handle, loop_uv_closed);
}

/* Handles of struct loop_uv itself; all but async stay inactive until used. */
static int loop_uv_open_handles(struct loop_uv *l, struct err *err)
{
    int rc = uv_loop_init(&l->uv);

    if (rc)
        return err_set(err, ERR_IO, "open event loop: %s", uv_strerror(rc));
    l->uv.data = l;
    rc = uv_async_init(&l->uv, &l->async, loop_uv_posted);
    if (rc) {
        PRE(!uv_loop_close(&l->uv));
        return err_set(err, ERR_IO, "open event loop: %s", uv_strerror(rc));
    }
    PRE(!uv_prepare_init(&l->uv, &l->prepare) && !uv_idle_init(&l->uv, &l->idle) &&
        !uv_timer_init(&l->uv, &l->alarm) && !uv_timer_init(&l->uv, &l->multi_timer));
    PRE(!uv_prepare_start(&l->prepare, loop_uv_prepared));
    return 0;
}

static void loop_uv_close_handles(struct loop_uv *l)
{
    uv_walk(&l->uv, loop_uv_close_handle, NULL);
    (void)uv_run(&l->uv, UV_RUN_DEFAULT); /* until the last close callback */
    POST(!uv_loop_close(&l->uv));
    PRE(!pthread_mutex_destroy(&l->posts_lock));
    alloc_free(l);
}

/* Pools that may call on others go first; STATE, which everybody calls, last. */
static const enum loop_pool loop_uv_close_order[] = { POOL_DRIVER, POOL_REVERT, POOL_SIGN,
                                                      POOL_QUERY,  POOL_FILE,   POOL_STATE };

static void loop_uv_free(struct loop *loop)
{
    struct loop_uv *l = loop_uv_of(loop);

    l->draining = 1;
    for (struct task *t = loop->all; t; t = t->all_next)
        if (!t->cancelled)
            t->cancelled = ERR_CANCELLED;
    for (size_t i = 0; i < N_ELEMENTS(loop_uv_close_order); i++)
        wait_work_uv_close(&l->pools[loop_uv_close_order[i]]);
    task_drop_all(loop);
    while (l->n_children)
        (void)uv_run(&l->uv, UV_RUN_ONCE);
    wait_http_uv_close(l);
    loop_uv_close_handles(l);
}

static const struct loop_ops loop_uv_ops = {
    .free = loop_uv_free,
    .run = loop_uv_run,
    .stop = loop_uv_stop,
    .mono_ms = loop_uv_mono_ms,
    .wall_ms = loop_uv_wall_ms,
    .boot_ms = loop_uv_boot_ms,
    .random = loop_uv_random,
    .order = loop_uv_order,
    .alarm = loop_uv_alarm,
    .post = loop_uv_post,
    .watch = loop_uv_watch,
    .unwatch = loop_uv_unwatch,
    .on_signal = loop_uv_on_signal,
    .start = loop_uv_start,
    .cancel = loop_uv_cancel,
    .drop = loop_uv_drop,
    .queued = wait_work_uv_queued,
    .call = wait_call_uv,
    .sleep = loop_uv_sleep,
};

int loop_uv_new(const struct loop_options *options, struct loop **ret, struct err *err)
{
    struct loop_uv *l = alloc_zero(sizeof(*l));
    int rc;

    if (!l)
        return err_set(err, ERR_NOMEM, "out of memory");
    loop_init(&l->loop, &loop_uv_ops, &options->batch);
    l->posts_end = &l->posts;
    rc = loop_uv_open_handles(l, err);
    if (rc) {
        alloc_free(l);
        return rc;
    }
    PRE(!pthread_mutex_init(&l->posts_lock, NULL));
    PRE(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* a peer that went is an error of the write */
    PRE(signal(SIGCHLD, SIG_DFL) !=
        SIG_ERR); /* inherited as ignored, children would vanish unread */
    rc = wait_http_uv_open(l, err);
    if (!rc)
        rc = wait_work_uv_open(l, options, err);
    if (rc) {
        loop_uv_free(&l->loop);
        return rc;
    }
    *ret = &l->loop;
    return 0;
}
