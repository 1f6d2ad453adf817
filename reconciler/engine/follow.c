/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/follow_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/engine/follow_page.h"
#include "reconciler/engine/installation.h"
#include "reconciler/engine/stale.h"

#define FOLLOW_WAIT_MS 20000    /* the other one answers when something happened, or then */
#define FOLLOW_TIMEOUT_MS 60000 /* of one page */
#define FOLLOW_PAUSE_MS 200     /* after the first failure; it doubles */
#define FOLLOW_PAUSE_MAX_MS 10000
#define FOLLOW_ROUND_MAX (6u * FOLLOW_PAGE_MAX) /* a page as text, as it grew, and as values */

/*   ASK -> TAKE -> JUDGE -> ASK       TAKE: check and commit
 *    ^               |  PAUSE          a failure of either is judged, and tried again
 *    `---------------'----'                                                     */
enum { FOLLOW_ASK, FOLLOW_TAKE, FOLLOW_JUDGE, FOLLOW_PAUSE, FOLLOW_END };

/* clang-format off */
static const struct task_state follow_states[] = {
    /*                 name     successors                                    on error      deadline_ms */
    [FOLLOW_ASK]   = { "ASK",   TO2(FOLLOW_TAKE, FOLLOW_END),                 FOLLOW_JUDGE, 0 },
    [FOLLOW_TAKE]  = { "TAKE",  TO(FOLLOW_JUDGE),                             FOLLOW_JUDGE, 0 },
    [FOLLOW_JUDGE] = { "JUDGE", TO3(FOLLOW_ASK, FOLLOW_PAUSE, FOLLOW_END),    FOLLOW_END,   0 },
    [FOLLOW_PAUSE] = { "PAUSE", TO(FOLLOW_ASK),                               FOLLOW_JUDGE, 0 },
    [FOLLOW_END]   = { "END",   0,                                            NO_ERROR_EDGE, 0 },
};
/* clang-format on */

/* --- the copy ------------------------------------------------------------------------------------ */

static int read_own_head(struct db *db, struct follow_place *at, struct err *err)
{
    AUTO_ARENA struct arena a;
    struct digest hash;
    struct event e;
    int rc = events_head(db, &at->seq, &hash, err);

    arena_init(&a, 0);
    if (!rc && at->seq)
        rc = events_get(db, &a, at->seq, &e, err);
    if (!rc)
        at->time_ms = at->seq ? e.time_ms : 0;
    return rc;
}

static struct rec_replica row_of(const struct follow *f, const struct replica_page *page)
{
    return (struct rec_replica){ .id = REPLICA_ID,
                                 .url = f->options.url,
                                 .state = S("following"),
                                 .heard_ms = loop_wall_ms(f->options.loop),
                                 .head_seq = page->head_seq,
                                 .head_ms = page->head_ms };
}

/* What was sealed here is of a history that somebody put aside. */
static int begin_copy(struct follow *f, const struct replica_page *page,
                      const struct rec_replica *row, struct err *err)
{
    struct str installation = str_copy(&f->kept, page->installation);

    if (history_seal_forget(&f->kept, f->keys.p, err) ||
        history_seal_open(&f->kept, f->keys.p, installation, HISTORY_SEAL_MAKE, &f->seal, err))
        return err->code;
    return replica_open(f->file.p, page, row, &f->db, err);
}

static void seal_copy(struct follow *f)
{
    struct err err = ERR_INIT;

    if (history_seal_commit(&f->seal, f->db, &err))
        LOG(LOG_WARN, "the head of the history is not sealed", LOG_C("err", err.text));
}

static int add_page(struct follow *f, const struct replica_page *page, struct err *err)
{
    const struct rec_replica row = row_of(f, page);
    int rc = db_batch_begin(f->db, err);

    if (rc)
        return rc;
    rc = replica_add(f->db, page, err);
    if (!rc)
        rc = db_cache_put(f->db, REC_replica, &row, err);
    if (!rc)
        return db_batch_commit(f->db, err);
    db_batch_abandon(f->db);
    return rc;
}

static int take_page(struct task *t, struct err *err)
{
    struct follow *f = container_of(t, struct follow, task);
    struct replica_page page;
    struct rec_replica row;
    int rc = follow_page_parse(&f->round, f->call.reply.body, &page, err);

    if (rc)
        return rc;
    row = row_of(f, &page);
    if (!f->db)
        rc = begin_copy(f, &page, &row, err);
    if (!rc)
        rc = add_page(f, &page, err);
    if (f->db)
        seal_copy(f);
    if (!rc)
        rc = read_own_head(f->db, &f->took, err);
    f->took.head_seq = page.head_seq;
    f->took.heard_ms = row.heard_ms;
    return rc;
}

