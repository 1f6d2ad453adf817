/*
 * golden: every case reads its specs and must say exactly what stands behind "=== output".
 * SPDX-License-Identifier: Apache-2.0
 *
 * show WORD ...: "environment NAME", or "preview NAME NUMBER SLUG" ("-": none), normalises it; then "service/api", "domain/app" (one line a
 * member), "needs", "providers", "beside", "policy", "used-secrets", "wants", "revision"; "daemon" prints the
 * daemon's configuration, "uncarried" what of it nothing acts on; "carets" shows messages with their lines.
 */
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
#include "base/vec.h"
#include "golden_case.h"
#include "specs/json_io.h"

#define GOLDEN_BYTES_MAX (1u << 20)

struct golden {
    struct arena *a;
    const struct golden_case *c;
    struct bundle bundle, daemon_bundle;
    const struct value *daemon;
    struct normalise_input in;
    struct environment_spec spec;
    struct spec_messages m;
    struct sb out;
    int carets;
};

static void show_members(struct golden *g, const char *title, struct str name,
                         const struct value *v)
{
    sb_addf(&g->out, "%s%.*s\n", title, STR_ARG(name));
    for (size_t i = 0; i < value_count(v); i++)
        sb_addf(&g->out, "  %.*s: %s\n", STR_ARG(v->u.map.entries[i].key),
                json_format(g->a, v->u.map.entries[i].value).p);
}

static void show_resource(struct golden *g, struct str name)
{
    for (size_t i = 0; i < g->spec.resources.n; i++) {
        const struct spec_resource *r = &g->spec.resources.p[i];
        struct str full = str_fmt(g->a, "%.*s/%.*s", STR_ARG(r->kind), STR_ARG(r->name));

        if (str_eq(full, name))
            show_members(g, "", full, r->desired);
    }
}

static void show_all_resources(struct golden *g, struct str word)
{
    for (size_t i = 0; i < g->spec.resources.n; i++) {
        const struct spec_resource *r = &g->spec.resources.p[i];

        sb_addf(&g->out, "%.*s/%.*s", STR_ARG(r->kind), STR_ARG(r->name));
        if (str_eq_c(word, "providers"))
            sb_addf(&g->out, " by '%.*s'", STR_ARG(r->provider));
        if (str_eq_c(word, "digests"))
            sb_addf(&g->out, " %.*s", 16, digest_hex(g->a, &r->digest).p);
        for (size_t j = 0; j < r->needs.n && str_eq_c(word, "needs"); j++)
            sb_addf(&g->out, " -> %.*s", STR_ARG(r->needs.p[j]));
        sb_add_char(&g->out, '\n');
    }
}

static void show_wants(struct golden *g)
{
    struct normalise_wants wants;
    struct err err = ERR_INIT;

    assert_int_equal(normalise_wants(g->a, &g->bundle, &g->in, &wants, &g->m, &err), 0);
    for (size_t i = 0; i < wants.paths.n; i++)
        sb_addf(&g->out, "path %.*s\n", STR_ARG(wants.paths.p[i]));
    for (size_t i = 0; i < wants.secrets.n; i++)
        sb_addf(&g->out, "secret %.*s %s\n", STR_ARG(wants.secrets.p[i]),
                json_format(g->a, value_get(wants.secret_refs, wants.secrets.p[i])).p);
}

/* What is no part of a resource's digest. */
static void show_beside(struct golden *g)
{
    for (size_t i = 0; i < g->spec.resources.n; i++) {
        const struct spec_resource *r = &g->spec.resources.p[i];

        if (r->drift)
            sb_addf(&g->out, "%.*s/%.*s drift %s\n", STR_ARG(r->kind), STR_ARG(r->name),
                    json_format(g->a, r->drift).p);
        if (r->moved_from.p)
            sb_addf(&g->out, "%.*s/%.*s was %.*s\n", STR_ARG(r->kind), STR_ARG(r->name),
                    STR_ARG(r->moved_from));
    }
    for (size_t i = 0; i < g->spec.forget.n; i++)
        sb_addf(&g->out, "forget %.*s\n", STR_ARG(g->spec.forget.p[i]));
}

static struct str absent(struct str word)
{
    return str_eq_c(word, "-") ? STR_NONE : word;
}

