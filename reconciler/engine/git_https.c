/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_https.h"

#include <curl/curl.h>
#include <git2.h>
#include <git2/sys/transport.h>
#include <string.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/sys.h"

#define HTTPS_BUFFER_MAX ((size_t)1 << 20) /* above: the transfer pauses */
#define HTTPS_REQUEST_MAX ((size_t)64 << 20)
#define HTTPS_REDIRECTS_MAX 3
#define HTTPS_POLL_MS 500
#define HTTPS_PORT 443

/* What is asked of the server: to fetch from it, or to push to it. */
/* clang-format off */
static const struct https_service {
    git_smart_service_t list_id, pack_id;
    const char *list, *pack, *type, *accept;
} https_services[] = {
    { GIT_SERVICE_UPLOADPACK_LS, GIT_SERVICE_UPLOADPACK, "/info/refs?service=git-upload-pack", "/git-upload-pack",
      "Content-Type: application/x-git-upload-pack-request", "Accept: application/x-git-upload-pack-result" },
    { GIT_SERVICE_RECEIVEPACK_LS, GIT_SERVICE_RECEIVEPACK, "/info/refs?service=git-receive-pack", "/git-receive-pack",
      "Content-Type: application/x-git-receive-pack-request", "Accept: application/x-git-receive-pack-result" },
};
/* clang-format on */

struct https_buffer {
    char *p;
    size_t n, cap, at; /* at: already handed on */
};

struct https_transport {
    git_smart_subtransport parent;
    struct git_net *net;
    CURL *easy;
    CURLM *multi;
    char *base; /* the URL, after redirects */
    struct curl_slist
        *anywhere; /* an address in the place of every name, so that none is looked up */
};

struct https_stream {
    git_smart_subtransport_stream parent;
    struct https_transport *t;
    const struct https_service *service;
    int is_listing;
    struct https_buffer request, answer;
    int64_t n_received;
    int started, done, paused, redirects;
    struct curl_slist *headers;
    char text[CURL_ERROR_SIZE];
};

static int https_reserve(struct https_buffer *b, size_t more, size_t max)
{
    size_t wanted = b->cap ? b->cap : 4096;
    char *grown;

    if (b->at == b->n)
        b->at = b->n = 0;
    if (more > max || b->n > max - more)
        return -1;
    while (wanted < b->n + more)
        wanted *= 2;
    grown = wanted == b->cap ? b->p : alloc_resize(b->p, wanted);
    if (!grown)
        return -1;
    b->p = grown;
    b->cap = wanted;
    return 0;
}

static int https_append(struct https_buffer *b, const char *p, size_t n, size_t max)
{
    if (https_reserve(b, n, max))
        return -1;
    memcpy(b->p + b->n, p, n);
    b->n += n;
    return 0;
}

/* libgit2 wants a number and a text; the code waits in net->err. */
static int https_fail(struct https_stream *s)
{
    (void)git_error_set_str(GIT_ERROR_NET, s->t->net->err.text); /* a lost copy of a kept text */
    return -1;
}

static long https_status(struct https_stream *s)
{
    long status = 0;

    (void)curl_easy_getinfo(s->t->easy, CURLINFO_RESPONSE_CODE, &status); /* 0: none yet */
    return status;
}

static size_t https_on_data(char *p, size_t size, size_t n, void *ctx)
{
    struct https_stream *s = ctx;

    n *= size;
    if (https_status(s) != 200)
        return n; /* a page for people */
    if (s->answer.n - s->answer.at > HTTPS_BUFFER_MAX) {
        s->paused = 1;
        return CURL_WRITEFUNC_PAUSE;
    }
    s->n_received += (int64_t)n;
    if (s->is_listing && s->n_received > GIT_NET_LISTING_MAX) {
        (void)err_set(&s->t->net->err, ERR_LIMIT, "the list of branches is over %lld bytes",
                      (long long)GIT_NET_LISTING_MAX);
        return 0;
    }
    return https_append(&s->answer, p, n, 4 * HTTPS_BUFFER_MAX) ? 0 : n;
}

