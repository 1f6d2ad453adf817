/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "reconciler/rt/loop_child.h"
#include "reconciler/rt/loop_uv.h"

#define EXEC_READ_BYTES 16384
#define EXEC_READS_MAX 64 /* at the end: more than a pipe holds, even when somebody still writes */

struct exec_end {
    struct wait_exec_run *run;
    uv_poll_t poll;
    int fd; /* -1: closed */
};

/* One child, from its start until its last handle is closed. */
struct wait_exec_run {
    struct wait *w; /* NULL: nobody waits any more */
    struct loop_uv *l;
    struct loop_child child;
    struct exec_end ends[N_CHILD_ENDS];
    int n_open; /* handles whose close callback did not come */
    size_t n_written;
    struct sb out;
    char *tail; /* a ring of err_max bytes */
    size_t n_err;
    struct loop_timer timeout;
    int timed_out;
    siginfo_t status;
};

static const struct exec_request *exec_in(const struct wait_exec_run *run)
{
    return run->w->u.exec.in;
}

/* The last err_max bytes in their order. */
static struct str exec_tail(struct wait_exec_run *run)
{
    size_t max = exec_in(run)->err_max, at = max ? run->n_err % max : 0;
    struct sb b;

    if (run->n_err <= max)
        return (struct str){ run->tail ? run->tail : "", run->n_err };
    sb_init(&b, run->w->u.exec.arena);
    sb_add(&b, (struct str){ run->tail + at, max - at });
    sb_add(&b, (struct str){ run->tail, at });
    return sb_str(&b);
}

static int exec_fill(struct wait_exec_run *run)
{
    struct wait *w = run->w;
    struct exec_result *ret = w->u.exec.ret;
    size_t err_max = exec_in(run)->err_max;

    if (run->status.si_code == CLD_EXITED)
        ret->status = run->status.si_status;
    else
        ret->signal = run->status.si_status;
    ret->timed_out = run->timed_out;
    ret->out = sb_str(&run->out);
    ret->err_tail = exec_tail(run);
    ret->err_dropped = run->n_err > err_max ? run->n_err - err_max : 0;
    if (run->timed_out)
        return err_set(w->err, ERR_TIMEOUT, "'%s' did not end within %lld ms",
                       exec_in(run)->argv[0], (long long)exec_in(run)->timeout_ms);
    return arena_status(w->u.exec.arena, w->err);
}

static void exec_end_closed(uv_handle_t *handle)
{
    struct exec_end *end = handle->data;
    struct wait_exec_run *run = end->run;
    struct wait *w = run->w;
    int rc;

    if (--run->n_open)
        return;
    run->l->n_children--;
    rc = w ? exec_fill(run) : 0;
    alloc_free(run);
    if (w)
        wait_end(w, rc);
}

static void exec_close(struct exec_end *end)
{
    if (end->fd < 0)
        return;
    uv_close((uv_handle_t *)&end->poll, exec_end_closed);
    guard_close(&end->fd); /* allowed at once, the handle no longer polls */
}

static void exec_keep_out(struct wait_exec_run *run, struct str bytes)
{
    size_t room = exec_in(run)->out_max - run->out.n;

    sb_add(&run->out, str_slice(bytes, 0, room));
    if (bytes.n > room)
        run->w->u.exec.ret->out_dropped += bytes.n - room;
}

static void exec_keep_err(struct wait_exec_run *run, struct str bytes)
{
    size_t max = exec_in(run)->err_max;

    if (!run->tail)
        run->tail = max ? arena_alloc(run->w->u.exec.arena, max) : NULL;
    for (size_t i = 0; run->tail && i < bytes.n; i++)
        run->tail[(run->n_err + i) % max] = bytes.p[i];
    run->n_err += bytes.n;
}

