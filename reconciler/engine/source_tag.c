/* Environments that follow tags: which one of a pattern counts. SPDX-License-Identifier: Apache-2.0
 *
 * The newest by version, of the same version the one whose commit is younger. It is remembered: one that is deleted
 * goes on counting, and one that is moved is held up wherever it points to. */
#include <stdio.h>

#include "base/log.h"
#include "reconciler/core/version.h"
#include "reconciler/engine/source_task.h"

#define TAGS "refs/tags/"

static struct str tag_key(struct arena *a, struct str source, struct str pattern)
{
    return str_fmt(a, SOURCE_TAG_ROWS "%.*s/%.*s", STR_ARG(source), STR_ARG(pattern));
}

int source_tag_is(const struct branch *b)
{
    return str_starts(b->name, S(TAGS));
}

static void keep(char *to, size_t n, struct str text)
{
    (void)snprintf(to, n, "%.*s",
                   STR_ARG(text)); /* what is longer is cut, and is then another one */
}

#define KEEP(array, text) keep(array, sizeof(array), text)

/* "v1.2 COMMIT TREE FROM" */
void source_tag_start(struct source_task *s, struct branch *b)
{
    AUTO_ARENA struct arena a = { 0 };
    const struct str *row;
    struct str rest, part;

    if (!source_tag_is(b))
        return;
    arena_init(&a, 0);
    row = map_find(&s->engine->ahead, tag_key(&a, s->name, b->name));
    rest = row ? *row : S("");
    if (!rest.n || !str_next(&rest, ' ', &part))
        return;
    KEEP(b->tag, part);
    KEEP(b->tag_commit, str_next(&rest, ' ', &part) ? part : S(""));
    KEEP(b->tag_tree, str_next(&rest, ' ', &part) ? part : S(""));
    KEEP(b->moved_from, rest);
}

static int matches(struct str pattern, struct str name)
{
    size_t star = str_find_char(pattern, '*');

    if (star == STR_NPOS)
        return str_eq(pattern, name);
    return name.n + 1 >= pattern.n && str_starts(name, str_slice(pattern, 0, star)) &&
           str_ends(name, str_slice(pattern, star + 1, pattern.n));
}

static struct str short_name(struct str name)
{
    return str_slice(name, sizeof(TAGS) - 1, name.n);
}

static const struct source_head *newest(const struct source_heads *heads, struct str pattern)
{
    const struct source_head *best = NULL;

    for (size_t i = 0; i < heads->heads.n; i++) {
        const struct source_head *h = &heads->heads.p[i];
        int order;

        if (!matches(pattern, h->name))
            continue;
        order = best ? version_cmp(short_name(best->name), short_name(h->name)) : -1;
        if (order < 0 || (!order && best->time_ms < h->time_ms))
            best = h;
    }
    return best;
}

/* One that is there takes the place of the one before, unless that was newer and has been deleted. */
static void choose(struct source_task *s, struct branch *b, const struct source_head *h)
{
    struct str name = short_name(h->name);
    int is_same = str_eq_c(name, b->tag);

    if (b->tag[0] && !is_same && version_cmp(name, str_from_c(b->tag)) < 0)
        return;
    if (is_same && str_eq_c(h->commit, b->tag_commit))
        return;
    if (is_same)
        LOG(LOG_WARN, "a tag was moved: it is held up", LOG_S("source", s->name),
            LOG_S("tag", name), LOG_S("commit", h->commit));
    KEEP(b->moved_from, is_same ? str_from_c(b->tag_commit) : S(""));
    KEEP(b->tag, name);
    KEEP(b->tag_commit, h->commit);
    KEEP(b->tag_tree, h->tree);
    b->is_tag_new = 1;
}

void source_tag_take(struct source_task *s, struct branch *b)
{
    const struct source_head *h = newest(&s->heads, b->name);

    if (h)
        choose(s, b, h);
    b->is_gone = 0;
    if (!b->tag[0] || (b->heads.newest && str_eq_c(b->heads.newest->commit, b->tag_commit)))
        return;
    b->commit = str_copy(&s->round, str_from_c(b->tag_commit));
    b->tree = str_copy(&s->round, str_from_c(b->tag_tree));
    b->told = NULL;
    b->next = source_begin_head(s, b);
    if (!b->next)
        return;
    b->next->tag = str_copy(&b->next->arena, str_from_c(b->tag));
    b->next->moved_from = str_copy(&b->next->arena, str_from_c(b->moved_from));
}

int source_tag_note(struct source_task *s, struct tx *tx, struct branch *b, struct err *err)
{
    struct arena *a = &s->round;
    const struct rec_meta row = { .k = tag_key(a, s->name, b->name),
                                  .v = str_fmt(a, "%s %s %s %s", b->tag, b->tag_commit, b->tag_tree,
                                               b->moved_from) };

    if (!b->is_tag_new)
        return 0;
    b->is_tag_new = 0;
    return tx_put(tx, REC_meta, &row, err);
}
