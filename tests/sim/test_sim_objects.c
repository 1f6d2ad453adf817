/* sim/objects: databases and redis of the shop, told in virtual time. SPDX-License-Identifier: Apache-2.0 */
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

int main(void)
{
    static struct story_row rows[] = {
        STORY(a_database_is_made_and_changed),
    };

    return story_tell_all(rows, N_ELEMENTS(rows));
}
