/*
 * plan: the ordered operations from what is to what is wanted. SPDX-License-Identifier: Apache-2.0
 *
 * plan_make() is a function from a snapshot to a plan; its document is canonical JSON, its id the digest
 * of what it was made from (PROTOCOL 3). Lines are what people review, items are what runs: a line
 * `service/api` is lowered to the steps of PROTOCOL 2 (rollout.c), and both stand in the document, so
 * that what is approved is what runs. Plans with the causes repair and drift hold repairs and nothing else.
 *
 * Memory   the arena given; snapshot and specs must outlive the plan.
 * Fails    ERR_INVALID: a dependency cycle, named; no replicas; more than a backend holds; ERR_REFUSED: an address is asked for
 *          where there is no edge; ERR_NOMEM.
 */
#pragma once

#include "reconciler/core/snapshot.h"

#define PLANNER_VERSION "1"
#define PLAN_BYTES_MAX (16u << 20)

enum plan_action {
    PLAN_NONE,
    PLAN_CREATE,
    PLAN_UPDATE,
    PLAN_DELETE,
    PLAN_RUN, /* build, release */
    PLAN_SWITCH,
    PLAN_GATE, /* the engine's: holds until something is proven */
    PLAN_MARK, /* rows only */
    PLAN_ADOPT, /* a line: it runs as wanted, and is recorded now; an item: the driver makes it ours */
    PLAN_REPLACE, /* a line: a delete, then a create */
    PLAN_FORGET,  /* it leaves our hands and stays as it is */
    N_PLAN_ACTIONS
};

/* Why a line needs a person, or 0. A set. */
enum plan_class {
    PLAN_CLASS_DESTROY = 1,
    PLAN_CLASS_REPLACE = 2,
    PLAN_CLASS_DATA = 4,
    PLAN_CLASS_DOWNGRADE = 8,
    PLAN_CLASS_WEAKEN = 16,
    PLAN_CLASS_DOWNTIME = 32,
    PLAN_CLASS_BUDGET = 64,
};

/* How what a line does is taken back. */
enum plan_back {
    PLAN_BACK_PLAN,   /* by another plan */
    PLAN_BACK_SWITCH, /* at once, while the set before it is kept */
    PLAN_BACK_NONE,   /* not at all: of a release, or of data, something stays */
    N_PLAN_BACKS
};

struct plan_change {
    struct str path, before, after; /* text as shown; secrets as secret(v3); STR_NONE: absent */
};

struct plan_line {
    enum plan_action action;
    struct str kind, name;
    struct str from; /* the name that it had; "" for no other */
    int classes;
    struct str disruption; /* none restart downtime data-loss */
    struct str reason;
    struct str place; /* file:line:col or "" */
    int group;        /* -1: none */
    enum plan_back way_back;
    VEC(struct plan_change) changes;
};

/* How a switch moves its group. */
enum plan_way {
    WAY_NONE,    /* not at all, yet */
    WAY_FORWARD, /* members go to the wanted set */
    WAY_BACK,    /* to their live one, and their routes to what they were */
    WAY_AWAY,    /* nothing is routed to them */
    N_PLAN_WAYS
};

enum plan_lane {
    LANE_MAIN,
    LANE_REVERT, /* runs when its group failed or is superseded */
    LANE_TAIL,   /* steps 9 to 11, after the group is proven */
};

struct plan_item {
    enum plan_lane lane;
    enum plan_action action;
    int step;       /* PROTOCOL 2, 0 outside */
    int group;      /* -1: none */
    int only_after; /* skipped unless this item was begun; -1: always runs */
    int clears;     /* takes away a set that is neither live nor wanted, or a spare artifact */
    struct str kind, name, service, provider;
    struct str from;             /* the name that an object had; "" for no other */
    struct digest set_key;       /* none where the item is not about a set */
    const struct value *desired; /* what the driver gets, less what is only known when it begins */
    const struct value *gate;    /* what must hold, for gates */
    VEC(size_t) needs;           /* indexes of items that must be done before */
};

struct plan_group {
    VEC(struct str) services; /* sorted; empty: routes only */
    struct digest digest;     /* quarantine key */
    int is_switching;         /* has a step 6 */
    int auto_revert;          /* 0: what fails is left for a person */
    int is_one_way;   /* while it is made: its release leaves what the live set cannot use */
    int holds;        /* some member has auto_promote false: a person lets it go on */
    int asks_release; /* it runs a release that waits for a person */
    size_t first_item, n_items; /* its items stand side by side */
};

struct plan_route { /* one place of the edge: host and path, or the address of a service */
    struct str route, host, path, address, service;
    const struct value *rules; /* what it asks of a request (docs/drivers.md); NULL: nothing */
};

