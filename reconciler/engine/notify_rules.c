/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/notify_rules.h"

#include "base/guard.h"
#include "base/hash.h"
#include "reconciler/core/plan.h"
#include "reconciler/core/scope.h"
#include "specs/json_io.h"

#define TARGET_CHARS 12

/* A commit status follows the plan; nobody writes these words. */
static const enum notify_word status_words[] = { NOTIFY_IS_applying, NOTIFY_IS_plan_ready,
                                                 NOTIFY_IS_applied, NOTIFY_IS_apply_failed,
                                                 NOTIFY_IS_reverted };

static struct str type_of(const struct value *config)
{
    return value_get_text(config, S("type"), S(""));
}

/* --- what tells them apart ----------------------------------------------------------------------- */

static struct str secret_of(const struct value *config, struct str member)
{
    return value_get_text(value_get(config, member), S("secret"), S(""));
}

static struct str target_of(struct arena *a, struct str scope, const struct value *config)
{
    static const struct str named[] = { S_INIT("url"), S_INIT("key") },
                            said[] = { S_INIT("organization"), S_INIT("project") };
    struct value *v = value_map(a);
    struct digest d;

    for (size_t i = 0; i < N_ELEMENTS(named); i++)
        value_set_text(a, v, named[i], secret_of(config, named[i]));
    for (size_t i = 0; i < N_ELEMENTS(said); i++)
        value_set_text(a, v, said[i], value_get_text(config, said[i], S("")));
    if (value_get(config, S("to")))
        value_set(a, v, S("to"), value_copy_content(a, value_get(config, S("to"))));
    d = hash_bytes(json_format(a, v));
    return str_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(scope), STR_ARG(type_of(config)),
                   STR_ARG(str_slice(digest_hex(a, &d), 0, TARGET_CHARS)));
}

static void add(struct arena *a, struct str scope, const struct value *config,
                struct notify_recipients *io)
{
    struct notify_recipient *slot = vec_push(a, io);

    if (slot)
        *slot = (struct notify_recipient){ config, target_of(a, scope, config),
                                           notify_rules_name(a, config) };
}

static void add_each(struct arena *a, struct str scope, const struct value *config,
                     struct notify_recipients *io)
{
    const struct value *to = value_get(config, S("to"));

    for (size_t i = 0; i < value_count(to); i++) {
        struct value *one = value_copy_content(a, config), *list = value_list(a);

        value_add(a, list, value_text(a, value_item(to, i)->u.text));
        value_set(a, one, S("to"), list);
        add(a, scope, one, io);
    }
    if (!to)
        add(a, scope, config, io);
}

/* --- where they stand ---------------------------------------------------------------------------- */

static int read_document(struct db *db, struct arena *a, const struct digest *digest,
                         struct value **ret, struct err *err)
{
    struct str body;
    int rc = db_document(db, a, digest, &body, err);

    return rc ? rc : json_parse(a, body, PLAN_BYTES_MAX, ret, err);
}

/* NULL: there is none yet. */
static int read_policy(struct db *db, struct arena *a, struct str env_uid, const struct value **ret,
                       struct err *err)
{
    struct rec_resource *rows;
    struct rec_revision *revisions;
    struct value *doc = NULL;
    size_t n;

    *ret = NULL;
    if (DB_SELECT(db, a, resource, "WHERE env = $1 AND kind = 'policy' AND valid_to IS NULL", &rows,
                  &n, err, DB_T(env_uid)))
        return err->code;
    if (n && !digest_is_none(&rows[0].desired)) {
        if (read_document(db, a, &rows[0].desired, &doc, err))
            return err->code;
        *ret = doc;
        return 0;
    }
    if (DB_SELECT(db, a, revision, "WHERE env = $1 ORDER BY n DESC LIMIT 1", &revisions, &n, err,
                  DB_T(env_uid)))
        return err->code;
    if (n && read_document(db, a, &revisions[0].doc, &doc, err))
        return err->code;
    *ret = value_get(doc, S("policy"));
    return 0;
}

static int read_env(struct db *db, struct arena *a, struct str env_uid,
                    struct notify_recipients *io, struct err *err)
{
    const struct value *policy, *list;

    if (!env_uid.n)
        return 0;
    if (read_policy(db, a, env_uid, &policy, err))
        return err->code;
    list = value_get(policy, S("notifications"));
    for (size_t i = 0; i < value_count(list); i++)
        add_each(a, env_uid, value_item(list, i), io);
    if (value_get_bool(value_get(policy, S("status")), S("commit_status"), 0)) {
        struct value *status = value_map(a);

        value_set_text(a, status, S("type"), S(NOTIFY_COMMIT_STATUS));
        add(a, env_uid, status, io);
    }
    return arena_status(a, err);
}

