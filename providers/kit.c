/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/kit.h"

#include <stdio.h>
#include <string.h>

#include "base/guard.h"
#include "base/utf8.h"

static const char *const kit_verdicts[] = {
    [RV_DONE] = "done",     [RV_PENDING] = "pending",     [RV_USER] = "user",
    [RV_WAIT] = "wait",     [RV_RETRY] = "retry",         [RV_STALE] = "stale",
    [RV_ABSENT] = "absent", [RV_CANCELLED] = "cancelled", [RV_FATAL] = "fatal",
};

static const char *const kit_actions[] = {
    [RV_NONE] = "none",       [RV_CREATE] = "create", [RV_UPDATE] = "update",
    [RV_REPLACE] = "replace", [RV_DELETE] = "delete", [RV_ADOPT] = "adopt",
    [RV_RUN] = "run",         [RV_FORGET] = "forget",
};

struct rv_str kit_give(const struct rv_host *h, struct str s)
{
    char *p = s.p ? h->alloc(h->ctx, s.n + 1) : NULL;

    if (!p)
        return (struct rv_str){ NULL, 0 };
    memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return (struct rv_str){ p, s.n };
}

struct rv_str kit_give_json(const struct rv_host *h, struct arena *scratch, const struct value *v)
{
    return kit_give(h, v ? json_format(scratch, v) : STR_NONE);
}

int kit_answer(const struct rv_host *h, struct rv_result *ret, enum rv_verdict verdict,
               enum rv_acted acted, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut sentence still explains */
    va_end(ap);
    utf8_trim(text);
    ret->verdict = verdict;
    ret->acted = acted;
    ret->message = text[0] ? kit_give(h, str_from_c(text)) : (struct rv_str){ NULL, 0 };
    return (int)verdict;
}

int kit_answer_err(const struct rv_host *h, struct rv_result *ret, enum rv_acted acted,
                   const struct err *err)
{
    static const enum rv_verdict verdicts[] = {
        [ERR_CLASS_USER] = RV_USER,      [ERR_CLASS_WAIT] = RV_WAIT,   [ERR_CLASS_RETRY] = RV_RETRY,
        [ERR_CLASS_STOP] = RV_CANCELLED, [ERR_CLASS_STALE] = RV_STALE, [ERR_CLASS_ABSENT] = RV_USER,
        [ERR_CLASS_FATAL] = RV_FATAL,
    };

    return kit_answer(h, ret, verdicts[err_class(err->code)], acted, "%s", err->text);
}

int kit_answer_host(const struct rv_host *h, struct rv_result *ret, int verdict,
                    enum rv_acted acted, const char *what)
{
    return kit_answer(h, ret, (enum rv_verdict)verdict, acted, "%s: %s", what,
                      kit_verdict_name((uint32_t)verdict));
}

int kit_parse(const struct rv_host *h, struct arena *a, struct rv_str body, const char *what,
              const struct value **ret, struct rv_result *answer)
{
    struct err err = ERR_INIT;
    struct value *v = NULL;

    if (!body.n)
        v = value_map(a);
    else if (json_parse(a, kit_str(body), KIT_BODY_MAX, &v, &err))
        return kit_answer(h, answer, RV_USER, RV_ACTED_NO, "%s: %s", what, err.text);
    if (!value_is(v, VALUE_MAP))
        return kit_answer(h, answer, RV_USER, RV_ACTED_NO, "%s is not a map", what);
    *ret = v;
    return 0;
}

static struct value *kit_json(struct arena *a, struct rv_str json)
{
    struct err ignored =
        ERR_INIT; /* our own text; memory that ran out is remembered by the arena */
    struct value *v;

    return json.n && !json_parse(a, kit_str(json), KIT_BODY_MAX, &v, &ignored) ? v : value_map(a);
}

struct value *kit_item_value(struct arena *a, const struct kit_item *item)
{
    struct value *v = value_map(a);

    value_set_text(a, v, S("type"), item->type);
    value_set_text(a, v, S("id"), item->id);
    value_set_text(a, v, S("owner"), item->owner);
    value_set_text(a, v, S("name"), item->name);
    value_set_int(a, v, S("epoch"), (int64_t)item->epoch);
    if (item->label)
        value_set(a, v, S("label"), value_copy(a, item->label));
    value_set(a, v, S("observed"), kit_json(a, item->observed));
    value_set(a, v, S("outputs"), kit_json(a, item->outputs));
    return v;
}

void kit_answer_page(const struct rv_host *h, struct arena *a, struct value *items,
                     struct str token, struct rv_result *ret)
{
    struct value *page = value_map(a);

    value_set(a, page, S("items"), items);
    ret->observed = kit_give_json(h, a, page);
    if (token.n)
        ret->token = kit_give(h, token);
    if (!ret->observed.p || (token.n && !ret->token.p))
        (void)kit_answer(h, ret, RV_RETRY, RV_ACTED_NO, "out of memory");
    else
        (void)kit_answer(h, ret, RV_DONE, RV_ACTED_NO, "%s", "");
}

const char *kit_verdict_name(uint32_t verdict)
{
    return verdict < N_ELEMENTS(kit_verdicts) ? kit_verdicts[verdict] : "unknown";
}

int kit_verdict_from_name(struct str name)
{
    for (size_t i = 0; i < N_ELEMENTS(kit_verdicts); i++)
        if (str_eq_c(name, kit_verdicts[i]))
            return (int)i;
    return -1;
}

const char *kit_action_name(uint32_t action)
{
    return action < N_ELEMENTS(kit_actions) ? kit_actions[action] : "unknown";
}
