/*
 * object: a resource that a provider keeps as one thing: a database, a redis, a name in DNS.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a change of it costs says its type, in the schema of the driver (docs/drivers.md). What a provider
 * shows of it is compared path by path with what was asked for; what it leaves out cannot be compared, nor
 * can what is only filled in when an operation begins.
 *
 * Memory   the arena given; results point into the values given. Pure.
 */
#pragma once

#include "base/vec.h"
#include "specs/value.h"

/* database redis backup dns: for every other kind something else is made. */
int object_is_kind(struct str kind);

/* Of {PROVIDER: {TYPE: {...}}}; that of "*" for a type it does not name; NULL: the provider does not carry it. */
const struct value *object_type(const struct value *schemas, struct str provider, struct str kind);
int object_is_stateful(const struct value *type);
/* One of the paths that stand under `word` is `path`, or holds it. */
int object_type_names(const struct value *type, const char *word, struct str path);

/* What becomes of its data when it goes: retain, snapshot, delete; "" for what holds none. */
struct str object_protection(const struct value *type, const struct value *desired);

struct object_difference {
    struct str path;
    const struct value *wanted, *seen; /* wanted NULL: it is there and should not be */
};

struct object_differences {
    struct object_difference *p;
    size_t n, cap;
};

/* By path. */
struct object_differences object_compare(struct arena *a, const struct value *type,
                                         const struct value *wanted, const struct value *seen);
/* Each path of `wanted` that `seen` tells of, the same or another. */
struct object_differences object_compared(struct arena *a, const struct value *type,
                                          const struct value *wanted, const struct value *seen);

enum drift_mode { DRIFT_ENFORCE, DRIFT_REPORT, DRIFT_IGNORE, DRIFT_KEEP };
/* Of a service its replicas alone can differ, and only where that is said: a lost instance is else run again. */
enum drift_mode object_mode_of_replicas(const struct value *modes);
/* By the longest path of {PATH: MODE} that holds it, else "". */
enum drift_mode object_mode(const struct value *modes, struct str path);

/* A copy of `base` in which `path` is `v`; NULL: it is not there. */
struct value *object_with(struct arena *a, const struct value *base, struct str path,
                          const struct value *v);
