/* The first environment that has a host keeps it. SPDX-License-Identifier: Apache-2.0
 *
 * It has it from the start of the plan that brings it until it is neither served nor being applied. */
#include "base/guard.h"
#include "reconciler/engine/env_row.h"
#include "specs/json_io.h"
#include "state/plans.h"
#include "state/resources.h"

/* Those it serves, and those it sends to them. */
static const struct str host_lists[] = { S_INIT("hosts"), S_INIT("redirect_from") };

static size_t count_hosts(const struct value *domain)
{
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(host_lists); i++)
        n += value_count(value_get(domain, host_lists[i]));
    return n;
}

static struct str host_at(const struct value *domain, size_t at)
{
    for (size_t i = 0; i < N_ELEMENTS(host_lists); i++) {
        const struct value *list = value_get(domain, host_lists[i]);

        if (at < value_count(list))
            return value_item(list, at)->u.text;
        at -= value_count(list);
    }
    UNREACHABLE();
}

static int has_host(const struct value *domain, struct str host)
{
    for (size_t i = 0; i < count_hosts(domain); i++)
        if (str_eq(host_at(domain, i), host))
            return 1;
    return 0;
}

/* 1: what the edge was told has the host. */
static int is_routed_to(struct env_task *env, struct str owner, struct str host, struct err *err)
{
    struct arena *a = &env->cycle;
    struct rec_route *rows;
    size_t n;

    if (DB_SELECT(env->engine->db, a, route, "WHERE env = $1 AND route LIKE $2", &rows, &n, err,
                  DB_T(owner), DB_T(str_fmt(a, "%%@%.*s", STR_ARG(host)))))
        return err->code;
    return n != 0;
}

/* 1: some domain of it, as it was applied last, has the host. Of one that was recovered and not released yet
 * nothing was applied; it serves all the same. */
static int is_served_by(struct env_task *env, struct str owner, struct str host, struct err *err)
{
    struct arena *a = &env->cycle;
    struct db *db = env->engine->db;
    struct rec_resource *rows;
    size_t n, n_domains = 0;

    if (resources_list(db, a, owner, &rows, &n, err))
        return err->code;
    for (size_t i = 0; i < n; i++) {
        struct value *domain;
        struct str body;

        if (!str_eq_c(rows[i].kind, "domain") || !engine_resource_exists(&rows[i]) ||
            digest_is_none(&rows[i].desired))
            continue;
        n_domains++;
        if (db_document(db, a, &rows[i].desired, &body, err) ||
            json_parse(a, body, PLAN_BYTES_MAX, &domain, err))
            return err->code;
        if (has_host(domain, host))
            return 1;
    }
    return n_domains ? 0 : is_routed_to(env, owner, host, err);
}

/* 1: `ret_owner` has it, who is another one. */
static int is_taken(struct env_task *env, struct str host, struct rec_host *ret,
                    struct rec_environment *ret_owner, struct err *err)
{
    struct arena *a = &env->cycle;
    struct db *db = env->engine->db;
    struct rec_plan plan;
    int rc;

    *ret = (struct rec_host){ .host = host };
    rc = db_get(db, a, REC_host, ret, err);
    if (rc || str_eq(ret->env, env->uid))
        return rc == ERR_NOT_FOUND ? 0 : rc;
    rc = environments_by_uid(db, a, ret->env, ret_owner, err);
    if (rc || ret_owner->deleted_ms != REC_NONE)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    rc = plans_applying(db, a, ret->env, &plan, err);
    if (rc != ERR_NOT_FOUND)
        return rc ? rc : 1;
    return is_served_by(env, ret->env, host, err);
}

static struct str place_text(struct env_task *env, const struct spec_resource *r)
{
    return r->place.line ? str_fmt(&env->cycle, "%.*s:%u:%u", STR_ARG(value_file(r->place)),
                                   r->place.line, r->place.column)
                         : str_fmt(&env->cycle, "domain/%.*s", STR_ARG(r->name));
}

static int check_domain(struct env_task *env, const struct spec_resource *r, struct err *err)
{
    for (size_t i = 0; i < count_hosts(r->desired); i++) {
        struct str host = host_at(r->desired, i);
        struct rec_environment owner;
        struct rec_host row;
        int rc = is_taken(env, host, &row, &owner, err);

        if (rc == 1)
            return err_set(err, ERR_REFUSED,
                           "%.*s: error: host '%.*s' belongs to environment '%.*s' of source "
                           "'%.*s' (%.*s) [refused-host]",
                           STR_ARG(place_text(env, r)), STR_ARG(host), STR_ARG(owner.name),
                           STR_ARG(owner.source), STR_ARG(row.place));
        if (rc)
            return rc;
    }
    return 0;
}

int env_hosts_check(struct env_task *env, struct err *err)
{
    for (size_t i = 0; i < env->spec.resources.n; i++)
        if (str_eq_c(env->spec.resources.p[i].kind, "domain") &&
            check_domain(env, &env->spec.resources.p[i], err))
            return err->code;
    return 0;
}

/* `tx` NULL: only counted. */
static int put_domain(struct env_task *env, const struct spec_resource *r, struct tx *tx,
                      int *io_lacks, struct err *err)
{
    for (size_t i = 0; i < count_hosts(r->desired); i++) {
        struct rec_host row = { .host = host_at(r->desired, i) };
        int rc = db_get(env->engine->db, &env->cycle, REC_host, &row, err);

        if (rc && rc != ERR_NOT_FOUND)
            return rc;
        if (!rc && str_eq(row.env, env->uid))
            continue;
        (*io_lacks)++;
        row.env = env->uid;
        row.place = place_text(env, r);
        row.since_seq = tx ? tx_seq(tx) : 0;
        if (tx && tx_put(tx, REC_host, &row, err))
            return err->code;
    }
    return 0;
}

static int put_hosts(struct env_task *env, struct tx *tx, int *ret_lacks, struct err *err)
{
    *ret_lacks = 0;
    for (size_t i = 0; i < env->spec.resources.n; i++)
        if (str_eq_c(env->spec.resources.p[i].kind, "domain") &&
            put_domain(env, &env->spec.resources.p[i], tx, ret_lacks, err))
            return err->code;
    return 0;
}

int env_hosts_take(struct env_task *env, struct tx *tx, struct err *err)
{
    int lacks;

    return put_hosts(env, tx, &lacks, err);
}

/* Of a database that was built anew, or made before hosts were kept. */
int env_hosts_keep(struct env_task *env, struct err *err)
{
    struct tx *tx;
    int lacks;

    if (put_hosts(env, NULL, &lacks, err))
        return err->code;
    if (!lacks)
        return 0;
    if (env_row_begin(env, S("environment.hosts"), STR_NONE, &tx, err))
        return err->code;
    return tx_finish(tx, put_hosts(env, tx, &lacks, err), err);
}
