/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/rt/wait_http_uv.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/sys.h"

#define HTTP_DROP_MAX 1048576u  /* bytes over body_max that are read before the answer is cut */
#define HTTP_HEADERS_MAX 65536u /* of an answer */
#define HTTP_REDIRECTS_MAX 10
#define HTTP_HOST_CONNECTIONS 20L /* a dead host does not take them all */
#define HTTP_IDLE_CONNECTIONS 64L

struct http_socket {
    uv_poll_t poll;
    curl_socket_t fd;
};

static void http_free(struct http_run *run)
{
    struct loop_uv *l = loop_uv_of(run->w->loop);

    if (run->easy) {
        (void)curl_multi_remove_handle(l->multi, run->easy); /* also fine when it was never added */
        curl_easy_reset(run->easy);
        if (l->n_idle_easy < LOOP_UV_IDLE_EASY_MAX)
            l->idle_easy[l->n_idle_easy++] = run->easy;
        else
            curl_easy_cleanup(run->easy);
    }
    curl_slist_free_all(run->headers);
    alloc_free(run);
}

static void http_end(struct http_run *run, int rc)
{
    struct wait *w = run->w;

    http_free(run);
    wait_end(w, rc);
}

/* "Name: value\n" each, of the last answer. */
static size_t http_got_header(char *p, size_t size, size_t n, void *ctx)
{
    struct http_run *run = ctx;
    struct str line = str_trim((struct str){ p, size * n });

    if (str_starts(line, S("HTTP/"))) {
        sb_init(&run->head, run->w->u.http.arena);
    } else if (line.n && run->head.n + line.n < HTTP_HEADERS_MAX) {
        sb_add(&run->head, line);
        sb_add_char(&run->head, '\n');
    }
    return size * n;
}

static size_t http_got_body(char *p, size_t size, size_t n, void *ctx)
{
    struct http_run *run = ctx;
    struct wait_http *h = &run->w->u.http;
    struct str bytes = { p, size * n };
    size_t room = h->in->body_max - run->body.n;

    sb_add(&run->body, str_slice(bytes, 0, room));
    if (bytes.n > room)
        h->ret->body_dropped += bytes.n - room;
    run->cut = h->ret->body_dropped > HTTP_DROP_MAX;
    return run->cut ? 0 : bytes.n;
}

static int http_code(CURLcode code)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_URL_MALFORMAT:
        return ERR_INVALID;
    case CURLE_OUT_OF_MEMORY:
        return ERR_NOMEM;
    default:
        return ERR_UNREACHABLE;
    }
}

/* Whether both URLs have the same scheme, host and port. */
static int http_same_peer(const char *a, const char *b)
{
    static const CURLUPart parts[] = { CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT };
    CURLU *ua = curl_url(), *ub = curl_url();
    int same = ua && ub && !curl_url_set(ua, CURLUPART_URL, a, 0) &&
               !curl_url_set(ub, CURLUPART_URL, b, 0);

    for (size_t i = 0; same && i < N_ELEMENTS(parts); i++) {
        char *pa = NULL, *pb = NULL;

        same = !curl_url_get(ua, parts[i], &pa, CURLU_DEFAULT_PORT) &&
               !curl_url_get(ub, parts[i], &pb, CURLU_DEFAULT_PORT) && !strcasecmp(pa, pb);
        curl_free(pa);
        curl_free(pb);
    }
    curl_url_cleanup(ua);
    curl_url_cleanup(ub);
    return same;
}

/* Follow a redirect that stays with the same peer: 1 when the next request was begun. */
static int http_redirect(struct http_run *run)
{
    const struct http_request *in = run->w->u.http.in;
    CURLM *multi = loop_uv_of(run->w->loop)->multi;
    int64_t left_ms = run->end_ms - sys_mono_ms();
    char *url = NULL;

    if (!in->follow_redirects || (strcmp(in->method, "GET") && strcmp(in->method, "HEAD")) ||
        ++run->n_redirects > HTTP_REDIRECTS_MAX || left_ms <= 0)
        return 0;
    if (curl_easy_getinfo(run->easy, CURLINFO_REDIRECT_URL, &url) || !url ||
        !http_same_peer(in->url, url))
        return 0;
    sb_init(&run->body, run->w->u.http.arena);
    run->w->u.http.ret->body_dropped = 0;
    (void)curl_multi_remove_handle(multi, run->easy);
    return !curl_easy_setopt(run->easy, CURLOPT_URL, url) &&
           !curl_easy_setopt(run->easy, CURLOPT_TIMEOUT_MS, (long)left_ms) &&
           !curl_multi_add_handle(multi, run->easy);
}

static int http_fill(struct http_run *run)
{
    struct wait_http *h = &run->w->u.http;
    long status = 0;

    (void)curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status); /* 0 then */
    h->ret->status = (int)status;
    h->ret->headers = sb_str(&run->head);
    h->ret->body = sb_str(&run->body);
    return arena_status(h->arena, run->w->err);
}

