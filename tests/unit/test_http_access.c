/* http: every route x every role x who shows what, in scope and out of it: those who may pass, and nobody else. SPDX-License-Identifier: Apache-2.0
 *
 * It walks routes_get(): a route that is new is asked as the others are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/http/api.h"
#include "reconciler/http/auth_token.h"
#include "reconciler/http/listen.h"
#include "reconciler/http/session.h"
#include "specs/json_io.h"
#include "state/tx.h"
#include "tests/support/test_ports.h"

#define ANSWER_MAX (256 << 10)
#define OWN "staging"
#define OTHER "production"

/* Written down here again, so that a change of the daemon's own table is seen. */
static const struct role {
    const char *word;
    unsigned roles;
} all_roles[] = {
    { "viewer", AUTH_VIEWER },
    { "operator", AUTH_VIEWER | AUTH_OPERATOR },
    { "approver", AUTH_VIEWER | AUTH_APPROVER },
    { "admin", AUTH_VIEWER | AUTH_OPERATOR | AUTH_APPROVER | AUTH_ADMIN },
    { "override", AUTH_VIEWER | AUTH_OVERRIDE },
};

enum shows {
    SHOWS_NOTHING,
    SHOWS_PEER,
    SHOWS_WHOLE,
    SHOWS_SCOPED,
    SHOWS_DEAD,
    SHOWS_COOKIE,
    SHOWS_COOKIE_ALONE
};

/* Who asks. */
struct asker {
    const char *what;
    enum shows shows;
    struct str token, headers;
};

/* What is asked about. */
static const struct target {
    const char *what, *env, *plan, *operation;
} targets[] = {
    { "in scope", OWN, "5c5c5c5c5c5c", "op-" OWN },
    { "out of scope", OTHER, "7d7d7d7d7d7d", "op-" OTHER },
    { "that is not there", "nothing", "9e9e9e9e9e9e", "op-nothing" },
};
enum { TARGET_OWN, TARGET_OTHER, TARGET_ABSENT };

struct fixture {
    struct arena arena;
    const struct role *role;
    int is_local_scoped; /* who is connected has the role in OWN alone, and may look everywhere */
    char dir[32], path[64], db_path[64];
    uint16_t port;
    struct db *db;
    struct loop *loop;
    struct api *api;
    struct asker askers[10];
    size_t n_askers, n_asked, n_passed, n_ok;
    size_t n_denied_known, n_denied; /* as they were answered, as they were written */
    size_t n_folded, n_folded_calls;
    char failure[2048];
};

/* --- the engine ----------------------------------------------------------------------------------------- */

static struct fixture *current;

static enum task_verdict fake_step(struct task *t)
{
    struct command_call *call = container_of(t, struct command_call, task);
    struct err err = ERR_INIT;
    struct value *note;

    call->result = value_map(&call->arena);
    if (call->in.verb != COMMAND_DENIED)
        return task_done(t);
    if (!str_eq_c(call->in.actor, "nobody")) {
        current->n_denied++;
        return task_done(t);
    }
    current->n_folded++;
    if (!json_parse(&call->arena, call->in.denied_note, 4096, &note, &err))
        current->n_folded_calls += (size_t)value_get_int(note, S("calls"), 0);
    return task_done(t);
}

static int fake_sign(struct engine *e, struct signing *in, struct err *err)
{
    (void)e;
    (void)in;
    (void)err;
    return 0;
}

static void fake_command(struct engine *e, struct command_call *call, task_ended *ended, void *ctx)
{
    static const struct task_state states[] = { { "FAKE", 0, NO_ERROR_EDGE, 0 } };

    task_start(&call->task, (struct loop *)e, "fake", states, 1, 0, fake_step, ended, ctx);
}

static struct value *fake_live(struct engine *e, struct arena *a)
{
    struct value *live = NULL;
    struct err err = ERR_INIT;

    (void)e;
    (void)json_parse(a,
                     S("{\"environments\":{\"" OWN "\":{},\"" OTHER "\":{}},\"sources\":{\"s\":"
                       "{\"error\":\"" OTHER "\"}},\"providers\":{\"" OTHER "\":{}}}"),
                     4096, &live, &err);
    return live;
}

