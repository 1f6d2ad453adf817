/* http/auth_token: who makes a token, who is let in by one, and that time tells nothing of it. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/http/auth_token.h"
#include "specs/json_io.h"
#include "state/tx.h"

#define NOW 1000000

/* --- what is done, counted (CMakeLists.txt wraps these) --------------------------------------------- */

static struct work {
    size_t n_compares, n_compared, n_hashes, n_hashed, n_selects;
} work;

int __real_sodium_memcmp(const void *a, const void *b, size_t n);
int __wrap_sodium_memcmp(const void *a, const void *b, size_t n);
int __wrap_sodium_memcmp(const void *a, const void *b, size_t n)
{
    work.n_compares++;
    work.n_compared += n;
    return __real_sodium_memcmp(a, b, n);
}

int __real_crypto_generichash(unsigned char *out, size_t out_n, const unsigned char *in,
                              unsigned long long n, const unsigned char *key, size_t key_n);
int __wrap_crypto_generichash(unsigned char *out, size_t out_n, const unsigned char *in,
                              unsigned long long n, const unsigned char *key, size_t key_n);
int __wrap_crypto_generichash(unsigned char *out, size_t out_n, const unsigned char *in,
                              unsigned long long n, const unsigned char *key, size_t key_n)
{
    work.n_hashes++;
    work.n_hashed += (size_t)n;
    return __real_crypto_generichash(out, out_n, in, n, key, key_n);
}

int __real_db_select(struct db *db, struct arena *a, enum record record, const char *tail,
                     const struct db_bind *binds, size_t n_binds, void *ret_rows, size_t *ret_n,
                     struct err *err);
int __wrap_db_select(struct db *db, struct arena *a, enum record record, const char *tail,
                     const struct db_bind *binds, size_t n_binds, void *ret_rows, size_t *ret_n,
                     struct err *err);
int __wrap_db_select(struct db *db, struct arena *a, enum record record, const char *tail,
                     const struct db_bind *binds, size_t n_binds, void *ret_rows, size_t *ret_n,
                     struct err *err)
{
    work.n_selects++;
    return __real_db_select(db, a, record, tail, binds, n_binds, ret_rows, ret_n, err);
}

/* --- given -------------------------------------------------------------------------------------------- */

struct given {
    struct arena arena;
    struct db *db;
    char dir[32], path[64];
    struct err err;
};

static const struct auth_actor admin = { .name = S_INIT("local:root(0)"), .roles = AUTH_ALL };

static int given_begin(void **state)
{
    struct given *g = calloc(1, sizeof(*g));

    *state = g;
    arena_init(&g->arena, 0);
    strcpy(g->dir, "/tmp/rv-tokens-XXXXXX");
    assert_non_null(mkdtemp(g->dir));
    (void)snprintf(g->path, sizeof(g->path), "%s/reeve.db", g->dir);
    return db_open(g->path, DB_WRITE, &g->db, &g->err);
}

static int given_end(void **state)
{
    struct given *g = *state;
    struct err err = ERR_INIT;

    db_close(g->db);
    (void)sys_remove_all(g->dir, &err);
    arena_fini(&g->arena);
    free(g);
    return 0;
}

static void put(struct given *g, enum record record, const void *row)
{
    const struct tx_head head = { .time_ms = NOW,
                                  .epoch = 1,
                                  .actor = S("reeve"),
                                  .cause = S(""),
                                  .kind = S("token.created"),
                                  .subject = S("x") };
    struct tx *tx;

    assert_int_equal(db_batch_begin(g->db, &g->err), 0);
    assert_int_equal(tx_begin(g->db, &head, &tx, &g->err), 0);
    assert_int_equal(tx_put(tx, record, row, &g->err), 0);
    assert_int_equal(tx_commit(tx, &g->err), 0);
    assert_int_equal(db_batch_commit(g->db, &g->err), 0);
}

static struct value *json(struct given *g, const char *text)
{
    struct value *v;

    assert_int_equal(json_parse(&g->arena, str_from_c(text), 1 << 16, &v, &g->err), 0);
    return v;
}

/* The row, and what its program shows. */
static struct str given_token(struct given *g, const char *body, struct rec_token *ret)
{
    struct str text;

