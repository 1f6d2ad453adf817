/* core/hook: who says it. SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_core_hook_given.h"

/* --- what is done, counted (CMakeLists.txt wraps these) ------------------------------------------ */

static struct work {
    size_t n_compared, n_hashed;
} work;

int __real_CRYPTO_memcmp(const void *a, const void *b, size_t n);
int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t n);
int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t n)
{
    work.n_compared += n;
    return __real_CRYPTO_memcmp(a, b, n);
}

struct digest __real_hash_hmac(struct str key, struct str message);
struct digest __wrap_hash_hmac(struct str key, struct str message);
struct digest __wrap_hash_hmac(struct str key, struct str message)
{
    work.n_hashed += message.n;
    return __real_hash_hmac(key, message);
}

struct digest __real_hash_bytes(struct str s);
struct digest __wrap_hash_bytes(struct str s);
struct digest __wrap_hash_bytes(struct str s)
{
    work.n_hashed += s.n;
    return __real_hash_bytes(s);
}

/* --- who says it --------------------------------------------------------------------------------- */

#define BODY "{\"ref\":\"refs/heads/main\"}"

/* clang-format off */
static const struct {
    enum hook_type type;
    const char *sentence, *header, *text; /* set after signing; text NULL: the header is not there */
    int is_plain;                         /* without TLS */
    int code;
} forged[] = {
    { HOOK_GITHUB, "as it was signed", "x-nothing", "", 0, 0 },
    { HOOK_GITHUB, "without a signature", "x-hub-signature-256", NULL, 0, ERR_UNKNOWN_ACTOR },
    { HOOK_GITHUB, "an empty one", "x-hub-signature-256", "", 0, ERR_UNKNOWN_ACTOR },
    { HOOK_GITHUB, "a word alone", "x-hub-signature-256", "sha256=", 0, ERR_UNKNOWN_ACTOR },
    { HOOK_GITHUB, "a short one", "x-hub-signature-256", "sha256=00", 0, ERR_UNKNOWN_ACTOR },
    { HOOK_GITHUB, "another one", "x-hub-signature-256",
      "sha256=0000000000000000000000000000000000000000000000000000000000000000", 0, ERR_UNKNOWN_ACTOR },
    { HOOK_GITHUB, "one that Gitea made as well", "x-gitea-event", "push", 0, ERR_UNKNOWN_ACTOR },
    { HOOK_GITEA, "as it was signed", "x-nothing", "", 0, 0 },
    { HOOK_GITEA, "GitHub's headers alone", "x-gitea-signature", NULL, 0, ERR_UNKNOWN_ACTOR },
    { HOOK_GITLAB, "over TLS", "x-nothing", "", 0, 0 },
    { HOOK_GITLAB, "without TLS", "x-nothing", "", 1, ERR_REFUSED },
    { HOOK_GITLAB, "no token", "x-gitlab-token", NULL, 0, ERR_UNKNOWN_ACTOR },
    { HOOK_GITLAB, "a part of it", "x-gitlab-token", "it is a secre", 0, ERR_UNKNOWN_ACTOR },
    { HOOK_GITLAB, "more than it", "x-gitlab-token", "it is a secrets", 0, ERR_UNKNOWN_ACTOR },
    { HOOK_BITBUCKET, "as it was signed", "x-nothing", "", 0, 0 },
    { HOOK_BITBUCKET, "without a signature", "x-hub-signature", NULL, 0, ERR_UNKNOWN_ACTOR },
    { HOOK_GENERIC, "as it was signed", "x-nothing", "", 0, 0 },
    { HOOK_GENERIC, "no time", "x-reeve-signature",
      "v1=0000000000000000000000000000000000000000000000000000000000000000", 0, ERR_UNKNOWN_ACTOR },
    { HOOK_GENERIC, "a time that is none", "x-reeve-signature", "t=now,v1=00", 0, ERR_UNKNOWN_ACTOR },
    { HOOK_GENERIC, "a time before 1970", "x-reeve-signature", "t=-1,v1=00", 0, ERR_UNKNOWN_ACTOR },
    { HOOK_GENERIC, "a time without an end", "x-reeve-signature", "t=9223372036854775807,v1=00", 0, ERR_UNKNOWN_ACTOR },
};
/* clang-format on */

static void test_signatures(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(forged); i++) {
        struct hook_decision d;
        struct err err = ERR_INIT;
        struct given g;
        int rc;

        given_hook(&g, forged[i].type,
                   forged[i].type == HOOK_BITBUCKET ? "diagnostics:ping" : "push", S(BODY));
        g.in.is_tls = !forged[i].is_plain;
        if (forged[i].text)
            set(&g, forged[i].header, forged[i].text);
        else
            value_set(&g.arena, g.headers, str_from_c(forged[i].header), value_null(&g.arena));
        rc = hook_decide(&g.arena, &g.in, &d, &err);
        if (rc != forged[i].code)
            fail_msg("%s, %s: %d, not %d: %s", hook_type_word(forged[i].type), forged[i].sentence,
                     rc, forged[i].code, err.text);
        if (strstr(err.text, SECRET))
            fail_msg("%s tells the secret", forged[i].sentence);
        arena_fini(&g.arena);
    }
}

/* Changes the characters from `from` on of what proves who sent it. */
static void spoil(struct given *g, const char *name, size_t from, size_t n)
{
    struct str text = value_get_text(g->headers, str_from_c(name), S(""));
    char *copy = str_to_c(&g->arena, text);

    for (size_t i = from; i < from + n; i++)
        copy[i] = copy[i] == '0' ? '1' : '0';
    value_set_text(&g->arena, g->headers, str_from_c(name), (struct str){ copy, text.n });
}

