/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/rt/wait_http_uv.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "reconciler/rt/loop_peer.h"

/* A bad option is a bug of ours, or memory that ran out: the first code stays. */
#define HTTP_SET(code, run, option, value)                                                         \
    ((code) = (code) ? (code) : curl_easy_setopt((run)->easy, CURLOPT_##option, value))

static int http_add_header(struct http_run *run, const char *line)
{
    struct curl_slist *longer = curl_slist_append(run->headers, line);

    if (longer)
        run->headers = longer;
    return longer ? 0 : -1;
}

static int http_has_body(const struct http_request *in)
{
    return in->body.n || !strcmp(in->method, "POST") || !strcmp(in->method, "PUT") ||
           !strcmp(in->method, "PATCH");
}

static int http_allow(struct http_run *run, const struct sockaddr *peer)
{
    const struct http_request *in = run->w->u.http.in;
    int allowed = loop_peer_is_public(peer) || loop_peer_is_in(peer, in->allowed, in->n_allowed);

    run->refused |= !allowed;
    return allowed;
}

/* A new connection: to the address that was looked up, once it was looked at. */
static curl_socket_t http_open_public(void *ctx, curlsocktype purpose, struct curl_sockaddr *peer)
{
    (void)purpose;
    if (!http_allow(ctx, &peer->addr))
        return CURL_SOCKET_BAD;
    return socket(peer->family, peer->socktype | SOCK_CLOEXEC, peer->protocol);
}

/* A connection that another request made: where does it lead? */
static int http_check_public(void *ctx, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    int allowed = 0;

    (void)own_ip;
    (void)peer_port;
    (void)own_port;
    if (inet_pton(AF_INET, peer_ip, &v4.sin_addr) == 1)
        allowed = http_allow(ctx, (const struct sockaddr *)&v4);
    else if (inet_pton(AF_INET6, peer_ip, &v6.sin6_addr) == 1)
        allowed = http_allow(ctx, (const struct sockaddr *)&v6);
    return allowed ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* As edge_connect does it for the proxy: the last step of the handshake waits for the first bytes of the request, so
 * that an application which closes idle connections at once finds none. */
static int http_begin_with_request(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
    int off = 0;

    (void)ctx;
    (void)purpose;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off)); /* as before without */
    return CURL_SOCKOPT_OK;
}

static int http_set_headers(struct http_run *run)
{
    const struct http_request *in = run->w->u.http.in;
    const char *const *header = in->headers;
    /* No pause before a body. What takes a header of curl's away would be signed, and is not sent. */
    int typed = in->sign != NULL, failed = in->sign ? 0 : http_add_header(run, "Expect:");

    for (; header && *header; header++) {
        typed |= !strncasecmp(*header, "content-type:", 13);
        failed |= http_add_header(run, *header);
    }
    if (!typed)
        failed |= http_add_header(run, "Content-Type:"); /* none, instead of a form's */
    return failed;
}

static CURLcode http_set_public(struct http_run *run)
{
    CURLcode code = CURLE_OK;

    HTTP_SET(code, run, OPENSOCKETFUNCTION, http_open_public);
    HTTP_SET(code, run, OPENSOCKETDATA, (void *)run);
    HTTP_SET(code, run, PREREQFUNCTION, http_check_public);
    HTTP_SET(code, run, PREREQDATA, (void *)run);
    return code;
}

static size_t http_read_mail(char *p, size_t size, size_t n, void *ctx)
{
    struct http_run *run = ctx;
    struct str rest = str_slice(run->w->u.http.in->body, run->n_read, size * n);

    memcpy(p, rest.p, rest.n);
    run->n_read += rest.n;
    return rest.n;
}

/* A connection each: who signed in there is nobody else's matter. */
static CURLcode http_set_mail(struct http_run *run)
{
    const struct http_request *in = run->w->u.http.in;
    CURLcode code = http_add_header(run, in->mail->to) ? CURLE_OUT_OF_MEMORY : CURLE_OK;

    HTTP_SET(code, run, URL, in->url);
    HTTP_SET(code, run, PROTOCOLS_STR, "smtp,smtps");
    HTTP_SET(code, run, USE_SSL, in->mail->needs_tls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_TRY);
    HTTP_SET(code, run, MAIL_FROM, in->mail->from);
    HTTP_SET(code, run, MAIL_RCPT, run->headers);
    HTTP_SET(code, run, UPLOAD, 1L);
    HTTP_SET(code, run, INFILESIZE_LARGE, (curl_off_t)in->body.n);
    HTTP_SET(code, run, READFUNCTION, http_read_mail);
    HTTP_SET(code, run, READDATA, (void *)run);
    HTTP_SET(code, run, FRESH_CONNECT, 1L);
    HTTP_SET(code, run, FORBID_REUSE, 1L);
    if (in->ca_file)
        HTTP_SET(code, run, CAINFO, in->ca_file);
    if (in->mail->user)
        HTTP_SET(code, run, USERNAME, in->mail->user);
    if (in->mail->password)
        HTTP_SET(code, run, PASSWORD, in->mail->password);
    return !code && in->public_only ? http_set_public(run) : code;
}

static CURLcode http_set_request(struct http_run *run)
{
    const struct http_request *in = run->w->u.http.in;
    CURLcode code = http_set_headers(run) ? CURLE_OUT_OF_MEMORY : CURLE_OK;

    HTTP_SET(code, run, URL, in->url);
    HTTP_SET(code, run, HTTPHEADER, run->headers);
    HTTP_SET(code, run, USERAGENT, "reeve/" REEVE_VERSION);
    HTTP_SET(code, run, HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    HTTP_SET(code, run, SOCKOPTFUNCTION, http_begin_with_request);
    if (in->unix_path)
        HTTP_SET(code, run, UNIX_SOCKET_PATH, in->unix_path);
    if (in->ca_file)
        HTTP_SET(code, run, CAINFO, in->ca_file);
    if (!strcmp(in->method, "HEAD"))
        HTTP_SET(code, run, NOBODY, 1L);
    else
        HTTP_SET(code, run, CUSTOMREQUEST, in->method);
    if (http_has_body(in)) {
        HTTP_SET(code, run, POST, 1L);
        HTTP_SET(code, run, POSTFIELDS, in->body.p ? in->body.p : "");
        HTTP_SET(code, run, POSTFIELDSIZE_LARGE, (curl_off_t)in->body.n);
    }
    if (in->sign) {
        HTTP_SET(code, run, AWS_SIGV4, in->sign->scope);
        HTTP_SET(code, run, USERNAME, in->sign->id);
        HTTP_SET(code, run, PASSWORD, in->sign->key);
    }
    if (in->public_only && !code)
        code = http_set_public(run);
    if (in->fresh) {
        HTTP_SET(code, run, FRESH_CONNECT, 1L);
        HTTP_SET(code, run, FORBID_REUSE, 1L);
    }
    return code;
}

static CURLcode http_set_connect(struct http_run *run)
{
    const struct wait_connect *c = &run->w->u.connect;
    int is_v6 = strchr(c->host, ':') != NULL;
    CURLcode code = CURLE_OK;
    char url[512];
    int n = snprintf(url, sizeof(url), is_v6 ? "http://[%s]:%d/" : "http://%s:%d/", c->host,
                     c->port);

    if (n >= (int)sizeof(url) || c->host[strcspn(c->host, "/?#@\\ %")])
        return CURLE_URL_MALFORMAT;
    HTTP_SET(code, run, URL, url);
    HTTP_SET(code, run, CONNECT_ONLY, 1L);
    HTTP_SET(code, run, FRESH_CONNECT, 1L);
    HTTP_SET(code, run, FORBID_REUSE, 1L);
    return code;
}

static int http_check_mail(const struct http_request *in, struct err *err)
{
    const char *const texts[] = { in->mail->from, in->mail->to, in->mail->user,
                                  in->mail->password };

    if (strncmp(in->url, "smtp://", 7) && strncmp(in->url, "smtps://", 8))
        return err_set(err, ERR_INVALID, "mail: the URL is neither smtp:// nor smtps://");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i] && strpbrk(texts[i], "\r\n"))
            return err_set(err, ERR_INVALID, "mail: an address is not one line");
    return 0;
}

