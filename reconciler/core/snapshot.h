/*
 * snapshot: everything a plan is made of. SPDX-License-Identifier: Apache-2.0
 *
 * Filled by the engine from the specs of one commit, the state and what drivers observed; the planner
 * sees nothing else, not even a clock. The same snapshot gives the same bytes.
 *
 * Memory   borrowed; lives at least as long as the plan made of it.
 */
#pragma once

#include "base/map.h"
#include "specs/spec.h"
#include "state/records.h"

enum plan_cause {
    PLAN_CAUSE_COMMIT,
    PLAN_CAUSE_UNDO,     /* back to the previous sets */
    PLAN_CAUSE_ROLLBACK, /* to the revision a person named */
    PLAN_CAUSE_REPAIR,   /* an instance is lost */
    PLAN_CAUSE_DRIFT,    /* an object is another one than is recorded */
    PLAN_CAUSE_SCALE,    /* a live set needs another number of instances */
};
const char *plan_cause_name(enum plan_cause cause);
/* It makes nothing new. */
static inline int plan_cause_repairs(enum plan_cause cause)
{
    return cause == PLAN_CAUSE_REPAIR || cause == PLAN_CAUSE_DRIFT || cause == PLAN_CAUSE_SCALE;
}

/* And of instances alone. */
static inline int plan_cause_is_of_instances(enum plan_cause cause)
{
    return cause == PLAN_CAUSE_REPAIR || cause == PLAN_CAUSE_SCALE;
}

/* What is known of an object (object.h) before it is looked at. */
enum object_state {
    OBJECT_READY,  /* as it was recorded */
    OBJECT_FOUND,  /* it is there, and what was asked for is not known */
    OBJECT_LEFT,   /* it was begun: it is there, or is not */
    OBJECT_KEPT,   /* no longer managed: nobody asks for it, and its data stays */
    OBJECT_TAKING, /* a person said that it is this one */
};

/* A resource as it was last applied. */
struct recorded {
    struct str kind, name; /* service, domain, address, database ... */
    struct str was;        /* the name that it had before this one; "": none */
    struct str provider;
    const struct value *desired;
    struct digest digest;
    /* of objects alone */
    struct str id; /* its provider's, or that a person named */
    enum object_state state;
    const struct value *seen; /* as its provider shows it; NULL: it could not be read */
    int is_lost;              /* its provider looked, and it is not there */
    struct str
        protect; /* retain snapshot delete; forget, adopt: a person said so; "": it never held data */
    const struct value *memory; /* of its drift (drift.h) */
    const struct str *needs;    /* "kind/name", as it was recorded */
    size_t n_needs;
};

enum instance_health {
    INSTANCE_UNKNOWN, /* could not be read: never a reason to act */
    INSTANCE_RUNNING,
    INSTANCE_LOST, /* the world was read: its place is there, nobody lives in it; or it is absent */
};

struct observed_instance {
    struct rec_instance rec;
    enum instance_health health;
};

/* What the live set of a service was found to need (scale.h). */
struct scale_wish {
    struct str service;
    struct digest set_key;
    int64_t from, to;
    int64_t measured, aim; /* of 10,000 of what they may use of their processors */
};

struct snapshot_driver { /* goes into the plan id */
    struct str name, version;
    struct digest schema;
};

struct snapshot {
    struct str installation;
    struct rec_environment env;
    enum plan_cause cause;
    const struct environment_spec
        *target; /* what is wanted: of a commit, or of an older revision */
    struct recorded *recorded;
    size_t n_recorded;
    struct rec_set *sets; /* not gone */
    size_t n_sets;
    const struct value *
        *made_of; /* one a set, of the live ones that are not recorded so; NULL: nobody
                                     knows, of one or of all */
    struct observed_instance *instances;
    size_t n_instances;
    const struct scale_wish *wishes; /* what a plan with the cause scale is for */
    size_t n_wishes;
    const struct map
        *artifacts; /* hex K -> struct digest *: output digest of those that are ready */
    const struct map *releases;         /* hex R -> anything: done */
    struct rec_quarantine *quarantines; /* not lifted, not over */
    size_t n_quarantines;
    int64_t observed_generation; /* of the switch; REC_NONE: not read or no switch */
    struct snapshot_driver *drivers;
    size_t n_drivers;
    const struct value
        *unkept; /* {memory: why ..}: limits that this machine does not keep; NULL: not asked */
    const struct value *budget;  /* {deletes, replaces}: shares in basis points; NULL: no limit */
    const struct value *schemas; /* {PROVIDER: {TYPE: {..}}} of drivers; NULL: there are none */
    struct str edge_provider;    /* STR_NONE: no domains possible */
    int64_t edge_slots;          /* instances that one backend of it holds; 0: nobody says */
    int is_shared; /* what is routed now gives a share to sets that nobody rolls out any more */
};