/* Same scheme, host and port: the only place that may see our credentials. */
static int https_same_origin(const char *one, const char *other)
{
    static const CURLUPart parts[] = { CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT };
    CURLU *a = curl_url(), *b = curl_url();
    int same = a && b && !curl_url_set(a, CURLUPART_URL, one, 0) &&
               !curl_url_set(b, CURLUPART_URL, other, 0);

    for (size_t i = 0; same && i < N_ELEMENTS(parts); i++) {
        char *x = NULL, *y = NULL;

        same = !curl_url_get(a, parts[i], &x, CURLU_DEFAULT_PORT) &&
               !curl_url_get(b, parts[i], &y, CURLU_DEFAULT_PORT) && curl_strequal(x, y);
        curl_free(x);
        curl_free(y);
    }
    curl_url_cleanup(a);
    curl_url_cleanup(b);
    return same;
}

static int https_set_target(struct https_stream *s)
{
    const char *tail = s->is_listing ? s->service->list : s->service->pack;
    size_t n = strlen(s->t->base) + strlen(tail) + 1;
    char *url = alloc_zero(n);
    CURLcode rc;

    if (!url)
        return -1;
    (void)snprintf(url, n, "%s%s", s->t->base, tail); /* n was counted */
    rc = curl_easy_setopt(s->t->easy, CURLOPT_URL, url);
    alloc_free(url);
    return rc ? -1 : 0;
}

static int https_set_headers(struct https_stream *s)
{
    const char *const lines[] = { s->service->type, s->service->accept, "Expect:" };

    for (size_t i = 0; i < N_ELEMENTS(lines) && !s->is_listing; i++) {
        struct curl_slist *longer = curl_slist_append(s->headers, lines[i]);

        if (!longer)
            return -1;
        s->headers = longer;
    }
    return 0;
}

/* We open no socket any more: one comes from who does, and leads to the host whatever curl would look up. That
 * it connects it once more goes nowhere (git_cage.c). */
static curl_socket_t https_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct https_stream *s = ctx;
    struct git_net *net = s->t->net;
    int64_t left_ms = net->deadline_ms - sys_mono_ms();
    int fd = -1;

    (void)purpose;
    (void)to;
    if (left_ms > net->connect_timeout_ms)
        left_ms = net->connect_timeout_ms;
    if (git_dial_connect(&net->dial, left_ms > 0 ? left_ms : 1, &fd, &net->err))
        return CURL_SOCKET_BAD;
    return fd;
}

static int https_set_connection(struct https_stream *s)
{
    CURL *e = s->t->easy;
    CURLcode rc = CURLE_OK;

    rc |= curl_easy_setopt(e, CURLOPT_PROXY, ""); /* the environment does not decide where we go */
    rc |= curl_easy_setopt(e, CURLOPT_CONNECT_TO, s->t->anywhere);
    rc |= curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, https_open_socket);
    rc |= curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, s);
    return rc ? -1 : 0;
}

/* Everything that holds for both requests. The handle is reused, so that the connection is. */
static int https_prepare(struct https_stream *s)
{
    struct git_net *net = s->t->net;
    CURL *e = s->t->easy;
    int64_t left_ms = net->deadline_ms - sys_mono_ms();
    CURLcode rc = CURLE_OK;

    curl_easy_reset(e);
    if (https_set_target(s) || https_set_headers(s) || https_set_connection(s))
        return -1;
    rc |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
    rc |= curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    rc |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    rc |= curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    rc |= curl_easy_setopt(e, CURLOPT_USERAGENT, "git/2.0 (reeve " REEVE_VERSION ")");
    rc |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)net->connect_timeout_ms);
    rc |= curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(left_ms > 0 ? left_ms : 1));
    rc |= curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, (long)net->low_speed_bytes);
    rc |= curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)((net->low_speed_ms + 999) / 1000));
    rc |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, s->text);
    rc |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, https_on_data);
    rc |= curl_easy_setopt(e, CURLOPT_WRITEDATA, s);
    rc |= curl_easy_setopt(e, CURLOPT_HTTPHEADER, s->headers);
    if (net->ca_file)
        rc |= curl_easy_setopt(e, CURLOPT_CAINFO, net->ca_file);
    if (net->password) {
        rc |= curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        rc |= curl_easy_setopt(e, CURLOPT_USERNAME, net->username);
        rc |= curl_easy_setopt(e, CURLOPT_PASSWORD, net->password);
    }
    if (!s->is_listing) {
        rc |= curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->request.n);
        rc |= curl_easy_setopt(e, CURLOPT_POSTFIELDS, s->request.p);
    }
    return rc ? -1 : 0;
}

