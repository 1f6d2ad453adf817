/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/notify_link.h"

struct str notify_link_base(struct arena *a, const struct value *daemon)
{
    const struct value *http = value_get(daemon, S("http"));
    const struct value *host = value_item(value_get(http, S("hosts")), 0);
    struct str url = value_get_text(http, S("url"), S(""));
    struct str listen = value_get_text(daemon, S("listen"), S("")), port;
    size_t colon = STR_NPOS;

    while (url.n && url.p[url.n - 1] == '/')
        url.n--;
    if (url.n || !listen.n || !host || !value_get(daemon, S("tls")))
        return url;
    for (size_t i = 0; i < listen.n; i++)
        if (listen.p[i] == ':')
            colon = i;
    port = str_slice(listen, colon == STR_NPOS ? listen.n : colon, listen.n);
    return str_fmt(a, "https://%.*s%.*s", STR_ARG(host->u.text),
                   STR_ARG(str_eq_c(port, ":443") ? S("") : port));
}

struct str notify_link_to(struct arena *a, struct str base, const struct value *says)
{
    struct str plan = value_get_text(says, S("plan"), S(""));
    struct str env = value_get_text(says, S("env"), S(""));

    if (!base.n || (!plan.n && !env.n))
        return S("");
    return str_fmt(a, "%.*s/%s/%.*s", STR_ARG(base), plan.n ? "plans" : "environments",
                   STR_ARG(plan.n ? plan : env));
}
