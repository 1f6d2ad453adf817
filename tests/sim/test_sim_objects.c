/* sim/objects: databases and redis of the shop, told in virtual time. SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "base/sys.h"
#include "tests/sim/story.h"

#define DATA_10 "databases:\n  main: {engine: postgres, version: \">=15\", storage: 10G}\n"
#define DATA_20 "databases:\n  main: {engine: postgres, version: \">=15\", storage: 20G}\n"
#define USES "DATABASE_URL: {database: main, key: url}"

/* --- telling ------------------------------------------------------------------------------------- */

static struct rec_resource row_of(struct story *s, const char *kind, const char *name)
{
    struct rec_resource *rows;
    struct err err = ERR_INIT;
    size_t n;

    if (DB_SELECT(world_reader(&s->w), &s->w.arena, resource,
                  "WHERE kind = $1 AND name = $2 AND valid_to IS NULL AND env = "
                  "(SELECT uid FROM environments WHERE name = 'prod')",
                  &rows, &n, &err, DB_T(str_from_c(kind)), DB_T(str_from_c(name))))
        fail_msg("%s", err.text);
    return n ? rows[0] : (struct rec_resource){ .status = S("never was") };
}

static void expect_row(struct story *s, const char *kind, const char *name, const char *status)
{
    struct rec_resource row = row_of(s, kind, name);

    if (!str_eq_c(row.status, status))
        fail_msg("%s/%s is %.*s (%.*s), expected %s", kind, name, STR_ARG(row.status),
                 STR_ARG(row.reason.p ? row.reason : S("")), status);
}

static void expect_shows(struct story *s, const char *name, const char *text)
{
    struct null_object *o = world_find(&s->w, row_of(s, "database", name).provider_id);

    assert_non_null(o);
    if (str_find(o->desired, str_from_c(text)) == STR_NPOS)
        fail_msg("%.*s shows no %s", STR_ARG(o->desired), text);
}

static void given_data(struct story *s)
{
    s->shop.data = DATA_10;
    s->shop.uses = USES;
    push(s);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "ready");
}

/* --- stories ------------------------------------------------------------------------------------- */

static void a_database_is_made_and_changed(struct story *s)
{
    given_data(s);
    expect_shows(s, "main", "\"storage\":10737418240");
    s->shop.data = DATA_20;
    push(s);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_shows(s, "main", "\"storage\":21474836480");
}

