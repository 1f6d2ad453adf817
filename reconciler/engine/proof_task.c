/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/proof_task.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/source_task.h"

#define SIGNERS_MAX 20000u /* then what is known is found out again */
#define COMMIT_SHOWN 12

enum {
    PROOF_STAMP,
    PROOF_ASK,
    PROOF_PARSE,
    PROOF_NEXT,
    PROOF_WHO,
    PROOF_PROVE,
    PROOF_JUDGE,
    PROOF_FAILED,
    PROOF_SWEEP,
    PROOF_OVER,
};

/* clang-format off */
static const struct task_state proof_states[] = {
    /*                 name      successors                             on error       deadline_ms */
    [PROOF_STAMP]  = { "STAMP",  TO(PROOF_ASK),                         PROOF_FAILED,  0 },
    [PROOF_ASK]    = { "ASK",    TO2(PROOF_PARSE, PROOF_OVER),          PROOF_FAILED,  0 }, /* the worker's deadline */
    [PROOF_PARSE]  = { "PARSE",  TO(PROOF_NEXT),                        PROOF_FAILED,  0 },
    [PROOF_NEXT]   = { "NEXT",   TO2(PROOF_WHO, PROOF_SWEEP) | TO2(PROOF_FAILED, PROOF_ASK), PROOF_FAILED, 0 },
    [PROOF_WHO]    = { "WHO",    TO3(PROOF_PROVE, PROOF_JUDGE, PROOF_FAILED), PROOF_FAILED, 0 }, /* the program's deadline */
    [PROOF_PROVE]  = { "PROVE",  TO2(PROOF_JUDGE, PROOF_FAILED),        PROOF_FAILED,  0 },
    [PROOF_JUDGE]  = { "JUDGE",  TO2(PROOF_NEXT, PROOF_FAILED),         PROOF_FAILED,  0 },
    [PROOF_FAILED] = { "FAILED", TO(PROOF_SWEEP),                       NO_ERROR_EDGE, 0 },
    [PROOF_SWEEP]  = { "SWEEP",  TO(PROOF_OVER),                        PROOF_OVER,    0 },
    [PROOF_OVER]   = { "OVER",   0,                                     NO_ERROR_EDGE, 0 },
};
/* clang-format on */

static struct proof_task *proof_of(struct task *t)
{
    return container_of(t, struct proof_task, task);
}

/* --- what is known ------------------------------------------------------------------------------- */

void proof_signers_init(struct signers *s)
{
    *s = (struct signers){ 0 };
    arena_init(&s->arena, 0);
    map_init(&s->by_commit, &s->arena);
}

void proof_signers_fini(struct signers *s)
{
    arena_fini(&s->arena);
}

static void signers_renew(struct signers *s, const char *stamp)
{
    if (str_eq_c(str_from_c(s->stamp), stamp) && s->by_commit.n < SIGNERS_MAX)
        return;
    arena_reset(&s->arena);
    map_init(&s->by_commit, &s->arena);
    (void)snprintf(s->stamp, sizeof(s->stamp), "%s", stamp);
}

static void signers_put(struct signers *s, struct str commit, const struct signer *signer)
{
    struct signer *copy = arena_new(&s->arena, struct signer);

    if (!copy)
        return; /* it is found out again */
    copy->key = str_copy(&s->arena, signer->key);
    copy->name = str_copy(&s->arena, signer->name);
    map_put(&s->by_commit, str_copy(&s->arena, commit), copy);
}

static const struct value *verify_of(const struct proof_task *p)
{
    return value_get(p->source->config, S("verify"));
}

static struct str keys_of(const struct proof_task *p, const char *list)
{
    return value_get_text(verify_of(p), str_from_c(list), STR_NONE);
}

static int is_known(const struct proof_task *p)
{
    const struct proof *k = p->known;

    return str_eq_c(p->commit, k->commit) && str_eq_c(p->base, k->base) &&
           str_eq_c(p->asked->u.text, k->asked) && str_eq_c(str_from_c(p->stamp), k->stamp);
}

static void remember(struct proof_task *p, const struct err *refused)
{
    struct proof *k = p->known;

    (void)snprintf(k->commit, sizeof(k->commit), "%.*s", STR_ARG(p->commit));
    (void)snprintf(k->base, sizeof(k->base), "%.*s", STR_ARG(p->base));
    (void)snprintf(k->asked, sizeof(k->asked), "%.*s", STR_ARG(p->asked->u.text));
    (void)snprintf(k->stamp, sizeof(k->stamp), "%s", p->stamp);
    k->refused = *refused;
}

/* --- on FILE ------------------------------------------------------------------------------------- */

