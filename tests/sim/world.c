/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/env_task.h"
#include "specs/json_io.h"

#define WORLD_WALL_MS INT64_C(1700000000000)
#define WORLD_SINK_PORT 1
#define WORLD_PORT_FIRST 10000 /* of the null driver */
#define WORLD_CRATE_FIRST 2000 /* what is in the crate counts from here: ports are one machine's */
#define WORLD_ONCE_MS (60 * 60 * 1000)

/* --- what answers probes ------------------------------------------------------------------------- */

static struct null_object *world_recall(struct null_store *s, struct null_object *o)
{
    PRE(!o || !null_store_recall(s, o, &(struct err)ERR_INIT));
    return o;
}

struct null_object *world_next(struct world *w, struct world_walk *walk)
{
    struct null_store *s = walk->is_in_crate ? &w->crate->store : &w->box->store;

    walk->at = walk->at ? walk->at->next : NULL;
    while (!walk->at && walk->slot < s->n_slots)
        walk->at = s->slots[walk->slot++];
    if (walk->at || walk->is_in_crate || !w->crate)
        return world_recall(s, walk->at);
    *walk = (struct world_walk){ .is_in_crate = 1 };
    return world_next(w, walk);
}

struct null_object *world_find(struct world *w, struct str owner)
{
    struct null_object *o = null_store_find(&w->box->store, owner);

    return o || !w->crate
               ? world_recall(&w->box->store, o)
               : world_recall(&w->crate->store, null_store_find(&w->crate->store, owner));
}

static int world_is_bad(struct world *w, const struct null_object *o)
{
    unsigned char *n = &w->n_probes[o->number % WORLD_PORTS_MAX];

    *n = (unsigned char)(*n < WORLD_ROTS_AFTER ? *n + 1 : *n);
    return str_find(o->desired, S("\"BAD\":\"1\"")) != STR_NPOS ||
           (*n == WORLD_ROTS_AFTER && str_find(o->desired, S("\"ROTS\":\"1\"")) != STR_NPOS);
}

/* Whoever hears: of each subject that is told once there is one id, however often it comes. */
static void world_be_told(struct world *w, struct str body, struct http_reply *ret)
{
    struct arena *a = &w->arena;
    struct value *v;
    struct str subject, id, *known;
    const struct notify_event *e;

    MUST(json_parse(a, body, 1u << 20, &v, err));
    subject = value_get_text(v, S("subject"), S(""));
    id = value_get_text(v, S("id"), S(""));
    e = notify_events_find(value_get_text(v, S("word"), S("")));
    ret->status = w->sink_status ? w->sink_status : 200;
    if (w->sink_status)
        return;
    w->n_told++;
    if (!e || e->end != NOTIFY_TERMINAL)
        return;
    known = map_find(&w->told, subject);
    if (known && !str_eq(*known, id))
        w->told_twice = subject;
    w->n_told_again += known != NULL;
    known = arena_new(a, struct str);
    *known = id;
    map_put(&w->told, subject, known);
}

static int world_http(void *ctx, const struct http_request *in, struct arena *a,
                      struct http_reply *ret, int64_t *ret_delay_ms)
{
    struct world *w = ctx;
    struct str url = str_from_c(in->url);
    struct world_walk walk = { 0 };
    int64_t port = 0;

    (void)a;
    *ret_delay_ms = 2;
    url = str_slice(url, str_find(url, S("127.0.0.1:")) + 10, url.n);
    (void)str_to_i64(str_slice(url, 0, str_find_char(url, '/')), &port);
    if (port == WORLD_SINK_PORT) {
        world_be_told(w, in->body, ret);
        return 0;
    }
    for (struct null_object *o = world_next(w, &walk); o; o = world_next(w, &walk)) {
        if (!str_eq_c(o->type, "instance") || WORLD_PORT_FIRST + o->number != port)
            continue;
        ret->status = w->is_everything_sick || world_is_bad(w, o) ? 500 : 200;
        return 0;
    }
    return ERR_UNREACHABLE;
}

