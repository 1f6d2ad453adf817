/*
 * store: what the edge serves, on disk. SPDX-License-Identifier: Apache-2.0
 *
 * The rendered file and the maps are written before the proxy is told anything, so that a proxy
 * that was restarted serves the same sets. One lock (flock on `lock` in the directory) keeps the
 * calls of all threads and processes apart.
 *
 * Owns     a struct haproxy_store holds the lock from haproxy_store_open() to haproxy_store_close().
 * Fails    RV_WAIT: the lock is busy; RV_RETRY, RV_WAIT: the disk; RV_FATAL: the file contradicts
 *          itself; RV_USER: the proxy refuses the rendered file, or it would be too large to be read again.
 */
#pragma once

#include "providers/haproxy/call.h"
#include "providers/haproxy/maps.h"

#define HAPROXY_OFFER_FILE "check.cfg"

struct haproxy_store {
    int lock;
    int is_new;      /* there was no rendered file */
    struct str text; /* of the rendered file as it is on disk */
    struct haproxy_model model;
};

/* Is there a rendered file: was the proxy ever started? */
int haproxy_store_is_there(struct haproxy_call *c);
/* The id of the operation's owner in the file, without the lock; STR_NONE: none there. */
struct haproxy_glance haproxy_store_glance(struct haproxy_call *c);

int haproxy_store_open(struct haproxy_call *c, struct haproxy_store *ret);
/* Write it where a second proxy may start from it: HAPROXY_OFFER_FILE, and the maps. */
int haproxy_store_offer(struct haproxy_call *c, struct haproxy_store *s);
int haproxy_store_save(struct haproxy_call *c, struct haproxy_store *s);
void haproxy_store_close(struct haproxy_store *s);
#define AUTO_STORE __attribute__((cleanup(haproxy_store_close)))
#define HAPROXY_STORE_NONE                                                                         \
    {                                                                                              \
        .lock = -1                                                                                 \
    }
