/*
 * op_outputs: values that a driver gave out for an object: the URL of a database. SPDX-License-Identifier: Apache-2.0
 *
 * They are kept nowhere. What a service gets of them is asked of the object's own provider in the moment that the
 * service's driver asks for it, under a reference as secrets have: "database/main#url?scheme=x@1"; and it obeys
 * the rules of secrets.
 *
 * Thread   ref any; give a DRIVER thread's.
 */
#pragma once

#include "reconciler/engine/op_task.h"

/* Of {"output": "database/main", "key", "version", ..}; STR_NONE: it is something else. */
struct str op_outputs_ref(struct arena *a, const struct value *v);
/* 1: the reference is to such a value. */
int op_outputs_is_ref(struct str ref);
/* Into an arena that its owner wipes. Fails ERR_NOT_FOUND: there is no such output; ERR_UNREACHABLE. */
int op_outputs_give(struct engine *e, struct task *task, struct str env, struct arena *a,
                    struct str ref, struct str *ret, struct err *err);
