/* Vault's key-value store, version 2. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/secret_kind.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/hash.h"
#include "base/sys.h"
#include "specs/json_io.h"

#define VAULT_TIMEOUT_MS 10000
#define VAULT_BODY_MAX (1u << 20)
#define VAULT_FILE_MAX 4096u    /* a token, a secret id */
#define VAULT_LEASE_S 3600      /* of a token that never ends: asked for anew all the same */
#define VAULT_LEASE_PART_MS 750 /* of each second: three quarters of it */
#define VAULT_AGAIN_MS 60000    /* until a token that could not be renewed is tried again */
#define VAULT_MARK_CHARS 8

/* --- requests ------------------------------------------------------------------------------------ */

struct vault_request {
    const char *method;
    struct str path;          /* behind /v1/ */
    struct str token;         /* STR_NONE: to sign in */
    const struct value *body; /* NULL: none */
};

struct vault_answer {
    int status;
    struct value *body; /* a map, or NULL */
};

static void vault_add_escaped(struct sb *b, struct str path)
{
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];

        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr("/-._~", c))
            sb_add_char(b, (char)c);
        else
            sb_addf(b, "%%%02X", c);
    }
}

/* The store's words are not shown: they may hold what was sent. */
static int vault_judge(int status, struct err *err)
{
    if (status == 200 || status == 204)
        return 0;
    if (status == 404)
        return err_set(err, ERR_NOT_FOUND, "nothing stands there, or its version was deleted");
    if (status == 403)
        return err_set(err, ERR_REFUSED, "permission denied");
    if (status == 400)
        return err_set(err, ERR_INVALID, "the request is refused (400)");
    if (status == 503)
        return err_set(err, ERR_UNREACHABLE, "the vault is sealed, or not ready (503)");
    return err_set(err, ERR_UNREACHABLE, "the vault answers %d", status);
}

static int vault_ask(struct secret_store *s, const struct secret_ask *ask,
                     const struct vault_request *in, struct arena *a, struct vault_answer *ret,
                     struct err *err)
{
    struct err unsaid = ERR_INIT; /* it might quote what was sent */
    const char *headers[3] = { NULL };
    struct http_request request = { .method = in->method,
                                    .headers = headers,
                                    .body_max = VAULT_BODY_MAX,
                                    .timeout_ms = VAULT_TIMEOUT_MS };
    struct http_reply reply;
    size_t n = 0;

    if (in->token.p)
        headers[n++] = str_fmt(a, "X-Vault-Token: %.*s", STR_ARG(in->token)).p;
    if (in->body)
        headers[n++] = "Content-Type: application/json";
    request.url = str_fmt(a, "%.*s/v1/%.*s",
                          STR_ARG(value_get_text(ask->store, S("address"), S(""))),
                          STR_ARG(in->path))
                      .p;
    request.ca_file = str_to_c(a, value_get_text(ask->store, S("ca_file"), STR_NONE));
    request.body = in->body ? json_format(a, in->body) : S("");
    if (arena_status(a, err))
        return err->code;
    if (wait_http_call(s->loop, &request, a, &reply, NULL, err))
        return err->code == ERR_INVALID || err->code == ERR_TIMEOUT ? err->code
                                                                    : (err->code = ERR_UNREACHABLE);
    if (reply.body_dropped)
        return err_set(err, ERR_LIMIT, "the answer is larger than %u bytes", VAULT_BODY_MAX);
    *ret = (struct vault_answer){ .status = reply.status };
    if (reply.body.n && json_parse(a, reply.body, VAULT_BODY_MAX, &ret->body, &unsaid))
        ret->body = NULL;
    return 0;
}

/* --- tokens -------------------------------------------------------------------------------------- */

