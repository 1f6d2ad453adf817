/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "reconciler/http/listen.h"
#include "specs/json_io.h"

#define TIMEOUT_MS 60000

struct client {
    CURL *easy;
    char *path;                         /* as it was given */
    char address[LISTEN_ADDRESS_BYTES]; /* the same, short */
    int dir;
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
    return err_set(err, ERR_UNREACHABLE, "no daemon at '%s': reeve serve", path);
}

int client_new(const char *socket_path, struct client **ret, struct err *err)
{
    struct client *client = alloc_zero(sizeof(*client));
    int rc;

    if (client) {
        client->dir = -1;
        client->path = alloc_zero(strlen(socket_path) + 1);
    }
    if (client && client->path)
        client->easy = curl_easy_init();
    if (!client || !client->easy) {
        client_free(client);
        return err_set(err, ERR_NOMEM, "no memory for a request");
    }
    strcpy(client->path, socket_path);
    rc = listen_address(socket_path, client->address, &client->dir, err);
    if (rc) {
        client_free(client);
        return rc == ERR_UNREACHABLE ? no_daemon(socket_path, err) : rc;
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
    guard_close(&client->dir);
    alloc_free(client->path);
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

static int judge(struct client *client, struct arena *a, long status, struct value **ret,
                 struct err *err)
{
    struct str code, detail;
    struct value *v;

    if (json_parse(a, sb_str(&client->answer), CLIENT_ANSWER_MAX, &v, err))
        return err_wrap(err, "the daemon's answer (status %ld)", status);
    if (status >= 200 && status < 300) {
        *ret = v;
        return 0;
    }
    client->refusal = v;
    code = value_get_text(v, S("code"), S("FAILED"));
    detail = value_get_text(v, S("detail"), S("the daemon refused without a word"));
    return err_set(err, err_from_name(code.p, code.n), "%.*s", STR_ARG(detail));
}

static int failed(const struct client *client, CURLcode code, struct err *err)
{
    if (code == CURLE_COULDNT_CONNECT)
        return no_daemon(client->path, err);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ERR_TIMEOUT, "the daemon at '%s' does not answer", client->path);
    return err_set(err, ERR_UNREACHABLE, "the daemon at '%s': %s", client->path,
                   curl_easy_strerror(code));
}

int client_call(struct client *client, struct arena *a, const char *method, struct str target,
                const struct value *body, int64_t timeout_ms, struct value **ret, struct err *err)
{
    struct str url = str_fmt(a, "http://localhost%.*s", STR_ARG(target));
    struct str text = body ? json_format(a, body) : S("");
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURL *easy = client->easy;
    CURLcode code;
    long status = 0;

    sb_init(&client->answer, a);
    client->refusal = NULL;
    curl_easy_reset(easy);
    (void)curl_easy_setopt(easy, CURLOPT_URL, url.p);
    (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* a name may be ".." */
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(timeout_ms ? timeout_ms : TIMEOUT_MS));
    (void)curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->address);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, client);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    if (strcmp(method, "GET")) {
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)text.n);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, text.p);
    }
    code = curl_easy_perform(easy);
    curl_slist_free_all(headers);
    if (code != CURLE_OK)
        return failed(client, code, err);
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (arena_status(a, err))
        return ERR_NOMEM;
    return judge(client, a, status, ret, err);
}
