/* core/hook: what forges say, who says it, and which refs that is about. SPDX-License-Identifier: Apache-2.0
 *
 * Every payload of the contracts has a row with the decision that its kind asks for. The contracts lie beside
 * the project, or where CONTRACTS says; without them their rows are not looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/core/hook.h"
#include "specs/json_io.h"

#define SECRET "it is a secret"
#define NOW_MS INT64_C(1700000000000)

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

/* --- given --------------------------------------------------------------------------------------- */

struct given {
    struct arena arena;
    struct value *headers;
    struct hook_request in;
};

static void set(struct given *g, const char *name, const char *text)
{
    value_set_text(&g->arena, g->headers, str_from_c(name), str_copy(&g->arena, str_from_c(text)));
}

static const char *hex_of(struct given *g, struct str text)
{
    struct digest d = hash_hmac(S(SECRET), text);

    return str_to_c(&g->arena, digest_hex(&g->arena, &d));
}

static const char *joined(struct given *g, const char *first, const char *second)
{
    return str_to_c(&g->arena, str_fmt(&g->arena, "%s%s", first, second));
}

/* As the forge itself would send it; Gitea sends what GitHub does, too. */
static void sign(struct given *g, const char *event)
{
    const char *hex = hex_of(g, g->in.body);

    switch (g->in.type) {
    case HOOK_GITHUB:
        set(g, "x-github-event", event);
        set(g, "x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958");
        set(g, "x-hub-signature-256", joined(g, "sha256=", hex));
        break;
    case HOOK_GITEA:
        set(g, "x-gitea-event", event);
        set(g, "x-gitea-delivery", "f6266f16-1bf3-46a5-9ea4-602e06ead473");
        set(g, "x-gitea-signature", hex);
        set(g, "x-github-event", event);
        set(g, "x-hub-signature-256", joined(g, "sha256=", hex));
        break;
    case HOOK_GITLAB:
        set(g, "x-gitlab-event", event);
        set(g, "x-gitlab-token", SECRET);
        break;
    case HOOK_BITBUCKET:
        set(g, "x-event-key", event);
        set(g, "x-hub-signature", joined(g, "sha256=", hex));
        break;
    default:
        hex = hex_of(
            g, str_fmt(&g->arena, "%lld.%.*s", (long long)(NOW_MS / 1000), STR_ARG(g->in.body)));
        set(g, "x-reeve-signature", joined(g, "t=1700000000,v1=", hex));
    }
}

static void given_hook(struct given *g, enum hook_type type, const char *event, struct str body)
{
    arena_init(&g->arena, 0);
    g->headers = value_map(&g->arena);
    g->in = (struct hook_request){ .type = type,
                                   .headers = g->headers,
                                   .body = body,
                                   .secret = S(SECRET),
                                   .now_ms = NOW_MS,
                                   .is_tls = 1 };
    sign(g, event);
}

/* "push acme/app refs/heads/main" */
static const char *told(struct given *g, const struct hook_decision *d)
{
    struct sb b;

    sb_init(&b, &g->arena);
    sb_add(&b, d->verdict == HOOK_LOOK ? d->word : S("nothing"));
    if (d->repository.p) {
        sb_add_char(&b, ' ');
        sb_add(&b, d->repository);
    }
    for (size_t i = 0; i < d->refs.n; i++) {
        sb_add_char(&b, ' ');
        sb_add(&b, d->refs.p[i]);
    }
    return str_to_c(&g->arena, sb_str(&b));
}

/* --- the contracts ------------------------------------------------------------------------------- */

