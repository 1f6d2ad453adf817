/* core/approval, people: who has said yes, and whether it counts. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/approval.h"
#include "reconciler/core/people.h"
#include "tests/unit/test_core_given.h"

#define NOW_MS 1000000
#define FROM_SEQ 10
#define DECISIONS_MAX 8

/* As `ssh-keygen -lf` shows it. */
#define CY_KEY "AAAAC3NzaC1lZDI1NTE5AAAAIPlLglCNZLL3vY8Cqq7tDMDRrLghSvXpx4ahBhSILVyn"
#define CY_PRINT "SHA256:IaR29hQMQ4ISS87lff2/arM4MEtyaebvCn7fclPgnsE"

static const char people[] =
    "{\"ann\":{\"local\":\"ann\",\"emails\":[\"ann@acme.test\",\"Ann@Home.test\"]},"
    "\"bob\":{\"local\":\"bobby\",\"emails\":[\"bob@acme.test\"]},"
    "\"cy\":{\"local\":\"cy\",\"keys\":[\"ssh-ed25519 " CY_KEY " cy@laptop\"]}}";

/* "ann@12 signed group:ops, override bob@12": who, when, and how. `over` is an override that has ended. */
static size_t given_decisions(struct arena *a, const char *written, struct rec_decision *rows)
{
    struct str rest = str_from_c(written), part, word;
    size_t n = 0;

    while (written[0] && n < DECISIONS_MAX && str_next(&rest, ',', &part)) {
        struct rec_decision *d = &rows[n++];
        struct value *principals = value_list(a);

        *d = (struct rec_decision){ .verdict = S("approved"), .until_ms = REC_NONE };
        part = str_trim(part);
        while (str_next(&part, ' ', &word)) {
            size_t at = str_find_char(word, '@');
            int64_t seq = 0;

            if (at != STR_NPOS) {
                struct str user = str_slice(word, 0, at), person;

                assert_int_equal(str_to_i64(str_slice(word, at + 1, word.n), &seq), 0);
                d->actor = str_starts(user, S("person:"))
                               ? user
                               : str_fmt(a, "local:%.*s(1000)", STR_ARG(user));
                person = people_of_actor(given_json(a, people), d->actor);
                d->person = person.p ? person : d->actor;
                d->at_seq = seq;
                value_add(a, principals, value_text(a, str_fmt(a, "user:%.*s", STR_ARG(user))));
            } else if (str_eq_c(word, "signed")) {
                d->signature = S("-----BEGIN SSH SIGNATURE-----");
            } else if (str_eq_c(word, "override") || str_eq_c(word, "over")) {
                d->verdict = S("overridden");
                d->until_ms = str_eq_c(word, "over") ? NOW_MS : NOW_MS + 1;
            } else if (str_eq_c(word, "rejected")) {
                d->verdict = word;
            } else {
                value_add(a, principals, value_text(a, word));
            }
        }
        d->principals = json_format(a, principals);
    }
    return n;
}

static size_t given_authors(const char *written, struct rec_plan_author *rows)
{
    struct str rest = str_from_c(written), mail;
    size_t n = 0;

    while (written[0] && n < DECISIONS_MAX && str_next(&rest, '|', &mail))
        rows[n++] = (struct rec_plan_author){ .mail = mail,
                                              .name = S("bob@acme.test"),
                                              .is_signer = str_starts(mail, S("SHA256:")),
                                              .commit_id = S("c0ffee00c0ffee00") };
    return n;
}

