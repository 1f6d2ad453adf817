/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/feed_page.h"

#include "base/alloc.h"
#include "base/guard.h"
#include "reconciler/core/scope.h"
#include "specs/json_io.h"

struct feed_event {
    int64_t seq;
    struct str env;  /* its name; "": of no one environment */
    struct str ends; /* who is known no more since; "": everybody is */
    struct str text;
};

/* --- one page ------------------------------------------------------------------------------------ */

struct feed_page *feed_page_new(int64_t after)
{
    struct feed_page *page = alloc_zero(sizeof(*page));

    if (!page)
        return NULL;
    arena_init(&page->arena, 0);
    page->after = page->last = after;
    return page;
}

void feed_page_free(struct feed_page *page)
{
    if (!page)
        return;
    arena_fini(&page->arena);
    alloc_free(page);
}

/* Who has shown the same may show it no more. */
static int is_an_end(struct str kind)
{
    return str_eq_c(kind, "token.revoked") || str_eq_c(kind, "person.signed_out") ||
           str_eq_c(kind, "person.password");
}

/* Its JSON is not kept while the others are made: a page would be held three times. */
static int format_event(struct feed_page *page, const struct value *v, struct err *err)
{
    AUTO_ARENA struct arena scratch = { 0 };
    struct feed_event *e = &page->events[page->n++];
    struct str kind = value_get_text(v, S("kind"), S("")), json = json_format(&scratch, v);

    e->seq = value_get_int(v, S("seq"), 0);
    e->env = str_copy(&page->arena, value_get_text(v, S("environment"), S("")));
    e->ends = S("");
    if (is_an_end(kind)) {
        e->ends = str_copy(&page->arena, value_get_text(v, S("subject"), S("")));
        page->n_ends++;
    }
    e->text = str_fmt(&page->arena, "id: %lld\nevent: %.*s\ndata: %.*s\n\n", (long long)e->seq,
                      STR_ARG(kind), STR_ARG(json));
    page->last = e->seq;
    page->n_bytes += e->text.n;
    return arena_status(&scratch, err);
}

int feed_page_fill(struct feed_page *page, const struct value *list, struct err *err)
{
    int rc = 0;

    page->events = arena_new_n(&page->arena, struct feed_event, value_count(list) + 1);
    for (size_t i = 0; !rc && page->events && i < value_count(list); i++)
        rc = format_event(page, value_item(list, i), err);
    return rc ? rc : arena_status(&page->arena, err);
}

int64_t feed_page_add(const struct feed_page *page, const struct value *scope, int64_t after,
                      struct sb *ret)
{
    for (size_t i = 0; i < page->n && ret->n < FEED_PUSH_BYTES; i++) {
        const struct feed_event *e = &page->events[i];

        if (e->seq <= after)
            continue;
        if (!scope || (e->env.n && scope_has(scope, e->env)))
            sb_add(ret, e->text);
        after = e->seq;
    }
    return after;
}

int feed_page_ends(const struct feed_page *page, struct str who, int64_t after)
{
    if (!page->n_ends || !who.n || page->last <= after)
        return 0;
    for (size_t i = 0; i < page->n; i++)
        if (page->events[i].seq > after && str_eq(page->events[i].ends, who))
            return 1;
    return 0;
}

/* --- those that are kept ------------------------------------------------------------------------- */

static void drop_oldest(struct feed_pages *p)
{
    struct feed_page *page = p->first;

    p->first = page->next;
    if (!p->first)
        p->last = NULL;
    p->n--;
    p->n_bytes -= page->n_bytes;
    feed_page_free(page);
}

void feed_pages_keep(struct feed_pages *p, struct feed_page *page)
{
    if (p->last)
        p->last->next = page;
    else
        p->first = page;
    p->last = page;
    p->n++;
    p->n_bytes += page->n_bytes;
    while (p->n > FEED_PAGES_MAX || (p->n > 1 && p->n_bytes > FEED_KEPT_BYTES))
        drop_oldest(p);
}

void feed_pages_forget(struct feed_pages *p)
{
    while (p->first)
        drop_oldest(p);
}

int feed_pages_reach(const struct feed_pages *p, int64_t after)
{
    return p->first && after >= p->first->after;
}