static void normalise(struct golden *g, const char *kind)
{
    struct err err = ERR_INIT;
    size_t index;

    g->in.branch = S("main");
    g->in.commit = S("c0ffee0000000000000000000000000000000000");
    g->in.outputs = &g->c->outputs;
    if (g->in.preview.p)
        assert_int_equal(
            normalise_preview_name(g->a, &g->bundle, &g->in, &g->in.environment, &g->m, &err), 0);
    g->in.trees = g->c->has_trees ? &g->c->trees : NULL;
    g->in.secrets = g->c->has_secrets ? &g->c->secrets : NULL;
    g->in.spec_path = S(".reeve");
    if (g->daemon)
        g->in.rule = daemon_rule(g->daemon, S("acme"), str_from_c(kind), g->in.environment, &index);
    if (g->daemon && !g->in.rule)
        sb_add_c(&g->out, "no rule matches\n");
    assert_int_equal(normalise_environment(g->a, &g->bundle, &g->in, &g->spec, &g->m, &err), 0);
}

/* As `reeve serve` says it, with the drivers of a small program. */
static void show_uncarried(struct golden *g)
{
    static const char *const built_in[] = { "haproxy", "null", "process" };
    struct value *drivers = value_list(g->a);

    for (size_t i = 0; i < N_ELEMENTS(built_in); i++)
        value_add(g->a, drivers, value_text(g->a, str_from_c(built_in[i])));
    daemon_uncarried(g->daemon, drivers, DAEMON_SERVED, &g->m);
}

static void show(struct golden *g, struct str word, struct str *rest)
{
    struct str name = STR_NONE, number = STR_NONE, slug = STR_NONE;

    if (str_eq_c(word, "environment") && str_next(rest, ' ', &name)) {
        g->in = (struct normalise_input){ .environment = name };
        normalise(g, "environment");
    } else if (str_eq_c(word, "preview") && str_next(rest, ' ', &name) &&
               str_next(rest, ' ', &number) && str_next(rest, ' ', &slug)) {
        g->in = (struct normalise_input){ .preview = name,
                                          .number = absent(number),
                                          .slug = absent(slug) };
        normalise(g, "preview");
    } else if (str_eq_c(word, "beside")) {
        show_beside(g);
    } else if (str_eq_c(word, "policy")) {
        show_members(g, "policy", STR_NONE, g->spec.policy);
    } else if (str_eq_c(word, "used-secrets")) {
        show_members(g, "secrets", STR_NONE, g->spec.secrets);
    } else if (str_eq_c(word, "daemon")) {
        show_members(g, "daemon", STR_NONE, g->daemon);
    } else if (str_eq_c(word, "uncarried")) {
        show_uncarried(g);
    } else if (str_eq_c(word, "revision")) {
        sb_addf(&g->out, "revision %.*s\n", 16, digest_hex(g->a, &g->spec.revision).p);
    } else if (str_eq_c(word, "wants")) {
        show_wants(g);
    } else if (str_eq_c(word, "needs") || str_eq_c(word, "providers") ||
               str_eq_c(word, "digests")) {
        show_all_resources(g, word);
    } else if (str_eq_c(word, "carets")) {
        g->carets = 1;
    } else {
        show_resource(g, word);
    }
}

static struct str source_of(const struct golden *g, struct str file)
{
    for (size_t i = 0; i < g->c->n_files && g->carets; i++)
        if (str_eq(g->c->files[i].path, file))
            return g->c->files[i].text;
    return STR_NONE;
}

static struct str run_case(struct arena *a, const struct golden_case *c)
{
    struct golden g = { .a = a, .c = c };
    struct err err = ERR_INIT;
    struct str rest = c->show, word;
    struct spec_lines lines = { 0 };
    struct sb text;

    spec_messages_init(&g.m, a);
    sb_init(&g.out, a);
    sb_init(&text, a);
    assert_int_equal(bundle_read(a, BUNDLE_REPOSITORY, c->files, c->n_files, &g.bundle, &g.m, &err),
                     0);
    if (c->daemon.path.p) {
        assert_int_equal(bundle_read(a, BUNDLE_DAEMON, &c->daemon, 1, &g.daemon_bundle, &g.m, &err),
                         0);
        assert_int_equal(normalise_daemon(a, &g.daemon_bundle, &g.daemon, &g.m, &err), 0);
    }
    while (str_next(&rest, ' ', &word))
        show(&g, word, &rest);
    spec_messages_sort(&g.m);
    for (size_t i = 0; i < g.m.list.n; i++)
        spec_message_format(&text, &g.m.list.p[i],
                            spec_line(&lines, source_of(&g, value_file(g.m.list.p[i].place)),
                                      g.m.list.p[i].place.line),
                            0);
    sb_add(&text, sb_str(&g.out));
    return sb_str(&text);
}

static struct str read_file(struct arena *a, const char *path)
{
    char *p = arena_alloc(a, GOLDEN_BYTES_MAX);
    FILE *f = fopen(path, "r");
    struct str text = { p, 0 };

