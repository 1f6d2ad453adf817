/*
 * test_engine_git: repositories made by git itself, and the worker asked in a child. SPDX-License-Identifier: Apache-2.0
 *
 * A struct bench is one directory under /tmp; everything of a test lies in it and goes with it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "reconciler/engine/git_worker.h"
#include "specs/json_io.h"

#define GIT                                                                                        \
    "env -i PATH=/usr/bin:/bin HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 "                           \
    "GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@acme.dev GIT_COMMITTER_NAME=Bob "                    \
    "GIT_COMMITTER_EMAIL=bob@acme.dev git -c init.defaultBranch=main "

struct bench {
    char dir[32];
    struct arena a;
};

static inline struct bench *bench_open(void)
{
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    (void)snprintf(b->dir, sizeof(b->dir), "/tmp/rgXXXXXX");
    assert_non_null(mkdtemp(b->dir));
    arena_init(&b->a, 0);
    return b;
}

static inline void bench_close(struct bench *b)
{
    struct err err = ERR_INIT;

    assert_int_equal(sys_remove_all(b->dir, &err), 0);
    arena_fini(&b->a);
    free(b);
}

static inline const char *bench_path(struct bench *b, const char *name)
{
    return str_fmt(&b->a, "%s/%s", b->dir, name).p;
}

/* Run a shell command in the bench's directory, which must succeed; its first line. */
static inline const char *bench_run(struct bench *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static inline const char *bench_run(struct bench *b, const char *fmt, ...)
{
    char command[8192], line[4096] = "";
    struct str shell;
    va_list ap;
    FILE *f;

    va_start(ap, fmt);
    (void)vsnprintf(command, sizeof(command), fmt, ap);
    va_end(ap);
    shell = str_fmt(&b->a, "cd %s && { %s; } 2>%s/stderr", b->dir, command, b->dir);
    f = popen(shell.p, "r");
    assert_non_null(f);
    if (!fgets(line, sizeof(line), f))
        line[0] = '\0';
    while (fgetc(f) != EOF)
        ;
    if (pclose(f))
        fail_msg("failed: %s", command);
    line[strcspn(line, "\n")] = '\0';
    return str_to_c(&b->a, str_from_c(line));
}

static inline void bench_write(struct bench *b, const char *name, struct str bytes)
{
    struct err err = ERR_INIT;

    assert_int_equal(sys_write_file(bench_path(b, name), 0644, bytes, &err), 0);
}

/* A work tree `src` on branch main with one commit, which is answered. */
static inline const char *given_repository(struct bench *b)
{
    bench_run(b, GIT "init -q src && mkdir -p src/.reeve/env src/apps/api");
    bench_write(b, "src/.reeve/app.yaml", S("kind: Application\nname: \"\xc3\xa4\"\n"));
    bench_write(b, "src/.reeve/env/dev.yml", S("kind: Environment\n"));
    bench_write(b, "src/.reeve/README.md", S("not a spec\n"));
    bench_write(b, "src/apps/api/main.py", S("print(1)\n"));
    bench_write(b, "src/run.sh", S("#!/bin/sh\n"));
    bench_run(b, "chmod 755 src/run.sh && " GIT "-C src add . && " GIT
                 "-C src commit -qm 'first words'");
    return bench_run(b, GIT "-C src rev-parse HEAD");
}

static inline const char *given_commit(struct bench *b, const char *name, struct str bytes)
{
    bench_write(b, str_fmt(&b->a, "src/%s", name).p, bytes);
    bench_run(b, GIT "-C src add . && " GIT "-C src commit -qm next");
    return bench_run(b, GIT "-C src rev-parse HEAD");
}

static inline void worker_child(const int *in, const int *out)
{
    (void)close(in[1]);
    (void)close(out[0]);
    _exit(git_worker_main(in[0], out[1]));
}

/* Ask the worker in a child; NULL when it died without an answer. */
static inline const struct value *ask_text(struct bench *b, struct str request)
{
    struct value *answer = NULL;
    struct err err = ERR_INIT;
    int in[2], out[2], status;
    struct sb text;
    char buffer[65536];
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (!pid)
        worker_child(in, out);
    (void)close(in[0]);
    (void)close(out[1]);
    assert_int_equal(write(in[1], request.p, request.n), (ssize_t)request.n);
    (void)close(in[1]);
    sb_init(&text, &b->a);
    while ((n = read(out[0], buffer, sizeof(buffer))) > 0)
        sb_add(&text, (struct str){ buffer, (size_t)n });
    (void)close(out[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return NULL;
    if (json_parse(&b->a, sb_str(&text), GIT_WORKER_ANSWER_MAX, &answer, &err))
        fail_msg("the answer is no JSON: %s", err.text);
    return answer;
}

/* `fmt` gives JSON with ' for ". */
static inline const struct value *ask(struct bench *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static inline const struct value *ask(struct bench *b, const char *fmt, ...)
{
    char request[16384];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(request, sizeof(request), fmt, ap);
    va_end(ap);
    for (char *p = request; *p; p++)
        if (*p == '\'')
            *p = '"';
    return ask_text(b, str_from_c(request));
}

static inline void expect_ok(const struct value *answer)
{
    const struct value *error = value_get(answer, S("error"));

    assert_non_null(answer);
    if (error)
        fail_msg("%.*s", STR_ARG(value_get_text(error, S("text"), S("?"))));
}

static inline void expect_error(const struct value *answer, const char *code, const char *text)
{
    struct str got_code = value_get_text(value_get(answer, S("error")), S("code"), S("none"));
    struct str got = value_get_text(value_get(answer, S("error")), S("text"), S(""));

    if (!str_eq_c(got_code, code) || str_find(got, str_from_c(text)) == STR_NPOS)
        fail_msg("wanted %s '%s', got %.*s '%.*s'", code, text, STR_ARG(got_code), STR_ARG(got));
}

static inline void expect_text(const struct value *answer, const char *path, const char *wanted)
{
    const struct value *v = value_at(answer, str_from_c(path));

    if (!value_is(v, VALUE_TEXT) || !str_eq_c(v->u.text, wanted))
        fail_msg("%s: wanted '%s', got '%.*s'", path, wanted,
                 STR_ARG(value_is(v, VALUE_TEXT) ? v->u.text : S("no text")));
}
