/* A standby that takes over, and the daemon before it that comes back. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/follow.h"
#include "reconciler/engine/follow_page.h"
#include "tests/sim/world.h"

#define PAIR_DIED 9
#define PAIR_PAGE 40 /* events: a copy is made of many */

static const char *home_of(struct world *w, int side)
{
    return str_fmt(&w->arena, "%s/%s", w->dir, side ? "second" : "var").p;
}

static struct str url_of(struct world *w, int side)
{
    return str_fmt(&w->arena, "unix:%s/%d.sock", w->dir, side);
}

/* The same configuration with a file and a socket of its own. */
static const struct value *daemon_of(struct world *w, int side)
{
    struct value *more = value_map(&w->arena), *state = value_map(&w->arena);

    value_set_text(&w->arena, state, S("file"),
                   str_fmt(&w->arena, "%s/reeve.db", home_of(w, side)));
    value_set(&w->arena, more, S("state"), state);
    value_set_text(&w->arena, more, S("socket"), str_slice(url_of(w, side), 5, 4096));
    return value_merge(&w->arena, w->daemon, more);
}

/* --- the copy ------------------------------------------------------------------------------------ */

/* As it goes over the wire, and back. */
static void send_page(struct world *w, struct arena *a, struct replica_page *page)
{
    struct str text = json_format(a, follow_page_value(a, page));

    (void)w;
    MUST(follow_page_parse(a, text, page, err));
}

static void take_page(struct world *w, struct arena *a, const struct replica_page *page)
{
    const struct rec_replica row = { .id = REPLICA_ID,
                                     .url = url_of(w, w->side),
                                     .state = S("following"),
                                     .heard_ms = w->wall_ms,
                                     .head_seq = page->head_seq,
                                     .head_ms = page->head_ms };
    const char *path = str_fmt(a, "%s/reeve.db", home_of(w, !w->side)).p;

    if (!w->copy && !sys_exists(path)) {
        MUST(replica_open(path, page, &row, &w->copy, err));
        return;
    }
    if (!w->copy)
        MUST(db_open(path, DB_WRITE, &w->copy, err));
    MUST(db_batch_begin(w->copy, err));
    MUST(replica_add(w->copy, page, err));
    MUST(db_cache_put(w->copy, REC_replica, &row, err));
    MUST(db_batch_commit(w->copy, err));
}

void world_hear(struct world *w)
{
    struct digest hash;
    int64_t seq = 0, head = 1;

    (void)mkdir(home_of(w, !w->side), 0700); /* it may be there */
    while (seq < head) {
        AUTO_ARENA struct arena a;
        struct replica_page page;

        arena_init(&a, 0);
        if (w->copy)
            MUST(events_head(w->copy, &seq, &hash, err));
        MUST(replica_read(world_reader(w), &a, seq, PAIR_PAGE, 1 << 20, &page, err));
        head = page.head_seq;
        send_page(w, &a, &page);
        if (page.n_events)
            take_page(w, &a, &page);
    }
}

void world_put_aside(struct world *w)
{
    static const char *const ends[] = { "", "-wal", "-shm" };

    db_close(TAKE(w->copy));
    for (size_t i = 0; i < N_ELEMENTS(ends); i++)
        (void)unlink(str_fmt(&w->arena, "%s/reeve.db%s", home_of(w, !w->side), ends[i]).p);
}

/* What a person copies beside it: all but the head and key of the history. */
static void copy_folder(struct world *w, const char *from, const char *to)
{
    struct dirent **list = NULL;
    int n = scandir(from, &list, NULL, alphasort);

    (void)mkdir(to, 0700); /* it may be there */
    for (int i = 0; i < n; i++) {
        const char *name = list[i]->d_name, *path = str_fmt(&w->arena, "%s/%s", from, name).p,
                   *new_path = str_fmt(&w->arena, "%s/%s", to, name).p;
        struct stat st;
        struct str text;

        if (name[0] == '.' || !strncmp(name, "history", 7) || stat(path, &st)) {
        } else if (S_ISDIR(st.st_mode)) {
            copy_folder(w, path, new_path);
        } else {
            MUST(sys_read_file(&w->arena, path, 1u << 20, &text, err));
            MUST(sys_write_file(new_path, 0600, text, err));
        }
        free(list[i]); /* scandir's */
    }
    free(list); /* the same */
}

static void copy_keys(struct world *w)
{
    static const char *const folders[] = { "keys", "sealed" };

    for (size_t i = 0; i < N_ELEMENTS(folders); i++)
        copy_folder(w, str_fmt(&w->arena, "%s/%s", home_of(w, w->side), folders[i]).p,
                    str_fmt(&w->arena, "%s/%s", home_of(w, !w->side), folders[i]).p);
}

/* --- the takeover -------------------------------------------------------------------------------- */

