/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/weaken.h"

#include "base/guard.h"
#include "reconciler/core/weaken_words.h"

static int weaken_gone(const struct value *before, const struct value *after)
{
    return before && !after;
}

/* A limit: higher or none is laxer. */
static int weaken_more(const struct value *before, const struct value *after)
{
    return value_is(before, VALUE_INT) &&
           (!value_is(after, VALUE_INT) || after->u.number > before->u.number);
}

static int weaken_less(const struct value *before, const struct value *after)
{
    return value_is(before, VALUE_INT) &&
           (!value_is(after, VALUE_INT) || after->u.number < before->u.number);
}

static int weaken_turned_off(const struct value *before, const struct value *after)
{
    return value_is(after, VALUE_BOOL) && !after->u.truth &&
           !(value_is(before, VALUE_BOOL) && !before->u.truth);
}

static int weaken_turned_on(const struct value *before, const struct value *after)
{
    return value_is(before, VALUE_BOOL) && !before->u.truth &&
           !(value_is(after, VALUE_BOOL) && !after->u.truth);
}

/* What nobody had asked for. */
static int weaken_asked(const struct value *before, const struct value *after)
{
    return value_is(after, VALUE_BOOL) && after->u.truth &&
           !(value_is(before, VALUE_BOOL) && before->u.truth);
}

/* It was on, and is not any more. */
static int weaken_turned_off_before(const struct value *before, const struct value *after)
{
    return value_is(before, VALUE_BOOL) && before->u.truth &&
           !(value_is(after, VALUE_BOOL) && after->u.truth);
}

static int weaken_not_manual(const struct value *before, const struct value *after)
{
    return value_is(before, VALUE_TEXT) && str_eq_c(before->u.text, "manual") &&
           !(value_is(after, VALUE_TEXT) && str_eq_c(after->u.text, "manual"));
}

static int weaken_fewer(const struct value *before, const struct value *after)
{
    for (size_t i = 0; i < value_count(before); i++)
        if (!weaken_words_has(after, value_item(before, i)))
            return 1;
    return 0;
}

/* Lists of which one of each has to be met, people or windows: another one among them, or one list less. */
static int weaken_more_of_each(const struct value *before, const struct value *after)
{
    for (size_t i = 0; i < value_count(before); i++) {
        size_t j = 0;

        while (j < value_count(after) && weaken_fewer(value_item(after, j), value_item(before, i)))
            j++;
        if (j == value_count(after))
            return 1;
    }
    return 0;
}

static int weaken_one_more(const struct value *before, const struct value *after)
{
    return weaken_fewer(after, before);
}

/* Of what there was already. */
static int weaken_wider(const struct value *before, const struct value *after)
{
    return before && weaken_one_more(before, after);
}

static int weaken_policy_rank(const struct value *v)
{
    if (!value_is(v, VALUE_TEXT) || str_eq_c(v->u.text, "retain"))
        return 2;
    return str_eq_c(v->u.text, "snapshot");
}

/* retain, snapshot, delete. */
static int weaken_guard(const struct value *before, const struct value *after)
{
    return weaken_policy_rank(after) < weaken_policy_rank(before);
}

/* enforce report keep ignore; of what is not named, by `default`. */
static int weaken_mode_rank(const struct value *modes, struct str path)
{
    struct str word = value_get_text(modes, path,
                                     value_get_text(modes, S("default"), S("enforce")));

    return str_eq_c(word, "enforce") ? 3 : str_eq_c(word, "report") ? 2 : str_eq_c(word, "keep");
}

/* {PATH: MODE}: some field is watched less than it was. */
static int weaken_watch(const struct value *before, const struct value *after)
{
    const struct value *sides[] = { before, after };

    for (size_t side = 0; side < N_ELEMENTS(sides); side++)
        for (size_t i = 0; i < value_count(sides[side]); i++) {
            struct str path = sides[side]->u.map.entries[i].key;

            if (weaken_mode_rank(after, path) < weaken_mode_rank(before, path))
                return 1;
        }
    return 0;
}

/* Of a map of numbers: one is less, or gone. */
static int weaken_any_less(const struct value *before, const struct value *after)
{
    for (size_t i = 0; i < value_count(before); i++)
        if (weaken_less(before->u.map.entries[i].value,
                        value_get(after, before->u.map.entries[i].key)))
            return 1;
    return 0;
}

/* Somebody is told less, or is not told at times. */
static int weaken_told(const struct value *before, const struct value *after)
{
    for (size_t i = 0; i < value_count(before); i++) {
        const struct value *was = value_item(before, i);
        size_t j = 0;

        while (
            j < value_count(after) &&
            (!weaken_words_is_same_recipient(was, value_item(after, j)) ||
             weaken_fewer(value_get(was, S("on")), value_get(value_item(after, j), S("on"))) ||
             weaken_fewer(value_get(value_item(after, j), S("quiet")), value_get(was, S("quiet")))))
            j++;
        if (j == value_count(after))
            return 1;
    }
    return 0;
}

