/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <git2/sys/transport.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/git_cage.h"

#define SSH_SAID_MAX 256
#define SSH_GRACE_MS 1000 /* for a child that has closed its output */
#define SSH_LAST_READS 32 /* more than a pipe holds */
#define SSH_ARGS_MAX 48

struct ssh_stream {
    git_smart_subtransport_stream parent;
    struct ssh_transport *t;
};

struct ssh_transport {
    git_smart_subtransport parent;
    struct git_net *net;
    struct ssh_stream *stream;
    pid_t pid;       /* 0: none */
    int fd, said_fd; /* its input and output; its standard error */
    int status;
    int is_listing;
    int64_t n_received;
    char said[SSH_SAID_MAX];
    size_t n_said;
};

static int ssh_fail(struct ssh_transport *t)
{
    (void)git_error_set_str(GIT_ERROR_SSH, t->net->err.text); /* a lost copy of a kept text */
    return -1;
}

static void ssh_note(struct ssh_transport *t, char c)
{
    if (t->n_said + 1 == sizeof(t->said))
        memmove(t->said, t->said + 1, --t->n_said);
    t->said[t->n_said++] = c >= 0x20 && c < 0x7f ? c : ' ';
    t->said[t->n_said] = '\0';
}

/* The reason stands at the end, behind warnings and advice. One read a call: the other side can talk
 * for ever. Returns whether there may be more. */
static int ssh_hear(struct ssh_transport *t)
{
    char buffer[4096];
    ssize_t n = t->said_fd >= 0 ? read(t->said_fd, buffer, sizeof(buffer)) : -1;

    for (ssize_t i = 0; i < n; i++)
        ssh_note(t, buffer[i]);
    if (!n)
        guard_close(&t->said_fd);
    return n > 0;
}

/* Wait for the child's end; it is killed when it does not come. */
static void ssh_reap(struct ssh_transport *t, int64_t grace_ms)
{
    int64_t until_ms = sys_mono_ms() + grace_ms;

    guard_close(&t->fd);
    while (t->pid > 0) {
        struct pollfd said = { .fd = t->said_fd, .events = POLLIN };
        pid_t gone = waitpid(t->pid, &t->status, WNOHANG);

        (void)ssh_hear(t); /* so that it does not wait for us */
        if (gone == t->pid || (gone < 0 && errno != EINTR)) {
            t->pid = 0;
        } else if (sys_mono_ms() >= until_ms) {
            (void)kill(t->pid, SIGKILL); /* waited for in the next turn */
            until_ms += SSH_GRACE_MS;
        }
        if (t->pid > 0)
            (void)poll(&said, 1, 10); /* a pause; waitpid judges */
    }
    for (int i = 0; i < SSH_LAST_READS && ssh_hear(t);)
        i++;
    guard_close(&t->said_fd);
    while (t->n_said && t->said[t->n_said - 1] == ' ')
        t->said[--t->n_said] = '\0';
}

/* The other side ended. Its exit status and words say whether that was an error. */
static int ssh_judge_end(struct ssh_transport *t)
{
    struct err *err = &t->net->err;
    int refused;

    ssh_reap(t, SSH_GRACE_MS);
    if (WIFEXITED(t->status) && WEXITSTATUS(t->status) == 0 && t->n_received)
        return 0;
    refused = strstr(t->said, "Permission denied") || strstr(t->said, "verification failed") ||
              strstr(t->said, "bad permissions");
    return err_set(err, refused ? ERR_REFUSED : ERR_UNREACHABLE, "ssh: %s",
                   t->said[0] ? t->said : "ended without a word");
}

/* Until `events` on the stream, while listening to what ssh says. */
static int ssh_wait(struct ssh_transport *t, short events)
{
    struct err *err = &t->net->err;
    int64_t idle_ms = sys_mono_ms() + t->net->low_speed_ms;

    for (;;) {
        struct pollfd fds[] = { { .fd = t->fd, .events = events },
                                { .fd = t->said_fd, .events = POLLIN } };
        int64_t now_ms = sys_mono_ms();
        int64_t until_ms = idle_ms < t->net->deadline_ms ? idle_ms : t->net->deadline_ms;
        int n;

        if (now_ms >= until_ms)
            return err_set(err, ERR_TIMEOUT, "ssh: no answer before the deadline%s%s",
                           t->said[0] ? ": " : "", t->said);
        n = poll(fds, 2, (int)(until_ms - now_ms > 1000 ? 1000 : until_ms - now_ms));
        if (n < 0 && errno != EINTR)
            return err_sys(err, "ssh: poll");
        if (n > 0 && fds[1].revents)
            (void)ssh_hear(t); /* poll says when there is more */
        if (n > 0 && fds[0].revents)
            return 0;
    }
}