/* clang-format off */
static const struct payload {
    enum hook_type type;
    const char *file, *event, *want;
} payloads[] = {
    { HOOK_GITHUB, "ping.json", "ping", "nothing Octocoders/Hello-World" },
    { HOOK_GITHUB, "push.json", "push", "tag Codertocat/Hello-World refs/tags/simple-tag" },
    { HOOK_GITHUB, "create.json", "create", "tag Codertocat/Hello-World refs/tags/simple-tag" },
    { HOOK_GITHUB, "delete.json", "delete", "tag Codertocat/Hello-World refs/tags/simple-tag" },
    { HOOK_GITHUB, "pull_request.opened.json", "pull_request", "pull_request.opened Codertocat/Hello-World refs/pull/2/head" },
    { HOOK_GITHUB, "pull_request.synchronize.json", "pull_request", "pull_request.synchronised Codertocat/Hello-World refs/pull/2/head" },
    { HOOK_GITHUB, "pull_request.closed.json", "pull_request", "pull_request.closed Codertocat/Hello-World refs/pull/2/head" },
    { HOOK_GITLAB, "push.json", "Push Hook", "push mike/diaspora refs/heads/master" },
    { HOOK_GITLAB, "goscm_branch_create.json", "Push Hook", "push gitlab-org/hello-world refs/heads/feature" },
    { HOOK_GITLAB, "goscm_branch_delete.json", "Push Hook", "push gitlab-org/hello-world refs/heads/feature" },
    { HOOK_GITLAB, "tag_push.json", "Tag Push Hook", "tag jsmith/example refs/tags/v1.0.0" },
    { HOOK_GITLAB, "goscm_tag_create.json", "Tag Push Hook", "tag gitlab-org/hello-world refs/tags/v1.0.0" },
    { HOOK_GITLAB, "merge_request.json", "Merge Request Hook", "pull_request.opened gitlabhq/gitlab-test refs/merge-requests/1/head" },
    { HOOK_GITLAB, "goscm_pull_request_create.json", "Merge Request Hook", "pull_request.opened gitlab-org/hello-world refs/merge-requests/1/head" },
    { HOOK_GITLAB, "goscm_pull_request_close.json", "Merge Request Hook", "pull_request.closed gitlab-org/hello-world refs/merge-requests/1/head" },
    { HOOK_GITLAB, "goscm_pull_request_merge.json", "Merge Request Hook",
      "pull_request.closed gitlab-org/hello-world refs/merge-requests/1/head refs/heads/master" },
    { HOOK_GITLAB, "note_commit.json", "Note Hook", "nothing gitlabhq/gitlab-test" },
    { HOOK_GITLAB, "note_merge_request.json", "Note Hook", "nothing gitlab-org/gitlab-test" },
    { HOOK_GITLAB, "job.json", "Job Hook", "nothing" },
    { HOOK_GITLAB, "pipeline.json", "Pipeline Hook", "nothing gitlab-org/gitlab-test" },
    { HOOK_GITLAB, "deployment.json", "Deployment Hook", "nothing root/test-deployment-webhooks" },
    { HOOK_GITLAB, "release.json", "Release Hook", "nothing exm-namespace/example-project" },
    { HOOK_GITEA, "push.json", "push", "push gogits/hello-world refs/heads/master" },
    { HOOK_GITEA, "branch_create.json", "create", "push gogits/hello-world refs/heads/feature" },
    { HOOK_GITEA, "branch_delete.json", "delete", "push gogits/hello-world refs/heads/feature" },
    { HOOK_GITEA, "tag_create.json", "create", "tag gogits/hello-world refs/tags/v1.0.0" },
    { HOOK_GITEA, "pull_request_opened.json", "pull_request", "pull_request.opened jcitizen/my-repo refs/pull/1/head" },
    { HOOK_GITEA, "pull_request_reopened.json", "pull_request", "pull_request.reopened jcitizen/my-repo refs/pull/1/head" },
    { HOOK_GITEA, "pull_request_synchronized.json", "pull_request", "pull_request.synchronised jcitizen/my-repo refs/pull/1/head" },
    { HOOK_GITEA, "pull_request_closed.json", "pull_request", "pull_request.closed jcitizen/my-repo refs/pull/1/head" },
    { HOOK_GITEA, "pull_request_merged.json", "pull_request", "pull_request.closed jcitizen/my-repo refs/pull/1/head refs/heads/master" },
    { HOOK_GITEA, "pull_request_comment_created.json", "issue_comment", "nothing gogits/hello-world" },
};
/* clang-format on */

static const char *contracts_folder(char *room, size_t size, enum hook_type type)
{
    const char *given = getenv("CONTRACTS"), *root = getenv("REEVE_SOURCE_DIR");

    if (given)
        (void)snprintf(room, size, "%s/%s/webhooks", given, hook_type_word(type));
    else
        (void)snprintf(room, size, "%s/../shared/contracts/%s/webhooks", root ? root : ".",
                       hook_type_word(type));
    return room;
}