static int vault_read_file(struct arena *a, struct str path, struct str *ret, struct err *err)
{
    if (secret_key_check(path.p, err) || sys_read_file(a, path.p, VAULT_FILE_MAX, ret, err)) {
        if (err->code == ERR_NOT_FOUND)
            err->code = ERR_UNREACHABLE; /* of the way in: says nothing of the secret */
        return err->code;
    }
    *ret = str_trim(*ret);
    return 0;
}

static struct secret_session *vault_session(struct secret_store *s, struct str store)
{
    struct secret_session *x = s->sessions;

    while (x && !str_eq(x->store, store))
        x = x->next;
    if (x)
        return x;
    x = alloc_zero(sizeof(*x));
    if (!x)
        return NULL;
    x->store = store;
    x->next = s->sessions;
    s->sessions = x;
    return x;
}

static void vault_forget(struct secret_session *x)
{
    if (x->token)
        explicit_bzero(x->token, strlen(x->token));
    alloc_free(TAKE(x->token));
    x->until_ms = 0;
}

static int vault_keep(struct secret_store *s, struct secret_session *x, struct str token,
                      int64_t lease_s, struct err *err)
{
    char *copy = alloc_zero(token.n + 1);

    if (!copy)
        return err_set(err, ERR_NOMEM, "out of memory");
    memcpy(copy, token.p, token.n);
    vault_forget(x);
    x->token = copy;
    if (lease_s <= 0 || lease_s > VAULT_LEASE_S)
        lease_s = VAULT_LEASE_S;
    x->lease_s = lease_s;
    x->until_ms = loop_mono_ms(s->loop) + lease_s * VAULT_LEASE_PART_MS;
    return 0;
}

static int vault_sign_in(struct secret_store *s, const struct secret_ask *ask,
                         const struct value *role, struct secret_session *x, struct arena *a,
                         struct err *err)
{
    struct value *body = value_map(a);
    struct vault_request in = { "POST", S("auth/approle/login"), STR_NONE, body };
    struct vault_answer answer;
    struct str id, token;

    if (vault_read_file(a, value_get_text(role, S("secret_id_file"), S("")), &id, err))
        return err->code;
    value_set_text(a, body, S("role_id"), value_get_text(role, S("role_id"), S("")));
    value_set_text(a, body, S("secret_id"), id);
    if (vault_ask(s, ask, &in, a, &answer, err))
        return err->code;
    if (answer.status == 400 || answer.status == 403)
        return err_set(err, ERR_REFUSED, "the vault does not accept the role");
    if (vault_judge(answer.status, err))
        return err->code;
    token = value_get_text(value_get(answer.body, S("auth")), S("client_token"), STR_NONE);
    if (!token.n)
        return err_set(err, ERR_UNREACHABLE, "the vault gives no token");
    return vault_keep(
        s, x, token, value_get_int(value_get(answer.body, S("auth")), S("lease_duration"), 0), err);
}

/* 1: it is good for as long again, or nearly so; one whose end is near is not renewed for ever. */
static int vault_renew(struct secret_store *s, const struct secret_ask *ask,
                       struct secret_session *x, struct arena *a)
{
    const struct vault_request in = { "POST", S("auth/token/renew-self"),
                                      str_copy(a, str_from_c(x->token)), value_map(a) };
    struct err unsaid = ERR_INIT; /* what is asked for next says what is wrong */
    struct vault_answer answer;
    int64_t lease_s;

    if (vault_ask(s, ask, &in, a, &answer, &unsaid) || answer.status != 200)
        return 0;
    lease_s = value_get_int(value_get(answer.body, S("auth")), S("lease_duration"), 0);
    x->until_ms = loop_mono_ms(s->loop) + lease_s * VAULT_LEASE_PART_MS;
    return lease_s > x->lease_s / 2;
}

/* The one of the file, which others may have changed. What cannot be renewed is used until it is refused. */
static int vault_token_of_file(struct secret_store *s, const struct secret_ask *ask,
                               struct str file, struct secret_session *x, struct arena *a,
                               struct err *err)
{
    struct str token;

