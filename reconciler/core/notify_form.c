/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/notify_form.h"

#include <inttypes.h>

#include "base/base64.h"
#include "base/date.h"
#include "base/guard.h"
#include "base/hash.h"
#include "reconciler/core/checks.h"
#include "reconciler/core/notify_mail.h"
#include "reconciler/core/notify_template.h"
#include "reconciler/core/render.h"
#include "specs/json_io.h"

#define PAGERDUTY_URL "https://events.pagerduty.com/v2/enqueue"
#define PAGERDUTY_SUMMARY_MAX 1024u
#define SENTRY_URL "https://sentry.io"

static struct str says(const struct notify_message *m, const char *key)
{
    return value_get_text(m->says, str_from_c(key), S(""));
}

struct str notify_form_cut(struct str text, size_t max)
{
    if (text.n <= max)
        return text;
    while (max && ((unsigned char)text.p[max] & 0xc0) == 0x80)
        max--;
    return str_slice(text, 0, max);
}

static int is_digest(const struct notify_message *m)
{
    return str_eq_c(says(m, "word"), "digest");
}

static int is_test(const struct notify_message *m)
{
    return str_eq_c(says(m, "word"), "test");
}

static struct str title_of(struct str word)
{
    const struct notify_event *e = notify_events_find(word);

    return e ? str_from_c(e->title) : str_eq_c(word, "test") ? S("a test") : word;
}

/* As it is made. */
static struct str own_title(struct arena *a, const struct notify_message *m)
{
    struct str env = says(m, "env");

    if (is_digest(m))
        return str_fmt(a, "%.*s%s%lld messages", STR_ARG(env), env.n ? ": " : "",
                       (long long)value_get_int(m->says, S("n"), 0));
    return str_fmt(a, "%.*s%s%.*s", STR_ARG(env), env.n ? ": " : "",
                   STR_ARG(title_of(says(m, "word"))));
}

static void add_plain(struct sb *b, struct str text)
{
    render_foreign(b, text);
}

static const struct notify_template_ways plain_ways = { add_plain, add_plain };

/* The title of a medium whose ways these are. */
static struct str title_as(struct arena *a, const struct notify_message *m,
                           const struct notify_template_ways *ways)
{
    struct str title = own_title(a, m), template = value_get_text(m->template, S("title"), S(""));

    return template.n ? notify_template_fill(a, template, m, title, ways, NOTIFY_FIELD_MAX) : title;
}

struct str notify_form_title(struct arena *a, const struct notify_message *m)
{
    return title_as(a, m, &plain_ways);
}

/* --- lines --------------------------------------------------------------------------------------- */

/* What stands behind the title, in this order. */
static const struct {
    const char *label, *key;
    size_t max;
} facts[] = {
    { "why", "text", NOTIFY_TEXT_MAX },           { "plan", "plan", NOTIFY_FIELD_MAX },
    { "commit", "commit", NOTIFY_FIELD_MAX },     { "which says", "summary", NOTIFY_FIELD_MAX },
    { "written by", "author", NOTIFY_FIELD_MAX }, { "asked for by", "actor", NOTIFY_FIELD_MAX },
    { "about", "subject", NOTIFY_FIELD_MAX },
};

static void add_counts(struct sb *b, const struct notify_message *m)
{
    const struct value *counts = value_get(m->says, S("counts"));

    for (size_t i = 0; i < value_count(counts); i++) {
        const struct value_entry *e = &counts->u.map.entries[i];

        sb_addf(b, "%s%lld x %.*s", i ? ", " : "", (long long)e->value->u.number,
                STR_ARG(title_of(e->key)));
    }
    sb_add_char(b, '\n');
}

static void add_lines(struct sb *b, const struct notify_message *m, notify_template_add *add)
{
    const struct value *lines = value_get(m->says, S("lines"));
    size_t n = (size_t)value_get_int(m->says, S("n"), 0);

    add_counts(b, m);
    for (size_t i = 0; i < value_count(lines); i++) {
        const struct value *line = value_item(lines, i);
        struct str env = value_get_text(line, S("env"), S(""));

        sb_addf(b, "- %.*s%s%.*s: ", STR_ARG(env), env.n ? ": " : "",
                STR_ARG(title_of(value_get_text(line, S("word"), S("")))));
        add(b, notify_form_cut(value_get_text(line, S("text"), S("")), NOTIFY_FIELD_MAX));
        sb_add_char(b, '\n');
    }
    if (n > value_count(lines))
        sb_addf(b, "and %zu more\n", n - value_count(lines));
}

