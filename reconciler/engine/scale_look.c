/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/scale_look.h"

#define SCALE_LOOK_MAX (1u << 20) /* bytes: then all is forgotten, and seen again */

struct scale_seen {
    struct digest set_key;
    struct scale_memory memory;
    int64_t room; /* of memory.last */
    struct scale_wish wish;
    int is_asked;
};

static void scale_look_forget(struct scale_look *l)
{
    arena_reset(&l->memory);
    map_init(&l->seen, &l->memory);
}

void scale_look_init(struct scale_look *l)
{
    arena_init(&l->memory, SCALE_LOOK_MAX);
    map_init(&l->seen, &l->memory);
}

void scale_look_fini(struct scale_look *l)
{
    arena_fini(&l->memory);
}

static struct scale_seen *scale_look_find(struct scale_look *l, struct str service)
{
    struct scale_seen *seen = map_find(&l->seen, service);

    if (seen)
        return seen;
    seen = arena_new(&l->memory, struct scale_seen);
    if (seen)
        map_put(&l->seen, str_copy(&l->memory, service), seen);
    return seen;
}

/* Another set, or another number of instances: what was known was of others. */
static void scale_look_begin(struct scale_look *l, struct scale_seen *seen,
                             const struct rec_set *set, const struct scale_aim *aim)
{
    int64_t room = set->replicas > aim->max ? set->replicas : aim->max;
    struct scale_sample *last = seen->memory.last;

    if (digest_eq(&seen->set_key, &set->set_key) && seen->memory.current == set->replicas)
        return;
    if (room > seen->room) {
        last = arena_new_n(&l->memory, struct scale_sample, (size_t)room);
        seen->room = room;
    }
    seen->set_key = set->set_key;
    seen->is_asked = 0;
    scale_forget(&seen->memory, set->replicas, last);
}

int scale_look_judge(struct scale_look *l, const struct rec_set *set, const struct scale_aim *aim,
                     const struct scale_sample *now, int64_t now_ms)
{
    struct scale_seen *seen = scale_look_find(l, set->service);
    struct err full = ERR_INIT;
    struct scale_verdict verdict;

    if (seen && set->replicas > 0)
        scale_look_begin(l, seen, set, aim);
    if (arena_status(&l->memory, &full)) {
        scale_look_forget(l);
        return 0;
    }
    if (set->replicas < 1)
        return 0;
    verdict = scale_judge(aim, &seen->memory, now, now_ms);
    if (verdict.wanted == set->replicas)
        return 0;
    seen->is_asked = 1;
    seen->wish = (struct scale_wish){ .set_key = set->set_key,
                                      .from = set->replicas,
                                      .to = verdict.wanted,
                                      .measured = verdict.measured,
                                      .aim = aim->use };
    return 1;
}

const struct scale_wish *scale_look_take(struct scale_look *l, struct arena *a, size_t *ret_n)
{
    struct scale_wish *all = l->seen.n ? arena_new_n(a, struct scale_wish, l->seen.n) : NULL;

    *ret_n = 0;
    for (size_t i = 0; all && i < l->seen.n; i++) {
        struct scale_seen *seen = l->seen.entries[i].value;

        if (!seen->is_asked)
            continue;
        seen->is_asked = 0;
        all[*ret_n] = seen->wish;
        all[(*ret_n)++].service = str_copy(a, l->seen.entries[i].key);
    }
    return all;
}