/* Somebody changes it behind our back. */
static void given_drift(struct story *s, const char *name, const char *json)
{
    char path[600];
    struct rec_resource row = row_of(s, "database", name);
    FILE *f;

    (void)snprintf(path, sizeof(path), "%.*s/%.*s.drift", STR_ARG(s->w.box->store.directory),
                   STR_ARG(row.provider_id));
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(json, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int is_drifted(struct story *s, const char *name)
{
    char path[600];
    struct rec_resource row = row_of(s, "database", name);

    (void)snprintf(path, sizeof(path), "%.*s/%.*s.drift", STR_ARG(s->w.box->store.directory),
                   STR_ARG(row.provider_id));
    return !access(path, F_OK);
}

static int64_t count_switches(struct story *s)
{
    return count(s, "operation.verified");
}

/* Every byte of the state file, and of the objects' own that hold desired forms. */
static void expect_nowhere(struct story *s, struct str canary)
{
    struct str text;
    struct err err = ERR_INIT;
    const char *const ends[] = { "", "-wal" };

    for (size_t i = 0; i < N_ELEMENTS(ends); i++) {
        char path[600];

        (void)snprintf(path, sizeof(path), "%s/var/reeve.db%s", s->w.dir, ends[i]);
        if (access(path, R_OK))
            continue;
        if (sys_read_file(&s->w.arena, path, 256u << 20, &text, &err))
            fail_msg("%s", err.text);
        assert_true(text.n > 0);
        if (str_find(text, canary) != STR_NPOS)
            fail_msg("%s holds '%.*s'", path, STR_ARG(canary));
    }
}

static struct str password_of(struct story *s, const char *name)
{
    struct null_object *o = world_find(&s->w, row_of(s, "database", name).provider_id);
    struct value *outputs = null_outputs(&s->w.arena, o, NULL);

    return value_get_text(outputs, S("password"), S(""));
}

static void its_password_lies_nowhere(struct story *s)
{
    given_data(s);
    assert_true(password_of(s, "main").n > 12);
    expect_nowhere(s, password_of(s, "main"));
    world_stop(&s->w);
    world_run(&s->w, SECOND);
    expect_nowhere(s, password_of(s, "main"));
}

static void a_changed_output_rolls_who_uses_it(struct story *s)
{
    int64_t n;

    given_data(s);
    n = count(s, "rollout.began");
    given_drift(s, "main",
                "{\"observed\":{\"storage\":1},\"outputs\":{\"url\":\"postgresql://elsewhere\"},"
                "\"stays\":true}");
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    assert_true(str_find(row_of(s, "database", "main").outputs, S("\"v\":2")) != STR_NPOS);
    assert_true(count(s, "rollout.began") > n);
}

static void what_drifts_is_made_as_it_was(struct story *s)
{
    given_data(s);
    given_drift(s, "main", "{\"observed\":{\"storage\":1}}");
    run(s, MINUTE);
    assert_false(is_drifted(s, "main"));
    assert_int_equal(count(s, "resource.drift"), 1); /* it was found */
    expect_status(s, "in_sync: ");
}

static void what_drifts_again_is_told_and_left(struct story *s)
{
    int64_t n;

    given_data(s);
    given_drift(s, "main", "{\"observed\":{\"storage\":1},\"stays\":true}");
    run(s, 2 * MINUTE);
    n = count_switches(s);
    run(s, 5 * MINUTE);
    assert_int_equal(count_switches(s), n);
    expect_status(s, "in_sync: ");
    assert_true(str_find(row_of(s, "database", "main").drift, S("unstable")) != STR_NPOS);
}

static void approve_all(struct story *s)
{
    struct rec_plan *rows;
    struct err err = ERR_INIT;
    size_t n;

    if (DB_SELECT(world_reader(&s->w), &s->w.arena, plan, "WHERE state = 'waiting'", &rows, &n,
                  &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < n; i++)
        decide(s, COMMAND_APPROVE, digest_hex(&s->w.arena, &rows[i].id));
}

static void what_is_reported_is_told_once(struct story *s)
{
    given_data(s);
    s->shop.settings = "reconcile: {interval: 20s, drift: {default: report}}\n";
    push(s);
    run(s, MINUTE);
    expect_status(s, "waiting: class weaken");
    approve_all(s);
    run(s, MINUTE);
    given_drift(s, "main", "{\"observed\":{\"storage\":1}}");
    run(s, 3 * MINUTE);
    assert_true(is_drifted(s, "main"));
    assert_int_equal(count(s, "resource.drift"), 1);
    expect_status(s, "in_sync: ");
}

static void a_held_environment_only_says_so(struct story *s)
{
    given_data(s);
    say(s, COMMAND_HOLD);
    run(s, SECOND);
    given_drift(s, "main", "{\"observed\":{\"storage\":1}}");
    run(s, MINUTE);
    assert_true(is_drifted(s, "main"));
    expect_status(s, "held: ");
    say(s, COMMAND_RESUME);
    run(s, MINUTE);
    assert_false(is_drifted(s, "main"));
    expect_status(s, "in_sync: ");
}

static void without_its_block_the_data_stays(struct story *s)
{
    struct str id;

    given_data(s);
    id = row_of(s, "database", "main").provider_id;
    s->shop.data = s->shop.uses = NULL;
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "kept");
    assert_non_null(world_find(&s->w, id));
    s->shop.data = DATA_20;
    push(s);
    run(s, MINUTE);
    expect_row(s, "database", "main", "ready");
    expect_shows(s, "main", "\"storage\":21474836480");
    assert_true(str_eq(row_of(s, "database", "main").provider_id, id));
}

static void after_the_guard_was_lifted_a_person_is_asked(struct story *s)
{
    struct str id;

    given_data(s);
    id = row_of(s, "database", "main").provider_id;
    s->shop.data = "databases:\n  main: {engine: postgres, version: \">=15\", storage: 10G, "
                   "deletion_policy: delete}\n";
    push(s);
    run(s, MINUTE);
    expect_status(s, "waiting: class weaken");
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    s->shop.data = s->shop.uses = NULL;
    push(s);
    run(s, MINUTE);
    expect_status(s, "waiting: class destroy");
    assert_non_null(world_find(&s->w, id));
    decide(s, COMMAND_APPROVE, plan_in_state(s, "waiting"));
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "gone");
    assert_null(world_find(&s->w, id));
}

static void a_renamed_one_is_the_same(struct story *s)
{
    int64_t number;

    given_data(s);
    number = world_find(&s->w, row_of(s, "database", "main").provider_id)->number;
    s->shop.data = "databases:\n  primary: {engine: postgres, version: \">=15\", storage: 10G, "
                   "moved: main}\n";
    s->shop.uses = "DATABASE_URL: {database: primary, key: url}";
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "gone");
    expect_row(s, "database", "primary", "ready");
    assert_int_equal(world_find(&s->w, row_of(s, "database", "primary").provider_id)->number,
                     number);
    assert_int_equal(count(s, "operation.ended"), 0); /* at once */
}

