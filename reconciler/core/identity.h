/*
 * identity: the names of PROTOCOL section 3. SPDX-License-Identifier: Apache-2.0
 *
 * Pure; what never belongs into a digest (commits, places, addresses, time) cannot be passed.
 */
#pragma once

#include "base/hash.h"
#include "specs/value.h"

#define IDENTITY_SHORT 12 /* hex digits of a key inside a resource name */

/* What makes two instances of a service interchangeable: artifact, command, environment, port, health,
 * termination. `service` is the normalised form of docs/specs.md. */
struct digest identity_set_key(struct arena *a, const struct value *service);
/* Once per artifact and release block. */
struct digest identity_release_key(struct arena *a, const struct value *service);
/* Of a job that ends before services begin: once for what it does and for the sets, {service: key}, that wait. */
struct digest identity_awaited_key(struct arena *a, const struct value *job,
                                   const struct value *sets);

struct identity_subject {
    struct str installation, env_uid, kind, name;
    int64_t incarnation;
};
/* "rv1" and 26 characters: what every owned thing carries. */
struct str identity_owner(struct arena *a, const struct identity_subject *subject);
int identity_is_owner(struct str s); /* it looks like one, ours or not */
/* 26 characters: one a turn of a resource, action and desired digest; retries keep it. */
struct str identity_idempotency_key(struct arena *a, const struct identity_subject *subject,
                                    int64_t turn, struct str action, const struct digest *desired);

/* "api@0123456789ab", "api@0123456789ab.2" */
struct str identity_set_name(struct arena *a, struct str service, const struct digest *key);
struct str identity_instance_name(struct arena *a, struct str service, const struct digest *key,
                                  int64_t ordinal);
