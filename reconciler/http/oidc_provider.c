/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/oidc_provider.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/engine/engine.h"
#include "reconciler/rt/wait.h"
#include "specs/json_io.h"

struct kept { /* the text of one document */
    struct arena arena;
    struct str text, of;
    int64_t at_ms;
};

struct oidc_provider {
    pthread_mutex_t lock;
    struct kept document, keys;
    int64_t down_ms; /* until when nobody asks */
};

struct oidc_provider *oidc_provider_new(void)
{
    struct oidc_provider *p = alloc_zero(sizeof(*p));

    if (!p)
        return NULL;
    (void)pthread_mutex_init(&p->lock, NULL); /* cannot fail with default attributes */
    arena_init(&p->document.arena, 0);
    arena_init(&p->keys.arena, 0);
    return p;
}

void oidc_provider_free(struct oidc_provider *p)
{
    if (!p)
        return;
    arena_fini(&p->document.arena);
    arena_fini(&p->keys.arena);
    (void)pthread_mutex_destroy(&p->lock);
    alloc_free(p);
}

struct str oidc_provider_config(const struct login_call *c, const char *name)
{
    return value_get_text(value_at(c->daemon, S("auth.oidc")), str_from_c(name), S(""));
}

/* --- one question -------------------------------------------------------------------------------- */

static int is_down(struct oidc_provider *p)
{
    int64_t now_ms = sys_mono_ms();
    int is;

    (void)pthread_mutex_lock(&p->lock);
    is = now_ms < p->down_ms;
    (void)pthread_mutex_unlock(&p->lock);
    return is;
}

static void note_down(struct oidc_provider *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->down_ms = sys_mono_ms() + OIDC_DOWN_MS;
    (void)pthread_mutex_unlock(&p->lock);
}

static int ask(struct login_call *c, const struct http_request *request, struct http_reply *ret,
               struct err *err)
{
    int rc;

    if (is_down(c->provider))
        return err_set(err, ERR_UNREACHABLE, "the identity provider did not answer a moment ago");
    rc = wait_http_call(engine_loop(c->engine), request, c->a, ret, c->stop, err);
    if (rc == ERR_CANCELLED)
        return rc;
    if (rc || ret->body_dropped)
        note_down(c->provider);
    if (rc)
        return err_set(err, rc == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_UNREACHABLE,
                       "the identity provider does not answer");
    if (ret->body_dropped)
        return err_set(err, ERR_UNREACHABLE, "the identity provider says more than %u bytes",
                       OIDC_ANSWER_MAX);
    return 0;
}

static int parse(struct login_call *c, struct str text, struct value **ret, struct err *err)
{
    struct err parse = ERR_INIT;

    if (json_parse_answer(c->a, text, OIDC_ANSWER_MAX, ret, &parse))
        return err_set(err, ERR_UNREACHABLE, "what the identity provider says is no JSON");
    return 0;
}

/* --- its documents ------------------------------------------------------------------------------- */

static void keep(struct login_call *c, struct kept *kept, struct str url, struct str text)
{
    (void)pthread_mutex_lock(&c->provider->lock);
    arena_reset(&kept->arena);
    kept->text = str_copy(&kept->arena, text);
    kept->of = str_copy(&kept->arena, url);
    kept->at_ms = sys_mono_ms();
    (void)pthread_mutex_unlock(&c->provider->lock);
}

static struct str find_kept(struct login_call *c, struct kept *kept, struct str url, int64_t age_ms)
{
    int64_t now_ms = sys_mono_ms();
    struct str text = STR_NONE;

    (void)pthread_mutex_lock(&c->provider->lock);
    if (kept->text.p && str_eq(kept->of, url) && now_ms - kept->at_ms < age_ms)
        text = str_copy(c->a, kept->text);
    (void)pthread_mutex_unlock(&c->provider->lock);
    return text;
}

static int fetch(struct login_call *c, struct kept *kept, struct str url, int64_t age_ms,
                 struct str *ret, struct err *err)
{
    const struct http_request request = { .method = "GET",
                                          .url = str_to_c(c->a, url),
                                          .body_max = OIDC_ANSWER_MAX,
                                          .timeout_ms = OIDC_TIMEOUT_MS };
    struct http_reply reply;

