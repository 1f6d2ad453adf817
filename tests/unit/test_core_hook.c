/* core/hook: what forges say, and which refs that is about. SPDX-License-Identifier: Apache-2.0
 *
 * Every payload of the contracts has a row with the decision that its kind asks for. The contracts lie beside
 * the project, or where CONTRACTS says; without them their rows are not looked at. */
#include "tests/unit/test_core_hook_given.h"

#include <dirent.h>

#include "specs/json_io.h"

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
        cmocka_unit_test(test_payloads), cmocka_unit_test(test_every_payload_has_a_row),
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_names),
        cmocka_unit_test(test_is_about),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
