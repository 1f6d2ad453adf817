/*
 * test_engine_stores_given: a directory of its own and the stores of a Daemon document. SPDX-License-Identifier: Apache-2.0
 *
 * A test defines STORES, the members of `secrets` as JSON, in which '@' is the directory.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/secret_store.h"
#include "specs/json_io.h"

struct world {
    struct arena arena;
    char dir[64];
    struct secret_store *store;
};

static inline char *world_path(struct world *w, const char *name)
{
    return str_to_c(&w->arena, str_fmt(&w->arena, "%s/%s", w->dir, name));
}

static inline void given_program(struct world *w, const char *name, const char *text)
{
    struct err err = ERR_INIT;

    assert_int_equal(sys_write_file(world_path(w, name), 0700, str_from_c(text), &err), 0);
}

static inline void given_file(struct world *w, const char *name, struct str bytes)
{
    struct err err = ERR_INIT;

    assert_int_equal(sys_write_file(world_path(w, name), 0600, bytes, &err), 0);
}

static inline struct str world_secrets(struct world *w)
{
    struct str rest = S("{\"secrets\":{" STORES "}}"), part;
    struct sb b;

    sb_init(&b, &w->arena);
    while (str_next(&rest, '@', &part)) {
        sb_add(&b, part);
        if (rest.p)
            sb_add_c(&b, w->dir);
    }
    return sb_str(&b);
}

/* Again: the next life of a daemon. */
static inline void world_open(struct world *w)
{
    struct err err = ERR_INIT;
    struct value *daemon;

    assert_int_equal(json_parse(&w->arena, world_secrets(w), 10000, &daemon, &err), 0);
    assert_int_equal(secret_store_new(
                         &(struct secret_store_options){
                             .daemon = daemon, .dir = w->dir, .keys = world_path(w, "keys") },
                         &w->store, &err),
                     0);
}

static inline void given_world(struct world *w)
{
    struct err err = ERR_INIT;

    arena_init(&w->arena, 0);
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/rt-stores-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(sys_mkdir_all(world_path(w, "files"), 0700, &err), 0);
    world_open(w);
}

static inline void world_fini(struct world *w)
{
    struct err err = ERR_INIT;

    secret_store_free(w->store);
    assert_int_equal(sys_remove_all(w->dir, &err), 0);
    arena_fini(&w->arena);
}
