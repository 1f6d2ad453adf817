/*
 * access: an API with two environments, and everybody who may ask it. SPDX-License-Identifier: Apache-2.0
 *
 * Who asks shows nothing, is connected, shows a token or a session, good ones and dead ones, of all environments or of
 * OWN alone; all of one role. `failure` keeps the first thing that was wrong: it is asked by a thread beside the loop.
 */
#pragma once

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

enum scope { KNOWS_ALL, KNOWS_OWN, KNOWS_NONE };
enum shows { SHOWS_NOTHING, SHOWS_PEER, SHOWS_TOKEN, SHOWS_DEAD, SHOWS_COOKIE, SHOWS_COOKIE_ALONE };

/* Who asks. */
struct asker {
    const char *what;
    enum shows shows;
    const char *role; /* NULL: nobody */
    enum scope scope;
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
    const char *role;
    int is_scoped; /* roles are given in OWN alone, but for who is connected and looks everywhere */
    char dir[32], path[64], db_path[64];
    uint16_t port;
    struct db *db;
    struct loop *loop;
    struct api *api;
    struct asker askers[14];
    size_t n_askers, n_asked, n_passed, n_ok, n_refused[3]; /* 401, 403, 404 */
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
    size_t n_calls;

    call->result = value_map(&call->arena);
    if (call->in.verb != COMMAND_DENIED ||
        json_parse(&call->arena, call->in.denied_note, 4096, &note, &err))
        return task_done(t);
    n_calls = (size_t)value_get_int(note, S("calls"), 1);
    if (str_eq_c(call->in.actor, "nobody")) {
        current->n_folded++;
        current->n_folded_calls += n_calls;
    } else {
        current->n_denied += n_calls;
    }
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

static struct value *fake_live(struct engine *e, struct arena *a, struct str env)
{
    struct value *live = NULL;
    struct err err = ERR_INIT;

    (void)e;
    (void)env;
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

enum { GOOD, REVOKED, EXPIRED, LOST, UNKNOWN };

static struct str given_token(struct fixture *f, const char *scope, int worth)
{
    const char *role = strcmp(f->role, "none") ? f->role : "viewer"; /* no token is without */
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
    row.revoked_ms = worth == REVOKED ? 1 : REC_NONE;
    row.expires_ms = worth == EXPIRED ? 1 : REC_NONE;
    row.epoch = worth == LOST ? 3 : 0;
    begin_tx(f, "", &tx);
    assert_int_equal(tx_put(tx, REC_token, &row, &err), 0);
    end_tx(f, tx);
    return text;
}

/* Its id, and another's secret. */
static struct str given_guess(struct fixture *f)
{
    struct str text = str_copy(&f->arena, given_token(f, "", GOOD));
    char *last = (char *)(uintptr_t)text.p + text.n - 1;

    *last = *last == '0' ? '1' : '0';
    return text;
}

/* The headers that a browser sends, in which ann is signed in. */
static struct str given_session(struct fixture *f, int with_csrf, int worth)
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
                                .made_ms = worth == EXPIRED ? 1 : sys_wall_ms(),
                                .used_ms = sys_wall_ms() };
    assert_int_equal(db_batch_begin(f->db, &err), 0);
    if (worth != UNKNOWN)
        assert_int_equal(db_cache_put(f->db, REC_session, &row, &err), 0);
    assert_int_equal(db_batch_commit(f->db, &err), 0);
    cookie = session_cookie(&f->arena, &s, 0);
    cookie = str_slice(cookie, 0, str_find_char(cookie, ';'));
    return str_fmt(&f->arena, "Cookie: %.*s\r\nX-CSRF-Token: %.*s\r\n", STR_ARG(cookie),
                   STR_ARG(with_csrf ? s.csrf : S("no")));
}

static void given_askers(struct fixture *f)
{
    const char *role = strcmp(f->role, "none") ? f->role : "viewer"; /* no token is without */
    const char *viewer = strcmp(role, "scrape") ? role : "viewer";   /* who is connected looks */
    const char *scope = ",\"environments\":[\"" OWN "\",\"pr-*\"]";
    const enum scope persons = strcmp(f->role, "none") == 0 ? KNOWS_NONE
                               : f->is_scoped               ? KNOWS_OWN
                                                            : KNOWS_ALL;
    const struct asker askers[] = {
        { "nobody", SHOWS_NOTHING, NULL, KNOWS_ALL, STR_NONE, STR_NONE },
        { "local", SHOWS_PEER, viewer, KNOWS_ALL, STR_NONE, STR_NONE },
        { "token", SHOWS_TOKEN, role, KNOWS_ALL, given_token(f, "", GOOD), STR_NONE },
        { "token of some environments", SHOWS_TOKEN, role, KNOWS_OWN, given_token(f, scope, GOOD),
          STR_NONE },
        { "revoked", SHOWS_DEAD, NULL, KNOWS_ALL, given_token(f, "", REVOKED), STR_NONE },
        { "expired", SHOWS_DEAD, NULL, KNOWS_ALL, given_token(f, "", EXPIRED), STR_NONE },
        { "of a lost database", SHOWS_DEAD, NULL, KNOWS_ALL, given_token(f, "", LOST), STR_NONE },
        { "unknown", SHOWS_DEAD, NULL, KNOWS_ALL, S("rvt_0000000000000000_00"), STR_NONE },
        { "a token's id and a guess", SHOWS_DEAD, NULL, KNOWS_ALL, given_guess(f), STR_NONE },
        { "an empty token", SHOWS_DEAD, NULL, KNOWS_ALL, S(" "), STR_NONE },
        { "person", SHOWS_COOKIE, f->role, persons, STR_NONE, given_session(f, 1, GOOD) },
        { "a page of others", SHOWS_COOKIE_ALONE, f->role, persons, STR_NONE,
          given_session(f, 0, GOOD) },
        { "whose session is over", SHOWS_DEAD, NULL, KNOWS_ALL, STR_NONE,
          given_session(f, 1, EXPIRED) },
        { "who signed out", SHOWS_DEAD, NULL, KNOWS_ALL, STR_NONE, given_session(f, 1, UNKNOWN) },
    };

    _Static_assert(N_ELEMENTS(askers) == N_ELEMENTS(f->askers), "room for each");
    memcpy(f->askers, askers, sizeof(askers));
    f->n_askers = N_ELEMENTS(askers);
}

/* What gives the role to who is connected and to ann. */
static struct str auth_of(struct fixture *f)
{
    const struct passwd *user = getpwuid(geteuid());
    const char *where = f->is_scoped ? "@" OWN : "";

    if (!strcmp(f->role, "none"))
        return S("{\"local\":{},\"people\":{\"ann\":{}}}");
    return str_fmt(&f->arena,
                   "{\"local\":{\"%s\":[\"user:%s%s\"]},\"roles\":{\"%s\":[\"user:ann%s\"]},"
                   "\"people\":{\"ann\":{}}}",
                   f->role, user ? user->pw_name : "?", where, f->role, where);
}

static void given_api(struct fixture *f)
{
    struct err err = ERR_INIT;
    struct value *daemon;

    f->port = test_ports(1);
    assert_int_equal(json_parse(&f->arena,
                                str_fmt(&f->arena, "{\"listen\":\"127.0.0.1:%u\",\"auth\":%.*s}",
                                        f->port, STR_ARG(auth_of(f))),
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

/* --- asking --------------------------------------------------------------------------------------------- */

static int dial(const struct fixture *f, enum shows shows)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(f->port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct err err = ERR_INIT;
    int fd = -1;

    if (shows == SHOWS_PEER)
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
