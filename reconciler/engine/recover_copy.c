/* What no label knows, taken over from a copy. SPDX-License-Identifier: Apache-2.0
 *
 * Plans, operations, rollouts and approvals are not: they are about a history that this database does not have.
 * Places in that history become the place of this event. */
#include "providers/kit.h"
#include "reconciler/core/identity.h"
#include "reconciler/core/plan.h"
#include "reconciler/engine/recover_rows.h"
#include "state/environments.h"
#include "state/resources.h"
#include "state/revisions.h"

#define REVISIONS_MAX 100 /* the newest */

static int take_document(struct recover *r, struct str kind, const struct digest *digest,
                         struct value **ret, struct err *err)
{
    struct str body;

    if (db_document(r->copy, r->a, digest, &body, err) ||
        tx_document(r->tx, kind, digest, body, err))
        return err->code;
    return ret ? json_parse(r->a, body, PLAN_BYTES_MAX, ret, err) : 0;
}

/* --- the environment ----------------------------------------------------------------------------- */

int recover_copy_row(struct recover *r, struct recover_env *e, struct err *err)
{
    struct rec_resource row;
    struct value *outputs;
    int rc = environments_by_uid(r->copy, r->a, e->uid, &e->copied, err);

    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    rc = resources_now(r->copy, r->a, e->uid, S("switch"), e->copied.name, &row, err);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (json_parse(r->a, row.outputs, KIT_BODY_MAX, &outputs, err))
        return err->code;
    e->copied_generation = value_get_int(outputs, S("generation"), 0);
    return 0;
}

int recover_copy_knows(struct recover *r, const struct owned *o)
{
    struct err ignored = ERR_INIT; /* then it does not */
    struct rec_resource row;

    return r->copy && !resources_now(r->copy, r->a, o->env_uid, o->kind, o->name, &row, &ignored) &&
           str_eq(row.provider, o->provider) && str_eq(row.provider_id, o->id);
}

/* Nobody was asked of its things: they may be there. */
static void note_provider(struct recover *r, const struct rec_resource *row)
{
    const struct value *providers = value_get(r->daemon, S("providers"));

    if (!row->provider_id.p || str_eq_c(row->status, "gone") || value_get(providers, row->provider))
        return;
    for (size_t i = 0; i < value_count(r->missing); i++)
        if (str_eq(value_item(r->missing, i)->u.text, row->provider))
            return;
    value_add(r->a, r->missing, value_text(r->a, row->provider));
}

/* --- records ------------------------------------------------------------------------------------- */

/* 1: what serves is what the copy says was applied; or nothing serves, and it is still wanted. The routes of a
 * generation never change. */
static int is_still_so(struct recover *r, const struct recover_env *e,
                       const struct rec_resource *row, struct err *err)
{
    const struct found_set *live = recover_sets_live(e, row->name);
    struct value *desired;
    struct str body;
    struct digest key;

    if (str_eq_c(row->kind, "domain"))
        return e->generation == e->copied_generation;
    if (!str_eq_c(row->kind, "service") || !live)
        return 1;
    if (db_document(r->copy, r->a, &row->desired, &body, err) ||
        json_parse(r->a, body, PLAN_BYTES_MAX, &desired, err))
        return err->code;
    key = identity_set_key(r->a, desired);
    return digest_eq(&key, &live->key);
}

static int is_record(const struct rec_resource *row)
{
    return !digest_is_none(&row->desired) &&
           (str_eq_c(row->kind, "service") || str_eq_c(row->kind, "domain") ||
            str_eq_c(row->kind, "policy"));
}

static int has_record(const struct rec_resource *rows, size_t n, struct str service)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_c(rows[i].kind, "service") && str_eq(rows[i].name, service) &&
            is_record(&rows[i]))
            return 1;
    return 0;
}

/* `ret_all` 0: something moved on after the copy was made. */
static int take_records(struct recover *r, const struct recover_env *e, int *ret_all,
                        struct err *err)
{
    struct rec_resource *rows;
    size_t n;

    *ret_all = 1;
    if (resources_list(r->copy, r->a, e->uid, &rows, &n, err))
        return err->code;
    for (size_t i = 0; i < e->sets.n; i++)
        *ret_all &= !str_eq_c(e->sets.p[i].state, "live") ||
                    has_record(rows, n, e->sets.p[i].service);
    for (size_t i = 0; i < n; i++) {
        int is_so = is_record(&rows[i]) ? is_still_so(r, e, &rows[i], err) : 0;

        note_provider(r, &rows[i]);
        if (is_so < 0)
            return is_so;
        *ret_all &= is_so || !is_record(&rows[i]);
        if (is_so && (take_document(r, S("desired"), &rows[i].desired, NULL, err) ||
                      tx_put_resource(r->tx, &rows[i], err)))
            return err->code;
    }
    return 0;
}

/* --- revisions ----------------------------------------------------------------------------------- */

static int take_resources_of(struct recover *r, const struct value *doc, struct err *err)
{
    const struct value *list = value_get(doc, S("resources"));

    for (size_t i = 0; i < value_count(list); i++) {
        struct digest desired;

        if (digest_from_hex(value_get_text(value_item(list, i), S("desired"), S("")), &desired))
            return err_set(err, ERR_CORRUPT, "a revision names no document");
        if (take_document(r, S("desired"), &desired, NULL, err))
            return err->code;
    }
    return 0;
}

