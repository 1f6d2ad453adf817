/*
 * env_task: keeps one environment as its specs say. SPDX-License-Identifier: Apache-2.0
 *
 *   REST -> SPEC -> KNOWN -> LOOK -> EDGE -> OBSERVE -> PLAN -> DECIDE -> REST       OBSERVE once a provider
 *
 * SPEC normalises the newest commit and pins secret versions; LOOK, EDGE and OBSERVE ask the providers of
 * what runs; PLAN makes the plan, stores it, and starts it when nobody has to be asked. A commit that wants
 * something has to go on from the one that was applied last: where that is not known, PLAN stores nothing,
 * DESCENT asks, and a person decides where it does not. Before a person is asked, AUTHORS reads who made the
 * changes: they do not approve them. A plan that runs is left alone but for a newer
 * commit, which asks it to end at its next boundary. While it waits for a person, BESIDE looks after what is
 * lost of services that it leaves alone: no repair waits for a yes to something else.
 *
 * Owns     its runs: at most one in its main part, one repair beside it, and the tails of earlier ones.
 * Thread   the loop's.
 */
#pragma once

#include "base/guard.h"
#include "reconciler/core/trigger.h"
#include "reconciler/engine/forge_task.h"
#include "reconciler/engine/job_task.h"
#include "reconciler/engine/run.h"
#include "reconciler/engine/snapshot_load.h"
#include "reconciler/engine/source_task.h"
#include "reconciler/engine/watch_task.h"

/* What a person asked for. */
struct env_ask {
    enum plan_cause cause; /* COMMIT: nothing was asked */
    struct digest revision;
    struct str actor; /* in the environment's own arena */
};

/* The highest Schema-Change of the commits after `from` up to `to`. */
struct env_change {
    char from[48], to[48], word[16];
};

enum env_lane {
    ENV_RUNS_MAIN,
    ENV_RUNS_BESIDE, /* a repair, while the main one waits for a person */
    ENV_RUNS_TAIL,
};

struct env_left {
    struct env_left *next;
    struct digest plan;
    enum env_lane lane;
};

