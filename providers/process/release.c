/* release, verify, job: commands that run once, to their end. SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/process.h"

static int release_has_ended(const struct keeper_view *v)
{
    return v->life == KEEPER_GONE &&
           (str_eq(v->state, S("exited")) || str_eq(v->state, S("stopped")));
}

static void release_read(struct process_call *c)
{
    struct arena *a = &c->arena;
    const struct keeper_view *v = &c->view;
    struct value *seen = value_map(a), *outputs = value_map(a);

    value_set_text(a, seen, S("state"),
                   v->life == KEEPER_LIVES ? S("running")
                   : release_has_ended(v)  ? S("exited")
                                           : S("lost"));
    value_set_text(a, seen, S("key"), v->key.p ? v->key : S(""));
    if (release_has_ended(v)) {
        if (v->exit >= 0)
            value_set_int(a, seen, S("exit"), v->exit);
        if (v->signal)
            value_set_int(a, seen, S("signal"), v->signal);
        value_set_int(a, outputs, S("exit"), v->exit);
    }
    c->ret->verdict = RV_DONE;
    process_answer_view(c, seen, outputs);
}

static void release_pending(struct process_call *c)
{
    (void)process_fail(c, RV_PENDING, RV_ACTED_YES, "running");
    c->ret->token = kit_give(c->h, c->place.owner);
    c->ret->again_ms = PROCESS_POLL_MS;
}

static void release_resume(struct process_call *c)
{
    AUTO_HOLD struct keeper_hold hold = KEEPER_HOLD_NONE;

    if (c->view.life == KEEPER_LIVES) {
        release_pending(c);
    } else if (!release_has_ended(&c->view)) { /* whether it ran is not known: who asked decides */
        (void)process_fail(c, RV_RETRY, RV_ACTED_MAYBE,
                           "%.*s: its keeper died, the exit is unknown",
                           STR_ARG(kit_str(c->op->type)));
    } else {
        release_read(c);
        c->ret->acted = RV_ACTED_YES;
        (void)process_judge_exit(c, str_to_c(&c->arena, kit_str(c->op->type)));
        if (!process_take_ended(c, &hold))
            process_clear_home(c);
    }
}

static void release_start(struct process_call *c)
{
    AUTO_HOLD struct keeper_hold hold = KEEPER_HOLD_NONE;
    struct keeper_want want;
    struct str dir;

    if (process_take(c, &hold))
        return;
    if (process_artifact_dir(c, &dir) ||
        process_command(c, value_get(c->desired, S("command")), dir, 0, &want) ||
        process_isolate(c, process_artifact_tree(c), LAUNCH_READ, &want)) {
        c->ret->acted = RV_ACTED_YES; /* there is a directory */
        return;
    }
    if (!keeper_start(c->h, &c->arena, &c->place, &want, &hold, &c->view, c->ret))
        release_pending(c);
}

/* The same key is the same run: one whose end is known, or that must not be begun twice. */
static int release_was_begun(const struct process_call *c)
{
    if (!c->view.key.p || !str_eq(c->view.key, kit_str(c->op->key)))
        return 0;
    return release_has_ended(&c->view) ||
           str_eq_c(value_get_text(c->desired, S("on_unknown"), S("")), "park");
}

static void release_apply(struct process_call *c)
{
    if (process_adopt(c))
        return;
    if (c->view.life == KEEPER_LIVES)
        release_pending(c);
    else if (release_was_begun(c))
        release_resume(c);
    else
        release_start(c);
}

static int release_forget(struct process_call *c)
{
    (void)c;
    return 0;
}

const struct process_type process_release = {
    .name = "release",
    .read = release_read,
    .apply = release_apply,
    .resume = release_resume,
    .forget = release_forget,
};

const struct process_type process_job = {
    .name = "job",
    .read = release_read,
    .apply = release_apply,
    .resume = release_resume,
    .forget = release_forget,
};

const struct process_type process_verify = {
    .name = "verify",
    .read = release_read,
    .apply = release_apply,
    .resume = release_resume,
    .forget = release_forget,
};
