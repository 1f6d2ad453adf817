/* What the loop knows, for who measures. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/health.h"
#include "reconciler/http/api_parts.h"

static size_t count_requests(const struct api *api)
{
    size_t n = 0;

    for (const struct api_request *r = api->requests; r; r = r->next)
        n++;
    return n;
}

static void put_standby(const struct api_request *r, struct metrics *m)
{
    const struct value *view;

    METRICS_PUT(m, STANDBY, r->api->options.follow != NULL);
    if (!r->api->options.follow)
        return;
    view = follow_view(r->api->options.follow, m->a);
    METRICS_PUT(m, STANDBY_BEHIND, value_get_int(view, S("behind"), 0));
}

void api_measure(struct api_request *r)
{
    const struct api_options *options = &r->api->options;
    struct arena *a = &r->x->arena;

    metrics_init(&r->metrics, a);
    if (options->counts)
        options->counts(options->engine, &r->metrics);
    put_standby(r, &r->metrics);
    measure_put_http(&r->api->measure, &r->api->hooks, &r->metrics);
    METRICS_PUT(&r->metrics, IN_FLIGHT, count_requests(r->api));
    METRICS_PUT(&r->metrics, STREAMS, r->api->feed ? feed_count(r->api->feed) : 0);
    r->parts = options->follow   ? health_standby(options->follow, a)
               : options->health ? options->health(options->engine, a)
                                 : value_list(a);
}
