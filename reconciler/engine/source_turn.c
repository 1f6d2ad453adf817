/* Which commit is read now, for who comes after a death. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/suspects.h"
#include "reconciler/engine/engine_suspects.h"
#include "reconciler/engine/env_queue.h"
#include "reconciler/engine/source_task.h"

/* Behind those of environments. */
static size_t slot_of(const struct source_task *s)
{
    size_t i = 0;

    while (s->engine->sources[i] != s)
        i++;
    return IN_WORK_SLOTS - 1 - i;
}

enum source_turn source_turn_take(struct source_task *s, const struct branch *b)
{
    struct str mark = engine_suspects_mark(&s->round, s->name, b->name, b->next->commit);

    if (engine_suspects_is_passed(s->engine, mark)) {
        (void)err_set(&s->task.err, ERR_REFUSED,
                      "commit %.*s is passed over: the daemon died %d times while it was read", 12,
                      b->next->commit.p, SUSPECTS_DEATHS);
        return SOURCE_TURN_NEVER;
    }
    if (!env_queue_may_read(s))
        return SOURCE_TURN_LATER;
    in_work_clear(&s->engine->in_work, slot_of(s));
    in_work_mark(&s->engine->in_work, slot_of(s), mark);
    return SOURCE_TURN_NOW;
}

void source_turn_end(struct source_task *s)
{
    in_work_clear(&s->engine->in_work, slot_of(s));
    env_queue_has_read(s);
}
