/* What tests of the edge under load share. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "specs/json_io.h"
#include "tests/unit/test_driver_haproxy_given.h"

static const struct tiny_http closes_idle = { .idle_ms = 50, .health_fail_ms = -1 };

struct load {
    pid_t pid;
    int out;
};

static inline void given_load(struct test_edge *e, const char *host, const char *post_percent,
                              struct load *ret)
{
    char path[4096], target[32];
    int out[2];

    (void)snprintf(path, sizeof(path), "%.*s/tests/e2e/load", /* fits */
                   (int)(strrchr(e->keeper, '/') - e->keeper), e->keeper);
    (void)snprintf(target, sizeof(target), "127.0.0.1:%u", e->http); /* fits */
    assert_int_equal(access(path, X_OK), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    ret->pid = fork();
    assert_true(ret->pid >= 0);
    if (!ret->pid) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* else it outlives a test that crashed */
        (void)dup2(out[1], 1);
        (void)execl(path, path, "--target", target, "--host", host, "--new", "2", "--kept", "3",
                    "--slow", "2", "--slow-path", "/slow?ms=1500", "--post", post_percent,
                    (char *)NULL);
        _exit(127);
    }
    (void)close(out[1]); /* the child's */
    ret->out = out[0];
}

/* What it counted, after it has ended its requests. */
static inline const struct value *when_load_ends(struct load *load, struct arena *a)
{
    struct value *v = NULL;
    struct err err = ERR_INIT;
    char text[8192];
    size_t n = 0;

    assert_int_equal(kill(load->pid, SIGTERM), 0);
    for (ssize_t got; (got = read(load->out, text + n, sizeof(text) - n)) > 0;)
        n += (size_t)got;
    (void)close(load->out); /* read to its end */
    assert_int_equal(waitpid(load->pid, NULL, 0), load->pid);
    assert_int_equal(json_parse(a, str_trim((struct str){ text, n }), sizeof(text), &v, &err), 0);
    (void)printf("    load: %.*s\n", (int)str_trim((struct str){ text, n }).n, text);
    return v;
}

static inline void expect_nothing_lost(const struct value *counts)
{
    assert_int_equal(value_get_int(counts, S("lost"), -1), 0);
    assert_int_equal(value_get_int(counts, S("unrouted"), -1), 0);
    assert_int_equal(value_get_int(counts, S("ok"), -1), value_get_int(counts, S("sent"), -2));
    assert_true(value_get_int(counts, S("sent"), 0) > 500);
}