struct env_task {
    struct task task;
    struct engine *engine;
    struct arena own;   /* as long as the task */
    struct arena cycle; /* of one pass */
    struct str uid, name, branch;
    struct log_field about[2]; /* of the log */
    struct str accepted;       /* becomes the uid when its row is durable */
    struct source_task *source;
    struct source_task *next_source; /* it is rebound when its next cycle begins; NULL: it is not */
    struct str next_branch;
    const struct value *rule;
    size_t rule_index;
    size_t slot;           /* of in_work */
    int is_suspect;        /* not looked at until a person resumes it; what is applied goes back */
    int is_left;           /* the same, and nothing goes back */
    int is_held_told;      /* its row says so */
    struct env_left *left; /* plans of a former life that it would go on with */
    struct watch_task watch;
    struct job_task jobs;
    struct notify_tests tests; /* of its recipients */
    struct env_ask asked;      /* for the next cycle in which no plan runs */
    /* of this cycle */
    struct env_ask ask;
    struct head *head;
    struct environment_spec spec;
    int has_spec;
    struct str applied; /* commit whose plan was started last; "" for none */
    struct str proven;  /* the one that what is live was proven for; "" for none */
    struct str
        rewound; /* why the newest commit has to be approved: it does not descend from that one */
    struct source_ancestry ancestry;
    struct source_log log;
    struct proof_task *proof; /* of the commits' signatures */
    struct task *child;
    int lacks_authors; /* nothing was stored: it is not known whose changes the plan holds, or what they say */
    struct str authors_to; /* the commit up to which they were read; STR_NONE: they were not */
    struct rec_plan_author *authors;
    size_t n_authors;
    struct source_call call;
    struct map pins;    /* secret -> its struct secret_pin now; NULL: absent */
    struct str trouble; /* why there is no spec: first message */
    struct observation *observations;
    struct rec_instance *instances;
    size_t n_observations;
    struct object_look *objects; /* databases and the like */
    size_t n_objects;
    struct map outputs; /* "kind/name#key" of theirs -> struct str *: version */
    size_t look_at;     /* OBSERVE: the first one whose provider was not asked yet */
    struct rec_resource
        edge; /* the switch: reading it makes sure that the proxy runs; env "" for none */
    const struct scale_wish *wishes; /* what load asks for */
    size_t n_wishes;
    struct snapshot snapshot;
    struct plan plan;
    struct run_plan *made; /* `plan` for who begins it; NULL: it is to be read */
    int waits;     /* what is wanted failed a moment ago: only what is lost is looked after */
    int starts;    /* the plan was written as applying */
    int is_beside; /* another one is being applied: only what that leaves alone is looked after */
    struct map moving; /* services that it does not; then */
    int keeps_ask;     /* what a person asked for waits for an approval */
    int is_doubtful;   /* nothing was stored: it is not known whether the commit goes on */
    int lacks_firsts;  /* nothing was stored: those that come first have not been looked at */
    VEC(struct trigger_first) firsts;  /* environments that come first */
    int lacks_checks;                  /* nothing was stored: the forge has not been asked */
    const struct value *checks_wanted; /* list of {name, app?} */
    struct forge_task *forge;
    int64_t debounces_ms; /* so long further commits are waited for */
    int64_t again_ms; /* after so long what it waits for is looked at again; -1: no such thing */
    /* across cycles */
    struct checks_known checks; /* what the forge said last */
    struct trigger_burst burst;
    int awaits; /* it waits for another environment */
    struct run *runs;
    struct run *main;   /* the one in its main part, or NULL */
    struct run *beside; /* the one that repairs meanwhile, or NULL */
    struct digest wanted,
        tried; /* revision of the newest commit; of the one that was planned last */
    int64_t failures, superseded_in_row, not_before_mono_ms;
    int64_t
        reconciled_ms; /* by the wall clock: when a cycle ended without trouble last; 0: none yet */
    int has_looked;    /* a cycle has ended */
    struct env_change change;
    struct proof *proven_of; /* what was found of signatures last; NULL: none are asked for */
    int cannot_repair;       /* the last repair failed: what is wanted does not wait for it */
    int is_cycling, is_queued;
    struct env_task *queue_next;
    int is_resting;           /* a whole cycle passed, and nothing moved since it began */
    int is_woken;             /* something did */
    int is_in_trouble;        /* the last one brought nothing but an error */
    atomic_int awaits_anchor; /* its plan waits for one (anchor_wait.h); STATE writes it */
    int is_unswept;           /* a plan may have ended since sealed sets were looked through */
    int64_t line; /* of the heads that go on from the commit applied last; 0: not known */
    struct digest last_trouble; /* of its text; none: a plan has ended since */
};

/* From a row, or for an environment that a commit names for the first time (uid STR_NONE). */
struct env_task *env_task_start(struct engine *e, struct source_task *source, struct str uid,
                                struct str name, struct str branch);
void env_task_wake(struct env_task *env);
/* Its row says that the name belongs to this source and branch now: from the next cycle on. */
void env_task_rebind(struct env_task *env, struct source_task *source, struct str branch);
/* It may have killed the daemon: nothing is done for it until it is trusted again. */
void env_task_suspect(struct env_task *env, int is_left);
void env_task_trust(struct env_task *env);
/* It rests, and nothing of it runs but what waits for a time that is ahead. */
int env_task_is_settled(const struct env_task *env);
void env_task_stop(struct env_task *env);
void env_task_fini(struct env_task *env);

/* What the row says that a person asked for; nothing when it says none. */
void env_task_ask(struct env_task *env, const struct rec_environment *row);
/* Of what stands in `row.ask`. */
enum plan_cause env_ask_cause(const struct rec_environment *row);

static inline int env_is_asked(const struct env_ask *ask)
{
    return ask->cause != PLAN_CAUSE_COMMIT;
}

/* Whether the newest commit goes on from the one applied last; rewound says that it does not. */
int env_task_knows_descent(const struct env_task *env);

/* A person settled an operation of this plan: it goes on. */
void env_task_reload(struct env_task *env, const struct digest *plan_id);

/* A plan of a former life that was being applied, or whose tail is open. */
void env_task_resume(struct env_task *env, const struct digest *plan_id, enum env_lane lane);

/* --- engine.c ------------------------------------------------------------------------------------ */

/* A newer head of a branch was published: who moved is woken, who is new is accepted. */
void engine_head_moved(struct engine *e, struct source_task *s, const struct head *h);
/* Again, after it did not: what could not be planned meanwhile is looked at. */
void engine_source_answers(struct engine *e, const struct source_task *s);
void engine_settled(struct engine *e);
void engine_task_ended(struct task *t, void *ctx);
struct env_task *engine_env(struct engine *e, struct str uid);
struct source_task *engine_source(struct engine *e, struct str name); /* NULL: none such */

