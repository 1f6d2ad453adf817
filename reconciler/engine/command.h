/*
 * command: what a person asks a running daemon to do. SPDX-License-Identifier: Apache-2.0
 *
 * A command is checked and written on the STATE thread in one savepoint (one event with the actor and
 * the reason), then the environment's task is woken. Its result says what was begun; waiting for the
 * end is the caller's, by reading the plan's state.
 *
 * Memory   the call is the caller's until `ended`; `in` borrows from the call's arena.
 * Thread   the loop's.
 * Fails    ERR_NOT_FOUND, ERR_REFUSED (policy, role, hold), ERR_CONFLICT, ERR_STALE (plan moved on),
 *          ERR_INVALID.
 */
#pragma once

#include "reconciler/rt/task.h"
#include "specs/value.h"
#include "state/records.h"

enum command_verb {
    COMMAND_RECONCILE, /* env, which need not be known yet: fetch and plan now */
    COMMAND_APPROVE,   /* plan, reason */
    COMMAND_REJECT,    /* plan, reason */
    COMMAND_CANCEL,    /* env, reason: the running plan goes back */
    COMMAND_UNDO,      /* env, reason: to the previous sets */
    COMMAND_ROLLBACK,  /* env, revision, reason */
    COMMAND_HOLD,      /* env, service or none, reason, until_ms or 0 */
    COMMAND_RESUME,    /* env: ends its holds */
    COMMAND_CLOCK,     /* the wall clock is right, whatever it did */
    COMMAND_RETRY,     /* env: lifts quarantine and back-off */
    COMMAND_SETTLE,    /* operation, as (done failed retry), reason */
    COMMAND_OVERRIDE, /* plan, reason: it runs whatever the policy asks, but never where data is at stake */
    COMMAND_BUNDLE, /* source, bundle, signature, reason: its branches go on as the bundle says */
    COMMAND_TRY, /* env, ref: the plan of a commit that is not merged; its result is that plan, stored nowhere */
    COMMAND_REBIND,  /* env, source, branch, reason: its name belongs there from now on */
    COMMAND_ADOPT,   /* env, resource, id, reason: the object of that id is the resource */
    COMMAND_FORGET,  /* env, resource, reason: it leaves our hands, and is not destroyed */
    COMMAND_ADVANCE, /* env, service or none, reason: what it watches, or waits for a person with, has been watched enough */
    COMMAND_RUN,     /* env, service (a job), reason: it runs now */
    COMMAND_TEST, /* env or none, id (a recipient) or none: who is told hears a test (notify_test.h) */
    COMMAND_TOKEN,    /* token: it is good from now on */
    COMMAND_REVOKE,   /* token's id: it is good no more */
    COMMAND_USED,     /* token's id: the time of its last use, once a minute and without an event */
    COMMAND_DENIED,   /* denied: a call that was refused */
    COMMAND_TAKEOVER, /* reason, without_keys: asked of a standby alone (follow.h) */
    N_COMMANDS
};

struct command {
    enum command_verb verb;
    struct str env;       /* name */
    struct str plan;      /* id, or a prefix of at least 6 hex digits that is unique */
    struct str operation; /* uid */
    struct str service, reason, as;
    struct str source, branch;
    struct str resource, id; /* "database/main"; as its provider names it, or a recipient */
    struct str bundle;       /* absolute path of a git bundle */
    struct str ref;          /* branch, tag, or the beginning of a commit's id */
    int64_t revision, until_ms;
    const struct rec_token *token; /* without its epoch */
    struct str denied,
        denied_note;  /* what was asked, and a JSON object of what is known about it */
    struct str actor; /* local:NAME(uid) */
    const struct value *principals; /* user:NAME and group:NAME of the actor; NULL: none is known */
    struct str signature;           /* of an approval; checked before it is written */
    struct digest once,
        once_body;      /* of who asked for what by which key, and of its body; none: no key */
    int is_admin;       /* may change things at all */
    int overrides;      /* a hold: by the role, which was checked */
    int is_break_glass; /* by a right that is for emergencies alone */
};

#define COMMAND_REASON_MAX 500
#define COMMAND_ONCE_MS (24 * 3600 * 1000LL) /* so long a command with a key is done once */

struct engine;

struct command_call {
    struct task task;
    struct engine *engine;
    struct arena arena;
    struct command in;
    void *found; /* command.c's own */
    struct value
        *result; /* {"environment", "plan"?, "state", "message", "rounds"?: {source: number}} */
    struct value *besides; /* members that a refusal has besides its sentence, or NULL */
};

/* A reason is there where something asks for one, which `asked_by` names; NULL: nothing does. ERR_USAGE, ERR_LIMIT. */
int command_check_reason(const struct command_call *call, const char *asked_by, struct err *err);
/* task.rc and task.err say how it ended; then `ended` is called. The arena was initialised by the caller. */
void command_start(struct engine *e, struct command_call *call, task_ended *ended, void *ctx);
