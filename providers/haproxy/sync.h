/*
 * sync: make the running proxy serve what the model says. SPDX-License-Identifier: Apache-2.0
 *
 * Each function reads what the proxy has, tells it the difference and reads again; when nothing
 * differs nothing is told, so repeating is free. The files are written before (store.h).
 *
 * Fails    as runtime.h; RV_RETRY when the proxy does not end up as told.
 */
#pragma once

#include "providers/haproxy/runtime.h"
#include "providers/haproxy/store.h"

int haproxy_sync_backend(struct haproxy_call *c, struct str backend, const struct value *slots,
                         int64_t n_slots);
/* Routes, sets, paths and rules of all environments; entries appear before and vanish after what leads to
 * them. Generations are not touched. */
int haproxy_sync_routes(struct haproxy_call *c, struct haproxy_model *m);
/* What no record names goes: whoever died between the files and the proxy left it. */
int haproxy_sync_strays(struct haproxy_call *c, struct haproxy_model *m);
/* Move an environment; 0 takes its entry away. */
int haproxy_sync_generation(struct haproxy_call *c, struct str environment, int64_t generation);

/* The generation that the proxy serves, 0: none. */
int haproxy_read_generation(struct haproxy_call *c, struct str environment, int64_t *ret);
/* Where the proxy and the records disagree about generations the proxy is right: it decides who is
 * served. Corrects the records and the files. */
int haproxy_heal_generations(struct haproxy_call *c, struct haproxy_store *s);