/* --- given ---------------------------------------------------------------------------------------------- */

static void begin_tx(struct fixture *f, const char *env, struct tx **ret)
{
    const struct tx_head head = { .time_ms = sys_wall_ms(),
                                  .epoch = 1,
                                  .actor = S("reeve"),
                                  .cause = S(""),
                                  .kind = S("x"),
                                  .subject = str_from_c(env),
                                  .env = str_from_c(env) };
    struct err err = ERR_INIT;

    assert_int_equal(db_batch_begin(f->db, &err), 0);
    assert_int_equal(tx_begin(f->db, &head, ret, &err), 0);
}

static void end_tx(struct fixture *f, struct tx *tx)
{
    struct err err = ERR_INIT;

    assert_int_equal(tx_commit(tx, &err), 0);
    assert_int_equal(db_batch_commit(f->db, &err), 0);
}

static void given_environment(struct fixture *f, const char *name, int plan_byte)
{
    const struct str uid = str_fmt(&f->arena, "uid-%s", name);
    const struct rec_environment env = { .uid = uid,
                                         .name = str_from_c(name),
                                         .source = S("s"),
                                         .branch = str_from_c(name),
                                         .commit_id = STR_NONE,
                                         .tree_id = STR_NONE,
                                         .ask = STR_NONE,
                                         .ask_actor = STR_NONE,
                                         .sync = S("failed"),
                                         .health = S("healthy"),
                                         .reason = str_from_c(name),
                                         .deleted_ms = REC_NONE };
    const struct rec_head head = { .source = S("s"),
                                   .branch = str_from_c(name),
                                   .error = str_fmt(&f->arena, "%s.yaml", OTHER),
                                   .gone_ms = REC_NONE };
    struct rec_plan plan = { .env = uid,
                             .target = { { 1 } },
                             .cause = S("commit"),
                             .state = S("waiting"),
                             .reason = S(""),
                             .actor = S(""),
                             .started_seq = REC_NONE,
                             .ended_seq = REC_NONE,
                             .expires_ms = REC_NONE };
    const struct rec_operation op = { .uid = str_fmt(&f->arena, "op-%s", name),
                                      .env = uid,
                                      .kind = S("service"),
                                      .name = str_from_c(name),
                                      .action = S("create"),
                                      .phase = S("END"),
                                      .outcome = S("parked"),
                                      .message = str_from_c(name),
                                      .not_before_ms = REC_NONE,
                                      .poll_at_ms = REC_NONE };
    struct err err = ERR_INIT;
    struct tx *tx;

    memset(plan.id.b, plan_byte, sizeof(plan.id.b));
    begin_tx(f, uid.p, &tx);
    assert_int_equal(tx_put(tx, REC_environment, &env, &err), 0);
    assert_int_equal(tx_put(tx, REC_plan, &plan, &err), 0);
    assert_int_equal(tx_put(tx, REC_operation, &op, &err), 0);
    end_tx(f, tx);
    begin_tx(f, "", &tx); /* what a branch's error says is of no one environment */
    assert_int_equal(tx_put(tx, REC_head, &head, &err), 0);
    end_tx(f, tx);
}

enum { TOKEN_GOOD, TOKEN_REVOKED, TOKEN_EXPIRED, TOKEN_LOST };

static struct str given_token(struct fixture *f, const char *role, const char *scope, int dead)
{
    const struct auth_actor by = { .name = S_INIT("x"), .roles = AUTH_ALL | AUTH_OVERRIDE };
    struct err err = ERR_INIT;
    struct rec_token row;
    struct value *body;
    struct str text;
    struct tx *tx;

