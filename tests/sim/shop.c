/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/shop.h"

#include <stdint.h>

#include "base/guard.h"

#define SHOP_REPLICAS_MAX 3

const char *const shop_envs[SHOP_ENVS] = { "prod", "stage" };

static const struct {
    const char *name;
    int port;         /* 0: none */
    const char *more; /* of the service's document */
} shop_rows[N_SHOP] = {
    [SHOP_WEB] = { "web", 8000,
                   "    depends_on: {api: {condition: service_healthy}}\n    standby: frozen\n"
                   "    verify: {command: [./smoke], when: bake}\n" },
    [SHOP_API] = { "api", 8001,
                   "    depends_on: {worker: {condition: service_healthy}}\n"
                   "    verify: {command: [./smoke]}\n" },
    [SHOP_WORKER] = { "worker", 0, "" },
    [SHOP_BLOG] = { "blog", 8002, "" },
    [SHOP_CRON] = { "cron", 0, "" },
};

static const struct {
    const char *name, *concurrency;
} shop_jobs[] = { { "cleanup", "forbid" }, { SHOP_ALLOWED, "allow" }, { "swap", "replace" } };

const char *const shop_names[N_SHOP] = { "web", "api", "worker", "blog", "cron" };

int shop_draw(uint64_t *random, int n)
{
    uint64_t z = *random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (int)((z ^ (z >> 31)) % (uint64_t)n);
}

void shop_init(struct shop *s)
{
    *s = (struct shop){ .n_envs = SHOP_ENVS, .keep_s = 15 };
    for (int i = 0; i < N_SHOP; i++)
        s->services[i] = (struct shop_service){ .present = 1, .version = 1, .replicas = 1 };
    s->services[SHOP_WEB].replicas = 2;
}

int shop_has_port(enum shop_name service)
{
    return shop_rows[service].port != 0;
}

int shop_is_bad(const struct shop *s)
{
    for (int i = 0; i < N_SHOP; i++)
        if (s->services[i].present && s->services[i].bad)
            return 1;
    return 0;
}

const char *shop_name_now(const struct shop *s, enum shop_name which)
{
    return which == SHOP_WEB && s->web ? s->web : shop_rows[which].name;
}

static void shop_change_service(struct shop *s, uint64_t *random)
{
    int which = shop_draw(random, N_SHOP);
    struct shop_service *x = &s->services[which];

    switch (shop_draw(random, 13)) {
    case 12:
        x->strategy = (enum shop_strategy)shop_draw(random, N_SHOP_STRATEGIES);
        break;
    case 0:
        x->replicas = 1 + shop_draw(random, SHOP_REPLICAS_MAX);
        return;
    case 1:
        if (which == SHOP_BLOG || which == SHOP_CRON) /* nobody needs them */
            x->present = !x->present;
        return;
    case 2:
        x->built++;
        return;
    case 3:
        x->released = !x->released;
        return;
    case 4:
    case 5:
    case 6:
        x->bad = shop_has_port((enum shop_name)which) ? 1 + shop_draw(random, 2) : 0;
        break;
    default:
        x->bad = 0;
        break;
    }
    x->version++;
}

void shop_change(struct shop *s, uint64_t *random)
{
    int n = 1 + shop_draw(random, 3);

    s->is_broken = shop_draw(random, 30) == 0;
    s->comment++;
    switch (shop_draw(random, 15)) {
    case 0:
        return;
    case 4:
        s->web = str_eq_c(str_from_c(shop_name_now(s, SHOP_WEB)), "web") ? "site" : "web";
        break;
    case 5:
        s->domain = s->domain && str_eq_c(str_from_c(s->domain), "front") ? "app" : "front";
        break;
    case 6:
        s->jobs ^= 1 << shop_draw(random, N_ELEMENTS(shop_jobs));
        break;
    case 1:
        s->blog_path++;
        return;
    case 2:
        s->is_manual[1] = !s->is_manual[1];
        break;
    case 3:
        s->storage = shop_draw(random, 4);
        break;
    default:
        break;
    }
    while (n--)
        shop_change_service(s, random);
}

void shop_mend(struct shop *s)
{
    s->is_broken = 0;
    for (int i = 0; i < N_SHOP; i++) {
        s->services[i].version += s->services[i].bad != 0;
        s->services[i].bad = 0;
    }
}

static const char *shop_strategy(enum shop_name which, const struct shop_service *x)
{
    if (x->strategy == SHOP_CANARY)
        return "canary, canary: {steps: [{weight: 10%, pause: 3s}, {weight: 50%, pause: 4s}]}";
    if (x->strategy == SHOP_ROLLING)
        return "rolling, max_unavailable: 1";
    return which == SHOP_CRON ? "recreate" : "blue_green";
}

static const char *other_than(const char *now, const char *own, const char *other)
{
    return str_eq_c(str_from_c(now), own) ? other : own;
}

