/*
 * edge: the proxy runs. SPDX-License-Identifier: Apache-2.0
 *
 * HAProxy runs without a master under a keeper in DIRECTORY/run/edge, which restarts it from the
 * last rendered file; it outlives the daemon.
 *
 * A proxy with other rules, addresses or another pool than configured is replaced by the first call
 * that may write, if what is served fits (edge_replace.h).
 *
 * Fails    RV_WAIT: an address is in use (named), the file is gone while the proxy runs; RV_RETRY: the
 *          keeper of a proxy that is gone hung, and was killed; store.h.
 */
#pragma once

#include "providers/haproxy/store.h"

/* Lock, load, and start the proxy when it does not run. Close with haproxy_store_close(). */
int haproxy_edge_open(struct haproxy_call *c, struct haproxy_store *ret);
/* Only make sure that it runs. */
int haproxy_edge_start(struct haproxy_call *c);
