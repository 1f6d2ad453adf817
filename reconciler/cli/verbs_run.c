/* The daemon, one round of it, and what it starts. SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/cli/groups.h"
#include "reconciler/cli/isolation.h"
#include "reconciler/cli/memory.h"
#include "reconciler/cli/programs.h"
#include "reconciler/cli/service.h"
#include "reconciler/cli/upgrade.h"
#include "reconciler/cli/verbs.h"
#include "reconciler/engine/counts.h"
#include "reconciler/engine/engine.h"
#include "reconciler/engine/follow.h"
#include "reconciler/engine/git_worker.h"
#include "reconciler/engine/health.h"
#include "reconciler/http/api.h"

struct daemon {
    struct cli *c;
    struct isolation_grant grant;
    struct kit_parents groups;
    struct loop *loop;
    struct engine *engine;
    struct follow *follow;                  /* a standby; then there is no engine */
    const struct follow_takeover *takeover; /* it was one, and goes on as the daemon */
    struct api *api;                        /* NULL: none, or stopped */
    struct service service;
    struct upgrade upgrade;
    struct http_given doors[N_HTTP_DOORS];
    const char *self; /* path of this program, whatever lies there now */
    int was_root;     /* and is not any more */
    int is_stopping;
    int becomes_another; /* the program at `self` goes on in our place */
};

/* --- stopping ------------------------------------------------------------------------------------ */

static void api_stopped(void *ctx)
{
    struct daemon *d = ctx;

    if (d->follow)
        follow_stop(d->follow);
    else
        engine_stop(d->engine);
}

static void begin_to_stop(struct daemon *d, const char *why)
{
    d->is_stopping = 1;
    LOG(LOG_INFO, why);
    if (d->api)
        api_stop(TAKE(d->api), api_stopped, d);
    else
        api_stopped(d);
}

/* The second signal does not wait for requests and operations; they are found again at the next start. */
static void on_stop(void *ctx)
{
    struct daemon *d = ctx;

    d->becomes_another = 0;
    service_stopping();
    if (d->is_stopping)
        loop_stop(d->loop);
    else
        begin_to_stop(d, "stopping");
}

/* The standby's work is done: its daemon goes on in this process. */
static void on_followed(void *ctx)
{
    struct daemon *d = ctx;

    if (d->is_stopping)
        loop_stop(d->loop);
    else
        begin_to_stop(d, "no standby any more");
}

/* The program that is installed now would start. */
static void on_granted(void *ctx)
{
    struct daemon *d = ctx;

    if (d->is_stopping)
        return;
    d->becomes_another = 1;
    for (size_t door = 0; door < N_HTTP_DOORS; door++)
        d->doors[door].goes_on = 1;
    begin_to_stop(d, "the program that is installed now goes on");
}

static void on_upgrade(void *ctx)
{
    struct daemon *d = ctx;

    if (d->was_root)
        LOG(LOG_ERROR, "not upgraded: this was started as root and is that no more; restart it by "
                       "what started it, "
                       "with the sockets lent nobody is refused");
    else if (!d->is_stopping)
        upgrade_start(&d->upgrade, d->loop, d->self, d->c->config_path, on_granted, d);
}

/* --- read again ---------------------------------------------------------------------------------- */

static void set_log(const struct value *daemon)
{
    const struct value *log = value_get(daemon, S("log"));
    enum log_level level = LOG_INFO;

    (void)log_level_from_name(value_get_text(log, S("level"), S("info")), &level); /* was checked */
    log_setup(level,
              str_eq_c(value_get_text(log, S("format"), S("json")), "text") ? LOG_TEXT : LOG_JSON);
}

static int is_same_but_log(const struct value *was, const struct value *is)
{
    for (size_t i = 0; i < value_count(is); i++) {
        const struct value_entry *e = &is->u.map.entries[i];

        if (!str_eq_c(e->key, "log") && !value_eq(value_get(was, e->key), e->value))
            return 0;
    }
    return value_count(was) == value_count(is);
}