/* Instances that are given its URL under this name; and which of all instances one of them is. */
static int64_t count_users(struct story *s, const char *ref, uint64_t *ret_one)
{
    struct world_walk walk = { 0 };
    uint64_t at = 0;
    int64_t n = 0;

    for (struct null_object *o = world_next(&s->w, &walk); o; o = world_next(&s->w, &walk)) {
        if (!str_eq_c(o->type, "instance"))
            continue;
        if (str_find(o->desired, str_from_c(ref)) != STR_NPOS) {
            n++;
            *ret_one = at;
        }
        at++;
    }
    return n;
}

/* The set that stays when the rollout fails knows the name that the database had. */
static void who_knows_the_old_name_is_made_again(struct story *s)
{
    uint64_t one;
    int64_t n;

    given_data(s);
    s->shop.data = "databases:\n  primary: {engine: postgres, version: \">=15\", storage: 10G, "
                   "moved: main}\n";
    s->shop.uses = "DATABASE_URL: {database: primary, key: url}";
    change(s, SHOP_API, 1);
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "reverted: ");
    expect_row(s, "database", "primary", "ready");
    n = count_users(s, "database/main#url", &one);
    assert_true(n > 0);
    assert_true(world_lose_instance(&s->w, one));
    assert_int_equal(count_users(s, "database/main#url", &one), n - 1);
    run(s, 3 * MINUTE);
    assert_int_equal(count_users(s, "database/main#url", &one), n);
}

static void one_that_the_document_forgets_stays(struct story *s)
{
    int64_t n = 0, number;
    struct world_walk walk = { 0 };

    given_data(s);
    number = world_find(&s->w, row_of(s, "database", "main").provider_id)->number;
    s->shop.data = s->shop.uses = NULL;
    s->shop.settings = "reconcile: {interval: 20s}\nforget: [database/main]\n";
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "gone");
    for (struct null_object *o = world_next(&s->w, &walk); o; o = world_next(&s->w, &walk))
        n += o->number == number && str_starts(o->owner, S("loose"));
    assert_int_equal(n, 1);
}

static void say_of(struct story *s, enum command_verb verb, const char *resource, struct str id)
{
    world_say(&s->w,
              &(struct command){ .verb = verb,
                                 .env = S("prod"),
                                 .as = S(""),
                                 .resource = str_from_c(resource),
                                 .id = id },
              &s->done);
}

static struct str loose_id(struct story *s)
{
    struct world_walk walk = { 0 };

    for (struct null_object *o = world_next(&s->w, &walk); o; o = world_next(&s->w, &walk))
        if (str_starts(o->owner, S("loose")))
            return str_copy(&s->w.arena, o->owner);
    return S("");
}

/* Kept without its block, let go by a word, and taken over again under its id. */
static void one_that_a_person_lets_go_may_come_back(struct story *s)
{
    struct str id;

    given_data(s);
    s->shop.data = s->shop.uses = NULL;
    push(s);
    run(s, 2 * MINUTE);
    expect_row(s, "database", "main", "kept");
    say_of(s, COMMAND_FORGET, "database/main", S(""));
    run(s, MINUTE);
    expect_row(s, "database", "main", "gone");
    id = loose_id(s);
    assert_true(id.n > 0);

    s->shop.data = DATA_20;
    say_of(s, COMMAND_ADOPT, "database/main", id);
    run(s, SECOND);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "ready");
    assert_int_equal(loose_id(s).n, 0);
    expect_shows(s, "main", "\"storage\":21474836480");
    assert_int_equal(s->done, 2);
}