static struct str read_payload(const struct payload *p, char *room, size_t size)
{
    char folder[4096], path[8192];
    FILE *f;
    size_t n;

    (void)snprintf(path, sizeof(path), "%s/%s", contracts_folder(folder, sizeof(folder), p->type),
                   p->file);
    f = fopen(path, "r");
    if (!f)
        return STR_NONE;
    n = fread(room, 1, size, f);
    (void)fclose(f);
    return (struct str){ room, n };
}

static void expect_payload(const struct payload *p, struct str body)
{
    struct hook_decision d;
    struct err err = ERR_INIT;
    struct given g;

    given_hook(&g, p->type, p->event, body);
    if (hook_decide(&g.arena, &g.in, &d, &err))
        fail_msg("%s/%s: %s", hook_type_word(p->type), p->file, err.text);
    if (strcmp(told(&g, &d), p->want))
        fail_msg("%s/%s: '%s', not '%s'", hook_type_word(p->type), p->file, told(&g, &d), p->want);
    arena_fini(&g.arena);
}

/* One byte of the body is another one: nobody signed that. A token says nothing of bodies. */
static void expect_forged(const struct payload *p, struct str body, char *bytes)
{
    struct hook_decision d;
    struct err err = ERR_INIT;
    struct given g;

    given_hook(&g, p->type, p->event, body);
    bytes[body.n / 2] ^= 1;
    if (p->type != HOOK_GITLAB)
        assert_int_equal(hook_decide(&g.arena, &g.in, &d, &err), ERR_UNKNOWN_ACTOR);
    bytes[body.n / 2] ^= 1;
    g.in.secret = S("it is a secreT");
    assert_int_equal(hook_decide(&g.arena, &g.in, &d, &err), ERR_UNKNOWN_ACTOR);
    arena_fini(&g.arena);
}

static void test_payloads(void **state)
{
    static char room[1 << 17];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(payloads); i++) {
        struct str body = read_payload(&payloads[i], room, sizeof(room));

        if (!body.p)
            continue;
        expect_payload(&payloads[i], body);
        expect_forged(&payloads[i], body, room);
        n++;
    }
    if (!n) {
        print_message("skipped: no contracts beside the project or at CONTRACTS\n");
        skip();
    }
    print_message("%zu payloads of the contracts\n", n);
    assert_int_equal(n, N_ELEMENTS(payloads));
}

static int has_row(enum hook_type type, const char *file)
{
    for (size_t i = 0; i < N_ELEMENTS(payloads); i++)
        if (payloads[i].type == type && !strcmp(payloads[i].file, file))
            return 1;
    return 0;
}

static void test_every_payload_has_a_row(void **state)
{
    char folder[4096];

    (void)state;
    for (int type = 0; type < N_HOOK_TYPES; type++) {
        DIR *dir = opendir(contracts_folder(folder, sizeof(folder), (enum hook_type)type));

        for (struct dirent *e; dir && (e = readdir(dir));)
            if (e->d_name[0] != '.' && !has_row((enum hook_type)type, e->d_name))
                fail_msg("%s/%s has no row", hook_type_word((enum hook_type)type), e->d_name);
        if (dir)
            (void)closedir(dir);
    }
}

/* --- what the contracts have no payload of ------------------------------------------------------- */

#define CHANGE(type, name) "{\"type\":\"" type "\",\"name\":\"" name "\"}"
#define BITBUCKET(...) "{\"repository\":{\"full_name\":\"a/b\"}," __VA_ARGS__ "}"
#define BITBUCKET_PULL                                                                             \
    BITBUCKET("\"pullrequest\":{\"id\":3,\"source\":{\"branch\":{\"name\":\"topic\"}},"            \
              "\"destination\":{\"branch\":{\"name\":\"main\"}}}")

