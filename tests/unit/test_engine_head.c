/* engine: a head read on top of the one before is the head that is read anew. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/guard.h"
#include "base/hash.h"
#include "reconciler/engine/head.h"
#include "specs/json_io.h"

#define TREE_FILES 8
#define TREE_CODES 4
#define SEEDS 40
#define COMMITS 25

static const char daemon_text[] = "apiVersion: reeve/v1\nkind: Daemon\n"
                                  "sources: {shop: {url: file:///srv/shop.git}}\n"
                                  "providers: {box: {driver: \"null\"}}\n"
                                  "environments: [{match: {source: shop, name: \"*\"}, branch: "
                                  "main, providers: {services: [box]}}]\n";

/* What a file may hold: %d are names among few, so that they meet. */
#define APPLICATION                                                                                \
    "apiVersion: reeve/v1\nkind: Application\nname: a%d\nservices: {web: {command: [web], "        \
    "source: "                                                                                     \
    "{context: code/%d, build: [make]}}}\n"
#define ENVIRONMENT "apiVersion: reeve/v1\nkind: Environment\nname: e%d\napplication: a%d\n"
static const char *const texts[] = {
    APPLICATION,
    APPLICATION "---\n" ENVIRONMENT,
    ENVIRONMENT "---\n" APPLICATION,
    ENVIRONMENT,
    ENVIRONMENT "services: {web: {source: {context: code/%d, build: [make]}}}\n",
    ENVIRONMENT "replicsa: %d\n",
    "kind: [%d\n",
    "# %d\n",
};

struct tree { /* a commit: what stands where; text p NULL: nothing */
    struct str files[TREE_FILES];
    int codes[TREE_CODES]; /* version; 0: nothing */
};

static uint64_t random_state;

static int draw(int n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int)(random_state >> 33) % n;
}

/* Where nobody makes a mistake, even files hold applications and odd ones environments of them. */
static struct str draw_text(struct arena *a, int at, int is_mistake)
{
    int text = is_mistake ? draw((int)N_ELEMENTS(texts)) : at % 2 ? 3 + draw(2) : 0;
    int name = is_mistake ? draw(TREE_FILES) : at;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return str_fmt(a, texts[text], name, at % 2 ? draw(TREE_FILES / 2) * 2 : draw(TREE_CODES),
                   draw(TREE_CODES), draw(TREE_FILES));
#pragma GCC diagnostic pop
}

static void change(struct arena *a, struct tree *t)
{
    int is_mistake = !draw(8);

    for (int n = 1 + draw(3); n > 0; n--) {
        int at = draw(TREE_FILES);

        t->files[at] = draw(6) ? draw_text(a, at, is_mistake) : STR_NONE;
        if (!draw(3))
            t->codes[draw(TREE_CODES)] = draw(3);
    }
}

static struct str id_of(struct arena *a, struct str text)
{
    struct digest d = hash_bytes(text);

    return str_slice(digest_hex(a, &d), 0, 40);
}

static struct str code_of(struct arena *a, const struct tree *t)
{
    struct str all = S("");

    for (int i = 0; i < TREE_CODES; i++)
        all = str_fmt(a, "%.*s%d,", STR_ARG(all), t->codes[i]);
    return id_of(a, all);
}

/* What a source answers, on top of `base` or of nothing. */
static struct source_snapshot answer(struct arena *a, const struct tree *t, const struct tree *base,
                                     const struct str *paths, size_t n_paths, struct str code)
{
    struct source_snapshot s = { .has_base = base != NULL, .goes_on = 1, .code = code_of(a, t) };

    for (int i = 0; i < TREE_FILES; i++) {
        struct str path = str_fmt(a, ".reeve/f%d.yaml", i);

        if (t->files[i].p && !(base && base->files[i].p && str_eq(base->files[i], t->files[i])))
            *vec_push(a, &s.files) = (struct source_file){ path, id_of(a, t->files[i]),
                                                           t->files[i] };
        if (base && base->files[i].p && !t->files[i].p)
            *vec_push(a, &s.gone) = path;
    }
    for (size_t i = 0; i < n_paths && !str_eq(code, s.code); i++) {
        int at = paths[i].p[paths[i].n - 1] - '0';

        if (at < TREE_CODES && t->codes[at])
            *vec_push(a, &s.trees) = (struct source_path){ paths[i],
                                                           str_fmt(a, "%d", t->codes[at]) };
    }
    return s;
}

