/* http: every route x every role x who shows what, in scope and out of it: those who may pass, and nobody else. SPDX-License-Identifier: Apache-2.0
 *
 * It walks routes_get(): a route that is new is asked as the others are, and fails until `rights` says who may. */
#include "tests/unit/test_http_access_given.h"

/* --- who may what, written down again -------------------------------------------------------------------- */

enum about {
    ABOUT_NOBODY, /* before it is known who asks */
    ABOUT_ASKER,  /* what is theirs of it, or they themselves */
    ABOUT_ENV,    /* the environment in its path, or that of a plan or an operation */
    ABOUT_ALL,    /* more than some environments */
};

#define ALL "viewer operator approver admin override"
#define OPERATES "operator admin"
#define APPROVES "approver admin"

static const struct right {
    const char *method, *path, *roles;
    enum about about;
    int is_no_tokens;
} rights[] = {
#include "tests/unit/test_http_access.rows"
};

/* Whoever has no role signed in and is named nowhere. */
static const char *const all_roles[] = { "viewer",   "operator", "approver", "admin",
                                         "override", "scrape",   "none" };

static const struct right *right_of(const struct route *route)
{
    for (size_t i = 0; i < N_ELEMENTS(rights); i++)
        if (!strcmp(rights[i].path, route->path) && !strcmp(rights[i].method, route->method))
            return &rights[i];
    return NULL;
}

/* --- what is right ---------------------------------------------------------------------------------------- */

static int has_word(const char *words, const char *word)
{
    struct str rest = str_from_c(words), one;

    while (str_next(&rest, ' ', &one))
        if (str_eq_c(one, word))
            return 1;
    return 0;
}

/* 0: it passes; else the status that refuses. */
static int expected(const struct fixture *f, const struct right *right, const struct asker *asker,
                    const struct target *target)
{
    const char *role = asker->role;
    int is_own = right->about == ABOUT_ENV && target == &targets[TARGET_OWN];

    if (right->about == ABOUT_NOBODY)
        return 0;
    if (!role)
        return 401;
    if (asker->shows == SHOWS_COOKIE_ALONE && strcmp(right->method, "GET") != 0)
        return 403;
    if (right->about == ABOUT_ENV && (is_own ? asker->scope == KNOWS_NONE : asker->scope))
        return 404;
    if (right->about == ABOUT_ALL && asker->scope)
        return 403;
    if (asker->shows == SHOWS_TOKEN && right->is_no_tokens)
        return 403;
    if (asker->shows == SHOWS_PEER && f->is_scoped && right->about != ABOUT_ASKER && !is_own)
        role = "viewer";
    return has_word(right->roles, role) ? 0 : 403;
}

static void judge(struct fixture *f, const struct right *right, const struct asker *asker,
                  const struct target *target, int status, const char *body)
{
    int want = expected(f, right, asker, target);
    int passed = status && status != 401 && status != 403;
    int leaks = asker->scope && target != &targets[TARGET_OTHER] && strstr(body, OTHER) != NULL;
    int is_explained = asker->shows != SHOWS_TOKEN || want != 403 || !right->is_no_tokens ||
                       asker->scope || strstr(body, "only a person ");

    f->n_asked++;
    f->n_passed += !want && passed;
    f->n_ok += status == 200;
    f->n_denied_known += want && want != 401;
    if (want)
        f->n_refused[want == 401 ? 0 : want == 403 ? 1 : 2]++;
    if ((want ? status == want : passed) && !leaks && is_explained)
        return;
    if (!f->failure[0])
        (void)snprintf(f->failure, sizeof(f->failure),
                       "%s %s, %s as %s, what is %s: wanted %d%s, got %d %.300s", right->method,
                       right->path, asker->what, f->role, target->what, want,
                       leaks ? " and nothing of " OTHER : "", status, body);
}

static void replace_word(char *text, const char *word)
{
    for (char *at = strstr(text, word); at; at = strstr(at, word))
        memset(at, '*', strlen(word));
}

