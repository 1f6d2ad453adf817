/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/doctor_named.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/map.h"
#include "reconciler/engine/anchor_place.h"
#include "reconciler/engine/git_url.h"
#include "reconciler/http/listen.h"

#define MODE_OTHERS 077
#define MODE_WRITTEN_BY_OTHERS 022
#define DEPTH_MAX 16 /* of a document: the grammar has less */

static void tell(const struct doctor_named *n, enum finding_level level, struct str what,
                 struct str mend)
{
    n->found(n->ctx, level, what, mend);
}

static struct str user_name(struct arena *a, uid_t uid)
{
    const struct passwd *row = getpwuid(uid);

    return row ? str_copy(a, str_from_c(row->pw_name)) : str_fmt(a, "%u", (unsigned)uid);
}

/* --- files --------------------------------------------------------------------------------------- */

/* Who writes the document says what the daemon does. */
static void look_at_document(const struct doctor_named *n)
{
    struct stat st;

    if (!n->config_path || stat(n->config_path, &st) || !(st.st_mode & MODE_WRITTEN_BY_OTHERS))
        return;
    tell(n, FINDING_BAD,
         str_fmt(n->arena, "'%s' can be written by others than '%.*s'", n->config_path,
                 STR_ARG(user_name(n->arena, st.st_uid))),
         str_fmt(n->arena, "who writes it decides what the daemon does: chmod go-w %s",
                 n->config_path));
}

/* What is there already; what is not, the daemon makes. */
static void look_at_own(const struct doctor_named *n, struct str path)
{
    const char *file = str_to_c(n->arena, path);
    struct stat st;
    int why;

    if (!path.n || !file || stat(file, &st) || !access(file, R_OK | W_OK))
        return;
    why = errno;
    tell(n, FINDING_BAD,
         str_fmt(n->arena, "'%s' belongs to '%.*s', and the daemon runs as '%.*s': %s", file,
                 STR_ARG(user_name(n->arena, st.st_uid)), STR_ARG(user_name(n->arena, geteuid())),
                 strerror(why)),
         str_fmt(n->arena, "as root: chown -R %.*s: %s", STR_ARG(user_name(n->arena, geteuid())),
                 file));
}

static struct str directory_of(struct str file)
{
    while (file.n && file.p[file.n - 1] != '/')
        file.n--;
    return str_slice(file, 0, file.n > 1 ? file.n - 1 : file.n);
}

void doctor_named_files(const struct doctor_named *n)
{
    const struct value *providers = value_get(n->daemon, S("providers"));
    struct str state = value_get_text(value_get(n->daemon, S("state")), S("file"), S(""));

    look_at_document(n);
    look_at_own(n, directory_of(state));
    look_at_own(n, state);
    look_at_own(n, value_get_text(value_at(n->daemon, S("state.backup")), S("directory"), S("")));
    for (size_t i = 0; i < value_count(providers); i++)
        look_at_own(n, value_get_text(providers->u.map.entries[i].value, S("directory"), S("")));
}

/* --- sources ------------------------------------------------------------------------------------- */

static int is_there(const struct doctor_named *n, struct str source, const char *field,
                    struct str path, const char *mend)
{
    const char *file = str_to_c(n->arena, path);

    if (path.n && file && !access(file, R_OK))
        return 1;
    if (path.n)
        tell(n, FINDING_BAD,
             str_fmt(n->arena, "source '%.*s': %s '%.*s': %s", STR_ARG(source), field,
                     STR_ARG(path), strerror(errno)),
             str_from_c(mend));
    else
        tell(n, FINDING_BAD,
             str_fmt(n->arena, "source '%.*s' is read over ssh and names no %s", STR_ARG(source),
                     field),
             str_from_c(mend));
    return 0;
}