struct weaken_row {
    const char *kind;
    struct str path;
    weaken_fn *fn;
    struct str within; /* not where this is gone: that says a row of its own */
};

/* Checks that were asked for: each is, from whoever it was to come. */
static int weaken_checks(const struct value *before, const struct value *after)
{
    for (size_t i = 0; i < value_count(before); i++) {
        const struct value *was = value_item(before, i), *app = value_get(was, S("app"));
        size_t j = 0;

        while (j < value_count(after) &&
               !(value_eq(value_get(value_item(after, j), S("name")), value_get(was, S("name"))) &&
                 (!app || value_eq(value_get(value_item(after, j), S("app")), app))))
            j++;
        if (j == value_count(after))
            return 1;
    }
    return 0;
}

/* "healthy" is more than "in_sync", "commit" more than "tree". */
static int weaken_word(const struct value *before, const struct value *after, struct str name,
                       const char *stricter)
{
    return str_eq_c(value_get_text(before, name, S("")), stricter) &&
           !str_eq_c(value_get_text(after, name, S("")), stricter);
}

/* Environments that come first. */
static int weaken_firsts(const struct value *before, const struct value *after)
{
    for (size_t i = 0; i < value_count(before); i++) {
        const struct value_entry *was = &before->u.map.entries[i];
        const struct value *is = value_get(after, was->key);

        if (!is || weaken_word(was->value, is, S("state"), "healthy") ||
            weaken_word(was->value, is, S("same"), "commit") ||
            weaken_less(value_get(was->value, S("for_ms")), value_get(is, S("for_ms"))))
            return 1;
    }
    return 0;
}

/* clang-format off */
/* What can be restored is less, or goes back less far. */
static const struct weaken_row weaken_data_rows[] = {
    { "backup",   S_INIT("retention"),                                      weaken_any_less,     S_INIT("") },
    { "backup",   S_INIT("schedule"),                                       weaken_gone,         S_INIT("") },
    { "backup",   S_INIT("before_release"),                                 weaken_turned_off_before, S_INIT("") },
    { "backup",   S_INIT("destination.object_lock"),                        weaken_gone,         S_INIT("") },
    { "backup",   S_INIT("destination.object_lock.days"),                   weaken_less,         S_INIT("destination.object_lock") },
    { "database", S_INIT("pitr"),                                           weaken_gone,         S_INIT("") },
    { "database", S_INIT("pitr.enabled"),                                   weaken_turned_off_before, S_INIT("pitr") },
    { "database", S_INIT("pitr.window_ms"),                                 weaken_less,         S_INIT("pitr") },
};