    if (vault_read_file(a, file, &token, err))
        return err->code;
    if (x->token && str_eq_c(token, x->token) && x->until_ms > loop_mono_ms(s->loop))
        return 0;
    if (vault_keep(s, x, token, 0, err))
        return err->code;
    x->lease_s = 0;
    if (!vault_renew(s, ask, x, a))
        x->until_ms = loop_mono_ms(s->loop) + VAULT_AGAIN_MS;
    return 0;
}

static int vault_token_of_role(struct secret_store *s, const struct secret_ask *ask,
                               const struct value *role, struct str refused,
                               struct secret_session *x, struct arena *a, struct err *err)
{
    if (x->token && !str_eq_c(refused, x->token) &&
        (x->until_ms > loop_mono_ms(s->loop) || vault_renew(s, ask, x, a)))
        return 0;
    return vault_sign_in(s, ask, role, x, a, err);
}

/* `refused`: a token that is not accepted any more. */
static int vault_token(struct secret_store *s, const struct secret_ask *ask, struct str refused,
                       struct arena *a, struct str *ret, struct err *err)
{
    const struct value *auth = value_get(ask->store, S("auth")),
                       *role = value_get(auth, S("approle"));
    struct secret_session *x;
    int rc;

    PRE(!pthread_mutex_lock(&s->signing_in));
    x = vault_session(s, ask->name);
    if (!x)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    else if (role)
        rc = vault_token_of_role(s, ask, role, refused, x, a, err);
    else
        rc = vault_token_of_file(s, ask, value_get_text(auth, S("token_file"), S("")), x, a, err);
    if (!rc)
        *ret = str_copy(a, str_from_c(x->token));
    PRE(!pthread_mutex_unlock(&s->signing_in));
    return rc ? rc : arena_status(a, err);
}

void secret_vault_forget(struct secret_store *s)
{
    while (s->sessions) {
        struct secret_session *x = s->sessions;

        s->sessions = x->next;
        vault_forget(x);
        alloc_free(x);
    }
}

/* 1: it is the token that is refused, and not what was asked for with it. */
static int vault_is_over(struct secret_store *s, const struct secret_ask *ask, struct str token,
                         struct arena *a)
{
    const struct vault_request in = { "GET", S("auth/token/lookup-self"), token, NULL };
    struct err unsaid = ERR_INIT; /* what was asked for is refused, whatever this says */
    struct vault_answer answer;

    return !vault_ask(s, ask, &in, a, &answer, &unsaid) && answer.status == 403;
}

/* With a token; a second time with a new one where the first is over. */
static int vault_ask_signed(struct secret_store *s, const struct secret_ask *ask,
                            struct vault_request *in, struct arena *a, struct vault_answer *ret,
                            struct err *err)
{
    struct str refused = STR_NONE;

    if (!s->loop)
        return err_set(err, ERR_INVALID, "nobody asks a vault here");
    for (int i = 0; i < 2; i++) {
        if (vault_token(s, ask, refused, a, &in->token, err) || vault_ask(s, ask, in, a, ret, err))
            return err->code;
        if (ret->status != 403 || i || !vault_is_over(s, ask, in->token, a))
            return 0;
        refused = in->token;
    }
    return 0;
}

/* --- values -------------------------------------------------------------------------------------- */

/* "kv/acme/production" -> kv/data/acme/production */
static int vault_path(const struct secret_ask *ask, struct sb *ret, struct err *err)
{
    struct str rest = ask->path, mount;

    if (!str_next(&rest, '/', &mount) || !rest.n)
        return err_set(err, ERR_INVALID, "a path in a vault begins with its mount: 'kv/%.*s'",
                       STR_ARG(ask->path));
    vault_add_escaped(ret, mount);
    sb_add_c(ret, "/data/");
    vault_add_escaped(ret, rest);
    return 0;
}

