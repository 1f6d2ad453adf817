/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test_host.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/spawn.h"

#define TEST_HOST_OUT_MAX (1u << 20)

/* Count the call; answer the fault that is set for it, or 0. */
static int test_host_enter(struct test_host *t, enum test_host_call call)
{
    int verdict = 0;

    (void)pthread_mutex_lock(&t->mutex);
    t->calls[call]++;
    if (t->fail_call == call && t->fail_in && --t->fail_in == 0)
        verdict = t->fail_verdict;
    if (!verdict && t->cancelled && call != TEST_HOST_ALLOC)
        verdict = RV_CANCELLED;
    (void)pthread_mutex_unlock(&t->mutex);
    if (verdict == TEST_HOST_CRASH)
        (void)kill(getpid(), SIGKILL);
    return verdict;
}

static void *test_host_alloc(void *ctx, size_t n)
{
    struct test_host *t = ctx;
    void *p;

    if (test_host_enter(t, TEST_HOST_ALLOC))
        return NULL;
    (void)pthread_mutex_lock(&t->mutex);
    p = arena_alloc(&t->arena, n ? n : 1);
    (void)pthread_mutex_unlock(&t->mutex);
    return p;
}

static int test_host_http(void *ctx, const struct rv_http *in, struct rv_reply *ret)
{
    struct test_host *t = ctx;
    int verdict = test_host_enter(t, TEST_HOST_HTTP);

    if (verdict)
        return verdict;
    return t->http ? t->http(t, in, ret) : RV_FATAL;
}

static int test_host_verdict(const struct test_host *t, const struct err *err)
{
    if (t->log_to_stderr)
        (void)fprintf(stderr, "host: %s\n", err->text);
    switch (err_class(err->code)) {
    case ERR_CLASS_USER:
    case ERR_CLASS_ABSENT:
        return RV_USER;
    case ERR_CLASS_STOP:
        return RV_CANCELLED;
    default:
        return RV_RETRY;
    }
}

static int test_host_is_cancelled(void *ctx)
{
    struct test_host *t = ctx;
    int cancelled;

    (void)pthread_mutex_lock(&t->mutex);
    cancelled = t->cancelled;
    (void)pthread_mutex_unlock(&t->mutex);
    return cancelled;
}

static int test_host_exec(void *ctx, const struct rv_exec *in, struct rv_exit *ret)
{
    struct test_host *t = ctx;
    struct spawn_limits limits = { TEST_HOST_OUT_MAX, 4096, test_host_is_cancelled, t };
    struct err err = ERR_INIT;
    AUTO_ARENA struct arena scratch;
    int verdict = test_host_enter(t, TEST_HOST_EXEC);

    arena_init(&scratch, 0);
    if (verdict)
        return verdict;
    if (spawn_run(in, &limits, &scratch, ret, &err))
        return test_host_verdict(t, &err);
    (void)pthread_mutex_lock(&t->mutex);
    ret->out.p = arena_copy(&t->arena, ret->out.p, ret->out.n + 1);
    ret->err_tail.p = arena_copy(&t->arena, ret->err_tail.p, ret->err_tail.n + 1);
    (void)pthread_mutex_unlock(&t->mutex);
    return 0;
}

static int test_host_spawn(void *ctx, const struct rv_exec *in, struct rv_exit *ret)
{
    struct test_host *t = ctx;
    struct err err = ERR_INIT;
    int verdict = test_host_enter(t, TEST_HOST_SPAWN);

    if (verdict)
        return verdict;
    return spawn_detached(in, &ret->pid, &err) ? test_host_verdict(t, &err) : 0;
}

