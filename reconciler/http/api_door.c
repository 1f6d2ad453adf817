/* What comes through a door, before it is known who asks. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/api_parts.h"

#include "reconciler/http/auth.h"
#include "reconciler/http/page.h"

/* Nobody takes our place at the door. */
static int is_leaving(const struct api *api)
{
    return api->ended && !(api->options.given && api->options.given[HTTP_DOOR_SOCKET].goes_on);
}

static void refuse_method(struct http_exchange *x, struct str allowed)
{
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_METHOD, "'%.*s' is not asked by %.*s", STR_ARG(x->path),
                  STR_ARG(x->method));
    http_header(x, "Allow", allowed);
    http_answer_error(x, &err);
}

/* Why nobody should be sent here; NULL: it is ready. */
static const char *api_is_busy(const struct api *api)
{
    if (is_leaving(api))
        return "stopping";
    if (api->options.follow)
        return "standby";
    return api->took_place || !api->options.is_ready || api->options.is_ready(api->options.engine)
               ? NULL
               : "starting";
}

/* Whoever balances load asks these, without a name: one word each. */
static int answer_probe(struct api *api, struct http_exchange *x)
{
    int is_health = str_eq_c(x->path, "/healthz");
    const char *why = NULL;

    if (!is_health && !str_eq_c(x->path, "/readyz"))
        return 0;
    x->route = "probe";
    if (!is_health)
        why = api_is_busy(api);
    if (!str_eq_c(x->method, "GET") && !str_eq_c(x->method, "HEAD"))
        refuse_method(x, S("GET, HEAD"));
    else if (!why)
        http_answer(x, 200, "text/plain", is_health ? S("ok\n") : S("ready\n"));
    else
        http_answer(x, err_http_status(ERR_BUSY), "text/plain", str_fmt(&x->arena, "%s\n", why));
    return 1;
}

static void answer_nobody(struct api *api, struct http_exchange *x)
{
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_UNKNOWN_ACTOR, "no credential says who asks");
    denials_count(&api->denials, x->address, str_from_c(err.text));
    http_header(x, "WWW-Authenticate", S("Bearer"));
    http_answer_error(x, &err);
}

/* Through the API's door where they have none of their own. */
static int is_for_hooks(const struct api *api, const struct http_exchange *x)
{
    return x->door == HTTP_DOOR_HOOKS ||
           (x->door == HTTP_DOOR_API && !api->servers[HTTP_DOOR_HOOKS] && hooks_is_path(x->path));
}

/* Over TCP, before anything is looked up. A credential counts for itself, whether it is one or not. */
static int is_throttled(struct api *api, struct http_exchange *x)
{
    struct str credential = value_get_text(x->headers, S("authorization"), STR_NONE);
    int64_t now_ms = loop_mono_ms(api->options.loop);
    struct err err = ERR_INIT;
    int wait_s = rate_take(&api->rate, RATE_ADDRESS, x->network, now_ms);

    if (!wait_s && credential.n)
        wait_s = rate_take(&api->rate, RATE_CREDENTIAL, credential, now_ms);
    if (!wait_s)
        return 0;
    (void)err_set(&err, ERR_THROTTLED, "too many requests: wait %d s", wait_s);
    http_header(x, "Retry-After", str_fmt(&x->arena, "%d", wait_s));
    http_answer_error(x, &err);
    return 1;
}

void api_handle(void *ctx, struct http_exchange *x)
{
    struct api *api = ctx;
    struct route_call call = { 0 };
    struct err err = ERR_INIT, unmatched = ERR_INIT;

    if (answer_probe(api, x))
        return;
    if (is_for_hooks(api, x)) {
        x->route = "hooks";
        if (!api->options.follow) {
            hooks_begin(&api->hooks, x);
            return;
        }
        (void)err_set(&err, ERR_REFUSED, "this is a standby: it takes no deliveries");
        http_answer_error(x, &err);
        return;
    }
    if (x->door != HTTP_DOOR_SOCKET && is_throttled(api, x))
        return;
    (void)routes_match(x->method, x->path, &call, &unmatched); /* who asks comes first */
    x->route = call.route ? call.route->path : NULL;
    if (str_eq_c(x->method, "HEAD"))
        x->method = S("GET"); /* the server leaves the body out */
    if (call.route && call.route->flags & ROUTE_FILE) {
        page_answer(x);
        return;
    }
    if (unmatched.code == ERR_NOT_FOUND && page_answer_nowhere(x))
        return;
    if (auth_is_nobody(x) && !(call.route && call.route->flags & ROUTE_OPEN)) {
        answer_nobody(api, x);
        return;
    }
    api_request_start(api, x, &call, &unmatched);
}