static struct str lines_of(struct arena *a, const struct notify_message *m,
                           const struct notify_template_ways *ways)
{
    struct str template = value_get_text(m->template, S("text"), S(""));
    notify_template_add *add = ways->value;
    struct sb b;

    if (template.n)
        return notify_template_fill(a, template, m, own_title(a, m), ways, NOTIFY_TEXT_MAX);
    sb_init(&b, a);
    if (is_digest(m))
        add_lines(&b, m, add);
    for (size_t i = 0; !is_digest(m) && i < N_ELEMENTS(facts); i++) {
        struct str text = says(m, facts[i].key);

        if (!text.n)
            continue;
        sb_addf(&b, "%s: ", facts[i].label);
        add(&b, notify_form_cut(text, facts[i].max));
        sb_add_char(&b, '\n');
    }
    if (m->link.n)
        sb_addf(&b, "%.*s\n", STR_ARG(m->link));
    return sb_str(&b);
}

/* Three characters are markup to Slack, and a backtick begins or ends code. */
static void add_slack_text(struct sb *b, struct str text)
{
    struct str safe = render_safe(b->arena, text);

    for (size_t i = 0; i < safe.n; i++)
        switch (safe.p[i]) {
        case '&':
            sb_add_c(b, "&amp;");
            break;
        case '<':
            sb_add_c(b, "&lt;");
            break;
        case '>':
            sb_add_c(b, "&gt;");
            break;
        case '`':
            sb_add_char(b, '\'');
            break;
        default:
            sb_add_char(b, safe.p[i]);
        }
}

/* A code span. */
static void add_slack(struct sb *b, struct str text)
{
    sb_add_char(b, '`');
    add_slack_text(b, text);
    sb_add_char(b, '`');
}

static const struct notify_template_ways slack_ways = { add_slack_text, add_slack };

/* "2026-11-22T23:59:01Z" */
static struct str time_text(struct arena *a, int64_t time_ms)
{
    struct date d = date_from_days(date_day_of(time_ms));
    int64_t s = date_time_of_day(time_ms) / 1000;

    return str_fmt(a, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)d.year, d.month, d.day,
                   (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
}

/* --- requests ------------------------------------------------------------------------------------ */

static void add_header(struct arena *a, struct notify_form *f, const char *name, struct str value)
{
    size_t n = 0;

    while (f->headers[n])
        n++;
    if (n < NOTIFY_HEADERS_MAX)
        f->headers[n] = str_fmt(a, "%s: %.*s", name, STR_ARG(value)).p;
}

/* No byte of it begins a header or another word of the request. */
static int is_one_word(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] >= 0x7f)
            return 0;
    return text.n > 0;
}

static int is_of_this_machine(struct str host)
{
    static const char *const names[] = { "127.0.0.1", "localhost", "[::1]" };

    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (str_starts(host, str_from_c(names[i])) &&
            (host.n == str_from_c(names[i]).n ||
             str_find_char(S(":/?"), host.p[str_from_c(names[i]).n]) != STR_NPOS))
            return 1;
    return 0;
}

/* https://, or http:// and an address of this machine. */
static int is_url(struct str url)
{
    struct str http = S("http://");

    return is_one_word(url) &&
           ((str_starts(url, S("https://")) && url.n > S("https://").n) ||
            (str_starts(url, http) && is_of_this_machine(str_slice(url, http.n, url.n))));
}

static int begin(struct arena *a, struct notify_form *f, const struct notify_message *m,
                 struct str url, struct err *err)
{
    if (!is_url(url))
        return err_set(err, ERR_INVALID,
                       "its url is neither https:// nor http:// and an address of this machine");
    f->method = "POST";
    f->url = str_to_c(a, url);
    add_header(a, f, "Content-Type", S("application/json"));
    add_header(a, f, "Idempotency-Key", m->id);
    return arena_status(a, err);
}