static const struct weaken_row weaken_rows[] = {
    { "policy",  S_INIT("approval.policy"),                                 weaken_not_manual,   S_INIT("") },
    { "policy",  S_INIT("approval.require_for"),                            weaken_fewer,        S_INIT("") },
    { "policy",  S_INIT("approval.expires_ms"),                             weaken_more,         S_INIT("") },
    { "policy",  S_INIT("approval.approvers"),                              weaken_more_of_each, S_INIT("") },
    { "policy",  S_INIT("approval.min_approvals"),                          weaken_less,         S_INIT("") },
    { "policy",  S_INIT("approval.freeze"),                                 weaken_fewer,        S_INIT("") },
    { "policy",  S_INIT("approval.auto_if"),                                weaken_one_more,     S_INIT("") },
    { "policy",  S_INIT("approval.windows.downtime"),                       weaken_more_of_each, S_INIT("") },
    { "policy",  S_INIT("approval.allow_self"),                             weaken_turned_on,    S_INIT("") },
    { "policy",  S_INIT("trigger.require_environment"),                     weaken_firsts,       S_INIT("") },
    { "policy",  S_INIT("trigger.require_checks"),                          weaken_checks,       S_INIT("") },
    { "policy",  S_INIT("reconcile.drift"),                                 weaken_watch,        S_INIT("") },
    { "policy",  S_INIT("notifications"),                                   weaken_told,         S_INIT("") },
    { "policy",  S_INIT("waive"),                                           weaken_one_more,     S_INIT("") },
    { "service", S_INIT("build.network"),                                   weaken_asked,        S_INIT("") },
    { "service", S_INIT("healthcheck.readiness"),                           weaken_gone,         S_INIT("") },
    { "service", S_INIT("healthcheck.liveness"),                            weaken_gone,         S_INIT("") },
    { "service", S_INIT("healthcheck.readiness.http"),                      weaken_gone,         S_INIT("healthcheck.readiness") },
    { "service", S_INIT("healthcheck.readiness.http.expect_status"),        weaken_wider,        S_INIT("healthcheck.readiness.http") },
    { "service", S_INIT("healthcheck.readiness.success_threshold"),         weaken_less,         S_INIT("healthcheck.readiness") },
    { "service", S_INIT("healthcheck.liveness.http"),                       weaken_gone,         S_INIT("healthcheck.liveness") },
    { "service", S_INIT("healthcheck.liveness.http.expect_status"),         weaken_wider,        S_INIT("healthcheck.liveness.http") },
    { "service", S_INIT("healthcheck.readiness.http.expect_json"),          weaken_gone,         S_INIT("healthcheck.readiness.http") },
    { "service", S_INIT("healthcheck.readiness.http.expect_json.healthy"),  weaken_wider,        S_INIT("healthcheck.readiness.http.expect_json") },
    { "service", S_INIT("healthcheck.readiness.http.expect_json.degraded"), weaken_wider,        S_INIT("healthcheck.readiness.http.expect_json") },
    { "service", S_INIT("healthcheck.liveness.http.expect_json"),           weaken_gone,         S_INIT("healthcheck.liveness.http") },
    { "service", S_INIT("healthcheck.liveness.http.expect_json.healthy"),   weaken_wider,        S_INIT("healthcheck.liveness.http.expect_json") },
    { "service", S_INIT("healthcheck.liveness.http.expect_json.degraded"),  weaken_wider,        S_INIT("healthcheck.liveness.http.expect_json") },
    { "service", S_INIT("healthcheck.liveness.start_period_ms"),            weaken_more,         S_INIT("healthcheck.liveness") },
    { "service", S_INIT("healthcheck.liveness.failure_threshold"),          weaken_more,         S_INIT("healthcheck.liveness") },
    { "service", S_INIT("release.run"),                                     weaken_not_manual,   S_INIT("") },
    { "service", S_INIT("verify"),                                          weaken_gone,         S_INIT("") },
    { "service", S_INIT("rollout.auto_promote"),                            weaken_turned_on,    S_INIT("") },
    { "service", S_INIT("rollout.auto_revert"),                             weaken_turned_off,   S_INIT("") },
    { "service", S_INIT("rollout.abort_if.error_rate"),                     weaken_more,         S_INIT("") },
    { "service", S_INIT("rollout.abort_if.p95_ms"),                         weaken_more,         S_INIT("") },
    { "service", S_INIT("rollout.abort_if.restarts"),                       weaken_more,         S_INIT("") },
    { "service", S_INIT("rollout.abort_if.min_requests"),                   weaken_more,         S_INIT("") },
    { "service", S_INIT("rollout.bake_time_ms"),                            weaken_less,         S_INIT("") },
    { "database", S_INIT("deletion_policy"),                                weaken_guard,        S_INIT("") },
    { "redis",    S_INIT("deletion_policy"),                                weaken_guard,        S_INIT("") },
    { "backup",   S_INIT("encryption"),                                     weaken_gone,         S_INIT("") },
    { "backup",   S_INIT("max_age_ms"),                                     weaken_more,         S_INIT("") },
    { "backup",   S_INIT("restore_drill"),                                  weaken_gone,         S_INIT("") },
};
/* clang-format on */

/* How a decision is said; the others name the value before and after. */
static const struct {
    weaken_fn *fn;
    weaken_words_fn *says;
} weaken_sayings[] = {
    { weaken_fewer, weaken_words_fewer },      { weaken_one_more, weaken_words_more },
    { weaken_wider, weaken_words_more },       { weaken_checks, weaken_words_gone },
    { weaken_firsts, weaken_words_entries },   { weaken_watch, weaken_words_entries },
    { weaken_any_less, weaken_words_entries }, { weaken_told, weaken_words_told },
};

static void weaken_say(struct sb *b, const struct weaken_part *part)
{
    size_t n = b->n;

    for (size_t i = 0; i < N_ELEMENTS(weaken_sayings); i++)
        if (weaken_sayings[i].fn == part->is_laxer)
            weaken_sayings[i].says(b, part);
    if (b->n == n)
        weaken_words_change(b, part);
}

static struct str weaken_walk(struct arena *a, const struct weaken_row *rows, size_t n,
                              struct str kind, const struct value *before,
                              const struct value *after)
{
    struct sb b;

    if (!before || !after)
        return STR_NONE;
    sb_init(&b, a);
    for (size_t i = 0; i < n; i++) {
        const struct weaken_part part = { rows[i].path, value_at(before, rows[i].path),
                                          value_at(after, rows[i].path), rows[i].fn };

        if (str_eq_c(kind, rows[i].kind) &&
            (!rows[i].within.n || value_at(after, rows[i].within)) &&
            rows[i].fn(part.before, part.after))
            weaken_say(&b, &part);
    }
    return b.n ? sb_str(&b) : STR_NONE;
}

struct str weaken_fields(struct arena *a, struct str kind, const struct value *before,
                         const struct value *after)
{
    return weaken_walk(a, weaken_rows, N_ELEMENTS(weaken_rows), kind, before, after);
}

struct str weaken_data(struct arena *a, struct str kind, const struct value *before,
                       const struct value *after)
{
    return weaken_walk(a, weaken_data_rows, N_ELEMENTS(weaken_data_rows), kind, before, after);
}
