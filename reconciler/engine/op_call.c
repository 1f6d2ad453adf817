/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/op_parts.h"

#include "base/crash.h"
#include "base/log.h"
#include "reconciler/core/identity.h"
#include "reconciler/core/object.h"
#include "reconciler/engine/op_outputs.h"
#include "reconciler/engine/run.h"

#define OP_PAGES_MAX 1000 /* of what a provider lists */

/* What was said last stays, what was said before it goes. */
static void op_next_round(struct op_task *op)
{
    struct arena *a = &op->rounds[!op->round];
    struct driver_answer *x = &op->answer;
    struct str *texts[] = { &x->id, &x->observed, &x->outputs, &x->token, &x->message };

    arena_reset(a);
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        *texts[i] = str_copy(a, *texts[i]);
    op->round = !op->round;
}

/* Whether what is made is found again by what its intent says: an id that is the owner's label tells nothing new.
 * Of what runs it tells that it began. */
static int op_id_is_in_intent(const struct op_task *op)
{
    return op->item->action != PLAN_RUN && str_eq(op->rec.provider_id, op->rec.owner);
}

static int op_identified(void *ctx, struct rv_str id)
{
    struct op_task *op = ctx;
    struct str before = op->rec.provider_id;
    struct err err = ERR_INIT;

    CRASH_POINT(OP_BEFORE_IDENTIFIED);
    if (op->rec.provider_id.p && str_eq(op->rec.provider_id, kit_str(id)))
        return 0;
    op->rec.provider_id = str_copy(&op->arena, kit_str(id));
    if (op_id_is_in_intent(op)) {
        CRASH_POINT(OP_AFTER_IDENTIFIED);
        return 0;
    }
    if (wait_work_call(op->engine->loop, POOL_STATE, op_write_identified, op, &err)) {
        op->rec.provider_id = before; /* not durable: said again before anything is done */
        return RV_RETRY;
    }
    CRASH_POINT(OP_AFTER_IDENTIFIED);
    return 0;
}

static int op_secret(void *ctx, struct rv_str ref, struct arena *a, struct str *ret)
{
    struct op_task *op = ctx;
    const struct run *r = op->run;
    const struct secret_want want = { r->plan.env_uid, r->env_name, r->plan.target,
                                      r->secrets,      &r->pins,    &r->made };
    struct err err = ERR_INIT;

    if (op_outputs_is_ref(kit_str(ref))
            ? !op_outputs_give(op->engine, &op->task, op->rec.env, a, kit_str(ref), ret, &err)
            : !secret_sets_give(op->engine->sealed, &want, a, kit_str(ref), ret, &err))
        return 0;
    LOG(LOG_WARN, "a secret cannot be given, tried again", LOG_S("env", r->env_name),
        LOG_S("op", op->rec.uid), LOG_C("err", err.text));
    op->unread = str_copy(op_round(op), str_from_c(err.text));
    return RV_WAIT;
}

static uint32_t op_rv_action(const struct op_task *op)
{
    static const uint32_t actions[N_PLAN_ACTIONS] = {
        [PLAN_CREATE] = RV_CREATE, [PLAN_UPDATE] = RV_UPDATE, [PLAN_DELETE] = RV_DELETE,
        [PLAN_RUN] = RV_RUN,       [PLAN_SWITCH] = RV_UPDATE, [PLAN_ADOPT] = RV_ADOPT,
        [PLAN_FORGET] = RV_FORGET,
    };

    return actions[op->item->action];
}

static int op_makes(const struct op_task *op)
{
    return op_rv_action(op) == RV_CREATE || op_rv_action(op) == RV_UPDATE;
}

static struct rv_op op_request(const struct op_task *op)
{
    return (struct rv_op){
        .action = op_rv_action(op),
        .attempt = (uint32_t)op->rec.attempt,
        .deadline_ms = op->rec.deadline_ms,
        .type = kit_rv(op->rec.kind),
        .name = kit_rv(op->rec.name),
        .key = kit_rv(op->rec.key),
        .owner = kit_rv(op->rec.owner),
        .id = kit_rv(op->rec.provider_id),
        .desired = kit_rv(op->body),
        .expected = kit_rv(op->rec.expected),
        .token = kit_rv(op->rec.token),
    };
}

