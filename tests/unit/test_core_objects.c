/* core: what happens to databases and the like. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/drift.h"
#include "tests/unit/test_core_apply.h"

struct object_row {
    const char *sentence, *before, *want;
    const char *
        world; /* "database/main storage=30": another one than was asked for; "lost", "unread", "kept" ... */
    enum plan_cause cause;
    const char *lines, *items;
};

#define DB "database main engine=pg storage=10"
#define GONE "database main engine=pg storage=10 policy=delete"

static const struct object_row object_rows[] = {
    { "a new one is made, before what uses it", "", DB ";a v1 db=database/main", "",
      PLAN_CAUSE_COMMIT, "create service/a none; create database/main none",
      "create database/main; create instance/a < create database/main; applied" },
    { "what is as it was asked for is left alone", DB, DB, "", PLAN_CAUSE_COMMIT, "", "" },
    { "a field is changed in place", DB, "database main engine=pg storage=20", "",
      PLAN_CAUSE_COMMIT, "update database/main none {storage 10 -> 20}",
      "update database/main; applied" },
    { "its type says what interrupts", "database main version=14", "database main version=15", "",
      PLAN_CAUSE_COMMIT, "update database/main [downtime] downtime {version 14 -> 15}",
      "update database/main; applied" },
    { "and what restarts", "database main memory=1", "database main memory=2", "",
      PLAN_CAUSE_COMMIT, "update database/main restart {memory 1 -> 2}",
      "update database/main; applied" },
    { "what cannot be changed in place is replaced", "dns a ip=1", "dns a ip=2 by=others", "",
      PLAN_CAUSE_COMMIT, "replace dns/a [replace, downtime] downtime {ip 1 -> 2}",
      "delete dns/a; create dns/a < delete dns/a; applied" },
    { "one whose data may go, too, and that is said", GONE,
      "database main engine=my storage=10 policy=delete", "", PLAN_CAUSE_COMMIT,
      "replace database/main [replace, data] data-loss {engine pg -> my}",
      "delete database/main; create database/main < delete database/main; applied" },
    { "but not where it is retained", DB, "database main engine=my storage=10", "",
      PLAN_CAUSE_COMMIT,
      "note protected: database/main cannot be changed in place and its data is retained: apply "
      "'deletion_policy: delete' first, or give it another name",
      "" },
    { "nor by a commit that lifts the guard itself", DB,
      "database main engine=my storage=10 policy=delete", "", PLAN_CAUSE_COMMIT,
      "note protected: database/main cannot be changed in place and its data is retained: apply "
      "'deletion_policy: delete' first, or give it another name",
      "" },
    { "without its block it is let go and kept", DB, "", "", PLAN_CAUSE_COMMIT,
      "forget database/main none", "kept:database/main; applied" },
    { "after the guard was lifted it goes", GONE, "", "", PLAN_CAUSE_COMMIT,
      "delete database/main [destroy, data] data-loss", "delete database/main; applied" },
    { "what holds no data goes, too", "dns a ip=1", "", "", PLAN_CAUSE_COMMIT,
      "delete dns/a [destroy] none", "delete dns/a; applied" },
    { "lifting the guard weakens", DB, GONE, "", PLAN_CAUSE_COMMIT,
      "update database/main [weaken] none {deletion_policy (none) -> delete}",
      "update database/main; applied" },
    { "kept by a person's word it is forgotten", DB, "", "database/main forget", PLAN_CAUSE_COMMIT,
      "forget database/main none", "forget database/main; applied" },
    { "so it is where the document says so", DB, "forget database/main", "", PLAN_CAUSE_COMMIT,
      "forget database/main none", "forget database/main; applied" },
    { "what is kept is left alone", DB, "", "database/main kept", PLAN_CAUSE_COMMIT, "", "" },
    { "and is ours again when it is asked for", DB, DB, "database/main kept", PLAN_CAUSE_COMMIT,
      "adopt database/main none", "adopted:database/main; applied" },
    { "another one than is asked for is changed then", DB, "database main engine=pg storage=20",
      "database/main kept", PLAN_CAUSE_COMMIT, "update database/main none {storage 10 -> 20}",
      "update database/main; applied" },
    { "what a person named becomes ours first", DB, DB, "database/main taking", PLAN_CAUSE_COMMIT,
      "adopt database/main none", "adopt database/main; applied" },
    { "what was begun is begun again", DB, DB, "database/main left", PLAN_CAUSE_COMMIT,
      "create database/main none", "create database/main; applied" },
    { "or taken away", DB, "", "database/main left", PLAN_CAUSE_COMMIT, "delete database/main none",
      "delete database/main; applied" },
    { "a removed service drains before its database goes", GONE ";a v1 db=database/main", "", "",
      PLAN_CAUSE_COMMIT,
      "delete service/a [destroy] downtime; delete database/main [destroy, data] data-loss",
      "delete instance/a; delete database/main < removed:feb4cd06759a; applied" },
    { "one that is no longer used waits until the last who used it is gone",
      GONE ";a v1 db=database/main", "a v2", "", PLAN_CAUSE_COMMIT,
      "update service/a none; delete database/main [destroy, data] data-loss",
      "create instance/a; delete instance/a in the tail; delete database/main < "
      "proven:7d9f6d9c46d4 < delete instance/a; applied" },
    { "what uses it goes first", GONE ";backup main needs=database/main", "", "", PLAN_CAUSE_COMMIT,
      "delete backup/main [destroy, data, weaken] none; delete database/main [destroy, data] "
      "data-loss",
      "delete backup/main; delete database/main < delete backup/main; applied" },
    { "a renamed one is the same", "database old engine=pg", "database main engine=pg moved=old",
      "", PLAN_CAUSE_COMMIT, "update database/main none", "adopt database/main from old; applied" },
    { "and may change on the way", "database old engine=pg storage=1",
      "database main engine=pg storage=2 moved=old", "", PLAN_CAUSE_COMMIT,
      "update database/main none {storage 1 -> 2}",
      "adopt database/main from old; update database/main < adopt database/main; applied" },
    { "a drifted field is made so again", DB, DB, "database/main storage=30", PLAN_CAUSE_COMMIT,
      "update database/main none {storage 30 -> 10}", "update database/main; applied" },
    { "by a repair of its own, too", DB, DB, "database/main storage=30", PLAN_CAUSE_DRIFT,
      "update database/main none {storage 30 -> 10}", "update database/main; applied" },
    { "which does nothing else", DB, "database main engine=pg storage=20;a v1",
      "database/main storage=30", PLAN_CAUSE_DRIFT, "", "" },
    { "a field that is reported is left", DB, DB " drift=storage:report",
      "database/main storage=30", PLAN_CAUSE_COMMIT, "", "" },
    { "one that is ignored, too", DB, DB " drift=storage:ignore", "database/main storage=30",
      PLAN_CAUSE_COMMIT, "", "" },
    { "one that is kept is wanted as it is", DB, DB " drift=storage:keep",
      "database/main storage=30", PLAN_CAUSE_COMMIT, "", "" },
    { "also where the spec asks for another", DB,
      "database main engine=pg storage=20 drift=storage:keep", "database/main storage=30",
      PLAN_CAUSE_COMMIT, "adopt database/main none", "adopted:database/main; applied" },
    { "an unstable one is not fought", DB, DB, "database/main storage=30 unstable",
      PLAN_CAUSE_COMMIT, "", "" },
    { "what cannot be read says nothing", DB, DB, "database/main unread", PLAN_CAUSE_COMMIT, "",
      "" },
    { "what is gone is made again, and a person is asked where it held data", DB, DB,
      "database/main lost", PLAN_CAUSE_DRIFT, "create database/main [data] data-loss",
      "create database/main; applied" },
    { "else it is", "dns a ip=1", "dns a ip=1", "dns/a lost", PLAN_CAUSE_DRIFT, "create dns/a none",
      "create dns/a; applied" },
    { "one that held data and that nothing is known of is guarded as it was", DB, GONE,
      "database/main found", PLAN_CAUSE_COMMIT, "adopt database/main [weaken] none",
      "adopted:database/main; applied" },
    { "and let go without its block", DB, "", "database/main found", PLAN_CAUSE_COMMIT,
      "forget database/main none", "kept:database/main; applied" },
    { "and ours again as it is, when it is asked for", DB, DB, "database/main found kept",
      PLAN_CAUSE_COMMIT, "adopt database/main none", "adopted:database/main; applied" },
    { "but not without its guard, unasked", DB, GONE, "database/main found kept", PLAN_CAUSE_COMMIT,
      "adopt database/main [weaken] none", "adopted:database/main; applied" },
    { "who goes back to one that is not there is told that it is empty", "a v1", DB ";a v1", "",
      PLAN_CAUSE_ROLLBACK, "create database/main [data] data-loss",
      "create database/main; applied" },
    { "an undo leaves it alone", DB, "database main engine=pg storage=20", "", PLAN_CAUSE_UNDO, "",
      "" },
    { "a rollback changes fields back", DB, "database main engine=pg storage=5", "",
      PLAN_CAUSE_ROLLBACK, "update database/main none {storage 10 -> 5}",
      "update database/main; applied" },
    { "and takes nothing away", GONE, "", "", PLAN_CAUSE_ROLLBACK, "", "" },
};