/* Keys that others may read ssh does not use, and says so only when it is asked to. */
static void look_at_key(const struct doctor_named *n, struct str source, struct str key)
{
    const char *file = str_to_c(n->arena, key);
    struct stat st;

    if (is_there(n, source, "key_file", key,
                 "ssh-keygen -t ed25519 -N '' -f FILE as the daemon's user, FILE.pub as a deploy "
                 "key of the repository that may read, key_file: FILE") &&
        file && !stat(file, &st) && st.st_mode & MODE_OTHERS)
        tell(n, FINDING_BAD,
             str_fmt(n->arena, "source '%.*s': others may read '%s', so ssh does not use it",
                     STR_ARG(source), file),
             str_fmt(n->arena, "chmod 600 %s", file));
}

static void look_at_ssh(const struct doctor_named *n, const struct value_entry *source,
                        const struct git_url *url)
{
    struct str host = url->port ? str_fmt(n->arena, "-p %lld %.*s", (long long)url->port,
                                          STR_ARG(url->host))
                                : url->host;

    (void)is_there(n, source->key, "known_hosts",
                   value_get_text(source->value, S("known_hosts"), S("")),
                   str_fmt(n->arena,
                           "ssh-keyscan %.*s >FILE, compare what ssh-keygen -lf FILE says with "
                           "what the host publishes, known_hosts: FILE",
                           STR_ARG(host))
                       .p);
    look_at_key(n, source->key, value_get_text(source->value, S("key_file"), S("")));
}

static void look_at_source(const struct doctor_named *n, const struct value_entry *source)
{
    struct err err = ERR_INIT;
    struct git_url url;
    int why;

    if (git_url_parse(n->arena, value_get_text(source->value, S("url"), S("")), &url, &err))
        return; /* the document is checked elsewhere */
    if (url.scheme == GIT_URL_SSH)
        look_at_ssh(n, source, &url);
    if (url.scheme != GIT_URL_FILE || !access(str_to_c(n->arena, url.path), R_OK | X_OK))
        return;
    why = errno;
    tell(n, FINDING_BAD,
         str_fmt(n->arena, "source '%.*s': '%.*s': %s", STR_ARG(source->key), STR_ARG(url.path),
                 strerror(why)),
         str_fmt(n->arena, "a repository that '%.*s' can read, or another url",
                 STR_ARG(user_name(n->arena, geteuid()))));
}

void doctor_named_sources(const struct doctor_named *n)
{
    const struct value *sources = value_get(n->daemon, S("sources"));

    for (size_t i = 0; i < value_count(sources); i++)
        look_at_source(n, &sources->u.map.entries[i]);
}

/* --- secrets ------------------------------------------------------------------------------------- */

/* As the store spells it (engine/secret_local.c). */
static struct str variable_of(struct arena *a, const struct value *store, struct str name)
{
    struct sb b;

    sb_init(&b, a);
    sb_add(&b, value_get_text(store, S("prefix"), S("REEVE_SECRET_")));
    for (size_t i = 0; i < name.n; i++)
        sb_add_char(&b, name.p[i] == '-' ? '_' : (char)toupper((unsigned char)name.p[i]));
    return sb_str(&b);
}

/* Of who asks, who need not be the daemon's unit. */
static void look_at_variable(const struct doctor_named *n, const struct value *store,
                             struct str name, struct str path)
{
    struct str variable = variable_of(n->arena, store, name);

    if (variable.p && !getenv(variable.p))
        tell(n, FINDING_WARN,
             str_fmt(n->arena, "secret '%.*s' of %.*s: variable %.*s is not set here",
                     STR_ARG(name), STR_ARG(path), STR_ARG(variable)),
             S("fine where the daemon has it and this shell not: an EnvironmentFile= of its unit, "
               "mode 600; else set it"));
}

static void look_at_secret_file(const struct doctor_named *n, const struct value *store,
                                struct str name, struct str path)
{
    struct str file = str_fmt(n->arena, "%.*s/%.*s",
                              STR_ARG(value_get_text(store, S("directory"), S(""))), STR_ARG(name));
    struct stat st;
    int why;

