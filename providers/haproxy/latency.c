/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/latency.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/guard.h"
#include "providers/haproxy/runtime.h"

/* The ends of the steps: what people write as a limit is one of them, so that such a limit is judged exactly. */
static const int64_t latency_ends[] = {
    1,    2,     3,     4,     5,     6,     8,     10,    12,    15,    20,   25,
    30,   40,    50,    60,    75,    100,   120,   150,   200,   250,   300,  400,
    500,  600,   750,   1000,  1200,  1500,  2000,  2500,  3000,  4000,  5000, 6000,
    7500, 10000, 12000, 15000, 20000, 25000, 30000, 40000, 50000, 60000,
};

void haproxy_latency_render_rules(struct sb *b)
{
    size_t n = N_ELEMENTS(latency_ends);

    sb_add_c(b, "    http-request set-var(txn.began) date(0,ms)\n"
                "    http-response track-sc2 var(txn.backend) table latency\n"
                "    http-response set-var(txn.took) date(0,ms),sub(txn.began)\n");
    sb_addf(b, "    http-response sc-inc-gpc(0,2) if { var(txn.took) -m int le %" PRId64 " }\n",
            latency_ends[0]);
    for (size_t i = 1; i < n; i++)
        sb_addf(b,
                "    http-response sc-inc-gpc(%zu,2) if { var(txn.took) -m int %" PRId64 ":%" PRId64
                " }\n",
                i, latency_ends[i - 1] + 1, latency_ends[i]);
    sb_addf(b, "    http-response sc-inc-gpc(%zu,2) if { var(txn.took) -m int gt %" PRId64 " }\n",
            n, latency_ends[n - 1]);
}

void haproxy_latency_render_table(struct sb *b, int64_t n_backends)
{
    sb_addf(b,
            "\nbackend latency\n    stick-table type string len 16 size %" PRId64
            " nopurge store gpc(%zu)\n",
            n_backends, N_ELEMENTS(latency_ends) + 1);
}

/* " gpc12=34" */
static int latency_find(struct str row, size_t i, int64_t *ret)
{
    char name[24];
    size_t at;

    (void)snprintf(name, sizeof(name), " gpc%zu=", i); /* fits */
    at = str_find(row, str_from_c(name));
    if (at == STR_NPOS)
        return -1;
    row = str_slice(row, at + strlen(name), row.n);
    at = str_find_char(row, ' ');
    return str_to_i64(str_trim(str_slice(row, 0, at == STR_NPOS ? row.n : at)), ret);
}

int haproxy_latency_parse(struct arena *a, struct str text, struct value **ret)
{
    struct value *steps = value_list(a);
    int is_there = str_find(text, S(" key=")) != STR_NPOS;

    if (!is_there && text.n && !str_starts(text, S("# table: latency,")))
        return -1;
    for (size_t i = 0; is_there && i <= N_ELEMENTS(latency_ends); i++) {
        struct value *step;
        int64_t n;

        if (latency_find(text, i, &n) || n < 0)
            return -1;
        if (!n)
            continue;
        step = value_list(a);
        value_add(a, step, value_int(a, i ? latency_ends[i - 1] : 0));
        value_add(a, step, value_int(a, i < N_ELEMENTS(latency_ends) ? latency_ends[i] : 0));
        value_add(a, step, value_int(a, n));
        value_add(a, steps, step);
    }
    *ret = steps;
    return 0;
}

int haproxy_latency_read(struct haproxy_call *c, struct str backend, struct value **ret)
{
    struct str answer;
    int rc = HAPROXY_ASK(c, &answer, S("show"), S("table"), S("latency"), S("key"), backend);

    if (!rc && haproxy_latency_parse(c->arena, answer, ret))
        return haproxy_fail(c, RV_RETRY, "the proxy answers '%.*s' to show table latency",
                            STR_ARG(str_slice(answer, 0, 200)));
    return rc;
}

int haproxy_latency_clear(struct haproxy_call *c, struct str backend)
{
    struct str ignored; /* a row in use goes on: it counts a request that ends just now */

    return HAPROXY_ASK(c, &ignored, S("clear"), S("table"), S("latency"), S("key"), backend);
}