static void shop_add_jobs(struct sb *b, const struct shop *s)
{
    sb_add_c(b, "jobs:\n");
    for (size_t i = 0; i < N_ELEMENTS(shop_jobs); i++)
        if (s->jobs & 1 << i)
            sb_addf(b,
                    "  %s: {command: [./%s], schedule: \"* * * * *\", concurrency: %s, "
                    "environment: {TOKEN: {secret: token}}}\n",
                    shop_jobs[i].name, shop_jobs[i].name, shop_jobs[i].concurrency);
}

static void shop_add_service(struct sb *b, const struct shop *s, enum shop_name which)
{
    const struct shop_service *x = &s->services[which];
    int has_port = shop_has_port(which);

    sb_addf(b, "  %s:\n    command: [./%s]\n%s    replicas: ", shop_name_now(s, which),
            shop_rows[which].name, shop_rows[which].more);
    if (which == SHOP_BLOG && s->range)
        sb_addf(b, "%s\n", s->range);
    else
        sb_addf(b, "%d\n", x->replicas);
    if (which == SHOP_WEB && s->web)
        sb_addf(b, "    moved: %s\n", other_than(s->web, "web", "site"));
    if (has_port)
        sb_addf(b,
                "    port: %d\n    healthcheck: {readiness: {http: {path: /healthz}, interval: "
                "1s}}\n",
                shop_rows[which].port);
    sb_addf(b, "    environment: {VERSION: \"%d\"%s%s", x->version,
            x->bad == 1   ? ", BAD: \"1\""
            : x->bad == 2 ? ", ROTS: \"1\""
                          : "",
            which == SHOP_WEB ? ", API: {service: api, key: internal_url}" : "");
    if (which == SHOP_API) /* one that is there, and one that is made for this version */
        sb_addf(b, ", TOKEN: {secret: token}, KEY: {secret: key_%d}", x->version);
    if (which == SHOP_API && s->storage)
        sb_add_c(b, ", DATABASE_URL: {database: main, key: url}");
    if (which == SHOP_API && s->uses)
        sb_addf(b, ", %s", s->uses);
    sb_add_c(b, "}\n");
    if (x->built)
        sb_addf(b, "    source: {context: app%d, build: [make]}\n", x->built);
    if (x->released)
        sb_addf(b, "    release: {command: [./migrate, \"%d\"], schema_change: none}\n",
                x->version);
    sb_addf(b,
            "    rollout: {strategy: %s, healthy_deadline: 15s, progress_deadline: 40s, "
            "min_healthy_time: 2s, bake_time: 5s, keep_previous: %ds%s%s}\n"
            "    termination: {drain: 2s, stop_grace_period: 1s}\n",
            shop_strategy(which, x), s->keep_s, x->is_left ? ", auto_revert: false" : "",
            x->pauses ? ", auto_promote: false" : "");
}

struct str shop_text(struct arena *a, const struct shop *s)
{
    struct sb b;

    sb_init(&b, a);
    sb_addf(&b, "# %d\n", s->comment);
    if (s->is_broken)
        sb_add_c(&b, "services: [\n");
    sb_addf(&b,
            "apiVersion: reeve/v1\nkind: Application\nname: shop\n"
            "secrets: {token: {}, key_%d: {generate: 32}}\nservices:\n",
            s->services[SHOP_API].version);
    for (int i = 0; i < N_SHOP; i++)
        if (s->services[i].present)
            shop_add_service(&b, s, (enum shop_name)i);
    if (s->jobs)
        shop_add_jobs(&b, s);
    if (s->more)
        sb_add_c(&b, s->more);
    sb_addf(&b,
            "domains:\n  %s: {%s%s%shosts: [\"${env}.example.test\"], routes: {/: {service: %s}, "
            "/api: {service: api}%s",
            s->domain ? s->domain : "app", s->domain ? "moved: " : "",
            s->domain ? other_than(s->domain, "app", "front") : "", s->domain ? ", " : "",
            shop_name_now(s, s->front), s->has_more ? ", /more: {service: web}" : "");
    if (s->services[SHOP_BLOG].present)
        sb_addf(&b, ", /blog%d: {service: blog}", s->blog_path);
    sb_add_c(&b, "}}\n");
    if (s->storage)
        sb_addf(&b, "databases: {main: {engine: postgres, version: \">=15\", storage: %dG}}\n",
                s->storage);
    sb_add_c(&b, s->data ? s->data : "");
    for (int i = 0; i < s->n_envs; i++)
        sb_addf(&b,
                "---\napiVersion: reeve/v1\nkind: Environment\nname: %s\napplication: shop\n"
                "trigger: {branch: main%s}\napproval: {policy: %s%s}\n%s%s",
                shop_envs[i], !i && s->trigger ? s->trigger : "",
                s->is_manual[i] ? "manual" : "auto", s->asks ? s->asks : "",
                s->settings ? "" : "reconcile: {interval: 20s}\n", s->settings ? s->settings : "");
    return sb_str(&b);
}
