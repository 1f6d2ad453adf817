/* docs/metrics.md. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/core/metrics.h"

#define HEAD                                                                                       \
    "# Metrics\n\n"                                                                                \
    "What `GET /metrics` answers, in Prometheus' text format (0.0.4). This page is made of "       \
    "`reconciler/core/metrics.def` by `pages update`.\n\n"                                         \
    "It needs a viewer of all environments (at the socket or signed in), or a token of the role "  \
    "`scrape` (`reeve token create prometheus --role scrape`), which reads\nthis, "                \
    "[health](monitoring.md#health) and the list of [instances](monitoring.md#services) to "       \
    "scrape, and nothing else. Without a credential it is 401. How Prometheus is set\nup, alert "  \
    "rules and a dashboard: [monitoring.md](monitoring.md).\n\n"                                   \
    "Counters begin at 0 at each start of the daemon. What a standby does not know is absent "     \
    "there. No label holds text from outside: the names of environments are\nbounded by the "      \
    "rules of the Daemon document.\n"

static const struct item {
    const char *title, *text; /* of a group; else NULL */
    enum metrics_id id;
} items[] = {
/* clang-format off */
#define METRICS_GROUP(title, text) { title, text, N_METRICS },
#define METRIC(id, name, type, labels, help) { NULL, NULL, METRICS_##id },
#include "reconciler/core/metrics.def"
#undef METRICS_GROUP
#undef METRIC
    /* clang-format on */
};

static void add_group(struct sb *b, const struct item *item)
{
    sb_addf(b, "\n## %s\n\n", item->title);
    if (*item->text)
        sb_addf(b, "%s\n\n", item->text);
    sb_add_c(b, "| name | type | labels | what |\n|---|---|---|---|\n");
}

static void add_row(struct sb *b, const struct metrics_row *row)
{
    static const char *const types[] = { "gauge", "counter", "histogram, 1 ms to 30 s",
                                         "histogram, 1 s to 1 h" };
    struct str rest = *row->labels ? str_from_c(row->labels) : STR_NONE, name;

    sb_addf(b, "| `%s` | %s |", row->name, types[row->type]);
    while (str_next(&rest, ',', &name))
        sb_addf(b, " `%.*s`", STR_ARG(name));
    sb_addf(b, " | %s |\n", row->help);
}

struct str metrics_page(struct arena *a)
{
    struct sb b;

    sb_init(&b, a);
    sb_add_c(&b, HEAD);
    for (size_t i = 0; i < N_ELEMENTS(items); i++) {
        if (items[i].title)
            add_group(&b, &items[i]);
        else
            add_row(&b, metrics_row(items[i].id));
    }
    return sb_str(&b);
}
