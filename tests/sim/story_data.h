/*
 * story_data: how a test tells what happens to the database of the shop. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   one.
 */
#pragma once

#include <unistd.h>

#include "base/sys.h"
#include "tests/sim/story.h"

#define DATA_10 "databases:\n  main: {engine: postgres, version: \">=15\", storage: 10G}\n"
#define DATA_20 "databases:\n  main: {engine: postgres, version: \">=15\", storage: 20G}\n"
#define USES "DATABASE_URL: {database: main, key: url}"

static inline struct rec_resource row_of(struct story *s, const char *kind, const char *name)
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

static inline void expect_row(struct story *s, const char *kind, const char *name,
                              const char *status)
{
    struct rec_resource row = row_of(s, kind, name);

    if (!str_eq_c(row.status, status))
        fail_msg("%s/%s is %.*s (%.*s), expected %s", kind, name, STR_ARG(row.status),
                 STR_ARG(row.reason.p ? row.reason : S("")), status);
}

static inline void expect_shows(struct story *s, const char *name, const char *text)
{
    struct null_object *o = world_find(&s->w, row_of(s, "database", name).provider_id);

    assert_non_null(o);
    if (str_find(o->desired, str_from_c(text)) == STR_NPOS)
        fail_msg("%.*s shows no %s", STR_ARG(o->desired), text);
}

static inline void given_data(struct story *s)
{
    s->shop.data = DATA_10;
    s->shop.uses = USES;
    push(s);
    run(s, MINUTE);
    expect_status(s, "in_sync: ");
    expect_row(s, "database", "main", "ready");
}

/* Somebody changes it behind our back. */
static inline void given_drift(struct story *s, const char *name, const char *json)
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

/* Every byte of the state file, and of the objects' own that hold desired forms. */
static inline void expect_nowhere(struct story *s, struct str canary)
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

static inline struct str password_of(struct story *s, const char *name)
{
    struct null_object *o = world_find(&s->w, row_of(s, "database", name).provider_id);
    struct value *outputs = null_outputs(&s->w.arena, o, NULL);

    return value_get_text(outputs, S("password"), S(""));
}

/* Instances that are given its URL under this name; and which of all instances one of them is. */
static inline int64_t count_users(struct story *s, const char *ref, uint64_t *ret_one)
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

static inline void say_of(struct story *s, enum command_verb verb, const char *resource,
                          struct str id)
{
    world_say(&s->w,
              &(struct command){ .verb = verb,
                                 .env = S("prod"),
                                 .as = S(""),
                                 .resource = str_from_c(resource),
                                 .id = id },
              &s->done);
}

static inline int64_t count_databases(struct story *s)
{
    struct world_walk walk = { 0 };
    int64_t n = 0;

    for (struct null_object *o = world_next(&s->w, &walk); o; o = world_next(&s->w, &walk))
        n += str_eq_c(o->type, "database");
    return n;
}
