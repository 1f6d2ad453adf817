/* A driver whose instances are lines of a shell, and what is done with one. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/process_world.h"

#define OWNER "rv1aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "rv1bbbbbbbbbbbbbbbbbbbbbbbbbb"
#define THIRD "rv1cccccccccccccccccccccccccc"

/* A server in one line: listens on PORT, answers nothing. */
#define LISTEN                                                                                     \
    "[\"/usr/bin/python3\",\"-c\",\"import socket,time,os\\ns=socket.socket()\\n"                  \
    "s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\\ns.bind(('127.0.0.1',int(os.environ['" \
    "PORT'])))\\n"                                                                                 \
    "s.listen()\\nprint('up',flush=True)\\ntime.sleep(1000)\"]"
#define SH(script) "[\"/bin/sh\",\"-c\",\"" script "\"]"
#define LABEL(env)                                                                                 \
    "\"label\":{\"env_uid\":\"" env "\",\"installation\":\"i1\",\"resource\":\"instance/api\"}"
#define INSTANCE(command, more)                                                                    \
    "{\"command\":" command ",\"environment\":{\"A\":\"1\"},\"port\":8080," LABEL("env1") more "}"
#define GRACE(ms) ",\"termination\":{\"stop_grace_period_ms\":" #ms ",\"stop_signal\":\"TERM\"}"

static inline int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    world_init(w, 3);
    *state = w;
    return 0;
}

static inline int teardown(void **state)
{
    world_fini(*state);
    free(*state);
    return 0;
}

static inline struct rv_result apply(struct world *w, uint32_t action, const char *owner,
                                     const char *key, const char *desired)
{
    struct rv_op op = test_op(action, "instance", "api@s.1", owner, key, desired);
    struct rv_result ret;

    test_drive(w->driver, w->self, &w->t, &op, &ret);
    return ret;
}

static inline struct rv_result look(struct world *w, const char *owner)
{
    struct rv_op op = test_op(RV_NONE, "instance", "api@s.1", owner, "", "");
    struct rv_result ret = { .size = sizeof(ret) };

    op.id = test_rv(owner);
    w->driver->read(w->self, &w->t.host, &op, 1, &ret);
    return ret;
}

static inline int has_log(struct world *w, void *text)
{
    return strstr(world_file(w, "run/" OWNER "/log"), text) != NULL;
}
