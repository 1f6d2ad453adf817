/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/head.h"

#include "base/alloc.h"
#include "base/guard.h"

#define HEAD_BYTES_MAX (64u << 20) /* its tables; files have arenas of their own */

struct head *head_new(struct str commit, struct str tree)
{
    struct head *h = alloc_zero(sizeof(*h));

    if (!h)
        return NULL;
    arena_init(&h->arena, HEAD_BYTES_MAX);
    h->commit = str_copy(&h->arena, commit);
    h->tree = str_copy(&h->arena, tree);
    spec_messages_init(&h->messages, &h->arena);
    spec_messages_init(&h->refused, &h->arena);
    map_init(&h->envs, &h->arena);
    map_init(&h->trees, &h->arena);
    map_init(&h->moved, &h->arena);
    return h;
}

static void head_free_file(struct head_file *f)
{
    arena_fini(&f->arena);
    alloc_free(f);
}

void head_free(struct head *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->own.files.n; i++)
        head_free_file(h->own.files.p[i]);
    for (size_t i = 0; i < h->own.envs.n; i++)
        alloc_free(h->own.envs.p[i]);
    arena_fini(&h->arena);
    alloc_free(h);
}

static void head_sweep(struct heads *heads)
{
    while (heads->oldest != heads->newest && !heads->oldest->users) {
        struct head *h = heads->oldest;

        heads->oldest = h->newer;
        head_free(h);
    }
}

void head_publish(struct heads *heads, struct head *h)
{
    h->heads = heads;
    h->own = (struct head_parts){ 0 }; /* shared from now on */
    if (!heads->newest)
        heads->oldest = h;
    else {
        heads->newest->own = h->gone; /* lives as long as h, which is freed later */
        heads->newest->newer = h;
    }
    heads->newest = h;
    head_sweep(heads);
}

struct head *head_use(struct head *h)
{
    if (h)
        h->users++;
    return h;
}

void head_let_go(struct head *h)
{
    h->users--;
    head_sweep(h->heads);
}

void head_free_all(struct heads *heads)
{
    struct head *last = heads->newest;

    if (!last)
        return;
    while (heads->oldest != last) {
        struct head *h = heads->oldest;

        heads->oldest = h->newer;
        head_free(h);
    }
    for (size_t i = 0; i < last->n_files; i++)
        head_free_file(last->files[i]);
    for (size_t i = 0; i < last->envs.n; i++)
        alloc_free(last->envs.entries[i].value);
    head_free(last);
    *heads = (struct heads){ 0 };
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
