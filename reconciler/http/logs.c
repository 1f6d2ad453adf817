/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/logs.h"

#include <string.h>

#include "base/guard.h"
#include "base/hash.h"
#include "base/vec.h"
#include "providers/keeper_client.h"
#include "reconciler/engine/history_seal.h"
#include "reconciler/engine/secret_hide.h"
#include "reconciler/engine/secret_seal.h"
#include "specs/json_io.h"

/* --- what is not shown --------------------------------------------------------------------------- */

struct values { /* that instances of the environment were given */
    VEC(struct str) list;
    struct map names; /* NAME@VERSION */
};

/* Without sealed sets, or without the key to them, nobody knows which. */
static void find_values(struct arena *secrets, const struct value *daemon, struct str env_uid,
                        struct values *ret)
{
    const char *keys = history_seal_keys(secrets, daemon);
    const size_t n_dir = keys ? strlen(keys) - (sizeof("keys") - 1) : 0;
    struct secret_seal at = { .dir = str_fmt(secrets, "%.*ssealed", (int)n_dir, keys).p,
                              .keys = keys,
                              .env = env_uid };
    struct secret_seals seals = { 0 };
    struct err err = ERR_INIT;

    if (!at.dir || secret_seal_list(&at, secrets, &seals, &err))
        return;
    for (size_t i = 0; i < seals.list.n; i++) {
        struct map set;

        at.revision = seals.list.p[i];
        if (secret_seal_read(&at, secrets, &set, &err))
            continue;
        for (size_t k = 0; k < set.n; k++) {
            struct str *slot = vec_push(secrets, &ret->list);

            map_put(&ret->names, str_copy(secrets, set.entries[k].key), slot);
            if (slot)
                *slot = *(const struct str *)set.entries[k].value;
        }
    }
}

/* --- lines --------------------------------------------------------------------------------------- */

static struct str last_lines(struct str text, size_t n_lines)
{
    size_t at = text.n && text.p[text.n - 1] == '\n' ? text.n - 1 : text.n;

    if (!n_lines)
        return S("");
    for (; at; at--)
        if (text.p[at - 1] == '\n' && !--n_lines)
            break;
    return str_slice(text, at, text.n);
}

static struct value *list_lines(struct arena *a, struct str text)
{
    struct value *list = value_list(a);
    struct str line;

    while (str_next(&text, '\n', &line))
        if (text.n || line.n)
            value_add(a, list, value_text(a, line));
    return list;
}

static struct value *read_one(const struct view *v, const struct value *daemon,
                              const struct rec_resource *r, const struct logs_ask *ask,
                              const struct values *hidden)
{
    const struct value *provider = value_get(value_get(daemon, S("providers")), r->provider);
    struct str directory = value_get_text(provider, S("directory"), S(""));
    const struct keeper_place place = {
        .runs = str_fmt(v->a, "%.*s/%s", STR_ARG(directory), ask->is_gone ? "gone" : "run"),
        .owner = r->owner,
    };
    struct value *one = value_map(v->a);
    struct str text = S("");

    if (str_eq_c(value_get_text(provider, S("driver"), S("")), "process"))
        text = keeper_log_text(v->a, &place, LOGS_BYTES_MAX);
    value_set_text(v->a, one, S("name"),
                   str_fmt(v->a, "%.*s/%.*s", STR_ARG(r->kind), STR_ARG(r->name)));
    value_set_text(v->a, one, S("status"), r->status);
    text = secret_hide_field(hidden->list.p, hidden->list.n, v->a, last_lines(text, ask->n_lines));
    value_set(v->a, one, S("lines"), list_lines(v->a, text));
    return one;
}

#define DOCUMENT_DEPTH 32 /* of a driver's body: it has less */

/* Every {secret: NAME@VERSION}, or with its version beside it, is one of those that are hidden. */
static int has_names(struct arena *a, const struct value *v, const struct values *hidden, int depth)
{
    struct str name = value_is(v, VALUE_MAP) ? value_get_text(v, S("secret"), STR_NONE) : STR_NONE;
    struct str version = name.p ? value_get_text(v, S("version"), STR_NONE) : STR_NONE;
    int has = depth > 0;

    if (version.p)
        name = str_fmt(a, "%.*s@%.*s", STR_ARG(name), STR_ARG(version));
    if (name.p && !map_has(&hidden->names, name))
        return 0;
    for (size_t i = 0; has && i < value_count(v); i++)
        has = has_names(a, value_is(v, VALUE_LIST) ? value_item(v, i) : v->u.map.entries[i].value,
                        hidden, depth - 1);
    return has;
}

/* Whether all that an instance was given is known, so that it can be hidden: by the documents that it was made from. What is
 * remembered of none is not. */
