/* What a call of any type does. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/process/process.h"

#define PROCESS_ADOPT_MS 5000
#define PROCESS_LOCK_TRIES 500 /* 10 ms each */

int process_fail(struct process_call *c, enum rv_verdict verdict, enum rv_acted acted,
                 const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut sentence still explains */
    va_end(ap);
    return kit_answer(c->h, c->ret, verdict, acted, "%s", text);
}

int process_fail_err(struct process_call *c, enum rv_acted acted, const struct err *err)
{
    return kit_answer_err(c->h, c->ret, acted, err);
}

int process_look(struct process_call *c)
{
    return keeper_look(c->h, &c->arena, &c->place, &c->view, c->ret);
}

int process_sweep(struct process_call *c)
{
    if (!keeper_sweep(&c->view))
        return 0;
    return process_fail(c, RV_RETRY, RV_ACTED_MAYBE,
                        "what its dead keeper (pid %lld) left does not end",
                        (long long)c->view.keeper_pid);
}

int process_take(struct process_call *c, struct keeper_hold *ret)
{
    int verdict;

    if (keeper_take(c->h, &c->arena, &c->place, c->op->epoch, ret, c->ret))
        return (int)c->ret->verdict;
    if (process_sweep(c)) { /* it may hold the port, and write */
        keeper_release(ret);
        return (int)c->ret->verdict;
    }
    if (process_limits_remove(c)) {
        keeper_release(ret);
        return (int)c->ret->verdict;
    }
    verdict = c->h->identified(c->h->ctx, kit_rv(c->place.owner));
    if (verdict) {
        keeper_release(ret);
        return kit_answer_host(c->h, c->ret, verdict, RV_ACTED_YES, "identified");
    }
    return 0;
}

int process_take_ended(struct process_call *c, struct keeper_hold *ret)
{
    struct rv_result ignored = { .size = sizeof(ignored) };

    return keeper_take(c->h, &c->arena, &c->place, c->op->epoch, ret, &ignored) ? -1 : 0;
}

void process_clear_home(struct process_call *c)
{
    struct err ignored = ERR_INIT; /* what stays goes with the resource */
    const char *home =
        str_fmt(&c->arena, "%.*s/%.*s/home", STR_ARG(c->place.runs), STR_ARG(c->place.owner)).p;

    if (home && !process_users_remove(c, home, &ignored))
        (void)sys_remove_all(home, &ignored);
}

int process_adopt(struct process_call *c)
{
    int64_t until_ms = c->h->now_ms(c->h->ctx) + PROCESS_ADOPT_MS;

    while (c->view.life == KEEPER_LIVES) {
        if (!keeper_adopt(c->h, &c->arena, &c->place, c->op->epoch, c->ret))
            return process_look(c); /* one that was starting has said more by now */
        if (c->ret->verdict != RV_RETRY || c->h->now_ms(c->h->ctx) > until_ms)
            return (int)c->ret->verdict;
        *c->ret = (struct rv_result){ .size = c->ret->size }; /* it may be about to end */
        if (c->h->wait_fd(c->h->ctx, -1, 0, 10) == RV_CANCELLED)
            return process_fail(c, RV_CANCELLED, RV_ACTED_NO, "cancelled");
        if (process_look(c))
            return (int)c->ret->verdict;
    }
    return 0;
}

int process_lock(struct process_call *c, struct str directory, int *ret_fd)
{
    struct err err = ERR_INIT;
    const char *path = str_fmt(&c->arena, "%.*s/.lock", STR_ARG(directory)).p;
    AUTO_CLOSE int fd = -1;

    if (arena_status(&c->arena, &err) || sys_mkdir_all(str_to_c(&c->arena, directory), 0700, &err))
        return process_fail_err(c, RV_ACTED_NO, &err);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    for (int i = 0; fd >= 0 && i < PROCESS_LOCK_TRIES; i++) {
        if (!flock(fd, LOCK_EX | LOCK_NB)) {
            *ret_fd = TAKE_FD(fd);
            return 0;
        }
        if (c->h->wait_fd(c->h->ctx, -1, 0, 10) == RV_CANCELLED)
            return process_fail(c, RV_CANCELLED, RV_ACTED_NO, "cancelled");
    }
    return process_fail(c, RV_RETRY, RV_ACTED_NO, "lock '%s': %s", path, strerror(errno));
}

void process_answer_view(struct process_call *c, struct value *observed, struct value *outputs)
{
    c->ret->id = kit_give(c->h, c->place.owner);
    c->ret->observed = kit_give_json(c->h, &c->arena, observed);
    c->ret->outputs = kit_give_json(c->h, &c->arena, outputs);
    if (!c->ret->id.p || !c->ret->observed.p || !c->ret->outputs.p)
        (void)process_fail(c, RV_RETRY, (enum rv_acted)c->ret->acted, "out of memory");
}

/* How it ended, or "": as it should. */
static struct str process_end_of(struct process_call *c, const char *what)
{
    const struct keeper_view *v = &c->view;

    if (v->timed_out)
        return str_fmt(&c->arena, "%s: took longer than %lld ms", what,
                       (long long)value_get_int(c->desired, S("timeout_ms"), 0));
    if (v->message.n)
        return str_fmt(&c->arena, "%s: %.*s", what, STR_ARG(v->message));
    if (str_eq(v->state, S("stopped")))
        return str_fmt(&c->arena, "%s: was stopped", what);
    if (v->signal == SIGXFSZ)
        return str_fmt(&c->arena, "%s: ended, its files are over the quota", what);
    if (v->signal)
        return str_fmt(&c->arena, "%s: ended by signal %lld", what, (long long)v->signal);
    if (v->exit)
        return str_fmt(&c->arena, "%s: exit %lld", what, (long long)v->exit);
    return S("");
}

int process_judge_exit(struct process_call *c, const char *what)
{
    struct str tail = keeper_log_tail(&c->arena, &c->place, PROCESS_TAIL_BYTES);
    struct str say = process_end_of(c, what), killed;
    int64_t unused;

    if (!say.n)
        return 0;
    killed = process_limits_say(c, &unused);
    say = str_fmt(&c->arena, "%.*s%s%.*s%s%.*s", STR_ARG(say), killed.n ? "; " : "",
                  STR_ARG(killed), tail.n ? "\n" : "", STR_ARG(tail));
    c->ret->verdict = RV_USER;
    c->ret->acted = RV_ACTED_YES;
    c->ret->message = kit_give(c->h, say);
    return RV_USER;
}
