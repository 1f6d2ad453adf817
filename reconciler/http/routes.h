/*
 * routes: the one table of what can be asked. SPDX-License-Identifier: Apache-2.0
 *
 * A GET is a function over a reader of the state and the daemon's configuration, so that the command line
 * can answer it from the state file when no daemon is there. A POST becomes a struct command.
 *
 * What goes in and out is in shapes.def; the OpenAPI document and docs/routes.md are made of both.
 *
 * Memory   results live in the arena of the call's world; params borrow from the path.
 * Thread   any, with a reader of its own.
 * Fails    ERR_NOT_FOUND: no such route; ERR_METHOD: not by this method; ERR_USAGE: a bad query or body.
 */
#pragma once

#include "reconciler/core/metrics.h"
#include "reconciler/engine/command.h"
#include "reconciler/engine/view.h"
#include "reconciler/http/login.h"

enum route_flag {
    ROUTE_LIVE = 1,      /* add what the running engine knows, under "live" */
    ROUTE_WAITS = 2,     /* with wait_ms=: until the answer is news */
    ROUTE_HEAVY = 4,     /* one at a time */
    ROUTE_LIST = 8,      /* of those environments that the actor may know */
    ROUTE_STREAM = 16,   /* server-sent events: the answer says which is the newest now */
    ROUTE_OPEN = 32,     /* asked by who is not known yet */
    ROUTE_PERSON = 64,   /* never by a token: what only a person does, and what would make one */
    ROUTE_MEASURE = 512, /* of what is measured: what the loop knows is taken first */
    ROUTE_TEXT = 1024,   /* the answer is a text, of its own type */
    ROUTE_HEALTH = 2048, /* 503 where its `status` is unhealthy */
    ROUTE_PACKED = 4096, /* compressed where that may be (pack.h): no secret is in it */
    ROUTE_PAGE = 128,    /* a browser goes there: it is no part of the document for programs */
    ROUTE_FILE = 256,    /* a file of the page, whose query is its own affair */
};

struct route_world { /* what a GET is answered from */
    struct view view;
    const struct value *daemon;
    struct metrics *metrics;  /* with ROUTE_MEASURE: what the loop knows; else NULL */
    const struct value *live; /* the same of health: [{kind, name, status, response_time_ms}] */
    const char *state_path;
};

struct route;
struct route_call {
    const struct route *route;
    struct str param; /* what stands for NAME, ID or UID */
    const struct value *query, *body;
};

typedef int route_read(const struct route_world *w, const struct route_call *call,
                       struct value **ret, struct err *err);

struct route {
    const char *method, *path; /* one word of the path may be NAME, ID or UID */
    unsigned roles;            /* one of them is needed; none: whoever is known */
    int flags;
    route_read *read;                           /* GET */
    int (*is_news)(const struct value *answer); /* with ROUTE_WAITS: what it waits for is there */
    login_fn *work;                             /* who signs in and out, in the place of both */
    enum command_verb verb;                     /* POST */
    const char *query, *body;                   /* shapes of what it is asked with; NULL: nothing */
    const char *answer, *text;                  /* answer: a shape */
};

#define ROUTE_WAIT_MAX_MS 30000

const struct route *routes_get(size_t *ret_n);
/* Fills route and param; query and body are the caller's. HEAD is asked where GET is. */
int routes_match(struct str method, struct str path, struct route_call *ret, struct err *err);
/* The methods of a path that there is, as the header Allow says them. */
struct str routes_allow(struct arena *a, struct str path);
/* In one state of the database. */
int routes_read(const struct route_world *w, const struct route_call *call, struct value **ret,
                struct err *err);
int routes_work(const struct route_call *call, struct login_call *c, struct err *err);
int routes_command(const struct route_call *call, struct command *ret, struct err *err);