int wait_http_uv_check(const struct http_request *in, struct err *err)
{
    const char *const *header = in->headers;

    if (in->mail)
        return http_check_mail(in, err);
    if (!in->method[0] || in->method[strspn(in->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-")])
        return err_set(err, ERR_INVALID, "http: the method is not a word");
    if (strncmp(in->url, "http://", 7) && strncmp(in->url, "https://", 8))
        return err_set(err, ERR_INVALID, "http: the URL is neither http:// nor https://");
    for (; header && *header; header++)
        if (strpbrk(*header, "\r\n") || !strchr(*header, ':'))
            return err_set(err, ERR_INVALID, "http: a header is not one line 'Name: value'");
    return 0;
}

CURLcode wait_http_uv_set(struct http_run *run, int64_t timeout_ms, curl_write_callback got_header,
                          curl_write_callback got_body)
{
    CURLcode code = CURLE_OK;

    HTTP_SET(code, run, PRIVATE, (void *)run);
    HTTP_SET(code, run, ERRORBUFFER, run->text);
    HTTP_SET(code, run, NOSIGNAL, 1L);
    HTTP_SET(code, run, PROXY, ""); /* the environment does not decide where we go */
    HTTP_SET(code, run, PROTOCOLS_STR, "http,https");
    HTTP_SET(code, run, CONNECTTIMEOUT_MS, (long)timeout_ms);
    HTTP_SET(code, run, TIMEOUT_MS, (long)timeout_ms);
    HTTP_SET(code, run, HEADERFUNCTION, got_header);
    HTTP_SET(code, run, HEADERDATA, (void *)run);
    HTTP_SET(code, run, WRITEFUNCTION, got_body);
    HTTP_SET(code, run, WRITEDATA, (void *)run);
    if (code)
        return code;
    if (run->w->kind == WAIT_CONNECT)
        return http_set_connect(run);
    return run->w->u.http.in->mail ? http_set_mail(run) : http_set_request(run);
}