/* clang-format off */
static const struct {
    enum hook_type type;
    const char *sentence, *event, *body, *want; /* want: what is told, or the error */
    int code;
} rows[] = {
    { HOOK_GITHUB, "a branch", "push", "{\"ref\":\"refs/heads/a/b\",\"repository\":{\"full_name\":\"a/b\"}}", "push a/b refs/heads/a/b", 0 },
    { HOOK_GITHUB, "an event that nobody waits for", "star", "{}", "nothing", 0 },
    { HOOK_GITHUB, "an action that nobody waits for", "pull_request", "{\"action\":\"labeled\",\"number\":1}", "nothing", 0 },
    { HOOK_GITHUB, "no ref", "push", "{}", "github hook: it names no ref", ERR_INVALID },
    { HOOK_GITHUB, "a ref that is none", "push", "{\"ref\":\"refs/heads/../x\"}", "github hook: it names no ref", ERR_INVALID },
    { HOOK_GITHUB, "a ref that is a pattern", "push", "{\"ref\":\"refs/heads/*\"}", "github hook: it names no ref", ERR_INVALID },
    { HOOK_GITHUB, "no number", "pull_request", "{\"action\":\"opened\"}", "github hook: a pull request without a number", ERR_INVALID },
    { HOOK_GITHUB, "a form", "push", "payload=%7B%7D", "body: json: ", ERR_INVALID },
    { HOOK_GITHUB, "no UTF-8", "push", "{\"ref\":\"refs/heads/\xff\"}", "body: json", ERR_INVALID },
    { HOOK_GITHUB, "a list", "push", "[]", "github hook: it names no ref", ERR_INVALID },
    { HOOK_GITLAB, "new commits in a merge request", "Merge Request Hook",
      "{\"object_attributes\":{\"action\":\"update\",\"oldrev\":\"abc\",\"iid\":4}}", "pull_request.synchronised refs/merge-requests/4/head", 0 },
    { HOOK_GITLAB, "a merge request that is named anew", "Merge Request Hook", "{\"object_attributes\":{\"action\":\"update\",\"iid\":4}}", "nothing", 0 },
    { HOOK_GITLAB, "a merge request comes back", "Merge Request Hook",
      "{\"object_attributes\":{\"action\":\"reopen\",\"iid\":4}}", "pull_request.reopened refs/merge-requests/4/head", 0 },
    { HOOK_BITBUCKET, "several changes, one that went", "repo:push",
      BITBUCKET("\"push\":{\"changes\":[{\"new\":" CHANGE("branch", "main") ",\"old\":null},{\"new\":null,\"old\":" CHANGE("tag", "v1") "}]}"),
      "push a/b refs/heads/main refs/tags/v1", 0 },
    { HOOK_BITBUCKET, "no change", "repo:push", BITBUCKET("\"push\":{\"changes\":[]}"), "bitbucket hook: it names no ref", ERR_INVALID },
    { HOOK_BITBUCKET, "a request", "pullrequest:created", BITBUCKET_PULL, "pull_request.opened a/b refs/heads/topic", 0 },
    { HOOK_BITBUCKET, "a request with new commits", "pullrequest:updated", BITBUCKET_PULL, "pull_request.synchronised a/b refs/heads/topic", 0 },
    { HOOK_BITBUCKET, "a merged one", "pullrequest:fulfilled", BITBUCKET_PULL, "pull_request.closed a/b refs/heads/topic refs/heads/main", 0 },
    { HOOK_BITBUCKET, "one that nobody wants", "pullrequest:rejected", BITBUCKET_PULL, "pull_request.closed a/b refs/heads/topic", 0 },
    { HOOK_BITBUCKET, "a comment", "pullrequest:comment_created", BITBUCKET_PULL, "nothing a/b", 0 },
    { HOOK_GENERIC, "everything", "", "{}", "push", 0 },
    { HOOK_GENERIC, "a ref", "", "{\"repository\":\"a/b\",\"ref\":\"refs/tags/v1\",\"commit\":\"abc\"}", "tag a/b refs/tags/v1", 0 },
    { HOOK_GENERIC, "refs", "", "{\"refs\":[\"refs/heads/a\",\"refs/heads/b\"]}", "push refs/heads/a refs/heads/b", 0 },
    { HOOK_GENERIC, "a ref that is a number", "", "{\"ref\":1}", "generic hook: the body is {repository, ref, refs, commit}", ERR_INVALID },
    { HOOK_GENERIC, "no body", "", "", "body: json", ERR_INVALID },
};
/* clang-format on */

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct hook_decision d;
        struct err err = ERR_INIT;
        struct given g;
        int rc;

        given_hook(&g, rows[i].type, rows[i].event, str_from_c(rows[i].body));
        rc = hook_decide(&g.arena, &g.in, &d, &err);
        if (rc != rows[i].code || (rc ? strncmp(err.text, rows[i].want, strlen(rows[i].want)) != 0
                                      : strcmp(told(&g, &d), rows[i].want) != 0))
            fail_msg("%s: '%s', not '%s'", rows[i].sentence, rc ? err.text : told(&g, &d),
                     rows[i].want);
        arena_fini(&g.arena);
    }
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

