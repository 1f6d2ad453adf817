/* A signature over a plan's id, checked by ssh-keygen. SPDX-License-Identifier: Apache-2.0
 *
 * Its files lie in a private directory of the state's for as long as it runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/core/people.h"
#include "reconciler/engine/approvals.h"
#include "reconciler/engine/command_write.h"

#define SSH_KEYGEN "/usr/bin/ssh-keygen"
#define SIGN_TIMEOUT_MS 10000
#define SIGN_SAID_MAX 1024
#define SIGN_MEMORY_BYTES ((int64_t)256 << 20)

static const char *file_of(struct command_call *c, const struct command_found *f, const char *name)
{
    return str_fmt(&c->arena, "%s/%s", f->sign.dir, name).p;
}

static const char *all_directories(const struct engine *e, struct arena *a)
{
    return str_fmt(a, "%.*s/sign", STR_ARG(e->state_dir)).p;
}

int command_sign_tidy(struct engine *e, struct err *err)
{
    AUTO_ARENA struct arena a;

    arena_init(&a, 0);
    return sys_remove_all(all_directories(e, &a), err);
}

static int make_directory(struct command_call *c, struct command_found *f, struct err *err)
{
    const char *all = all_directories(c->engine, &c->arena);
    char path[sizeof(f->sign.dir)];
    int n = snprintf(path, sizeof(path), "%s/XXXXXX", all);

    if (n < 0 || (size_t)n >= sizeof(path))
        return err_set(err, ERR_LIMIT, "the path of the state's directory is too long");
    if (sys_mkdir_all(all, 0700, err))
        return err->code;
    if (!mkdtemp(path))
        return err_sys(err, "make '%s'", path);
    memcpy(f->sign.dir, path, sizeof(path));
    return 0;
}

int command_sign_write(struct command_call *c, struct command_found *f, struct err *err)
{
    struct str person = approvals_person(c->engine, c->in.actor), signers;
    int rc;

    if (c->in.plan.n != 2 * DIGEST_BYTES)
        return err_set(err, ERR_USAGE, "a signed approval names the whole id of the plan");
    signers = people_signers(&c->arena, approvals_people(c->engine), person);
    if (!signers.n)
        return err_set(err, ERR_REFUSED, "auth.people has no key of %.*s", STR_ARG(person));
    rc = make_directory(c, f, err);
    if (!rc)
        rc = sys_write_file(file_of(c, f, "signers"), 0600, signers, err);
    return rc ? rc : sys_write_file(file_of(c, f, "signature"), 0600, c->in.signature, err);
}

void command_sign_start(struct command_call *c, struct command_found *f)
{
    static const char *const no_env[] = { NULL };
    const char *const argv[] = { SSH_KEYGEN,
                                 "-Y",
                                 "verify",
                                 "-n",
                                 PEOPLE_SIGN_NAMESPACE,
                                 "-I",
                                 str_to_c(&c->arena, approvals_person(c->engine, c->in.actor)),
                                 "-f",
                                 file_of(c, f, "signers"),
                                 "-s",
                                 file_of(c, f, "signature"),
                                 NULL };

    memcpy(f->sign.argv, argv, sizeof(argv));
    f->sign.exec = (struct exec_request){ .argv = f->sign.argv,
                                          .env = no_env,
                                          .input = c->in.plan,
                                          .out_max = SIGN_SAID_MAX,
                                          .err_max = SIGN_SAID_MAX,
                                          .timeout_ms = SIGN_TIMEOUT_MS,
                                          .rlimit_as = SIGN_MEMORY_BYTES,
                                          .rlimit_cpu_s = SIGN_TIMEOUT_MS / 1000 };
    wait_exec_start(&c->task, &f->sign.exec, &c->arena, &f->sign.result);
}

int command_sign_judge(struct command_call *c, struct command_found *f, struct err *err)
{
    const struct exec_result *result = &f->sign.result;
    struct err unused = ERR_INIT;

    if (f->sign.dir[0])
        (void)sys_remove_all(f->sign.dir, &unused); /* it holds nothing that is secret */
    if (c->task.rc) {
        *err = c->task.err;
        return c->task.rc;
    }
    if (!result->status && !result->signal)
        return 0;
    return err_set(err, ERR_REFUSED, "the signature is not by a key of %.*s over plan %.12s: %.*s",
                   STR_ARG(approvals_person(c->engine, c->in.actor)), c->in.plan.p,
                   STR_ARG(str_trim(result->err_tail)));
}
