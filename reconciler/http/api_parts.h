/*
 * api_parts: what the files of the api share. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   the loop's, where nothing else is said.
 */
#pragma once

#include <pthread.h>

#include "reconciler/http/api.h"
#include "reconciler/http/denials.h"
#include "reconciler/http/feed.h"
#include "reconciler/http/measure.h"
#include "reconciler/http/oidc_provider.h"
#include "reconciler/http/rate.h"
#include "reconciler/http/tls.h"
#include "reconciler/rt/wait.h"

#define API_READERS_MAX 4

struct api_request;

struct api {
    struct api_options options;
    struct http_server *servers[N_HTTP_DOORS]; /* NULL: no such door */
    size_t n_open;
    struct tls *tls; /* NULL: in clear */
    struct hooks hooks;
    struct feed *feed;
    struct rate rate;
    struct api_request *requests;
    pthread_mutex_t lock;
    struct db *readers[API_READERS_MAX]; /* idle; under the lock */
    size_t n_readers;
    struct oidc_provider *provider;
    struct wait_share by_password, by_provider; /* neither makes the other wait */
    struct notes notes;
    struct measure measure;
    int took_place;                /* of a program that was ready: nobody is sent away meanwhile */
    struct denials denials, known; /* of nobody, and of who is known */
    struct loop_timer *drain;      /* while we stop: what is read now has to end */
    loop_fn *ended;
    void *ended_ctx;
};

struct api_request {
    struct task task;
    struct task *child;
    struct api *api;
    struct http_exchange *x;
    struct api_request *next, *prev;
    struct route_call call;
    struct auth_actor actor;
    struct metrics metrics;    /* with ROUTE_MEASURE: what the loop knows */
    const struct value *parts; /* the same of health; NULL: not taken yet */
    struct arena scratch;      /* of the last read */
    struct value *answer;
    struct http_made made;      /* of a route that is packed, from who takes it so */
    int64_t until_ms, pause_ms; /* of a GET that waits */
    int64_t after;              /* of a stream */
    struct command_call command;
    int is_commanded;
    int is_known, is_denied, is_stale;
    struct str env;            /* name of the environment that it is about */
    struct log_field about[3]; /* of the log: req, env */
    struct err unmatched;      /* no such route: said to who is known */
    struct err failed;         /* what READ came to */
    struct rec_token token;
    struct str token_text;
    struct login_call login;
};

/* http_handle: what comes through any door. */
void api_handle(void *ctx, struct http_exchange *x);
/* It is answered, at once or when its task has ended; `unmatched`: why `call` has no route. */
void api_request_start(struct api *api, struct http_exchange *x, const struct route_call *call,
                       const struct err *unmatched);
/* Asked by who is not known yet. */
int api_is_open(const struct api_request *r);
/* The work of a request's task, with a reader of its own: POOL_QUERY or POOL_SIGN. */
int api_work(struct task *t, struct err *err);
/* Of a request for what is measured: what the loop knows. */
void api_measure(struct api_request *r);
/* Any thread. */
int api_reader_take(struct api *api, struct db **ret, struct err *err);
void api_reader_give(struct api *api, struct db *db);