/* Its number; and what tells it from that number of another place, or of one that was made anew. */
static struct str vault_version(struct arena *a, const struct secret_ask *ask, int64_t n,
                                struct str created)
{
    struct digest d;
    struct sb place;

    if (ask->is_generated)
        return str_fmt(a, "g:%lld", (long long)n);
    sb_init(&place, a);
    secret_kind_add_lp(&place, ask->name);
    secret_kind_add_lp(&place, ask->path);
    secret_kind_add_lp(&place, ask->key);
    secret_kind_add_lp(&place, created);
    d = hash_bytes(sb_str(&place));
    return str_fmt(a, "v%lld-%.*s", (long long)n, VAULT_MARK_CHARS, digest_hex(a, &d).p);
}

/* "v3-9f86d081" or "g:3" -> 3; -1: none of ours. */
static int64_t vault_number(struct str version)
{
    size_t dash = str_find_char(version, '-'), skip = str_starts(version, S("g:")) ? 2 : 1;
    int64_t n;

    if (dash == STR_NPOS)
        dash = version.n;
    return dash < skip || str_to_i64(str_slice(version, skip, dash - skip), &n) || n < 1 ? -1 : n;
}

static int vault_take(const struct secret_ask *ask, const struct value *body, struct arena *a,
                      struct secret_got *ret, struct err *err)
{
    const struct value *data = value_get(body, S("data")), *values = value_get(data, S("data")),
                       *about = value_get(data, S("metadata"));
    struct str key = ask->key.p ? ask->key : S("value");
    int64_t n = value_get_int(about, S("version"), 0);

    if (!values || n < 1)
        return err_set(err, ERR_INVALID,
                       "what stands there is not a secret of version 2 of the store");
    ret->value = value_get_text(values, key, STR_NONE);
    if (!ret->value.p)
        return err_set(err, ERR_NOT_FOUND, "there is no text under key '%.*s'", STR_ARG(key));
    if (ret->value.n > SECRET_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "larger than %u bytes", SECRET_BYTES_MAX);
    ret->version = vault_version(a, ask, n, value_get_text(about, S("created_time"), S("")));
    ret->is_picked = 1;
    return arena_status(a, err);
}

int secret_vault_get(struct secret_store *s, const struct secret_ask *ask, struct arena *a,
                     struct secret_got *ret, struct err *err)
{
    struct vault_request in = { .method = "GET" };
    struct vault_answer answer;
    struct sb path;
    int64_t n = ask->version.p ? vault_number(ask->version) : 0;

    if (n < 0)
        return err_set(err, ERR_NOT_FOUND, "it has no version '%.*s'", STR_ARG(ask->version));
    sb_init(&path, a);
    if (vault_path(ask, &path, err))
        return err->code;
    if (n)
        sb_addf(&path, "?version=%lld", (long long)n);
    in.path = sb_str(&path);
    if (vault_ask_signed(s, ask, &in, a, &answer, err) || vault_judge(answer.status, err))
        return err->code;
    return vault_take(ask, answer.body, a, ret, err);
}

/* Check-and-set with 0: written when nothing was ever written there. */
int secret_vault_make(struct secret_store *s, const struct secret_ask *ask, struct str value,
                      struct arena *a, struct err *err)
{
    struct value *body = value_map(a), *options = value_map(a), *data = value_map(a);
    struct vault_request in = { .method = "POST", .body = body };
    struct vault_answer answer;
    struct sb path;

    sb_init(&path, a);
    if (vault_path(ask, &path, err))
        return err->code;
    in.path = sb_str(&path);
    value_set_int(a, options, S("cas"), 0);
    value_set(a, body, S("options"), options);
    value_set_text(a, data, S("value"), value);
    value_set(a, body, S("data"), data);
    if (vault_ask_signed(s, ask, &in, a, &answer, err))
        return err->code;
    return answer.status == 400 ? 0 : vault_judge(answer.status, err); /* 400: another was first */
}
