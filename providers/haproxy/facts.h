/*
 * facts: how the edge is, and what it counts. SPDX-License-Identifier: Apache-2.0
 *
 * Asked often: but to end connections nothing is locked, and the proxy is only started when it does not answer.
 *
 * Fails    as edge.h and runtime.h.
 */
#pragma once

#include "providers/haproxy/call.h"

/* What the proxy has counted of a place of the pool so far, before another set takes it: {since, requests, responses_5xx}. */
int haproxy_facts_before(struct haproxy_call *c, struct str backend, struct value **ret);
/* The counters of the operation's backend, into the answer; RV_ABSENT: it has none. */
int haproxy_count(struct haproxy_call *c);
/* End `n` of the connections of the operation's backend, those of `servers` that left it alone where they are named.
 * RV_STALE: it is served again; RV_FATAL: a later life has changed the edge. */
int haproxy_shed(struct haproxy_call *c);
/* One that was started once runs for ever: what is gone is started again. RV_ABSENT: it never was. */
int haproxy_serves(struct haproxy_call *c);
