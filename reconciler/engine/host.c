/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/host.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/log.h"
#include "providers/spawn.h"
#include "reconciler/engine/secret_hide.h"
#include "reconciler/rt/wait.h"

#define HOST_LOOK_MS 50      /* how long a wait may last before it looks for a cancel */
#define HOST_LOG_MAX 2048u   /* bytes of one message */
#define HOST_HEADERS_MAX 64u /* lines */

static int64_t host_left_ms(const struct host_call *c)
{
    int64_t left_ms = c->deadline_ms - loop_mono_ms(c->options.loop);

    return left_ms > 0 ? left_ms : 0;
}

int host_call_is_late(const struct host_call *c)
{
    return !host_left_ms(c);
}

static int host_cancelled(void *ctx)
{
    struct host_call *c = ctx;

    return (c->options.task && c->options.task->cancelled) || host_call_is_late(c);
}

/* What an error of ours is for the driver. Not found is about what it asked for, not about the world. */
static int host_verdict(const struct err *err)
{
    static const enum rv_verdict verdicts[] = {
        [ERR_CLASS_USER] = RV_USER,      [ERR_CLASS_WAIT] = RV_WAIT,   [ERR_CLASS_RETRY] = RV_RETRY,
        [ERR_CLASS_STOP] = RV_CANCELLED, [ERR_CLASS_STALE] = RV_STALE, [ERR_CLASS_ABSENT] = RV_USER,
        [ERR_CLASS_FATAL] = RV_FATAL,
    };

    return (int)verdicts[err_class(err->code)];
}

/* --- memory, time, words ------------------------------------------------------------------------- */

static void *host_alloc(void *ctx, size_t n)
{
    struct host_call *c = ctx;

    return arena_alloc(&c->arena, n);
}

static int64_t host_now_ms(void *ctx)
{
    struct host_call *c = ctx;

    return loop_mono_ms(c->options.loop);
}

struct str host_call_words(const struct host_call *c, struct arena *a, struct str text)
{
    return secret_hide_words(c->values.p, c->values.n, a, str_slice(text, 0, HOST_SAID_MAX));
}

struct str host_call_field(const struct host_call *c, struct arena *a, struct str text)
{
    return secret_hide_field(c->values.p, c->values.n, a, text);
}

static void host_say(struct host_call *c, enum log_level level, const char *msg, struct str text)
{
    AUTO_WIPED_ARENA struct arena scratch;

    arena_init(&scratch, 0);
    text = host_call_words(c, &scratch, text);
    LOG(level, msg, LOG_S("text", str_slice(text, 0, HOST_LOG_MAX)));
}

static void host_log(void *ctx, uint32_t level, struct rv_str text)
{
    host_say(ctx, level < LOG_ERROR ? (enum log_level)level : LOG_ERROR, "driver", kit_str(text));
}

static void host_progress(void *ctx, uint32_t permille, struct rv_str text)
{
    (void)permille; /* nobody shows a bar: the words are in the debug log */
    host_say(ctx, LOG_DEBUG, "driver goes on", kit_str(text));
}

/* --- programs ------------------------------------------------------------------------------------ */

static int host_exec(void *ctx, const struct rv_exec *in, struct rv_exit *ret)
{
    struct host_call *c = ctx;
    struct spawn_limits limits = { HOST_OUT_MAX, HOST_ERR_MAX, host_cancelled, c };
    struct err err = ERR_INIT;

    if (host_cancelled(c))
        return RV_CANCELLED;
    if (!spawn_run(in, &limits, &c->arena, ret, &err))
        return 0;
    host_say(c, LOG_DEBUG, "driver's program", str_from_c(err.text));
    return host_cancelled(c) ? RV_CANCELLED : host_verdict(&err);
}

