/* notify_requests: what vendors are sent, one JSON object a line. SPDX-License-Identifier: Apache-2.0
 *
 *     {vendor, method, path, headers, body}        for notify.py to hold against the vendors' own contracts */
#include <stdio.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/core/notify_form.h"
#include "specs/json_io.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static const struct {
    const char *vendor, *config, *base; /* what of the URL is no path of the contract */
    size_t step;
    int is_status;
} rows[] = {
    { "slack", "{\"type\":\"slack\"}", "https://hooks.slack.com", 0, 0 },
    { "slack",
      "{\"type\":\"slack\",\"template\":{\"title\":\"{env}\",\"text\":\"{text}\\n{link}\"}}",
      "https://hooks.slack.com", 0, 0 },
    { "sentry", "{\"type\":\"sentry\",\"organization\":\"acme\",\"project\":\"web\"}",
      "https://sentry.test", 0, 0 },
    { "sentry", "{\"type\":\"sentry\",\"organization\":\"acme\",\"project\":\"web\"}",
      "https://sentry.test", 1, 0 },
    { "github", "{\"type\":\"github\",\"api\":\"https://api.test\",\"repository\":\"a/b\"}",
      "https://api.test", 0, 1 },
    { "gitlab", "{\"type\":\"gitlab\",\"api\":\"https://api.test/api/v4\",\"repository\":\"a/b\"}",
      "https://api.test", 0, 1 },
    { "gitea", "{\"type\":\"gitea\",\"api\":\"https://api.test/api/v1\",\"repository\":\"a/b\"}",
      "https://api.test", 0, 1 },
};
static const char *const words[] = { "applied", "applying", "plan_ready", "apply_failed",
                                     "reverted" };

static struct value *parse(struct arena *a, const char *text)
{
    struct err err = ERR_INIT;
    struct value *v = NULL;

    PRE(!json_parse(a, str_from_c(text), 1u << 16, &v, &err));
    return v;
}

static void say(struct arena *a, size_t row, const struct notify_form *f)
{
    struct value *v = value_map(a), *headers = value_list(a);

    for (size_t i = 0; f->headers[i]; i++)
        value_add(a, headers, value_text(a, str_from_c(f->headers[i])));
    value_set_text(a, v, S("vendor"), str_from_c(rows[row].vendor));
    value_set_text(a, v, S("method"), str_from_c(f->method));
    value_set_text(a, v, S("path"), str_from_c(f->url + strlen(rows[row].base)));
    value_set(a, v, S("headers"), headers);
    value_set_text(a, v, S("body"), f->body);
    (void)printf("%s\n", json_format(a, v).p);
}

static int make(struct arena *a, size_t row, const char *word)
{
    const int is_sentry = !strcmp(rows[row].vendor, "sentry");
    const struct notify_secrets secrets = { is_sentry
                                                ? S("https://sentry.test")
                                                : S("https://hooks.slack.com/services/T0/B0/x"),
                                            S("key"), STR_NONE };
    const struct notify_message m = {
        .id = S("01a1fed9-ba84-71fc-8e8f-7aa82cdf83d8"),
        .made_ms = INT64_C(1700000000000),
        .now_ms = INT64_C(1700000001000),
        .severity = NOTIFY_ERROR,
        .says = parse(a, str_fmt(a,
                                 "{\"word\":\"%s\",\"env\":\"prod\",\"subject\":\"plan/1\","
                                 "\"plan\":\"1\",\"commit\":\"" COMMIT "\",\"author\":\"ann\","
                                 "\"text\":\"why `it` <was> so, in more than is shown\"}",
                                 word)
                             .p),
        .link = S("https://reeve.test/plans/1"),
    };
    struct err err = ERR_INIT;
    struct notify_form f;
    int rc = rows[row].is_status
                 ? notify_form_status(a, parse(a, rows[row].config), &m, S("key"), &f, &err)
                 : notify_form_make(a, parse(a, rows[row].config), &m, &secrets, rows[row].step, &f,
                                    &err);

    if (rc)
        (void)fprintf(stderr, "%s: %s\n", rows[row].vendor, err.text);
    else
        say(a, row, &f);
    return rc;
}

int main(void)
{
    AUTO_ARENA struct arena a;

    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        for (size_t w = 0; w < N_ELEMENTS(words); w++)
            if ((w == 0 || strcmp(rows[i].vendor, "sentry")) && make(&a, i, words[w]))
                return 1;
    return 0;
}