/* Each request has an id of its own. */
static void replace_id(char *text)
{
    static const char name[] = "\"request\":\"";
    char *at = strstr(text, name);

    if (at && strlen(at) > sizeof(name) + 16)
        memset(at + sizeof(name) - 1, '*', 16);
}

/* What is out of scope is answered as what is not there, word for word. */
static void compare(struct fixture *f, const struct right *right, char *other, char *absent)
{
    const struct target *a = &targets[TARGET_OTHER], *b = &targets[TARGET_ABSENT];
    const char *words[] = { a->env, a->plan, a->operation, b->env, b->plan, b->operation };
    size_t k = 0;

    replace_id(other);
    replace_id(absent);
    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        replace_word(other, words[i]);
        replace_word(absent, words[i]);
    }
    for (char *text = other; text; text = text == other ? absent : NULL) {
        k = 0;
        for (size_t i = 0; text[i]; i++)
            if (text[i] != '*' || !k || text[k - 1] != '*')
                text[k++] = text[i];
        text[k] = 0;
    }
    if (strcmp(other, absent) != 0 && !f->failure[0])
        (void)snprintf(f->failure, sizeof(f->failure), "%s %s: '%.400s' is not '%.400s'",
                       right->method, right->path, other, absent);
}

static void ask_all(struct fixture *f, const struct right *right, const struct asker *asker)
{
    static char bodies[N_ELEMENTS(targets)][ANSWER_MAX];
    size_t n = right->about == ABOUT_ENV ? N_ELEMENTS(targets) : 1;

    for (size_t i = 0; i < n; i++) {
        int status = ask(f, asker, right->method, path_of(f, right->path, &targets[i]), bodies[i]);

        judge(f, right, asker, &targets[i], status, bodies[i]);
    }
    if (n > 1 && asker->scope)
        compare(f, right, bodies[TARGET_OTHER], bodies[TARGET_ABSENT]);
}

/* What is asked for in a query is no way out of a scope, either: as if it were not there. */
static void ask_past_scope(struct fixture *f, const struct asker *asker)
{
    static const struct {
        const char *path;
        size_t member; /* of a target */
    } rows[] = {
        { "/api/v1/history?env=", offsetof(struct target, env) },
        { "/api/v1/history?newest=1&env=", offsetof(struct target, env) },
        { "/api/v1/history?plan=", offsetof(struct target, plan) },
        { "/api/v1/history?commit=", offsetof(struct target, plan) },
        { "/api/v1/history?subject=uid-", offsetof(struct target, env) },
        { "/api/v1/history?actor=", offsetof(struct target, env) },
        { "/api/v1/history?resource=service/", offsetof(struct target, env) },
        { "/api/v1/environments/" OWN "/explain?subject=service/", offsetof(struct target, env) },
        { "/api/v1/environments/" OWN "/logs?service=", offsetof(struct target, env) },
        { "/api/v1/environments/" OWN "/diff?from=", offsetof(struct target, plan) },
    };
    static char bodies[2][ANSWER_MAX];

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct right right = { "GET", rows[i].path, "", ABOUT_ASKER, 0 };
        int status[2];

        for (int k = 0; k < 2; k++) {
            const struct target *target = &targets[k ? TARGET_ABSENT : TARGET_OTHER];
            const char *word;

            memcpy(&word, (const char *)target + rows[i].member, sizeof(word));
            status[k] = ask(f, asker, "GET", str_fmt(&f->arena, "%s%s", rows[i].path, word),
                            bodies[k]);
            f->n_denied_known += status[k] == 403; /* whose role reads nothing of that */
        }
        if ((status[0] != status[1] || status[0] >= 500) && !f->failure[0])
            (void)snprintf(f->failure, sizeof(f->failure), "%s: %d, not %d", rows[i].path,
                           status[0], status[1]);
        compare(f, &right, bodies[0], bodies[1]);
    }
}