/* Read what there is, at most n_reads blocks. */
static void exec_read(struct exec_end *end, int n_reads)
{
    struct wait_exec_run *run = end->run;
    char block[EXEC_READ_BYTES];

    for (; end->fd >= 0 && n_reads; n_reads--) {
        ssize_t n = read(end->fd, block, sizeof(block));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            exec_close(end);
        else if (run->w && end == &run->ends[CHILD_OUT])
            exec_keep_out(run, (struct str){ block, (size_t)n });
        else if (run->w)
            exec_keep_err(run, (struct str){ block, (size_t)n });
    }
}

static void exec_write(struct wait_exec_run *run)
{
    struct exec_end *end = &run->ends[CHILD_IN];
    struct str rest = run->w ? str_slice(exec_in(run)->input, run->n_written, SIZE_MAX) : STR_NONE;
    ssize_t n = rest.n ? write(end->fd, rest.p, rest.n) : 0;

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0 || (size_t)n == rest.n)
        exec_close(end); /* all is written, or the child reads no more */
    else
        run->n_written += (size_t)n;
}

/* It has exited: end what it left behind in its group, before its pid can be another's, and reap it. */
static void exec_reap(struct wait_exec_run *run)
{
    (void)kill(-run->child.pid, SIGKILL); /* mostly only the dead one is there */
    while (waitid(P_PIDFD, (id_t)run->ends[CHILD_EXIT].fd, &run->status, WEXITED))
        PRE(errno == EINTR);
    loop_timer_set(&run->timeout, -1);
    exec_read(&run->ends[CHILD_OUT], EXEC_READS_MAX);
    exec_read(&run->ends[CHILD_ERR], EXEC_READS_MAX);
    for (int i = 0; i < N_CHILD_ENDS; i++)
        exec_close(&run->ends[i]);
}

static void exec_polled(uv_poll_t *handle, int status, int events)
{
    struct exec_end *end = handle->data;
    struct wait_exec_run *run = end->run;

    (void)status; /* read and write find the same */
    (void)events;
    if (end == &run->ends[CHILD_EXIT])
        exec_reap(run);
    else if (end == &run->ends[CHILD_IN])
        exec_write(run);
    else
        exec_read(end, 1);
}

static void exec_is_late(void *ctx)
{
    struct wait_exec_run *run = ctx;

    run->timed_out = 1;
    (void)kill(-run->child.pid, SIGKILL); /* its exit follows */
}

static void exec_begin(struct wait_exec_run *run)
{
    struct wait *w = run->w;
    int64_t timeout_ms = exec_in(run)->timeout_ms;

    for (int i = 0; i < N_CHILD_ENDS; i++) {
        struct exec_end *end = &run->ends[i];

        end->run = run;
        end->fd = run->child.fds[i];
        PRE(!uv_poll_init(&run->l->uv, &end->poll, end->fd));
        end->poll.data = end;
        PRE(!uv_poll_start(&end->poll, i == CHILD_IN ? UV_WRITABLE : UV_READABLE, exec_polled));
        run->n_open++;
    }
    loop_timer_init(&run->timeout, w->loop, exec_is_late, run);
    if (timeout_ms > 0)
        loop_timer_set(&run->timeout, loop_mono_ms(w->loop) + timeout_ms);
    run->l->n_children++;
    w->own = run;
}

void wait_exec_uv_start(struct wait *w)
{
    struct wait_exec_run *run = alloc_zero(sizeof(*run));
    int rc = run ? 0 : err_set(w->err, ERR_NOMEM, "out of memory");

    if (!rc)
        rc = loop_child_start(w->u.exec.in, &run->child, w->err);
    if (rc) {
        alloc_free(run);
        wait_end(w, rc);
        return;
    }
    run->w = w;
    run->l = loop_uv_of(w->loop);
    sb_init(&run->out, w->u.exec.arena);
    exec_begin(run);
}

void wait_exec_uv_cancel(struct wait *w)
{
    struct wait_exec_run *run = w->own;

    (void)kill(-run->child.pid, SIGKILL); /* its exit follows */
}

void wait_exec_uv_drop(struct wait *w)
{
    struct wait_exec_run *run = w->own;

    run->w = NULL;
    loop_timer_set(&run->timeout, -1);
    (void)kill(-run->child.pid, SIGKILL); /* loop_free() waits for its exit */
}
