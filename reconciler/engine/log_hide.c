/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/log_hide.h"

#include <string.h>

#include "base/guard.h"
#include "providers/kit.h"
#include "reconciler/engine/history_seal.h"
#include "reconciler/engine/secret_hide.h"
#include "reconciler/engine/secret_seal.h"
#include "specs/json_io.h"

/* --- values -------------------------------------------------------------------------------------- */

void log_hide_find(struct arena *secrets, const struct value *daemon, struct str env_uid,
                   struct log_hide *ret)
{
    const char *keys = history_seal_keys(secrets, daemon);
    const size_t n_dir = keys ? strlen(keys) - (sizeof("keys") - 1) : 0;
    struct secret_seal at = { .dir = str_fmt(secrets, "%.*ssealed", (int)n_dir, keys).p,
                              .keys = keys,
                              .env = env_uid };
    struct secret_seals seals = { 0 };
    struct err err = ERR_INIT;

    *ret = (struct log_hide){ .longest = 0 };
    map_init(&ret->names, secrets);
    if (!at.dir || secret_seal_list(&at, secrets, &seals, &err))
        return;
    for (size_t i = 0; i < seals.list.n; i++) {
        struct map set;

        at.revision = seals.list.p[i];
        if (secret_seal_read(&at, secrets, &set, &err))
            continue;
        for (size_t k = 0; k < set.n; k++) {
            const struct str *value = set.entries[k].value;
            struct str *slot = vec_push(secrets, &ret->list);

            map_put(&ret->names, str_copy(secrets, set.entries[k].key), slot);
            if (slot)
                *slot = *value;
            if (value->n > ret->longest)
                ret->longest = value->n;
        }
    }
}

struct str log_hide_text(const struct log_hide *h, struct arena *a, struct str text)
{
    return secret_hide_field(h->list.p, h->list.n, a, text);
}

/* --- what an instance was given ------------------------------------------------------------------ */

#define DOCUMENT_DEPTH 32 /* of a driver's body: it has less */

/* Every {secret: NAME@VERSION}, or with its version beside it. 0: it is deeper than that. */
static int add_names(struct arena *a, const struct value *v, struct value *list, int depth)
{
    struct str name = value_is(v, VALUE_MAP) ? value_get_text(v, S("secret"), STR_NONE) : STR_NONE;
    struct str version = name.p ? value_get_text(v, S("version"), STR_NONE) : STR_NONE;
    int is_whole = depth > 0;

    if (version.p)
        name = str_fmt(a, "%.*s@%.*s", STR_ARG(name), STR_ARG(version));
    if (name.p)
        value_add(a, list, value_text(a, name));
    for (size_t i = 0; is_whole && i < value_count(v); i++)
        is_whole = add_names(a,
                             value_is(v, VALUE_LIST) ? value_item(v, i) : v->u.map.entries[i].value,
                             list, depth - 1);
    return is_whole;
}

/* And not what became of it alone. Who was given nothing has no environment. */
static int says_what_runs(const struct value *document)
{
    static const struct str members[] = { S_INIT("environment"), S_INIT("command"),
                                          S_INIT("static") };

    for (size_t i = 0; i < N_ELEMENTS(members); i++)
        if (value_get(document, members[i]))
            return 1;
    return 0;
}

int log_hide_names(struct db *db, struct arena *a, const struct rec_resource *r, struct value **ret,
                   struct err *err)
{
    struct value *list = value_list(a), *document;
    struct rec_resource *rows;
    struct str body;
    int was_made = 0, is_whole = 1;
    size_t n;
    int rc = DB_SELECT(db, a, resource,
                       "WHERE env = $1 AND kind = $2 AND name = $3 AND owner = $4 AND "
                       "desired IS NOT NULL GROUP BY desired",
                       &rows, &n, err, DB_T(r->env), DB_T(r->kind), DB_T(r->name), DB_T(r->owner));

    for (size_t i = 0; !rc && i < n; i++) {
        if (db_document(db, a, &rows[i].desired, &body, err) ||
            json_parse(a, body, KIT_BODY_MAX, &document, err))
            return err->code;
        was_made |= says_what_runs(document);
        is_whole &= add_names(a, document, list, DOCUMENT_DEPTH);
    }
    *ret = was_made && is_whole ? list : NULL;
    return rc ? rc : arena_status(a, err);
}

int log_hide_knows(const struct log_hide *h, const struct value *names)
{
    int knows = names != NULL;

    for (size_t i = 0; knows && i < value_count(names); i++)
        knows = map_has(&h->names, value_item(names, i)->u.text);
    return knows;
}
