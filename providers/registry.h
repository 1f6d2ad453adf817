/*
 * registry: the drivers of this program, and the providers that a Daemon document makes of them.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     registry_open(&options, value_get(daemon, S("providers")), &registry, &err);
 *     p = registry_find(registry, S("local"));        NULL: not configured
 *     p->driver->apply(p->self, host, &op, &ret);
 *
 * Opening does no I/O. The order is that of the names.
 *
 * A provider of driver `s3` is passed over while this program has no such driver: it is the address of a store that others ask.
 *
 * Owns     every provider's `self`, until registry_close().
 * Thread   open and close alone; find and the drivers' calls from any.
 * Fails    ERR_INVALID names the provider and what is wrong with its configuration; ERR_NOMEM.
 */
#pragma once

#include "providers/api/driver.h"
#include "specs/value.h"

struct provider {
    struct str name;
    const struct rv_driver *driver;
    void *self;
    const struct value *config; /* as the driver got it */
};

struct registry {
    struct arena arena;
    struct provider *list;
    size_t n;
};

struct registry_options {
    struct str installation; /* id, into every configuration */
    struct str state_dir;    /* absolute */
    struct str keeper;       /* absolute path of the keeper program */
    int may_write;
    const struct value *covers; /* paths that isolated code must not see; NULL: none */
    int grant;                  /* who gives users (kit_users.h); 0: nobody */
    const struct value *groups; /* where control groups are made (kit_groups.h); NULL: nowhere */
};

/* `providers`: {NAME: {driver: WORD, ...}}; NULL or empty: none. */
int registry_open(const struct registry_options *options, const struct value *providers,
                  struct registry **ret, struct err *err);
void registry_close(struct registry *registry);
const struct provider *registry_find(const struct registry *registry, struct str name);

/* The driver with this name, or NULL; the names of all, sorted. */
const struct rv_driver *registry_driver(struct str name);
struct value *registry_drivers(struct arena *a);