    if (!file.p)
        return; /* out of memory, which is said at the end */
    why = access(file.p, R_OK) || stat(file.p, &st) ? errno : 0;
    if (why)
        tell(n, FINDING_BAD,
             str_fmt(n->arena, "secret '%.*s' of %.*s: '%s': %s", STR_ARG(name), STR_ARG(path),
                     file.p, strerror(why)),
             str_fmt(n->arena, "put it there, for '%.*s' alone: install -m 600",
                     STR_ARG(user_name(n->arena, geteuid()))));
    else if (st.st_mode & MODE_OTHERS & ~(mode_t)070)
        tell(n, FINDING_WARN,
             str_fmt(n->arena, "secret '%.*s' of %.*s: everybody may read '%s'", STR_ARG(name),
                     STR_ARG(path), file.p),
             str_fmt(n->arena, "chmod 600 %s", file.p));
}

static void look_at_secret(const struct doctor_named *n, struct str name, struct str path)
{
    const struct value *secrets = value_get(n->daemon, S("secrets"));
    struct str word = value_get_text(secrets, S("default"), S("env"));
    const struct value *store = value_get(value_get(secrets, S("stores")), word);
    struct str type = value_get_text(store, S("type"), S("env"));

    if (str_eq_c(type, "env"))
        look_at_variable(n, store, name, path);
    else if (str_eq_c(type, "file"))
        look_at_secret_file(n, store, name, path);
}

/* Every {secret: NAME}; each name once, where it stands first. */
static void look_below(const struct doctor_named *n, const struct value *v, struct str path,
                       struct map *seen, int depth)
{
    struct str name = value_is(v, VALUE_MAP) ? value_get_text(v, S("secret"), STR_NONE) : STR_NONE;

    if (name.p && !map_find(seen, name)) {
        map_put(seen, name, (void *)(uintptr_t)v); /* a mark */
        look_at_secret(n, name, path);
    }
    for (size_t i = 0; depth && !name.p && i < value_count(v); i++) {
        int is_map = value_is(v, VALUE_MAP);
        struct str word = is_map ? v->u.map.entries[i].key : str_fmt(n->arena, "%zu", i);

        look_below(n, is_map ? v->u.map.entries[i].value : value_item(v, i),
                   str_fmt(n->arena, "%.*s%s%.*s", STR_ARG(path), path.n ? "." : "", STR_ARG(word)),
                   seen, depth - 1);
    }
}

void doctor_named_secrets(const struct doctor_named *n)
{
    struct map seen;

    map_init(&seen, n->arena);
    look_below(n, n->daemon, S(""), &seen, DEPTH_MAX);
}

/* --- doors --------------------------------------------------------------------------------------- */

static void look_at_door(const struct doctor_named *n, const char *field)
{
    struct str address = value_get_text(n->daemon, str_from_c(field), S(""));
    struct err err = ERR_INIT;
    AUTO_CLOSE int fd = -1;

    if (!address.n || !listen_tcp(address, &fd, &err))
        return;
    tell(n, FINDING_BAD, str_fmt(n->arena, "%s: %s", field, err.text),
         S("another program holds it (ss -ltnp names it), unless a socket of systemd does for the "
           "daemon; else choose another address"));
}

void doctor_named_doors(const struct doctor_named *n)
{
    look_at_door(n, "listen");
    look_at_door(n, "listen_hooks");
}