/* --- the world is another one -------------------------------------------------------------------- */

static void set_word(struct world *w, struct recorded *r, struct str word)
{
    size_t at = str_find_char(word, '=');

    if (at != STR_NPOS) {
        r->seen = object_with(w->a, r->seen, str_slice(word, 0, at),
                              value_text(w->a, str_slice(word, at + 1, word.n)));
    } else if (str_eq_c(word, "lost")) {
        r->is_lost = 1;
        r->seen = NULL;
    } else if (str_eq_c(word, "unread")) {
        r->seen = NULL;
    } else if (str_eq_c(word, "kept")) {
        r->state = OBJECT_KEPT;
    } else if (str_eq_c(word, "forget")) {
        r->protect = S("forget");
    } else if (str_eq_c(word, "unstable")) {
        r->memory = given_json(w->a, "{\"storage\":{\"is\":\"unstable\"}}");
    } else if (str_eq_c(word, "found")) {
        r->state = OBJECT_FOUND;
        r->desired = NULL;
        r->digest = (struct digest){ { 0 } };
    } else {
        r->state = str_eq_c(word, "taking") ? OBJECT_TAKING : OBJECT_LEFT;
        r->desired = NULL;
        r->digest = (struct digest){ { 0 } };
        r->protect = S("");
    }
}

