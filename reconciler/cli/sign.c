/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "reconciler/core/people.h"

#define SIGNATURE_MAX 16384

extern char **environ;

/* Its standard input and output are ours; it speaks with the person through the terminal. */
static int start_keygen(struct arena *a, const char *key, int in_fd, int out_fd, pid_t *ret,
                        struct err *err)
{
    char program[] = "ssh-keygen", y[] = "-Y", sign[] = "sign", n[] = "-n", f[] = "-f";
    char scope[] = PEOPLE_SIGN_NAMESPACE;
    char *argv[] = { program, y, sign, n, scope, f, str_to_c(a, str_from_c(key)), NULL };
    posix_spawn_file_actions_t actions;
    int rc = posix_spawn_file_actions_init(&actions);

    if (!rc) {
        rc = posix_spawn_file_actions_adddup2(&actions, in_fd, STDIN_FILENO);
        if (!rc)
            rc = posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
        if (!rc)
            rc = posix_spawnp(ret, program, &actions, NULL, argv, environ);
        (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
    }
    return rc ? err_set(err, ERR_IO, "start ssh-keygen: %s", strerror(rc)) : 0;
}

static int read_signature(struct arena *a, int fd, struct str *ret, struct err *err)
{
    char buffer[SIGNATURE_MAX];
    size_t n = 0;
    ssize_t got;

    do {
        got = read(fd, buffer + n, sizeof(buffer) - n);
        n += got > 0 ? (size_t)got : 0;
    } while ((got > 0 && n < sizeof(buffer)) || (got < 0 && errno == EINTR));
    *ret = str_copy(a, (struct str){ buffer, n });
    return got < 0 ? err_sys(err, "read from ssh-keygen") : arena_status(a, err);
}

static int wait_keygen(pid_t pid, const char *key, struct err *err)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(err, "wait for ssh-keygen");
    if (WIFEXITED(status) && !WEXITSTATUS(status))
        return 0;
    return err_set(err, ERR_REFUSED, "ssh-keygen did not sign with '%s'", key);
}

/* The text is shorter than a pipe holds: it lies there before anybody reads. */
static int make_input(struct str text, int *ret_fd, struct err *err)
{
    int fds[2];
    ssize_t n;

    if (pipe2(fds, O_CLOEXEC))
        return err_sys(err, "pipe");
    n = write(fds[1], text.p, text.n);
    guard_close(&fds[1]);
    *ret_fd = fds[0];
    return n == (ssize_t)text.n ? 0 : err_sys(err, "write to a pipe");
}

int sign_text(struct arena *a, const char *key, struct str text, struct str *ret, struct err *err)
{
    AUTO_CLOSE int in = -1, out_read = -1, out_write = -1;
    int out[2], rc = make_input(text, &in, err), ended;
    pid_t pid;

    if (rc)
        return rc;
    if (pipe2(out, O_CLOEXEC))
        return err_sys(err, "pipe");
    out_read = out[0];
    out_write = out[1];
    rc = start_keygen(a, key, in, out_write, &pid, err);
    guard_close(&out_write);
    if (rc)
        return rc;
    rc = read_signature(a, out_read, ret, err);
    ended = wait_keygen(pid, key, err);
    return rc ? rc : ended;
}