/* --- what goes wrong ----------------------------------------------------------------------------- */

static void world_crash_hook(void *ctx, enum crash_point point)
{
    struct world *w = ctx;

    w->passed[point]++;
    if (!w->crash_times || point != w->crash_point || --w->crash_nth > 0)
        return;
    w->crash_times--;
    w->died[point]++;
    loop_sim_crash(w->loop);
}

void world_die(struct world *w, enum crash_point point, int nth, int times)
{
    w->crash_point = point;
    w->crash_nth = nth;
    w->crash_times = times;
}

static void world_note_begun(void *ctx, const struct null_object *job)
{
    struct world *w = ctx;

    if (map_has(&w->begun, job->owner))
        w->begun_twice = str_copy(&w->arena, job->name);
    else
        map_put(&w->begun, str_copy(&w->arena, job->owner), NULL);
}

static void world_tell_box(struct world *w)
{
    if (!w->box)
        return;
    w->box->faults = w->faults;
    w->box->n_faults = w->n_faults;
    w->box->latency_ms = w->latency_ms;
    w->box->pending = w->pending;
    w->box->job_looks = w->job_looks;
    w->box->busy = w->busy;
    w->box->begun = world_note_begun;
    w->box->begun_ctx = w;
}

void world_fault(struct world *w, struct null_fault fault)
{
    if (w->n_faults < WORLD_FAULTS_MAX)
        w->faults[w->n_faults++] = fault;
    world_tell_box(w);
}

void world_busy(struct world *w, int64_t thousandths)
{
    w->busy = thousandths;
    world_tell_box(w);
}

void world_calm(struct world *w)
{
    w->n_faults = 0;
    w->latency_ms = 0;
    w->pending = 0;
    w->is_git_down = w->git_slow_ms = w->is_everything_sick = w->is_disk_full = w->crash_times = 0;
    world_tell_box(w);
}

static struct null_object *world_nth_instance(struct world *w, int nth, int *ret_n)
{
    struct world_walk walk = { 0 };
    struct null_object *o;

    *ret_n = 0;
    while (w->box && (o = world_next(w, &walk)))
        if (str_eq_c(o->type, "instance") && (*ret_n)++ == nth)
            return o;
    return NULL;
}

/* Its place stays, and says whose it is. */
static struct str desired_of_lost(struct world *w, const struct null_object *o)
{
    struct value *was, *lost = value_map(&w->arena);

    MUST(json_parse(&w->arena, o->desired, 1u << 20, &was, err));
    value_set_text(&w->arena, lost, S("state"), S("lost"));
    if (value_get(was, S("label")))
        value_set(&w->arena, lost, S("label"), value_copy(&w->arena, value_get(was, S("label"))));
    return json_format(&w->arena, lost);
}

void world_drift(struct world *w)
{
    struct world_walk walk = { 0 };
    struct null_object *o;

    while (w->box && (o = world_next(w, &walk))) {
        char path[600];
        FILE *f = NULL;

        if (!str_eq_c(o->type, "database"))
            continue;
        (void)snprintf(path, sizeof(path), "%.*s/%.*s.drift", STR_ARG(w->box->store.directory),
                       STR_ARG(o->owner));
        f = fopen(path, "w");
        if (!f || fputs("{\"observed\":{\"storage\":1}}", f) < 0 || fclose(f))
            abort();
    }
}

static void world_lose(struct world *w, struct null_object *o)
{
    struct err err = ERR_INIT;

    PRE(!null_object_set(o, &o->type, S("lost")) &&
        !null_object_set(o, &o->desired, desired_of_lost(w, o)) &&
        !null_store_keep(&w->box->store, o, &err));
}

int world_lose_named(struct world *w, struct str env_uid, struct str name)
{
    struct null_object *o;
    int n;

    for (int i = 0; (o = world_nth_instance(w, i, &n)); i++)
        if (str_eq(o->name, name) && str_find(o->desired, env_uid) != STR_NPOS) {
            world_lose(w, o);
            return 1;
        }
    return 0;
}