    assert_non_null(f);
    text.n = fread(p, 1, GOLDEN_BYTES_MAX, f);
    (void)fclose(f); /* only read */
    return text;
}

struct golden_file {
    char path[512];
    char title[256];
    int update;
};

static void test_case(void **state)
{
    const struct golden_file *file = *state;
    AUTO_ARENA struct arena a;
    struct golden_case c;
    struct str out;

    arena_init(&a, 0);
    assert_int_equal(golden_case_parse(&a, read_file(&a, file->path), &c), 0);
    out = run_case(&a, &c);
    if (file->update) {
        FILE *f = fopen(file->path, "w");

        assert_non_null(f);
        assert_true(fprintf(f, "%.*s%.*s", STR_ARG(c.input), STR_ARG(out)) >= 0);
        assert_int_equal(fclose(f), 0);
    } else if (!str_eq(out, c.output)) {
        fail_msg("%s\n--- wanted\n%.*s--- got\n%.*s", file->path, STR_ARG(c.output), STR_ARG(out));
    }
}

/* What the grammar alone says of one file: the field table, not what needs several fields or documents. */
static struct value *grammar_of(struct arena *a, const char *from, enum bundle_kind kind,
                                const struct spec_file *file)
{
    struct bundle_file read;
    struct value *one = value_map(a), *said = value_list(a);
    struct err err = ERR_INIT;

    assert_int_equal(bundle_read_file(a, kind, file, &read, &err), 0);
    for (size_t i = 0; i < read.messages.list.n; i++)
        value_add(a, said,
                  value_text(a, str_fmt(a, "%.*s [%.*s]", STR_ARG(read.messages.list.p[i].text),
                                        STR_ARG(read.messages.list.p[i].rule))));
    value_set_text(a, one, S("from"), str_from_c(from));
    value_set_text(a, one, S("file"), file->path);
    value_set_text(a, one, S("text"), file->text);
    value_set(a, one, S("said"), said);
    return one;
}

/* A JSON list of every file of the cases and every file named, with what is said of its grammar. */
static void write_grammar(struct arena *a, const struct golden_file *cases, size_t n_cases,
                          char **paths, size_t n_paths)
{
    struct value *all = value_list(a);

    for (size_t i = 0; i < n_cases; i++) {
        struct golden_case c;

        assert_int_equal(golden_case_parse(a, read_file(a, cases[i].path), &c), 0);
        for (size_t k = 0; k < c.n_files; k++)
            value_add(a, all, grammar_of(a, cases[i].title, BUNDLE_REPOSITORY, &c.files[k]));
        if (c.daemon.path.p)
            value_add(a, all, grammar_of(a, cases[i].title, BUNDLE_DAEMON, &c.daemon));
    }
    for (size_t i = 0; i < n_paths; i++) {
        struct spec_file file = { str_from_c(paths[i]), read_file(a, paths[i]) };
        int is_daemon = str_find(file.text, S("\nkind: Daemon\n")) != STR_NPOS;

        value_add(a, all,
                  grammar_of(a, "example", is_daemon ? BUNDLE_DAEMON : BUNDLE_REPOSITORY, &file));
    }
    (void)fputs(json_format(a, all).p, stdout);
}

static int is_case(const struct dirent *entry)
{
    return str_ends(str_from_c(entry->d_name), S(".case"));
}

int main(int argc, char **argv)
{
    AUTO_ARENA struct arena a;
    struct dirent **names = NULL;
    int n = scandir(GOLDEN_CASES, &names, is_case, alphasort), failed;
    struct CMUnitTest *tests;
    struct golden_file *files;

    arena_init(&a, 0);
    if (n <= 0)
        return EXIT_FAILURE;
    tests = arena_new_n(&a, struct CMUnitTest, (size_t)n);
    files = arena_new_n(&a, struct golden_file, (size_t)n);
    for (int i = 0; i < n; i++) {
        (void)snprintf(files[i].path, sizeof(files[i].path), "%s/%s", GOLDEN_CASES,
                       names[i]->d_name);
        (void)snprintf(files[i].title, sizeof(files[i].title), "%s", names[i]->d_name);
        files[i].update = argc > 1 && !strcmp(argv[1], "update");
        tests[i] = (struct CMUnitTest){ .name = files[i].title,
                                        .test_func = test_case,
                                        .initial_state = &files[i] };
        free(names[i]);
    }
    free(names);
    if (argc > 1 && !strcmp(argv[1], "grammar")) {
        write_grammar(&a, files, (size_t)n, argv + 2, (size_t)argc - 2);
        return EXIT_SUCCESS;
    }
    failed = _cmocka_run_group_tests("golden", tests, (size_t)n, NULL, NULL);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
