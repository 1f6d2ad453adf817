/*
 * render: the configuration file of the proxy. SPDX-License-Identifier: Apache-2.0
 *
 * Constant rules and the pool; nothing in it changes with a deploy but the addresses in the slots
 * and the comments that hold the records. Paths in it are relative: the proxy runs in its
 * directory. Pure.
 */
#pragma once

#include "providers/haproxy/model.h"

#define HAPROXY_CONFIG_FILE "haproxy.cfg"
#define HAPROXY_SOCKET_FILE "admin.sock"
#define HAPROXY_FREE_ADDRESS "127.0.0.1:1" /* of a slot that serves nobody */

/* One word for the rules and the pool of a configuration: `description` in the proxy's `show info`. */
struct str haproxy_render_name(struct arena *a, const struct haproxy_conf *conf);
/* The whole file. `*ret_n_rules`: how many bytes at its front are the constant rules. */
struct str haproxy_render(struct haproxy_model *m, size_t *ret_n_rules);
