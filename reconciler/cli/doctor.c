/* What is wrong here, and how to mend it. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/registry.h"
#include "reconciler/cli/doctor_isolation.h"
#include "reconciler/cli/doctor_look.h"
#include "reconciler/cli/doctor_named.h"
#include "reconciler/cli/doctor_rule.h"
#include "reconciler/cli/verbs.h"
#include "reconciler/http/listen.h"

#define FREE_PERMILLE_MIN 100
#define FREE_BYTES_MIN (1 << 16) /* with less nothing begins: a lock, a log, a page */
#define HAPROXY_MIN "2.6" /* what the tests run with; older ones lack what the edge is told */
#define CLOCK_2020_MS 1577836800000

struct doctor {
    struct cli *c;
    struct value *list;
    int worst;
    int has_daemon;
};

static void found(struct doctor *d, enum finding_level level, struct str what, struct str mend)
{
    static const char *const words[] = { "good", "warn", "bad" };
    struct arena *a = d->c->arena;
    struct value *one = value_map(a);

    value_set_text(a, one, S("level"), str_from_c(words[level]));
    value_set_text(a, one, S("what"), what);
    if (level != FINDING_GOOD)
        value_set_text(a, one, S("mend"), mend);
    value_add(a, d->list, one);
    if ((int)level > d->worst)
        d->worst = (int)level;
}

/* --- programs ------------------------------------------------------------------------------------ */

/* First line of what it prints about itself; STR_NONE when it cannot be run. */
static struct str first_line(struct arena *a, const char *const *argv)
{
    char text[256];
    int out[2], status;
    ssize_t n;
    pid_t pid;
    struct str line, rest;

