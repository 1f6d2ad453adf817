/*
 * test_host: the rv_host that driver tests run against. SPDX-License-Identifier: Apache-2.0
 *
 *     struct test_host t;
 *     test_host_init(&t);
 *     driver->apply(self, &t.host, &op, &ret);
 *     test_host_fini(&t);
 *
 * Everything is real (processes, sockets, clock) but http, which answers RV_FATAL unless `http` is
 * set. Faults: the nth call of one function, counted from test_host_fail(), answers a verdict or ends
 * the process.
 *
 * Memory   what alloc hands out lives until test_host_fini() or test_host_forget().
 * Thread   any number may call one host at once.
 */
#pragma once

#include <pthread.h>

#include "base/arena.h"
#include "base/str.h"
#include "providers/api/driver.h"

#define TEST_HOST_IDS_MAX 64
#define TEST_HOST_SECRETS_MAX 16

enum test_host_call {
    TEST_HOST_NONE,
    TEST_HOST_ALLOC,
    TEST_HOST_HTTP,
    TEST_HOST_EXEC,
    TEST_HOST_SPAWN,
    TEST_HOST_CONNECT,
    TEST_HOST_WAIT_FD,
    TEST_HOST_SECRET,
    TEST_HOST_IDENTIFIED,
    N_TEST_HOST_CALLS
};

#define TEST_HOST_CRASH (-1) /* a verdict of test_host_fail(): the process ends by SIGKILL */

struct test_host {
    struct rv_host host; /* hand &t.host to the driver */
    struct arena arena;
    pthread_mutex_t mutex; /* guards what follows */
    int cancelled;         /* every waiting call answers RV_CANCELLED */
    int (*http)(struct test_host *t, const struct rv_http *in, struct rv_reply *ret);
    void *http_ctx;
    struct {
        struct str ref, value;
    } secrets[TEST_HOST_SECRETS_MAX];
    size_t n_secrets;
    struct str ids[TEST_HOST_IDS_MAX]; /* what identified() was told, in order */
    size_t n_ids;
    size_t calls[N_TEST_HOST_CALLS]; /* how often each was called */
    int log_to_stderr;
    enum test_host_call fail_call;
    size_t fail_in; /* passages left; 0: no fault is set */
    int fail_verdict;
};

void test_host_init(struct test_host *t);
void test_host_fini(struct test_host *t);
void test_host_forget(struct test_host *t); /* what alloc handed out and the recorded ids */

void test_host_secret(struct test_host *t, const char *ref, const char *value);
/* The nth call from now on of `call` answers `verdict` instead of working, once. */
void test_host_fail(struct test_host *t, enum test_host_call call, size_t nth, int verdict);

struct rv_str test_rv(const char *text);
/* Is `needle` in `text`? */
int test_rv_has(struct rv_str text, const char *needle);
/* A request with its size set, a minute's deadline and epoch 1. */
struct rv_op test_op(uint32_t action, const char *type, const char *name, const char *owner,
                     const char *key, const char *desired);
/* apply, then resume until it is no longer RV_PENDING or a minute has passed. */
void test_drive(const struct rv_driver *driver, void *self, struct test_host *t, struct rv_op *op,
                struct rv_result *ret);
