/*
 * view: the state as JSON values, read only. SPDX-License-Identifier: Apache-2.0
 *
 * Each function makes the answer of one GET route of docs/routes.md. They need nothing but a reader, so that
 * the command line can run them on the state file when no daemon is there. Environments are named by
 * name, plans by a prefix of at least VIEW_PREFIX_MIN hex digits.
 *
 * The caller brackets a call with db_view_begin() and db_view_end(), so that it sees one state.
 *
 * Memory   the answer lives in the view's arena.
 * Thread   the connection's.
 * Fails    ERR_NOT_FOUND, ERR_CONFLICT (a prefix of two plans), ERR_INVALID, ERR_CORRUPT, ERR_IO.
 * Limits   VIEW_LIST_MAX rows in any one list.
 */
#pragma once

#include "specs/value.h"
#include "state/db.h"

#define VIEW_PREFIX_MIN 6
#define VIEW_LIST_MAX 1000

struct view {
    struct db *db;
    struct arena *a;
    int64_t now_ms;
    const struct value
        *scope; /* of who asks (core/scope.h): what lies outside is not there; NULL: all */
};

/* Living, or the last one of that name. */
int view_find_environment(const struct view *v, struct str name, struct rec_environment *ret,
                          struct err *err);
int view_status(const struct view *v, struct value **ret, struct err *err);
/* Every source with its branches. */
int view_sources(const struct view *v, struct value **ret, struct err *err);
int view_environment(const struct view *v, struct str name, struct value **ret, struct err *err);
/* Why it is as it is and what a person can do. `subject` kind/name, or "" for the environment. */
int view_explain(const struct view *v, struct str name, struct str subject, struct value **ret,
                 struct err *err);

int view_plan(const struct view *v, struct str id, struct value **ret, struct err *err);
/* The one that is open, waiting or being applied, else the last. */
int view_plan_of(const struct view *v, struct str name, struct value **ret, struct err *err);
/* What differs between a plan that is superseded and the one that came instead, by plan_differ.h; an empty one
 * where nothing did. */
int view_plan_difference(const struct view *v, const struct rec_plan *old, struct value **ret,
                         struct err *err);
/* The same of two revisions, each by its number, or digits of its digest or of a commit that asked for it;
 * "": the live one. */
int view_diff(const struct view *v, struct str name, struct str from, struct str to,
              struct value **ret, struct err *err);
/* Events after `after_seq` (0: all), the plan's state and what runs now. */
int view_progress(const struct view *v, struct str id, int64_t after_seq, struct value **ret,
                  struct err *err);
/* Whether one would find events that are not there at `after_seq`, or the plan has ended. */
int view_progress_is_news(const struct value *progress);

/* A page of a list; its answer has the cursor of the one after it as "next", where there is one. */
struct view_page {
    int64_t limit;     /* 0: 100 */
    struct str cursor; /* "": the first */
};
int view_environments(const struct view *v, const struct view_page *page, struct value **ret,
                      struct err *err);
int view_plans(const struct view *v, struct str name, const struct view_page *page,
               struct value **ret, struct err *err);
int view_operations(const struct view *v, struct str name, const struct view_page *page,
                    struct value **ret, struct err *err);
int view_rollouts(const struct view *v, struct str name, const struct view_page *page,
                  struct value **ret, struct err *err);
int view_revisions(const struct view *v, struct str name, const struct view_page *page,
                   struct value **ret, struct err *err);
int view_jobs(const struct view *v, struct str name, struct value **ret, struct err *err);
/* {"recipients": [..]}: whom an environment names to be told, `name` "": whom `daemon`, the document, does. */
int view_told(const struct view *v, const struct value *daemon, struct str name, struct value **ret,
              struct err *err);
enum view_stop { VIEW_HOLDS, VIEW_QUARANTINE };
int view_stops(const struct view *v, struct str name, enum view_stop which, struct value **ret,
               struct err *err);

struct view_history {
    struct str env, kind, subject, actor;         /* env by name; kind is a prefix; STR_NONE: any */
    struct str resource, plan, commit;            /* kind/name; the first digits of them; "": any */
    struct str mark;                              /* stands in the body; "": any */
    int64_t after, before, from_ms, to_ms, limit; /* 0: no bound; limit 0: 100 */
    int newest_first, with_body, without_steps;
    struct str cursor; /* of the page before, in the same order; "": none */
};
int view_history(const struct view *v, const struct view_history *in, struct value **ret,
                 struct err *err);
int view_state_at(const struct view *v, struct str name, int64_t at_ms, struct value **ret,
                  struct err *err);
/* What differs between two instants, and which plans made it so. */
int view_changes(const struct view *v, struct str name, int64_t from_ms, int64_t to_ms,
                 struct value **ret, struct err *err);

/* At most `limit` events after that one, with bodies and documents (follow_page.h). */
int view_replica(const struct view *v, int64_t after_seq, int64_t limit, struct value **ret,
                 struct err *err);
/* Whether it holds events, or its asker is ahead of it. */
int view_replica_is_news(const struct value *page);

enum view_audit { VIEW_AUDIT_CHAIN, VIEW_AUDIT_REPLAY };
struct view_audit_ask {
    enum view_audit depth;
    const char *keys;   /* directory; NULL, or not to be read: the sealed head is not compared */
    int is_incremental; /* what was verified before is not looked at again; whole where nothing was */
};
/* What is found good is remembered beside the keys, where we may write there. */
int view_audit(const struct view *v, const struct view_audit_ask *ask, struct value **ret,
               struct err *err);
struct view_export {
    int64_t after, from_ms, to_ms, limit; /* 0: no bound; limit 0: 100 */
};
/* Events with every column, as the chain's hash covers them; a body as the text it is. */
int view_export(const struct view *v, const struct view_export *in, struct value **ret,
                struct err *err);
/* Who changed, decided and did what between two instants, in every environment; `people` is auth.people. */
int view_report(const struct view *v, const struct value *people, int64_t from_ms, int64_t to_ms,
                struct value **ret, struct err *err);
/* Instances of live sets whose services say `metrics`: list of {targets, labels}, by environment, service and ordinal. */
int view_targets(const struct view *v, struct value **ret, struct err *err);
/* What the state says that a person should look at: list of {what, mend}. */
int view_findings(const struct view *v, struct value **ret, struct err *err);

/* A last use is noted no oftener. */
#define VIEW_TOKEN_USE_MS 60000
/* {"tokens": [..]}, newest first: never what a token is checked by. */
int view_tokens(const struct view *v, struct value **ret, struct err *err);
/* One of them; `epoch` of view_token_epoch(). */
struct value *view_token(const struct view *v, const struct rec_token *row, int64_t epoch);
/* Tokens of another one died with the database that they were made in. */
int view_token_epoch(struct db *db, struct arena *a, int64_t *ret, struct err *err);

/* {"people": [{name, local?, oidc?, password_ms?, sessions, locked_until_ms?}]} of auth.people. */
int view_people(const struct view *v, const struct value *people, struct value **ret,
                struct err *err);
/* {"sessions": [{address, by, made_ms, used_ms}]}, newest first. */
int view_sessions(const struct view *v, struct str person, struct value **ret, struct err *err);

/* NULL while the wall clock is believed, else {due_ms, stepped_ms}. */
int view_clock(const struct view *v, const struct value **ret, struct err *err);
/* The plan of an environment that has not ended, else none: ret->env is "". */
int view_open_plan(const struct view *v, struct str env, struct rec_plan *ret, struct err *err);