static int take_commits(struct recover *r, const struct rec_revision *rev, struct err *err)
{
    struct rec_revision_commit *rows;
    size_t n;

    if (revisions_commits(r->copy, r->a, rev->env, &rev->digest, &rows, &n, err))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        rows[i].seen_seq = tx_seq(r->tx);
        if (tx_put(r->tx, REC_revision_commit, &rows[i], err))
            return err->code;
    }
    return 0;
}

static int take_revision(struct recover *r, struct rec_revision *rev, struct err *err)
{
    struct value *doc;

    if (take_document(r, S("spec"), &rev->doc, &doc, err) || take_resources_of(r, doc, err) ||
        take_commits(r, rev, err))
        return err->code;
    rev->made_seq = tx_seq(r->tx);
    if (rev->proven_seq != REC_NONE)
        rev->proven_seq = tx_seq(r->tx);
    return tx_put(r->tx, REC_revision, rev, err);
}

static int take_revisions(struct recover *r, struct recover_env *e, int is_all_so, struct err *err)
{
    struct rec_revision *rows, known = { .env = e->uid, .digest = e->row.live_rev };
    struct digest none = { { 0 } };
    size_t n;

    if (revisions_list(r->copy, r->a, e->uid, REVISIONS_MAX, &rows, &n, err))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (take_revision(r, &rows[i], err))
            return err_wrap(err, "revision %lld", (long long)rows[i].n);
    if (!is_all_so || (!digest_is_none(&known.digest) &&
                       db_get(r->db, r->a, REC_revision, &known, err) == ERR_NOT_FOUND))
        e->row.live_rev = e->row.proven_rev = none;
    return 0;
}

/* --- rows that stand for themselves -------------------------------------------------------------- */

static int take_releases(struct recover *r, const struct recover_env *e, struct err *err)
{
    struct rec_release *rows;
    size_t n;

    if (DB_SELECT(r->copy, r->a, release, "WHERE env = $1", &rows, &n, err, DB_T(e->uid)))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        rows[i].done_seq = tx_seq(r->tx);
        if (tx_put(r->tx, REC_release, &rows[i], err))
            return err->code;
    }
    return 0;
}

static int take_quarantine(struct recover *r, const struct recover_env *e, struct err *err)
{
    struct rec_quarantine *rows;
    size_t n;

    if (DB_SELECT(r->copy, r->a, quarantine, "WHERE env = $1", &rows, &n, err, DB_T(e->uid)))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (tx_put(r->tx, REC_quarantine, &rows[i], err))
            return err->code;
    return 0;
}

static int take_holds(struct recover *r, const struct recover_env *e, struct err *err)
{
    struct rec_hold *rows;
    size_t n;

    if (DB_SELECT(r->copy, r->a, hold, "WHERE env = $1 AND ended_seq IS NULL", &rows, &n, err,
                  DB_T(e->uid)))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (tx_put(r->tx, REC_hold, &rows[i], err))
            return err->code;
    return 0;
}

/* Of environments that are gone too: files of theirs may live on. */
int recover_copy_users(struct recover *r, struct err *err)
{
    struct rec_meta *rows;
    size_t n;

    if (DB_SELECT(r->copy, r->a, meta, "WHERE k LIKE $1", &rows, &n, err, DB_T(S("uid/%"))))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (tx_put(r->tx, REC_meta, &rows[i], err))
            return err->code;
    return 0;
}

/* As a list of who has to be given another one: with the epoch of before they let nobody in. */
int recover_copy_tokens(struct recover *r, struct err *err)
{
    struct rec_token *rows;
    size_t n;

    if (DB_SELECT(r->copy, r->a, token, "WHERE id > $1 ORDER BY id", &rows, &n, err, DB_T(S(""))))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (tx_put(r->tx, REC_token, &rows[i], err))
            return err->code;
    return 0;
}

/* Who had a host first keeps it; who serves it has it whatever the copy says. */
static int take_hosts(struct recover *r, const struct recover_env *e, struct err *err)
{
    struct rec_host *rows;
    size_t n;

    if (e->row.deleted_ms != REC_NONE)
        return 0;
    if (DB_SELECT(r->copy, r->a, host, "WHERE env = $1", &rows, &n, err, DB_T(e->uid)))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        struct rec_host known = { .host = rows[i].host };
        int rc = db_get(r->db, r->a, REC_host, &known, err);

        if (rc && rc != ERR_NOT_FOUND)
            return rc;
        rows[i].since_seq = tx_seq(r->tx);
        if (rc && tx_put(r->tx, REC_host, &rows[i], err))
            return err->code;
    }
    return 0;
}

static int take_secrets(struct recover *r, const struct recover_env *e, struct err *err)
{
    struct rec_secret_version *rows;
    size_t n;

    if (DB_SELECT(r->copy, r->a, secret_version, "WHERE env = $1", &rows, &n, err, DB_T(e->uid)))
        return err->code;
    for (size_t i = 0; i < n; i++)
        if (tx_put(r->tx, REC_secret_version, &rows[i], err))
            return err->code;
    return 0;
}

int recover_copy_put(struct recover *r, struct recover_env *e, struct err *err)
{
    int is_all_so;

    if (!e->copied.uid.p)
        return 0;
    if (take_records(r, e, &is_all_so, err) || take_revisions(r, e, is_all_so, err) ||
        take_releases(r, e, err) || take_quarantine(r, e, err) || take_holds(r, e, err) ||
        take_hosts(r, e, err))
        return err_wrap(err, "copy");
    return take_secrets(r, e, err) ? err_wrap(err, "copy") : 0;
}
