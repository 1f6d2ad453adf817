/* All places. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/anchor_task.h"
#include "reconciler/engine/engine_state.h"

#define ANCHOR_TIMEOUT_MS 30000 /* of a question */

int anchor_task_open_all(struct engine *e, struct err *err)
{
    const struct value *places = value_get(e->options.daemon, S("anchors"));

    e->anchors = arena_new_n(e->process, struct anchor_task, value_count(places) + 1);
    for (size_t i = 0; e->anchors && i < value_count(places); i++) {
        struct anchor_task *x = &e->anchors[e->n_anchors];

        *x = (struct anchor_task){ .engine = e };
        if (anchor_place_open(e, e->process, value_item(places, i), ANCHOR_TIMEOUT_MS, &x->place,
                              err))
            return err->code;
        anchor_place_round_init(&x->round);
        e->n_anchors++;
    }
    return arena_status(e->process, err);
}

void anchor_task_start_all(struct engine *e)
{
    for (size_t i = 0; i < e->n_anchors; i++)
        anchor_task_start(&e->anchors[i]);
}

void anchor_task_stop_all(struct engine *e)
{
    for (size_t i = 0; i < e->n_anchors; i++)
        task_cancel(&e->anchors[i].task, ERR_CANCELLED);
}

void anchor_task_fini_all(struct engine *e)
{
    for (size_t i = 0; i < e->n_anchors; i++)
        anchor_place_round_end(&e->anchors[i].round);
    e->n_anchors = 0;
}

struct value *anchor_task_view_all(const struct engine *e, struct arena *a)
{
    struct value *list = value_list(a);

    for (size_t i = 0; i < e->n_anchors; i++) {
        const struct anchor_task *x = &e->anchors[i];
        struct value *one = value_map(a);

        value_set_text(a, one, S("place"), x->place.name);
        value_set_text(a, one, S("type"), str_from_c(x->place.kind->word));
        value_set_int(a, one, S("seq"), x->made_seq);
        value_set_int(a, one, S("made_ms_ago"),
                      x->made_mono_ms ? loop_mono_ms(e->loop) - x->made_mono_ms : -1);
        value_set(a, one, S("failing"), value_bool(a, x->is_failing));
        if (x->trouble[0])
            value_set_text(a, one, S("error"), str_copy(a, str_from_c(x->trouble)));
        value_add(a, list, one);
    }
    return e->n_anchors ? list : NULL;
}
