/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_net.h"

#include <errno.h>
#include <string.h>

#include "base/sys.h"
#include "reconciler/engine/git_cage.h"
#include "reconciler/engine/git_https.h"
#include "reconciler/engine/git_ssh.h"

#define NET_TIMEOUT_MS 60000
#define NET_CONNECT_MS 10000
#define NET_LOW_SPEED_MS 30000
#define NET_BYTES_MAX ((int64_t)5 << 30)

static int net_read_text(struct arena *a, const struct value *map, const char *name,
                         const char *otherwise, const char **ret, struct err *err)
{
    struct str text = value_get_text(map, str_from_c(name), STR_NONE);

    if (text.p && memchr(text.p, '\0', text.n))
        return err_set(err, ERR_USAGE, "'%s' contains a NUL byte", name);
    *ret = text.p ? str_to_c(a, text) : otherwise;
    return arena_status(a, err);
}

int git_net_read(struct arena *a, const struct value *in, struct git_net *ret, struct err *err)
{
    const struct value *credentials = value_get(in, S("credentials"));
    struct str url = value_get_text(in, S("url"), STR_NONE);
    int rc = url.n && !memchr(url.p, '\0', url.n)
                 ? git_url_parse(a, url, &ret->url, err)
                 : err_set(err, ERR_USAGE, "the request lacks 'url'");

    if (!rc)
        rc = net_read_text(a, credentials, "username", "x-access-token", &ret->username, err);
    if (!rc)
        rc = net_read_text(a, credentials, "password", NULL, &ret->password, err);
    if (!rc)
        rc = net_read_text(a, in, "ca_file", NULL, &ret->ca_file, err);
    if (!rc)
        rc = net_read_text(a, in, "known_hosts", NULL, &ret->known_hosts, err);
    if (!rc)
        rc = net_read_text(a, in, "key_file", NULL, &ret->key_file, err);
    if (!rc)
        rc = net_read_text(a, in, "ssh", "/usr/bin/ssh", &ret->ssh, err);
    ret->deadline_ms = sys_mono_ms() + value_get_int(in, S("timeout_ms"), NET_TIMEOUT_MS);
    ret->connect_timeout_ms = value_get_int(in, S("connect_timeout_ms"), NET_CONNECT_MS);
    ret->low_speed_bytes = value_get_int(in, S("low_speed_bytes"), 1);
    ret->low_speed_ms = value_get_int(in, S("low_speed_ms"), NET_LOW_SPEED_MS);
    ret->max_bytes = value_get_int(in, S("max_bytes"), NET_BYTES_MAX);
    return rc;
}

static int net_over_limit(const struct git_net *net, struct err *err)
{
    return err_set(err, ERR_LIMIT, "the mirror would be over its limit of %lld bytes",
                   (long long)net->max_bytes);
}

int git_net_fail(struct git_net *net, const char *what, struct err *err)
{
    const git_error *last = git_error_last();
    int is_system = last && last->klass == GIT_ERROR_OS;

    if (net->err.code) {
        *err = net->err;
        return err_wrap(err, "%s", what);
    }
    if (is_system && strstr(last->message, strerror(EFBIG))) {
        (void)net_over_limit(net, err); /* the code is in err */
        return err_wrap(err, "%s", what);
    }
    if (is_system && strstr(last->message, strerror(ENOSPC)))
        return git_mirror_fail(err, ERR_FULL, "%s", what);
    if (last && last->klass == GIT_ERROR_NOMEMORY)
        return git_mirror_fail(err, ERR_NOMEM, "%s", what);
    return git_mirror_fail(err, ERR_UNREACHABLE, "%s", what);
}

int git_net_on_progress(const git_indexer_progress *stats, void *ctx)
{
    struct git_net *net = ctx;

    if (sys_mono_ms() >= net->deadline_ms)
        return err_set(&net->err, ERR_TIMEOUT, "not complete before the deadline");
    if ((int64_t)stats->received_bytes > net->max_bytes - net->mirror_bytes)
        return net_over_limit(net, &net->err);
    return 0;
}

static int net_open(struct git_net *net, git_repository *repo, git_direction direction,
                    git_remote **ret, struct err *err)
{
    git_remote_create_options create = { .version = GIT_REMOTE_CREATE_OPTIONS_VERSION };
    git_remote_connect_options connect;

    (void)git_remote_connect_options_init(&connect, GIT_REMOTE_CONNECT_OPTIONS_VERSION); /* known */
    create.repository = repo;
    create.flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC;
    connect.callbacks.transfer_progress = git_net_on_progress;
    connect.callbacks.payload = net;
    connect.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
    if (git_remote_create_with_opts(ret, net->url.whole.p, &create) < 0 ||
        git_remote_connect_ext(*ret, direction, &connect) < 0)
        return git_net_fail(net, "connect", err);
    return 0;
}

int git_net_connect(struct git_net *net, const char *mirror, git_repository *repo,
                    git_direction direction, git_remote **ret, struct err *err)
{
    int rc = 0;

    if (net->url.scheme == GIT_URL_HTTPS)
        rc = git_https_register(net, err);
    if (net->url.scheme == GIT_URL_SSH)
        rc = git_ssh_register(net, err);
    if (!rc)
        rc = git_mirror_tidy(mirror, err);
    if (!rc)
        rc = git_mirror_size(mirror, &net->mirror_bytes, err);
    if (!rc)
        rc = git_mirror_limit_files(net->max_bytes, err);
    if (!rc && net->url.scheme != GIT_URL_SSH) /* that closes it when its program runs */
        rc = git_cage_close(GIT_CAGE_SHUT, err);
    return rc ? rc : net_open(net, repo, direction, ret, err);
}