static int make_slack(struct arena *a, const struct notify_message *m,
                      const struct notify_secrets *s, struct notify_form *ret, struct err *err)
{
    struct value *v = value_map(a);

    value_set_text(a, v, S("text"),
                   str_fmt(a, "*%.*s*\n%s", STR_ARG(title_as(a, m, &slack_ways)),
                           lines_of(a, m, &slack_ways).p));
    ret->body = json_format(a, v);
    return begin(a, ret, m, s->url, err);
}

/* What a program is told: everything, as data. */
static struct str document(struct arena *a, const struct notify_message *m)
{
    struct value *v = value_copy(a, m->says);

    value_set_text(a, v, S("id"), m->id);
    value_set_text(a, v, S("type"), str_fmt(a, "reeve.%.*s", STR_ARG(says(m, "word"))));
    value_set_text(a, v, S("title"), notify_form_title(a, m));
    value_set_text(a, v, S("severity"), str_from_c(notify_events_severity(m->severity)));
    value_set_text(a, v, S("time"), time_text(a, m->made_ms));
    if (m->link.n)
        value_set_text(a, v, S("link"), m->link);
    if (value_get(m->template, S("text")))
        value_set_text(a, v, S("message"), lines_of(a, m, &plain_ways));
    return json_format(a, v);
}

/* Of standardwebhooks.com: HMAC-SHA256 over "ID.SECONDS.BODY". */
static int make_webhook(struct arena *a, const struct notify_message *m,
                        const struct notify_secrets *s, struct notify_form *ret, struct err *err)
{
    struct str seconds = str_fmt(a, "%" PRId64, m->now_ms / 1000), key = s->key;
    struct digest d;

    if (str_starts(key, S("whsec_")) && base64_decode(a, str_slice(key, 6, key.n), &key))
        return err_set(err, ERR_INVALID, "its key begins with whsec_ and is not base64 behind it");
    if (!key.n)
        return err_set(err, ERR_INVALID, "its key is empty");
    ret->body = document(a, m);
    d = hash_hmac(
        key, str_fmt(a, "%.*s.%.*s.%.*s", STR_ARG(m->id), STR_ARG(seconds), STR_ARG(ret->body)));
    if (begin(a, ret, m, s->url, err))
        return err->code;
    add_header(a, ret, "webhook-id", m->id);
    add_header(a, ret, "webhook-timestamp", seconds);
    add_header(a, ret, "webhook-signature",
               str_fmt(a, "v1,%s", base64_encode(a, (struct str){ (char *)d.b, sizeof(d.b) }).p));
    return arena_status(a, err);
}

static struct value *link_list(struct arena *a, struct str link)
{
    struct value *list = value_list(a), *one = value_map(a);

    value_set_text(a, one, S("href"), link);
    value_set_text(a, one, S("text"), S("Reeve"));
    value_add(a, list, one);
    return list;
}

static int make_pagerduty(struct arena *a, const struct notify_message *m,
                          const struct notify_secrets *s, size_t step, struct notify_form *ret,
                          struct err *err)
{
    struct value *v = value_map(a), *payload = value_map(a);
    struct str env = says(m, "env"), text = render_safe(a, says(m, "text"));

    if (value_get(m->template, S("text")))
        text = lines_of(a, m, &plain_ways);
    if (!is_one_word(s->key))
        return err_set(err, ERR_INVALID, "its key is not one word");
    value_set_text(a, v, S("routing_key"), s->key);
    value_set_text(a, v, S("dedup_key"), says(m, "subject"));
    if (step || str_eq_c(says(m, "word"), notify_events[NOTIFY_IS_recovered].word)) {
        value_set_text(a, v, S("event_action"), S("resolve"));
    } else {
        value_set_text(a, v, S("event_action"), S("trigger"));
        value_set_text(a, payload, S("summary"),
                       notify_form_cut(str_fmt(a, "%.*s%s%.*s", STR_ARG(notify_form_title(a, m)),
                                               text.n ? ": " : "", STR_ARG(text)),
                                       PAGERDUTY_SUMMARY_MAX));
        value_set_text(a, payload, S("source"),
                       env.n ? str_fmt(a, "reeve/%.*s", STR_ARG(env)) : S("reeve"));
        value_set_text(a, payload, S("severity"), str_from_c(notify_events_severity(m->severity)));
        value_set_text(a, payload, S("timestamp"), time_text(a, m->made_ms));
        value_set(a, payload, S("custom_details"), value_copy(a, m->says));
        value_set(a, v, S("payload"), payload);
        if (m->link.n)
            value_set(a, v, S("links"), link_list(a, m->link));
    }
    ret->body = json_format(a, v);
    return begin(a, ret, m, s->url.p ? s->url : S(PAGERDUTY_URL), err);
}

