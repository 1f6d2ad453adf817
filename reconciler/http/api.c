/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/api_parts.h"

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/engine/follow.h"
#include "reconciler/http/admit.h"

/* --- events -------------------------------------------------------------------------------------- */

/* A page of events for those who listen. */
static int api_feed_read(void *ctx, struct arena *a, int64_t after, const struct value **ret,
                         struct err *err)
{
    struct api *api = ctx;
    struct value *page = NULL;
    struct view view = { .a = a, .now_ms = sys_wall_ms() };
    int rc = api_reader_take(api, &view.db, err);

    if (rc)
        return rc;
    rc = db_view_begin(view.db, err);
    if (!rc) {
        rc = view_history(
            &view, &(struct view_history){ .after = after, .limit = FEED_PAGE_EVENTS }, &page, err);
        db_view_end(view.db);
    }
    api_reader_give(api, view.db);
    *ret = value_get(page, S("events"));
    return rc;
}

static void api_news(void *ctx)
{
    struct api *api = ctx;

    feed_news(api->feed);
}

/* --- start and stop ------------------------------------------------------------------------------ */

static void api_over(void *ctx, struct http_exchange *x)
{
    struct api *api = ctx;

    measure_request(&api->measure, x);
    LOG(LOG_DEBUG, "request", LOG_S("req", x->id), LOG_C("route", x->route ? x->route : "other"),
        LOG_S("status", str_fmt(&x->arena, "%d", x->status)));
}

static int api_admit(void *ctx, const struct http_peer *peer, struct err *err)
{
    const struct api *api = ctx;

    return admit_peer(api->options.daemon, peer, err);
}

static void api_free(struct api *api)
{
    measure_fini(&api->measure);
    denials_fini(&api->denials);
    denials_fini(&api->known);
    oidc_provider_free(api->provider);
    for (size_t i = 0; i < api->n_readers; i++)
        db_close(api->readers[i]);
    (void)pthread_mutex_destroy(&api->lock);
    if (api->drain)
        loop_timer_free(api->drain);
    tls_close(api->tls);
    alloc_free(api);
}

static void api_gone(void *ctx)
{
    struct api *api = ctx;
    loop_fn *ended = api->ended;
    void *ended_ctx = api->ended_ctx;

    api_free(api);
    if (ended)
        ended(ended_ctx);
}

static void server_stopped(void *ctx)
{
    struct api *api = ctx;

    if (--api->n_open)
        return;
    denials_flush(&api->denials);
    denials_flush(&api->known);
    notes_stop(&api->notes, api_gone, api);
}

static void listen_for_news(struct api *api, loop_fn *fn)
{
    if (api->options.follow)
        follow_on_commit(api->options.follow, fn, api);
    else if (api->options.on_commit)
        api->options.on_commit(api->options.engine, fn, api);
}

static void close_doors(struct api *api)
{
    api->n_open++; /* until all were told */
    listen_for_news(api, NULL);
    if (api->feed) {
        api->n_open++;
        feed_stop(TAKE(api->feed), server_stopped, api);
    }
    for (size_t i = 0; i < N_ELEMENTS(api->servers); i++)
        if (api->servers[i])
            http_server_stop(api->servers[i], server_stopped, api);
    server_stopped(api);
}

static int is_lent(const struct http_given *given)
{
    return given && given->fd >= 0 && given->is_lent;
}

/* The socket always, the others where they are configured or lent. */
static int open_door(struct api *api, enum http_door door, struct err *err)
{
    static const struct str fields[] = {
        [HTTP_DOOR_API] = S_INIT("listen"), [HTTP_DOOR_HOOKS] = S_INIT("listen_hooks")
    };
    const struct value *daemon = api->options.daemon;
    struct http_server_options options = { .loop = api->options.loop,
                                           .door = door,
                                           .socket_path = api->options.socket_path,
                                           .hosts = value_at(daemon, S("http.hosts")),
                                           .tls = door == HTTP_DOOR_SOCKET ? NULL : api->tls,
                                           .handle = api_handle,
                                           .over = api_over,
                                           .ctx = api };
    int rc;

    if (door == HTTP_DOOR_SOCKET)
        options.admit = api_admit;
    else
        options.listen = value_get_text(daemon, fields[door], STR_NONE);
    if (api->options.given)
        options.given = &api->options.given[door];
    if (door != HTTP_DOOR_SOCKET && !options.listen.p && !is_lent(options.given))
        return 0;
    rc = http_server_start(&options, &api->servers[door], err);
    api->n_open += !rc;
    return rc;
}

static int open_feed(struct api *api, struct err *err)
{
    api->feed = feed_new(
        &(struct feed_options){ .loop = api->options.loop, .read = api_feed_read, .ctx = api });
    if (!api->feed)
        return err_set(err, ERR_NOMEM, "api: out of memory");
    listen_for_news(api, api_news);
    return 0;
}

static int open_tls(struct api *api, struct err *err)
{
    const struct value *tls = value_get(api->options.daemon, S("tls"));

    return tls ? tls_open(value_get_text(tls, S("certificate"), S("")),
                          value_get_text(tls, S("key"), S("")), &api->tls, err)
               : 0;
}

/* A report of years, an identity provider that says nothing. */
static void give_up(void *ctx)
{
    struct api *api = ctx;

    for (struct api_request *r = api->requests; r; r = r->next)
        if (r->call.route && (r->call.route->read || r->call.route->flags & ROUTE_PAGE))
            task_cancel(&r->task, ERR_BUSY);
}

int api_start(const struct api_options *options, struct api **ret, struct err *err)
{
    struct api *api = alloc_zero(sizeof(*api));
    int rc;

    if (!api)
        return err_set(err, ERR_NOMEM, "api: out of memory");
    api->options = *options;
    for (int door = 0; options->given && door < N_HTTP_DOORS; door++)
        api->took_place |= options->given[door].fd >= 0 && !options->given[door].is_lent;
    api->hooks = (struct hooks){ .engine = options->engine,
                                 .start = options->hook,
                                 .denials = &api->denials };
    (void)pthread_mutex_init(&api->lock, NULL); /* cannot fail with default attributes */
    api->provider = oidc_provider_new();
    api->notes = (struct notes){ .engine = options->engine, .command = options->command };
    rate_init(&api->rate, loop_random(options->loop), options->requests_per_s);
    rc = denials_init(&api->denials, options->loop, &api->notes, err);
    api->drain = loop_timer_new(options->loop, give_up, api);
    if (!rc)
        rc = measure_init(&api->measure, options->loop, err);
    if (!rc && (!api->provider || !api->drain))
        rc = err_set(err, ERR_NOMEM, "api: out of memory");
    if (!rc)
        rc = denials_init(&api->known, options->loop, &api->notes, err);
    if (!rc)
        rc = open_tls(api, err);
    if (!rc)
        rc = open_feed(api, err);
    for (int door = 0; !rc && door < N_HTTP_DOORS; door++)
        rc = open_door(api, (enum http_door)door, err);
    if (rc) {
        close_doors(api);
        return rc;
    }
    *ret = api;
    return 0;
}

int api_reload(struct api *api, struct err *err)
{
    return api->tls ? tls_reload(api->tls, err) : 0;
}

void api_stop(struct api *api, loop_fn *ended, void *ctx)
{
    api->ended = ended;
    api->ended_ctx = ctx;
    loop_timer_set(api->drain, loop_mono_ms(api->options.loop) + API_DRAIN_MS);
    close_doors(api);
}