static int host_spawn(void *ctx, const struct rv_exec *in, struct rv_exit *ret)
{
    struct host_call *c = ctx;
    struct err err = ERR_INIT;
    pid_t pid;

    if (host_cancelled(c))
        return RV_CANCELLED;
    if (!spawn_detached(in, &pid, &err)) {
        ret->pid = pid;
        return 0;
    }
    host_say(c, LOG_DEBUG, "driver's program", str_from_c(err.text));
    return host_verdict(&err);
}

/* --- descriptors --------------------------------------------------------------------------------- */

static int host_connect_unix(struct str path, int *ret_fd)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (path.n >= sizeof(to.sun_path) || memchr(path.p, 0, path.n))
        return RV_USER;
    memcpy(to.sun_path, path.p, path.n);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
        return RV_RETRY; /* nobody listens, or too many wait already */
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* "127.0.0.1:80", "[::1]:80", "name:80". A name is looked up within the resolver's own limits. */
static int host_connect_tcp(struct arena *a, struct str address, int *ret_fd)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *found;
    char *host = str_to_c(a, address), *port = host ? strrchr(host, ':') : NULL;
    AUTO_CLOSE int fd = -1;
    int rc;

    if (!host)
        return RV_RETRY;
    if (!port)
        return RV_USER;
    *port++ = 0;
    if (host[0] == '[' && port[-2] == ']') {
        port[-2] = 0;
        host++;
    }
    rc = getaddrinfo(host, port, &hints, &found);
    if (rc)
        return rc == EAI_AGAIN || rc == EAI_SYSTEM ? RV_RETRY : RV_USER;
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    rc = fd < 0 ? -1 : connect(fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (rc && (fd < 0 || errno != EINPROGRESS))
        return RV_RETRY;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int host_connect(void *ctx, struct rv_str address, int *ret_fd)
{
    struct host_call *c = ctx;
    struct str rest = kit_str(address), kind;

    if (host_cancelled(c))
        return RV_CANCELLED;
    if (!str_next(&rest, ':', &kind) || !rest.n)
        return RV_USER;
    if (str_eq_c(kind, "unix"))
        return host_connect_unix(rest, ret_fd);
    if (str_eq_c(kind, "tcp"))
        return host_connect_tcp(&c->arena, rest, ret_fd);
    return RV_USER;
}

/* Time is counted in what was waited, not read off a clock: simulated, the clock moves by our sleeps alone. */
static int host_wait_fd(void *ctx, int fd, uint32_t events, uint32_t timeout_ms)
{
    struct host_call *c = ctx;
    struct pollfd p = { fd, (short)events, 0 };
    uint32_t left_ms = timeout_ms;

    for (;;) {
        uint32_t slice_ms = left_ms < HOST_LOOK_MS ? left_ms : HOST_LOOK_MS;

        if (host_cancelled(c))
            return RV_CANCELLED;
        if (fd < 0)
            wait_sleep_call(c->options.loop, slice_ms);
        else if (poll(&p, 1, (int)slice_ms) > 0)
            return 0;
        left_ms -= slice_ms;
        if (!left_ms)
            return host_cancelled(c) ? RV_CANCELLED : RV_WAIT;
    }
}

/* --- requests ------------------------------------------------------------------------------------ */

/* "Name: value\n" each, as the list that the loop wants; NULL when memory ran out or there are too many. */
static const char *const *host_headers(struct arena *a, struct str lines)
{
    const char **list = arena_new_n(a, const char *, HOST_HEADERS_MAX + 1);
    struct str line;
    size_t n = 0;

    while (list && str_next(&lines, '\n', &line)) {
        if (!line.n)
            continue;
        if (n == HOST_HEADERS_MAX)
            return NULL;
        list[n++] = str_to_c(a, line);
    }
    return arena_status(a, &(struct err){ 0 }) ? NULL : list;
}

/* Never 0, which would be the loop's own limit. */
static int64_t host_http_ms(const struct host_call *c, uint32_t asked_ms)
{
    int64_t left_ms = host_left_ms(c), ms = asked_ms ? asked_ms : HOST_HTTP_MS;

    if (ms > left_ms)
        ms = left_ms;
    return ms > 0 ? ms : 1;
}

static int host_http(void *ctx, const struct rv_http *in, struct rv_reply *ret)
{
    struct host_call *c = ctx;
    struct task *t = c->options.task;
    int public_only = c->options.egress == HOST_EGRESS_PUBLIC && !in->unix_path.n;
    struct http_request request = {
        .method = str_to_c(&c->arena, kit_str(in->method)),
        .url = str_to_c(&c->arena, kit_str(in->url)),
        .unix_path = in->unix_path.n ? str_to_c(&c->arena, kit_str(in->unix_path)) : NULL,
        .headers = host_headers(&c->arena, kit_str(in->headers)),
        .body = kit_str(in->body),
        .body_max = in->body_max && in->body_max < HOST_BODY_MAX ? in->body_max : HOST_BODY_MAX,
        .timeout_ms = host_http_ms(c, in->timeout_ms),
        .public_only = public_only,
        .allowed = c->options.allowed,
        .n_allowed = c->options.n_allowed,
    };
    struct http_reply reply;
    struct err err = ERR_INIT;

    if (host_cancelled(c))
        return RV_CANCELLED;
    if (!request.method || !request.url || !request.headers)
        return RV_RETRY;
    if (public_only && !str_starts(kit_str(in->url), S("https://")))
        return RV_USER;
    if (wait_http_call(c->options.loop, &request, &c->arena, &reply, t ? &t->cancelled : NULL,
                       &err)) {
        host_say(c, LOG_DEBUG, "driver's request", str_from_c(err.text));
        return host_cancelled(c) ? RV_CANCELLED : host_verdict(&err);
    }
    if (reply.body_dropped)
        return RV_USER; /* half an answer would be read as a whole one */
    ret->status = (uint32_t)reply.status;
    ret->headers = kit_rv(reply.headers);
    ret->body = kit_rv(reply.body);
    return 0;
}

/* --- what the engine answers --------------------------------------------------------------------- */

static int host_take_secret(struct host_call *c, struct rv_str ref, struct rv_str *ret)
{
    struct str value, *known;
    int verdict;

    if (!c->options.secret)
        return RV_USER;
    verdict = c->options.secret(c->options.ctx, ref, &c->secrets, &value);
    if (verdict)
        return verdict;
    known = value.n ? vec_push(&c->arena, &c->values) : &value;
    if (!known)
        return RV_RETRY; /* what cannot be hidden is not handed out */
    *known = value;
    *ret = kit_rv(value);
    return 0;
}

static int host_secret(void *ctx, struct rv_str ref, struct rv_str *ret)
{
    return host_cancelled(ctx) ? RV_CANCELLED : host_take_secret(ctx, ref, ret);
}

int host_call_hide(struct host_call *c, struct rv_str ref)
{
    struct rv_str value;

    return host_take_secret(c, ref, &value);
}

static int host_identified(void *ctx, struct rv_str id)
{
    struct host_call *c = ctx;
    int verdict = c->options.identified ? c->options.identified(c->options.ctx, id) : RV_FATAL;

    if (verdict)
        return verdict;
    return host_cancelled(c) ? RV_CANCELLED : 0;
}

void host_call_init(struct host_call *c, const struct host_options *options)
{
    *c = (struct host_call){
        .host = { sizeof(struct rv_host), RV_ABI, c, host_alloc, host_http, host_exec, host_spawn,
                  host_connect, host_wait_fd, host_secret, host_identified, host_cancelled,
                  host_now_ms, host_progress, host_log },
        .options = *options,
        .deadline_ms = loop_mono_ms(options->loop) + options->timeout_ms,
    };
    arena_init(&c->arena, HOST_MEMORY_MAX);
    arena_init(&c->secrets, HOST_MEMORY_MAX);
}

void host_call_fini(struct host_call *c)
{
    arena_wipe(&c->secrets);
    arena_wipe(&c->arena); /* a driver may have copied one into it */
}