/* --- Sentry -------------------------------------------------------------------------------------- */

static void add_segment(struct sb *b, struct str text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '_') {
            sb_add_char(b, (char)c);
        } else {
            sb_add_char(b, '%');
            sb_add_char(b, hex[c >> 4]);
            sb_add_char(b, hex[c & 15]);
        }
    }
}

/* A release is its commit; one that is known stays. Then: that it is deployed. */
static int make_sentry(struct arena *a, const struct value *config, const struct notify_message *m,
                       const struct notify_secrets *s, size_t step, struct notify_form *ret,
                       struct err *err)
{
    struct str base = s->url.p ? s->url : S(SENTRY_URL), commit = says(m, "commit");
    struct value *v = value_map(a), *projects = value_list(a);
    struct sb b;

    if (!is_one_word(s->key))
        return err_set(err, ERR_INVALID, "its key is not one word");
    if (!commit.n)
        return err_set(err, ERR_INVALID, "no commit was applied, so there is no release");
    while (base.n && base.p[base.n - 1] == '/')
        base.n--;
    sb_init(&b, a);
    sb_addf(&b, "%.*s/api/0/organizations/", STR_ARG(base));
    add_segment(&b, value_get_text(config, S("organization"), S("")));
    sb_add_c(&b, "/releases/");
    value_add(a, projects, value_text(a, value_get_text(config, S("project"), S(""))));
    if (!step) {
        value_set_text(a, v, S("version"), commit);
        value_set_text(a, v, S("ref"), commit);
    } else {
        add_segment(&b, commit);
        sb_add_c(&b, "/deploys/");
        value_set_text(a, v, S("environment"), says(m, "env"));
        value_set_text(a, v, S("dateFinished"), time_text(a, m->made_ms));
        if (m->link.n)
            value_set_text(a, v, S("url"), m->link);
    }
    value_set(a, v, S("projects"), projects);
    ret->body = json_format(a, v);
    if (begin(a, ret, m, sb_str(&b), err))
        return err->code;
    add_header(a, ret, "Authorization", str_fmt(a, "Bearer %.*s", STR_ARG(s->key)));
    return arena_status(a, err);
}

/* --- commit status ------------------------------------------------------------------------------- */

enum status { STATUS_PENDING, STATUS_SUCCESS, STATUS_FAILURE };

/* clang-format off */
static const struct {
    const char *forge, *path, *context; /* %R and %C as of checks.c; the member that names it */
    const char *words[3];
} forges[] = {
    { "github", "/repos/%R/statuses/%C",    "context", { "pending", "success", "failure" } },
    { "gitlab", "/projects/%E/statuses/%C", "name",    { "pending", "success", "failed" } },
    { "gitea",  "/repos/%R/statuses/%C",    "context", { "pending", "success", "failure" } },
};
/* clang-format on */

static enum status status_of(struct str word)
{
    const struct notify_event *e = notify_events_find(word);

    if (str_eq_c(word, notify_events[NOTIFY_IS_applied].word))
        return STATUS_SUCCESS;
    return e && e->end == NOTIFY_TERMINAL ? STATUS_FAILURE : STATUS_PENDING;
}

static struct str status_path(struct arena *a, const char *path, struct str repository,
                              struct str commit)
{
    struct sb b;

    sb_init(&b, a);
    for (const char *p = path; *p; p++)
        if (*p != '%')
            sb_add_char(&b, *p);
        else if (*++p == 'E')
            add_segment(&b, repository);
        else
            sb_add(&b, *p == 'C' ? commit : repository);
    return sb_str(&b);
}

