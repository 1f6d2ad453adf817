/*
 * git_answer: what the worker said, judged before anybody believes it. SPDX-License-Identifier: Apache-2.0
 *
 * The worker reads hostile bytes, so it may be somebody else's by now. What it says of its own source is taken;
 * that an id is an id, a text a text and a number within its bounds is seen here.
 *
 * Memory   results live in the arena given; they may borrow from the call's.
 * Thread   any.
 * Fails    the worker's own error; ERR_IO: it broke off, or its answer is none; ERR_INVALID: not JSON.
 * Limits   GIT_WORKER_ANSWER_MAX bytes, SOURCE_FILES_MAX specs, SOURCE_LOG_MAX commits.
 */
#pragma once

#include "reconciler/engine/source.h"
#include "specs/value.h"

/* The members of an answer, or its error, of which only codes that a worker may give are taken. */
int git_answer_parse(struct arena *a, struct str text, struct value **ret, struct err *err);
/* The same of a worker that has ended; one that was killed or said nothing broke off. */
int git_answer_take(struct arena *a, const struct exec_result *result, struct value **ret,
                    struct err *err);

/* As struct source_ops wants them. */
int git_answer_fetch(struct arena *a, struct source_call *call, struct source_heads *ret,
                     struct err *err);
int git_answer_read(struct arena *a, struct source_call *call, struct source_snapshot *ret,
                    struct err *err);
int git_answer_resolve(struct arena *a, struct source_call *call, struct source_head *ret,
                       struct err *err);
int git_answer_ancestry(struct arena *a, struct source_call *call, int *ret_is_descendant,
                        struct err *err);
int git_answer_log(struct arena *a, struct source_call *call, struct source_commits *ret,
                   struct err *err);
int git_answer_export(struct arena *a, struct source_call *call, struct source_exported *ret,
                      struct err *err);