static int https_begin(struct https_stream *s)
{
    if (https_prepare(s) || curl_multi_add_handle(s->t->multi, s->t->easy))
        return err_set(&s->t->net->err, ERR_NOMEM, "no memory for a request");
    s->started = 1;
    s->done = s->paused = 0;
    return 0;
}

static void https_end(struct https_stream *s)
{
    if (s->started)
        (void)curl_multi_remove_handle(s->t->multi, s->t->easy); /* it was added */
    s->started = 0;
}

/* The list may lie elsewhere on the same server; then all of the repository does. */
static int https_redirect(struct https_stream *s)
{
    struct err *err = &s->t->net->err;
    char *to = NULL;
    struct str target;

    (void)curl_easy_getinfo(s->t->easy, CURLINFO_REDIRECT_URL, &to); /* NULL: none */
    target = str_from_c(to);
    if (!s->is_listing || !to || ++s->redirects > HTTPS_REDIRECTS_MAX ||
        !str_ends(target, str_from_c(s->service->list)))
        return err_set(err, ERR_UNREACHABLE, "the server redirects to something else");
    if (!https_same_origin(s->t->base, to))
        return err_set(err, ERR_REFUSED, "the server redirects to another host");
    to = alloc_zero(target.n);
    if (!to)
        return err_set(err, ERR_NOMEM, "no memory for a redirect");
    memcpy(to, target.p, target.n - strlen(s->service->list));
    alloc_free(s->t->base);
    s->t->base = to;
    https_end(s);
    return https_begin(s);
}

static int https_judge_status(struct https_stream *s)
{
    struct err *err = &s->t->net->err;
    long status = https_status(s);

    switch (status) {
    case 200:
        return 0;
    case 301:
    case 302:
    case 307:
    case 308:
        return https_redirect(s);
    case 401:
    case 403:
        return err_set(err, ERR_REFUSED, "the server refused the credentials (%ld)", status);
    case 404:
        return err_set(err, ERR_UNREACHABLE,
                       "no such repository, or the credentials may not see it (404)");
    default:
        return err_set(err, ERR_UNREACHABLE, "the server answered %ld", status);
    }
}

static int https_judge(struct https_stream *s, CURLcode rc)
{
    struct err *err = &s->t->net->err;
    const char *text = s->text[0] ? s->text : curl_easy_strerror(rc);

    s->done = 1;
    if (err->code)
        return err->code;
    if (rc == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ERR_TIMEOUT, "%s", text);
    if (rc)
        return err_set(err, ERR_UNREACHABLE, "%s", text);
    return https_judge_status(s);
}

/* Turn the transfer once; its deadline is libcurl's to keep. */
static int https_pump(struct https_stream *s)
{
    struct err *err = &s->t->net->err;
    int running, left;
    CURLMsg *message;

    if (s->paused) {
        s->paused = 0;
        (void)curl_easy_pause(s->t->easy, CURLPAUSE_CONT); /* its error ends the transfer */
    }
    if (curl_multi_perform(s->t->multi, &running))
        return err_set(err, ERR_UNREACHABLE, "the transfer failed");
    while ((message = curl_multi_info_read(s->t->multi, &left)))
        if (message->msg == CURLMSG_DONE)
            return https_judge(s, message->data.result);
    if (s->answer.at < s->answer.n)
        return 0;
    (void)curl_multi_poll(s->t->multi, NULL, 0, HTTPS_POLL_MS,
                          NULL); /* perform says what is wrong */
    return 0;
}

static int https_read(git_smart_subtransport_stream *stream, char *buffer, size_t size,
                      size_t *bytes_read)
{
    struct https_stream *s = container_of(stream, struct https_stream, parent);
    size_t n;

    if (s->t->net->err.code || (!s->started && !s->done && https_begin(s)))
        return https_fail(s);
    while (s->answer.at == s->answer.n && !s->done)
        if (https_pump(s))
            return https_fail(s);
    n = s->answer.n - s->answer.at < size ? s->answer.n - s->answer.at : size;
    if (n)
        memcpy(buffer, s->answer.p + s->answer.at, n);
    s->answer.at += n;
    *bytes_read = n;
    return 0;
}