    assert_int_equal(
        json_parse(&f->arena,
                   str_fmt(&f->arena, "{\"name\":\"t\",\"roles\":[\"%s\"]%s}", role, scope), 4096,
                   &body, &err),
        0);
    assert_int_equal(auth_token_make(&f->arena, &by, body, sys_wall_ms(), &row, &text, &err), 0);
    row.created_by = by.name;
    row.revoked_ms = dead == TOKEN_REVOKED ? 1 : REC_NONE;
    row.expires_ms = dead == TOKEN_EXPIRED ? 1 : REC_NONE;
    row.epoch = dead == TOKEN_LOST ? 3 : 0;
    begin_tx(f, "", &tx);
    assert_int_equal(tx_put(tx, REC_token, &row, &err), 0);
    end_tx(f, tx);
    return text;
}

/* The headers that a browser sends, in which ann is signed in. */
static struct str given_session(struct fixture *f, int with_csrf)
{
    struct err err = ERR_INIT;
    struct session s;
    struct rec_session row;
    struct str cookie;

    assert_int_equal(session_draw(&f->arena, &s, &err), 0);
    row = (struct rec_session){ .hash = s.hash,
                                .person = S("ann"),
                                .subject = S(""),
                                .groups = S(""),
                                .address = S(""),
                                .made_ms = sys_wall_ms(),
                                .used_ms = sys_wall_ms() };
    assert_int_equal(db_batch_begin(f->db, &err), 0);
    assert_int_equal(db_cache_put(f->db, REC_session, &row, &err), 0);
    assert_int_equal(db_batch_commit(f->db, &err), 0);
    cookie = session_cookie(&f->arena, &s, 0);
    cookie = str_slice(cookie, 0, str_find_char(cookie, ';'));
    return str_fmt(&f->arena, "Cookie: %.*s\r\nX-CSRF-Token: %.*s\r\n", STR_ARG(cookie),
                   STR_ARG(with_csrf ? s.csrf : S("no")));
}

static void given_askers(struct fixture *f)
{
    const char *role = f->role->word, *scoped = ",\"environments\":[\"" OWN "\",\"pr-*\"]";
    const struct asker askers[] = {
        { .what = "nobody", .shows = SHOWS_NOTHING },
        { .what = "local", .shows = SHOWS_PEER },
        { .what = "token", .shows = SHOWS_WHOLE, .token = given_token(f, role, "", TOKEN_GOOD) },
        { .what = "token of some environments",
          .shows = SHOWS_SCOPED,
          .token = given_token(f, role, scoped, TOKEN_GOOD) },
        { .what = "revoked",
          .shows = SHOWS_DEAD,
          .token = given_token(f, role, "", TOKEN_REVOKED) },
        { .what = "expired",
          .shows = SHOWS_DEAD,
          .token = given_token(f, role, "", TOKEN_EXPIRED) },
        { .what = "of a lost database",
          .shows = SHOWS_DEAD,
          .token = given_token(f, role, "", TOKEN_LOST) },
        { .what = "unknown", .shows = SHOWS_DEAD, .token = S("rvt_0000000000000000_00") },
        { .what = "person", .shows = SHOWS_COOKIE, .headers = given_session(f, 1) },
        { .what = "a page of others", .shows = SHOWS_COOKIE_ALONE, .headers = given_session(f, 0) },
    };

    _Static_assert(N_ELEMENTS(askers) == N_ELEMENTS(f->askers), "room for each");
    memcpy(f->askers, askers, sizeof(askers));
    f->n_askers = N_ELEMENTS(askers);
}

/* --- asking --------------------------------------------------------------------------------------------- */

static int dial(const struct fixture *f, enum shows shows)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(f->port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct err err = ERR_INIT;
    int fd = -1;

    if (shows != SHOWS_NOTHING && shows != SHOWS_COOKIE && shows != SHOWS_COOKIE_ALONE)
        return listen_connect(f->path, &fd, &err) ? -1 : fd;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (struct sockaddr *)&to, sizeof(to)) ? -1 : fd;
}

