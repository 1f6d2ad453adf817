/*
 * conform: the rules that every driver must meet, tried. SPDX-License-Identifier: Apache-2.0
 *
 * A driver's test gives the driver, its configuration, a host that works, and one body per type:
 *
 *     static const struct conform_type types[] = {
 *         { "backend", "api@s1", "{\"servers\":[\"127.0.0.1:1\"]}", .action = RV_CREATE },
 *     };
 *     struct conform_subject subject = { haproxy_driver(), config, &t.host, types, 1 };
 *     n_broken = conform_run(&subject, &arena, &report);      0: it conforms; else print `report`
 *
 * For each type, with owners of its own: find_by_owner before is RV_ABSENT; create, read as it was
 * found; the same key twice is once; an unknown id is RV_ABSENT; a second owner is independent; an
 * older epoch is refused and changes nothing; delete, then both looks answer RV_ABSENT, and again.
 * Then the same once for every host call that create and delete make: the caller dies right before
 * and right after it (in a process of its own), find_by_owner answers, the same request again brings
 * it about, and `count`, when there is one, says that there is no second. Last, every host call of
 * create fails once: whatever is answered, it is not RV_ABSENT, and the next try converges.
 *
 * What a crashed caller left must be found by a driver that is opened anew: a driver that keeps its
 * things in memory needs a configuration that stores them.
 *
 * Thread   the calling process must have one thread: it forks.
 */
#pragma once

#include "base/str.h"
#include "providers/api/driver.h"

struct conform_type {
    const char *type, *name;
    const char *desired;   /* "$N" in it is another number for each owner */
    enum rv_action action; /* RV_CREATE or RV_RUN */
    size_t every; /* only every so many host calls are struck, of a type with very many; 0: each */
    /* Make what one with this number ("$N") needs; not 0: it cannot. NULL: nothing is needed. */
    int (*given)(void *ctx, const char *number);
    /* How many of `owner` there are in the world, asked behind the driver's back; NULL: not asked. */
    int (*count)(void *ctx, const char *owner);
    void *ctx;
};

struct conform_subject {
    const struct rv_driver *driver;
    const char *config;
    const struct rv_host *host; /* works; its alloc serves the whole run */
    const struct conform_type *types;
    size_t n_types;
};

/* The number of broken rules; `*ret_report` has a line for each. */
size_t conform_run(const struct conform_subject *subject, struct arena *a, struct str *ret_report);
