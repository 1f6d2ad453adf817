/*
 * test_engine_git_server: real servers of repositories on loopback, each stopped by its pid. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "tests/support/test_ports.h"
#include "tests/support/tiny_http.h"

#include "test_engine_git.h"

#define SERVER_READY_MS 20000

/* A server that never answers. */
static inline int server_mute(int *ret_port)
{
    uint16_t port;
    int fd = tiny_http_listen(0, &port);

    assert_true(fd >= 0);
    *ret_port = port;
    return fd;
}

static inline int server_free_port(void)
{
    int port = test_ports(1);

    assert_true(port);
    return port;
}

static inline int server_answers(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = connect(fd, (struct sockaddr *)&at, sizeof(at));

    (void)close(fd);
    return rc == 0;
}

/* Start `argv` and wait until it takes connections on `port`. Its words go to `log` in the bench. */
static inline pid_t server_start(struct bench *b, const char *const *argv, int port,
                                 const char *log)
{
    int64_t until_ms = sys_mono_ms() + SERVER_READY_MS;
    const char *path = bench_path(b, log);
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);

        (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* a test that dies leaves no server */
        (void)dup2(fd, 1);
        (void)dup2(fd, 2);
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    while (!server_answers(port)) {
        if (waitpid(pid, NULL, WNOHANG) == pid || sys_mono_ms() > until_ms)
            fail_msg("%s does not start, see %s", argv[0], path);
        (void)poll(NULL, 0, 10); /* between two looks */
    }
    return pid;
}

static inline void server_stop(pid_t pid)
{
    if (pid > 0) {
        (void)kill(pid, SIGTERM);
        (void)waitpid(pid, NULL, 0);
    }
}

/* 1 when every program is there; else says which is not. */
static inline int server_has(const char *const *programs)
{
    for (; *programs; programs++) {
        if (access(*programs, X_OK)) {
            print_message("skipped: %s is not installed\n", *programs);
            return 0;
        }
    }
    return 1;
}
