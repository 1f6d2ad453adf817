/* What an engine is made of, before and after it runs. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "reconciler/engine/covers.h"
#include "reconciler/engine/edge_task.h"
#include "reconciler/engine/engine_life.h"
#include "reconciler/engine/env_task.h"
#include "reconciler/engine/source_git.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WORKER_MEMORY_MAX 0 /* the sanitizer's own shadow would not fit */
#else
#define WORKER_MEMORY_MAX ((int64_t)4 << 30)
#endif
#define WORKER_CPU_S 600

static int read_egress(struct engine *e, struct err *err)
{
    const struct value *allow = value_at(e->options.daemon, S("egress.allow"));

    e->egress = arena_new_n(e->process, struct network, value_count(allow) + 1);
    for (size_t i = 0; e->egress && i < value_count(allow); i++)
        e->n_egress += !network_parse(value_item(allow, i)->u.text, &e->egress[e->n_egress]);
    return arena_status(e->process, err);
}

/* What each driver says of the types it carries. */
static int read_schemas(struct engine *e, struct err *err)
{
    struct value *all = value_map(e->process);

    for (size_t i = 0; i < e->providers->n; i++) {
        const struct provider *p = &e->providers->list[i];
        struct value *schema;

        if (json_parse(e->process, kit_str(p->driver->schema()), KIT_BODY_MAX, &schema, err))
            return err_wrap(err, "the schema of driver '%s'", p->driver->name);
        value_set(e->process, all, p->name, schema);
    }
    e->schemas = all;
    return arena_status(e->process, err);
}

static int open_providers(struct engine *e, struct err *err)
{
    const struct registry_options options = {
        .installation = e->installation,
        .state_dir = e->state_dir,
        .keeper = str_from_c(e->options.keeper),
        .may_write = !e->options.hold_all,
        .covers = covers_list(e->process, e->options.daemon, e->state_dir),
        .grant = e->options.grant,
        .groups = e->options.groups ? e->options.groups->kept : NULL,
    };
    const struct secret_store_options stores = {
        .daemon = e->options.daemon,
        .dir = e->state_dir.p,
        .keys = e->keys_dir.p,
        .self = e->options.self,
        .loop = e->loop,
    };

    if (secret_store_new(&stores, &e->secrets, err) ||
        secret_sets_new(e->options.daemon, e->state_dir.p, e->keys_dir.p, e->secrets, &e->sealed,
                        err))
        return err->code;
    if (registry_open(&options, value_get(e->options.daemon, S("providers")), &e->providers, err))
        return err->code;
    if (read_schemas(e, err) || provider_line_open_all(e, err))
        return err->code;
    op_slot_open(e);
    return 0;
}

static const struct source *make_git_source(struct engine *e, struct str name,
                                            const struct value *config)
{
    struct arena *a = e->process;
    struct source_git *g = arena_new(a, struct source_git);
    const char **worker = arena_new_n(a, const char *, 3);

    if (!g || !worker)
        return NULL;
    worker[0] = e->options.self;
    worker[1] = "git-worker";
    *g = (struct source_git){
        .source.ops = &source_git_ops,
        .worker = worker,
        .url = value_get_text(config, S("url"), S("")),
        .mirror = str_fmt(a, "%.*s/mirrors/%.*s.git", STR_ARG(e->state_dir), STR_ARG(name)),
        .spec_path = value_get_text(config, S("path"), S(".reeve")),
        .ca_file = value_get_text(config, S("ca_file"), STR_NONE),
        .known_hosts = value_get_text(config, S("known_hosts"), STR_NONE),
        .key_file = value_get_text(config, S("key_file"), STR_NONE),
        .max_bytes = value_get_int(config, S("mirror_bytes"), 0),
        .memory_bytes = e->worker_memory_bytes,
        .cpu_s = e->worker_cpu_s,
    };
    return &g->source;
}

static int make_sources(struct engine *e, struct err *err)
{
    const struct value *sources = value_get(e->options.daemon, S("sources"));

    e->sources = arena_new_n(e->process, struct source_task *, value_count(sources) + 1);
    for (size_t i = 0; e->sources && i < value_count(sources); i++) {
        const struct value_entry *entry = &sources->u.map.entries[i];
        struct source_task *s = arena_new(e->process, struct source_task);

        if (!s)
            break;
        s->name = entry->key;
        s->config = entry->value;
        s->source = e->options.make_source
                        ? e->options.make_source(e->options.make_source_ctx, e->process, entry->key,
                                                 entry->value)
                        : make_git_source(e, entry->key, entry->value);
        e->sources[e->n_sources++] = s;
    }
    return arena_status(e->process, err);
}

int engine_open(struct engine *e, const struct engine_options *options, struct err *err)
{
    e->options = *options;
    e->loop = options->loop;
    e->worker_memory_bytes = WORKER_MEMORY_MAX;
    e->worker_cpu_s = WORKER_CPU_S;
    if (engine_life_place(e, err) || engine_life_read(e, err) || sign_files_tidy(e, err) ||
        read_egress(e, err) || open_providers(e, err) || engine_life_begin(e, err) ||
        anchor_task_open_all(e, err) || drain_task_open_all(e, err) || make_sources(e, err)) {
        struct err why = *err;

        engine_close(e);
        *err = why;
        return err->code;
    }
    return 0;
}

void engine_close(struct engine *e)
{
    for (size_t i = 0; i < e->envs.n; i++) {
        env_task_fini(e->envs.p[i]);
        alloc_free(e->envs.p[i]);
    }
    e->envs.n = 0;
    map_init(&e->envs_by_name, e->process);
    for (size_t i = 0; i < e->n_sources; i++)
        source_task_fini(e->sources[i]);
    e->n_sources = 0;
    for (size_t i = 0; i < e->n_edges; i++)
        edge_task_fini(&e->edges[i]);
    e->n_edges = 0;
    engine_start_fini(e);
    clock_task_fini(&e->clock);
    tidy_task_fini(&e->tidy);
    copy_task_fini(&e->copies);
    heartbeat_task_fini(&e->heartbeat);
    alarm_task_fini(&e->alarms);
    notify_task_fini(&e->notify);
    anchor_task_fini_all(e);
    drain_task_fini_all(e);
    provider_line_close_all(e);
    registry_close(TAKE(e->providers));
    secret_sets_free(TAKE(e->sealed));
    secret_store_free(TAKE(e->secrets));
    db_close(TAKE(e->db));
    explicit_bzero(e->seal.key, sizeof(e->seal.key));
    in_work_close(&e->in_work);
    lock_release(&e->lock);
}