static void read_again(struct daemon *d)
{
    AUTO_ARENA struct arena a = { 0 };
    const struct value *daemon = NULL;
    struct err err = ERR_INIT;

    if (config_again(&a, d->c->config_path, &daemon, &err)) {
        LOG(LOG_ERROR, "the log goes on as it was", LOG_C("err", err.text));
        return;
    }
    set_log(daemon);
    if (!is_same_but_log(d->c->daemon, daemon))
        LOG(LOG_WARN,
            "the configuration is another one: but for `log` it counts from the next start on",
            LOG_C("config", d->c->config_path));
}

static void on_hangup(void *ctx)
{
    struct daemon *d = ctx;
    struct err err = ERR_INIT;

    read_again(d);
    if (d->api && api_reload(d->api, &err))
        LOG(LOG_ERROR, "the certificate of before is shown on", LOG_C("err", err.text));
    if (d->follow)
        return;
    LOG(LOG_INFO, "fetching every source now");
    engine_fetch_now(d->engine);
}

/* --- starting ------------------------------------------------------------------------------------ */

static int open_engine(struct daemon *d, int once, struct err *err)
{
    struct cli *c = d->c;
    struct engine_options options = {
        .daemon = c->daemon,
        .once = once,
        .hold_all = c->args.hold_all,
        .seeks_suspects = !once,
        .takeover = d->takeover,
        .alone = c->args.alone,
        .self = d->self,
    };
    struct loop_options loop_options = { 0 };
    int rc = programs_find_keeper(c->arena, options.self, &options.keeper, err);

    if (!rc)
        rc = isolation_check(c->arena, c->daemon, options.keeper, &d->grant, err);
    if (rc)
        return rc;
    alloc_setup();
    options.holder =
        str_fmt(c->arena, "reeve %s, pid %d", once ? "once" : "serve", (int)getpid()).p;
    d->engine = engine_new(c->arena);
    if (!d->engine)
        return arena_status(c->arena, err);
    loop_options.batch = engine_batch(d->engine);
    rc = loop_uv_new(&loop_options, &d->loop, err);
    if (rc)
        return rc;
    options.loop = d->loop;
    options.grant = d->grant.fd > 0 ? d->grant.fd : 0;
    options.groups = &d->groups;
    return engine_open(d->engine, &options, err);
}

static int open_api(struct daemon *d, struct err *err)
{
    struct str path = value_get_text(d->c->daemon, S("socket"), S(""));
    struct api_options options = { .loop = d->loop,
                                   .socket_path = str_to_c(d->c->arena, path),
                                   .daemon = d->c->daemon,
                                   .given = d->doors,
                                   .follow = d->follow,
                                   .engine = d->engine };

    sys_raise_files();
    if (d->follow) {
        options.state_path = follow_state_path(d->follow);
    } else {
        options.state_path = engine_state_path(d->engine);
        options.command = command_start;
        options.hook = hook_call_start;
        options.live = engine_live_view;
        options.sign = signing_write;
        options.is_stale = engine_is_stale;
        options.counts = counts_put_live;
        options.health = health_live;
        options.is_ready = health_is_ready;
        options.on_commit = engine_on_commit;
    }
    return api_start(&options, &d->api, err);
}

static int listen_to_signals(struct daemon *d, struct err *err)
{
    if (loop_on_signal(d->loop, SIGTERM, on_stop, d, err) ||
        loop_on_signal(d->loop, SIGINT, on_stop, d, err) ||
        loop_on_signal(d->loop, SIGUSR2, on_upgrade, d, err))
        return err->code;
    return loop_on_signal(d->loop, SIGHUP, on_hangup, d, err);
}

/* --- the standby --------------------------------------------------------------------------------- */

static int open_follow(struct daemon *d, struct err *err)
{
    struct cli *c = d->c;
    struct follow_options options = {
        .daemon = c->daemon,
        .url = c->args.follow,
        .holder = str_fmt(c->arena, "reeve serve --follow, pid %d", (int)getpid()).p,
        .over = on_followed,
        .over_ctx = d,
    };
    int rc = loop_uv_new(&(struct loop_options){ 0 }, &d->loop, err);

    options.loop = d->loop;
    return rc ? rc : follow_new(c->arena, &options, &d->follow, err);
}

