/* The Daemon document: where it is, what it says, whom it makes us. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sys.h"
#include "providers/registry.h"
#include "reconciler/cli/cli.h"
#include "reconciler/engine/zones.h"
#include "specs/zone_check.h"

#define CONFIG_BYTES_MAX (1u << 20)

static const char *find_config(const struct cli *c)
{
    const char *from_env = getenv("REEVE_CONFIG");

    if (c->args.config)
        return c->args.config;
    if (from_env && *from_env)
        return from_env;
    return sys_exists("reeve.yaml") ? "reeve.yaml" : "/etc/reeve/reeve.yaml";
}

/* Nothing is to be done when nobody can be told. */
static void print_message(struct cli *c, const struct spec_message *m, struct str source_line)
{
    const char *mark = log_mark(m->severity == SPEC_ERROR ? LOG_ERROR : LOG_WARN);
    struct str text, line;
    struct sb b;

    sb_init(&b, c->arena);
    spec_message_format(&b, m, source_line, c->colour && c->err_is_terminal);
    text = sb_str(&b);
    while (str_next(&text, '\n', &line) && text.p)
        (void)fprintf(c->err_out, "%s%.*s\n", mark, STR_ARG(line));
}

static void print_messages(struct cli *c, struct spec_messages *m, struct str text)
{
    struct spec_lines lines = { 0 };

    spec_messages_sort(m);
    for (size_t i = 0; i < m->list.n; i++)
        print_message(c, &m->list.p[i], spec_line(&lines, text, m->list.p[i].place.line));
}

static int no_config(const struct cli *c, const char *path, struct err *err)
{
    const char *from_env = getenv("REEVE_CONFIG");

    if (c->args.config || (from_env && *from_env))
        return err_set(err, ERR_NOT_FOUND, "no configuration at '%s', which %s names", path,
                       c->args.config ? "--config" : "$REEVE_CONFIG");
    return err_set(err, ERR_NOT_FOUND,
                   "no configuration: neither ./reeve.yaml nor '%s' is there; name one with "
                   "--config FILE or $REEVE_CONFIG",
                   path);
}

static int parse(struct arena *a, const struct spec_file *file, const struct value **ret,
                 struct spec_messages *m, struct err *err)
{
    struct bundle bundle;
    int rc = bundle_read(a, BUNDLE_DAEMON, file, 1, &bundle, m, err);

    if (!rc && !m->n_errors)
        rc = normalise_daemon(a, &bundle, ret, m, err);
    if (!rc && !m->n_errors)
        zone_check(m, *ret, zones_is_there);
    return rc;
}

static int check_errors(const char *path, const struct spec_messages *m, struct err *err)
{
    return m->n_errors ? err_set(err, ERR_INVALID, "configuration '%s' has %zu error%s", path,
                                 m->n_errors, m->n_errors == 1 ? "" : "s")
                       : 0;
}

/* In one line, for a log: the first one with its place, and how many there are. */
static int first_error(const char *path, struct spec_messages *m, struct err *err)
{
    const struct spec_message *first = NULL;

    spec_messages_sort(m);
    for (size_t i = 0; !first && i < m->list.n; i++)
        if (m->list.p[i].severity == SPEC_ERROR)
            first = &m->list.p[i];
    if (!first)
        return check_errors(path, m, err);
    return err_set(err, ERR_INVALID, "%s:%u:%u: %.*s; %zu error%s", path, first->place.line,
                   first->place.column, STR_ARG(first->text), m->n_errors,
                   m->n_errors == 1 ? "" : "s");
}

int config_again(struct arena *a, const char *path, const struct value **ret, struct err *err)
{
    struct spec_file file = { .path = str_from_c(path) };
    struct spec_messages m;

    spec_messages_init(&m, a);
    if (sys_read_file(a, path, CONFIG_BYTES_MAX, &file.text, err) || parse(a, &file, ret, &m, err))
        return err_wrap(err, "configuration '%s'", path);
    return first_error(path, &m, err);
}