int notify_form_status(struct arena *a, const struct value *forge, const struct notify_message *m,
                       struct str token, struct notify_form *ret, struct err *err)
{
    struct str type = value_get_text(forge, S("type"), S(""));
    struct str api = value_get_text(forge, S("api"), S("")), text = render_safe(a, says(m, "text"));
    struct value *v = value_map(a);
    size_t i = 0;

    *ret = (struct notify_form){ 0 };
    while (i < N_ELEMENTS(forges) && !str_eq_c(type, forges[i].forge))
        i++;
    if (i == N_ELEMENTS(forges))
        return err_set(err, ERR_INVALID, "a forge of type '%.*s' takes no status", STR_ARG(type));
    if (!is_one_word(token))
        return err_set(err, ERR_INVALID, "credentials of the forge: no token");
    while (api.n && api.p[api.n - 1] == '/')
        api.n--;
    value_set_text(a, v, S("state"), str_from_c(forges[i].words[status_of(says(m, "word"))]));
    value_set_text(a, v, str_from_c(forges[i].context),
                   str_fmt(a, "reeve/%.*s", STR_ARG(says(m, "env"))));
    value_set_text(a, v, S("description"),
                   notify_form_cut(str_fmt(a, "%.*s%s%.*s", STR_ARG(title_of(says(m, "word"))),
                                           text.n ? ": " : "", STR_ARG(text)),
                                   NOTIFY_STATUS_TEXT_MAX));
    if (m->link.n)
        value_set_text(a, v, S("target_url"), m->link);
    ret->body = json_format(a, v);
    if (begin(a, ret, m,
              str_fmt(a, "%.*s%s", STR_ARG(api),
                      status_path(a, forges[i].path, value_get_text(forge, S("repository"), S("")),
                                  says(m, "commit"))
                          .p),
              err))
        return err->code;
    add_header(a, ret, "Accept", S("application/json"));
    ret->headers[3] = checks_sign_in(a, type, token).p;
    return arena_status(a, err);
}

/* --- by type ------------------------------------------------------------------------------------- */

size_t notify_form_steps(const struct value *config, const struct notify_message *m)
{
    struct str type = value_get_text(config, S("type"), S(""));

    if (str_eq_c(type, "pagerduty")) /* nobody is left with an incident of a test */
        return is_test(m) ? 2 : 1;
    return str_eq_c(type, "sentry") ? 2 : 1;
}

int notify_form_make(struct arena *a, const struct value *config, const struct notify_message *says,
                     const struct notify_secrets *secrets, size_t step, struct notify_form *ret,
                     struct err *err)
{
    struct str type = value_get_text(config, S("type"), S(""));
    struct notify_message made = *says;
    const struct notify_message *m = &made;

    *ret = (struct notify_form){ 0 };
    made.template = is_digest(says) || is_test(says) ? NULL : value_get(config, S("template"));
    if (str_eq_c(type, "slack"))
        return make_slack(a, m, secrets, ret, err);
    if (str_eq_c(type, "webhook"))
        return make_webhook(a, m, secrets, ret, err);
    if (str_eq_c(type, "pagerduty"))
        return make_pagerduty(a, m, secrets, step, ret, err);
    if (str_eq_c(type, "sentry"))
        return make_sentry(a, config, m, secrets, step, ret, err);
    if (str_eq_c(type, "smtp"))
        return notify_mail_make(a, config, m, secrets, lines_of(a, m, &plain_ways), ret, err);
    return err_set(err, ERR_INVALID, "nobody knows how to tell by '%.*s'", STR_ARG(type));
}

int notify_form_judge(struct str type, int status, struct str answer, struct err *err)
{
    if (status >= 200 && status <= 299)
        return 0;
    if (str_eq_c(type, "sentry") && status == 208) /* it has it */
        return 0;
    if (str_eq_c(type, "commit_status") && status == 400 &&
        str_find(answer, S("Cannot transition status")) != STR_NPOS)
        return 0;
    if (status == 401 || status == 403)
        return err_set(err, ERR_REFUSED, "it refuses the credentials: status %d", status);
    if (status == 404 || status == 410)
        return err_set(err, ERR_NOT_FOUND, "nobody is there: status %d", status);
    if (status == 429)
        return err_set(err, ERR_BUSY, "it has had enough for now: status %d", status);
    return err_set(err, ERR_UNREACHABLE, "it answers with status %d", status);
}