/* "127.0.0.1:8080" can be bound: asked only while nobody of ours holds it. */
static void look_at_port(const struct doctor_named *n, struct str name, struct str address)
{
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct arena *a = n->arena;
    size_t colon = str_find_char(address, ':');
    struct sockaddr_in in = { .sin_family = AF_INET };
    int64_t port;
    int one = 1;

    if (fd < 0 || colon == STR_NPOS || str_to_i64(str_slice(address, colon + 1, SIZE_MAX), &port) ||
        inet_pton(AF_INET, str_to_c(a, str_slice(address, 0, colon)), &in.sin_addr) != 1)
        return;
    in.sin_port = htons((uint16_t)port);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)); /* as haproxy does */
    if (!bind(fd, (struct sockaddr *)&in, sizeof(in)))
        tell(n, FINDING_GOOD,
             str_fmt(a, "%.*s is free for provider '%.*s'", STR_ARG(address), STR_ARG(name)),
             S(""));
    else
        tell(n, errno == EADDRINUSE ? FINDING_WARN : FINDING_BAD,
             str_fmt(a, "%.*s of provider '%.*s': %s", STR_ARG(address), STR_ARG(name),
                     strerror(errno)),
             errno == EADDRINUSE
                 ? S("fine when our own haproxy holds it; else choose another in 'providers'")
                 : S("choose an address of this machine and a port that the daemon's user may "
                     "bind"));
}

void doctor_named_ports(const struct doctor_named *n)
{
    const struct value *providers = value_get(n->daemon, S("providers"));

    for (size_t i = 0; i < value_count(providers); i++) {
        const struct value_entry *e = &providers->u.map.entries[i];
        struct str http = value_get_text(e->value, S("http"), S(""));

        if (http.n)
            look_at_port(n, e->key, http);
    }
}

/* A forge that nobody hears is told so by nobody. */
void doctor_named_hooks(const struct doctor_named *n)
{
    const struct value *daemon = n->daemon, *sources = value_get(daemon, S("sources"));
    int is_heard = value_get(daemon, S("listen_hooks")) || value_get(daemon, S("listen"));

    for (size_t i = 0; i < value_count(sources); i++) {
        const struct value_entry *e = &sources->u.map.entries[i];
        struct str type = value_get_text(value_get(e->value, S("webhook")), S("type"), S(""));

        if (type.n && !is_heard)
            tell(n, FINDING_WARN,
                 str_fmt(n->arena, "source '%.*s' has a webhook, and nothing listens",
                         STR_ARG(e->key)),
                 S("give 'listen_hooks' an address; until then it is polled"));
        else if (str_eq_c(type, "gitlab") && !value_get(daemon, S("tls")))
            tell(n, FINDING_WARN,
                 str_fmt(n->arena,
                         "source '%.*s' has a webhook of GitLab, whose token is "
                         "refused without TLS",
                         STR_ARG(e->key)),
                 S("give the daemon 'tls'; until then it is polled"));
    }
}

/* --- what is kept elsewhere ---------------------------------------------------------------------- */

static void look_at_copies(const struct doctor_named *n)
{
    struct str dir = value_get_text(value_get(value_get(n->daemon, S("state")), S("backup")),
                                    S("directory"), STR_NONE);

    if (dir.p)
        tell(n, FINDING_GOOD,
             str_fmt(n->arena, "copies of the database go to '%.*s'", STR_ARG(dir)), S(""));
    else
        tell(n, FINDING_WARN, S("no copies of the database are made"),
             S("state: {backup: {directory: PATH}}, on another disk"));
}

static void look_at_anchors(const struct doctor_named *n)
{
    const struct value *places = value_get(n->daemon, S("anchors"));
    struct arena *a = n->arena;

    for (size_t i = 0; i < value_count(places); i++)
        tell(n, FINDING_GOOD,
             str_fmt(a, "the head of the history is brought to '%.*s'",
                     STR_ARG(anchor_place_name(a, value_item(places, i)))),
             S(""));
    if (!value_count(places))
        tell(n, FINDING_WARN,
             S("the head of the history is nowhere but here: who has this machine can rewrite it"),
             S("anchors: [{type: git, url: URL}], a repository of another machine"));
}

void doctor_named_copies(const struct doctor_named *n)
{
    look_at_copies(n);
    look_at_anchors(n);
}