/* A signature of one type proves nothing to a source of another. */
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

/* --- whom it concerns ---------------------------------------------------------------------------- */

static void test_names(void **state)
{
    static const struct {
        const char *body, *branch;
        int want;
    } names[] = {
        { "{\"ref\":\"refs/heads/main\"}", "main", 1 },
        { "{\"ref\":\"refs/heads/main\"}", "mai", 0 },
        { "{\"ref\":\"refs/heads/main\"}", "refs/heads/main", 1 },
        { "{\"ref\":\"refs/tags/main\"}", "main", 0 },
        { "{\"ref\":\"refs/tags/v1.2\"}", "refs/tags/v*", 1 },
        { "{\"ref\":\"refs/tags/w1.2\"}", "refs/tags/v*", 0 },
        { "{\"ref\":\"refs/tags/v1-b\"}", "refs/tags/v*-b", 1 },
        { "{\"ref\":\"refs/heads/release/1\"}", "release/*", 1 },
        { "{}", "main", 1 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        struct hook_decision d;
        struct err err = ERR_INIT;
        struct given g;

        given_hook(&g, HOOK_GENERIC, "", str_from_c(names[i].body));
        assert_int_equal(hook_decide(&g.arena, &g.in, &d, &err), 0);
        if (hook_names(&d, str_from_c(names[i].branch)) != names[i].want)
            fail_msg("%s names '%s'", names[i].body, names[i].branch);
        arena_fini(&g.arena);
    }
}

static void test_is_about(void **state)
{
    static const struct {
        const char *source, *repository;
        int want;
    } abouts[] = {
        { "{\"url\":\"https://github.com/acme/app.git\"}", "acme/app", 1 },
        { "{\"url\":\"https://github.com/acme/app/\"}", "Acme/App", 1 },
        { "{\"url\":\"ssh://git@h/group/sub/app.git\"}", "group/sub/app", 1 },
        { "{\"url\":\"https://github.com/xacme/app.git\"}", "acme/app", 0 },
        { "{\"url\":\"https://github.com/acme/app.git\"}", "acme/other", 0 },
        { "{\"url\":\"https://mirror/x.git\",\"forge\":{\"repository\":\"acme/app\"}}", "acme/app",
          1 },
        { "{\"url\":\"https://h/acme/app.git\",\"forge\":{\"repository\":\"acme/b\"}}", "acme/app",
          0 },
        { "{\"url\":\"file:///srv/a.git\"}", "acme/app", 1 },
        { "{\"url\":\"https://h/acme/app.git\"}", NULL, 1 },
    };
    struct err err = ERR_INIT;
    struct value *source;
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(abouts); i++) {
        struct hook_decision d = { .repository = str_from_c(abouts[i].repository) };

        assert_int_equal(json_parse(&a, str_from_c(abouts[i].source), 1 << 16, &source, &err), 0);
        if (hook_is_about(&d, source) != abouts[i].want)
            fail_msg("%s of %s", abouts[i].repository, abouts[i].source);
    }
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_every_payload_has_a_row),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_time_does_not_tell_how_much_is_right),
        cmocka_unit_test(test_types_are_told_apart),
        cmocka_unit_test(test_a_secret_is_never_empty),
        cmocka_unit_test(test_a_signed_time_holds_five_minutes),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_is_about),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