static void http_done(struct http_run *run, CURLcode code)
{
    struct wait *w = run->w;

    if (run->cut)
        code = CURLE_OK; /* we stopped it; what we kept is the answer */
    if (code != CURLE_OK && run->refused) {
        http_end(run, err_set(w->err, ERR_REFUSED, "http: the address is not a public one"));
        return;
    }
    if (code != CURLE_OK) {
        http_end(run, err_set(w->err, http_code(code), "http: %s",
                              run->text[0] ? run->text : curl_easy_strerror(code)));
        return;
    }
    if (w->kind == WAIT_CONNECT)
        http_end(run, 0);
    else if (!http_redirect(run))
        http_end(run, http_fill(run));
}

static void http_drain(struct loop_uv *l)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(l->multi, &left))) {
        CURLcode code = msg->data.result; /* msg dies with the handle's removal */
        struct http_run *run = NULL;

        PRE(!curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&run));
        http_done(run, code);
    }
}

static void http_socket_polled(uv_poll_t *handle, int status, int events)
{
    struct http_socket *s = handle->data;
    struct loop_uv *l = handle->loop->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;

    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    (void)curl_multi_socket_action(l->multi, s->fd, flags,
                                   &running); /* failures come as messages */
    http_drain(l);
}

static void http_timed(uv_timer_t *handle)
{
    struct loop_uv *l = handle->loop->data;
    int running;

    (void)curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    http_drain(l);
}

/* Asked by curl, which must not be called back from here. What cannot be watched ends by its time-out; an
 * error from here would end the multi for ever. */
static int http_set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct loop_uv *l = ctx;
    struct http_socket *s = socket_ctx;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s)
            uv_close((uv_handle_t *)&s->poll, loop_uv_closed);
        (void)curl_multi_assign(l->multi, fd, NULL);
        return 0;
    }
    if (!s) {
        s = alloc_zero(sizeof(*s));
        if (!s || uv_poll_init_socket(&l->uv, &s->poll, fd)) {
            alloc_free(s);
            return 0;
        }
        s->fd = fd;
        s->poll.data = s;
        (void)curl_multi_assign(l->multi, fd, s);
    }
    (void)uv_poll_start(&s->poll, events, http_socket_polled);
    return 0;
}

static int http_set_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct loop_uv *l = ctx;

    (void)multi;
    if (timeout_ms < 0)
        return uv_timer_stop(&l->multi_timer);
    uv_update_time(&l->uv);
    return uv_timer_start(&l->multi_timer, http_timed, (uint64_t)timeout_ms, 0);
}

/* A handle that was used before keeps curl's own caches; its options are as new. */
static CURL *http_take_easy(struct loop_uv *l)
{
    return l->n_idle_easy ? l->idle_easy[--l->n_idle_easy] : curl_easy_init();
}

void wait_http_uv_start(struct wait *w)
{
    struct loop_uv *l = loop_uv_of(w->loop);
    int is_connect = w->kind == WAIT_CONNECT;
    int64_t timeout_ms = is_connect ? w->u.connect.timeout_ms : w->u.http.in->timeout_ms;
    struct http_run *run = alloc_zero(sizeof(*run));
    CURLcode code = CURLE_OUT_OF_MEMORY;
    int rc = is_connect ? 0 : wait_http_uv_check(w->u.http.in, w->err);

    if (!run || rc) {
        alloc_free(run);
        wait_end(w, rc ? rc : err_set(w->err, ERR_NOMEM, "out of memory"));
        return;
    }
    run->w = w;
    run->easy = http_take_easy(l);
    if (!is_connect) {
        sb_init(&run->head, w->u.http.arena);
        sb_init(&run->body, w->u.http.arena);
    }
    timeout_ms = timeout_ms > 0 ? timeout_ms : HTTP_TIMEOUT_MS;
    run->end_ms = sys_mono_ms() + timeout_ms;
    if (run->easy)
        code = wait_http_uv_set(run, timeout_ms, http_got_header, http_got_body);
    if (!code && curl_multi_add_handle(l->multi, run->easy))
        code = CURLE_OUT_OF_MEMORY;
    w->own = run;
    if (code)
        http_done(run, code);
}

void wait_http_uv_cancel(struct wait *w)
{
    http_end(w->own, 0);
}

void wait_http_uv_drop(struct wait *w)
{
    http_free(w->own);
}

int wait_http_uv_open(struct loop_uv *l, struct err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) /* counted: again is fine */
        return err_set(err, ERR_NOMEM, "open the http client");
    l->multi = curl_multi_init();
    if (!l->multi)
        return err_set(err, ERR_NOMEM, "open the http client");
    PRE(!curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, http_set_socket));
    PRE(!curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l));
    PRE(!curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, http_set_timer));
    PRE(!curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l));
    PRE(!curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, HTTP_IDLE_CONNECTIONS));
    PRE(!curl_multi_setopt(l->multi, CURLMOPT_MAX_HOST_CONNECTIONS, HTTP_HOST_CONNECTIONS));
    return 0;
}

void wait_http_uv_close(struct loop_uv *l)
{
    while (l->n_idle_easy)
        curl_easy_cleanup(l->idle_easy[--l->n_idle_easy]);
    if (l->multi)
        (void)curl_multi_cleanup(
            l->multi); /* closes its connections; their handles close with the loop */
    curl_global_cleanup();
}
