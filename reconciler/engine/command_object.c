/* A person's word on databases and the like. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/object.h"
#include "reconciler/engine/command_write.h"
#include "specs/scalar.h"
#include "state/resources.h"

#define COMMAND_ID_MAX 512u

struct named {
    struct str kind, name;
};

static int parse_resource(const struct command_call *c, struct named *ret, struct err *err)
{
    size_t slash = str_find_char(c->in.resource, '/');

    if (slash == STR_NPOS || slash + 1 == c->in.resource.n)
        return err_set(err, ERR_USAGE, "'%.*s' is no resource: KIND/NAME", STR_ARG(c->in.resource));
    ret->kind = str_slice(c->in.resource, 0, slash);
    ret->name = str_slice(c->in.resource, slash + 1, c->in.resource.n);
    if (!object_is_kind(ret->kind))
        return err_set(
            err, ERR_INVALID,
            "a '%.*s' is not adopted or forgotten: databases, redis, backups and dns are",
            STR_ARG(ret->kind));
    return 0;
}

static int find_row(struct command_call *c, struct command_found *f, const struct named *of,
                    struct rec_resource *ret, struct err *err)
{
    return resources_now(c->engine->db, &c->arena, f->env.uid, of->kind, of->name, ret, err);
}

/* It is there: what nobody remembers (after the database was lost) may only be taken over as it is, unless it is one that
 * a person named. */
static int is_another(const struct rec_resource *row, struct str id)
{
    if (!engine_resource_exists(row))
        return 0;
    return !digest_is_none(&row->desired) || (row->provider_id.n && !str_eq(row->provider_id, id) &&
                                              !str_eq_c(row->protect, "adopt"));
}

/* It is looked at, compared with what the specs ask for, and recorded by the plans that follow. */
int command_write_adopt(struct command_call *c, struct command_found *f, struct tx *tx,
                        struct err *err)
{
    struct rec_resource row;
    struct named of;
    int rc;

    if (parse_resource(c, &of, err))
        return err->code;
    if (!c->in.id.n || c->in.id.n > COMMAND_ID_MAX)
        return err_set(err, ERR_USAGE, "which one? reeve adopt %.*s %.*s ID", STR_ARG(f->env.name),
                       STR_ARG(c->in.resource));
    if (!str_eq(str_clean(&c->arena, c->in.id), c->in.id))
        return err_set(err, ERR_USAGE, "an id is text without control characters");
    rc = find_row(c, f, &of, &row, err);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (rc)
        row = (struct rec_resource){ .env = f->env.uid,
                                     .kind = of.kind,
                                     .name = of.name,
                                     .incarnation = 1,
                                     .provider = S(""),
                                     .owner = S(""),
                                     .outputs = S("{}"),
                                     .status = S("gone"),
                                     .protect = S(""),
                                     .drift = S("{}") };
    if (is_another(&row, c->in.id))
        return err_set(err, ERR_CONFLICT, "'%.*s' of '%.*s' is there: it is '%.*s'",
                       STR_ARG(c->in.resource), STR_ARG(f->env.name), STR_ARG(row.provider_id));
    row.status = S("adopting");
    row.protect = S("adopt");
    row.provider_id = c->in.id;
    row.reason = S("named by a person");
    f->state = f->env.sync;
    f->message = str_fmt(&c->arena, "the next plan takes '%.*s' over, when the specs ask for %.*s",
                         STR_ARG(c->in.id), STR_ARG(c->in.resource));
    return tx_put_resource(tx, &row, err);
}

int command_write_forget(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err)
{
    struct rec_resource row;
    struct named of;
    int rc;

    if (parse_resource(c, &of, err))
        return err->code;
    rc = find_row(c, f, &of, &row, err);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (rc || !engine_resource_exists(&row))
        return err_set(err, ERR_NOT_FOUND, "environment '%.*s' has no '%.*s'", STR_ARG(f->env.name),
                       STR_ARG(c->in.resource));
    row.protect = S("forget");
    f->state = f->env.sync;
    f->message = str_fmt(&c->arena,
                         "%.*s leaves our hands, and stays as it is, as soon as the specs do not "
                         "ask for it",
                         STR_ARG(c->in.resource));
    return tx_put_resource(tx, &row, err);
}
