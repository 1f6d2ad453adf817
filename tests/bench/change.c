/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/change.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/guard.h"
#include "base/hash.h"
#include "reconciler/core/plan.h"
#include "tests/bench/estate.h"
#include "tests/bench/table.h"

static struct str change_file(struct arena *a, size_t n_services, const char *version)
{
    struct sb text;

    sb_init(&text, a);
    sb_add_c(&text, "apiVersion: reeve/v1\nkind: Application\nname: app\nservices:\n");
    for (size_t i = 0; i < n_services; i++)
        sb_addf(&text,
                "  s%zu:\n    command: [./run, --number, \"%zu\"]\n    port: 8000\n"
                "    environment: {VERSION: %s}\n    healthcheck: {readiness: {tcp: true}}\n",
                i, i, version);
    sb_add_c(&text, "domains:\n  web:\n    hosts: [app.example]\n    routes:\n");
    for (size_t i = 0; i < n_services; i++)
        sb_addf(&text, "      /s%zu: {service: s%zu}\n", i, i);
    sb_add_c(&text, "---\napiVersion: reeve/v1\nkind: Environment\nname: env\napplication: app\n"
                    "trigger: {branch: main}\napproval: {policy: auto}\n");
    return sb_str(&text);
}

static void change_spec(struct arena *a, size_t n_services, const char *version,
                        struct environment_spec *ret)
{
    const struct spec_file file = { S(".reeve/app.yaml"), change_file(a, n_services, version) };
    const struct normalise_input in = { .environment = S("env"),
                                        .branch = S("main"),
                                        .spec_path = S(".reeve") };
    struct spec_messages m;
    struct bundle b;
    struct err err = ERR_INIT;

    spec_messages_init(&m, a);
    ESTATE_MUST(bundle_read(a, BUNDLE_REPOSITORY, &file, 1, &b, &m, &err), &err);
    ESTATE_MUST(normalise_environment(a, &b, &in, ret, &m, &err), &err);
    PRE(m.n_errors == 0);
}

void bench_change(size_t n_services)
{
    struct arena a;
    struct environment_spec before, wanted;
    struct snapshot s;
    struct plan plan;
    struct err err = ERR_INIT;
    char what[96];
    struct table_row r = { what, "us", "", 0, 0, "hashing its document" };
    struct str document;
    struct digest d;
    double began;

    arena_init(&a, 0);
    change_spec(&a, n_services, "v1", &before);
    change_spec(&a, n_services, "v2", &wanted);
    estate_converged(&a, &before, &s);
    s.target = &wanted;
    s.edge_provider = S("edge");
    began = table_cpu_ms();
    ESTATE_MUST(plan_make(&a, &s, &plan, &err), &err);
    document = plan_format(&a, &plan);
    r.figure = (table_cpu_ms() - began) * 1e3 / (double)n_services;
    PRE(plan.groups.n == n_services);
    began = table_cpu_ms();
    d = hash_bytes(document);
    r.floor = (table_cpu_ms() - began) * 1e3 / (double)n_services;
    PRE(!digest_is_none(&d));
    (void)snprintf(what, sizeof(what), "planning each of %zu services that change, one environment",
                   n_services);
    table_row(&r);
    arena_fini(&a);
}
