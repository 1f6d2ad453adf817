/*
 * conf: one provider's configuration. SPDX-License-Identifier: Apache-2.0
 *
 * What stands in the Daemon document; the rendered file repeats it, because a proxy that runs keeps
 * the pool it was started with.
 *
 * Memory   in the arena given.
 */
#pragma once

#include "specs/value.h"

#define HAPROXY_BACKENDS_MAX 4096
#define HAPROXY_SLOTS_MAX 256
#define HAPROXY_PORTS_MAX 1024

struct haproxy_conf {
    struct str installation;               /* whose edge it is */
    struct str directory;                  /* absolute */
    struct str program;                    /* the haproxy binary */
    struct str keeper;                     /* the keeper binary */
    struct str http;                       /* ADDRESS:PORT */
    int64_t internal_first, internal_last; /* 0, 0: no internal routes */
    int64_t n_backends, n_slots;
    const struct value *trusted; /* list of addresses that may name the client; NULL: nobody */
};

/* 0, or ERR_INVALID naming the field. */
int haproxy_conf_read(struct arena *a, const struct value *body, struct haproxy_conf *ret,
                      struct err *err);

/* The part that decides what a running proxy can do: http, internal, pool, trusted_proxies. */
struct value *haproxy_conf_pool(struct arena *a, const struct haproxy_conf *conf);
