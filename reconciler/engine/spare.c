/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/spare.h"

#include "providers/kit.h"
#include "reconciler/core/identity.h"
#include "reconciler/engine/op_assets.h"
#include "reconciler/engine/snapshot_load.h"
#include "specs/json_io.h"
#include "state/revisions.h"
#include "state/sets.h"

struct needs {
    struct arena *a;
    struct db *db;
    struct str env;
    struct map keys, seen; /* artifacts and documents, hex */
    int is_blind;          /* something that may name one is not known */
};

static void need_key(struct needs *n, const struct value *desired)
{
    struct str key = value_get_text(desired, S("artifact"), STR_NONE);

    if (key.p)
        map_put(&n->keys, key, NULL);
}

/* Of as many different artifacts as its assets go back, beside its own. */
static int need_assets(struct needs *n, struct str service, const struct value *desired,
                       struct err *err)
{
    int64_t left = value_get_int(value_get(desired, S("assets")), S("retain"), -1) + 1;
    struct map found;
    struct rec_resource *rows;
    size_t n_rows;

    if (left <= 0)
        return 0;
    map_init(&found, n->a);
    if (op_assets_history(n->a, n->db, n->env, service, &rows, &n_rows, err))
        return err->code;
    for (size_t i = 0; i < n_rows && (int64_t)found.n < left; i++) {
        struct value *was;
        struct str text, key;
        int rc = db_document(n->db, n->a, &rows[i].desired, &text, err);

        if (rc == ERR_NOT_FOUND)
            continue;
        if (rc || json_parse(n->a, text, KIT_BODY_MAX, &was, err))
            return err->code;
        key = value_get_text(was, S("artifact"), STR_NONE);
        if (key.p)
            map_put(&found, key, NULL);
        need_key(n, was);
    }
    return 0;
}

static int need_document(struct needs *n, const struct digest *digest, struct err *err)
{
    struct str text, hex = digest_hex(n->a, digest);
    struct value *desired;
    int rc;

    if (map_has(&n->seen, hex))
        return 0;
    map_put(&n->seen, hex, NULL);
    rc = db_document(n->db, n->a, digest, &text, err);
    n->is_blind |= rc == ERR_NOT_FOUND;
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (json_parse(n->a, text, KIT_BODY_MAX, &desired, err))
        return err->code;
    need_key(n, desired);
    return 0;
}

static int need_wanted(struct needs *n, const struct environment_spec *wanted, struct err *err)
{
    for (size_t i = 0; i < wanted->resources.n; i++) {
        const struct spec_resource *r = &wanted->resources.p[i];

        need_key(n, r->desired);
        if (str_eq_c(r->kind, "service") && need_assets(n, r->name, r->desired, err))
            return err->code;
    }
    return 0;
}

static int need_revision(struct needs *n, const struct digest *digest, struct err *err)
{
    struct environment_spec spec;
    int rc;

    if (digest_is_none(digest))
        return 0;
    rc = snapshot_load_revision(n->a, n->db, n->env, digest, &spec, err);
    n->is_blind |= rc == ERR_NOT_FOUND;
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    return need_wanted(n, &spec, err);
}

static int need_revisions(struct needs *n, struct err *err)
{
    struct rec_environment env;
    struct rec_revision *rows;
    struct rec_job_run *runs;
    size_t n_rows, n_runs;

    if (environments_by_uid(n->db, n->a, n->env, &env, err) ||
        need_revision(n, &env.live_rev, err) ||
        revisions_list(n->db, n->a, n->env, SPARE_REVISIONS, &rows, &n_rows, err) ||
        DB_SELECT(n->db, n->a, job_run, "WHERE env = $1 AND ended_ms IS NULL", &runs, &n_runs, err,
                  DB_T(n->env)))
        return err->code;
    for (size_t i = 0; i < n_rows; i++)
        if (need_revision(n, &rows[i].digest, err))
            return err->code;
    for (size_t i = 0; i < n_runs; i++)
        if (need_revision(n, &runs[i].revision, err))
            return err->code;
    return 0;
}

static int need_all(struct needs *n, struct err *err)
{
    struct rec_set *sets;
    size_t n_sets;

    map_init(&n->keys, n->a);
    map_init(&n->seen, n->a);
    if (sets_list(n->db, n->a, n->env, &sets, &n_sets, err))
        return err->code;
    for (size_t i = 0; i < n_sets; i++)
        if (need_document(n, &sets[i].desired, err))
            return err->code;
    if (need_revisions(n, err))
        return err->code;
    *err = ERR_INIT; /* of what is not known */
    return arena_status(n->a, err);
}

/* By what the name of its resource shows of the key. */
static void name_made(struct arena *a, struct rec_artifact *made, size_t n, struct map *ret)
{
    map_init(ret, a);
    for (size_t i = 0; i < n; i++)
        map_put(ret, str_slice(digest_hex(a, &made[i].key), 0, IDENTITY_SHORT), &made[i]);
}

static const struct rec_artifact *find_made(const struct map *made, const struct rec_resource *r)
{
    size_t at = str_find_char(r->name, '@');

    return at == STR_NPOS || !str_eq_c(r->kind, "artifact")
               ? NULL
               : map_find(made, str_slice(r->name, at + 1, r->name.n));
}

int spare_find(struct arena *a, struct db *db, struct str env,
               const struct environment_spec *wanted, struct plan_spare **ret, size_t *ret_n,
               struct err *err)
{
    struct needs needs = { .a = a, .db = db, .env = env };
    struct rec_resource *rows;
    struct rec_artifact *made;
    size_t n_rows, n_made;
    struct map names;

    *ret = NULL;
    *ret_n = 0;
    if (DB_SELECT(db, a, artifact, "WHERE made_for = $1", &made, &n_made, err, DB_T(env)))
        return err->code;
    if (n_made < 2) /* one is needed, or is about to be */
        return 0;
    if (need_all(&needs, err) || need_wanted(&needs, wanted, err) ||
        resources_list(db, a, env, &rows, &n_rows, err))
        return err->code;
    name_made(a, made, n_made, &names);
    *ret = arena_new_n(a, struct plan_spare, n_rows + 1);
    for (size_t i = 0; *ret && !needs.is_blind && i < n_rows; i++) {
        const struct rec_artifact *of = find_made(&names, &rows[i]);

        if (of && !map_has(&needs.keys, digest_hex(a, &of->key)))
            (*ret)[(*ret_n)++] = (struct plan_spare){ rows[i].name, rows[i].provider, of->key };
    }
    return arena_status(a, err);
}

int spare_is_needed(struct arena *a, struct db *db, struct str env, struct str key, int *ret,
                    struct err *err)
{
    struct needs needs = { .a = a, .db = db, .env = env };

    if (need_all(&needs, err))
        return err->code;
    *ret = needs.is_blind || map_has(&needs.keys, key);
    return 0;
}