static int test_host_connect_unix(struct rv_str path, int *ret_fd)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || path.n >= sizeof(to.sun_path))
        return RV_FATAL;
    memcpy(to.sun_path, path.p, path.n);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
        return RV_RETRY;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int test_host_connect_tcp(struct rv_str address, int *ret_fd)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *found;
    char host[256], *port;
    AUTO_CLOSE int fd = -1;
    int rc;

    (void)snprintf(host, sizeof(host), "%.*s", (int)address.n, address.p);
    port = strrchr(host, ':');
    if (!port)
        return RV_FATAL;
    *port++ = 0;
    if (getaddrinfo(host, port, &hints, &found))
        return RV_RETRY;
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    rc = fd < 0 ? -1 : connect(fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (rc && errno != EINPROGRESS)
        return RV_RETRY;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int test_host_connect(void *ctx, struct rv_str address, int *ret_fd)
{
    struct test_host *t = ctx;
    int verdict = test_host_enter(t, TEST_HOST_CONNECT);

    if (verdict)
        return verdict;
    if (address.n > 5 && !memcmp(address.p, "unix:", 5))
        return test_host_connect_unix((struct rv_str){ address.p + 5, address.n - 5 }, ret_fd);
    if (address.n > 4 && !memcmp(address.p, "tcp:", 4))
        return test_host_connect_tcp((struct rv_str){ address.p + 4, address.n - 4 }, ret_fd);
    return RV_FATAL;
}

static int test_host_wait_fd(void *ctx, int fd, uint32_t events, uint32_t timeout_ms)
{
    struct test_host *t = ctx;
    struct pollfd p = { fd, (short)events, 0 };
    int64_t until_ms = sys_mono_ms() + timeout_ms;
    int verdict = test_host_enter(t, TEST_HOST_WAIT_FD);

    while (!verdict) {
        int64_t left_ms = until_ms - sys_mono_ms();

        if (test_host_is_cancelled(t))
            return RV_CANCELLED;
        if (left_ms < 0)
            left_ms = 0;
        if (poll(&p, fd >= 0, left_ms < 100 ? (int)left_ms : 100) > 0)
            return 0;
        if (sys_mono_ms() >= until_ms)
            return RV_WAIT;
    }
    return verdict;
}

static int test_host_secret_of(void *ctx, struct rv_str ref, struct rv_str *ret)
{
    struct test_host *t = ctx;
    int verdict = test_host_enter(t, TEST_HOST_SECRET);

    for (size_t i = 0; !verdict && i < t->n_secrets; i++) {
        if (!str_eq(t->secrets[i].ref, (struct str){ ref.p, ref.n }))
            continue;
        *ret = (struct rv_str){ t->secrets[i].value.p, t->secrets[i].value.n };
        return 0;
    }
    return verdict ? verdict : RV_USER;
}

static int test_host_identified(void *ctx, struct rv_str id)
{
    struct test_host *t = ctx;
    int verdict = test_host_enter(t, TEST_HOST_IDENTIFIED);

    if (verdict)
        return verdict;
    (void)pthread_mutex_lock(&t->mutex);
    if (t->n_ids < TEST_HOST_IDS_MAX)
        t->ids[t->n_ids++] = str_copy(&t->arena, (struct str){ id.p, id.n });
    (void)pthread_mutex_unlock(&t->mutex);
    return 0;
}

static int64_t test_host_now_ms(void *ctx)
{
    (void)ctx;
    return sys_mono_ms();
}

static void test_host_progress(void *ctx, uint32_t permille, struct rv_str text)
{
    (void)ctx;
    (void)permille;
    (void)text;
}

static void test_host_log(void *ctx, uint32_t level, struct rv_str text)
{
    struct test_host *t = ctx;

    if (t->log_to_stderr)
        (void)fprintf(stderr, "driver(%u): %.*s\n", level, (int)text.n, text.p);
}

void test_host_init(struct test_host *t)
{
    *t = (struct test_host){
        .host = { sizeof(struct rv_host), RV_ABI, t, test_host_alloc, test_host_http,
                  test_host_exec, test_host_spawn, test_host_connect, test_host_wait_fd,
                  test_host_secret_of, test_host_identified, test_host_is_cancelled,
                  test_host_now_ms, test_host_progress, test_host_log },
    };
    arena_init(&t->arena, 0);
    PRE(!pthread_mutex_init(&t->mutex, NULL));
}

void test_host_fini(struct test_host *t)
{
    arena_fini(&t->arena);
    (void)pthread_mutex_destroy(&t->mutex); /* nobody holds it any more */
}

void test_host_forget(struct test_host *t)
{
    arena_reset(&t->arena);
    t->n_ids = 0;
}

void test_host_secret(struct test_host *t, const char *ref, const char *value)
{
    PRE(t->n_secrets < TEST_HOST_SECRETS_MAX);
    t->secrets[t->n_secrets].ref = str_from_c(ref);
    t->secrets[t->n_secrets++].value = str_from_c(value);
}

void test_host_fail(struct test_host *t, enum test_host_call call, size_t nth, int verdict)
{
    t->fail_call = call;
    t->fail_in = nth;
    t->fail_verdict = verdict;
}

struct rv_str test_rv(const char *text)
{
    return (struct rv_str){ text, text ? strlen(text) : 0 };
}

int test_rv_has(struct rv_str text, const char *needle)
{
    return str_find((struct str){ text.p, text.n }, str_from_c(needle)) != STR_NPOS;
}

struct rv_op test_op(uint32_t action, const char *type, const char *name, const char *owner,
                     const char *key, const char *desired)
{
    return (struct rv_op){
        .size = sizeof(struct rv_op),
        .action = action,
        .epoch = 1,
        .deadline_ms = sys_mono_ms() + 60000,
        .type = test_rv(type),
        .name = test_rv(name),
        .owner = test_rv(owner),
        .key = test_rv(key),
        .desired = test_rv(desired),
    };
}

void test_drive(const struct rv_driver *driver, void *self, struct test_host *t, struct rv_op *op,
                struct rv_result *ret)
{
    int64_t until_ms = sys_mono_ms() + 60000;

    *ret = (struct rv_result){ .size = sizeof(*ret) };
    driver->apply(self, &t->host, op, ret);
    while (ret->verdict == RV_PENDING && sys_mono_ms() < until_ms) {
        op->token = ret->token;
        if (ret->id.n)
            op->id = ret->id;
        (void)poll(NULL, 0, ret->again_ms ? (int)ret->again_ms : 1); /* as the engine's timer */
        *ret = (struct rv_result){ .size = sizeof(*ret) };
        driver->resume(self, &t->host, op, ret);
    }
}
