/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/notify_form.h"

#include <inttypes.h>

#include "base/base64.h"
#include "base/guard.h"
#include "base/hash.h"
#include "reconciler/core/checks.h"
#include "reconciler/core/notify_mail.h"
#include "reconciler/core/notify_text.h"
#include "reconciler/core/render.h"
#include "specs/json_io.h"

#define PAGERDUTY_URL "https://events.pagerduty.com/v2/enqueue"
#define PAGERDUTY_SUMMARY_MAX 1024u
#define SENTRY_URL "https://sentry.io"

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
                   str_fmt(a, "*%.*s*\n%s", STR_ARG(notify_text_title(a, m, &notify_text_slack)),
                           notify_text_lines(a, m, &notify_text_slack).p));
    ret->body = json_format(a, v);
    return begin(a, ret, m, s->url, err);
}

/* What a program is told: everything, as data. */
static struct str document(struct arena *a, const struct notify_message *m)
{
    struct value *v = value_copy(a, m->says);

    value_set_text(a, v, S("id"), m->id);
    value_set_text(a, v, S("type"), str_fmt(a, "reeve.%.*s", STR_ARG(notify_text_get(m, "word"))));
    value_set_text(a, v, S("title"), notify_text_title(a, m, &notify_text_plain));
    value_set_text(a, v, S("severity"), str_from_c(notify_events_severity(m->severity)));
    value_set_text(a, v, S("time"), notify_text_time(a, m->made_ms));
    if (m->link.n)
        value_set_text(a, v, S("link"), m->link);
    if (value_get(m->template, S("text")))
        value_set_text(a, v, S("message"), notify_text_lines(a, m, &notify_text_plain));
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
    struct str env = notify_text_get(m, "env"), text = render_safe(a, notify_text_get(m, "text"));

    if (value_get(m->template, S("text")))
        text = notify_text_lines(a, m, &notify_text_plain);
    if (!is_one_word(s->key))
        return err_set(err, ERR_INVALID, "its key is not one word");
    value_set_text(a, v, S("routing_key"), s->key);
    value_set_text(a, v, S("dedup_key"), notify_text_get(m, "subject"));
    if (step || str_eq_c(notify_text_get(m, "word"), notify_events[NOTIFY_IS_recovered].word)) {
        value_set_text(a, v, S("event_action"), S("resolve"));
    } else {
        value_set_text(a, v, S("event_action"), S("trigger"));
        value_set_text(a, payload, S("summary"),
                       notify_text_cut(str_fmt(a, "%.*s%s%.*s",
                                               STR_ARG(notify_text_title(a, m, &notify_text_plain)),
                                               text.n ? ": " : "", STR_ARG(text)),
                                       PAGERDUTY_SUMMARY_MAX));
        value_set_text(a, payload, S("source"),
                       env.n ? str_fmt(a, "reeve/%.*s", STR_ARG(env)) : S("reeve"));
        value_set_text(a, payload, S("severity"), str_from_c(notify_events_severity(m->severity)));
        value_set_text(a, payload, S("timestamp"), notify_text_time(a, m->made_ms));
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
    struct str base = s->url.p ? s->url : S(SENTRY_URL), commit = notify_text_get(m, "commit");
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
        value_set_text(a, v, S("environment"), notify_text_get(m, "env"));
        value_set_text(a, v, S("dateFinished"), notify_text_time(a, m->made_ms));
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
    struct str api = value_get_text(forge, S("api"), S("")),
               text = render_safe(a, notify_text_get(m, "text"));
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
    value_set_text(a, v, S("state"),
                   str_from_c(forges[i].words[status_of(notify_text_get(m, "word"))]));
    value_set_text(a, v, str_from_c(forges[i].context),
                   str_fmt(a, "reeve/%.*s", STR_ARG(notify_text_get(m, "env"))));
    value_set_text(
        a, v, S("description"),
        notify_text_cut(str_fmt(a, "%.*s%s%.*s",
                                STR_ARG(notify_text_title_of(notify_text_get(m, "word"))),
                                text.n ? ": " : "", STR_ARG(text)),
                        NOTIFY_STATUS_TEXT_MAX));
    if (m->link.n)
        value_set_text(a, v, S("target_url"), m->link);
    ret->body = json_format(a, v);
    if (begin(a, ret, m,
              str_fmt(a, "%.*s%s", STR_ARG(api),
                      status_path(a, forges[i].path, value_get_text(forge, S("repository"), S("")),
                                  notify_text_get(m, "commit"))
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
        return notify_text_is_test(m) ? 2 : 1;
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
    made.template = notify_text_is_digest(says) || notify_text_is_test(says)
                        ? NULL
                        : value_get(config, S("template"));
    if (str_eq_c(type, "slack"))
        return make_slack(a, m, secrets, ret, err);
    if (str_eq_c(type, "webhook"))
        return make_webhook(a, m, secrets, ret, err);
    if (str_eq_c(type, "pagerduty"))
        return make_pagerduty(a, m, secrets, step, ret, err);
    if (str_eq_c(type, "sentry"))
        return make_sentry(a, config, m, secrets, step, ret, err);
    if (str_eq_c(type, "smtp"))
        return notify_mail_make(a, config, m, secrets, notify_text_lines(a, m, &notify_text_plain),
                                ret, err);
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