static int is_known(const struct view *v, const struct rec_resource *r, const struct values *hidden,
                    int *ret, struct err *err)
{
    struct rec_resource *rows;
    struct value *document;
    struct str body;
    int was_made = 0, has = 1;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, resource,
                       "WHERE env = $1 AND kind = $2 AND name = $3 AND owner = $4 AND "
                       "desired IS NOT NULL GROUP BY desired",
                       &rows, &n, err, DB_T(r->env), DB_T(r->kind), DB_T(r->name), DB_T(r->owner));

    for (size_t i = 0; !rc && i < n; i++) {
        if (db_document(v->db, v->a, &rows[i].desired, &body, err) ||
            json_parse(v->a, body, KIT_BODY_MAX, &document, err))
            return err->code;
        was_made |= value_get(document, S("environment")) != NULL;
        has &= has_names(v->a, document, hidden, DOCUMENT_DEPTH);
    }
    *ret = was_made && has;
    return rc ? rc : arena_status(v->a, err);
}

static int add_gone(const struct view *v, const struct value *daemon, const struct rec_resource *r,
                    const struct logs_ask *ask, const struct values *hidden, struct value *list,
                    struct err *err)
{
    struct value *one = read_one(v, daemon, r, ask, hidden);
    int is_shown = 0;

    if (!value_count(value_get(one, S("lines"))))
        return 0; /* it printed nothing, or that is gone as well */
    if (is_known(v, r, hidden, &is_shown, err))
        return err->code;
    if (!is_shown) {
        value_set(v->a, one, S("lines"), value_list(v->a));
        value_set_text(
            v->a, one, S("not_shown"),
            S("a secret that it was given is not kept any more, and could not be hidden"));
    }
    value_add(v->a, list, one);
    return 0;
}

/* A name that nothing has is a mistake, not silence. */
static int check_service(const struct view *v, const struct rec_environment *env,
                         struct str service, struct err *err)
{
    struct rec_set *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, set, "WHERE env = $1 AND service = $2 LIMIT 1", &rows, &n, err,
                       DB_T(env->uid), DB_T(service));

    return rc || n ? rc
                   : err_set(err, ERR_NOT_FOUND, "environment '%.*s' has no service '%.*s'",
                             STR_ARG(env->name), STR_ARG(service));
}

/* The same lines have the same tag. */
static void set_tag(struct arena *a, struct value *map, const struct value *instances,
                    struct str after)
{
    struct digest digest = hash_bytes(json_format(a, instances));
    struct str tag = digest_hex(a, &digest);

    value_set_text(a, map, S("tag"), tag);
    if (str_eq(tag, after))
        value_set(a, map, S("same"), value_bool(a, 1));
}

int logs_is_news(const struct value *logs)
{
    return !value_get_bool(logs, S("same"), 0);
}

int logs_read(const struct view *v, const struct value *daemon, struct str env,
              const struct logs_ask *ask, struct value **ret, struct err *err)
{
    AUTO_WIPED_ARENA struct arena secrets = { 0 };
    struct values hidden = { 0 };
    struct value *map = value_map(v->a), *list = value_list(v->a);
    struct rec_environment row;
    struct rec_resource *rows;
    size_t n = 0;
    int rc = view_find_environment(v, env, &row, err);

    if (!rc && ask->service.n)
        rc = check_service(v, &row, ask->service, err);
    /* builds and releases write too; the newest first, because most are long done */
    if (!rc)
        rc = DB_SELECT(
            v->db, v->a, resource,
            "WHERE env = $1 AND kind IN ('instance', 'artifact', 'release') AND "
            "valid_to IS NULL AND (status = 'gone') = $3 AND (kind = 'instance' OR NOT $3) "
            "AND ($2 = '' OR substr(name, 1, length($2) + 1) = $2 || '@') "
            "ORDER BY kind = 'instance' DESC, valid_from DESC LIMIT 32",
            &rows, &n, err, DB_T(row.uid), DB_T(ask->service.p ? ask->service : S("")),
            DB_I(ask->is_gone != 0));
    if (rc)
        return rc;
    map_init(&hidden.names, &secrets);
    find_values(&secrets, daemon, row.uid, &hidden);
    for (size_t i = 0; i < n; i++)
        if (!ask->is_gone)
            value_add(v->a, list, read_one(v, daemon, &rows[i], ask, &hidden));
        else if (add_gone(v, daemon, &rows[i], ask, &hidden, list, err))
            return err->code;
    value_set(v->a, map, S("instances"), list);
    set_tag(v->a, map, list, ask->after);
    *ret = map;
    return arena_status(v->a, err);
}