static int ssh_count(struct ssh_transport *t, ssize_t n)
{
    t->n_received += n;
    if (t->is_listing && t->n_received > GIT_NET_LISTING_MAX)
        return err_set(&t->net->err, ERR_LIMIT, "the list of branches is over %lld bytes",
                       (long long)GIT_NET_LISTING_MAX);
    return 0;
}

static int ssh_read(git_smart_subtransport_stream *stream, char *buffer, size_t size,
                    size_t *bytes_read)
{
    struct ssh_transport *t = container_of(stream, struct ssh_stream, parent)->t;

    *bytes_read = 0;
    while (t->fd >= 0) {
        ssize_t n;

        if (ssh_wait(t, POLLIN))
            return ssh_fail(t);
        n = recv(t->fd, buffer, size, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return ssh_judge_end(t) ? ssh_fail(t) : 0;
        *bytes_read = (size_t)n;
        return ssh_count(t, n) ? ssh_fail(t) : 0;
    }
    return 0;
}

static int ssh_write(git_smart_subtransport_stream *stream, const char *buffer, size_t n)
{
    struct ssh_transport *t = container_of(stream, struct ssh_stream, parent)->t;

    while (n) {
        ssize_t sent;

        if (t->fd < 0 || ssh_wait(t, POLLOUT))
            return ssh_fail(t);
        sent = send(t->fd, buffer, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return ssh_judge_end(t) ? ssh_fail(t) : -1;
        if (sent > 0) {
            buffer += sent;
            n -= (size_t)sent;
        }
    }
    return 0;
}

struct ssh_args {
    const char *p[SSH_ARGS_MAX];
    size_t n;
};

static void ssh_arg(struct ssh_args *args, const char *one)
{
    PRE(args->n + 1 < SSH_ARGS_MAX);
    args->p[args->n++] = one;
}

static void ssh_option(struct ssh_args *args, const char *option)
{
    ssh_arg(args, "-o");
    ssh_arg(args, option);
}

/* Every word was checked by git_url_parse(): no quotes, no control characters, no leading '-'. */
static void ssh_argv(const struct git_net *net, const char *program, struct arena *a,
                     struct ssh_args *args)
{
    static const char *const options[] = {
        "BatchMode=yes",          "IdentitiesOnly=yes",    "IdentityAgent=none",
        "ControlMaster=no",       "ControlPath=none",      "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",      "PermitLocalCommand=no", "GlobalKnownHostsFile=/dev/null",
        "ServerAliveInterval=10",
    };
    const struct git_url *url = &net->url;
    /* "~name" stands for a home on the far side. */
    struct str path = str_starts(url->path, S("/~")) ? str_slice(url->path, 1, url->path.n)
                                                     : url->path;

    ssh_arg(args, net->ssh);
    ssh_arg(args, "-F");
    ssh_arg(args, "none");
    ssh_arg(args, "-T");
    ssh_arg(args, "-a");
    ssh_arg(args, "-x");
    for (size_t i = 0; i < N_ELEMENTS(options); i++)
        ssh_option(args, options[i]);
    ssh_option(args, str_fmt(a, "UserKnownHostsFile=\"%s\"", net->known_hosts).p);
    ssh_option(
        args,
        str_fmt(a, "ConnectTimeout=%lld", (long long)(net->connect_timeout_ms + 999) / 1000).p);
    ssh_arg(args, "-i");
    ssh_arg(args, net->key_file);
    if (url->port) {
        ssh_arg(args, "-p");
        ssh_arg(args, str_fmt(a, "%lld", (long long)url->port).p);
    }
    if (url->user.p) {
        ssh_arg(args, "-l");
        ssh_arg(args, str_to_c(a, url->user));
    }
    ssh_arg(args, "--");
    ssh_arg(args, str_to_c(a, url->host));
    ssh_arg(args, str_fmt(a, "%s '%.*s'", program, STR_ARG(path)).p);
    args->p[args->n] = NULL;
}

static int ssh_posix_spawn(struct ssh_transport *t, const struct ssh_args *args, int io_fd,
                           int said_fd)
{
    static char *const no_env[] = { NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t plain;
    int rc;

    (void)sigemptyset(&plain); /* these two cannot fail on a valid set */
    (void)sigaddset(&plain, SIGPIPE);
    (void)sigaddset(&plain, SIGXFSZ);
    (void)posix_spawnattr_init(&attr); /* glibc's never fail */
    (void)posix_spawnattr_setsigdefault(&attr, &plain);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    rc = posix_spawn_file_actions_init(&actions);
    if (!rc)
        rc = posix_spawn_file_actions_adddup2(&actions, io_fd, 0);
    if (!rc)
        rc = posix_spawn_file_actions_adddup2(&actions, io_fd, 1);
    if (!rc)
        rc = posix_spawn_file_actions_adddup2(&actions, said_fd, 2);
    if (!rc)
        rc = posix_spawn(&t->pid, t->net->ssh, &actions, &attr, (char *const *)(uintptr_t)args->p,
                         no_env);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attr);
    return rc;
}

/* ssh reaches its host and nothing of this machine; we reach ssh. */
static int ssh_spawn(struct ssh_transport *t, const char *program)
{
    struct err *err = &t->net->err;
    int io[2] = { -1, -1 }, said[2] = { -1, -1 }, rc;
    AUTO_ARENA struct arena a;
    struct ssh_args args = { .n = 0 };

    arena_init(&a, 0);
    ssh_argv(t->net, program, &a, &args);
    if (arena_status(&a, err) || git_cage_close(GIT_CAGE_HOSTS, err))
        return err->code;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, io) || pipe2(said, O_CLOEXEC) ||
        fcntl(said[0], F_SETFL, O_NONBLOCK)) {
        rc = err_sys(err, "ssh: a channel");
    } else {
        errno = ssh_posix_spawn(t, &args, io[1], said[1]);
        rc = errno ? err_sys(err, "start '%s'", t->net->ssh) : 0;
    }
    guard_close(&io[1]);
    guard_close(&said[1]);
    t->fd = TAKE_FD(io[0]);
    t->said_fd = TAKE_FD(said[0]);
    return rc ? rc : git_cage_close(GIT_CAGE_SHUT, err);
}

