/*
 * call: one call of the driver. SPDX-License-Identifier: Apache-2.0
 *
 * Functions of this driver return 0, or the verdict that stands in `ret` with its sentence.
 *
 * Memory   `arena` lives as long as the call.
 */
#pragma once

#include <stdatomic.h>

#include "providers/haproxy/conf.h"
#include "providers/kit.h"

struct haproxy_call {
    const struct haproxy_conf *conf;
    const struct rv_host *h;
    const struct rv_op *op;
    struct rv_result *ret;
    struct arena *arena;
    int may_write;       /* 0: look, but start, lock and change nothing */
    atomic_int *settled; /* of the opened driver: the proxy is as configured, or cannot be */
    enum rv_acted acted; /* what we did to the world so far */
    const struct value *desired;
};

#define haproxy_fail(c, verdict, ...)                                                              \
    kit_answer((c)->h, (c)->ret, (verdict), (c)->acted, __VA_ARGS__)
#define haproxy_fail_err(c, err) kit_answer_err((c)->h, (c)->ret, (c)->acted, (err))