static const struct {
    const char *sentence, *policy, *authors, *decisions;
    int classes, same_user, is_enough;
    const char *text, *refusal; /* refusal: of the last decision, NULL: it counts */
} rows[] = {
    /* clang-format off */
    { "nobody has said anything", "{}", "", "", 0, 0, 0, "", NULL },
    { "one is enough where nothing else is said", "{}", "", "bobby@12", 0, 0, 1, "1 of 1 approval", NULL },
    { "two are asked, one came", "{\"min_approvals\":2}", "", "bobby@12", 0, 0, 0, "1 of 2 approvals", NULL },
    { "two came", "{\"min_approvals\":2}", "", "bobby@12, ann@13", 0, 0, 1, "2 of 2 approvals", NULL },
    { "one person counts once, by whatever name", "{\"min_approvals\":2}", "", "bobby@12, bobby@13", 0, 0, 0, "1 of 2 approvals", NULL },
    { "nor by the socket and by signing in", "{\"min_approvals\":2}", "", "bobby@12, person:bob@13", 0, 0, 0, "1 of 2 approvals", NULL },
    { "who signed in is another than who did not", "{\"min_approvals\":2}", "", "bobby@12, person:ann@13", 0, 0, 1, "2 of 2 approvals", NULL },
    { "nobody approves a commit of theirs by signing in", "{}", "ann@acme.test", "person:ann@12", 0, 0, 0, "", "ann made commit c0ffee00c0ff, which is in it, as ann@acme.test" },
    { "who is not known is a person too", "{\"min_approvals\":2}", "", "dan@12, eve@13", 0, 0, 1, "2 of 2 approvals", NULL },
    { "none of the approvers", "{\"approvers\":[[\"group:ops\"]]}", "", "bobby@12 group:dev", 0, 0, 0, "0 of 1 approval, by group:ops", "bob is none of the policy's approvers" },
    { "in a group of approvers", "{\"approvers\":[[\"group:ops\"]]}", "", "bobby@12 group:dev group:ops", 0, 0, 1, "1 of 1 approval, by group:ops", NULL },
    { "an approver by name", "{\"approvers\":[[\"user:bobby\"]]}", "", "bobby@12", 0, 0, 1, "1 of 1 approval, by user:bobby", NULL },
    { "a group's name is not a part of another", "{\"approvers\":[[\"group:ops\"]]}", "", "bobby@12 group:ops2", 0, 0, 0, NULL, "bob is none of the policy's approvers" },
    { "one of several", "{\"approvers\":[[\"user:ann\",\"group:ops\"]]}", "", "dan@11 group:dev, bobby@12 group:ops", 0, 0, 1, "1 of 1 approval, by user:ann or group:ops", NULL },
    { "in the spec's list and in the floor's", "{\"approvers\":[[\"user:bobby\"],[\"group:ops\"]]}", "", "bobby@12", 0, 0, 0, "0 of 1 approval, by user:bobby and by group:ops", "bob is none of the policy's approvers" },
    { "a group is not a user of its name", "{\"approvers\":[[\"user:ops\"]]}", "", "bobby@12 group:ops", 0, 0, 0, NULL, "bob is none of the policy's approvers" },
    { "nobody approves a commit of theirs", "{}", "ann@acme.test", "ann@12", 0, 0, 0, "", "ann made commit c0ffee00c0ff, which is in it, as ann@acme.test" },
    { "under none of their names", "{}", "ANN@home.test", "ann@12", 0, 0, 0, "", "ann made commit c0ffee00c0ff, which is in it, as ANN@home.test" },
    { "one of many commits is enough", "{}", "bob@acme.test|ann@acme.test", "ann@12", 0, 0, 0, "", "ann made commit c0ffee00c0ff, which is in it, as ann@acme.test" },
    { "another person approves it", "{}", "ann@acme.test", "bobby@12", 0, 0, 1, "1 of 1 approval", NULL },
    { "one's own count where the policy says so", "{\"allow_self\":true}", "ann@acme.test", "ann@12", 0, 0, 1, "1 of 1 approval", NULL },
    { "who started it", "{}", "", "starter@12", 0, 0, 0, "", "local:starter(1000) started the plan" },
    { "an unknown author asks for one more", "{}", "who@else.test", "bobby@12", 0, 0, 0, "1 of 2 approvals, one more because nobody is known by 'who@else.test'", NULL },
    { "which is said before anybody approves", "{}", "who@else.test", "", 0, 0, 0, "0 of 2 approvals, one more because nobody is known by 'who@else.test'", NULL },
    { "two unknown ones for no more than that", "{}", "who@else.test|x@y.test", "bobby@12, cy@13", 0, 0, 1, "2 of 2 approvals, one more because nobody is known by 'who@else.test'", NULL },
    { "not where all are one user", "{}", "who@else.test", "bobby@12", 0, 1, 1, "1 of 1 approval", NULL },
    { "nor does their own stand in the way", "{}", "ann@acme.test", "ann@12", 0, 1, 1, "1 of 1 approval", NULL },
    { "not where one's own count", "{\"allow_self\":true}", "who@else.test", "bobby@12", 0, 0, 1, "1 of 1 approval", NULL },
    { "an author without an address is nobody", "{}", APPROVAL_MANY, "bobby@12", 0, 0, 0, NULL, NULL },
    { "a key signed it, by whose it is", "{}", CY_PRINT, "cy@12", 0, 0, 0, "", "cy signed commit c0ffee00c0ff, which is in it, as bob@acme.test" },
    { "and not by what the list calls it", "{}", CY_PRINT, "bobby@12", 0, 0, 1, "1 of 1 approval", NULL },
    { "a key of nobody, by what the list calls it", "{}", "SHA256:AAAA", "bobby@12", 0, 0, 0, "", "bob signed commit c0ffee00c0ff, which is in it, as bob@acme.test" },
    { "a history aside asks for one more", "{}", "ann@acme.test|" APPROVAL_ASIDE, "bobby@12", 0, 0, 0, "1 of 2 approvals, one more because nobody is known by '" APPROVAL_ASIDE "'", NULL },
    { "what was decided earlier", "{}", "", "bobby@9", 0, 0, 0, "", "it was decided before the plan was made again, or has expired" },
    { "a rejection is none", "{}", "", "rejected bobby@12", 0, 0, 0, "", "it is no approval" },
    { "unsigned", "{\"signed\":true}", "", "bobby@12", 0, 0, 0, "", "the policy asks for signed approvals: approve --sign KEY" },
    { "signed", "{\"signed\":true}", "", "bobby@12 signed", 0, 0, 1, "1 of 1 approval", NULL },
    { "an override is enough", "{\"min_approvals\":3,\"approvers\":[[\"group:ops\"]]}", "ann@acme.test", "override ann@12", 0, 0, 1, "0 of 3 approvals, by group:ops", NULL },
    { "for one hour", "{}", "", "over bobby@12", 0, 0, 0, "", "the override is over" },
    { "never for data", "{}", "", "override bobby@12", PLAN_CLASS_DATA, 0, 0, "", "data is never overridden" },
    { "nor one of earlier", "{}", "", "override bobby@9", 0, 0, 0, "", "it was decided before the plan was made again, or has expired" },
    { "a policy that asks for none asks for one", "{\"min_approvals\":0}", "", "", 0, 0, 0, "", NULL },
    /* clang-format on */
};

