/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/trigger.h"

#include "reconciler/core/render.h"

#define COMMIT_SHOWN 12

static const struct trigger_first *find_first(const struct trigger_case *c, struct str name)
{
    for (size_t i = 0; i < c->n_firsts; i++)
        if (str_eq(c->firsts[i].name, name))
            return &c->firsts[i];
    return NULL;
}

static struct str wait_for(struct arena *a, struct str name, struct str what)
{
    return str_fmt(a, "waits for %.*s: %.*s", STR_ARG(name), STR_ARG(what));
}

/* What it lacks, whatever the time is; STR_NONE: nothing. */
static struct str lacks(struct arena *a, const struct trigger_case *c,
                        const struct trigger_first *f, const struct value *asked)
{
    int same_commit = str_eq_c(value_get_text(asked, S("same"), S("tree")), "commit");
    int wants_health = str_eq_c(value_get_text(asked, S("state"), S("healthy")), "healthy");

    if (!f || !f->is_known)
        return S("there is no such environment yet");
    if (same_commit ? !str_eq(f->commit, c->commit) : !str_eq(f->tree, c->tree))
        return str_fmt(a, "it has another %s, of commit %.*s", same_commit ? "commit" : "tree",
                       STR_ARG(str_slice(f->commit, 0, COMMIT_SHOWN)));
    if (!f->is_settled)
        return S("it has not settled");
    if (!str_eq_c(f->sync, "in_sync"))
        return str_fmt(a, "it is %.*s", STR_ARG(f->sync));
    if (wants_health && !str_eq_c(f->health, "healthy"))
        return str_fmt(a, "it is %.*s", STR_ARG(f->health));
    return STR_NONE;
}

struct str trigger_waits(struct arena *a, const struct trigger_case *c, int64_t *ret_again_ms)
{
    const struct value *asked = value_get(c->trigger, S("require_environment"));

    *ret_again_ms = -1;
    for (size_t i = 0; i < value_count(asked); i++) {
        const struct value_entry *e = &asked->u.map.entries[i];
        const struct trigger_first *f = find_first(c, e->key);
        struct str what = lacks(a, c, f, e->value);
        int64_t for_ms = value_get_int(e->value, S("for_ms"), 0), left_ms;

        if (what.p)
            return wait_for(a, e->key, what);
        left_ms = for_ms - (c->now_ms - f->since_ms);
        if (left_ms <= 0)
            continue;
        *ret_again_ms = left_ms;
        return wait_for(a, e->key,
                        str_fmt(a, "it has to stay so for %.*s, until %.*s",
                                STR_ARG(render_spec_length(a, for_ms)),
                                STR_ARG(render_time(a, f->since_ms + for_ms))));
    }
    return STR_NONE;
}

int64_t trigger_debounce(struct trigger_burst *b, const struct digest *revision, int64_t length_ms,
                         int64_t now_ms)
{
    int64_t end_ms, last_end_ms;

    if (length_ms <= 0)
        return 0;
    if (!digest_eq(&b->revision, revision)) {
        if (!b->is_on)
            b->first_ms = now_ms;
        b->revision = *revision;
        b->last_ms = now_ms;
        b->is_on = 1;
    }
    end_ms = b->last_ms + length_ms;
    last_end_ms = b->first_ms + length_ms * TRIGGER_DEBOUNCE_TIMES;
    if (end_ms > last_end_ms)
        end_ms = last_end_ms;
    b->is_on = now_ms < end_ms;
    return b->is_on ? end_ms - now_ms : 0;
}