/* A list that was written again is another one, whatever it says. */
static int proof_stamp(struct task *t, struct err *err)
{
    static const char *const lists[] = { "allowed_signers", "keyring" };
    struct proof_task *p = proof_of(t);
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(lists); i++) {
        struct str path = keys_of(p, lists[i]);
        struct stat st = { 0 };

        if (path.p && stat(str_to_c(p->arena, path), &st))
            return err_sys(err, "verify.%s: '%.*s'", lists[i], STR_ARG(path));
        n += (size_t)snprintf(p->stamp + n, sizeof(p->stamp) - n, "%lld.%ld %lld %llu ",
                              (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                              (long long)st.st_size, (unsigned long long)st.st_ino);
        PRE(n < sizeof(p->stamp));
    }
    return arena_status(p->arena, err);
}

/* A list as long as it may be is not all of them. Where the one that was applied is not there, the newest
 * answers for those before it. */
static int proof_parse(struct task *t, struct err *err)
{
    struct proof_task *p = proof_of(t);

    if (p->source->source->ops->log_parse(p->arena, &p->call, &p->commits, err))
        return err->code;
    if (p->commits.list.n ? !str_eq(p->commits.list.p[0].id, p->commit) : !p->commits.has_from)
        return err_set(err, ERR_IO, "git: the worker's answer is about another commit");
    p->n = p->commits.has_from ? p->commits.list.n : p->commits.list.n > 0;
    if (p->commits.has_from && p->commits.truncated)
        return err_set(err, ERR_REFUSED,
                       "there are more than %d commits since the one that was applied, whose "
                       "signatures are asked for",
                       SOURCE_LOG_MAX);
    return 0;
}

static int proof_write(struct task *t, struct err *err)
{
    struct proof_task *p = proof_of(t);

    if (!p->run.dir[0] && sign_files_make(&p->run, p->engine, p->arena, err))
        return err->code;
    return sys_write_file(sign_files_path(&p->run, p->arena, "signature"), 0600,
                          p->commits.list.p[p->at].signature, err);
}

static int proof_sweep(struct task *t, struct err *err)
{
    (void)err;
    sign_files_remove(&proof_of(t)->run);
    return 0;
}

/* --- one commit ---------------------------------------------------------------------------------- */

static enum task_verdict refuse(struct proof_task *p, struct str why)
{
    struct value_place at = p->asked->place;

    (void)err_set(&p->task.err, ERR_REFUSED,
                  "commit %.*s is refused: %.*s (signatures: %.*s, at %.*s:%u:%u)", COMMIT_SHOWN,
                  p->commits.list.p[p->at].id.p, STR_ARG(why), STR_ARG(p->asked->u.text),
                  STR_ARG(value_file(at)), at.line, at.column);
    remember(p, &p->task.err);
    return task_goto(&p->task, PROOF_FAILED);
}

static struct str first_line(struct str text)
{
    struct str line;

    return str_next(&text, '\n', &line) ? str_trim(line) : S("");
}

static enum task_verdict start_ssh(struct proof_task *p, struct str name)
{
    struct arena *a = p->arena;
    const char *keys = str_to_c(a, keys_of(p, "allowed_signers")),
               *signature = sign_files_path(&p->run, a, "signature");
    const char *const who[] = {
        SIGN_SSH_KEYGEN, "-Y", "find-principals", "-s", signature, "-f", keys, NULL
    };
    const char *const verify[] = { SIGN_SSH_KEYGEN,
                                   "-Y",
                                   "verify",
                                   "-n",
                                   "git",
                                   "-I",
                                   str_to_c(a, name.p ? name : S("")),
                                   "-s",
                                   signature,
                                   "-f",
                                   keys,
                                   NULL };

    sign_files_start(&p->run, &p->task, a, name.p ? verify : who,
                     name.p ? p->commits.list.p[p->at].signed_text : S(""));
    return task_then(&p->task, name.p ? PROOF_JUDGE : PROOF_PROVE);
}

static enum task_verdict start_openpgp(struct proof_task *p)
{
    struct arena *a = p->arena;
    const char *const argv[] = { SIGN_GPGV,
                                 "--homedir",
                                 p->run.dir,
                                 "--status-fd",
                                 "1",
                                 "--keyring",
                                 str_to_c(a, keys_of(p, "keyring")),
                                 sign_files_path(&p->run, a, "signature"),
                                 "-",
                                 NULL };

    sign_files_start(&p->run, &p->task, a, argv, p->commits.list.p[p->at].signed_text);
    return task_then(&p->task, PROOF_JUDGE);
}

/* The next one that nobody knows of yet. */
static enum task_verdict proof_next(struct proof_task *p)
{
    const struct source_commit *list = p->commits.list.p;
    struct err none = ERR_INIT;

