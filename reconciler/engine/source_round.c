/* What a round asks for, and the heads that it is answered with. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/engine/source_task.h"

#define SOURCE_ALONG_PATHS_MAX 1000u /* that are asked for in every round, moved or not */

/* --- the question -------------------------------------------------------------------------------- */

int source_round_ask(struct source_task *s, const struct head *before, struct source_read *ret,
                     struct err *err)
{
    struct source_read read = { .base = before ? before->commit : STR_NONE,
                                .code = before ? before->code : STR_NONE };

    if (head_read_known(before, &s->round, &read.paths, &read.n_paths, err))
        return err->code;
    *ret = read;
    return 0;
}

/* Every branch that was read before, as long as it wants few paths: the rest are asked alone. */
static void source_ask_along(struct source_task *s)
{
    struct err unused = ERR_INIT;
    size_t n_paths = 0;

    s->reads = arena_new_n(&s->round, struct source_read, s->branches.n + 1);
    for (size_t i = 0; s->reads && i < s->branches.n; i++) {
        const struct head *before = s->branches.p[i].heads.newest;

        if (before && (n_paths += before->trees.n) <= SOURCE_ALONG_PATHS_MAX)
            (void)source_round_ask(s, before, &s->reads[i], &unused); /* else without it */
    }
}

int source_round_is_narrow(const struct source_task *s)
{
    if (s->wants_all || s->failures || s->claims_moved || s->is_local ||
        loop_mono_ms(s->task.loop) >= s->poll_mono_ms)
        return 0;
    for (size_t i = 0; i < s->branches.n; i++)
        if (s->branches.p[i].is_named)
            return 1;
    return 0;
}

static void source_narrow(struct source_task *s)
{
    struct str *ahead = arena_new_n(&s->round, struct str, s->branches.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < s->fetch.n_names; i++) {
        if (!s->branches.p[i].is_named)
            continue;
        s->names[n] = s->names[i];
        if (s->reads)
            s->reads[n] = s->reads[i];
        if (ahead && s->fetch.ahead)
            ahead[n] = s->fetch.ahead[i];
        n++;
    }
    s->fetch.n_names = n;
    s->fetch.ahead = s->fetch.ahead ? ahead : NULL;
}

void source_round_begin(struct source_task *s)
{
    int is_narrow = source_round_is_narrow(s);

    for (size_t i = 0; i < s->branches.n; i++) {
        head_free(TAKE(s->branches.p[i].next));
        s->branches.p[i].told = NULL;
    }
    arena_reset(&s->round);
    s->rounds_begun++;
    s->began_mono_ms = loop_mono_ms(s->task.loop);
    s->reading = 0;
    s->refused = (struct err)ERR_INIT;
    s->names = arena_new_n(&s->round, struct str, s->branches.n + 1);
    for (size_t i = 0; s->names && i < s->branches.n; i++)
        s->names[i] = s->branches.p[i].name;
    s->reads = NULL;
    if (!s->failures) /* reading may be what failed: then every branch is asked alone */
        source_ask_along(s);
    s->fetch = (struct source_fetch){ .names = s->names,
                                      .n_names = s->names ? s->branches.n : 0,
                                      .reads = s->reads };
    source_ahead_ask(s);
    s->is_local = source_ahead_begin(s);
    s->is_narrow = is_narrow && !s->is_local;
    if (s->is_local)
        return;
    if (s->is_narrow)
        source_narrow(s);
    s->wants_all = 0;
    for (size_t i = 0; i < s->branches.n; i++)
        s->branches.p[i].is_named = 0;
}

/* --- the answer ---------------------------------------------------------------------------------- */

struct head *source_begin_head(const struct source_task *s, const struct branch *b)
{
    struct head *h = head_new(b->commit, b->tree);

    if (!h)
        return NULL;
    h->source = s->name;
    h->branch = b->name;
    h->spec_path = value_get_text(s->config, S("path"), S(".reeve"));
    return h;
}

static struct branch *source_branch(struct source_task *s, struct str name)
{
    for (size_t i = 0; i < s->branches.n; i++)
        if (str_eq(s->branches.p[i].name, name))
            return &s->branches.p[i];
    return NULL;
}

void source_round_take(struct source_task *s)
{
    for (size_t i = 0; i < s->heads.heads.n; i++) {
        const struct source_head *h = &s->heads.heads.p[i];
        struct branch *b = source_branch(s, h->name);

        if (!b || source_tag_is(b))
            continue;
        b->is_gone = 0;
        source_ahead_hear(s, b, h);
        if (!b->heads.newest || !str_eq(b->heads.newest->commit, h->commit)) {
            b->commit = h->commit;
            b->tree = h->tree;
            b->told = h->snapshot;
            b->next = source_begin_head(s, b);
        }
    }
    for (size_t i = 0; i < s->heads.gone.n; i++) {
        struct branch *b = source_branch(s, s->heads.gone.p[i]);

        if (b)
            b->is_gone = 1; /* what it was goes on being wanted */
    }
    for (size_t i = 0; i < s->branches.n; i++)
        if (source_tag_is(&s->branches.p[i]))
            source_tag_take(s, &s->branches.p[i]);
}
