/* What an engine is made of, before and after it runs. SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/engine/covers.h"
#include "reconciler/engine/edge_task.h"
#include "reconciler/engine/env_task.h"
#include "reconciler/engine/installation.h"
#include "reconciler/engine/source_git.h"
#include "state/ballast.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WORKER_MEMORY_MAX 0 /* the sanitizer's own shadow would not fit */
#else
#define WORKER_MEMORY_MAX ((int64_t)4 << 30)
#endif
#define WORKER_CPU_S 600

static struct str path_dir(struct arena *a, struct str path)
{
    size_t slash = path.n;

    while (slash && path.p[slash - 1] != '/')
        slash--;
    return slash > 1 ? str_copy(a, str_slice(path, 0, slash - 1)) : S("/");
}

/* A row of meta that holds the epoch, what is known of the clock, and their event. */
int engine_write_life(struct engine *e, struct arena *a, struct str event, struct str key,
                      struct err *err)
{
    const struct rec_meta row = { .k = key, .v = str_fmt(a, "%lld", (long long)e->epoch) };
    struct tx *tx;

    if (engine_tx(e,
                  &(struct engine_event){ .kind = event, .subject = str_from_c(e->options.holder) },
                  &tx, err))
        return err->code;
    if (tx_put(tx, REC_meta, &row, err) || clock_task_put(&e->clock, tx, a, err)) {
        tx_rollback(tx);
        return err->code;
    }
    return tx_commit(tx, err);
}

/* One more life: what a lower epoch began is recovered, what it still does is refused. */
static int raise_epoch(struct engine *e, struct err *err)
{
    struct arena *a = e->process;
    struct str now, ended;

    if (db_meta(e->db, a, S("epoch"), &now, err) || db_meta(e->db, a, S("ended"), &ended, err) ||
        db_meta(e->db, a, S("installation"), &e->installation, err))
        return err->code;
    e->epoch = 0;
    if (now.p && str_to_i64(now, &e->epoch))
        return err_set(err, ERR_CORRUPT, "the epoch is '%.*s'", STR_ARG(now));
    e->was_killed = now.p && !(ended.p && str_eq(ended, now));
    e->epoch++;
    if (clock_task_open(&e->clock, e, err) || db_batch_begin(e->db, err) ||
        engine_write_life(e, a, S("daemon.started"), S("epoch"), err))
        return err->code;
    return db_batch_commit(e->db, err);
}

static int open_state(struct engine *e, struct err *err)
{
    struct str file = str_from_c(engine_state_path(e));
    struct db_birth birth = { .time_ms = loop_wall_ms(e->loop) };

    e->state_dir = path_dir(e->process, file);
    e->keys_dir = str_fmt(e->process, "%.*s/keys", STR_ARG(e->state_dir));
    if (arena_status(e->process, err))
        return err->code;
    if (sys_mkdir_all(e->state_dir.p, 0750, err) || sys_mkdir_all(e->keys_dir.p, 0700, err) ||
        lock_take(file.p, e->options.holder, &e->lock, err) ||
        installation_read(e->process, e->keys_dir.p, &birth.installation, err))
        return err->code;
    if (!birth.installation.p)
        birth.installation = sys_uuid7(e->process, birth.time_ms);
    if (db_create(file.p, &birth, &e->db, err) ||
        installation_keep(e->process, e->keys_dir.p, db_installation(e->db), err))
        return err->code;
    if (ballast_make(file.p, err))
        LOG(LOG_WARN, "no room for the ballast: a full disk will stop everything",
            LOG_C("err", err->text));
    return raise_epoch(e, err);
}

static int open_providers(struct engine *e, struct err *err)
{
    const struct registry_options options = {
        .installation = e->installation,
        .state_dir = e->state_dir,
        .keeper = str_from_c(e->options.keeper),
        .may_write = !e->options.hold_all,
        .covers = covers_list(e->process, e->options.daemon, e->state_dir),
    };

    if (secret_store_new(e->options.daemon, e->keys_dir.p, &e->secrets, err) ||
        secret_sets_new(e->options.daemon, e->state_dir.p, e->keys_dir.p, e->secrets, &e->sealed,
                        err))
        return err->code;
    if (registry_open(&options, value_get(e->options.daemon, S("providers")), &e->providers, err))
        return err->code;
    if (provider_line_open_all(e, err))
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
        .memory_bytes = WORKER_MEMORY_MAX,
        .cpu_s = WORKER_CPU_S,
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
    if (open_state(e, err) || open_providers(e, err) || make_sources(e, err)) {
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
    clock_task_fini(&e->clock);
    provider_line_close_all(e);
    registry_close(TAKE(e->providers));
    secret_sets_free(TAKE(e->sealed));
    secret_store_free(TAKE(e->secrets));
    db_close(TAKE(e->db));
    lock_release(&e->lock);
}