/* --- the run ---------------------------------------------------------------------------------------------- */

static void stopped(void *ctx)
{
    loop_stop(((struct fixture *)ctx)->loop);
}

static void stop(void *ctx)
{
    struct fixture *f = ctx;

    api_stop(f->api, stopped, f);
}

static void *talk(void *arg)
{
    struct fixture *f = arg;
    size_t n;
    const struct route *routes = routes_get(&n);

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < f->n_askers; k++)
            if (right_of(&routes[i])) /* else test_each_route_has_a_row() fails */
                ask_all(f, right_of(&routes[i]), &f->askers[k]);
    for (size_t k = 0; k < f->n_askers; k++)
        if (f->askers[k].scope == KNOWS_OWN && f->askers[k].role)
            ask_past_scope(f, &f->askers[k]);
    loop_post(f->loop, stop, f);
    return NULL;
}

/* Each call that was denied is written: of who is known as theirs, of others counted, by reason. */
static void judge_events(struct fixture *f)
{
    enum { N_REASONS = 7 }; /* what is shown that is nothing; an empty token is one more */

    if (!f->failure[0] && (f->n_denied != f->n_denied_known || f->n_folded != N_REASONS ||
                           f->n_folded_calls != f->n_refused[0]))
        (void)snprintf(
            f->failure, sizeof(f->failure),
            "not every denied call was written, or one twice: %zu of %zu, %zu as %zu of %zu",
            f->n_denied, f->n_denied_known, f->n_folded_calls, f->n_folded, f->n_refused[0]);
}

static size_t run(const char *role, int is_scoped)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct err err = ERR_INIT;
    char failure[sizeof(f->failure)];
    pthread_t thread;
    size_t n_asked;

    f->role = role;
    f->is_scoped = is_scoped;
    current = f;
    given(f);
    assert_int_equal(pthread_create(&thread, NULL, talk, f), 0);
    loop_run(f->loop);
    (void)pthread_join(thread, NULL);
    print_message("  %-8s %zu calls: %zu passed (%zu answered 200), %zu x 401 written as %zu, "
                  "%zu x 403, %zu x 404, %zu of them written\n",
                  role, f->n_asked, f->n_passed, f->n_ok, f->n_refused[0], f->n_folded,
                  f->n_refused[1], f->n_refused[2], f->n_denied);
    judge_events(f);
    strcpy(failure, f->failure);
    n_asked = f->n_asked;
    loop_free(f->loop);
    db_close(f->db);
    (void)sys_remove_all(f->dir, &err);
    arena_fini(&f->arena);
    free(f);
    if (failure[0])
        fail_msg("%s", failure);
    return n_asked;
}

static void test_exactly_those_who_may_pass(void **state)
{
    size_t n, n_asked = 0;

    (void)state;
    (void)routes_get(&n);
    for (size_t i = 0; i < N_ELEMENTS(all_roles); i++)
        n_asked += run(all_roles[i], 0);
    print_message("  and with auth.local and auth.roles of [user:NAME@" OWN "]\n");
    for (size_t i = 0; i < N_ELEMENTS(all_roles); i++)
        n_asked += run(all_roles[i], 1);
    print_message("  %zu routes, %zu askers, %zu calls\n", n, N_ELEMENTS(current->askers), n_asked);
}

static void test_each_route_has_a_row(void **state)
{
    size_t n;
    const struct route *routes = routes_get(&n);

    (void)state;
    for (size_t i = 0; i < n; i++)
        if (!right_of(&routes[i]))
            fail_msg("%s %s: no row says who may", routes[i].method, routes[i].path);
    assert_int_equal(n, N_ELEMENTS(rights));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_route_has_a_row),
        cmocka_unit_test(test_exactly_those_who_may_pass),
    };

    return cmocka_run_group_tests_name("http access", tests, NULL, NULL);
}
