/*
 * edge_want: what the proxy is started with, and where. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   in the call's arena, which remembers when it had none.
 */
#pragma once

#include "providers/haproxy/store.h"
#include "providers/keeper_client.h"

struct keeper_place haproxy_edge_place(struct haproxy_call *c);
struct keeper_want haproxy_edge_want(struct haproxy_call *c, uint64_t epoch);
/* The provider's configuration into the model, if all that is served fits it; else that is logged. */
void haproxy_edge_take_conf(struct haproxy_call *c, struct haproxy_store *s);
/* The last line of the proxy's log that says why it ended. */
struct str haproxy_edge_complaint(struct haproxy_call *c, const struct keeper_place *place);
