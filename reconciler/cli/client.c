/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/url.h"
#include "reconciler/http/listen.h"
#include "specs/json_io.h"

#define TIMEOUT_MS 60000

struct client {
    struct arena arena; /* of what it was made with */
    CURL *easy;
    struct curl_slist *headers;
    const char *path; /* of the socket as it was given; NULL: */
    const char *url, *ca;
    int has_token;
    char address[LISTEN_ADDRESS_BYTES]; /* the path, short */
    int dir;
    char trouble[CURL_ERROR_SIZE];
    struct sb answer; /* of the call in progress */
    const struct value *refusal;
};

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
    struct client *client = ctx;

    if (client->answer.n + size * n > CLIENT_ANSWER_MAX)
        return 0;
    sb_add(&client->answer, (struct str){ p, size * n });
    return size * n;
}

static int no_daemon(const char *path, struct err *err)
{
    if (access(path, W_OK) && errno == EACCES)
        return err_set(err, ERR_UNREACHABLE,
                       "permission to open the daemon's socket '%s' is denied", path);
    if (access(path, F_OK) && (strchr(path, ':') || !strchr(path, '/')))
        return err_set(err, ERR_UNREACHABLE,
                       "'%s' is no socket: an address is http://HOST:PORT or https://HOST:PORT",
                       path);
    return err_set(err, ERR_UNREACHABLE, "no daemon at '%s': reeve serve", path);
}

/* What does not change from call to call. */
static int client_prepare(struct client *client, const struct client_place *place, struct err *err)
{
    struct str url = str_from_c(place->url);
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    int rc;

    client->headers = list;
    if (place->socket) {
        client->path = str_to_c(&client->arena, str_from_c(place->socket));
        client->url = "http://localhost";
        rc = listen_address(place->socket, client->address, &client->dir, err);
        return rc == ERR_UNREACHABLE ? no_daemon(place->socket, err) : rc;
    }
    if (url_check(url, place->token ? URL_WITH_TOKEN : URL_ALONE, err))
        return err->code;
    while (str_ends(url, S("/")))
        url.n--;
    client->url = str_to_c(&client->arena, url);
    if (place->ca)
        client->ca = str_to_c(&client->arena, str_from_c(place->ca));
    client->has_token = place->token != NULL;
    if (place->token)
        list = curl_slist_append(
            list, str_fmt(&client->arena, "Authorization: Bearer %s", place->token).p);
    return list ? arena_status(&client->arena, err) : err_set(err, ERR_NOMEM, "out of memory");
}

int client_new(const struct client_place *place, struct client **ret, struct err *err)
{
    struct client *client = alloc_zero(sizeof(*client));
    int rc;

    if (!client)
        return err_set(err, ERR_NOMEM, "no memory for a request");
    client->dir = -1;
    arena_init(&client->arena, 0);
    client->easy = curl_easy_init();
    rc = client->easy ? client_prepare(client, place, err)
                      : err_set(err, ERR_NOMEM, "no memory for a request");
    if (rc) {
        client_free(client);
        return rc;
    }
    *ret = client;
    return 0;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    if (client->easy)
        curl_easy_cleanup(client->easy);
    curl_slist_free_all(client->headers);
    guard_close(&client->dir);
    arena_wipe(&client->arena);
    alloc_free(client);
}

/* --- words --------------------------------------------------------------------------------------- */

/* Everything but unreserved characters and those of `more`. */
static void encode(struct sb *b, struct str text, const char *more)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c && (strchr("-._~", c) || strchr(more, c))))
            sb_add_char(b, (char)c);
        else
            sb_addf(b, "%%%02X", c);
    }
}

struct str client_target(struct arena *a, struct str path, const struct value *query)
{
    struct sb b;

    sb_init(&b, a);
    encode(&b, path, "/");
    for (size_t i = 0; i < value_count(query); i++) {
        const struct value_entry *e = &query->u.map.entries[i];

        sb_add_char(&b, i ? '&' : '?');
        encode(&b, e->key, "");
        sb_add_char(&b, '=');
        encode(&b, e->value->u.text, "");
    }
    return sb_str(&b);
}

const struct value *client_refusal(const struct client *client)
{
    return client->refusal;
}

