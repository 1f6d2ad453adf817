/*
 * edge_replace: a proxy with another pool takes over. SPDX-License-Identifier: Apache-2.0
 *
 * A second proxy takes the listening sockets of the first, which then ends what it has, at most
 * EDGE_LEAVE_MS. The rendered file follows when the second one serves, and what a proxy has stands in
 * its `description`: who dies in between leaves a file and a proxy that the next one compares.
 *
 * Fails    RV_CANCELLED, RV_RETRY: it is not known yet. When it cannot be done, that is logged, and
 *          everything goes on as it is.
 */
#pragma once

#include "providers/haproxy/store.h"

/* With the lock held, once an opened driver: the proxy that runs gets the rules, addresses and pool
 * that are configured, if what is served fits. */
int haproxy_edge_settle(struct haproxy_call *c, struct haproxy_store *s);
/* 1: a proxy that was replaced still has requests, or may get one on a kept connection. */
int haproxy_edge_is_leaving(struct haproxy_call *c);