static void die_there(void *ctx, enum crash_point point)
{
    if (*(const enum crash_point *)ctx == point)
        _exit(PAIR_DIED);
}

static void take_over_in_child(struct world *w, enum crash_point dies_at)
{
    struct engine *e = engine_new(&w->arena);
    struct err err = ERR_INIT;
    int rc;

    crash_set_hook(die_there, &dies_at);
    rc = engine_open(e,
                     &(struct engine_options){ .loop = loop_sim_new(&(struct loop_sim_options){
                                                   .seed = w->seed, .wall_ms = w->wall_ms }),
                                               .daemon = w->daemon,
                                               .make_source = world_repository_make,
                                               .make_source_ctx = w,
                                               .self = "/nowhere/reeve",
                                               .keeper = "/nowhere/keeper",
                                               .boot = "a boot",
                                               .holder = "a simulated takeover",
                                               .takeover = w->takeover },
                     &err);
    (void)fprintf(stderr, "takeover: %d: it did not die there: %s\n", rc, err.text);
    _exit(1);
}

static void die_in_takeover(struct world *w, enum crash_point dies_at)
{
    int status = -1;
    pid_t pid = fork(); /* it dies without an end in order, and its lock with it */

    PRE(pid >= 0);
    if (!pid)
        take_over_in_child(w, dies_at);
    PRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    PRE(WEXITSTATUS(status) == PAIR_DIED);
    w->died[dies_at]++;
    if (dies_at == CRASH_TAKEOVER_AFTER_BEGUN)
        w->takeover = NULL; /* it is the daemon */
}

void world_take_over(struct world *w, enum crash_point dies_at)
{
    struct follow_takeover *t = arena_new(&w->arena, struct follow_takeover);
    const struct value *before = daemon_of(w, w->side);
    struct digest hash;

    PRE(!w->engine && w->copy && t);
    *t = (struct follow_takeover){ .actor = S("a person"),
                                   .reason = S("it is off"),
                                   .url = url_of(w, w->side) };
    MUST(events_head(w->copy, &t->seq, &hash, err));
    copy_keys(w);
    db_close(TAKE(w->copy));
    db_close(TAKE(w->reader));
    w->crash_times = 0;
    w->before = before;
    w->side = !w->side;
    w->daemon = daemon_of(w, w->side);
    w->takeover = t;
    w->n_takeovers++;
    if (dies_at != N_CRASH_POINTS)
        die_in_takeover(w, dies_at);
}

/* --- the one before ------------------------------------------------------------------------------ */

struct guest {
    struct world *world;
    struct engine *engine;
};

static int guest_batch_begin(void *ctx, struct err *err)
{
    struct loop_batch b = engine_batch(((struct guest *)ctx)->engine);

    return b.begin(b.ctx, err);
}

static int guest_batch_commit(void *ctx, struct err *err)
{
    struct loop_batch b = engine_batch(((struct guest *)ctx)->engine);

    return b.commit(b.ctx, err);
}

static int nobody_answers(void *ctx, const struct http_request *in, struct arena *a,
                          struct http_reply *ret, int64_t *ret_delay_ms)
{
    (void)ctx, (void)in, (void)a, (void)ret;
    *ret_delay_ms = 2;
    return ERR_UNREACHABLE;
}

const char *world_comes_back(struct world *w, int64_t ms)
{
    AUTO_ARENA struct arena process;
    struct guest g = { .world = w };
    struct digest before = world_digest(w), after;
    struct loop *loop = loop_sim_new(
        &(struct loop_sim_options){ .seed = w->seed + 1,
                                    .wall_ms = w->loop ? loop_wall_ms(w->loop) : w->wall_ms,
                                    .work_ms_max = w->work_ms_max,
                                    .batch = { guest_batch_begin, guest_batch_commit, &g },
                                    .http = nobody_answers,
                                    .ctx = w });
    int refuses;

    arena_init(&process, 0);
    g.engine = engine_new(&process);
    MUST(engine_open(g.engine,
                     &(struct engine_options){ .loop = loop,
                                               .daemon = w->before,
                                               .make_source = world_repository_make,
                                               .make_source_ctx = w,
                                               .self = "/nowhere/reeve",
                                               .keeper = "/nowhere/keeper",
                                               .boot = "a boot",
                                               .holder = "the daemon before" },
                     err));
    refuses = engine_is_stale(g.engine);
    engine_start(g.engine);
    (void)loop_sim_run(loop, loop_mono_ms(loop) + ms);
    engine_stop(g.engine);
    (void)loop_sim_run(loop, loop_mono_ms(loop) + 20);
    loop_free(loop);
    engine_close(g.engine);
    after = world_digest(w);
    if (!refuses)
        return "the daemon before does not know that it is over";
    return digest_eq(&before, &after) ? NULL : "the daemon before changed the world";
}