/* Until it is stopped, or is to go on as the daemon. */
static int run_standby(struct daemon *d, const struct follow_takeover **ret, struct err *err)
{
    int rc = open_follow(d, err);

    if (!rc)
        rc = open_api(d, err);
    if (!rc)
        rc = listen_to_signals(d, err);
    if (!rc) {
        LOG(LOG_INFO, "standby", LOG_S("of", d->c->args.follow));
        follow_start(d->follow);
        rc = service_ready(&d->service, d->loop, err);
    }
    if (!rc) {
        loop_run(d->loop);
        rc = follow_result(d->follow, err);
    }
    *ret = !rc ? follow_taken(d->follow) : NULL;
    service_fini(&d->service);
    if (d->loop)
        loop_free(TAKE(d->loop));
    follow_free(TAKE(d->follow));
    d->is_stopping = 0;
    return rc;
}

/* --- the daemon ---------------------------------------------------------------------------------- */

static int run_engine(struct daemon *d, int once, struct err *err)
{
    struct cli *c = d->c;
    int rc = open_engine(d, once, err), opened = !rc;

    if (!rc && !once)
        rc = open_api(d, err);
    if (!rc)
        rc = listen_to_signals(d, err);
    if (!rc) {
        LOG(LOG_INFO, "started", LOG_C("config", c->config_path),
            LOG_S("version", S(REEVE_VERSION)),
            LOG_S("socket", value_get_text(c->daemon, S("socket"), S(""))));
        engine_start(d->engine);
        rc = service_ready(&d->service, d->loop, err);
    }
    if (!rc) {
        loop_run(d->loop);
        LOG(LOG_INFO, "stopped");
    }
    service_fini(&d->service);
    if (!rc && once && !d->is_stopping)
        rc = engine_once_result(d->engine, err);
    if (d->loop)
        loop_free(d->loop);
    if (opened)
        engine_close(d->engine);
    return rc;
}

static int begin_daemon(struct daemon *d, struct err *err)
{
    struct cli *c = d->c;
    int rc = service_sockets(d->doors, err); /* before something else gets their numbers */

    if (!rc)
        rc = programs_find_self(c->arena, &d->self, err);
    if (!rc)
        rc = config_need(c, err);
    if (!rc)
        rc = config_serves(c, err);
    d->was_root = geteuid() == 0;
    if (!rc)
        rc = isolation_start(c, &d->grant, err);
    if (!rc)
        rc = groups_start(c, &d->groups, err);
    if (!rc)
        rc = config_drop(c, err);
    if (!rc)
        rc = memory_shut(err);
    if (rc)
        return rc;
    set_log(c->daemon);
    d->was_root = d->was_root && geteuid() != 0;
    /* before we listen to them: every source is fetched at the start anyway, and this is the new program */
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGUSR2, SIG_IGN);
    if (geteuid() == 0)
        LOG(LOG_WARN,
            "running as root, and so does what is started: name another user: in the configuration",
            LOG_C("config", c->config_path));
    isolation_warn(c->arena, c->daemon);
    return 0;
}

static int run_daemon(struct cli *c, int once, struct err *err)
{
    struct daemon d = { .c = c };
    int follows = 0, rc = begin_daemon(&d, err);

    if (!rc && c->args.follow.p)
        rc = follow_is_wanted(c->arena, c->daemon, c->args.follow, &follows, err);
    if (!rc && follows)
        rc = run_standby(&d, &d.takeover, err);
    if (!rc && (!follows || d.takeover))
        rc = run_engine(&d, once, err);
    if (!rc && d.becomes_another)
        rc = upgrade_become(d.self, c->argv, d.doors, err);
    return rc;
}

int verb_serve(struct cli *c, struct err *err)
{
    return run_daemon(c, 0, err);
}

int verb_once(struct cli *c, struct err *err)
{
    return run_daemon(c, 1, err);
}

int verb_version(struct cli *c, struct err *err)
{
    struct value *v = value_map(c->arena);

    (void)err;
    value_set_text(c->arena, v, S("version"), S(REEVE_VERSION));
    if (!cli_wrote_json(c, v))
        (void)fprintf(c->out, "reeve " REEVE_VERSION "\n"); /* main asks the stream */
    return 0;
}

/* Started by the daemon for one question; its answer is the only thing on standard output. */
int verb_git_worker(struct cli *c, struct err *err)
{
    (void)c;
    if (git_worker_main(STDIN_FILENO, STDOUT_FILENO))
        return err_set(err, ERR_FAILED, "the answer could not be written");
    return 0;
}