struct plan_routes {
    struct plan_route *p;
    size_t n, cap;
};

struct plan_record { /* a resource as it is when the plan is through */
    struct str kind, name, provider;
    struct digest desired;
};

struct plan_read {
    struct str subject, path;
    struct digest digest;
};

struct plan {
    struct digest id;
    struct str env_uid;
    int64_t apply_seq;
    enum plan_cause cause;
    struct digest base, target; /* revisions; base none at first */
    int classes;
    VEC(struct plan_line) lines;
    VEC(struct plan_group) groups;
    VEC(struct plan_item) items;
    /* Where a switch may move: as it is wanted, as it is. Empty where nothing switches. */
    struct plan_routes routes, routes_before;
    struct digest routes_wanted;     /* of `routes`, before anything was kept; not stored */
    VEC(struct plan_record) records; /* what `target` is the digest of, sorted */
    VEC(struct plan_read) reads;
    const struct value
        *secrets; /* of what is referred to: {name: {store, path, key}}; NULL: none */
    const struct value *drivers; /* name, version and schema digest of each */
    VEC(struct str) notes;       /* quarantined groups left alone, and the like */
    VEC(struct str) remarks;     /* what else to know: changes nothing of what is done */
};

int plan_make(struct arena *a, const struct snapshot *s, struct plan *ret, struct err *err);
/* What was built and nobody needs any more goes with a plan that does something anyway: behind its last mark, and
 * not in its id. */
struct plan_spare {
    struct str name, provider; /* of the artifact's resource */
    struct digest key;
};
void plan_add_spare(struct arena *a, struct plan *p, const struct plan_spare *spare, size_t n);
/* The item takes one of them away: what does not go at once is left to the next plan. */
int plan_item_is_spare(const struct plan_item *item);
/* Nothing to do: no items. */
int plan_is_empty(const struct plan *p);
/* Where the items of each group stand; -1: they are not side by side, or name what is not there. */
int plan_index(struct plan *p);
/* How a switch moves its group; WAY_NONE: it is none (NULL too). */
enum plan_way plan_item_way(const struct plan_item *item);
#define PLAN_SHARE_ALL 10000
/* What the wanted sets get of the requests by this switch, of PLAN_SHARE_ALL; less: the live ones stay live. */
int64_t plan_item_share(const struct plan_item *item);
/* Its group holds the service; "" is held by all. */
int plan_item_is_about(const struct plan *p, size_t item, struct str service);
/* The gate of step 9: the previous set stays for a while. */
int plan_item_keeps(const struct plan_item *item);
const struct plan_record *plan_find_record(const struct plan *p, struct str kind, struct str name);

/* The digest of what the plan was made from. Lines, places, notes and remarks are not in it, nor what clears:
 * a set that has gone meanwhile makes no other plan of it. */
struct digest plan_identity(struct arena *a, const struct plan *p);
/* To and from the stored document. The id, and a sum over what is not in it, are checked: ERR_CORRUPT. */
struct str plan_format(struct arena *a, const struct plan *p);
int plan_parse(struct arena *a, struct str document, struct plan *ret, struct err *err);
/* The same before it is text, and unchecked, for who just made the plan. `ret` borrows from the document. */
struct value *plan_value(struct arena *a, const struct plan *p);
int plan_of_value(struct arena *a, const struct value *document, struct plan *ret, struct err *err);

struct value *plan_line_value(struct arena *a, const struct plan_line *line);
void plan_line_parse(struct arena *a, const struct value *v, struct plan_line *ret);

const char *plan_action_name(enum plan_action action);
const char *plan_way_name(enum plan_way way);
enum plan_way plan_way_from_name(struct str name); /* unknown: WAY_NONE */
struct value *plan_route_value(struct arena *a, const struct plan_route *r);
/* The place it takes: no two routes of a generation have the same. */
struct str plan_route_key(struct arena *a, const struct plan_route *r);
/* Quarantine key of a plan that moves nothing but routes, and of the routes of one that moves more. */
struct digest plan_routes_digest(struct arena *a, const struct plan_routes *routes);
/* "destroy, downtime"; "" for none. */
struct str plan_class_names(struct arena *a, int classes);
/* The same as a list of words, and back; what is none of them is left out. */
struct value *plan_classes_value(struct arena *a, int classes);
int plan_classes_parse(const struct value *list);

/* What the policy says of a plan: 0 runs at once, else what it waits for. */
struct plan_verdict {
    int asks;
    struct str reason; /* "approval: manual", "class destroy" */
};
struct plan_verdict plan_judge(struct arena *a, const struct plan *p, const struct value *policy);