/* Status, and the body in `ret`. */
static int ask(struct fixture *f, const struct asker *asker, const char *method, struct str path,
               char ret[ANSWER_MAX])
{
    AUTO_CLOSE int fd = dial(f, asker->shows);
    char request[1024];
    size_t n = 0;
    int status = 0;

    (void)snprintf(
        request, sizeof(request),
        "%s %.*s HTTP/1.1\r\nHost: localhost:%u\r\nConnection: close\r\n%.*s%s%.*s%s%s\r\n", method,
        STR_ARG(path), f->port, STR_ARG(asker->headers.p ? asker->headers : S("")),
        asker->token.p ? "Authorization: Bearer " : "",
        STR_ARG(asker->token.p ? asker->token : S("")), asker->token.p ? "\r\n" : "",
        strcmp(method, "GET") ? "Content-Length: 2\r\n" : "");
    if (strcmp(method, "GET") != 0)
        strcat(request, "{}");
    (void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
    ret[0] = 0;
    for (ssize_t got = 1; got > 0 && n + 1 < ANSWER_MAX && !strstr(ret, "retry: 2000");) {
        got = recv(fd, ret + n, ANSWER_MAX - 1 - n, 0); /* that one has no end */
        n += got > 0 ? (size_t)got : 0;
        ret[n] = 0;
    }
    if (sscanf(ret, "HTTP/1.1 %d", &status) != 1 || !strstr(ret, "\r\n\r\n"))
        return 0;
    memmove(ret, strstr(ret, "\r\n\r\n") + 4, strlen(strstr(ret, "\r\n\r\n") + 4) + 1);
    return status;
}

static struct str path_of(struct fixture *f, const char *pattern, const struct target *target)
{
    static const struct {
        const char *begin, *word;
        size_t member;
    } rows[] = {
        { "/api/v1/environments/NAME", "NAME", offsetof(struct target, env) },
        { "/api/v1/plans/ID", "ID", offsetof(struct target, plan) },
        { "/api/v1/operations/UID", "UID", offsetof(struct target, operation) },
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const char *word, *behind;

        if (strncmp(pattern, rows[i].begin, strlen(rows[i].begin)) != 0)
            continue;
        memcpy(&word, (const char *)target + rows[i].member, sizeof(word));
        behind = pattern + strlen(rows[i].begin);
        return str_fmt(&f->arena, "%.*s%s%s", (int)(strlen(rows[i].begin) - strlen(rows[i].word)),
                       pattern, word, behind);
    }
    return str_from_c(pattern);
}

static int is_of_an_environment(const struct route *route)
{
    return strstr(route->path, "/environments/NAME") || strstr(route->path, "/plans/ID") ||
           strstr(route->path, "/operations/UID");
}

/* --- what is right ---------------------------------------------------------------------------------------- */

/* Only a person approves. */
static int is_a_persons(const struct route *route)
{
    return !strcmp(route->method, "POST") &&
           (strstr(route->path, "/plans/ID/approve") || strstr(route->path, "/plans/ID/override"));
}

/* 0: it passes; else the status that refuses. */
static int expected(const struct fixture *f, const struct route *route, const struct asker *asker,
                    const struct target *target)
{
    if (route->flags & ROUTE_OPEN)
        return 0;
    if (asker->shows == SHOWS_NOTHING || asker->shows == SHOWS_DEAD)
        return 401;
    if (asker->shows == SHOWS_COOKIE_ALONE && strcmp(route->method, "GET") != 0)
        return 403;
    if (asker->shows == SHOWS_SCOPED && is_of_an_environment(route) && target != targets)
        return 404;
    if (asker->shows == SHOWS_SCOPED && !is_of_an_environment(route) &&
        !(route->flags & ROUTE_LIST))
        return 403;
    if (asker->token.p && is_a_persons(route))
        return 403;
    if (asker->shows == SHOWS_PEER && f->is_local_scoped && !(route->flags & ROUTE_LIST) &&
        !(is_of_an_environment(route) && target == targets))
        return AUTH_VIEWER & route->roles ? 0 : 403;
    return f->role->roles & route->roles ? 0 : 403;
}

static void judge(struct fixture *f, const struct route *route, const struct asker *asker,
                  const struct target *target, int status, const char *body)
{
    int want = expected(f, route, asker, target);
    int passed = status && status != 401 && status != 403;
    int leaks = asker->shows == SHOWS_SCOPED && target != &targets[TARGET_OTHER] &&
                strstr(body, OTHER) != NULL;

    f->n_asked++;
    f->n_passed += !want && passed;
    f->n_ok += status == 200;
    f->n_denied_known += want && want != 401;
    if ((want ? status == want : passed) && !leaks &&
        (!asker->token.p || want != 403 || !is_a_persons(route) ||
         !(f->role->roles & route->roles) || strstr(body, "only a person approves")))
        return;
    if (!f->failure[0])
        (void)snprintf(f->failure, sizeof(f->failure),
                       "%s %s, %s as %s, what is %s: wanted %d%s, got %d %.300s", route->method,
                       route->path, asker->what, f->role->word, target->what, want,
                       leaks ? " and nothing of " OTHER : "", status, body);
}

static void replace_word(char *text, const char *word)
{
    for (char *at = strstr(text, word); at; at = strstr(at, word))
        memset(at, '*', strlen(word));
}

/* What is out of scope is answered as what is not there, word for word. */
static void compare(struct fixture *f, const struct route *route, char *other, char *absent)
{
    const struct target *a = &targets[TARGET_OTHER], *b = &targets[TARGET_ABSENT];
    const char *words[] = { a->env, a->plan, a->operation, b->env, b->plan, b->operation };
    size_t k = 0;

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
                       route->method, route->path, other, absent);
}

