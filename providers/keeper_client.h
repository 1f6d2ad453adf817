/*
 * keeper_client: start, look at and stop what a keeper watches. SPDX-License-Identifier: Apache-2.0
 *
 * RUNS/<owner label>/ is the identity of one watched program (DESIGN 8, Keeper): made and fsynced
 * before anything starts, removed last. Its `lock` is held while a keeper lives in it.
 *
 *     struct keeper_place p = { program, runs, owner };
 *     keeper_look()      what is there, without touching it
 *     keeper_take()      make the directory durable and take its lock; then host.identified(owner)
 *     keeper_start()     run `want` under a new keeper, which inherits the lock
 *     keeper_replace()   start another program beside it, which takes over
 *     keeper_adopt()     say hello to the one that lives there, with our epoch
 *     keeper_stop()      ask it to end its program; then look until it is gone
 *     keeper_remove()    kill what a dead keeper left, and remove the directory
 *
 * Functions that take `answer` return 0, or a verdict that stands in `answer` with a message.
 *
 * Owns     struct keeper_hold holds the lock until keeper_release().
 * Memory   what is read lives in the arena you pass.
 * Thread   any; one at a time for one owner changes it, looking is free.
 */
#pragma once

#include "providers/kit.h"
#include "providers/launch/launch.h"

struct keeper_place {
    struct str program; /* absolute path of the keeper */
    struct str runs;    /* absolute path of the directory of directories */
    struct str owner;   /* owner label: [a-z0-9-], the name of the directory and the id */
};

enum keeper_life {
    KEEPER_NONE,  /* no directory */
    KEEPER_LIVES, /* the lock is held */
    KEEPER_GONE,  /* the directory is there, nobody lives in it */
};

struct keeper_view {
    enum keeper_life life;
    struct str key;            /* of the operation that wrote spec.json last; STR_NONE before */
    const struct value *about; /* what keeper_start() was given; NULL before */
    uint64_t epoch;            /* the highest seen */
    struct str state;   /* starting running waiting stopping exited stopped; "" when unknown */
    struct str message; /* why it does not run */
    int64_t keeper_pid, pid, restarts;
    int64_t full; /* how often it ended because its files were over the quota */
    int64_t taking,
        leaving;          /* pids beside it while it is replaced: who comes, who goes; 0: nobody */
    int64_t exit, signal; /* of the last end; exit -1: none */
    int timed_out, frozen;
    struct str boot;             /* boot id of the machine when it was written */
    int64_t start, keeper_start; /* start times of pid and keeper_pid, in clock ticks since boot */
};

/* 0, or RV_RETRY: the directory is there and cannot be read. KEEPER_NONE is an answer. */
int keeper_look(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                struct keeper_view *ret, struct rv_result *answer);

struct keeper_hold {
    int dir, lock;
};

/* RV_FATAL: `epoch` is lower than one seen. RV_RETRY: somebody lives there now. */
int keeper_take(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                uint64_t epoch, struct keeper_hold *ret, struct rv_result *answer);
void keeper_release(struct keeper_hold *hold); /* NULL and a released one are fine */
#define AUTO_HOLD __attribute__((cleanup(keeper_release)))
#define KEEPER_HOLD_NONE                                                                           \
    {                                                                                              \
        -1, -1                                                                                     \
    }

enum keeper_restart { KEEPER_NEVER, KEEPER_ALWAYS };

struct keeper_want {
    struct str key;
    uint64_t epoch;
    struct value *about;          /* into spec.json as it is; never a secret */
    const struct str *argv, *env; /* env: "NAME=value" */
    size_t n_argv, n_env;
    struct str dir; /* working directory */
    /* Who starts the program instead of the keeper, and how (launch.h); "" and NULL: nobody. */
    struct str launcher;
    const struct launch *launch;
    int users; /* of class uid (launch/users.h); not closed here */
    enum keeper_restart restart;
    struct str stop_signal; /* "TERM"; "" is TERM */
    int64_t grace_ms;       /* between the stop signal and KILL */
    int64_t timeout_ms;     /* then it is stopped; 0: none */
    int64_t log_bytes;      /* of `log` before it becomes `log.1`; 0: KEEPER_LOG_BYTES */
    int64_t log_keep_ms;    /* nothing in them is older; 0: however old */
    /* For keeper_replace(): argv of this start alone, and how long the old one may go on. */
    const struct str *once;
    size_t n_once;
    int64_t leave_ms;
};
#define KEEPER_LOG_BYTES (4 << 20)

/* Returns when the program runs or could not be started (view.state, view.message). The lock is the
 * keeper's from here on. Environment values travel on a descriptor only. */
int keeper_start(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                 const struct keeper_want *want, struct keeper_hold *take_hold,
                 struct keeper_view *ret, struct rv_result *answer);

/* Raises the keeper's epoch; RV_FATAL when ours is lower. */
int keeper_adopt(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                 uint64_t epoch, struct rv_result *answer);

/* Ask; the program gets its stop signal, and KILL after the grace. Waits at most wait_ms for the end: look again. */
int keeper_stop(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                uint64_t epoch, uint32_t wait_ms, struct rv_result *answer);

/* Its program, with all that it started, does nothing until it is woken. RV_RETRY: it is about to start or stop. */
int keeper_freeze(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                  uint64_t epoch, struct rv_result *answer);
/* Its program gets SIGWINCH, which does nothing to one that does not ask for it. */
int keeper_drain(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                 uint64_t epoch, struct rv_result *answer);
int keeper_thaw(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                uint64_t epoch, struct rv_result *answer);

/* Give the one that lives there new instructions and make its program start again with them. */
int keeper_renew(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                 const struct keeper_want *want, struct rv_result *answer);

/* Start a program beside the one that runs. When it sends SIGUSR1 to the keeper, the old one gets its
 * stop signal and the new one has its place; ends it before, nothing has changed. Waits until that
 * is decided, at most 12 s; who does not wait finds it in view.taking. The caller looks which it was.
 * RV_RETRY: it does not run, or is being replaced. */
int keeper_replace(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                   const struct keeper_want *want, struct rv_result *answer);
/* Until nobody is about to take over. */
int keeper_settled(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                   struct keeper_view *ret, struct rv_result *answer);

/* Write a spec.json without starting anything: a directory that only remembers. */
int keeper_note(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                const struct keeper_want *want, const struct keeper_hold *hold,
                struct rv_result *answer);

/* End every process that a dead keeper left behind (same boot, same session, not older). 0: none lives any
 * more; -1: one does not end, and may still write. */
int keeper_sweep(const struct keeper_view *view);
/* End one that lives and answers nothing; its program dies with it. */
void keeper_kill(const struct keeper_view *view);

/* With the lock held: nothing lives there. The directory is gone at once, its files soon after. */
int keeper_remove(const struct rv_host *h, const struct keeper_place *p, struct keeper_hold *hold,
                  struct rv_result *answer);

/* Files that a removal which died here left; the directory itself was not there any more. */
void keeper_forget(struct arena *a, const struct keeper_place *p);

/* The last `max` bytes of its output, cut at a line; controls are '?': for a message. */
struct str keeper_log_tail(struct arena *a, const struct keeper_place *p, size_t max);
/* The same with controls: who shows it makes them visible. */
struct str keeper_log_text(struct arena *a, const struct keeper_place *p, size_t max);

/* Does a process of the view's keeper hold a listening TCP socket on `port`? */
int keeper_listens(struct arena *a, const struct keeper_view *view, int64_t port);