/* What the newest commit asks for and the daemon's floor does not let it have; "" for nothing. */
static inline struct str env_below_floor(const struct env_task *env)
{
    return env->has_spec && env->spec.below.n ? env->spec.below : S("");
}

static inline struct env_task *env_of(struct task *t)
{
    return container_of(t, struct env_task, task);
}

/* --- env_run.c ----------------------------------------------------------------------------------- */

/* `take_made`: NULL where the plan is to be read. */
void env_run_begin(struct env_task *env, const struct digest *plan_id, struct run_plan *take_made,
                   enum env_lane lane);
/* The main one waits for a person, and nothing is repaired beside it: env->moving is what it is about. */
int env_run_leaves_rest(struct env_task *env);

/* --- env_cycle.c: on the loop -------------------------------------------------------------------- */

void env_cycle_begin(struct env_task *env);
/* What a pass knew; resting environments are many, and hold nothing. */
void env_cycle_drop(struct env_task *env);
void env_cycle_find_rule(struct env_task *env);
/* Whether the newest commit wants something else than the plan that runs. A plan of a former life says by
 * itself what it is for; a repair is in nobody's way. */
int env_cycle_supersedes_main(struct env_task *env);
/* It asks for each plan to be finished; and what may have to wait itself takes nobody's place. */
int env_cycle_finishes_first(const struct env_task *env);

/* --- env_look.c ---------------------------------------------------------------------------------- */

int env_look_specs(struct task *t, struct err *err); /* FILE: the newest commit, normalised */
/* What its head wants of it: env->spec, or messages with errors. */
int env_look_read(struct env_task *env, struct spec_messages *ret, struct err *err);
int env_look_instances(struct task *t, struct err *err); /* STATE: what should run */
int env_look_edge(struct task *t, struct err *err);      /* DRIVER: the proxy runs */
int env_look_world(struct task *t, struct err *err);     /* DRIVER: what one provider has of it */
/* The provider that is asked next; 0: all were. */
int env_look_next(const struct env_task *env, struct str *ret_provider);

/* --- env_commits.c: on the loop ------------------------------------------------------------------- */

/* Whether the commits are signed: begins the wait; after it 0, or why they do not count. */
int env_commits_prove(struct env_task *env, struct err *err);
int env_commits_proven(struct env_task *env, struct err *err);
/* 1: asked, the wait began. 0: the newest goes on from the one that was applied last. */
int env_commits_ask_descent(struct env_task *env);
int env_commits_descent(struct env_task *env, struct err *err); /* after it: `line`, or `rewound` */
void env_commits_ask_authors(struct env_task *env);

/* --- env_plan.c, env_row.c: on STATE -------------------------------------------------------------- */

/* The environment's row, made when a commit names it for the first time. */
int env_plan_accept(struct env_task *env, struct err *err);
/* The commits that were started and proven last, for DESCENT and AUTHORS. */
int env_plan_find_applied(struct env_task *env, struct err *err);
/* Whose changes lie between the commit that was proven last and the newest one. */
int env_authors_parse(struct env_task *env, struct err *err);
/* Instances of live sets, for OBSERVE. */
int env_plan_list_instances(struct env_task *env, struct err *err);
/* While a plan runs: what waits for a person to settle it. */
int env_plan_note_parked(struct env_task *env, struct err *err);
/* Snapshot, plan, rows; env->starts says that it is applying now. */
int env_plan_make(struct env_task *env, struct err *err);
/* The watch's word; told only when it differs. */
int env_plan_health(struct env_task *env, struct arena *a, struct str health, struct str reason,
                    struct err *err);
/* After the plan of a commit was made, env_undone.c: how many of its groups a person undid, which are in
 * quarantine now: the plan is to be made again. */
int env_undone_keep(struct env_task *env, int *ret_n, struct err *err);
/* 1: a person cancelled the last plan, and this one leads to the same. */
int env_undone_is_cancelled(struct env_task *env, int *ret, struct err *err);
/* A suspect: held, and why. */
int env_plan_suspect(struct env_task *env, struct err *err);
/* Why nothing is planned. */
int env_plan_trouble(struct env_task *env, struct err *err);