    if (pipe(out))
        return STR_NONE;
    pid = fork();
    if (pid == 0) {
        (void)dup2(out[1], STDOUT_FILENO);
        (void)close(out[0]);
        (void)close(out[1]);
        execvp(argv[0], (char *const *)(uintptr_t)argv); /* it does not write through it */
        _exit(127);
    }
    (void)close(out[1]);
    n = pid > 0 ? read(out[0], text, sizeof(text)) : -1;
    (void)close(out[0]);
    if (pid > 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    if (pid <= 0 || n <= 0)
        return STR_NONE;
    rest = (struct str){ text, (size_t)n };
    (void)str_next(&rest, '\n', &line);
    return str_copy(a, line);
}

static int uses_driver(const struct value *daemon, const char *driver)
{
    const struct value *providers = value_get(daemon, S("providers"));

    for (size_t i = 0; i < value_count(providers); i++)
        if (str_eq_c(value_get_text(providers->u.map.entries[i].value, S("driver"), S("")), driver))
            return 1;
    return 0;
}

static void check_haproxy(struct doctor *d)
{
    static const char *const argv[] = { "haproxy", "-v", NULL };
    struct arena *a = d->c->arena;
    struct str line = first_line(a, argv);

    if (!line.n)
        found(d, FINDING_BAD, S("'haproxy' cannot be run"), S("install it: apt install haproxy"));
    else if (doctor_is_older(line, S(HAPROXY_MIN)))
        found(d, FINDING_BAD, str_fmt(a, "haproxy is too old: %.*s", STR_ARG(line)),
              S(HAPROXY_MIN " is needed at least, as Debian 12 has it"));
    else
        found(d, FINDING_GOOD, str_fmt(a, "haproxy: %.*s", STR_ARG(line)), S(""));
}

static void check_programs(struct doctor *d)
{
    const struct value *sources = value_get(d->c->daemon, S("sources"));

    if (uses_driver(d->c->daemon, "haproxy"))
        check_haproxy(d);
    for (size_t i = 0; i < value_count(sources); i++)
        if (str_starts(value_get_text(sources->u.map.entries[i].value, S("url"), S("")),
                       S("ssh:")) &&
            access("/usr/bin/ssh", X_OK))
            found(d, FINDING_BAD, S("a source is read over ssh, and /usr/bin/ssh is not there"),
                  S("apt install openssh-client"));
}

/* --- the machine --------------------------------------------------------------------------------- */

static void check_disk(struct doctor *d, struct str file)
{
    struct arena *a = d->c->arena;
    struct err err = ERR_INIT;
    struct str dir = file;
    int64_t n_free, size;

    while (dir.n && dir.p[dir.n - 1] != '/')
        dir.n--;
    while (dir.n > 1 && !sys_exists(str_to_c(a, dir))) /* not made yet: its parent's file system */
        do
            dir.n--;
        while (dir.n > 1 && dir.p[dir.n - 1] != '/');
    if (sys_disk_free(dir.n ? str_to_c(a, dir) : ".", &n_free, &size, &err)) {
        found(d, FINDING_BAD, str_fmt(a, "disk: %s", err.text), S("make its directory readable"));
        return;
    }
    found(d,
          n_free < FREE_BYTES_MIN                                  ? FINDING_BAD
          : size && n_free / (size / 1000 + 1) < FREE_PERMILLE_MIN ? FINDING_WARN
                                                                   : FINDING_GOOD,
          str_fmt(a, "%lld MiB of %lld MiB are free for the state", (long long)(n_free >> 20),
                  (long long)(size >> 20)),
          S("under 10 % previews, builds and logs are stopped first: free some space"));
}

static void check_clock(struct doctor *d)
{
    if (sys_wall_ms() < CLOCK_2020_MS)
        found(d, FINDING_BAD, S("the clock is before 2020"), S("set it, and keep it set: chrony"));
    else
        found(d, FINDING_GOOD,
              str_fmt(d->c->arena, "the clock says %.*s",
                      STR_ARG(render_time(d->c->arena, sys_wall_ms()))),
              S(""));
}

/* --- daemon and state ---------------------------------------------------------------------------- */

static void check_socket(struct doctor *d)
{
    struct arena *a = d->c->arena;
    struct str path = d->c->args.server ? str_from_c(d->c->args.server)
                                        : value_get_text(d->c->daemon, S("socket"), S(""));
    struct err err = ERR_INIT;
    AUTO_CLOSE int fd = -1;

    d->has_daemon = !listen_connect(str_to_c(a, path), &fd, &err);
    if (d->has_daemon)
        found(d, FINDING_GOOD, str_fmt(a, "a daemon answers at '%.*s'", STR_ARG(path)), S(""));
    else if (access(str_to_c(a, path), W_OK) && errno == EACCES)
        found(d, FINDING_BAD, str_copy(a, str_from_c(err.text)),
              S("ask as the daemon's user, as root, or from the group of its socket"));
    else
        found(d, FINDING_WARN, str_copy(a, str_from_c(err.text)), S("start it: reeve serve"));
}

/* What the daemon knows and the state does not. */
static void check_providers(struct doctor *d, const struct value *providers)
{
    for (size_t i = 0; i < value_count(providers); i++) {
        const struct value *one = providers->u.map.entries[i].value;

        if (value_get_bool(one, S("open"), 0))
            found(d, FINDING_WARN, value_get_text(one, S("error"), S("")),
                  S("what it runs goes on; mend what it reaches or its entry under 'providers'"));
    }
}

static void check_drains(struct doctor *d, const struct value *drains)
{
    struct arena *a = d->c->arena;

    for (size_t i = 0; i < value_count(drains); i++) {
        const struct value *one = value_item(drains, i);
        struct str name = value_get_text(one, S("name"), S(""));
        struct str why = value_get_text(one, S("error"), STR_NONE);
        long long lost = value_get_int(one, S("lost"), 0);
        long long refused = value_get_int(one, S("refused"), 0);

        if (why.p)
            found(d, FINDING_WARN,
                  str_fmt(a, "logs are not taken by '%.*s': %.*s", STR_ARG(name), STR_ARG(why)),
                  S("they wait in their files; mend the receiver or its entry under 'log_drains'"));
        if (lost || refused)
            found(d, FINDING_WARN,
                  str_fmt(a,
                          "'%.*s' did not get %lld lines that went before they could be sent, "
                          "and refused %lld",
                          STR_ARG(name), lost, refused),
                  S("keep more (logs.max of the service), or look at what the receiver answers"));
    }
}

/* Branches that were read and say nothing: a path that is spelt wrong looks like that. */
static void check_empty(struct doctor *d, const struct value *sources)
{
    const struct value *named = value_get(d->c->daemon, S("sources"));

    for (size_t i = 0; i < value_count(sources); i++) {
        const struct value_entry *e = &sources->u.map.entries[i];
        const struct value *empty = value_get(e->value, S("empty"));

        for (size_t k = 0; k < value_count(empty); k++)
            found(d, FINDING_WARN,
                  str_fmt(
                      d->c->arena, "branch '%.*s' of source '%.*s' has no spec below '%.*s'",
                      STR_ARG(value_item(empty, k)->u.text), STR_ARG(e->key),
                      STR_ARG(value_get_text(value_get(named, e->key), S("path"), S("its path")))),
                  S("commit one there, NAME.yaml; or say where they lie: 'path' of the source"));
    }
}

static void check_state(struct doctor *d, struct str file)
{
    struct arena *a = d->c->arena;
    struct value *answer;
    const struct value *findings;
    struct err err = ERR_INIT;
    int is_there = d->has_daemon || !access(str_to_c(a, file), F_OK) || errno != ENOENT;
    int rc = is_there ? cli_get(d->c, S("/api/v1/doctor"), NULL, &answer, &err) : ERR_NOT_FOUND;

    if (rc == ERR_NOT_FOUND) {
        found(d, FINDING_WARN, str_fmt(a, "there is no state at '%.*s' yet", STR_ARG(file)),
              S("the first 'reeve serve' or 'reeve once' makes it"));
        return;
    }
    if (rc) {
        found(d, FINDING_BAD, str_copy(a, str_from_c(err.text)),
              rc == ERR_CORRUPT
                  ? S("reeve audit verify says more; restore a copy when it does not hold")
                  : S("reeve status says the same: mend that first"));
        return;
    }
    check_providers(d, value_get(value_get(answer, S("live")), S("providers")));
    check_drains(d, value_get(value_get(answer, S("live")), S("log_drains")));
    check_empty(d, value_get(value_get(answer, S("live")), S("sources")));
    findings = value_get(answer, S("findings"));
    for (size_t i = 0; i < value_count(findings); i++)
        found(d, FINDING_WARN, value_get_text(value_item(findings, i), S("what"), S("")),
              value_get_text(value_item(findings, i), S("mend"), S("")));
    if (!value_count(findings))
        found(d, FINDING_GOOD, S("no environment needs a person"), S(""));
}

static void check_config(struct doctor *d)
{
    struct err err = ERR_INIT;

    if (config_need(d->c, &err)) {
        found(d, FINDING_BAD, str_copy(d->c->arena, str_from_c(err.text)),
              S("reeve validate FILE says every mistake"));
        return;
    }
    found(d, FINDING_GOOD, str_fmt(d->c->arena, "configuration '%s'", d->c->config_path), S(""));
}

/* What the configuration asks for and this version does not act on. */
static void check_uncarried(struct doctor *d)
{
    struct arena *a = d->c->arena;
    struct spec_messages m;

    spec_messages_init(&m, a);
    daemon_uncarried(d->c->daemon, registry_drivers(a), DAEMON_SERVED, &m);
    spec_messages_sort(&m);
    for (size_t i = 0; i < m.list.n; i++) {
        const struct spec_message *one = &m.list.p[i];
        int is_bad = one->severity == SPEC_ERROR;

        found(d, is_bad ? FINDING_BAD : FINDING_WARN,
              str_fmt(a, "%.*s:%u: %.*s", STR_ARG(value_file(one->place)), one->place.line,
                      STR_ARG(one->text)),
              is_bad ? S("reeve serve does not start with it: take it out of the configuration")
                     : S("fine when nothing is expected of it"));
    }
}

/* --- the verb ------------------------------------------------------------------------------------ */

static void write_findings(struct doctor *d)
{
    struct sb b;
    struct render r = cli_render(d->c, &b);

    for (size_t i = 0; i < value_count(d->list); i++) {
        const struct value *one = value_item(d->list, i);
        struct str level = value_get_text(one, S("level"), S(""));
        struct str mend = value_get_text(one, S("mend"), S(""));

        render_fmt(&r,
                   str_eq_c(level, "bad")    ? TONE_BAD
                   : str_eq_c(level, "warn") ? TONE_WARN
                                             : TONE_GOOD,
                   "%-4.*s  ", STR_ARG(level));
        render_foreign(&b, value_get_text(one, S("what"), S("")));
        sb_add_char(&b, '\n');
        if (!mend.n)
            continue;
        sb_add_c(&b, "      ");
        render_text(&r, TONE_DIM, render_safe(d->c->arena, mend));
        sb_add_char(&b, '\n');
    }
    cli_write(d->c, &b);
}

static void look_found(void *ctx, enum finding_level level, struct str what, struct str mend)
{
    found(ctx, level, what, mend);
}

static void check_machine(struct doctor *d)
{
    struct doctor_named named = { .arena = d->c->arena, .found = look_found, .ctx = d };
    struct str file;

    check_config(d);
    check_clock(d);
    doctor_isolation(d->c, look_found, d);
    doctor_look(d->c->arena, d->c->daemon, look_found,
                d); /* as the daemon, since isolation was looked at */
    if (!d->c->daemon)
        return;
    named.daemon = d->c->daemon;
    named.config_path = d->c->config_path;
    file = value_get_text(value_get(d->c->daemon, S("state")), S("file"), S(""));
    check_uncarried(d);
    doctor_named_files(&named);
    doctor_named_sources(&named);
    doctor_named_secrets(&named);
    check_socket(d);
    if (!d->has_daemon)
        doctor_named_doors(&named);
    check_programs(d);
    if (!d->has_daemon)
        doctor_named_ports(&named);
    doctor_named_hooks(&named);
    check_disk(d, file);
    check_state(d, file);
    doctor_named_copies(&named);
}

int verb_doctor(struct cli *c, struct err *err)
{
    struct doctor d = { .c = c, .list = value_list(c->arena), .has_daemon = cli_is_remote(c) };

    if (cli_arg(c, 0).p)
        return doctor_rule(c, cli_arg(c, 0), err);
    if (cli_is_remote(c))
        check_state(&d, S("")); /* it alone says what is wrong there */
    else
        check_machine(&d);
    if (!cli_wrote_json(c, d.list))
        write_findings(&d);
    if (d.worst == FINDING_BAD)
        return err_set(err, ERR_FAILED, "something here is bad");
    return 0;
}