static void what_nobody_asks_for_is_not_taken(struct story *s)
{
    given_data(s);
    say_of(s, COMMAND_ADOPT, "database/main", S("loose7")); /* refused: it is there */
    say_of(s, COMMAND_ADOPT, "database/other", S("loose7"));
    run(s, 2 * MINUTE);
    assert_int_equal(s->done, 1);
    expect_row(s, "database", "other", "adopting");
    expect_status(s, "in_sync: ");
    say_of(s, COMMAND_FORGET, "database/other", S(""));
    run(s, MINUTE);
    expect_row(s, "database", "other", "gone");
}

static int64_t count_databases(struct story *s)
{
    struct world_walk walk = { 0 };
    int64_t n = 0;

    for (struct null_object *o = world_next(&s->w, &walk); o; o = world_next(&s->w, &walk))
        n += str_eq_c(o->type, "database");
    return n;
}

/* No empty one is made in the place of that a person meant, and nobody's goes when nothing is asked for any more. */
static void what_cannot_be_taken_stays_named(struct story *s)
{
    struct str id;
    int64_t n;

    given_data(s);
    n = count_databases(s);
    s->shop.data = s->shop.uses = NULL;
    push(s);
    run(s, 2 * MINUTE);
    say_of(s, COMMAND_FORGET, "database/main", S(""));
    run(s, MINUTE);
    id = loose_id(s);

    s->shop.data = DATA_20;
    say_of(s, COMMAND_ADOPT, "database/main", S("nowhere"));
    run(s, SECOND);
    push(s);
    run(s, 2 * MINUTE);
    expect_row(s, "database", "main", "adopting");
    assert_int_equal(count_databases(s), n);
    s->shop.data = NULL;
    push(s);
    run(s, 2 * MINUTE);
    expect_row(s, "database", "main", "adopting");
    expect_status(s, "in_sync: ");

    s->shop.data = DATA_20;
    say_of(s, COMMAND_ADOPT, "database/main", id);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "ready");
    assert_int_equal(count_databases(s), n);
}

#define STRANGER "rv1aaaaaaaaaaaaaaaaaaaaaaaaaa"

/* In the same account, with the label of somebody else. */
static void given_strangers(struct story *s, struct str installation, struct str env_uid)
{
    struct null_object *o = null_store_put(&s->w.box->store, S(STRANGER));
    struct arena *a = &s->w.arena;

    assert_non_null(o);
    assert_false(null_object_set(o, &o->key, S("")) ||
                 null_object_set(o, &o->type, S("database")) ||
                 null_object_set(o, &o->name, S("main")) ||
                 null_object_set(o, &o->desired,
                                 str_fmt(a,
                                         "{\"label\":{\"installation\":\"%.*s\",\"env\":\"theirs\","
                                         "\"env_uid\":\"%.*s\",\"resource\":\"database/main\","
                                         "\"incarnation\":1},\"storage\":1}",
                                         STR_ARG(installation), STR_ARG(env_uid))));
    MUST(null_store_keep(&s->w.box->store, o, err));
}

/* The null driver would give it to anybody. */
static void expect_not_taken(struct story *s, struct str installation, struct str env_uid)
{
    s->shop.data = s->shop.uses = NULL;
    push(s);
    run(s, 2 * MINUTE);
    say_of(s, COMMAND_FORGET, "database/main", S(""));
    run(s, MINUTE);
    given_strangers(s, installation, env_uid);

    s->shop.data = DATA_20;
    say_of(s, COMMAND_ADOPT, "database/main", S(STRANGER));
    run(s, SECOND);
    push(s);
    run(s, 2 * MINUTE);
    expect_row(s, "database", "main", "adopting");
    assert_non_null(world_find(&s->w, S(STRANGER)));
    expect_status(s, "failed: '" STRANGER "' is not taken over: it belongs to "
                     "'database/main' of environment 'theirs'");
    MUST(null_store_drop(&s->w.box->store, S(STRANGER), err)); /* by the other one */
}