static struct head *read_head(const struct value *daemon, const struct tree *t,
                              const struct head *before, const struct tree *base)
{
    AUTO_ARENA struct arena a = { 0 };
    struct head *h = head_new(S("commit"), S("tree"));
    struct head_read in = { .daemon = daemon, .before = before };
    struct source_snapshot s;
    struct err err = ERR_INIT;
    const struct str *paths;
    size_t n;

    assert_non_null(h);
    h->source = S("shop");
    h->branch = S("main");
    h->spec_path = S(".reeve");
    assert_int_equal(head_read_known(before, &a, &paths, &n, &err), 0);
    s = answer(&a, t, base, paths, n, before ? before->code : S(""));
    in.snapshot = &s;
    assert_int_equal(head_read_files(h, &in, &a, &paths, &n, &err), 0);
    s = answer(&a, t, t, paths, n, S(""));
    assert_int_equal(head_read_trees(h, &s, &err), 0);
    assert_int_equal(head_read_moved(h, before, &err), 0);
    return h;
}

/* All that a head says, places too. */
static struct str told(struct arena *a, const struct head *h)
{
    const struct map *maps[] = { &h->bundle.applications, &h->bundle.environments };
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < h->messages.list.n; i++)
        spec_message_format(&b, &h->messages.list.p[i], STR_NONE, 0);
    sb_addf(&b, "%zu errors\n", h->messages.n_errors);
    for (size_t m = 0; m < N_ELEMENTS(maps); m++)
        for (size_t i = 0; i < maps[m]->n; i++) {
            const struct value *v = maps[m]->entries[i].value;

            sb_addf(&b, "%.*s:%u %.*s\n", STR_ARG(value_file(v->place)), v->place.line,
                    STR_ARG(json_format(a, v)));
        }
    for (size_t i = 0; i < h->envs.n; i++) {
        const struct head_env *env = h->envs.entries[i].value;

        sb_addf(&b, "%.*s:", STR_ARG(env->name));
        for (size_t j = 0; j < env->n_paths; j++) {
            const struct str *id = map_find(&h->trees, env->paths[j]);

            sb_addf(&b, " %.*s=%.*s", STR_ARG(env->paths[j]), STR_ARG(id ? *id : S("nothing")));
        }
        sb_add_char(&b, '\n');
    }
    return sb_str(&b);
}

/* What an environment is made of, as text: it moved when this differs. */
static struct str made_of(struct arena *a, const struct head *h, struct str name)
{
    const struct head_env *env = map_find(&h->envs, name);
    struct str text;

    if (!env)
        return S("");
    text = str_fmt(a, "%.*s %.*s", STR_ARG(json_format(a, env->document)),
                   STR_ARG(env->application ? json_format(a, env->application) : S("")));
    for (size_t i = 0; i < env->n_paths; i++) {
        const struct str *id = map_find(&h->trees, env->paths[i]);

        text = str_fmt(a, "%.*s %.*s=%.*s", STR_ARG(text), STR_ARG(env->paths[i]),
                       STR_ARG(id ? *id : S("")));
    }
    return text;
}

/* Who is made of something else is in the list. */
static int expect_moved(struct arena *a, const struct head *h, const struct head *before)
{
    int n = 0;

    if (h->everything_moved)
        return 0;
    for (int i = 0; i < TREE_FILES; i++) {
        struct str name = str_fmt(a, "e%d", i);

        if (str_eq(made_of(a, h, name), made_of(a, before, name)))
            continue;
        n++;
        if (!map_has(&h->moved, name))
            fail_msg("%s moved unseen", name.p);
    }
    return n;
}