    assert_int_equal(auth_token_make(&g->arena, &admin, json(g, body), NOW, ret, &text, &g->err),
                     0);
    ret->created_by = admin.name;
    return text;
}

/* --- tests -------------------------------------------------------------------------------------------- */

static void test_who_makes_one_gives_what_they_have(void **state)
{
    static const struct {
        const char *sentence, *body;
        int rc;
        const char *roles, *scope;
    } rows[] = {
        { "a name is enough", "{\"name\":\"ci\"}", 0, "viewer", "" },
        { "roles and environments",
          "{\"name\":\"ci\",\"roles\":[\"operator\",\"approver\"],\"environments\":[\"pr-*\"]}", 0,
          "operator approver", "[\"pr-*\"]" },
        { "an admin", "{\"name\":\"ci\",\"roles\":[\"admin\"]}", 0, "admin", "" },
        { "a role that nobody has by another", "{\"name\":\"ci\",\"roles\":[\"override\"]}",
          ERR_REFUSED, NULL, NULL },
        { "a role that is none", "{\"name\":\"ci\",\"roles\":[\"root\"]}", ERR_USAGE, NULL, NULL },
        { "no name", "{}", ERR_USAGE, NULL, NULL },
        { "a name that is none", "{\"name\":\"../x\"}", ERR_USAGE, NULL, NULL },
        { "no environment at all", "{\"name\":\"ci\",\"environments\":[]}", ERR_USAGE, NULL, NULL },
        { "an environment that is none", "{\"name\":\"ci\",\"environments\":[\"a b\"]}", ERR_USAGE,
          NULL, NULL },
        { "over before it began", "{\"name\":\"ci\",\"expires_ms\":5}", ERR_USAGE, NULL, NULL },
    };
    struct given *g = *state;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct rec_token row;
        struct str text;
        int rc = auth_token_make(&g->arena, &admin, json(g, rows[i].body), NOW, &row, &text,
                                 &g->err);

        print_message("  %s\n", rows[i].sentence);
        assert_int_equal(rc, rows[i].rc);
        if (rc)
            continue;
        assert_true(str_eq_c(row.roles, rows[i].roles));
        assert_true(str_eq_c(row.scope, rows[i].scope));
        assert_int_equal(text.n, AUTH_TOKEN_CHARS);
        assert_true(str_starts(text, S(AUTH_TOKEN_BEGIN)));
        assert_int_not_equal(str_find(text, row.id), STR_NPOS);
    }
}

static struct str changed(struct given *g, struct str text, size_t at)
{
    char *copy = str_to_c(&g->arena, text);

    copy[at] = copy[at] == '0' ? '1' : '0';
    return (struct str){ copy, text.n };
}

static void test_a_token_is_good_for_what_its_row_says(void **state)
{
    struct given *g = *state;
    struct auth_actor actor;
    struct rec_token row;
    struct str text = given_token(
        g, "{\"name\":\"ci\",\"roles\":[\"operator\"],\"environments\":[\"staging\",\"pr-*\"]}",
        &row);

    put(g, REC_token, &row);
    assert_int_equal(auth_token_check(&g->arena, g->db, NOW, text, &actor, &g->err), 0);
    assert_int_equal(actor.kind, AUTH_TOKEN);
    assert_int_equal(actor.roles, AUTH_VIEWER | AUTH_OPERATOR);
    assert_true(auth_may(&actor, AUTH_OPERATOR, S("staging")));
    assert_true(auth_may(&actor, AUTH_OPERATOR, S("pr-41")));
    assert_false(auth_may(&actor, AUTH_OPERATOR, S("production")));
    assert_false(auth_may(&actor, AUTH_OPERATOR, STR_NONE));
    assert_false(auth_may(&actor, AUTH_ADMIN, S("staging")));
    assert_true(str_starts(actor.name, S("token:ci(")));
    assert_false(actor.is_noted);
    assert_int_equal(db_batch_begin(g->db, &g->err), 0);
    assert_int_equal(db_cache_put(g->db, REC_token_use,
                                  &(struct rec_token_use){ .id = row.id, .used_ms = NOW }, &g->err),
                     0);
    assert_int_equal(db_batch_commit(g->db, &g->err), 0);
    assert_int_equal(auth_token_check(&g->arena, g->db, NOW + 59999, text, &actor, &g->err), 0);
    assert_true(actor.is_noted);
    assert_int_equal(auth_token_check(&g->arena, g->db, NOW + 60000, text, &actor, &g->err), 0);
    assert_false(actor.is_noted);
}

