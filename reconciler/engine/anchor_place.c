/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/anchor_place.h"

#include "base/guard.h"
#include "base/hash.h"
#include "reconciler/engine/anchor_s3.h"
#include "reconciler/engine/anchor_stamp.h"
#include "reconciler/engine/engine_state.h"

#define ROUND_MAX (64u << 20)

/* --- a repository -------------------------------------------------------------------------------- */

static struct str git_name(struct arena *a, const struct value *config)
{
    return str_fmt(a, "%.*s#%.*s", STR_ARG(value_get_text(config, S("url"), S(""))),
                   STR_ARG(value_get_text(config, S("branch"), S(""))));
}

static int git_sign_in(const struct anchor_place *p, struct secret_store *secrets,
                       struct anchor_round *r, struct err *err)
{
    return anchor_place_secret(secrets, value_get(p->config, S("credentials")), &r->own,
                               &r->password, err);
}

static void git_read(const struct anchor_place *p, struct anchor_round *r, struct task *t,
                     struct str known)
{
    anchor_git_read(&p->git, t, &r->own, r->password, known, &r->git);
}

static int git_read_parse(const struct anchor_place *p, struct anchor_round *r, struct err *err)
{
    (void)p; /* the answer says it all */
    return anchor_git_read_parse(&r->own, &r->git, &r->there, err);
}

static void git_push(const struct anchor_place *p, struct anchor_round *r, struct task *t)
{
    anchor_git_push(&p->git, t, &r->own, r->password, r->there.tip, r->line, r->time_ms, &r->git);
}

static int git_push_parse(const struct anchor_place *p, struct anchor_round *r, int64_t now_ms,
                          struct str *ret_proof, struct err *err)
{
    (void)p;
    (void)now_ms; /* a commit proves no time */
    return anchor_git_push_parse(&r->own, &r->git, ret_proof, err);
}

static const struct anchor_kind git_kind = {
    .word = "git",
    .name = git_name,
    .sign_in = git_sign_in,
    .read = git_read,
    .read_parse = git_read_parse,
    .push = git_push,
    .push_parse = git_push_parse,
};

static void git_open(const struct engine *e, struct arena *a, struct anchor_place *p)
{
    struct digest d = hash_bytes(p->name);
    const char **worker = arena_new_n(a, const char *, 3);

    if (worker) {
        worker[0] = e->options.self;
        worker[1] = "git-worker";
    }
    p->git = (struct anchor_git){
        .worker = worker,
        .config = p->config,
        .mirror = str_fmt(a, "%.*s/anchors/%.*s.git", STR_ARG(e->state_dir), 12,
                          digest_hex(a, &d).p),
        .folder = e->installation,
        .timeout_ms = p->timeout_ms,
        .memory_bytes = e->worker_memory_bytes,
        .cpu_s = e->worker_cpu_s,
    };
}

/* --- all kinds ----------------------------------------------------------------------------------- */

static const struct anchor_kind *find_kind(const struct value *config)
{
    static const struct anchor_kind *const kinds[] = { &git_kind, &anchor_s3_kind,
                                                       &anchor_stamp_kind };
    struct str type = value_get_text(config, S("type"), S(""));

    for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
        if (str_eq_c(type, kinds[i]->word))
            return kinds[i];
    return NULL;
}

struct str anchor_place_name(struct arena *a, const struct value *config)
{
    const struct anchor_kind *kind = find_kind(config);

    return kind ? kind->name(a, config) : S("?");
}

int anchor_place_open(const struct engine *e, struct arena *a, const struct value *config,
                      int64_t timeout_ms, struct anchor_place *ret, struct err *err)
{
    *ret = (struct anchor_place){ .kind = find_kind(config),
                                  .config = config,
                                  .name = anchor_place_name(a, config),
                                  .timeout_ms = timeout_ms,
                                  .installation = e->installation,
                                  .provider = value_get(
                                      value_get(e->options.daemon, S("providers")),
                                      value_get_text(config, S("provider"), S(""))),
                                  .allowed = e->egress,
                                  .n_allowed = e->n_egress };
    if (!ret->kind)
        return err_set(err, ERR_UNSUPPORTED, "anchors of type '%.*s' are not known",
                       STR_ARG(value_get_text(config, S("type"), S(""))));
    git_open(e, a, ret);
    return arena_status(a, err);
}

void anchor_place_round_init(struct anchor_round *r)
{
    *r = (struct anchor_round){ 0 };
    arena_init(&r->own, ROUND_MAX);
}

void anchor_place_round_end(struct anchor_round *r)
{
    arena_wipe(&r->own);
    anchor_place_round_init(r);
}

int anchor_place_secret(struct secret_store *secrets, const struct value *named, struct arena *a,
                        struct str *ret, struct err *err)
{
    int rc = secret_store_copy_own(secrets, value_get_text(named, S("secret"), STR_NONE), a, ret,
                                   err);

    return rc ? err_wrap(err, "credentials of anchors") : 0;
}

int anchor_place_judge(struct db *db, struct arena *a, struct str key, struct str text,
                       struct anchor_line *ret, struct err *err)
{
    struct str line, why;

    *ret = (struct anchor_line){ 0 };
    while (str_next(&text, '\n', &line)) {
        struct anchor_line one;

        if (!line.n)
            continue;
        if (anchor_parse(line, &one))
            return err_set(err, ERR_CONFLICT, "somebody wrote there what is no anchor");
        if (anchor_judge(db, a, key, &one, &why, err))
            return err->code;
        if (why.p)
            return err_set(err, ERR_CONFLICT, "%.*s", STR_ARG(why));
        if (one.seq > ret->seq)
            *ret = one;
    }
    return 0;
}
