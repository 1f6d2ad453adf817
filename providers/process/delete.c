/* delete: stopped, forgotten, removed. SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/process.h"

#define DELETE_STOP_MS 50    /* most programs end within; else PENDING */
#define DELETE_DEAF_MS 30000 /* a keeper that answers nothing for so long is killed */

/* Files of the environment's own user, whatever it left: as that user. */
static int delete_theirs(struct process_call *c)
{
    static const char *const places[] = { "home", "scratch/tree" };
    struct err err = ERR_INIT;

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (process_users_remove(c,
                                 str_fmt(&c->arena, "%.*s/%.*s/%s", STR_ARG(c->place.runs),
                                         STR_ARG(c->place.owner), places[i])
                                     .p,
                                 &err))
            return process_fail_err(c, RV_ACTED_MAYBE, &err);
    return 0;
}

/* Nobody lives there: forget what belongs to it, then the directory. Dying in between repeats it. */
static void delete_now(struct process_call *c, const struct process_type *type)
{
    AUTO_HOLD struct keeper_hold hold = KEEPER_HOLD_NONE;

    if (keeper_take(c->h, &c->arena, &c->place, c->op->epoch, &hold, c->ret))
        return;
    if (process_sweep(c) || process_limits_remove(c) || delete_theirs(c) || type->forget(c))
        return;
    if (type == &process_instance)
        process_gone_keep(c);
    if (keeper_remove(c->h, &c->place, &hold, c->ret))
        return;
    process_gone_sweep(c);
    (void)process_fail(c, RV_DONE, RV_ACTED_YES, "%s", "");
}

/* Since when its keeper has answered nothing: the token is the owner, and that time behind a blank. */
static int64_t delete_deaf_since(const struct process_call *c, int64_t now_ms)
{
    struct str token = kit_str(c->op->token);
    size_t blank = str_find_char(token, ' ');
    int64_t since_ms = now_ms;

    if (blank != STR_NPOS && str_to_i64(str_slice(token, blank + 1, token.n), &since_ms))
        since_ms = now_ms;
    return since_ms;
}

static void delete_wait(struct process_call *c, int is_deaf)
{
    int64_t now_ms = c->h->now_ms(c->h->ctx), since_ms = delete_deaf_since(c, now_ms);
    struct str token = c->place.owner;

    if (!is_deaf) {
        (void)process_fail(c, RV_PENDING, RV_ACTED_YES, "stopping");
    } else if (now_ms - since_ms < DELETE_DEAF_MS) {
        token = str_fmt(&c->arena, "%.*s %lld", STR_ARG(token), (long long)since_ms);
        (void)process_fail(c, RV_PENDING, RV_ACTED_MAYBE, "its keeper (pid %lld) does not answer",
                           (long long)c->view.keeper_pid);
    } else {
        token = str_fmt(&c->arena, "%.*s %lld", STR_ARG(token), (long long)since_ms);
        keeper_kill(&c->view);
        (void)process_fail(c, RV_PENDING, RV_ACTED_YES,
                           "its keeper (pid %lld) has not answered for %lld s: killed",
                           (long long)c->view.keeper_pid, (long long)(now_ms - since_ms) / 1000);
    }
    c->ret->token = kit_give(c->h, token);
    c->ret->again_ms = PROCESS_POLL_MS;
}

void process_delete(struct process_call *c, const struct process_type *type)
{
    int is_deaf = 0;

    if (process_look(c))
        return;
    if (c->view.life == KEEPER_LIVES) {
        int verdict = keeper_stop(c->h, &c->arena, &c->place, c->op->epoch, DELETE_STOP_MS, c->ret);

        is_deaf = verdict == RV_RETRY;

        if (verdict && verdict != RV_RETRY)
            return;
        if (process_look(c))
            return;
    }
    if (c->view.life == KEEPER_NONE) {
        (void)process_fail(c, RV_DONE, RV_ACTED_NO, "%s", "");
    } else if (c->view.life == KEEPER_LIVES) {
        delete_wait(c, is_deaf);
    } else {
        delete_now(c, type);
    }
}