static void ssh_stream_free(git_smart_subtransport_stream *stream)
{
    struct ssh_stream *s = container_of(stream, struct ssh_stream, parent);

    s->t->stream = NULL;
    alloc_free(s);
}

static int ssh_action(git_smart_subtransport_stream **out, git_smart_subtransport *transport,
                      const char *url, git_smart_service_t service)
{
    struct ssh_transport *t = container_of(transport, struct ssh_transport, parent);
    int is_push = service == GIT_SERVICE_RECEIVEPACK_LS || service == GIT_SERVICE_RECEIVEPACK;

    (void)url; /* ours, checked */
    t->is_listing = service == GIT_SERVICE_UPLOADPACK_LS || service == GIT_SERVICE_RECEIVEPACK_LS;
    if (!t->is_listing && t->stream) {
        *out = &t->stream->parent; /* the same conversation goes on */
        return 0;
    }
    if (!t->is_listing || t->pid || ssh_spawn(t, is_push ? "git-receive-pack" : "git-upload-pack"))
        return ssh_fail(t);
    t->stream = alloc_zero(sizeof(*t->stream));
    if (!t->stream)
        return -1;
    t->stream->t = t;
    t->stream->parent = (git_smart_subtransport_stream){
        .subtransport = transport, .read = ssh_read, .write = ssh_write, .free = ssh_stream_free
    };
    *out = &t->stream->parent;
    return 0;
}

static int ssh_close(git_smart_subtransport *transport)
{
    struct ssh_transport *t = container_of(transport, struct ssh_transport, parent);

    ssh_reap(t, SSH_GRACE_MS);
    return 0;
}

static void ssh_free(git_smart_subtransport *transport)
{
    struct ssh_transport *t = container_of(transport, struct ssh_transport, parent);

    ssh_reap(t, 0);
    alloc_free(t);
}

static int ssh_new(git_smart_subtransport **out, git_transport *owner, void *param)
{
    struct ssh_transport *t = alloc_zero(sizeof(*t));

    (void)owner; /* credentials come from net */
    if (!t)
        return -1;
    t->net = param;
    t->fd = t->said_fd = -1;
    t->parent = (git_smart_subtransport){ .action = ssh_action,
                                          .close = ssh_close,
                                          .free = ssh_free };
    *out = &t->parent;
    return 0;
}

static int ssh_transport_new(git_transport **out, git_remote *owner, void *param)
{
    git_smart_subtransport_definition definition = { ssh_new, 0, param };

    return git_transport_smart(out, owner, &definition);
}

/* A path between the quotes of an option: no quote, no control character, no '%' that ssh expands. */
static int ssh_check_file(const char *what, const char *path, struct err *err)
{
    if (!path || path[0] != '/')
        return err_set(err, ERR_REFUSED, "an ssh:// source needs '%s', an absolute path", what);
    for (size_t i = 0; path[i]; i++)
        if (path[i] < 0x20 || path[i] == 0x7f || strchr("\"'\\%$", path[i]))
            return err_set(err, ERR_REFUSED, "'%s' has a character that ssh would expand", what);
    if (access(path, R_OK))
        return err_set(err, ERR_REFUSED, "'%s' cannot be read: '%s'", what, path);
    return 0;
}

int git_ssh_register(struct git_net *net, struct err *err)
{
    int rc = ssh_check_file("known_hosts", net->known_hosts, err);

    if (!rc)
        rc = ssh_check_file("key_file", net->key_file, err);
    if (rc)
        return rc;
    if (git_transport_register("ssh", ssh_transport_new, net) < 0)
        return err_set(err, ERR_IO, "libgit2 takes no transport for ssh");
    return 0;
}
