/* The daemon, one round of it, and what it starts. SPDX-License-Identifier: Apache-2.0 */
#include <linux/keyctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/cli/groups.h"
#include "reconciler/cli/isolation.h"
#include "reconciler/cli/programs.h"
#include "reconciler/cli/verbs.h"
#include "reconciler/engine/engine.h"
#include "reconciler/engine/follow.h"
#include "reconciler/engine/git_worker.h"
#include "reconciler/engine/recover.h"
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
    int is_stopping;
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

/* The second signal does not wait for requests and operations; they are found again at the next start. */
static void on_stop(void *ctx)
{
    struct daemon *d = ctx;

    if (d->is_stopping) {
        loop_stop(d->loop);
        return;
    }
    d->is_stopping = 1;
    LOG(LOG_INFO, "stopping");
    if (d->api)
        api_stop(TAKE(d->api), api_stopped, d);
    else
        api_stopped(d);
}

static void on_hangup(void *ctx)
{
    struct daemon *d = ctx;
    struct err err = ERR_INIT;

    if (d->api && api_reload(d->api, &err))
        LOG(LOG_ERROR, "the certificate of before is shown on", LOG_C("err", err.text));
    if (d->follow)
        return;
    LOG(LOG_INFO, "fetching every source now");
    engine_fetch_now(d->engine);
}

/* --- starting ------------------------------------------------------------------------------------ */

static void set_log(const struct value *daemon)
{
    const struct value *log = value_get(daemon, S("log"));
    enum log_level level = LOG_INFO;

    (void)log_level_from_name(value_get_text(log, S("level"), S("info")), &level); /* was checked */
    log_setup(level,
              str_eq_c(value_get_text(log, S("format"), S("json")), "text") ? LOG_TEXT : LOG_JSON);
}

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
    };
    struct loop_options loop_options = { 0 };
    int rc = programs_find_self(c->arena, &options.self, err);

    if (!rc)
        rc = programs_find_keeper(c->arena, options.self, &options.keeper, err);
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
                                   .follow = d->follow,
                                   .engine = d->engine };

    if (d->follow) {
        options.state_path = follow_state_path(d->follow);
    } else {
        options.state_path = engine_state_path(d->engine);
        options.command = command_start;
        options.hook = hook_call_start;
        options.live = engine_live_view;
        options.sign = signing_write;
        options.is_stale = engine_is_stale;
        options.on_commit = engine_on_commit;
    }
    return api_start(&options, &d->api, err);
}

static int listen_to_signals(struct daemon *d, struct err *err)
{
    if (loop_on_signal(d->loop, SIGTERM, on_stop, d, err) ||
        loop_on_signal(d->loop, SIGINT, on_stop, d, err))
        return err->code;
    return loop_on_signal(d->loop, SIGHUP, on_hangup, d, err);
}

/* Values of secrets pass through memory: no core file is written, and nobody of our own uid looks in. A
 * sanitizer looks at itself as a debugger would. Programs that we start inherit the limit; it is 1 and not 0,
 * which a machine whose cores go to a program overlooks (core(5)). */
