/* Everything that carries a label of ours: the directories of keepers. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "providers/process/process.h"

struct list_names {
    struct str *p;
    size_t n, cap;
};

static int list_compare(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Behind `token`, sorted. Names with a dot are no labels: what is being removed. */
static int list_directory(struct process_call *c, struct list_names *names)
{
    struct str token = kit_str(c->op->token);
    DIR *dir = opendir(str_to_c(&c->arena, c->self->runs));
    struct dirent *entry;

    if (!dir && errno == ENOENT)
        return 0; /* nothing was ever started */
    if (!dir)
        return process_fail(c, RV_RETRY, RV_ACTED_NO, "open '%.*s': %s", STR_ARG(c->self->runs),
                            strerror(errno));
    while ((entry = readdir(dir))) {
        struct str name = str_from_c(entry->d_name), *slot;

        if (str_find_char(name, '.') != STR_NPOS || (token.n && str_cmp(name, token) <= 0))
            continue;
        slot = vec_push(&c->arena, names);
        if (slot)
            *slot = str_copy(&c->arena, name);
    }
    (void)closedir(dir); /* only read */
    if (names->n)
        qsort(names->p, names->n, sizeof(names->p[0]), list_compare);
    return 0;
}

/* 0, or the verdict answered. One that went meanwhile is left out. */
static int list_add(struct process_call *c, void *self, struct str owner, struct value *items)
{
    struct rv_op look = { .size = sizeof(look) };
    struct rv_result seen = { .size = sizeof(seen) };
    struct str type;

    c->place.owner = owner;
    if (process_look(c))
        return (int)c->ret->verdict;
    type = value_get_text(c->view.about, S("type"), S(""));
    if (c->view.life == KEEPER_NONE || (c->op->type.n && !str_eq(kit_str(c->op->type), type)))
        return 0;
    look.type = kit_rv(type);
    if (type.n)
        process_read_one(self, c->h, &look, owner, &seen);
    value_add(&c->arena, items,
              kit_item_value(&c->arena, &(struct kit_item){
                                            .type = type,
                                            .id = owner,
                                            .owner = owner,
                                            .name = value_get_text(c->view.about, S("name"), S("")),
                                            .epoch = c->view.epoch,
                                            .label = value_get(c->view.about, S("label")),
                                            .observed = seen.observed,
                                            .outputs = seen.outputs,
                                        }));
    return 0;
}

void process_list(void *self, const struct rv_host *h, const struct rv_op *op,
                  struct rv_result *ret)
{
    const struct process *s = self;
    struct process_call c = { .self = s, .h = h, .op = op, .ret = ret };
    struct list_names names = { 0 };
    struct value *items;
    struct str token = S("");
    struct err err = ERR_INIT;
    size_t i = 0;

    arena_init(&c.arena, 0);
    c.place = (struct keeper_place){ s->keeper, s->runs, S("") };
    items = value_list(&c.arena);
    if (!list_directory(&c, &names)) {
        while (i < names.n && i < KIT_PAGE_MAX && !list_add(&c, self, names.p[i], items))
            i++;
        if (i && i < names.n)
            token = names.p[i - 1];
        if (arena_status(&c.arena, &err))
            (void)process_fail_err(&c, RV_ACTED_NO, &err);
        else if (i == names.n || i == KIT_PAGE_MAX)
            kit_answer_page(h, &c.arena, items, token, ret);
    }
    arena_fini(&c.arena);
}