static void given_daemon(struct arena *a, const struct value **ret)
{
    const struct spec_file file = { S("/etc/reeve.yaml"), str_from_c(daemon_text) };
    struct spec_messages m;
    struct bundle b;
    struct err err = ERR_INIT;

    spec_messages_init(&m, a);
    assert_int_equal(bundle_read(a, BUNDLE_DAEMON, &file, 1, &b, &m, &err), 0);
    assert_int_equal(normalise_daemon(a, &b, ret, &m, &err), 0);
    assert_int_equal(m.n_errors, 0);
}

static void test_what_is_read_on_top_is_what_is_read_anew(void **state)
{
    AUTO_ARENA struct arena a = { 0 };
    const struct value *daemon;
    int n_moved = 0, n_good = 0;

    (void)state;
    given_daemon(&a, &daemon);
    for (int seed = 1; seed <= SEEDS; seed++) {
        struct heads heads = { 0 };
        struct head *pinned = NULL;
        struct tree t = { 0 }, base;

        random_state = (uint64_t)seed;
        for (int i = 0; i < COMMITS; i++) {
            AUTO_ARENA struct arena said = { 0 };
            const struct head *before = heads.newest;
            int keeps_base = draw(8) != 0; /* or the mirror was made anew */
            struct head *h, *anew;

            base = t;
            change(&a, &t);
            h = read_head(daemon, &t, before, before && keeps_base ? &base : NULL);
            anew = read_head(daemon, &t, NULL, NULL);
            if (!str_eq(told(&said, h), told(&said, anew)))
                fail_msg("seed %d commit %d:\n%s\nanew:\n%s", seed, i, told(&said, h).p,
                         told(&said, anew).p);
            n_good += !h->messages.n_errors;
            if (before)
                n_moved += expect_moved(&said, h, before);
            head_free(anew);
            if (!draw(6)) { /* a round that breaks off */
                head_free(h);
                t = base;
                continue;
            }
            if (pinned && !draw(2))
                head_let_go(TAKE(pinned));
            head_publish(&heads, h);
            if (!pinned && !draw(3))
                pinned = head_use(h);
            if (pinned)
                assert_true(told(&said, pinned).n > 0);
        }
        if (pinned)
            head_let_go(pinned);
        head_free_all(&heads);
    }
    assert_true(n_moved > 200 && n_good > 200 &&
                n_good < SEEDS * COMMITS - 200); /* or they show little */
}

static void test_only_what_changed_is_read(void **state)
{
    AUTO_ARENA struct arena a = { 0 };
    const struct value *daemon;
    struct heads heads = { 0 };
    struct head *first, *second;
    struct tree t = { .files = { S_INIT("apiVersion: reeve/v1\nkind: Application\nname: a\n"
                                        "services: {web: {command: [web]}}\n"),
                                 S_INIT("apiVersion: reeve/v1\nkind: Environment\nname: e\n"
                                        "application: a\n"),
                                 S_INIT("apiVersion: reeve/v1\nkind: Environment\nname: f\n"
                                        "application: a\n"),
                                 S_INIT("apiVersion: reeve/v1\nkind: Environment\nname: g\n"
                                        "application: a\n"
                                        "services: {web: {image: \"x:${commit}\"}}\n") } },
                base;

    (void)state;
    given_daemon(&a, &daemon);
    first = read_head(daemon, &t, NULL, NULL);
    assert_int_equal(first->messages.n_errors, 0);
    assert_true(first->everything_moved);
    head_publish(&heads, first);
    base = t;
    t.files[2] = S("apiVersion: reeve/v1\nkind: Environment\nname: f\napplication: a\n# more\n");
    second = read_head(daemon, &t, first, &base);
    assert_true(second->files[0] == first->files[0] && second->files[1] == first->files[1]);
    assert_true(second->files[2] != first->files[2]);
    assert_true(map_find(&second->envs, S("e")) == map_find(&first->envs, S("e")));
    assert_true(!second->everything_moved && second->moved.n == 2 &&
                map_has(&second->moved, S("f")) && map_has(&second->moved, S("g")));
    head_publish(&heads, second);
    head_free_all(&heads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read_on_top_is_what_is_read_anew),
        cmocka_unit_test(test_only_what_changed_is_read),
    };

    return cmocka_run_group_tests_name("engine head", tests, NULL, NULL);
}