static int read_daemon(const struct notify_rules *r, struct arena *a, struct notify_recipients *io,
                       struct err *err)
{
    const struct value *list = value_get(r->daemon, S("notifications"));

    for (size_t i = 0; i < value_count(list); i++)
        add_each(a, S("daemon"), value_item(list, i), io);
    return arena_status(a, err);
}

/* --- who hears ----------------------------------------------------------------------------------- */

static int is_on(const struct value *config, enum notify_word word)
{
    const struct value *on = value_get(config, S("on"));

    if (str_eq_c(type_of(config), NOTIFY_COMMIT_STATUS)) {
        for (size_t i = 0; i < N_ELEMENTS(status_words); i++)
            if (status_words[i] == word)
                return 1;
        return 0;
    }
    for (size_t i = 0; i < value_count(on); i++)
        if (str_eq_c(value_item(on, i)->u.text, notify_events[word].word))
            return 1;
    return 0;
}

/* `environments` of a recipient of the daemon: patterns. */
static int is_of(const struct value *config, struct str env)
{
    const struct value *list = value_get(config, S("environments"));

    return !list || (env.n && scope_has(list, env));
}

int notify_rules_hear(const struct notify_rules *r, struct arena *a, struct str env_uid,
                      struct str env, enum notify_word word, struct notify_recipients *io,
                      struct err *err)
{
    struct notify_recipients all = { 0 };

    if (read_daemon(r, a, &all, err))
        return err->code;
    if (notify_events[word].scope != NOTIFY_DAEMON && read_env(r->db, a, env_uid, &all, err))
        return err->code;
    for (size_t i = 0; i < all.n; i++) {
        struct notify_recipient *slot;

        if (!is_on(all.p[i].config, word) || !is_of(all.p[i].config, env))
            continue;
        slot = vec_push(a, io);
        if (slot)
            *slot = all.p[i];
    }
    return arena_status(a, err);
}

static int read_all(const struct notify_rules *r, struct arena *a, struct str env_uid,
                    struct notify_recipients *io, struct err *err)
{
    return env_uid.n ? read_env(r->db, a, env_uid, io, err) : read_daemon(r, a, io, err);
}

int notify_rules_find(const struct notify_rules *r, struct arena *a, struct str env_uid,
                      struct str target, struct str word, const struct value **ret, struct err *err)
{
    const struct notify_event *event = notify_events_find(word);
    struct notify_recipients all = { 0 };
    int hears = 0;
    int rc = read_all(r, a, notify_rules_is_of_daemon(target) ? S("") : env_uid, &all, err);

    *ret = NULL;
    for (size_t i = 0; !rc && i < all.n && !hears; i++) {
        if (!str_eq(all.p[i].target, target))
            continue;
        hears = event && is_on(all.p[i].config, (enum notify_word)(event - notify_events));
        if (hears || !*ret)
            *ret = all.p[i].config;
    }
    return rc;
}

static int is_among(const struct notify_recipients *all, struct str target)
{
    for (size_t i = 0; i < all->n; i++)
        if (str_eq(all->p[i].target, target))
            return 1;
    return 0;
}

int notify_rules_all(const struct notify_rules *r, struct arena *a, struct str env_uid,
                     struct notify_recipients *io, struct err *err)
{
    struct notify_recipients all = { 0 };
    int rc = read_all(r, a, env_uid, &all, err);

    for (size_t i = 0; !rc && i < all.n; i++) {
        struct notify_recipient *slot;

        if (is_among(io, all.p[i].target))
            continue;
        slot = vec_push(a, io);
        if (slot)
            *slot = all.p[i];
    }
    return rc ? rc : arena_status(a, err);
}

int notify_rules_is_of_daemon(struct str target)
{
    return str_starts(target, S("daemon/"));
}

struct value *notify_rules_words(struct arena *a, const struct value *config)
{
    struct value *list = value_list(a);

    for (size_t i = 0; i < N_NOTIFY_WORDS; i++)
        if (is_on(config, (enum notify_word)i))
            value_add(a, list, value_text(a, str_from_c(notify_events[i].word)));
    return list;
}

struct str notify_rules_name(struct arena *a, const struct value *config)
{
    struct str type = type_of(config), what = secret_of(config, S("url"));

    if (value_get(config, S("to")))
        what = value_item(value_get(config, S("to")), 0)->u.text;
    else if (str_eq_c(type, "sentry"))
        what = str_fmt(a, "%.*s/%.*s", STR_ARG(value_get_text(config, S("organization"), S(""))),
                       STR_ARG(value_get_text(config, S("project"), S(""))));
    else if (!what.n)
        what = secret_of(config, S("key"));
    return what.n ? str_fmt(a, "%.*s:%.*s", STR_ARG(type), STR_ARG(what)) : type;
}