static void test_approvals_are_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct rec_decision decisions[DECISIONS_MAX] = { 0 };
        struct rec_plan_author authors[DECISIONS_MAX] = { 0 };
        struct approval_verdict v;
        struct approval_case c;
        AUTO_ARENA struct arena a;

        arena_init(&a, 0);
        c = (struct approval_case){
            .needs = approval_needs(&a, given_json(&a, rows[i].policy), rows[i].classes,
                                    rows[i].same_user ? APPROVAL_SAME_USER : APPROVAL_APART),
            .people = given_json(&a, people),
            .starter = S("local:starter(1000)"),
            .authors = authors,
            .n_authors = given_authors(rows[i].authors, authors),
            .decisions = decisions,
            .n_decisions = given_decisions(&a, rows[i].decisions, decisions),
            .from_seq = FROM_SEQ,
            .now_ms = NOW_MS,
        };
        v = approval_judge(&a, &c);
        if (v.is_enough != rows[i].is_enough || (rows[i].text && !str_eq_c(v.text, rows[i].text)))
            fail_msg("%s: %d '%.*s'", rows[i].sentence, v.is_enough, STR_ARG(v.text));
        if (c.n_decisions) {
            struct str why = approval_refusal(&a, &c, &decisions[c.n_decisions - 1]);

            if (!why.p != !rows[i].refusal || (why.p && !str_eq_c(why, rows[i].refusal)))
                fail_msg("%s: '%.*s'", rows[i].sentence, STR_ARG(why));
        }
    }
}