static void what_is_another_installations_is_not_taken(struct story *s)
{
    given_data(s);
    expect_not_taken(s, S("another"), row_of(s, "database", "main").env);
}

static void what_is_another_environments_is_not_taken(struct story *s)
{
    given_data(s);
    expect_not_taken(s, s->w.engine->installation, S("another"));
}

static void a_rename_that_fails_leaves_the_name(struct story *s)
{
    struct str id;
    int64_t n;

    given_data(s);
    n = count_databases(s);
    id = row_of(s, "database", "main").provider_id;
    world_fault(&s->w, (struct null_fault){ .type = S("database"),
                                            .action = S("adopt"),
                                            .call = S("apply"),
                                            .name = S(""),
                                            .nth = 1,
                                            .kind = NULL_FAULT_BEFORE,
                                            .verdict = RV_USER,
                                            .acted = RV_ACTED_NO });
    s->shop.data = "databases:\n  primary: {engine: postgres, version: \">=15\", storage: 10G, "
                   "moved: main}\n";
    s->shop.uses = "DATABASE_URL: {database: primary, key: url}";
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "gone");
    expect_row(s, "database", "primary", "ready");
    assert_null(world_find(&s->w, id)); /* its label is that of the new name */
    assert_int_equal(count_databases(s), n);
}

/* The way back of a group leaves what was done to the database. */
static void a_failed_rollout_leaves_the_database(struct story *s)
{
    struct rec_plan *rows;
    struct err err = ERR_INIT;
    size_t n;

    given_data(s);
    s->shop.data = DATA_20;
    change(s, SHOP_API, 1);
    push(s);
    run(s, 3 * MINUTE);
    expect_status(s, "reverted: ");
    expect_shows(s, "main", "\"storage\":21474836480");
    expect_row(s, "database", "main", "ready");
    assert_int_equal(DB_SELECT(world_reader(&s->w), &s->w.arena, plan, "WHERE state = 'reverted'",
                               &rows, &n, &err),
                     0);
    assert_true(n &&
                str_find(rows[0].reason, S("done and stays: update of database/main")) != STR_NPOS);
}

static void it_dies_while_a_database_is_made(struct story *s)
{
    static const enum crash_point points[] = { CRASH_OP_BEFORE_INTENT, CRASH_OP_AFTER_INTENT,
                                               CRASH_OP_AFTER_ACT, CRASH_OP_AFTER_SETTLED,
                                               CRASH_OP_AFTER_PROVE };
    char text[512];

    given_data(s);
    for (size_t i = 0; i < N_ELEMENTS(points); i++) {
        (void)snprintf(text, sizeof(text),
                       "databases:\n  main: {engine: postgres, version: \">=15\", storage: %zuG}\n"
                       "  extra%zu: {engine: postgres, version: \">=15\", storage: 1G}\n",
                       30 + i, i);
        s->shop.data = text;
        world_die(&s->w, points[i], 1, 2);
        push(s);
        run(s, 2 * MINUTE);
        assert_true(s->w.died[points[i]] > 0);
        expect_status(s, "in_sync: ");
        (void)snprintf(text, sizeof(text), "extra%zu", i);
        expect_row(s, "database", text, "ready");
    }
}

static void lose_and_recover(struct story *s)
{
    const char *broken;
    int done;

    world_stop(&s->w);
    world_lose_database(&s->w, WORLD_LOSES_ALL);
    broken = world_recover(&s->w, N_CRASH_POINTS, &done);
    if (broken)
        fail_msg("%s", broken);
    assert_int_equal(done, 1);
}

/* Labels are all that is left of it: nothing is made twice, nothing goes, and its data is guarded. */
static void it_is_known_when_the_database_is_lost(struct story *s)
{
    struct rec_resource row;
    struct str id;

    given_data(s);
    id = row_of(s, "database", "main").provider_id;
    lose_and_recover(s);
    run(s, 10 * SECOND);
    expect_row(s, "database", "main", "ready");
    assert_true(str_eq(row_of(s, "database", "main").provider_id, id));
    assert_true(str_eq_c(row_of(s, "database", "main").protect, "retain"));
    expect_nowhere(s, password_of(s, "main"));
    say_of(s, COMMAND_ADOPT, "database/main", S("loose7")); /* refused: it is there */
    run(s, SECOND);
    assert_int_equal(s->done, 0);
    assert_true(str_eq(row_of(s, "database", "main").provider_id, id));
    say(s, COMMAND_RESUME);
    world_say(&s->w, &(struct command){ .verb = COMMAND_RESUME, .env = S("stage"), .as = S("") },
              &s->done);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    assert_int_equal(count(s, "rollout.began"), 0);
    row = row_of(s, "database", "main");
    assert_true(!digest_is_none(&row.desired));
}