static void ask_all(struct fixture *f, const struct route *route, const struct asker *asker)
{
    static char bodies[N_ELEMENTS(targets)][ANSWER_MAX];
    size_t n = is_of_an_environment(route) ? N_ELEMENTS(targets) : 1;

    for (size_t i = 0; i < n; i++) {
        int status = ask(f, asker, route->method, path_of(f, route->path, &targets[i]), bodies[i]);

        judge(f, route, asker, &targets[i], status, bodies[i]);
    }
    if (n > 1 && asker->shows == SHOWS_SCOPED)
        compare(f, route, bodies[TARGET_OTHER], bodies[TARGET_ABSENT]);
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
            ask_all(f, &routes[i], &f->askers[k]);
    loop_post(f->loop, stop, f);
    return NULL;
}

static void given_api(struct fixture *f)
{
    const struct passwd *user = getpwuid(geteuid());
    struct err err = ERR_INIT;
    struct value *daemon;

    f->port = test_ports(1);
    assert_int_equal(
        json_parse(
            &f->arena,
            str_fmt(&f->arena,
                    "{\"listen\":\"127.0.0.1:%u\",\"auth\":{\"local\":{\"%s\":[\"user:%s%s\"]},"
                    "\"roles\":{\"%s\":[\"user:ann\"]},\"people\":{\"ann\":{}}}}",
                    f->port, f->role->word, user ? user->pw_name : "?",
                    f->is_local_scoped ? "@" OWN : "", f->role->word),
            4096, &daemon, &err),
        0);
    assert_int_equal(loop_uv_new(&(struct loop_options){ 0 }, &f->loop, &err), 0);
    if (api_start(&(struct api_options){ .loop = f->loop,
                                         .socket_path = f->path,
                                         .state_path = f->db_path,
                                         .daemon = daemon,
                                         .engine = (struct engine *)f->loop,
                                         .command = fake_command,
                                         .live = fake_live,
                                         .sign = fake_sign,
                                         .requests_per_s = 1000000 },
                  &f->api, &err))
        fail_msg("%s", err.text);
}