/* --- the other one ------------------------------------------------------------------------------- */

static void ask(struct follow *f, struct task *t)
{
    arena_reset(&f->round);
    peer_start(&f->peer, t, &f->round,
               str_fmt(&f->round, "?after=%" PRId64 "&limit=%d&wait_ms=%d", f->at.seq,
                       FOLLOW_EVENTS_MAX, f->heard_mono_ms ? FOLLOW_WAIT_MS : 0),
               FOLLOW_TIMEOUT_MS, &f->call);
}

static void note_trouble(struct follow *f, const struct err *why)
{
    int is_new = !f->trouble[0];

    (void)snprintf(f->trouble, sizeof(f->trouble), "%s", why->text);
    if (is_new)
        LOG(LOG_WARN, "the other daemon is not followed, it is asked again",
            LOG_S("url", f->options.url), LOG_C("err", f->trouble));
    f->pause_ms = f->pause_ms ? 2 * f->pause_ms : FOLLOW_PAUSE_MS;
    if (f->pause_ms > FOLLOW_PAUSE_MAX_MS)
        f->pause_ms = FOLLOW_PAUSE_MAX_MS;
}

int64_t follow_behind(const struct follow *f)
{
    return f->at.head_seq > f->at.seq ? f->at.head_seq - f->at.seq : 0;
}

static enum task_verdict judge(struct follow *f, struct task *t)
{
    int rc = t->rc;

    t->rc = 0;
    if (t->cancelled)
        return task_goto(t, FOLLOW_END);
    if (rc == ERR_CONFLICT && !f->heard_mono_ms) {
        f->refusal = t->err; /* nobody is told by a copy of something else */
        return task_goto(t, FOLLOW_END);
    }
    if (rc) {
        note_trouble(f, &t->err);
        return task_goto(t, FOLLOW_PAUSE);
    }
    if (f->on_commit && f->took.seq > f->at.seq)
        f->on_commit(f->on_commit_ctx);
    f->at = f->took;
    if (f->trouble[0] || !f->heard_mono_ms)
        LOG(LOG_INFO, "following", LOG_S("url", f->options.url));
    f->trouble[0] = 0;
    f->pause_ms = 0;
    f->heard_mono_ms = loop_mono_ms(t->loop);
    return task_goto(t, FOLLOW_ASK);
}

static enum task_verdict follow_step(struct task *t)
{
    struct follow *f = container_of(t, struct follow, task);

    switch (t->state) {
    case FOLLOW_ASK:
        if (t->cancelled)
            return task_goto(t, FOLLOW_END);
        ask(f, t);
        return task_then(t, FOLLOW_TAKE);
    case FOLLOW_TAKE:
        if (peer_judge(&f->peer, &f->call, &f->round, &t->err)) {
            t->rc = t->err.code;
            return task_goto(t, FOLLOW_JUDGE);
        }
        wait_work_start(t, POOL_STATE, take_page);
        return task_then(t, FOLLOW_JUDGE);
    case FOLLOW_JUDGE:
        return judge(f, t);
    case FOLLOW_PAUSE:
        wait_until_start(t, loop_mono_ms(t->loop) + f->pause_ms);
        return task_then(t, FOLLOW_ASK);
    case FOLLOW_END:
        return task_done(t);
    }
    UNREACHABLE();
}

static void follow_ended(struct task *t, void *ctx)
{
    struct follow *f = ctx;

    (void)t;
    f->is_over = 1;
    if (f->refusal.code)
        f->options.over(f->options.over_ctx);
    else
        loop_stop(f->options.loop);
}

/* --- beginning and end --------------------------------------------------------------------------- */

/* A past that was rewritten, or cut, is not what anybody goes on from. */
static int check_seal(struct follow *f, struct err *err)
{
    struct str why;

    if (history_seal_open(&f->kept, f->keys.p, db_installation(f->db), HISTORY_SEAL_MAKE, &f->seal,
                          err) ||
        history_seal_judge(&f->kept, &f->seal, f->db, &why, err))
        return err->code;
    return why.p ? err_set(err, ERR_CORRUPT, "%.*s: put '%.*s' aside, and it is copied anew",
                           STR_ARG(why), STR_ARG(f->file))
                 : 0;
}

static int open_copy(struct follow *f, struct err *err)
{
    struct rec_replica row;
    int rc = sys_exists(f->file.p) ? db_open(f->file.p, DB_WRITE, &f->db, err) : 0;

    if (rc || !f->db)
        return rc;
    rc = installation_keep(f->a, f->keys.p, db_installation(f->db), err);
    if (!rc)
        rc = check_seal(f, err);
    if (!rc)
        rc = read_own_head(f->db, &f->at, err);
    if (rc)
        return rc;
    rc = replica_row(f->db, f->a, &row, err);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    f->at.head_seq = rc ? f->at.seq : row.head_seq;
    f->at.heard_ms = rc ? 0 : row.heard_ms;
    return 0;
}

