/*
 * env_objects: what an environment's cycle knows of databases and the like. SPDX-License-Identifier: Apache-2.0
 *
 * KNOWN reads which versions their outputs have, before anything is normalised; OBSERVE reads each of them once;
 * before a plan is made, what differs is remembered in its row, and told once.
 *
 * Memory   of the cycle.
 */
#pragma once

#include "reconciler/core/drift.h"
#include "reconciler/engine/env_task.h"

int env_objects_know(struct task *t, struct err *err);                 /* STATE */
int env_objects_list(struct env_task *env, struct err *err);           /* STATE */
int env_objects_look(struct env_task *env, size_t i, struct err *err); /* DRIVER */
/* What is told of one, into its row. */
int env_objects_put_drift(struct env_task *env, const struct rec_resource *row,
                          const struct drift_news *news, struct err *err);
/* env_gaps.c, STATE: how lost instances are met, and services that run with fewer. */
int env_gaps_judge(struct env_task *env, const struct environment_spec *spec, struct err *err);
/* STATE: what differs, into the rows. */
int env_objects_judge(struct env_task *env, struct err *err);
/* After it: something is to be made as it was. */
int env_objects_have_drifted(const struct env_task *env);
/* How drift of each is met is said by the newest commit, also where an older revision is wanted. */
void env_objects_take_modes(struct environment_spec *to, const struct environment_spec *from);
