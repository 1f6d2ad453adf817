/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/rt/loop.h"

#include "base/alloc.h"
#include "base/guard.h"
#include "reconciler/rt/loop_ops.h"

void loop_init(struct loop *loop, const struct loop_ops *ops, const struct loop_batch *batch)
{
    *loop = (struct loop){ .ops = ops, .batch = *batch };
    loop->queue_end = &loop->queue;
}

void loop_free(struct loop *loop)
{
    if (loop)
        loop->ops->free(loop);
}

void loop_run(struct loop *loop)
{
    loop->ops->run(loop);
}

void loop_stop(struct loop *loop)
{
    loop->ops->stop(loop);
}

size_t loop_queued(struct loop *loop, enum loop_pool pool)
{
    return loop->ops->queued(loop, pool);
}

int64_t loop_mono_ms(struct loop *loop)
{
    return loop->ops->mono_ms(loop);
}

int64_t loop_wall_ms(struct loop *loop)
{
    return loop->ops->wall_ms(loop);
}

int64_t loop_boot_ms(struct loop *loop)
{
    return loop->ops->boot_ms(loop);
}

uint64_t loop_random(struct loop *loop)
{
    return loop->ops->random(loop);
}

/* What loop_post() makes: runs the function, then frees itself. */
struct loop_posted {
    struct loop_post post;
    loop_fn *fn;
    void *ctx;
};

static void loop_run_posted(void *ctx)
{
    struct loop_posted *p = ctx;

    p->fn(p->ctx);
    alloc_free(p);
}

void loop_post(struct loop *loop, loop_fn *fn, void *ctx)
{
    struct loop_posted *p = alloc_zero(sizeof(*p));

    PRE(p); /* a message that cannot be sent has nobody to tell */
    *p = (struct loop_posted){ .post = { .fn = loop_run_posted, .ctx = p }, .fn = fn, .ctx = ctx };
    loop->ops->post(loop, &p->post);
}

void loop_post_drop(struct loop_post *post)
{
    alloc_free(post->ctx);
}

int loop_watch_fd(struct loop *loop, int fd, loop_fn *fn, void *ctx, struct loop_watch **ret,
                  struct err *err)
{
    return loop->ops->watch(loop, fd, fn, ctx, ret, err);
}

void loop_unwatch(struct loop_watch *watch)
{
    struct loop *const *loop = (struct loop *const *)(const void *)watch; /* its first member */

    if (watch)
        (*loop)->ops->unwatch(watch);
}

int loop_on_signal(struct loop *loop, int signum, loop_fn *fn, void *ctx, struct err *err)
{
    return loop->ops->on_signal(loop, signum, fn, ctx, err);
}