    *ret = find_kept(c, kept, url, age_ms);
    if (ret->p || arena_status(c->a, err))
        return err->code;
    if (ask(c, &request, &reply, err))
        return err->code;
    if (reply.status != 200)
        return err_set(err, ERR_UNREACHABLE, "the identity provider answers with status %d",
                       reply.status);
    keep(c, kept, url, reply.body);
    *ret = reply.body;
    return 0;
}

/* What is of no use is asked for again the next time. */
static void forget(struct login_call *c, struct kept *kept)
{
    (void)pthread_mutex_lock(&c->provider->lock);
    kept->text = STR_NONE;
    (void)pthread_mutex_unlock(&c->provider->lock);
}

int oidc_provider_keys(struct login_call *c, struct str url, int64_t age_ms, struct jwt_keys *ret,
                       struct err *err)
{
    struct str text;

    if (fetch(c, &c->provider->keys, url, age_ms, &text, err))
        return err->code;
    if (!jwt_keys_parse(c->a, text, ret, err))
        return 0;
    forget(c, &c->provider->keys);
    return err_set(err, ERR_UNREACHABLE, "what the identity provider says are no keys");
}

/* https, or this machine where the issuer is: what the grammar says of the issuer itself. */
static int is_good_url(struct str issuer, struct str url)
{
    static const char *const here[] = { "http://localhost:", "http://127.0.0.1:", "http://[::1]:" };

    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] > '~' || str_find_char(S("#\"<>@"), url.p[i]) != STR_NPOS)
            return 0;
    if (str_starts(url, S("https://")))
        return 1;
    for (size_t i = 0; i < N_ELEMENTS(here); i++)
        if (str_starts(issuer, str_from_c(here[i])) && str_starts(url, str_from_c(here[i])))
            return 1;
    return 0;
}

static int has_word(const struct value *list, struct str word)
{
    for (size_t i = 0; value_is(list, VALUE_LIST) && i < value_count(list); i++)
        if (value_is(value_item(list, i), VALUE_TEXT) && str_eq(value_item(list, i)->u.text, word))
            return 1;
    return 0;
}

static int read_urls(struct str issuer, const struct value *document,
                     struct oidc_provider_urls *ret, struct err *err)
{
    const struct {
        const char *name;
        struct str *url;
    } rows[] = { { "authorization_endpoint", &ret->authorization },
                 { "token_endpoint", &ret->token },
                 { "jwks_uri", &ret->keys },
                 { "userinfo_endpoint", &ret->userinfo } };

    if (!str_eq(value_get_text(document, S("issuer"), S("")), issuer))
        return err_set(err, ERR_UNREACHABLE,
                       "the identity provider calls itself another issuer than auth.oidc");
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        *rows[i].url = value_get_text(document, str_from_c(rows[i].name), S(""));
        if (rows[i].url == &ret->userinfo && !value_get(document, S("userinfo_endpoint")))
            continue; /* the one that it need not have */
        if (!is_good_url(issuer, *rows[i].url))
            return err_set(err, ERR_UNREACHABLE, "the identity provider's %s is no URL to go to",
                           rows[i].name);
    }
    ret->says_issuer = value_get_bool(document, S("authorization_response_iss_parameter_supported"),
                                      0);
    ret->has_groups = has_word(value_get(document, S("scopes_supported")), S("groups"));
    return 0;
}

int oidc_provider_find(struct login_call *c, struct oidc_provider_urls *ret, struct err *err)
{
    struct str issuer = oidc_provider_config(c, "issuer"), base = issuer, text;
    struct value *document;

    while (str_ends(base, S("/")))
        base.n--;
    if (fetch(c, &c->provider->document,
              str_fmt(c->a, "%.*s/.well-known/openid-configuration", STR_ARG(base)), OIDC_KEPT_MS,
              &text, err))
        return err->code;
    if (parse(c, text, &document, err) || read_urls(issuer, document, ret, err))
        forget(c, &c->provider->document);
    return err->code;
}

/* --- a code for a token -------------------------------------------------------------------------- */

void oidc_provider_add(struct sb *b, const char *name, struct str text)
{
    sb_addf(b, "%s=", name);
    for (size_t i = 0; i < text.n; i++) {
        char ch = text.p[i];
        int is_plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                       (ch >= '0' && ch <= '9') || ch == '-' || ch == '_' || ch == '.' || ch == '~';

        if (is_plain)
            sb_add_char(b, ch);
        else
            sb_addf(b, "%%%02X", (unsigned)(unsigned char)ch);
    }
}