static void given_otherwise(struct world *w, const char *text)
{
    struct str rest = str_copy(w->a, str_from_c(text)), word;
    struct recorded *r = NULL;

    while (str_next(&rest, ' ', &word))
        if (word.n && !r)
            assert_non_null(r = world_find_marked(w, word));
        else if (word.n)
            set_word(w, r, word);
}

/* --- what is said -------------------------------------------------------------------------------- */

static void say_line(struct sb *b, struct arena *a, const struct plan_line *line)
{
    sb_addf(b, "%s%s %.*s/%.*s", b->n ? "; " : "", plan_action_name(line->action),
            STR_ARG(line->kind), STR_ARG(line->name));
    if (line->classes)
        sb_addf(b, " [%.*s]", STR_ARG(plan_class_names(a, line->classes)));
    sb_addf(b, " %.*s", STR_ARG(line->disruption));
    if (str_eq_c(line->kind, "service") || line->action == PLAN_DELETE)
        return;
    for (size_t i = 0; i < line->changes.n; i++) {
        const struct plan_change *c = &line->changes.p[i];

        if (line->action == PLAN_CREATE || line->action == PLAN_FORGET)
            continue;
        sb_addf(b, " {%.*s %.*s -> %.*s}", STR_ARG(c->path),
                STR_ARG(c->before.p ? c->before : S("(none)")),
                STR_ARG(c->after.p ? c->after : S("(none)")));
    }
}

static const char *say_lines(struct arena *a, const struct plan *p)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < p->lines.n; i++)
        say_line(&b, a, &p->lines.p[i]);
    for (size_t i = 0; i < p->notes.n; i++)
        sb_addf(&b, "%snote %.*s", b.n ? "; " : "", STR_ARG(p->notes.p[i]));
    return sb_str(&b).p;
}

static struct str item_word(struct arena *a, const struct plan_item *item)
{
    if (item->action == PLAN_MARK)
        return item->name;
    return str_fmt(a, "%s %.*s/%.*s", plan_action_name(item->action), STR_ARG(item->kind),
                   STR_ARG(str_slice(item->name, 0, str_find_char(item->name, '@'))));
}

static int is_told(const struct plan_item *item)
{
    return object_is_kind(item->kind) || (item->group < 0 && item->action == PLAN_MARK) ||
           (str_eq_c(item->kind, "instance") && item->lane != LANE_REVERT);
}