int config_need(struct cli *c, struct err *err)
{
    const char *path = find_config(c);
    char *absolute = realpath(path, NULL);
    struct spec_messages m;
    struct spec_file file;
    int rc;

    if (c->daemon) {
        free(absolute);
        return 0;
    }
    if (!absolute && errno == ENOENT)
        return no_config(c, path, err);
    if (!absolute)
        return err_sys(err, "configuration '%s'", path);
    file.path = str_copy(c->arena, str_from_c(absolute));
    free(absolute);
    rc = sys_read_file(c->arena, file.path.p, CONFIG_BYTES_MAX, &file.text, err);
    spec_messages_init(&m, c->arena);
    if (!rc)
        rc = parse(c->arena, &file, &c->daemon, &m, err);
    if (rc)
        return err_wrap(err, "configuration '%s'", path);
    print_messages(c, &m, file.text);
    if (m.n_errors) {
        c->daemon = NULL;
        return check_errors(path, &m, err);
    }
    c->config_path = file.path.p;
    c->config_text = file.text;
    return 0;
}

int config_serves(struct cli *c, struct err *err)
{
    struct spec_messages m;

    spec_messages_init(&m, c->arena);
    daemon_uncarried(c->daemon, registry_drivers(c->arena), DAEMON_SERVED, &m);
    print_messages(c, &m, c->config_text);
    if (m.n_errors)
        return err_set(err, ERR_INVALID,
                       "configuration '%s' asks for what this version does not do", c->config_path);
    return arena_status(c->arena, err);
}

/* "NAME" or "UID:GID" */
static int find_user(struct cli *c, struct str user, uid_t *ret_uid, gid_t *ret_gid,
                     struct err *err)
{
    struct str rest = user, part;
    int64_t uid, gid;
    const struct passwd *entry;

    if (str_next(&rest, ':', &part) && rest.p && !str_to_i64(part, &uid) &&
        !str_to_i64(rest, &gid)) {
        *ret_uid = (uid_t)uid;
        *ret_gid = (gid_t)gid;
        return 0;
    }
    entry = getpwnam(str_to_c(c->arena, user));
    if (!entry)
        return err_set(err, ERR_INVALID, "user '%.*s' of the configuration does not exist",
                       STR_ARG(user));
    *ret_uid = entry->pw_uid;
    *ret_gid = entry->pw_gid;
    return 0;
}

int config_user(struct cli *c, uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
    struct str user = value_get_text(c->daemon, S("user"), STR_NONE);

    if (!user.n)
        return err_set(err, ERR_INVALID,
                       "started as root: name the user to become, 'user:' in '%s'", c->config_path);
    return find_user(c, user, ret_uid, ret_gid, err);
}

static int become(uid_t uid, gid_t gid)
{
    return setgroups(1, &gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid);
}

int config_drop(struct cli *c, struct err *err)
{
    uid_t uid = 0;
    gid_t gid = 0;
    int rc;

    if (geteuid() != 0)
        return 0;
    rc = config_user(c, &uid, &gid, err);
    if (rc)
        return rc;
    if (!uid)
        return 0; /* root by its own word */
    return become(uid, gid) ? err_sys(err, "become the user of '%s'", c->config_path) : 0;
}

int config_drop_to_owner(const char *path, struct err *err)
{
    struct stat st;
    int reaches;

    if (geteuid() != 0 || stat(path, &st))
        return 0; /* opening says what is wrong */
    reaches = !seteuid(st.st_uid) && !faccessat(AT_FDCWD, path, R_OK, AT_EACCESS);
    if (seteuid(0))
        return err_sys(err, "look at '%s' as its owner", path);
    if (!reaches)
        return 0; /* it lies where root alone gets to */
    return become(st.st_uid, st.st_gid) ? err_sys(err, "become the owner of '%s'", path) : 0;
}
