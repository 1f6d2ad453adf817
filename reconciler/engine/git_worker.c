/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/guard.h"
#include "reconciler/engine/git_cage.h"
#include "reconciler/engine/git_op.h"
#include "specs/json_io.h"

typedef int git_worker_fn(struct git_op *op, struct err *err);

static const struct git_worker_row {
    struct str op;
    git_worker_fn *fn;
    int has_net; /* until a stranger speaks; git_net.c closes the cage */
} git_worker_rows[] = {
    { S_INIT("fetch"), git_op_fetch, 1 },
    { S_INIT("read"), git_op_read, 0 },
    { S_INIT("ancestry"), git_op_ancestry, 0 },
    { S_INIT("log"), git_op_log, 0 },
    { S_INIT("export"), git_op_export, 0 },
    { S_INIT("blob"), git_op_blob, 0 },
    { S_INIT("bundle"), git_op_bundle, 0 },
    { S_INIT("resolve"), git_op_resolve, 0 },
    { S_INIT("anchor_read"), git_op_anchor_read, 1 },
    { S_INIT("anchor_push"), git_op_anchor_push, 1 },
};

/* Nothing of us lands in a core file or can be traced, we die with the daemon, and a closed pipe is an
 * error like any other. */
static int git_worker_harden(struct err *err)
{
    static const struct rlimit no_core = { 0, 0 };

    (void)umask(022);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || setrlimit(RLIMIT_CORE, &no_core) ||
        signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return err_sys(err, "give up rights");
    return 0;
}

static int git_worker_read(struct arena *a, int fd, struct str *ret, struct err *err)
{
    size_t n = 0, cap = 64 << 10;
    char *p = arena_alloc(a, cap);

    for (;;) {
        ssize_t got;

        if (p && n == cap) {
            p = arena_grow(a, p, cap, cap * 2);
            cap *= 2;
        }
        if (!p)
            return arena_status(a, err);
        got = read(fd, p + n, cap - n);
        if (got < 0 && errno != EINTR)
            return err_sys(err, "read the request");
        if (!got)
            break;
        n += got > 0 ? (size_t)got : 0;
        if (n > GIT_WORKER_REQUEST_MAX)
            return err_set(err, ERR_LIMIT, "the request has more than %zu bytes",
                           GIT_WORKER_REQUEST_MAX);
    }
    *ret = (struct str){ p, n };
    return 0;
}

static int git_worker_answer(struct arena *a, int in_fd, struct value *out, struct err *err)
{
    struct git_op op = { .a = a, .out = out };
    struct value *request = NULL;
    struct str text, name;
    int rc = git_worker_harden(err);

    if (!rc)
        rc = git_worker_read(a, in_fd, &text, err);
    if (!rc)
        rc = json_parse(a, text, GIT_WORKER_REQUEST_MAX, &request, err);
    if (!rc)
        rc = git_mirror_setup(err);
    if (rc)
        return rc;
    op.in = request;
    name = value_get_text(request, S("op"), S(""));
    for (size_t i = 0; i < N_ELEMENTS(git_worker_rows); i++) {
        if (!str_eq(git_worker_rows[i].op, name))
            continue;
        rc = git_worker_rows[i].has_net ? 0 : git_cage_close(GIT_CAGE_SHUT, err);
        return rc ? rc : git_worker_rows[i].fn(&op, err);
    }
    return err_set(err, ERR_USAGE, "the worker knows no '%.*s'", STR_ARG(name));
}

static struct str git_worker_error(struct arena *a, const struct err *err)
{
    struct value *out = value_map(a), *error = value_map(a);

    value_set_text(a, error, S("code"), str_from_c(err_name(err->code)));
    value_set_text(a, error, S("text"), str_from_c(err->text));
    value_set(a, out, S("error"), error);
    return json_format(a, out);
}

static int git_worker_write(int fd, struct str text)
{
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);

        if (n < 0 && errno != EINTR)
            return 1;
        if (n > 0)
            text = str_slice(text, (size_t)n, text.n);
    }
    return 0;
}

int git_worker_main(int in_fd, int out_fd)
{
    AUTO_ARENA struct arena a, spare;
    struct err err = ERR_INIT;
    struct value *out;
    struct str text = S("");
    int rc;

    arena_init(&a, 0);
    arena_init(&spare, 0);
    out = value_map(&a);
    rc = git_worker_answer(&a, in_fd, out, &err);
    if (!rc)
        rc = arena_status(&a, &err);
    if (!rc) {
        text = json_format(&a, out);
        rc = arena_status(&a, &err);
    }
    if (!rc && text.n > GIT_WORKER_ANSWER_MAX)
        rc = err_set(&err, ERR_LIMIT, "the answer has %zu bytes", text.n);
    if (rc)
        text = git_worker_error(&spare, &err);
    return text.n ? git_worker_write(out_fd, text) : 1;
}