static struct str dir_of(struct arena *a, struct str path)
{
    size_t slash = path.n;

    while (slash && path.p[slash - 1] != '/')
        slash--;
    return slash > 1 ? str_copy(a, str_slice(path, 0, slash - 1)) : S("/");
}

int follow_is_wanted(struct arena *a, const struct value *daemon, struct str url, int *ret,
                     struct err *err)
{
    struct str file = value_get_text(value_get(daemon, S("state")), S("file"), S("")), why;
    struct rec_replica row = { .state = S("") };
    struct err ignored = ERR_INIT; /* who cannot be asked has no newer life */
    struct db *db = NULL;
    int64_t epoch = 0;
    int rc = sys_exists(file.p) ? db_open(file.p, DB_READ, &db, err) : 0;

    if (!rc && db)
        rc = replica_row(db, a, &row, err);
    if (rc == ERR_NOT_FOUND)
        rc = 0;
    if (!rc && db)
        rc = stale_epoch(a, db, &epoch, err);
    *ret = !str_eq_c(row.state, "taken_over") ||
           (!peer_fences(a, daemon, url, db_installation(db), epoch, &why, &ignored) && why.p);
    db_close(db);
    if (!rc && !*ret)
        LOG(LOG_WARN, "it took over and goes on as the daemon: it is nobody's standby",
            LOG_S("of", url));
    return rc;
}

int follow_new(struct arena *a, const struct follow_options *options, struct follow **ret,
               struct err *err)
{
    struct follow *f = arena_new(a, struct follow);

    if (!f)
        return arena_status(a, err);
    f->options = *options;
    f->a = a;
    f->lock.fd = -1;
    arena_init(&f->round, FOLLOW_ROUND_MAX);
    arena_init(&f->kept, 0);
    f->file = value_get_text(value_get(options->daemon, S("state")), S("file"), S(""));
    f->dir = dir_of(a, f->file);
    f->keys = str_fmt(a, "%.*s/keys", STR_ARG(f->dir));
    if (arena_status(a, err) || sys_mkdir_all(f->dir.p, 0750, err) ||
        sys_mkdir_all(f->keys.p, 0700, err) ||
        lock_take(f->file.p, options->holder, &f->lock, err) ||
        peer_open(a, options->daemon, options->url, &f->peer, err) || open_copy(f, err)) {
        follow_free(f);
        return err->code;
    }
    *ret = f;
    return 0;
}

void follow_start(struct follow *f)
{
    task_start(&f->task, f->options.loop, "follow", follow_states, (int)N_ELEMENTS(follow_states),
               FOLLOW_ASK, follow_step, follow_ended, f);
}

void follow_stop(struct follow *f)
{
    if (f->is_over)
        loop_stop(f->options.loop);
    else
        task_cancel(&f->task, ERR_CANCELLED);
}

void follow_on_commit(struct follow *f, loop_fn *fn, void *ctx)
{
    f->on_commit = fn;
    f->on_commit_ctx = ctx;
}

void follow_free(struct follow *f)
{
    if (!f)
        return;
    db_close(TAKE(f->db));
    explicit_bzero(f->seal.key, sizeof(f->seal.key));
    arena_wipe(&f->round);
    arena_fini(&f->kept);
    lock_release(&f->lock);
}

/* --- what it says -------------------------------------------------------------------------------- */

const char *follow_state_path(const struct follow *f)
{
    return f->file.p;
}

int follow_result(const struct follow *f, struct err *err)
{
    return f->refusal.code ? err_set(err, ERR_REFUSED, "'%.*s' cannot follow '%.*s': %s",
                                     STR_ARG(f->file), STR_ARG(f->options.url), f->refusal.text)
                           : 0;
}

struct value *follow_view(const struct follow *f, struct arena *a)
{
    struct value *v = value_map(a);

    value_set_text(a, v, S("url"), f->options.url);
    value_set_int(a, v, S("seq"), f->at.seq);
    value_set_int(a, v, S("time_ms"), f->at.time_ms);
    value_set_int(a, v, S("head_seq"), f->at.head_seq);
    value_set_int(a, v, S("behind"), follow_behind(f));
    value_set_int(a, v, S("heard_ms_ago"),
                  f->heard_mono_ms ? loop_mono_ms(f->options.loop) - f->heard_mono_ms : -1);
    if (f->trouble[0])
        value_set_text(a, v, S("error"), str_copy(a, str_from_c(f->trouble)));
    return v;
}
