/*
 * planner: the plan that is being made, between the files that make it. SPDX-License-Identifier: Apache-2.0
 *
 *   plan.c           the order of it all, what stands in the records and in the id
 *   plan_subjects.c  what happens to each service, and what is left alone
 *   plan_depends.c   what they wait for that is not part of the same switch
 *   plan_groups.c    which of them switch as one, and which group waits for which
 *   plan_objects.c   what happens to each object: databases and the like
 *   plan_object_items.c  what runs for them, and who waits for whom
 *   plan_routes.c    the routes of the target and of what is recorded
 *   plan_lines.c     what people review
 *   plan_budget.c    whether it takes too much away
 *   plan_lower.c     what runs
 *   plan_limits.c    what of it is not kept
 *   plan_promises.c  and what is, by whom
 */
#pragma once

#include "reconciler/core/estate.h"
#include "reconciler/core/graph.h"
#include "reconciler/core/rollout.h"

/* What happens to one service. */
enum fate {
    FATE_SAME,
    FATE_SETTINGS,
    FATE_SCALE,
    FATE_ROLL,     /* a set beside the live one, or the first */
    FATE_ROLLING,  /* instance by instance */
    FATE_RECREATE, /* the old ones go first */
    FATE_REMOVE,
};

/* A job that ends well before services begin. */
struct awaited_job {
    const struct spec_resource *job;
    struct digest key;  /* it runs once for it */
    size_t first, last; /* of its items; ROLLOUT_NO_ITEM: it does not run */
};

struct subject {
    struct member m;
    const struct spec_resource *want; /* NULL: goes, or stays as it is recorded */
    const struct recorded *have;      /* NULL: new */
    struct subject *was;     /* the one that it takes over from under another name; NULL: none */
    struct subject *becomes; /* who takes over from it; NULL: nobody */
    size_t node;             /* in the graph; n: not there */
    enum fate fate;
    size_t leader;                  /* first subject of its group */
    struct digest group_digest;     /* of the group that it leads */
    size_t next;                    /* of the group, by name; all: it is the last */
    VEC(size_t) routes;             /* that lead to it, of the plan's */
    VEC(struct awaited_job *) jobs; /* that it waits for, by name */
    int group;                      /* -1: none */
    int is_kept;                    /* as it is recorded, whatever is wanted */
};

/* What happens to one object. */
enum object_fate {
    OBJECT_STAYS,
    OBJECT_HELD,     /* as it is recorded: its data is protected */
    OBJECT_RECORDED, /* it is as wanted, and is recorded now */
    OBJECT_TAKEN,    /* the one that a person named becomes ours */
    OBJECT_MOVED,    /* it had another name */
    OBJECT_CREATED,
    OBJECT_UPDATED,
    OBJECT_REPLACED,
    OBJECT_DELETED,
    OBJECT_LET_GO,    /* no longer managed: its data stays */
    OBJECT_FORGOTTEN, /* it is ours no more, and stays as it is */
    N_OBJECT_FATES
};

struct planned_object {
    struct str kind, name;
    const struct spec_resource *want; /* NULL: nobody asks for it */
    const struct recorded *have;      /* NULL: there is none */
    const struct value *type;         /* of its driver's schema; NULL: it does not say */
    const struct value *before;       /* as it was recorded, where it is still so */
    const struct value *desired;      /* what its provider is asked for */
    enum object_fate fate;
    int is_drift;       /* the world is another one, not the specs */
    int has_moved;      /* `have` is of the name it had */
    size_t first, last; /* of its items; ROLLOUT_NO_ITEM: it has none */
};

struct planner {
    struct lowering low;
    const struct snapshot *s;
    struct estate estate;
    struct plan *plan;
    struct graph graph;
    struct graph ties;                  /* the same without needs that join nobody */
    VEC(struct awaited_job *) jobs;     /* by name */
    VEC(struct subject) subjects;       /* by name */
    VEC(struct planned_object) objects; /* by kind and name */
    VEC(size_t) proven;                 /* last main item of each group */
    int prunes;                         /* what the target does not name goes */
    int keeps_places;                   /* some stay with who has them */
    int keeps_routes;                   /* all that are recorded stay, and no others come */
};

struct str planner_id(struct planner *p, struct str kind, struct str name);
struct subject *planner_find_subject(struct planner *p, struct str service);
/* 1: some of its items clear. */
int plan_clears(const struct plan *p);
/* The same plan without them: who needed them needs what they needed. */
void plan_drop_clears(struct arena *a, struct plan *p);

/* A plan that a person asked for by name: quarantine does not hold it. */
int planner_is_asked(const struct planner *p);
/* Of what is lost or has drifted: nothing new is made. */
int planner_only_repairs(const struct planner *p);
/* What is asked for the live set of a service, where the plan is for that; NULL: nothing. */
const struct scale_wish *planner_find_wish(const struct planner *p, const struct member *m);
/* Repairs and what a person asked for leave the policy as it was last applied. */
int planner_keeps_policy(const struct planner *p);

void planner_note(struct planner *p, struct str text);

