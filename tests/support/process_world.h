/*
 * process_world: a process driver in a directory of its own, for tests. SPDX-License-Identifier: Apache-2.0
 *
 * Directory under /tmp, two free ports as its range, the keeper of REEVE_KEEPER. world_fini() ends
 * every keeper that was started and removes the directory.
 */
#pragma once

#include "tests/support/test_host.h"

struct world {
    struct test_host t;
    void *self;
    const struct rv_driver *driver;
    char dir[64], config[512]; /* config: as given to open */
    unsigned port_from, port_to;
};

void world_init(struct world *w, unsigned n_ports);
void world_fini(struct world *w);

/* The text of a file below the directory, "" when it is not there. Lives until world_fini(). */
const char *world_file(struct world *w, const char *path);
void world_write(struct world *w, const char *path, const char *text);
int world_has(struct world *w, const char *path);

/* The number behind "name": in run/OWNER/state. */
int64_t world_state(struct world *w, const char *owner, const char *name);

/* Until fn(w, ctx) is true; fails the test after thirty seconds. */
void world_wait(struct world *w, int (*fn)(struct world *w, void *ctx), void *ctx,
                const char *what);
int world_is_dead(struct world *w, void *pid); /* pid_t * */

/* Skips the test, and says why, where a container or a kernel denies what isolation needs. */
void world_skip_where_impossible(const struct rv_result *ret);
