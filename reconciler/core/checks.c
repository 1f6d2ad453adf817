/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/checks.h"

#include "base/guard.h"
#include "reconciler/core/render.h"

#define URL_SHOWN 300u

/* %R repository, %E the same as one word of a path, %C commit, %P page. */
/* clang-format off */
static const struct question {
    const char *forge, *path;
    size_t per_page;
    const char *list;               /* member that holds the list; NULL: the answer is one */
    const char *name, *state, *app, *url; /* =WORD: that word */
} questions[] = {
    { "github", "/repos/%R/commits/%C/check-runs?filter=latest&per_page=100&page=%P", 100, "check_runs", "name", "conclusion", "app.slug", "html_url" },
    { "github", "/repos/%R/commits/%C/statuses?per_page=100&page=%P",               100, NULL, "context", "state", "creator.login", "target_url" },
    { "gitlab", "/projects/%E/repository/commits/%C/statuses?per_page=100&page=%P", 100, NULL, "name", "status", "author.username", "target_url" },
    { "gitlab", "/projects/%E/pipelines?sha=%C&per_page=100&page=%P",               100, NULL, "=pipeline", "status", "=gitlab", "web_url" },
    { "gitea",  "/repos/%R/commits/%C/statuses?limit=50&page=%P",                    50, NULL, "context", "status", "creator.login", "target_url" },
};

static const struct {
    const char *word;
    enum check_state state;
} words[] = {
    { "success", CHECK_PASSED },         { "neutral", CHECK_PASSED },   { "failure", CHECK_FAILED },
    { "failed", CHECK_FAILED },          { "error", CHECK_FAILED },     { "cancelled", CHECK_FAILED },
    { "canceled", CHECK_FAILED },        { "timed_out", CHECK_FAILED }, { "action_required", CHECK_FAILED },
    { "startup_failure", CHECK_FAILED }, { "stale", CHECK_FAILED },     { "warning", CHECK_FAILED },
};

static const struct {
    const char *forge, *header;
} headers[] = {
    { "github", "Authorization: Bearer " },
    { "gitlab", "PRIVATE-TOKEN: " },
    { "gitea",  "Authorization: token " },
};
/* clang-format on */

/* --- questions ----------------------------------------------------------------------------------- */

static const struct question *find_question(struct str forge, size_t i)
{
    for (size_t at = 0; at < N_ELEMENTS(questions); at++)
        if (str_eq_c(forge, questions[at].forge) && !i--)
            return &questions[at];
    return NULL;
}

static void add_word(struct sb *b, struct str text, int is_one)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '/' && is_one)
            sb_add_c(b, "%2F");
        else
            sb_add_char(b, text.p[i]);
}

struct str checks_path(struct arena *a, struct str forge, size_t i, size_t page,
                       struct str repository, struct str commit)
{
    const struct question *q = find_question(forge, i);
    struct sb b;

    if (!q)
        return STR_NONE;
    sb_init(&b, a);
    for (const char *p = q->path; *p; p++) {
        if (*p != '%') {
            sb_add_char(&b, *p);
            continue;
        }
        p++;
        if (*p == 'P')
            sb_addf(&b, "%zu", page);
        else
            add_word(&b, *p == 'C' ? commit : repository, *p == 'E');
    }
    return sb_str(&b);
}

struct str checks_sign_in(struct arena *a, struct str forge, struct str token)
{
    for (size_t i = 0; i < N_ELEMENTS(headers); i++)
        if (str_eq_c(forge, headers[i].forge))
            return str_fmt(a, "%s%.*s", headers[i].header, STR_ARG(token));
    return STR_NONE;
}

/* --- answers ------------------------------------------------------------------------------------- */

static struct str text_at(const struct value *v, const char *path)
{
    const struct value *found;

    if (path[0] == '=')
        return str_from_c(path + 1);
    found = value_at(v, str_from_c(path));
    return value_is(found, VALUE_TEXT) ? found->u.text : S("");
}

static enum check_state state_of(struct str word)
{
    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        if (str_eq_c(word, words[i].word))
            return words[i].state;
    return CHECK_PENDING; /* a word that nobody knows yet is no success */
}

