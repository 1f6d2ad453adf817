/*
 * run: one plan being applied. SPDX-License-Identifier: Apache-2.0
 *
 *   LOAD -> WALK -> ... -> WRITE (a group or the plan moved) -> WALK -> ... -> OVER
 *
 * Asks core/schedule for moves, carries them out as operations, gates and marks, and ends when nothing is
 * left in any lane. Everything it knows is in the plan document and the rows, so a new life starts it
 * again from there.
 *
 * Owns     its arena (the plan) and the tasks it began.
 * Thread   the loop's.
 */
#pragma once

#include "reconciler/core/schedule.h"
#include "reconciler/engine/gate_task.h"
#include "reconciler/engine/op_task.h"

struct mark_task { /* rows only: one savepoint */
    struct task task;
    struct run *run;
    size_t index;
    struct arena arena;
    struct rec_operation rec;
    enum op_end end;
    int is_refused; /* the rows could not be written: said once */
};

union run_task {
    struct op_task op;
    struct gate_task gate;
    struct mark_task mark;
};

struct run_child { /* one an item */
    struct run *run;
    size_t index;
    union run_task *task;   /* NULL: not running */
    struct op_found *found; /* an open row of a former life */
    struct rec_gate *gate;
    struct str message; /* why it failed */
    int is_at_fault;    /* its failure is one of what was deployed */
    enum gate_verdict verdict;
};

/* A plan as it was made: who begins it at once need not read what was written. */
struct run_plan {
    struct arena arena;
    struct plan plan;
};
/* NULL: out of memory; then it is read. Not the loop's alone. */
struct run_plan *run_plan_keep(const struct value *document);
void run_plan_free(struct run_plan *kept); /* NULL is fine */

struct run {
    struct task task;
    struct engine *engine;
    struct arena arena; /* the loop's, and the load's */
    struct arena rows;  /* STATE's */
    struct digest plan_id;
    struct run_plan *kept; /* NULL: `plan` is read from its row */
    struct plan plan;
    struct schedule schedule;
    struct log_field about[3]; /* of the log: env, plan */
    char short_id
        [IDENTITY_SHORT]; /* of the plan, as the log says it: every load empties the arenas */
    struct str env_name, commit_id; /* commit asked for by; "" for none */
    const struct value *secrets;    /* {name: {store, path, key}} of the environment */
    struct map pins,
        made; /* "NAME@VERSION" of all that its target refers to; of what was generated */
    struct rec_rollout *rollouts; /* one a group */
    struct run_child *children;
    struct schedule_move move; /* the group move being written */
    int is_loaded;
    int is_writing;             /* RUN_WRITES_* of run.c */
    int is_refused;             /* its rows could not be written: said once */
    int is_settled;             /* a parked operation was settled: its row is read again */
    enum schedule_end main_end; /* SCHEDULE_RUNS until the main part is through and written */
    struct str reason;          /* why it ended as it did */
    void (*main_ended)(struct run *r, void *ctx);
    void (*moved)(struct run *r, const struct value *members, void *ctx);
    void *ctx;
    struct run *next; /* of the environment */
};

struct run_options {
    struct engine *engine;
    struct digest plan_id;
    struct run_plan *take_made; /* taken over; NULL: not at hand */
    struct str env_name;
    void (*main_ended)(struct run *r, void *ctx); /* once; the tail may go on */
    void (*moved)(struct run *r, const struct value *members,
                  void *ctx); /* traffic of these, [{service, to, from}] */
    task_ended *ended;
    void *ctx;
};

/* Start applying: the plan's row is `applying` already, or `applied` with a tail to finish. */
void run_start(struct run *r, const struct run_options *options);
void run_fini(struct run *r);

/* A newer commit or a person wants it to end: at the next boundary, or now. */
void run_wish(struct run *r, enum schedule_wish wish);
/* A person let it go on: gates that are watched, or wait for that, end when what they look at is well. Of the
 * group of this service; "": all. */
void run_advance(struct run *r, struct str service, struct str actor);
/* What its open gates count, each as gate_task_view says it. */
void run_view_gates(const struct run *r, struct arena *a, struct value *list);
/* A later plan moved the service: what this one's tail kept of it is kept no more. */
void run_take_over(struct run *r, struct str service);
/* A person settled an operation of it. */
void run_reload(struct run *r);
/* Nothing is left to do in any lane, for a person neither: it ends in a moment. */
int run_is_over(const struct run *r);
/* Its main part is through, and what is left of its tail has to wait: for a time that is ahead, or for a
 * provider that refuses. */
int run_is_waiting(const struct run *r);
/* It cannot go on: whatever of it runs was tried again and again, or needs a person. */
int run_is_stuck(const struct run *r);
/* A person has to let it go on, or to settle something of it, whatever else of it runs. */
int run_needs_person(const struct run *r);
/* Services of which something is left to do in its main part, as keys of `ret`. */
void run_add_moving(const struct run *r, struct map *ret);
/* The daemon ends: tasks are cancelled, rows stay open. */
void run_stop(struct run *r);

/* --- run_load.c, run_rows.c, run_mark_rows.c: on STATE ------------------------------------------------------------------------ */

/* The plan and everything a former life did; statuses, group states, rollout rows. */
/* What was in its store once is never generated again: "NAME@VERSION" -> anything. */
int run_rows_made(struct engine *e, struct str env_uid, struct map *ret, struct err *err);
int run_rows_load(struct run *r, struct err *err);
/* What a person settled since: parked items take the state of their rows. */
int run_rows_reload(struct run *r, struct err *err);
/* What a switch or a flip means for the sets of its members. */
int run_rows_flip(struct run *r, struct tx *tx, const struct plan_item *item, struct err *err);
/* A mark: its rows and its own operation in one savepoint. */
int run_rows_mark(struct run *r, struct tx *tx, const struct plan_item *item, struct err *err);
/* run_objects.c: the marks of an object: adopted, kept, forgotten. */
int run_rows_object(struct run *r, struct tx *tx, const struct plan_item *item, struct err *err);
/* What was done to objects and stays, when the plan did not come through: "database/main, redis/jobs"; "" for none. */
struct str run_rows_stays(struct run *r, struct arena *a);
/* Whether it has a way back, and takes it: what failed may be left for a person. */
int run_group_goes_back(const struct run *r, int group, int has_failed);
/* Of a rollout: it is on its way back, whether that comes through or not. */
int run_rollout_goes_back(struct str state);
/* A group begins to go back, or has no way back. */
int run_rows_group(struct run *r, struct tx *tx, const struct schedule_move *move, struct err *err);
/* The group of a rollout came to its end: `state` says which. */
int run_rows_end_rollout(struct run *r, struct tx *tx, int group, struct str state,
                         struct err *err);
/* Nothing is left to do in any lane: the groups' rows say so, and no later life looks again. */
int run_rows_over(struct run *r, struct tx *tx, struct err *err);
/* 1: it repairs beside another that is being applied, which says how the environment is. */
int run_rows_is_beside(struct run *r, struct err *err);
/* The main part ended without its last mark. */
int run_rows_end(struct run *r, struct tx *tx, enum schedule_end end, struct err *err);
