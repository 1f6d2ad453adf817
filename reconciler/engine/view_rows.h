/*
 * view_rows: rows as parts of answers. SPDX-License-Identifier: Apache-2.0
 *
 * Only the view_*.c files include this.
 */
#pragma once

#include "base/map.h"
#include "reconciler/engine/view.h"
#include "specs/json_io.h"

#define VIEW_JSON_MAX (1u << 20) /* of a column */

int view_find_plan(const struct view *v, struct str id, struct rec_plan *ret, struct err *err);
/* Wall time of an event; 0 for REC_NONE and what is not there. */
int view_time_of(const struct view *v, int64_t seq, int64_t *ret, struct err *err);

/* Absent rather than empty. */
void view_set(const struct view *v, struct value *map, const char *key, struct str text);
void view_set_int(const struct view *v, struct value *map, const char *key, int64_t number);
void view_set_digest(const struct view *v, struct value *map, const char *key,
                     const struct digest *d);
int view_set_time(const struct view *v, struct value *map, const char *key, int64_t seq,
                  struct err *err);
/* A column that holds JSON; what is not JSON is left out. */
void view_set_json(const struct view *v, struct value *map, const char *key, struct str json);

/* {revision, digest, proven, commits: [..]} with the commits seen up to `seq`, newest first; `d` none gives
 * an empty map. */
int view_revision(const struct view *v, struct str env, const struct digest *d, int64_t seq,
                  struct value **ret, struct err *err);
/* {uid, kind, name, action, phase, outcome, attempt, ...} */
struct value *view_operation(const struct view *v, const struct rec_operation *op);
/* {id, state, reason, cause, actor, ..} without the document. */
int view_plan_head(const struct view *v, const struct rec_plan *plan, struct value **ret,
                   struct err *err);
/* What a list says of an environment, less its services. `plan`: the open one; NULL: none; `revision`: 0: none. */
int view_environment_map(const struct view *v, const struct rec_environment *env, int64_t revision,
                         const struct rec_plan *plan, struct value **ret, struct err *err);
/* What a list says of these, sorted by name: by uid, without those that are out of scope. */
int view_environment_rows(const struct view *v, const struct rec_environment *rows, size_t n,
                          struct map *ret, struct err *err);
/* `event_ms` of each of them, which a list of a page can afford. */
int view_set_newest_of(const struct view *v, const struct rec_environment *rows, size_t n,
                       const struct map *of, struct err *err);
struct value *view_list_of(const struct view *v, const struct map *rows);
/* How a rollout went. */
int view_rollout_past(const struct view *v, const struct rec_rollout *rollout, struct value **ret,
                      struct err *err);
/* Holds and quarantine as sentences, and the commands that end them. */
int view_add_stops(const struct view *v, const struct rec_environment *env, struct value *reasons,
                   struct value *choices, struct err *err);
/* The word that stands with the environment, unless these say the same and more; then these. */
struct value *view_with_word(const struct view *v, const struct rec_environment *env,
                             const struct value *reasons);
int view_holds(const struct view *v, struct str env, struct value **ret, struct err *err);
int view_quarantine(const struct view *v, struct str env, struct value **ret, struct err *err);
/* "environments" of the status. */
int view_status_environments(const struct view *v, struct value *status, struct err *err);

/* view_drift.c: "storage differs from what was asked for"; "" where nothing does. */
struct str view_drift_text(const struct view *v, const struct rec_resource *row);
/* A reason for each object of which something does. */
int view_add_drift(const struct view *v, const struct rec_environment *env, struct value *reasons,
                   struct err *err);