static void versions_of_its_outputs_are_in_the_copy(struct story *s)
{
    const char *broken;
    uint64_t one;
    int64_t n;
    int done;

    given_data(s);
    given_drift(s, "main",
                "{\"observed\":{\"storage\":1},\"outputs\":{\"url\":\"postgresql://elsewhere\"},"
                "\"stays\":true}");
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    world_keep_copy(&s->w);
    world_stop(&s->w);
    change(s, SHOP_WEB, 0);
    push(s);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    n = count_users(s, "database/main#url@2", &one);
    assert_true(n > 0);
    world_stop(&s->w);
    world_lose_database(&s->w, WORLD_LOSES_SOME);
    broken = world_recover(&s->w, N_CRASH_POINTS, &done);
    if (broken)
        fail_msg("%s", broken);
    assert_int_equal(done, 1);
    run(s, 10 * SECOND);
    assert_true(str_find(row_of(s, "database", "main").outputs, S("\"v\":2")) != STR_NPOS);
    say(s, COMMAND_RESUME);
    world_say(&s->w, &(struct command){ .verb = COMMAND_RESUME, .env = S("stage"), .as = S("") },
              &s->done);
    run(s, 2 * MINUTE);
    expect_status(s, "in_sync: ");
    assert_int_equal(count_users(s, "database/main#url@2", &one), n);
}

/* Nothing is known of what was asked for, and a change of it fails: it is guarded all the same. */
static void one_that_cannot_be_changed_is_guarded(struct story *s)
{
    struct str id;

    given_data(s);
    id = row_of(s, "database", "main").provider_id;
    lose_and_recover(s);
    world_fault(&s->w, (struct null_fault){ .type = S("database"),
                                            .action = S("update"),
                                            .call = S("apply"),
                                            .name = S(""),
                                            .kind = NULL_FAULT_BEFORE,
                                            .verdict = RV_USER,
                                            .acted = RV_ACTED_NO });
    s->shop.data = DATA_20;
    push(s);
    run(s, 10 * SECOND);
    say(s, COMMAND_RESUME);
    world_say(&s->w, &(struct command){ .verb = COMMAND_RESUME, .env = S("stage"), .as = S("") },
              &s->done);
    run(s, MINUTE);
    expect_row(s, "database", "main", "failed");
    s->shop.data = s->shop.uses = NULL;
    push(s);
    run(s, 3 * MINUTE);
    assert_non_null(world_find(&s->w, id));
    expect_row(s, "database", "main", "kept");
}

int main(void)
{
    static struct story_row rows[] = {
        STORY(a_database_is_made_and_changed),
        STORY(its_password_lies_nowhere),
        STORY(a_changed_output_rolls_who_uses_it),
        STORY(what_drifts_is_made_as_it_was),
        STORY(what_drifts_again_is_told_and_left),
        STORY(what_is_reported_is_told_once),
        STORY(a_held_environment_only_says_so),
        STORY(without_its_block_the_data_stays),
        STORY(after_the_guard_was_lifted_a_person_is_asked),
        STORY(a_renamed_one_is_the_same),
        STORY(who_knows_the_old_name_is_made_again),
        STORY(one_that_the_document_forgets_stays),
        STORY(one_that_a_person_lets_go_may_come_back),
        STORY(what_nobody_asks_for_is_not_taken),
        STORY(what_cannot_be_taken_stays_named),
        STORY(what_is_another_installations_is_not_taken),
        STORY(what_is_another_environments_is_not_taken),
        STORY(a_rename_that_fails_leaves_the_name),
        STORY(it_is_known_when_the_database_is_lost),
        STORY(versions_of_its_outputs_are_in_the_copy),
        STORY(one_that_cannot_be_changed_is_guarded),
        STORY(a_failed_rollout_leaves_the_database),
        STORY(it_dies_while_a_database_is_made),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