/* Jobs that are waited for, and which needs join services that roll. */
int plan_depends_collect(struct planner *p, struct err *err);
/* One of its jobs runs for the set that is made of it. */
int plan_depends_runs(const struct planner *p, const struct subject *x,
                      const struct awaited_job *j);
/* What its run is given. */
const struct value *plan_depends_desired(struct planner *p, const struct awaited_job *j);
/* Items of jobs, which need nothing of a group; `last_address` may be ROLLOUT_NO_ITEM. */
void plan_depends_make(struct planner *p, size_t last_address);
/* Who waits for them, and for instances of others. */
void plan_depends_order(struct planner *p);
/* Names of services that `depends_on` of a service names, as keys of `ret`. */
void plan_depends_services(const struct value *service, struct map *ret);

int plan_subjects_collect(struct planner *p, struct err *err);
/* Whether an instance of its live set that is lost is run again by this plan. */
int plan_subjects_fills(const struct subject *x);
/* It stays as it is recorded. */
void plan_subjects_keep(struct subject *x);
/* Names of the services that it needed as it is recorded, as keys of `ret`. */
void plan_subjects_needed_before(const struct subject *x, struct map *ret);
/* Services that what stays as it is refers to stay too. */
void plan_subjects_keep_needed(struct planner *p);

/* Made, less those that are quarantined. */
void plan_groups_make(struct planner *p);
/* A person who asks for a proven revision gets it. */
int plan_groups_is_quarantined(struct planner *p, struct digest name);
struct plan_group *plan_groups_add(struct planner *p, int *ret_index);
/* Which group must be proven before which: `ret` pairs of (waits, for). */
struct group_order {
    int waits, on;
};
struct group_orders {
    struct group_order *p;
    size_t n, cap;
};
struct group_orders plan_groups_order(struct planner *p);

int plan_routes_collect(struct planner *p, struct err *err);
/* Routes stay as they are recorded, but for those of services that go. */
void plan_routes_keep(struct planner *p);
/* A service that is kept as it is takes over no place of another, which is kept for it. */
void plan_routes_keep_places(struct planner *p);
/* Nothing of the domain moves, because all that would is kept. */
int plan_routes_is_still(const struct planner *p, struct str domain);
/* Services that stay after all keep their address. */
void plan_routes_keep_addresses(struct planner *p);
int plan_routes_differ(const struct planner *p);
/* A plan that switches nothing needs none. */
void plan_routes_drop(struct planner *p);
/* A domain that is recorded, not wanted, and not pruned either. */
int plan_routes_keeps_domain(const struct planner *p, const struct recorded *r);
/* One that is wanted and does not come. */
int plan_routes_bars_domain(const struct planner *p, const struct spec_resource *r);
/* Services whose address the value refers to, as keys of `ret`. */
void plan_routes_addresses(const struct value *v, struct map *ret);

/* --- objects ------------------------------------------------------------------------------------- */

int plan_objects_collect(struct planner *p, struct err *err);
struct planned_object *plan_objects_find(struct planner *p, struct str id);
/* What stays as it is recorded needs its objects still. */
void plan_objects_keep_needed(struct planner *p);
/* Objects that the value refers to, as "kind/name" keys of `ret`. */
void plan_objects_used(const struct value *v, struct map *ret);
/* Paths whose wanted value and that of the world are not the same, and that are to be made so again. */
int plan_objects_enforces(const struct planned_object *o, struct str path);
void plan_objects_add_records(struct planner *p);
void plan_objects_add_reads(struct planner *p);
void planner_add_record(struct planner *p, struct str kind, struct str name, struct str provider,
                        const struct digest *desired);
void planner_add_read(struct planner *p, struct str subject, struct str path, struct digest digest);
void plan_objects_add_lines(struct planner *p);

/* Before the groups: what is made and changed. After them: what goes. */
void plan_object_items_make(struct planner *p);
void plan_object_items_drop(struct planner *p);
/* A set that used what goes now is not kept. */
void plan_object_items_mark_users(struct planner *p);
/* Groups wait for what their services need. */
void plan_object_items_order(struct planner *p);
/* Something in the plan builds it, or it is there. */
int plan_lower_is_built(const struct planner *p, struct str provider, struct str key);
/* The first items of a group wait for an item outside. */
void plan_lower_group_waits(struct planner *p, int group, size_t item);

struct plan_line *plan_lines_new(struct planner *p, enum plan_action action, struct str kind,
                                 struct str name, const struct spec_resource *want);
void plan_lines_classify(struct planner *p, struct plan_line *line, int classes);
void plan_lines_classify_laxer(struct planner *p, struct plan_line *line,
                               const struct value *before, const struct value *after);
void plan_lines_add(struct planner *p);
void plan_lines_add_repair(struct planner *p, const struct subject *x, struct str name);
void plan_lines_add_leftover(struct planner *p, struct str kind, struct str name);

void plan_budget_judge(struct planner *p); /* after the lines */

void plan_lower_all(struct planner *p);
void plan_limits_remark(struct planner *p);
void plan_promises_remark(struct planner *p);
