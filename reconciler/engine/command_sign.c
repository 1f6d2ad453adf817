/* A signature over a plan's id or a bundle, checked by ssh-keygen. SPDX-License-Identifier: Apache-2.0 */
#include "base/sys.h"
#include "reconciler/core/people.h"
#include "reconciler/engine/approvals.h"
#include "reconciler/engine/command_write.h"

/* What is signed: a plan's id, or a bundle. */
static const char *scope_of(const struct command_call *c)
{
    return c->in.verb == COMMAND_BUNDLE ? PEOPLE_BUNDLE_NAMESPACE : PEOPLE_SIGN_NAMESPACE;
}

int command_sign_write(struct command_call *c, struct command_found *f, struct err *err)
{
    struct str person = approvals_person(c->engine, c->in.actor), signers;
    struct arena *a = &c->arena;
    int rc;

    if (c->in.verb != COMMAND_BUNDLE && c->in.plan.n != 2 * DIGEST_BYTES)
        return err_set(err, ERR_USAGE, "a signed approval names the whole id of the plan");
    signers = people_signers(a, approvals_people(c->engine), person, scope_of(c));
    if (!signers.n)
        return err_set(err, ERR_REFUSED, "auth.people has no key of %.*s", STR_ARG(person));
    rc = sign_files_make(&f->sign, c->engine, a, err);
    if (!rc)
        rc = sys_write_file(sign_files_path(&f->sign, a, "signers"), 0600, signers, err);
    return rc ? rc
              : sys_write_file(sign_files_path(&f->sign, a, "signature"), 0600, c->in.signature,
                               err);
}

void command_sign_start(struct command_call *c, struct command_found *f, struct str text)
{
    struct arena *a = &c->arena;
    const char *const argv[] = { SIGN_SSH_KEYGEN,
                                 "-Y",
                                 "verify",
                                 "-n",
                                 scope_of(c),
                                 "-I",
                                 str_to_c(a, approvals_person(c->engine, c->in.actor)),
                                 "-f",
                                 sign_files_path(&f->sign, a, "signers"),
                                 "-s",
                                 sign_files_path(&f->sign, a, "signature"),
                                 NULL };

    sign_files_start(&f->sign, &c->task, a, argv, text);
}

void command_sign_end(struct command_found *f)
{
    sign_files_remove(&f->sign);
}

int command_sign_judge(struct command_call *c, struct command_found *f, struct err *err)
{
    const struct exec_result *result = &f->sign.result;

    if (c->task.rc) {
        *err = c->task.err;
        return c->task.rc;
    }
    if (!result->status && !result->signal)
        return 0;
    return err_set(err, ERR_REFUSED, "the signature is not by a key of %.*s over %s %.12s: %.*s",
                   STR_ARG(approvals_person(c->engine, c->in.actor)),
                   c->in.verb == COMMAND_BUNDLE ? "the" : "plan",
                   c->in.verb == COMMAND_BUNDLE ? "bundle" : c->in.plan.p,
                   STR_ARG(str_trim(result->err_tail)));
}