struct shown {
    const char *sentence, *says;
    struct str text;
};

/* A row each that can be shown: the last one is let in. */
static size_t given_shown(struct given *g, struct shown ret[16])
{
    struct rec_token good, dead;
    struct str text = given_token(g, "{\"name\":\"ci\"}", &good);
    size_t n = 0;

    good.epoch = 7;
    put(g, REC_token, &good);
    put(g, REC_meta, &(struct rec_meta){ S("token_epoch"), S("7") });
    ret[n++] = (struct shown){ "nothing", "no such token", S("") };
    ret[n++] = (struct shown){ "a word", "no such token", S("admin") };
    ret[n++] = (struct shown){ "one character more", "no such token",
                               str_fmt(&g->arena, "%.*s0", STR_ARG(text)) };
    ret[n++] = (struct shown){ "one character less", "no such token",
                               str_slice(text, 0, text.n - 1) };
    ret[n++] = (struct shown){ "an id that nobody has", "no such token", changed(g, text, 4) };
    ret[n++] = (struct shown){ "the first character of the secret", "no such token",
                               changed(g, text, 21) };
    ret[n++] = (struct shown){ "the last character of the secret", "no such token",
                               changed(g, text, text.n - 1) };
    ret[n++] = (struct shown){ "no secret, a zero in each place", "no such token",
                               str_fmt(&g->arena, "%.*s%064d", 21, text.p, 0) };
    ret[n] = (struct shown){ "it was revoked", "the token was revoked",
                             given_token(g, "{\"name\":\"x\"}", &dead) };
    dead.revoked_ms = NOW - 1;
    dead.revoked_by = admin.name;
    dead.epoch = 7;
    put(g, REC_token, &dead);
    ret[++n] = (struct shown){ "it has expired", "the token has expired",
                               given_token(g, "{\"name\":\"x\"}", &dead) };
    dead.expires_ms = NOW;
    dead.epoch = 7;
    put(g, REC_token, &dead);
    ret[++n] = (struct shown){ "of a database that was put back",
                               "the token is of a database that was lost",
                               given_token(g, "{\"name\":\"x\"}", &dead) };
    dead.epoch = 6;
    put(g, REC_token, &dead);
    ret[++n] = (struct shown){ "the token", NULL, text };
    return n + 1;
}

static void test_whatever_is_shown_the_same_is_done(void **state)
{
    struct given *g = *state;
    struct shown shown[16];
    size_t n = given_shown(g, shown);
    const struct work want = { 1, 32, 1, 32, 2 };

    for (size_t i = 0; i < n; i++) {
        struct auth_actor actor;
        int rc;

        work = (struct work){ 0 };
        rc = auth_token_check(&g->arena, g->db, NOW, shown[i].text, &actor, &g->err);
        print_message("  %-34s %zu bytes compared, %zu hashed, %zu questions: %s\n",
                      shown[i].sentence, work.n_compared, work.n_hashed, work.n_selects,
                      rc ? g->err.text : "let in");
        assert_int_equal(rc, shown[i].says ? ERR_UNKNOWN_ACTOR : 0);
        if (shown[i].says)
            assert_string_equal(g->err.text, shown[i].says);
        assert_memory_equal(&work, &want, sizeof(work));
    }
}

/* Printed for who reads it; nothing is judged by it. */
static void test_how_long_it_takes(void **state)
{
    enum { ROUNDS = 300 };
    struct given *g = *state;
    struct shown shown[16];
    size_t n = given_shown(g, shown);

    for (size_t i = 0; i < n; i++) {
        int64_t begin_ms = sys_mono_ms();

        for (int k = 0; k < ROUNDS; k++) {
            struct auth_actor actor;

            (void)auth_token_check(&g->arena, g->db, NOW, shown[i].text, &actor, &g->err);
        }
        print_message("  %-34s %lld us\n", shown[i].sentence,
                      (long long)(sys_mono_ms() - begin_ms) * 1000 / ROUNDS);
    }
}

