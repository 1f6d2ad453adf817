/* Who is told, and how that goes. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/notify_rules.h"
#include "reconciler/engine/view_rows.h"
#include "state/outbox.h"

static void set_words(const struct view *v, struct value *one, const struct value *config,
                      struct str member)
{
    if (value_get(config, member))
        value_set(v->a, one, member, value_copy_content(v->a, value_get(config, member)));
}

static int set_waiting(const struct view *v, struct value *one, struct str target, struct err *err)
{
    struct rec_outbox *rows;
    int64_t waiting;
    size_t n;

    if (outbox_waiting_count(v->db, target, &waiting, err) ||
        outbox_waiting_for(v->db, v->a, target, 1, &rows, &n, err))
        return err->code;
    value_set_int(v->a, one, S("waiting"), waiting);
    if (!n)
        return 0;
    value_set_int(v->a, one, S("since_ms"), rows[0].made_ms);
    value_set_int(v->a, one, S("next_ms"), rows[0].next_ms);
    if (rows[0].attempt)
        value_set_int(v->a, one, S("attempts"), rows[0].attempt);
    view_set(v, one, "error", rows[0].error);
    return 0;
}

static int set_ended(const struct view *v, struct value *one, struct str target, struct err *err)
{
    struct rec_outbox sent = { .done_ms = REC_NONE }, given_up = { .done_ms = REC_NONE };
    int64_t n_sent, n_given_up;

    if (outbox_ended(v->db, v->a, target, S("sent"), &n_sent, &sent, err) ||
        outbox_ended(v->db, v->a, target, S("given_up"), &n_given_up, &given_up, err))
        return err->code;
    view_set_int(v, one, "told_ms", sent.done_ms);
    value_set_int(v->a, one, S("given_up"), n_given_up);
    view_set_int(v, one, "given_up_ms", given_up.done_ms);
    view_set(v, one, "given_up_error", given_up.error);
    return 0;
}

static int recipient_value(const struct view *v, const struct notify_recipient *r,
                           struct value **ret, struct err *err)
{
    struct value *one = value_map(v->a);

    value_set_text(v->a, one, S("name"), r->name);
    value_set_text(v->a, one, S("type"), value_get_text(r->config, S("type"), S("")));
    value_set(v->a, one, S("on"), notify_rules_words(v->a, r->config));
    set_words(v, one, r->config, S("environments"));
    if (set_waiting(v, one, r->target, err) || set_ended(v, one, r->target, err))
        return err->code;
    *ret = one;
    return 0;
}

int view_told(const struct view *v, const struct value *daemon, struct str name, struct value **ret,
              struct err *err)
{
    const struct notify_rules rules = { v->db, daemon };
    struct value *map = value_map(v->a), *list = value_list(v->a), *one = NULL;
    struct notify_recipients all = { 0 };
    struct rec_environment env = { .uid = S("") };

    if ((name.n && view_find_environment(v, name, &env, err)) ||
        notify_rules_all(&rules, v->a, env.uid, &all, err))
        return err->code;
    for (size_t i = 0; i < all.n; i++) {
        if (recipient_value(v, &all.p[i], &one, err))
            return err->code;
        value_add(v->a, list, one);
    }
    value_set(v->a, map, S("recipients"), list);
    *ret = map;
    return arena_status(v->a, err);
}