int world_lose_instance(struct world *w, uint64_t random)
{
    struct null_object *o;
    int n;

    (void)world_nth_instance(w, -1, &n);
    if (!n)
        return 0;
    o = world_nth_instance(w, (int)(random % (uint64_t)n), &n);
    world_lose(w, o);
    return 1;
}

/* --- what people say ----------------------------------------------------------------------------- */

static void world_forget_saying(struct world_saying *s)
{
    struct world_saying **at = &s->world->sayings;

    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    arena_fini(&s->call.arena);
    alloc_free(s);
}

static void world_said(struct task *t, void *ctx)
{
    struct world_saying *s = ctx;

    if (!t->rc && s->done)
        ++*s->done;
    world_forget_saying(s);
}

void world_say(struct world *w, const struct command *command, int *done)
{
    struct world_saying *s = w->engine ? alloc_zero(sizeof(*s)) : NULL;
    struct arena *a;

    if (!s)
        return;
    a = &s->call.arena;
    arena_init(a, 0);
    s->world = w;
    s->done = done;
    s->next = w->sayings;
    w->sayings = s;
    s->call.in = *command;
    s->call.in.env = str_copy(a, command->env);
    s->call.in.plan = str_copy(a, command->plan);
    s->call.in.operation = str_copy(a, command->operation);
    s->call.in.as = str_copy(a, command->as);
    s->call.in.reason = S("a reason");
    s->call.in.actor = S("a person");
    s->call.in.is_admin = 1;
    command_start(w->engine, &s->call, world_said, s);
}

/* --- chance: in place of the kernel's, so that ids are the seed's too ------------------------------ */

static uint64_t world_chance;

ssize_t getrandom(void *p, size_t n, unsigned flags)
{
    unsigned char *at = p;

    (void)flags;
    for (size_t i = 0; i < n; i++) {
        world_chance = world_chance * 6364136223846793005u + 1442695040888963407u;
        at[i] = (unsigned char)(world_chance >> 56);
    }
    return (ssize_t)n;
}

/* --- lives --------------------------------------------------------------------------------------- */

static void world_read_daemon(struct world *w)
{
    struct spec_messages m;
    struct bundle b;
    struct sb text, said;
    struct spec_file file = { .path = str_fmt(&w->arena, "%s/reeve.yaml", w->dir) };

    sb_init(&text, &w->arena);
    sb_add_c(&text,
             "apiVersion: reeve/v1\nkind: Daemon\n"
             "state: {file: var/reeve.db}\n"
             "sources: {app: {url: \"file:///nowhere\", branches: [beside, main], poll: 10s}}\n"
             "auth: {same_user: allow}\n"
             "secrets: {generated: made, stores: {env: {type: env}, made: {type: file, directory: "
             "made}}}\n"
             "limits: {concurrency: 8, per_provider: {box: 6}}\n"
             "anchors: [{type: git, url: \"file:///place\"}]\n"
             "notifications: [{type: webhook, url: {secret: hook}, key: {secret: hook_key}, on: "
             "[plan_ready, applied, apply_failed, reverted, revert_failed, degraded, unhealthy, "
             "provider_down, recovered]}]\n"
             "providers:\n  box: {driver: \"null\", directory: world}\n");
    if (w->boxes == WORLD_BOX_EACH)
        sb_add_c(&text, "  crate: {driver: \"null\", directory: crate}\n");
    sb_add_c(&text, "environments:\n");
    if (w->boxes == WORLD_BOX_EACH)
        sb_add_c(&text, "  - match: {source: app, name: stage}\n    branch: main\n"
                        "    providers: {services: [crate], domains: crate, databases: [crate], "
                        "redis: [crate]}\n"
                        "    domains: [\"*.example.test\"]\n    isolation: none\n"
                        "    secrets: [{path: \"env:\"}]\n");
    sb_add_c(&text,
             "  - match: {source: app, name: \"*\"}\n    branch: main\n"
             "    providers: {services: [box], domains: box, databases: [box], redis: [box]}\n"
             "    domains: [\"*.example.test\"]\n    isolation: none\n"
             "    secrets: [{path: \"env:\"}]\n");
    file.text = sb_str(&text);
    spec_messages_init(&m, &w->arena);
    MUST(bundle_read(&w->arena, BUNDLE_DAEMON, &file, 1, &b, &m, err));
    if (!m.n_errors)
        MUST(normalise_daemon(&w->arena, &b, &w->daemon, &m, err));
    sb_init(&said, &w->arena);
    for (size_t i = 0; i < m.list.n; i++)
        spec_message_format(&said, &m.list.p[i], STR_NONE, 0);
    if (m.n_errors)
        (void)fprintf(stderr, "%s", sb_str(&said).p);
    PRE(m.n_errors == 0);
}

