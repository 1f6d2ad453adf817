/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/head.h"

#include "base/alloc.h"

#define HEAD_BYTES_MAX (256u << 20)

struct head *head_new(struct str commit, struct str tree)
{
    struct head *h = alloc_zero(sizeof(*h));

    if (!h)
        return NULL;
    arena_init(&h->arena, HEAD_BYTES_MAX);
    h->commit = str_copy(&h->arena, commit);
    h->tree = str_copy(&h->arena, tree);
    spec_messages_init(&h->messages, &h->arena);
    map_init(&h->trees, &h->arena);
    return h;
}

void head_release(struct head *h)
{
    if (!h || h->users || h->is_current)
        return;
    arena_fini(&h->arena);
    alloc_free(h);
}

/* A hint stands on a line of its own there. */
static struct str one_line(struct arena *a, struct str text)
{
    struct str line;
    struct sb b;

    sb_init(&b, a);
    while (str_next(&text, '\n', &line)) {
        line = str_trim(line);
        if (line.n && b.n)
            sb_add_c(&b, "; ");
        sb_add(&b, line);
    }
    return sb_str(&b);
}

struct str head_error(struct arena *a, const struct spec_messages *messages)
{
    struct str text;
    struct sb b;

    for (size_t i = 0; i < messages->list.n; i++) {
        if (messages->list.p[i].severity != SPEC_ERROR)
            continue;
        sb_init(&b, a);
        spec_message_format(&b, &messages->list.p[i], STR_NONE, 0);
        text = one_line(a, sb_str(&b));
        return messages->n_errors > 1
                   ? str_fmt(a, "%.*s (and %zu more)", STR_ARG(text), messages->n_errors - 1)
                   : text;
    }
    return S("");
}