static struct str encoded(struct arena *a, struct str text)
{
    struct sb b;

    sb_init(&b, a);
    oidc_provider_add(&b, "", text);
    return str_slice(sb_str(&b), 1, b.n);
}

/* As RFC 6749 has it: both are encoded before they are joined. */
static int authorization(struct login_call *c, struct arena *secrets, const char **ret,
                         struct err *err)
{
    struct str name = value_get_text(value_at(c->daemon, S("auth.oidc.client_secret")), S("secret"),
                                     S(""));
    struct str secret, id = encoded(secrets, oidc_provider_config(c, "client_id"));

    if (signing_secret(c->engine, name, secrets, &secret, err)) {
        LOG(LOG_WARN, "auth.oidc.client_secret cannot be read", LOG_C("err", err->text));
        note_down(c->provider);
        return err_set(err, ERR_UNREACHABLE, "the identity provider cannot be asked: see the log");
    }
    *ret = str_fmt(secrets, "Authorization: Basic %.*s",
                   STR_ARG(base64_encode(secrets, str_fmt(secrets, "%.*s:%.*s", STR_ARG(id),
                                                          STR_ARG(encoded(secrets, secret))))))
               .p;
    return arena_status(secrets, err);
}

static int judge_exchange(int status, struct err *err)
{
    if (status == 200)
        return 0;
    if (status == 400)
        return err_set(err, ERR_REFUSED, "the identity provider does not take the code");
    if (status == 401 || status == 403)
        return err_set(
            err, ERR_UNREACHABLE,
            "the identity provider does not take client_id and client_secret of auth.oidc");
    return err_set(err, ERR_UNREACHABLE, "the identity provider answers with status %d", status);
}

int oidc_provider_exchange(struct login_call *c, struct str url,
                           const struct oidc_provider_code *code, const struct value **ret,
                           struct err *err)
{
    AUTO_WIPED_ARENA struct arena secrets = { 0 };
    const char *headers[] = { "Content-Type: application/x-www-form-urlencoded",
                              "Accept: application/json", NULL, NULL };
    struct http_request request = { .method = "POST",
                                    .url = str_to_c(c->a, url),
                                    .headers = headers,
                                    .body_max = OIDC_ANSWER_MAX,
                                    .timeout_ms = OIDC_TIMEOUT_MS };
    struct http_reply reply;
    struct value *tokens;
    struct sb b;

    sb_init(&b, c->a);
    sb_add_c(&b, "grant_type=authorization_code");
    oidc_provider_add(&b, "&code", code->code);
    oidc_provider_add(&b, "&redirect_uri", code->here);
    oidc_provider_add(&b, "&code_verifier", code->verifier);
    request.body = sb_str(&b);
    if (arena_status(c->a, err) || authorization(c, &secrets, &headers[2], err) ||
        ask(c, &request, &reply, err) || judge_exchange(reply.status, err) ||
        parse(c, reply.body, &tokens, err))
        return err->code;
    *ret = tokens;
    return 0;
}

/* --- whose a token is ---------------------------------------------------------------------------- */

static int is_token(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return 0;
    return text.n > 0 && text.n <= OIDC_ACCESS_TOKEN_MAX;
}

int oidc_provider_ask_who(struct login_call *c, struct str url, struct str access_token,
                          const struct value **ret, struct err *err)
{
    AUTO_WIPED_ARENA struct arena secrets = { 0 };
    const char *headers[] = { "Accept: application/json", NULL, NULL };
    const struct http_request request = { .method = "GET",
                                          .url = str_to_c(c->a, url),
                                          .headers = headers,
                                          .body_max = OIDC_ANSWER_MAX,
                                          .timeout_ms = OIDC_TIMEOUT_MS };
    struct http_reply reply;
    struct value *said;

    if (!is_token(access_token))
        return err_set(err, ERR_UNREACHABLE, "the identity provider gives no access token");
    headers[1] = str_fmt(&secrets, "Authorization: Bearer %.*s", STR_ARG(access_token)).p;
    if (arena_status(c->a, err) || arena_status(&secrets, err) || ask(c, &request, &reply, err))
        return err->code;
    if (reply.status != 200)
        return err_set(err, ERR_UNREACHABLE,
                       "the identity provider says with status %d whose token it gave",
                       reply.status);
    if (parse(c, reply.body, &said, err))
        return err->code;
    *ret = said;
    return 0;
}