void world_init(struct world *w, uint64_t seed, enum world_boxes boxes)
{
    *w = (struct world){ .seed = seed, .wall_ms = WORLD_WALL_MS, .work_ms_max = 5, .boxes = boxes };
    world_chance = seed;
    arena_init(&w->arena, 0);
    map_init(&w->begun, &w->arena);
    (void)snprintf(w->dir, sizeof(w->dir), "%s/reeve-sim-XXXXXX",
                   access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    PRE(mkdtemp(w->dir) != NULL);
    PRE(!mkdir(str_fmt(&w->arena, "%s/made", w->dir).p, 0700)); /* of secrets */
    PRE(!setenv("REEVE_SECRET_TOKEN", "a token that nobody reads", 1));
    PRE(!setenv("REEVE_SECRET_HOOK", "http://127.0.0.1:1/hook", 1));
    PRE(!setenv("REEVE_SECRET_HOOK_KEY", "a key that nobody reads", 1));
    map_init(&w->told, &w->arena);
    world_read_daemon(w);
    crash_set_hook(world_crash_hook, w);
}

void world_push(struct world *w, struct str specs)
{
    struct world_commit *c = &w->commits[w->n_commits];
    struct digest d = hash_bytes(str_fmt(&w->arena, "%zu %.*s", w->n_commits, STR_ARG(specs)));

    PRE(w->n_commits < N_ELEMENTS(w->commits));
    c->id = str_slice(digest_hex(&w->arena, &d), 0, 40);
    d = hash_bytes(specs);
    c->tree = str_slice(digest_hex(&w->arena, &d), 0, 40);
    c->specs = str_copy(&w->arena, specs);
    w->n_commits++;
}

/* The loop outlives the engine of one life. */
static int world_batch_begin(void *ctx, struct err *err)
{
    struct loop_batch b = engine_batch(((struct world *)ctx)->engine);

    return b.begin(b.ctx, err);
}

static int world_batch_commit(void *ctx, struct err *err)
{
    struct world *w = ctx;
    struct loop_batch b = engine_batch(w->engine);

    if (!w->is_disk_full)
        return b.commit(b.ctx, err);
    db_batch_abandon(w->engine->db);
    return err_set(err, ERR_FULL, "the disk is full");
}

static void world_open_boxes(struct world *w)
{
    w->box = registry_find(w->engine->providers, S("box"))->self;
    world_tell_box(w);
    MUST(null_store_load(&w->box->store, err));
    if (w->boxes == WORLD_ONE_BOX)
        return;
    w->crate = registry_find(w->engine->providers, S("crate"))->self;
    MUST(null_store_load(&w->crate->store, err));
    if (w->crate->store.next_number < WORLD_CRATE_FIRST)
        w->crate->store.next_number = WORLD_CRATE_FIRST;
}

static void world_begin_life(struct world *w)
{
    arena_init(&w->process, 0);
    w->engine = engine_new(&w->process);
    PRE(w->engine != NULL);
    if (!w->loop)
        w->loop = loop_sim_new(
            &(struct loop_sim_options){ .seed = w->seed + (uint64_t)w->n_lives,
                                        .wall_ms = w->wall_ms,
                                        .work_ms_max = w->work_ms_max,
                                        .batch = { world_batch_begin, world_batch_commit, w },
                                        .exec = world_place_exec,
                                        .http = world_http,
                                        .ctx = w });
    w->n_lives++;
    w->is_disk_full = 0; /* else it would not start */
    MUST(engine_open(w->engine,
                     &(struct engine_options){
                         .loop = w->loop,
                         .daemon = w->daemon,
                         .make_source = world_repository_make,
                         .make_source_ctx = w,
                         .self = "/nowhere/reeve",
                         .keeper = "/nowhere/keeper",
                         .boot = str_to_c(&w->process, str_fmt(&w->process, "%d", w->n_lives)),
                         .holder = "a simulated daemon",
                         .once = w->is_once,
                         .takeover = TAKE(w->takeover) },
                     err));
    world_open_boxes(w);
    engine_start(w->engine);
}

/* Tasks are gone, or were dropped. */
static void world_end_life(struct world *w)
{
    while (w->sayings)
        world_forget_saying(w->sayings);
    w->box = w->crate = NULL;
    engine_close(w->engine);
    w->engine = NULL;
    arena_fini(&w->process);
}

void world_run(struct world *w, int64_t ms)
{
    int64_t until;

    if (!w->engine)
        world_begin_life(w);
    until = loop_mono_ms(w->loop) + ms;
    while (loop_sim_run(w->loop, until) == 1) {
        world_end_life(w);
        world_begin_life(w);
    }
}

/* Whatever still ran is dropped with the loop; the next one begins where this one's clock stood. */
static void world_drop_loop(struct world *w)
{
    w->wall_ms = loop_wall_ms(w->loop);
    loop_free(TAKE(w->loop));
    world_end_life(w);
}

void world_once(struct world *w)
{
    world_stop(w);
    w->is_once = 1;
    world_run(w, WORLD_ONCE_MS);
    PRE(w->engine->stopping); /* it ends in every case */
    world_drop_loop(w);
    w->is_once = 0;
}

void world_stop(struct world *w)
{
    if (!w->engine)
        return;
    engine_stop(w->engine);
    (void)loop_sim_run(w->loop,
                       loop_mono_ms(w->loop) + 20); /* a crash while it stops is one more */
    world_drop_loop(w);
}

static void world_crash_now(void *ctx)
{
    loop_sim_crash(((struct world *)ctx)->loop);
}

void world_kill(struct world *w)
{
    struct loop_timer *now;

    if (!w->engine)
        return;
    now = loop_timer_new(w->loop, world_crash_now, w);
    loop_timer_set(now, loop_mono_ms(w->loop));
    while (loop_sim_run(w->loop, INT64_MAX) != 1)
        ;
    loop_timer_free(now);
    world_drop_loop(w);
}

void world_fini(struct world *w)
{
    struct err err = ERR_INIT;

    world_stop(w);
    db_close(TAKE(w->reader));
    db_close(TAKE(w->copy));
    crash_set_hook(NULL, NULL);
    if (!getenv("KEEP"))
        (void)sys_remove_all(w->dir, &err); /* a temporary folder */
    arena_fini(&w->arena);
}

struct db *world_reader(struct world *w)
{
    if (!w->reader)
        MUST(db_open(str_fmt(&w->arena, "%s/%s/reeve.db", w->dir, w->side ? "second" : "var").p,
                     DB_READ, &w->reader, err));
    return w->reader;
}

struct str world_status(struct world *w, struct str env)
{
    struct rec_environment *rows;
    size_t n;

    MUST(DB_SELECT(world_reader(w), &w->arena, environment, "WHERE name = $1", &rows, &n, err,
                   DB_T(env)));
    return n ? str_fmt(&w->arena, "%.*s: %.*s", STR_ARG(rows[0].sync), STR_ARG(rows[0].reason))
             : S("none");
}