static const struct proof {
    enum hook_type type;
    const char *name;
    size_t begin; /* in its header */
} proofs[] = {
    { HOOK_GITHUB, "x-hub-signature-256", 7 }, { HOOK_GITEA, "x-gitea-signature", 0 },
    { HOOK_GITLAB, "x-gitlab-token", 0 },      { HOOK_BITBUCKET, "x-hub-signature", 7 },
    { HOOK_GENERIC, "x-reeve-signature", 16 },
};

/* What is done for a proof that is wrong from `from` percent of it on, in one character or to its end. */
static struct work tried(const struct proof *p, size_t from, int is_to_the_end)
{
    struct hook_decision d;
    struct err err = ERR_INIT;
    struct given g;
    size_t end, at;

    given_hook(&g, p->type, "push", S(BODY));
    end = value_get_text(g.headers, str_from_c(p->name), S("")).n;
    at = p->begin + (end - 1 - p->begin) * from / 100;
    spoil(&g, p->name, at, is_to_the_end ? end - at : 1);
    work = (struct work){ 0 };
    if (hook_decide(&g.arena, &g.in, &d, &err) != ERR_UNKNOWN_ACTOR)
        fail_msg("%s: %s", hook_type_word(p->type), err.text);
    arena_fini(&g.arena);
    return work;
}

/* However much of it is right: as many bytes are hashed, and as many compared, in constant time. */
static void test_time_does_not_tell_how_much_is_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(proofs); i++) {
        struct work want = tried(&proofs[i], 0, 1);

        for (size_t from = 0; from <= 100; from += 10)
            for (int to_the_end = 0; to_the_end < 2; to_the_end++) {
                struct work have = tried(&proofs[i], from, to_the_end);

                assert_memory_equal(&have, &want, sizeof(have));
            }
        print_message("  %-9s %zu bytes hashed, %zu compared, however much of it is right\n",
                      hook_type_word(proofs[i].type), want.n_hashed, want.n_compared);
        assert_int_equal(want.n_compared, DIGEST_BYTES);
    }
}

/* A signature of one type proves nothing to a source of another. */
static void test_types_are_told_apart(void **state)
{
    (void)state;
    for (int made = 0; made < N_HOOK_TYPES; made++)
        for (int asked = 0; asked < N_HOOK_TYPES; asked++) {
            struct hook_decision d;
            struct err err = ERR_INIT;
            struct given g;
            int rc;

            given_hook(&g, (enum hook_type)made,
                       made == HOOK_BITBUCKET ? "diagnostics:ping" : "push", S(BODY));
            g.in.type = (enum hook_type)asked;
            rc = hook_decide(&g.arena, &g.in, &d, &err);
            if (rc != (made == asked ? 0 : ERR_UNKNOWN_ACTOR))
                fail_msg("%s as %s: %d", hook_type_word((enum hook_type)made),
                         hook_type_word((enum hook_type)asked), rc);
            arena_fini(&g.arena);
        }
}

static void test_a_secret_is_never_empty(void **state)
{
    struct hook_decision d;
    struct err err = ERR_INIT;
    struct given g;

    (void)state;
    given_hook(&g, HOOK_GITLAB, "Push Hook", S(BODY));
    g.in.secret = S("");
    set(&g, "x-gitlab-token", "");
    assert_int_equal(hook_decide(&g.arena, &g.in, &d, &err), ERR_UNKNOWN_ACTOR);
    arena_fini(&g.arena);
}

static void test_a_signed_time_holds_five_minutes(void **state)
{
    static const struct {
        int64_t off_ms;
        int code;
    } times[] = { { 0, 0 },
                  { 300000, 0 },
                  { -300000, 0 },
                  { 301000, ERR_UNKNOWN_ACTOR },
                  { -301000, ERR_UNKNOWN_ACTOR } };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(times); i++) {
        struct hook_decision d;
        struct err err = ERR_INIT;
        struct given g;

        given_hook(&g, HOOK_GENERIC, "", S(BODY));
        g.in.now_ms += times[i].off_ms;
        assert_int_equal(hook_decide(&g.arena, &g.in, &d, &err), times[i].code);
        arena_fini(&g.arena);
    }
}

/* The time is part of what was signed: the same body a second later is another delivery. */
static void test_ids(void **state)
{
    struct hook_decision d;
    struct err err = ERR_INIT;
    struct given g;

    (void)state;
    given_hook(&g, HOOK_GITHUB, "push", S(BODY));
    assert_int_equal(hook_decide(&g.arena, &g.in, &d, &err), 0);
    assert_true(str_eq_c(d.id, "72d3162e-cc78-11e3-81ab-4c9367dc0958"));
    set(&g, "x-github-delivery", "line\nend");
    assert_int_equal(hook_decide(&g.arena, &g.in, &d, &err), 0);
    assert_true(str_eq(d.id, digest_hex(&g.arena, &d.digest)));
    arena_fini(&g.arena);
    given_hook(&g, HOOK_GENERIC, "", S(BODY));
    assert_int_equal(hook_decide(&g.arena, &g.in, &d, &err), 0);
    assert_true(str_eq(d.id, digest_hex(&g.arena, &d.digest)));
    struct digest of_body = hash_bytes(S(BODY));
    assert_false(digest_eq(&d.digest, &of_body));
    arena_fini(&g.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_time_does_not_tell_how_much_is_right),
        cmocka_unit_test(test_types_are_told_apart),
        cmocka_unit_test(test_a_secret_is_never_empty),
        cmocka_unit_test(test_a_signed_time_holds_five_minutes),
        cmocka_unit_test(test_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