static void test_names_find_their_person(void **state)
{
    static const struct {
        const char *sentence, *actor, *person;
    } actors[] = {
        { "a local user", "local:bobby(1000)", "bob" },
        { "with whatever uid", "local:bobby(0)", "bob" },
        { "a person's name is no user", "local:bob(1000)", NULL },
        { "a user's name may hold a bracket", "local:ann(1)(1000)", NULL },
        { "who signed in", "person:bob", "bob" },
        { "who signed in as nobody of ours", "person:oidc:bob", NULL },
        { "a user's name is no person", "person:bobby", NULL },
        { "the daemon", "reeve", NULL },
        { "another kind", "token:ann(1000)", NULL },
        { "half a name", "local:ann", NULL },
        { "nothing", "", NULL },
    };
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(actors); i++) {
        struct str found = people_of_actor(given_json(&a, people), str_from_c(actors[i].actor));

        if (!found.p != !actors[i].person || (found.p && !str_eq_c(found, actors[i].person)))
            fail_msg("%s: '%.*s'", actors[i].sentence, STR_ARG(found));
    }
    assert_null(people_of_mail(given_json(&a, people), S("")).p);
    assert_null(people_of_mail(NULL, S("ann@acme.test")).p);
}

static void test_principals_of_who_signed_in(void **state)
{
    static const char others[] = "{\"ann\":{},\"bob\":{\"local\":\"ann\",\"oidc\":\"00b\"},"
                                 "\"cy\":{\"local\":\"cy\",\"oidc\":\"00c\"}}";
    static const struct {
        const char *sentence, *person, *groups, *principals;
    } cases[] = {
        { "nothing is said of them", "dan", "[]", "[\"user:dan\"]" },
        { "a name that is another one's user", "ann", "[]", "[]" },
        { "the user and the name", "bob", "[]", "[\"user:ann\",\"user:bob\"]" },
        { "both are one", "cy", "[]", "[\"user:cy\"]" },
        { "groups of the provider", "cy", "[\"ops\",\"dev\"]",
          "[\"user:cy\",\"group:ops\",\"group:dev\"]" },
        { "what is no name is no group", "cy", "[1,{\"a\":1}]", "[\"user:cy\"]" },
        { "somebody of the provider", "oidc:00d", "[]", "[\"user:oidc:00d\"]" },
    };
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct str got = json_format(&a, people_principals(&a, given_json(&a, others),
                                                           str_from_c(cases[i].person),
                                                           given_json(&a, cases[i].groups)));

        if (!str_eq_c(got, cases[i].principals))
            fail_msg("%s: %.*s", cases[i].sentence, STR_ARG(got));
    }
    assert_true(str_eq_c(people_of_subject(given_json(&a, others), S("00b")), "bob"));
    assert_null(people_of_subject(given_json(&a, others), S("")).p);
    assert_null(people_of_subject(given_json(&a, others), S("00d")).p);
}

static void test_keys_sign_approvals_alone(void **state)
{
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    assert_true(str_eq_c(
        people_signers(&a,
                       given_json(&a, "{\"ann\":{\"keys\":[\"ssh-ed25519 AAAA one\",\"k two\"]},"
                                      "\"bob\":{\"keys\":[\"ssh-ed25519 BBBB\"]}}"),
                       S("ann"), PEOPLE_SIGN_NAMESPACE),
        "ann namespaces=\"reeve-plan\" ssh-ed25519 AAAA one\n"
        "ann namespaces=\"reeve-plan\" k two\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_approvals_are_counted),
        cmocka_unit_test(test_names_find_their_person),
        cmocka_unit_test(test_principals_of_who_signed_in),
        cmocka_unit_test(test_keys_sign_approvals_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