static int shut_memory(struct err *err)
{
    struct rlimit core;

    /* What we start inherits keys too: none, where the kernel gives us an empty ring. */
    (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    if (getrlimit(RLIMIT_CORE, &core))
        return err_sys(err, "limit of core files");
    core.rlim_cur = core.rlim_max = core.rlim_max ? 1 : 0;
    if (setrlimit(RLIMIT_CORE, &core))
        return err_sys(err, "limit core files");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return err_sys(err, "give up core files");
#endif
    return 0;
}

/* --- the standby --------------------------------------------------------------------------------- */

static int open_follow(struct daemon *d, struct err *err)
{
    struct cli *c = d->c;
    struct follow_options options = {
        .daemon = c->daemon,
        .url = c->args.follow,
        .holder = str_fmt(c->arena, "reeve serve --follow, pid %d", (int)getpid()).p,
        .over = on_stop,
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
        loop_run(d->loop);
        rc = follow_result(d->follow, err);
    }
    *ret = !rc ? follow_taken(d->follow) : NULL;
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
        loop_run(d->loop);
        LOG(LOG_INFO, "stopped");
    }
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
    int rc = config_need(c, err);

    if (!rc)
        rc = config_serves(c, err);
    if (!rc)
        rc = isolation_start(c, &d->grant, err);
    if (!rc)
        rc = groups_start(c, &d->groups, err);
    if (!rc)
        rc = config_drop(c, err);
    if (!rc)
        rc = shut_memory(err); /* after the drop, which opens it */
    if (rc)
        return rc;
    set_log(c->daemon);
    (void)signal(SIGHUP,
                 SIG_IGN); /* before we listen to it: every source is fetched at the start anyway */
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
    if (rc || (follows && !d.takeover))
        return rc;
    return run_engine(&d, once, err);
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

/* --- recover ------------------------------------------------------------------------------------- */

static void write_each(struct cli *c, const struct value *list, const char *what)
{
    for (size_t i = 0; i < value_count(list); i++)
        (void)fprintf(c->out, "  %s: %.*s\n", what,
                      STR_ARG(render_safe(c->arena, value_item(list, i)->u.text)));
}

static void write_recovered(struct cli *c, const struct value *v)
{
    const struct value *envs = value_get(v, S("environments"));

    (void)fprintf(c->out, "a new database: %.*s\n",
                  STR_ARG(render_safe(c->arena, cli_text(v, "because"))));
    if (value_get(v, S("aside")))
        (void)fprintf(c->out, "  the old one is kept as %.*s\n",
                      STR_ARG(render_safe(c->arena, cli_text(v, "aside"))));
    if (value_get(v, S("copy")))
        (void)fprintf(c->out, "  what no label knows is from %.*s\n",
                      STR_ARG(render_safe(c->arena, cli_text(v, "copy"))));
    write_each(c, value_get(v, S("unreadable")), "a copy cannot be read");
    write_each(c, value_get(v, S("doubles")),
               "two things carry one label, one of them was left out");
    write_each(c, value_get(v, S("missing")),
               "not looked for, because the configuration does not name it: provider");
    for (size_t i = 0; i < value_count(envs); i++) {
        const struct value *e = value_item(envs, i);

        (void)fprintf(c->out, "  %.*s: held; %lld instances in %lld live and %lld other sets\n",
                      STR_ARG(render_safe(c->arena, cli_text(e, "name"))),
                      (long long)value_get_int(e, S("instances"), 0),
                      (long long)value_get_int(e, S("live_sets"), 0),
                      (long long)value_get_int(e, S("other_sets"), 0));
    }
    (void)fprintf(c->out, "start the daemon, look at each plan, then: reeve resume ENV\n");
}

int verb_recover(struct cli *c, struct err *err)
{
    struct recover_options options = { 0 };
    const char *self;
    struct value *report;
    int rc = config_need(c, err);

    if (!rc)
        rc = config_drop(c, err);
    if (!rc)
        rc = shut_memory(err); /* it opens copies with their key */
    if (!rc)
        rc = programs_find_self(c->arena, &self, err);
    if (!rc)
        rc = programs_find_keeper(c->arena, self, &options.keeper, err);
    if (!rc)
        rc = loop_uv_new(&(struct loop_options){ 0 }, &options.loop, err);
    if (rc)
        return rc;
    options.daemon = c->daemon;
    options.holder = str_fmt(c->arena, "reeve recover, pid %d", (int)getpid()).p;
    rc = recover_run(c->arena, &options, &report, err);
    loop_free(options.loop);
    if (!rc && !cli_wrote_json(c, report))
        write_recovered(c, report);
    return rc;
}

/* Started by the daemon for one question; its answer is the only thing on standard output. */
int verb_git_worker(struct cli *c, struct err *err)
{
    (void)c;
    if (git_worker_main(STDIN_FILENO, STDOUT_FILENO))
        return err_set(err, ERR_FAILED, "the answer could not be written");
    return 0;
}