/* --- a call -------------------------------------------------------------------------------------- */

/* What answers there without JSON is something else. */
static int no_answer_of_ours(const struct client *client, long status, struct err *err)
{
    if (client->path)
        return err_wrap(err, "the daemon's answer (status %ld)", status);
    return err_set(err, ERR_UNREACHABLE, "what answers at '%s' is no daemon of ours (status %ld)",
                   client->url, status);
}

static int judge(struct client *client, struct arena *a, long status, struct value **ret,
                 struct err *err)
{
    struct str code, detail;
    struct value *v;
    int rc;

    if (json_parse(a, sb_str(&client->answer), CLIENT_ANSWER_MAX, &v, err))
        return no_answer_of_ours(client, status, err);
    if (status >= 200 && status < 300) {
        *ret = v;
        return 0;
    }
    client->refusal = v;
    code = value_get_text(v, S("code"), S("FAILED"));
    detail = value_get_text(v, S("detail"), S("the daemon refused without a word"));
    rc = err_set(err, err_from_name(code.p, code.n), "%.*s", STR_ARG(detail));
    if (rc != ERR_UNKNOWN_ACTOR)
        return rc;
    return err_set(err, rc, "'%s': %.*s: %s", client->url, STR_ARG(detail),
                   client->has_token ? "the token is not one that it knows, or not any more"
                                     : "--token @FILE or $REEVE_TOKEN_FILE names a token");
}

/* Which of the many ways in which it failed a person can do something about. */
static int failed_remote(const struct client *client, CURLcode code, struct err *err)
{
    const char *url = client->url, *why = client->trouble;

    if (!*why)
        why = curl_easy_strerror(code);
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return err_set(err, ERR_UNREACHABLE,
                       "'%s' is not trusted: %s; --ca FILE names who signed it", url, why);
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(err, ERR_USAGE, "--ca '%s': %s", client->ca ? client->ca : "", why);
    case CURLE_SSL_CONNECT_ERROR:
        return err_set(err, ERR_UNREACHABLE, "'%s' does not speak TLS as it should: %s", url, why);
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer of TLS looks like HTTP/0.9 */
        if (!strncmp(url, "http:", 5))
            return err_set(err, ERR_UNREACHABLE, "'%s' does not answer plain HTTP: is it https?",
                           url);
        break;
    default:
        break;
    }
    return err_set(err, ERR_UNREACHABLE, "cannot reach '%s': %s", url, why);
}

static int failed(const struct client *client, CURLcode code, struct err *err)
{
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ERR_TIMEOUT, "the daemon at '%s' does not answer",
                       client->path ? client->path : client->url);
    if (!client->path)
        return failed_remote(client, code, err);
    if (code == CURLE_COULDNT_CONNECT)
        return no_daemon(client->path, err);
    return err_set(err, ERR_UNREACHABLE, "the daemon at '%s': %s", client->path,
                   curl_easy_strerror(code));
}

static void set_place(struct client *client)
{
    CURL *easy = client->easy;

    (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* a name may be ".." */
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, client->path ? "http" : "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->trouble);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, client->headers);
    if (client->path)
        (void)curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->address);
    if (client->ca)
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca);
}

int client_call(struct client *client, struct arena *a, const char *method, struct str target,
                const struct value *body, int64_t timeout_ms, struct value **ret, struct err *err)
{
    struct str url = str_fmt(a, "%s%.*s", client->url, STR_ARG(target));
    struct str text = body ? json_format(a, body) : S("");
    CURL *easy = client->easy;
    CURLcode code;
    long status = 0;

    sb_init(&client->answer, a);
    client->refusal = NULL;
    client->trouble[0] = 0;
    curl_easy_reset(easy);
    set_place(client);
    (void)curl_easy_setopt(easy, CURLOPT_URL, url.p);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(timeout_ms ? timeout_ms : TIMEOUT_MS));
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, client);
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    if (strcmp(method, "GET")) {
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)text.n);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, text.p);
    }
    code = curl_easy_perform(easy);
    if (code != CURLE_OK)
        return failed(client, code, err);
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (arena_status(a, err))
        return ERR_NOMEM;
    return judge(client, a, status, ret, err);
}
