/*
 * env_trigger: what a commit waits for before it is applied. SPDX-License-Identifier: Apache-2.0
 *
 * What other environments are is known on the loop, what was applied last on STATE: PLAN says whom it asks for,
 * DECIDE looks at them and goes back to PLAN.
 */
#pragma once

#include "reconciler/core/trigger.h"
#include "reconciler/engine/env_task.h"

/* STATE. 1 and why, when it waits; 0. `policies`: triggers of what was applied last and of what is wanted now.
 * Where env->lacks_firsts is set, nothing is known yet, and nothing is stored. */
int env_trigger_waits(struct env_task *env, const struct value *triggers, struct str *ret_reason,
                      struct err *err);

/* The same of the checks of the forge, which the rule's floor may ask for too: env->lacks_checks. */
int env_checks_wait(struct env_task *env, const struct value *triggers, struct str *ret_reason,
                    struct err *err);
/* The loop's: 1: the forge is asked, the wait began. 0: it was, a moment ago. */
int env_checks_ask(struct env_task *env);
void env_checks_heard(struct env_task *env);

/* The loop's: before PLAN, whether further commits are waited for. */
void env_trigger_note(struct env_task *env);
/* The loop's: those that PLAN asked for. */
void env_trigger_look(struct env_task *env);
/* The loop's: a plan of some environment has ended; who waits for one looks again. */
void env_trigger_moved(struct engine *e);
