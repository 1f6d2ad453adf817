/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/notes.h"

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"

struct note {
    struct command_call call;
    struct rec_token token;
    struct notes *notes;
};

static void note_ended(struct task *t, void *ctx)
{
    struct note *note = ctx;
    struct notes *n = note->notes;

    if (t->rc)
        LOG(LOG_WARN, "the API could not note something", LOG_C("err", t->err.text));
    arena_fini(&note->call.arena);
    alloc_free(note);
    if (!--n->n_open && n->idle)
        n->idle(n->ctx);
}

void notes_write(struct notes *n, const struct command *in)
{
    struct note *note = n->command ? alloc_zero(sizeof(*note))
                                   : NULL; /* a standby writes nothing */
    struct arena *a;

    if (!note)
        return;
    a = &note->call.arena;
    arena_init(a, 0);
    note->notes = n;
    note->call.in = (struct command){ .verb = in->verb,
                                      .env = str_copy(a, in->env),
                                      .actor = str_copy(a, in->actor),
                                      .denied = str_copy(a, in->denied),
                                      .denied_note = str_copy(a, in->denied_note),
                                      .is_admin = 1 };
    if (in->token) {
        note->token.id = str_copy(a, in->token->id);
        note->call.in.token = &note->token;
    }
    n->n_open++;
    n->command(n->engine, &note->call, note_ended, note);
}

void notes_stop(struct notes *n, loop_fn *idle, void *ctx)
{
    n->idle = idle;
    n->ctx = ctx;
    if (!n->n_open)
        idle(ctx);
}