static int https_write(git_smart_subtransport_stream *stream, const char *buffer, size_t n)
{
    struct https_stream *s = container_of(stream, struct https_stream, parent);

    if (!https_append(&s->request, buffer, n, HTTPS_REQUEST_MAX))
        return 0;
    (void)err_set(&s->t->net->err, ERR_LIMIT, "the negotiation takes more than %zu bytes",
                  HTTPS_REQUEST_MAX);
    return https_fail(s);
}

static void https_stream_free(git_smart_subtransport_stream *stream)
{
    struct https_stream *s = container_of(stream, struct https_stream, parent);

    https_end(s);
    curl_slist_free_all(s->headers);
    alloc_free(s->request.p);
    alloc_free(s->answer.p);
    alloc_free(s);
}

static int https_action(git_smart_subtransport_stream **out, git_smart_subtransport *transport,
                        const char *url, git_smart_service_t service)
{
    struct https_transport *t = container_of(transport, struct https_transport, parent);
    const struct https_service *of = NULL;
    struct https_stream *s;

    (void)url; /* ours, checked */
    for (size_t i = 0; i < N_ELEMENTS(https_services); i++)
        if (https_services[i].list_id == service || https_services[i].pack_id == service)
            of = &https_services[i];
    if (!of)
        return -1;
    s = alloc_zero(sizeof(*s));
    if (!s)
        return -1;
    s->t = t;
    s->service = of;
    s->is_listing = service == of->list_id;
    s->parent = (git_smart_subtransport_stream){ .subtransport = transport,
                                                 .read = https_read,
                                                 .write = https_write,
                                                 .free = https_stream_free };
    *out = &s->parent;
    return 0;
}

static int https_close(git_smart_subtransport *transport)
{
    (void)transport; /* the connection is kept for the next request */
    return 0;
}

static void https_free(git_smart_subtransport *transport)
{
    struct https_transport *t = container_of(transport, struct https_transport, parent);

    if (t->easy)
        curl_easy_cleanup(t->easy);
    if (t->multi)
        (void)curl_multi_cleanup(t->multi); /* it holds no handle any more */
    curl_slist_free_all(t->anywhere);
    alloc_free(t->base);
    alloc_free(t);
}

/* The URL without final slashes. */
static char *https_base(struct str url)
{
    char *base = alloc_zero(url.n + 1);

    while (url.n && url.p[url.n - 1] == '/')
        url.n--;
    if (base)
        memcpy(base, url.p, url.n);
    return base;
}

static int https_new(git_smart_subtransport **out, git_transport *owner, void *param)
{
    struct git_net *net = param;
    struct https_transport *t = alloc_zero(sizeof(*t));

    (void)owner; /* credentials come from net */
    if (!t)
        return -1;
    t->net = net;
    t->easy = curl_easy_init();
    t->multi = curl_multi_init();
    t->base = https_base(net->url.whole);
    t->anywhere = curl_slist_append(NULL, "::127.0.0.1:");
    t->parent = (git_smart_subtransport){ .action = https_action,
                                          .close = https_close,
                                          .free = https_free };
    if (!t->easy || !t->multi || !t->base || !t->anywhere) {
        https_free(&t->parent);
        return -1;
    }
    *out = &t->parent;
    return 0;
}

static int https_transport_new(git_transport **out, git_remote *owner, void *param)
{
    git_smart_subtransport_definition definition = { https_new, 1, param };

    return git_transport_smart(out, owner, &definition);
}

int git_https_register(struct git_net *net, struct err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return err_set(err, ERR_NOMEM, "start libcurl");
    if (git_transport_register("https", https_transport_new, net) < 0)
        return err_set(err, ERR_IO, "libgit2 takes no transport for https");
    return git_dial_open(&net->dial, net->url.host,
                         (int)(net->url.port ? net->url.port : HTTPS_PORT), err);
}
