/*
 * types: what the driver owns. SPDX-License-Identifier: Apache-2.0
 *
 * One table row a type. `check` is pure; the others run with the lock held and the proxy running.
 * A record is NULL where none exists. Functions return 0 or the verdict that stands in the answer.
 */
#pragma once

#include "providers/haproxy/store.h"

struct haproxy_type {
    const char *name;
    /* Is the body one of this type? */
    int (*check)(struct haproxy_call *c, const struct value *body);
    /* Create or change; the record that now exists. */
    int (*put)(struct haproxy_call *c, struct haproxy_store *s, struct haproxy_record *r,
               struct haproxy_record **ret);
    int (*drop)(struct haproxy_call *c, struct haproxy_store *s, struct haproxy_record *r);
    /* What the proxy does now; RV_ABSENT: nothing. */
    int (*observe)(struct haproxy_call *c, struct haproxy_store *s, struct haproxy_record *r,
                   struct value *observed, struct value *outputs);
};

extern const struct haproxy_type haproxy_backend_type, haproxy_routes_type, haproxy_switch_type,
    haproxy_address_type;

/* NULL for a type that is not ours. */
const struct haproxy_type *haproxy_type_find(struct str name);

/* A record with this id that belongs to somebody else is RV_USER. */
int haproxy_refuse_stranger(struct haproxy_call *c, const struct haproxy_record *r);
/* Add a record with this id for the operation's owner. */
int haproxy_add(struct haproxy_call *c, struct haproxy_store *s, struct str type, struct str id,
                struct haproxy_record **ret);
/* Save, then tell the host the id. */
int haproxy_commit(struct haproxy_call *c, struct haproxy_store *s, const struct haproxy_record *r);

/* The generation of an environment by the records (0: none), and the record of its routes. */
int64_t haproxy_generation_of(const struct haproxy_model *m, struct str environment);
struct haproxy_record *haproxy_find_routes(const struct haproxy_model *m, struct str environment,
                                           int64_t generation);
/* The environment whose live generation leads to a backend, STR_NONE: none. */
struct str haproxy_backend_user(const struct haproxy_model *m, struct str id);
/* 0: a switch may lead there; RV_USER: it has no routes, or they lead to what is not there or not its own. */
int haproxy_check_generation(struct haproxy_call *c, const struct haproxy_model *m,
                             struct str environment, int64_t generation);