static int op_call(struct op_task *op, enum driver_call_kind kind, struct err *err)
{
    const struct driver_call call = {
        .engine = op->engine,
        .task = &op->task,
        .provider = op->rec.provider,
        .kind = kind,
        .is_urgent = op->for_ever,
        .op = op_request(op),
        .secret = op_secret,
        .identified = op_identified,
        .ctx = op,
    };

    op->unread = STR_NONE;
    if (driver_call(&call, op_round(op), &op->answer, err))
        return err->code;
    if (op->unread.n) /* the driver knows no more than that there is none */
        op->answer.message = str_fmt(op_round(op), "%.*s: %.*s", STR_ARG(op->answer.message),
                                     STR_ARG(op->unread));
    return arena_status(op_round(op), err);
}

/* Keep what the act said; only observation, outputs and absence are taken from a look. */
static int op_look(struct op_task *op, enum driver_call_kind which, struct err *err)
{
    struct driver_answer said = op->answer;
    int rc = op_call(op, which, err);
    enum rv_verdict seen = op->answer.verdict;

    if (rc) {
        op->answer = said;
        return rc;
    }
    op->is_absent = seen == RV_ABSENT;
    if (seen != RV_DONE && seen != RV_ABSENT)
        rc = err_set(err, seen == RV_FATAL ? ERR_CORRUPT : ERR_UNREACHABLE, "%.*s",
                     STR_ARG(op->answer.message));
    said.observed = op->answer.observed;
    if (op->answer.outputs.n)
        said.outputs = op->answer.outputs;
    if (op->answer.id.n && !op->is_absent)
        op_write_keep(op, &op->rec.provider_id, op->answer.id);
    op->answer = said;
    return rc;
}

/* By the id where there is one. Absence counts when reading the id and looking for the owner both say so. */
static int op_look_back(struct op_task *op, struct err *err)
{
    int rc = 0;

    op_next_round(op);
    if (op->item->action == PLAN_FORGET || op->item->action == PLAN_ADOPT) /* whose is it? */
        return op_look(op, CALL_FIND, err);
    if (!op->rec.provider_id.n)
        rc = op_look(op, CALL_FIND, err);
    if (!rc && op->rec.provider_id.n)
        rc = op_look(op, CALL_READ, err);
    if (!rc && op->is_absent && op->rec.provider_id.n)
        rc = op_look(op, CALL_FIND, err);
    return rc;
}

int op_call_look(struct task *t, struct err *err)
{
    CRASH_POINT(OP_AFTER_SETTLED);
    return op_look_back(op_of(t), err);
}

/* What was made and stands is looked at before its answer is durable: a look changes nothing, and whoever finds
 * the intent alone looks, too. What ran once, what goes and what others own is settled first. */
static int op_may_look_at_once(const struct op_task *op)
{
    return op->answer.verdict == RV_DONE && op_makes(op) && !object_is_kind(op->rec.kind);
}

/* --- whose it is that a person named ------------------------------------------------------------- */

static const struct value *find_id(const struct value *items, struct str id)
{
    for (size_t i = 0; i < value_count(items); i++)
        if (str_eq(value_get_text(value_item(items, i), S("id"), S("")), id))
            return value_item(items, i);
    return NULL;
}

/* Nobody's, or what has a label of this environment. */
static int is_ours(const struct op_task *op, const struct value *item)
{
    const struct value *label = value_get(item, S("label"));
    struct str owner = value_get_text(item, S("owner"), S(""));

    return !identity_is_owner(owner) || str_eq(owner, op->rec.owner) ||
           (str_eq(value_get_text(label, S("installation"), S("")), op->engine->installation) &&
            str_eq(value_get_text(label, S("env_uid"), S("")), op->rec.env));
}

