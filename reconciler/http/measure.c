/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/measure.h"

#include <string.h>

#include "base/guard.h"

/* --- the loop ------------------------------------------------------------------------------------ */

static void look_at_loop(void *ctx)
{
    struct measure *m = ctx;
    int64_t now_ms = loop_mono_ms(m->loop);

    metrics_time(&m->lag, METRICS_LAG, now_ms - m->due_ms);
    m->due_ms = now_ms + MEASURE_LAG_MS;
    loop_timer_set(m->timer, m->due_ms);
}

int measure_init(struct measure *m, struct loop *loop, struct err *err)
{
    m->loop = loop;
    m->timer = loop_timer_new(loop, look_at_loop, m);
    if (!m->timer)
        return err_set(err, ERR_NOMEM, "api: out of memory");
    m->due_ms = loop_mono_ms(loop) + MEASURE_LAG_MS;
    loop_timer_set(m->timer, m->due_ms);
    return 0;
}

void measure_fini(struct measure *m)
{
    if (m->timer)
        loop_timer_free(TAKE(m->timer));
}

/* --- requests ------------------------------------------------------------------------------------ */

/* One of few words, whatever was sent. */
static const char *method_word(struct str method)
{
    static const char *const words[] = { "GET", "POST", "HEAD", "OPTIONS" };

    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        if (str_eq_c(method, words[i]))
            return words[i];
    return "other";
}

static struct measure_row *row_of(struct measure *m, const char *method, const char *route)
{
    struct measure_row *row = m->rows;

    while (row < m->rows + m->n_rows && (strcmp(row->method, method) || strcmp(row->route, route)))
        row++;
    if (row < m->rows + m->n_rows)
        return row;
    if (m->n_rows == MEASURE_ROWS_MAX)
        return &m->rows[MEASURE_ROWS_MAX - 1];
    m->n_rows++;
    row->method = m->n_rows == MEASURE_ROWS_MAX ? "other" : method;
    row->route = m->n_rows == MEASURE_ROWS_MAX ? "other" : route;
    return row;
}

void measure_request(struct measure *m, const struct http_exchange *x)
{
    struct measure_row *row;
    size_t i = 0;

    if (!x->status) /* its client went away */
        return;
    row = row_of(m, method_word(x->method), x->route ? x->route : "other");
    metrics_time(&row->took, METRICS_REQUEST_TOOK, x->answered_ms - x->began_ms);
    while (i < row->n_statuses && row->statuses[i].status != x->status)
        i++;
    if (i == row->n_statuses && i < MEASURE_STATUSES_MAX) {
        row->n_statuses++;
        row->statuses[i].status = row->n_statuses == MEASURE_STATUSES_MAX ? 0 : x->status;
    }
    row->statuses[i < MEASURE_STATUSES_MAX ? i : MEASURE_STATUSES_MAX - 1].n++;
}

/* Methods of a route are told apart where they are counted, not where they are timed. */
static void put_requests(const struct measure *m, struct metrics *to)
{
    for (size_t i = 0; i < m->n_rows; i++) {
        const struct measure_row *row = &m->rows[i];
        struct metrics_times sum;
        size_t first = 0;

        for (size_t k = 0; k < row->n_statuses; k++)
            METRICS_PUT(to, REQUESTS, row->statuses[k].n, str_from_c(row->method),
                        str_from_c(row->route),
                        row->statuses[k].status ? str_fmt(to->a, "%d", row->statuses[k].status)
                                                : S("other"));
        while (strcmp(m->rows[first].route, row->route))
            first++;
        if (first < i)
            continue;
        memset(&sum, 0, sizeof(sum));
        for (size_t k = i; k < m->n_rows; k++)
            if (!strcmp(m->rows[k].route, row->route))
                metrics_times_add(&sum, &m->rows[k].took);
        METRICS_PUT_TIMES(to, REQUEST_TOOK, &sum, str_from_c(row->route));
    }
}

void measure_put_http(const struct measure *m, const struct hooks *hooks, struct metrics *to)
{
    static const struct str pools[N_POOLS] = {
        [POOL_STATE] = S_INIT("state"),   [POOL_DRIVER] = S_INIT("driver"),
        [POOL_REVERT] = S_INIT("revert"), [POOL_FILE] = S_INIT("file"),
        [POOL_QUERY] = S_INIT("query"),   [POOL_SIGN] = S_INIT("sign")
    };

    put_requests(m, to);
    for (int i = 0; i < N_HOOKS_DECISIONS; i++)
        METRICS_PUT(to, HOOKS, hooks->decided[i],
                    str_from_c(hooks_decision_word((enum hooks_decision)i)));
    for (int i = 0; i < N_POOLS; i++)
        METRICS_PUT(to, QUEUES, loop_queued(m->loop, (enum loop_pool)i), pools[i]);
    METRICS_PUT_TIMES(to, LAG, &m->lag);
}