static void given(struct fixture *f)
{
    struct err err = ERR_INIT;

    arena_init(&f->arena, 0);
    strcpy(f->dir, "/tmp/rv-access-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
    (void)snprintf(f->db_path, sizeof(f->db_path), "%s/reeve.db", f->dir);
    assert_int_equal(db_open(f->db_path, DB_WRITE, &f->db, &err), 0);
    given_environment(f, OWN, 0x5c);
    given_environment(f, OTHER, 0x7d);
    given_askers(f);
    given_api(f);
}

static void run(const struct role *role, int is_local_scoped)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct err err = ERR_INIT;
    char failure[sizeof(f->failure)];
    pthread_t thread;
    int is_folded;

    f->role = role;
    f->is_local_scoped = is_local_scoped;
    current = f;
    given(f);
    assert_int_equal(pthread_create(&thread, NULL, talk, f), 0);
    loop_run(f->loop);
    (void)pthread_join(thread, NULL);
    print_message(
        "  %-8s %zu calls: %zu passed (%zu of them answered 200), %zu denied and written, "
        "%zu unknown and written as %zu\n",
        role->word, f->n_asked, f->n_passed, f->n_ok, f->n_denied, f->n_folded_calls, f->n_folded);
    strcpy(failure, f->failure);
    is_folded = f->n_folded == 5 && /* a reason each, of one prefix of addresses each */
                f->n_folded_calls + f->n_passed + f->n_denied == f->n_asked;
    if (!failure[0] && (f->n_denied != f->n_denied_known || !is_folded))
        (void)snprintf(failure, sizeof(failure), "not every denied call was written, or one twice");
    loop_free(f->loop);
    db_close(f->db);
    (void)sys_remove_all(f->dir, &err);
    arena_fini(&f->arena);
    free(f);
    if (failure[0])
        fail_msg("%s", failure);
}

static void test_exactly_those_who_may_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(all_roles); i++)
        run(&all_roles[i], 0);
    print_message("  and with auth.local: ROLE: [user:NAME@" OWN "]\n");
    for (size_t i = 0; i < N_ELEMENTS(all_roles); i++)
        run(&all_roles[i], 1);
}

/* What may not be given to others by a slip in the table of routes. */
static void test_what_nobody_else_may(void **state)
{
    static const struct {
        const char *method, *path;
        unsigned roles;
    } rows[] = {
        { "POST", "/api/v1/plans/ID/approve", AUTH_APPROVER | AUTH_ADMIN },
        { "POST", "/api/v1/plans/ID/reject", AUTH_APPROVER | AUTH_ADMIN },
        { "POST", "/api/v1/plans/ID/override", AUTH_OVERRIDE },
        { "POST", "/api/v1/environments/NAME/rollback", AUTH_OPERATOR | AUTH_ADMIN },
        { "POST", "/api/v1/environments/NAME/rebind", AUTH_ADMIN },
        { "POST", "/api/v1/environments/NAME/adopt", AUTH_ADMIN },
        { "POST", "/api/v1/environments/NAME/forget", AUTH_ADMIN },
        { "POST", "/api/v1/operations/UID/settle", AUTH_ADMIN },
        { "POST", "/api/v1/sources/NAME/bundle", AUTH_ADMIN },
        { "POST", "/api/v1/clock/resume", AUTH_ADMIN },
        { "GET", "/api/v1/tokens", AUTH_ADMIN },
        { "POST", "/api/v1/tokens", AUTH_ADMIN },
        { "POST", "/api/v1/tokens/ID/revoke", AUTH_ADMIN },
        { "GET", "/api/v1/people", AUTH_ADMIN },
        { "GET", "/api/v1/people/NAME/sessions", AUTH_ADMIN },
        { "POST", "/api/v1/people/NAME/password", AUTH_ADMIN },
        { "POST", "/api/v1/people/NAME/sign-out", AUTH_ADMIN },
    };
    size_t n;
    const struct route *routes = routes_get(&n);

    (void)state;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(!routes[i].roles, !strcmp(routes[i].path, "/api/v1/sign-in"));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        size_t n_found = 0;

        for (size_t k = 0; k < n; k++)
            n_found += !strcmp(routes[k].path, rows[i].path) &&
                       !strcmp(routes[k].method, rows[i].method) &&
                       routes[k].roles == rows[i].roles;
        if (n_found != 1)
            fail_msg("%s %s", rows[i].method, rows[i].path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exactly_those_who_may_pass),
        cmocka_unit_test(test_what_nobody_else_may),
    };

    return cmocka_run_group_tests_name("http access", tests, NULL, NULL);
}