/* What a request shows comes before who is connected. */
static void test_who_asks(void **state)
{
    struct given *g = *state;
    struct rec_token row;
    struct str text = given_token(g, "{\"name\":\"ci\"}", &row);
    const struct {
        const char *sentence, *shown;
        int is_stale;
        const char *who; /* NULL: nobody, as `says` says */
        const char *says;
    } rows[] = {
        { "nothing at the socket", NULL, 0, "local:", NULL },
        { "a token at the socket", "Bearer %.*s", 0, "token:ci(", NULL },
        { "in any case of letters", "bEARER %.*s", 0, "token:ci(", NULL },
        { "another scheme", "Basic %.*s", 0, NULL, "the credential is not a bearer's" },
        { "no scheme", "%.*s", 0, NULL, "the credential is not a bearer's" },
        { "two at once", "Bearer %.*s, Bearer x", 0, NULL, "no such token" },
        { "an empty one", "Bearer ", 0, NULL, "the credential is not a bearer's" },
        { "a database that was put back", "Bearer %.*s", 1, NULL,
          "no token is believed: the database is stale" },
        { "whoever is connected to it", NULL, 1, "local:", NULL },
    };

    put(g, REC_token, &row);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct auth_world world = { .db = g->db,
                                          .now_ms = NOW,
                                          .is_stale = rows[i].is_stale };
        struct value *headers = value_map(&g->arena);
        const struct http_exchange x = { .door = HTTP_DOOR_SOCKET, .headers = headers };
        struct auth_actor actor;
        int rc;

        print_message("  %s\n", rows[i].sentence);
        if (rows[i].shown) {
            struct sb b;
            const char *at = strstr(rows[i].shown, "%.*s");

            sb_init(&b, &g->arena);
            sb_add(&b, (struct str){ rows[i].shown,
                                     at ? (size_t)(at - rows[i].shown) : strlen(rows[i].shown) });
            sb_add(&b, at ? text : S(""));
            sb_add_c(&b, at ? at + 4 : "");
            value_set_text(&g->arena, headers, S("authorization"), sb_str(&b));
        }
        rc = auth_who(&g->arena, &world, &x, &actor, &g->err);
        assert_int_equal(rc, rows[i].who ? 0 : ERR_UNKNOWN_ACTOR);
        if (rows[i].who)
            assert_true(str_starts(actor.name, str_from_c(rows[i].who)));
        else
            assert_string_equal(g->err.text, rows[i].says);
    }
    assert_true(auth_is_nobody(&(struct http_exchange){ .door = HTTP_DOOR_API }));
}

static void test_a_secret_is_nowhere_in_its_row(void **state)
{
    struct given *g = *state;
    struct rec_token row;
    struct str text = given_token(g, "{\"name\":\"ci\"}", &row), bytes;

    put(g, REC_token, &row);
    assert_int_equal(sys_read_file(&g->arena, g->path, 64 << 20, &bytes, &g->err), 0);
    assert_int_equal(str_find(bytes, str_slice(text, 21, 64)), STR_NPOS);
    assert_int_equal(sys_read_file(&g->arena, str_fmt(&g->arena, "%s-wal", g->path).p, 64 << 20,
                                   &bytes, &g->err),
                     0);
    assert_int_not_equal(str_find(bytes, row.id), STR_NPOS);
    assert_int_equal(str_find(bytes, str_slice(text, 21, 64)), STR_NPOS);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, given_begin, given_end)
    const struct CMUnitTest tests[] = {
        TEST(test_who_makes_one_gives_what_they_have),
        TEST(test_a_token_is_good_for_what_its_row_says),
        TEST(test_whatever_is_shown_the_same_is_done),
        TEST(test_how_long_it_takes),
        TEST(test_who_asks),
        TEST(test_a_secret_is_nowhere_in_its_row),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests_name("http tokens", tests, NULL, NULL);
}