    p->name = STR_NONE;
    if (!p->n && !p->is_alone) { /* it was applied once, or lies below what was */
        p->is_alone = 1;
        return task_goto(&p->task, PROOF_ASK);
    }
    while (p->at < p->n && map_has(&p->source->signers.by_commit, list[p->at].id))
        p->at++;
    if (p->at == p->n) {
        remember(p, &none);
        return task_goto(&p->task, PROOF_SWEEP);
    }
    switch (signature_kind(list[p->at].signature)) {
    case SIGNATURE_NONE:
        return refuse(p, S("it is not signed"));
    case SIGNATURE_OTHER:
        return refuse(p, S("its signature is of a kind that is not checked"));
    case SIGNATURE_SSH:
        if (!keys_of(p, "allowed_signers").p)
            return refuse(p, S("it is signed with an SSH key, and there are no allowed_signers"));
        break;
    case SIGNATURE_OPENPGP:
        if (!keys_of(p, "keyring").p)
            return refuse(p, S("it is signed with an OpenPGP key, and there is no keyring"));
        break;
    }
    wait_work_start(&p->task, POOL_FILE, proof_write);
    return task_then(&p->task, PROOF_WHO);
}

static enum task_verdict proof_who(struct proof_task *p)
{
    return signature_kind(p->commits.list.p[p->at].signature) == SIGNATURE_SSH
               ? start_ssh(p, STR_NONE)
               : start_openpgp(p);
}

static enum task_verdict proof_prove(struct proof_task *p)
{
    const struct exec_result *r = &p->run.result;

    p->name = r->status || r->signal ? STR_NONE : signature_ssh_name(r->out);
    if (!p->name.p)
        return refuse(p, str_fmt(p->arena, "its signature is by none of the allowed_signers: %.*s",
                                 STR_ARG(first_line(r->err_tail))));
    return start_ssh(p, p->name);
}

static enum task_verdict proof_judge(struct proof_task *p)
{
    const struct exec_result *r = &p->run.result;
    const struct source_commit *c = &p->commits.list.p[p->at];
    struct signer signer;
    struct str why = first_line(r->err_tail);
    int rc = r->signal ? -1
             : signature_kind(c->signature) == SIGNATURE_SSH
                 ? signature_read_ssh(p->arena, r->out, p->name, &signer)
                 : signature_read_openpgp(p->arena, r->out, &signer, &why);

    if (rc || r->status || r->out_dropped)
        return refuse(p, str_fmt(p->arena, "its signature does not hold: %.*s", STR_ARG(why)));
    signers_put(&p->source->signers, c->id, &signer);
    return task_goto(&p->task, PROOF_NEXT);
}

/* --- the task ------------------------------------------------------------------------------------ */

static enum task_verdict proof_ask(struct proof_task *p)
{
    struct task *t = &p->task;
    int is_all = !p->is_alone && p->base.n && str_eq_c(p->asked->u.text, "ancestors");

    signers_renew(&p->source->signers, p->stamp);
    if (str_eq(p->commit, p->base))
        return task_goto(t, PROOF_OVER);
    if (is_known(p)) {
        p->failed = p->known->refused;
        return task_goto(t, PROOF_OVER);
    }
    p->log = (struct source_log){ .from = is_all ? p->base : STR_NONE,
                                  .to = p->commit,
                                  .limit = is_all ? SOURCE_LOG_MAX : 1,
                                  .with_proofs = 1 };
    p->source->source->ops->log(p->source->source, t, p->arena, &p->log, &p->call);
    return task_then(t, PROOF_PARSE);
}

static enum task_verdict proof_step(struct task *t)
{
    struct proof_task *p = proof_of(t);

    if (t->cancelled)
        return task_done(t);
    switch (t->state) {
    case PROOF_STAMP:
        wait_work_start(t, POOL_FILE, proof_stamp);
        return task_then(t, PROOF_ASK);
    case PROOF_ASK:
        return proof_ask(p);
    case PROOF_PARSE:
        wait_work_start(t, POOL_FILE, proof_parse);
        return task_then(t, PROOF_NEXT);
    case PROOF_NEXT:
        return proof_next(p);
    case PROOF_WHO:
        return proof_who(p);
    case PROOF_PROVE:
        return proof_prove(p);
    case PROOF_JUDGE:
        return proof_judge(p);
    case PROOF_FAILED:
        p->failed = t->err;
        return task_goto(t, PROOF_SWEEP);
    case PROOF_SWEEP:
        wait_work_start(t, POOL_FILE, proof_sweep);
        return task_then(t, PROOF_OVER);
    case PROOF_OVER:
        return p->failed.code ? task_fail(t, &p->failed) : task_done(t);
    }
    UNREACHABLE();
}

/* The stricter of the two; of equals the floor's. */
const struct value *proof_asked(const struct source_task *source, const struct value *rule)
{
    const struct value *of_source = value_at(source->config, S("verify.signatures")),
                       *of_floor = value_at(rule, S("floor.signatures"));

    return of_floor && (!of_source || str_eq_c(of_floor->u.text, "ancestors")) ? of_floor
                                                                               : of_source;
}

void proof_start(struct proof_task *p, task_ended *ended, void *ctx)
{
    task_start(&p->task, p->engine->loop, "proof", proof_states, N_ELEMENTS(proof_states),
               PROOF_STAMP, proof_step, ended, ctx);
}
