/*
 * api: the routes, served at every door. SPDX-License-Identifier: Apache-2.0
 *
 * A request is a task: who asks and every GET are worked on POOL_QUERY with a reader of the state each, a
 * POST goes to the engine as a command. A GET that waits is read again until it is news.
 *
 * Owns     the servers, its readers and the requests.
 * Thread   the loop's.
 * Fails    as http_server_start().
 */
#pragma once

#include "reconciler/engine/follow.h"
#include "reconciler/http/hooks.h"
#include "reconciler/http/routes.h"

struct api;

#define API_DRAIN_MS 5000

struct api_options {
    struct loop *loop;
    const char *socket_path, *state_path;
    const struct value *daemon; /* normalised Daemon document, its doors too; outlives the api */
    struct http_given *given;   /* one a door; NULL: all are opened and closed here */
    struct follow *follow;      /* a standby: it reads, and refuses the rest; NULL: a daemon */
    struct engine *engine;
    /* command_start(), hook_call_start() and engine_live_view() */
    void (*command)(struct engine *e, struct command_call *call, task_ended *ended, void *ctx);
    void (*hook)(struct engine *e, struct hook_call *call, task_ended *ended, void *ctx);
    struct value *(*live)(struct engine *e, struct arena *a, struct str env);
    login_write *sign; /* signing_write() */
    /* counts_put_live(), health_live() and health_is_ready(); NULL: nothing is known */
    void (*counts)(struct engine *e, struct metrics *m);
    struct value *(*health)(struct engine *e, struct arena *a);
    int (*is_ready)(struct engine *e);
    int (*is_stale)(const struct engine *e); /* engine_is_stale(); NULL: never */
    int64_t requests_per_s; /* of one address or credential over TCP; 0: as rate.h says */
    /* engine_on_commit(); NULL: events are told to nobody */
    void (*on_commit)(struct engine *e, loop_fn *fn, void *ctx);
};

int api_start(const struct api_options *options, struct api **ret, struct err *err);
/* The certificate and its key anew, where there are; the old ones stay when these cannot be used. */
int api_reload(struct api *api, struct err *err);
/* Who was let in is answered: who waits for news with what there is, commands are awaited, what is still being
 * read after API_DRAIN_MS is given up. Then `ended` is called and the api is gone. */
void api_stop(struct api *api, loop_fn *ended, void *ctx);
