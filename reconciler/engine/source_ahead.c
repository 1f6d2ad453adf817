/* Commits that came in a bundle, until the git host has them. SPDX-License-Identifier: Apache-2.0
 *
 *     set        the branch is read from the mirror, at once and whatever the host says
 *     behind     the host has not heard of it: it stands
 *     diverged   neither goes on from the other: it stands, and a person makes a commit that goes on from both
 *     over       the host's branch goes on from it: as ever */
#include <stdio.h>

#include "base/log.h"
#include "reconciler/engine/source_task.h"

#define AHEAD "bundle/"

struct str source_ahead_key(struct arena *a, struct str source, struct str branch)
{
    return str_fmt(a, AHEAD "%.*s/%.*s", STR_ARG(source), STR_ARG(branch));
}

int source_ahead_load(struct engine *e, struct err *err)
{
    struct rec_meta *rows;
    size_t n;

    map_init(&e->ahead, e->process);
    if (DB_SELECT(e->db, e->process, meta, "WHERE k LIKE $1 OR k LIKE $2", &rows, &n, err,
                  DB_T(S(AHEAD "%")), DB_T(S(SOURCE_TAG_ROWS "%"))))
        return err->code;
    for (size_t i = 0; i < n; i++)
        map_put(&e->ahead, rows[i].k, &rows[i].v);
    return arena_status(e->process, err);
}

/* A commit's id and its tree's, in arrays of the branch's own. */
static void ahead_take(struct branch *b, struct str commit, struct str tree)
{
    (void)snprintf(b->ahead, sizeof(b->ahead), "%.*s", STR_ARG(commit));
    (void)snprintf(b->ahead_tree, sizeof(b->ahead_tree), "%.*s", STR_ARG(tree));
    b->is_ahead_new = 1;
}

void source_ahead_start(struct source_task *s, struct branch *b)
{
    AUTO_ARENA struct arena a = { 0 };
    const struct str *row;
    struct str rest, commit;

    arena_init(&a, 0);
    row = map_find(&s->engine->ahead, source_ahead_key(&a, s->name, b->name));
    rest = row ? *row : S("");
    if (rest.n && str_next(&rest, ' ', &commit))
        ahead_take(b, commit, rest);
}

void source_ahead_set(struct source_task *s, const struct source_head *head)
{
    for (size_t i = 0; i < s->branches.n; i++)
        if (str_eq(s->branches.p[i].name, head->name))
            ahead_take(&s->branches.p[i], head->commit, head->tree);
}

int source_ahead_begin(struct source_task *s)
{
    int n = 0;

    for (size_t i = 0; i < s->branches.n; i++) {
        struct branch *b = &s->branches.p[i];

        if (!b->is_ahead_new)
            continue;
        b->is_ahead_new = 0;
        if (b->heads.newest && str_eq_c(b->heads.newest->commit, b->ahead))
            continue;
        b->commit = str_copy(&s->round, str_from_c(b->ahead));
        b->tree = str_copy(&s->round, str_from_c(b->ahead_tree));
        b->next = source_begin_head(s, b);
        n++;
    }
    return n;
}

void source_ahead_ask(struct source_task *s)
{
    struct str *ahead = arena_new_n(&s->round, struct str, s->branches.n + 1);

    for (size_t i = 0; ahead && i < s->branches.n; i++)
        ahead[i] = s->branches.p[i].ahead[0] ? str_from_c(s->branches.p[i].ahead) : STR_NONE;
    s->fetch.ahead = ahead;
}

void source_ahead_hear(struct source_task *s, struct branch *b, const struct source_head *h)
{
    b->host_says[0] = 0;
    if (!b->ahead[0])
        return;
    if (!h->host.p) {
        LOG(LOG_INFO, "the git host has what came in a bundle", LOG_S("source", s->name),
            LOG_S("branch", b->name), LOG_C("commit", b->ahead));
        b->ahead[0] = 0;
        b->is_ahead_over = 1;
        return;
    }
    (void)snprintf(b->host_says, sizeof(b->host_says),
                   str_eq_c(h->host_is, "behind")
                       ? "commit %.12s came in a bundle: the git host is behind, at %.*s"
                       : "diverged: commit %.12s came in a bundle, the git host is at %.*s: push a "
                         "commit that goes on from both",
                   b->ahead, 12, h->host.p);
}

int source_ahead_note(struct source_task *s, struct tx *tx, struct branch *b, struct err *err)
{
    const struct rec_meta row = { .k = source_ahead_key(&s->round, s->name, b->name), .v = S("") };

    if (!b->is_ahead_over)
        return 0;
    b->is_ahead_over = 0;
    return tx_put(tx, REC_meta, &row, err);
}