/* A run and a status of the same name and author are two: only those of one question follow each other. */
static int is_taken(const struct check_facts *facts, const struct check_fact *fact)
{
    for (size_t i = 0; i < facts->n; i++)
        if (facts->p[i].question == fact->question && str_eq(facts->p[i].name, fact->name) &&
            str_eq(facts->p[i].app, fact->app))
            return 1;
    return 0;
}

int checks_take(struct arena *a, struct str forge, size_t i, const struct value *answer,
                struct check_facts *io, int *ret_has_more, struct err *err)
{
    const struct question *q = find_question(forge, i);
    const struct value *list = q && q->list ? value_get(answer, str_from_c(q->list)) : answer;

    if (!q || !value_is(list, VALUE_LIST))
        return err_set(err, ERR_INVALID, "the forge's answer is no list of checks");
    for (size_t at = 0; at < value_count(list); at++) {
        const struct value *one = value_item(list, at);
        struct check_fact fact = {
            .name = text_at(one, q->name),
            .app = text_at(one, q->app),
            .url = text_at(one, q->url),
            .state = state_of(text_at(one, q->state)),
            .question = i,
        };
        struct check_fact *slot = is_taken(io, &fact) ? NULL : vec_push(a, io);

        if (slot)
            *slot = fact;
    }
    *ret_has_more = value_count(list) == q->per_page;
    return arena_status(a, err);
}

/* --- whether it is enough ------------------------------------------------------------------------ */

static int is_wanted(const struct value *wanted, const struct check_fact *fact)
{
    struct str app = value_get_text(wanted, S("app"), S(""));

    return str_eq(value_get_text(wanted, S("name"), S("")), fact->name) &&
           (!app.n || str_eq(app, fact->app));
}

static struct str describe(struct arena *a, const struct value *wanted)
{
    struct str app = value_get_text(wanted, S("app"), S(""));

    return str_fmt(a, "check '%.*s'%s%.*s", STR_ARG(value_get_text(wanted, S("name"), S(""))),
                   app.n ? " of " : "", STR_ARG(app));
}

static enum check_state judge_one(struct arena *a, const struct value *wanted,
                                  const struct check_facts *facts, struct str *ret_why)
{
    size_t n = 0, n_passed = 0;

    for (size_t i = 0; i < facts->n; i++) {
        const struct check_fact *fact = &facts->p[i];

        if (!is_wanted(wanted, fact))
            continue;
        if (fact->state == CHECK_FAILED) {
            *ret_why = render_safe(a, str_fmt(a, "refused: %.*s failed%s%.*s",
                                              STR_ARG(describe(a, wanted)), fact->url.n ? ": " : "",
                                              STR_ARG(str_slice(fact->url, 0, URL_SHOWN))));
            return CHECK_FAILED;
        }
        n++;
        n_passed += fact->state == CHECK_PASSED;
    }
    if (n && n == n_passed)
        return CHECK_PASSED;
    *ret_why = render_safe(a, str_fmt(a, "waits for %.*s%s", STR_ARG(describe(a, wanted)),
                                      n ? "" : ", which nobody has reported yet"));
    return CHECK_PENDING;
}

enum check_state checks_judge(struct arena *a, const struct value *wanted,
                              const struct check_facts *facts, struct str *ret_why)
{
    enum check_state state = CHECK_PASSED;
    struct str why = S("");

    for (size_t i = 0; i < value_count(wanted) && state != CHECK_FAILED; i++) {
        enum check_state one = judge_one(a, value_item(wanted, i), facts, &why);

        if (one == CHECK_PASSED || (one == CHECK_PENDING && state == CHECK_PENDING))
            continue;
        state = one;
        *ret_why = why;
    }
    return state;
}

struct value *checks_join(struct arena *a, const struct value *const *lists, size_t n)
{
    struct value *all = NULL;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < value_count(lists[i]); j++) {
            const struct value *one = value_item(lists[i], j);
            size_t k = 0;

            if (!all)
                all = value_list(a);
            while (k < value_count(all) && !value_eq(value_item(all, k), one))
                k++;
            if (k == value_count(all))
                value_add(a, all, value_copy(a, one));
        }
    return all;
}