static void op_refuse_adopt(struct op_task *op, const struct value *item)
{
    const struct value *label = value_get(item, S("label"));

    op->answer = (struct driver_answer){
        .verdict = RV_USER,
        .acted = RV_ACTED_NO,
        .message = str_fmt(op_round(op),
                           "'%.*s' is not taken over: it belongs to '%.*s' of environment '%.*s', "
                           "installation '%.*s', label %.*s",
                           STR_ARG(op->rec.provider_id),
                           STR_ARG(value_get_text(label, S("resource"), S("?"))),
                           STR_ARG(value_get_text(label, S("env"), S("?"))),
                           STR_ARG(value_get_text(label, S("installation"), S("?"))),
                           STR_ARG(value_get_text(item, S("owner"), S("")))),
    };
}

static void op_refuse_unseen(struct op_task *op, const struct driver_answer *said)
{
    op->answer = (struct driver_answer){
        .verdict = said->verdict,
        .acted = RV_ACTED_NO,
        .again_ms = said->again_ms,
        .is_refused = said->is_refused,
        .message = str_fmt(op_round(op), "whose '%.*s' is cannot be seen: %.*s",
                           STR_ARG(op->rec.provider_id), STR_ARG(said->message)),
    };
}

/* One page of what the provider has; `*token` is of the next then. 1: the id is another's, or nobody says. */
static int op_ask_page(struct op_task *op, struct str *token, struct arena *a, struct err *err)
{
    struct driver_call call = {
        .engine = op->engine,
        .task = &op->task,
        .provider = op->rec.provider,
        .kind = CALL_LIST,
        .op = { .type = kit_rv(op->rec.kind), .token = kit_rv(*token) },
    };
    struct driver_answer said;
    const struct value *item;
    struct value *page;

    if (driver_call(&call, a, &said, err))
        return err->code;
    if (said.verdict != RV_DONE) {
        op_refuse_unseen(op, &said);
        return 1;
    }
    if (json_parse(a, said.observed, HOST_BODY_MAX, &page, err))
        return err->code;
    *token = said.token;
    item = find_id(value_get(page, S("items")), op->rec.provider_id);
    if (item)
        *token = S("");
    if (!item || is_ours(op, item))
        return 0;
    op_refuse_adopt(op, item);
    return 1;
}

/* A driver may take anybody's: what it lists says whose it is. 1: it is another's, or that cannot be seen, and the
 * answer says so. */
static int op_is_anothers(struct op_task *op, struct err *err)
{
    const struct provider *p = engine_provider(op->engine, op->rec.provider);
    struct str token = S("");
    size_t n_pages = 0;
    int rc = 0;

    if (op->item->action != PLAN_ADOPT || op->item->from.n || !p || !p->driver->list)
        return 0;
    do {
        AUTO_WIPED_ARENA struct arena page; /* outputs may be secrets */
        struct str next = token;

        arena_init(&page, 0);
        if (n_pages++ == OP_PAGES_MAX)
            return err_set(err, ERR_UNREACHABLE, "provider '%.*s' lists without end",
                           STR_ARG(op->rec.provider));
        rc = op_ask_page(op, &next, &page, err);
        token = str_copy(op_round(op), next);
    } while (!rc && token.n);
    return rc;
}

int op_call_act(struct task *t, struct err *err)
{
    struct op_task *op = op_of(t);
    struct err ignored = ERR_INIT; /* a look that fails is made again when the answer is settled */
    int rc;

    CRASH_POINT(OP_AFTER_INTENT);
    op_next_round(op);
    op->is_seen = 0;
    rc = op->rec.token.n ? 0 : op_is_anothers(op, err);
    if (rc)
        return rc < 0 ? rc : arena_status(op_round(op), err);
    rc = op_call(op, op->rec.token.n ? CALL_RESUME : CALL_APPLY, err);
    if (!rc && op->answer.id.n)
        op_write_keep(op, &op->rec.provider_id, op->answer.id);
    CRASH_POINT(OP_AFTER_ACT);
    if (!rc && op_may_look_at_once(op))
        op->is_seen = !op_look_back(op, &ignored);
    return rc;
}
