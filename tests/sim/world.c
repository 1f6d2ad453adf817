/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/world.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/guard.h"
#include "base/sys.h"
#include "specs/json_io.h"
#include "state/events.h"

#define WORLD_WALL_MS INT64_C(1700000000000)

#define MUST(call)                                                                                 \
    do {                                                                                           \
        struct err must_err = ERR_INIT;                                                            \
        struct err *err = &must_err;                                                               \
        if (call) {                                                                                \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, err->text);                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* --- the repository ------------------------------------------------------------------------------ */

struct world_source {
    struct source source;
    struct world *world;
};

static const struct world *world_of(const struct source *s)
{
    return ((const struct world_source *)(const void *)s)->world; /* its first member */
}

static void world_wait(struct task *t, const struct world *w)
{
    wait_until_start(t,
                     loop_mono_ms(t->loop) + w->git_slow_ms + (int64_t)(loop_random(t->loop) % 20));
}

struct world_asked {
    const struct world *world;
    struct str commit;
    const struct str *paths;
    size_t n_paths;
};

static void world_ask(const struct source *s, struct task *t, struct arena *a,
                      struct source_call *call, struct str commit, const struct str *paths,
                      size_t n_paths)
{
    struct world_asked *asked = arena_new(a, struct world_asked);

    PRE(asked != NULL);
    *asked = (struct world_asked){ world_of(s), commit, paths, n_paths };
    call->own = asked;
    world_wait(t, asked->world);
}

static void world_fetch(const struct source *s, struct task *t, struct arena *a,
                        const struct source_fetch *in, struct source_call *call)
{
    (void)in;
    world_ask(s, t, a, call, STR_NONE, NULL, 0);
}

static int world_fetch_parse(struct arena *a, struct source_call *call, struct source_heads *ret,
                             struct err *err)
{
    const struct world *w = ((struct world_asked *)call->own)->world;
    struct source_head *h;

    if (w->is_git_down)
        return err_set(err, ERR_UNREACHABLE, "the git host does not answer");
    *ret = (struct source_heads){ 0 };
    h = vec_push(a, &ret->heads);
    PRE(h != NULL && w->n_commits > 0);
    *h = (struct source_head){ S("main"), w->commits[w->n_commits - 1].id,
                               w->commits[w->n_commits - 1].tree };
    return 0;
}

static void world_read(const struct source *s, struct task *t, struct arena *a,
                       const struct source_read *in, struct source_call *call)
{
    world_ask(s, t, a, call, in->commit, in->paths, in->n_paths);
}

static int world_read_parse(struct arena *a, struct source_call *call, struct source_snapshot *ret,
                            struct err *err)
{
    const struct world_asked *asked = call->own;
    const struct world *w = asked->world;

    if (w->is_git_down)
        return err_set(err, ERR_UNREACHABLE, "the git host does not answer");
    *ret = (struct source_snapshot){ 0 };
    for (size_t i = 0; i < w->n_commits; i++) {
        struct source_file *f;

        if (!str_eq(w->commits[i].id, asked->commit))
            continue;
        ret->commit.id = asked->commit;
        ret->commit.author = S("a developer");
        ret->commit.summary = S("a change");
        ret->spec_tree = w->commits[i].tree;
        f = vec_push(a, &ret->files);
        PRE(f != NULL);
        *f = (struct source_file){ S(".reeve/app.yaml"), w->commits[i].tree, w->commits[i].specs };
    }
    for (size_t i = 0; i < asked->n_paths; i++) {
        struct source_path *p = vec_push(a, &ret->trees);

        PRE(p != NULL);
        *p = (struct source_path){ asked->paths[i], S("1111111111111111111111111111111111111111") };
    }
    return 0;
}

static void world_export(const struct source *s, struct task *t, struct arena *a,
                         const struct source_export *in, struct source_call *call)
{
    world_ask(s, t, a, call, in->commit, NULL, 0);
}

static int world_export_parse(struct arena *a, struct source_call *call,
                              struct source_exported *ret, struct err *err)
{
    (void)a;
    (void)call;
    (void)err;
    *ret = (struct source_exported){ 0, 0 };
    return 0;
}

static const struct source_ops world_source_ops = {
    .fetch = world_fetch,
    .fetch_parse = world_fetch_parse,
    .read = world_read,
    .read_parse = world_read_parse,
    .export = world_export,
    .export_parse = world_export_parse,
};

static const struct source *world_make_source(void *ctx, struct arena *a, struct str name,
                                              const struct value *config)
{
    struct world_source *s = arena_new(a, struct world_source);

    (void)name;
    (void)config;
    PRE(s != NULL);
    s->source.ops = &world_source_ops;
    s->world = ctx;
    return &s->source;
}

/* --- what answers probes ------------------------------------------------------------------------- */

/* The desired body of the null driver's instance on this port. */
static struct str world_instance_on(struct world *w, struct arena *a, int64_t port)
{
    char path[512];
    struct dirent *entry;
    struct err err = ERR_INIT;
    DIR *dir;
    struct str found = STR_NONE;

    (void)snprintf(path, sizeof(path), "%s/world", w->dir);
    dir = opendir(path);
    while (dir && !found.p && (entry = readdir(dir))) {
        struct str text;
        struct value *v;

        (void)snprintf(path, sizeof(path), "%s/world/%s", w->dir, entry->d_name);
        if (!str_ends(str_from_c(entry->d_name), S(".json")) ||
            sys_read_file(a, path, 1 << 20, &text, &err) || json_parse(a, text, 1 << 20, &v, &err))
            continue;
        if (str_eq_c(value_get_text(v, S("type"), S("")), "instance") &&
            10000 + value_get_int(v, S("number"), 0) == port)
            found = value_get_text(v, S("desired"), S(""));
    }
    if (dir)
        (void)closedir(dir);
    return found;
}

static int world_http(void *ctx, const struct http_request *in, struct arena *a,
                      struct http_reply *ret, int64_t *ret_delay_ms)
{
    struct world *w = ctx;
    struct str url = str_from_c(in->url), body;
    size_t at = str_find(url, S("127.0.0.1:"));
    int64_t port = 0;

    *ret_delay_ms = 2;
    url = str_slice(url, at + 10, url.n);
    (void)str_to_i64(str_slice(url, 0, str_find_char(url, '/')), &port);
    body = world_instance_on(w, a, port);
    if (!body.p)
        return ERR_UNREACHABLE;
    ret->status = w->is_everything_sick || str_find(body, S("\"BAD\":\"1\"")) != STR_NPOS ? 500
                                                                                          : 200;
    return 0;
}

/* --- lives --------------------------------------------------------------------------------------- */

static void world_crash_hook(void *ctx, enum crash_point point)
{
    struct world *w = ctx;

    w->passed[point]++;
    if (w->crash_in > 0 && --w->crash_in == 0)
        loop_sim_crash(w->loop);
}

static void world_read_daemon(struct world *w)
{
    struct spec_messages m;
    struct bundle b;
    struct sb text, said;
    struct spec_file file = { .path = str_fmt(&w->arena, "%s/reeve.yaml", w->dir) };

    sb_init(&text, &w->arena);
    sb_add_c(&text, "apiVersion: reeve/v1\nkind: Daemon\n"
                    "state: {file: var/reeve.db}\n"
                    "sources: {app: {url: \"file:///nowhere\", branches: [main], poll: 5s}}\n"
                    "providers:\n  box: {driver: \"null\", directory: world}\n"
                    "auth: {same_user: allow}\n"
                    "environments:\n"
                    "  - match: {source: app, name: prod}\n    branch: main\n"
                    "    providers: {services: [box], domains: box}\n"
                    "    domains: [\"*.example.test\"]\n    isolation: none\n");
    file.text = sb_str(&text);
    spec_messages_init(&m, &w->arena);
    MUST(bundle_read(&w->arena, BUNDLE_DAEMON, &file, 1, &b, &m, err));
    if (!m.n_errors)
        MUST(normalise_daemon(&w->arena, &b, &w->daemon, &m, err));
    sb_init(&said, &w->arena);
    for (size_t i = 0; i < m.list.n; i++)
        spec_message_format(&said, &m.list.p[i], file.text, 0);
    if (m.n_errors)
        (void)fprintf(stderr, "%s", sb_str(&said).p);
    PRE(m.n_errors == 0);
}

void world_init(struct world *w, uint64_t seed)
{
    *w = (struct world){ .seed = seed };
    arena_init(&w->arena, 0);
    (void)snprintf(w->dir, sizeof(w->dir), "%s/reeve-sim-XXXXXX",
                   access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    PRE(mkdtemp(w->dir) != NULL);
    world_read_daemon(w);
}

void world_push(struct world *w, const char *specs)
{
    struct world_commit *c = &w->commits[w->n_commits++];
    struct digest d = hash_bytes(str_fmt(&w->arena, "%zu %s", w->n_commits, specs));

    PRE(w->n_commits < N_ELEMENTS(w->commits));
    c->id = str_slice(digest_hex(&w->arena, &d), 0, 40);
    d = hash_bytes(str_from_c(specs));
    c->tree = str_slice(digest_hex(&w->arena, &d), 0, 40);
    c->specs = str_copy(&w->arena, str_from_c(specs));
}

/* The loop outlives the engine of one life. */
static int world_batch_begin(void *ctx, struct err *err)
{
    struct loop_batch b = engine_batch(((struct world *)ctx)->engine);

    return b.begin(b.ctx, err);
}

static int world_batch_commit(void *ctx, struct err *err)
{
    struct loop_batch b = engine_batch(((struct world *)ctx)->engine);

    return b.commit(b.ctx, err);
}

static void world_begin_life(struct world *w)
{
    arena_init(&w->process, 0);
    w->engine = engine_new(&w->process);
    PRE(w->engine != NULL);
    if (!w->loop)
        w->loop = loop_sim_new(
            &(struct loop_sim_options){ .seed = w->seed,
                                        .wall_ms = WORLD_WALL_MS,
                                        .work_ms_max = 5,
                                        .batch = { world_batch_begin, world_batch_commit, w },
                                        .http = world_http,
                                        .ctx = w });
    crash_set_hook(world_crash_hook, w);
    w->n_lives++;
    MUST(engine_open(w->engine,
                     &(struct engine_options){ .loop = w->loop,
                                               .daemon = w->daemon,
                                               .make_source = world_make_source,
                                               .make_source_ctx = w,
                                               .self = "/nowhere/reeve",
                                               .keeper = "/nowhere/keeper",
                                               .holder = "a simulated daemon" },
                     err));
    engine_start(w->engine);
}

static void world_end_life(struct world *w)
{
    engine_close(w->engine);
    w->engine = NULL;
    arena_fini(&w->process);
}

void world_run(struct world *w, int64_t ms)
{
    int64_t until = (w->loop ? loop_mono_ms(w->loop) : 0) + ms;

    if (!w->engine)
        world_begin_life(w);
    until = loop_mono_ms(w->loop) + ms;
    while (loop_sim_run(w->loop, until) == 1) {
        world_end_life(w);
        world_begin_life(w);
    }
}

void world_stop(struct world *w)
{
    if (w->loop)
        loop_free(w->loop); /* drops what runs */
    w->loop = NULL;
    if (w->engine)
        world_end_life(w);
}

void world_fini(struct world *w)
{
    struct err err = ERR_INIT;

    world_stop(w);
    crash_set_hook(NULL, NULL);
    if (!getenv("KEEP"))
        (void)sys_remove_all(w->dir, &err); /* a temporary folder */
    arena_fini(&w->arena);
}

struct db *world_reader(struct world *w)
{
    struct db *db;
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/var/reeve.db", w->dir);
    MUST(db_open(path, DB_READ, &db, err));
    return db;
}

struct str world_status(struct world *w)
{
    struct db *db = world_reader(w);
    struct rec_environment *rows;
    struct sb text;
    size_t n;

    sb_init(&text, &w->arena);
    MUST(DB_SELECT(db, &w->arena, environment, "ORDER BY name", &rows, &n, err));
    for (size_t i = 0; i < n; i++)
        sb_addf(&text, "%s%.*s: %.*s", i ? "; " : "", STR_ARG(rows[i].sync),
                STR_ARG(rows[i].reason));
    db_close(db);
    return sb_str(&text);
}

void world_check(struct world *w)
{
    struct db *db = world_reader(w);
    int64_t n;

    MUST(events_verify(db, &n, err));
    MUST(replay_verify(db, &n, err));
    db_close(db);
}
