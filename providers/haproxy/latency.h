/*
 * latency: how long the answers of each backend took, counted in the proxy. SPDX-License-Identifier: Apache-2.0
 *
 * From the moment the edge has let a request through until the first byte of the application's answer, in steps
 * of milliseconds (latency.c); what the edge answers by itself is not counted. One row a backend of the pool in
 * a table of the proxy: nobody has to read along, the daemon may be away, and memory is bounded.
 */
#pragma once

#include "providers/haproxy/call.h"
#include "specs/value.h"

/* Rules of a frontend, before its use_backend; and the table, once. */
void haproxy_latency_render_rules(struct sb *b);
void haproxy_latency_render_table(struct sb *b, int64_t n_backends);

/* [[over_ms, up_to_ms, n], ..] by over_ms, none of which is empty; the last step has no end: 0. An answer without
 * the row is an empty list; -1: not a row of the table. Pure. */
int haproxy_latency_parse(struct arena *a, struct str text, struct value **ret);
int haproxy_latency_read(struct haproxy_call *c, struct str backend, struct value **ret);
/* A backend that begins to serve another set counts from 0. */
int haproxy_latency_clear(struct haproxy_call *c, struct str backend);