static void say_item(struct sb *b, struct arena *a, const struct plan *p,
                     const struct plan_item *item)
{
    sb_addf(b, "%s%.*s%s", b->n ? "; " : "", STR_ARG(item_word(a, item)),
            item->lane == LANE_TAIL ? " in the tail" : "");
    if (item->from.n)
        sb_addf(b, " from %.*s", STR_ARG(item->from));
    for (size_t n = 0; item->action != PLAN_MARK && n < item->needs.n; n++) {
        const struct plan_item *need = &p->items.p[item->needs.p[n]];

        if (object_is_kind(need->kind) || object_is_kind(item->kind))
            sb_addf(b, " < %.*s", STR_ARG(item_word(a, need)));
    }
}

static const char *say_items(struct arena *a, const struct plan *p)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < p->items.n; i++)
        if (is_told(&p->items.p[i]))
            say_item(&b, a, p, &p->items.p[i]);
    return sb_str(&b).p;
}

static void test_object(void **state)
{
    const struct object_row *row = *state;
    struct arena a;
    struct world w;
    struct environment_spec spec;
    struct plan plan;

    arena_init(&a, 0);
    given_world(&w, &a);
    (void)given_applied(&w, row->before, TAIL_RUNS);
    given_otherwise(&w, row->world);
    spec = given_spec(&a, row->want);
    plan = world_plan(&w, &spec, row->cause);
    assert_string_equal(say_lines(&a, &plan), row->lines);
    assert_string_equal(say_items(&a, &plan), row->items);
    arena_fini(&a);
}

static struct str plan_id_of_taking(struct arena *a, const char *id)
{
    struct world w;
    struct environment_spec spec;
    struct plan plan;

    given_world(&w, a);
    (void)given_applied(&w, DB, TAIL_RUNS);
    given_otherwise(&w, "database/main taking");
    world_find_marked(&w, S("database/main"))->id = str_from_c(id);
    spec = given_spec(a, DB);
    plan = world_plan(&w, &spec, PLAN_CAUSE_COMMIT);
    assert_true(str_find(plan.lines.p[0].reason, str_from_c(id)) != STR_NPOS);
    return digest_hex(a, &plan.id);
}

/* Who approved that one is taken has not approved another. */
static void test_taking_another(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    assert_true(str_eq(plan_id_of_taking(&a, "db-7"), plan_id_of_taking(&a, "db-7")));
    assert_false(str_eq(plan_id_of_taking(&a, "db-7"), plan_id_of_taking(&a, "db-8")));
    arena_fini(&a);
}

/* Wanted, then as it shows. What is only filled in later may be a password. */
static void test_filled_in_is_not_compared(void **state)
{
    static const char *const rows[][2] = {
        { "{\"url\":{\"secret\":\"a\",\"version\":\"1\"}}", "{\"url\":\"pw\"}" },
        { "{\"url\":{\"secret\":\"a@1\"}}", "{\"url\":\"pw\"}" },
        { "{\"users\":[{\"name\":\"x\",\"password\":{\"secret\":\"a\",\"version\":\"1\"}}]}",
          "{\"users\":[{\"name\":\"x\",\"password\":\"pw\"}]}" },
        { "{\"urls\":[{\"output\":\"database/main\",\"key\":\"url\",\"version\":\"1\"}]}",
          "{\"urls\":[\"pw\"]}" },
        { "{\"auth\":{\"password\":{\"secret\":\"a\",\"version\":\"1\"}}}", "{\"auth\":\"pw\"}" },
    };
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        assert_int_equal(
            object_compared(&a, NULL, given_json(&a, rows[i][0]), given_json(&a, rows[i][1])).n, 0);
    arena_fini(&a);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMENTS(object_rows) + 2] = {
        cmocka_unit_test(test_taking_another),
        cmocka_unit_test(test_filled_in_is_not_compared),
    };
    size_t n = 2;

    for (size_t i = 0; i < N_ELEMENTS(object_rows); i++)
        tests[n++] = (struct CMUnitTest){ .name = object_rows[i].sentence,
                                          .test_func = test_object,
                                          .initial_state = (void *)(uintptr_t)&object_rows[i] };
    return _cmocka_run_group_tests("objects", tests, n, NULL, NULL);
}
