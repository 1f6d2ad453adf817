/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/hook.h"

#include <strings.h>

#include "base/guard.h"
#include "specs/json_io.h"

/* clang-format off */
static const struct hook_forge {
    const char *word;
    const char *event, *id, *signature; /* headers */
    const char *prefix;                 /* of a signature; NULL: the secret itself */
    const char *repository, *number, *base, *merged; /* where bodies have what */
    const char *pulls;                  /* refs of pull requests; NULL: the branch it comes from */
} forges[] = {
    [HOOK_GITHUB] = { "github", "x-github-event", "x-github-delivery", "x-hub-signature-256", "sha256=",
                      "repository.full_name", "number", "pull_request.base.ref", "pull_request.merged",
                      "refs/pull/" },
    [HOOK_GITLAB] = { "gitlab", "x-gitlab-event", "idempotency-key", "x-gitlab-token", NULL,
                      "project.path_with_namespace", "object_attributes.iid", "object_attributes.target_branch", NULL,
                      "refs/merge-requests/" },
    [HOOK_GITEA] = { "gitea", "x-gitea-event", "x-gitea-delivery", "x-gitea-signature", "",
                     "repository.full_name", "number", "pull_request.base.ref", "pull_request.merged",
                     "refs/pull/" },
    [HOOK_BITBUCKET] = { "bitbucket", "x-event-key", "x-request-uuid", "x-hub-signature", "sha256=",
                         "repository.full_name", "pullrequest.id", "pullrequest.destination.branch.name", NULL, NULL },
    [HOOK_GENERIC] = { "generic", NULL, "x-reeve-delivery", "x-reeve-signature", "v1=",
                       "repository", NULL, NULL, NULL, NULL },
};

enum hook_shape {
    SHAPE_NONE,
    SHAPE_REF,     /* ref: "refs/heads/main" */
    SHAPE_NAMED,   /* ref: "main", ref_type: "branch" */
    SHAPE_CHANGES, /* push.changes: [{old, new}] */
    SHAPE_PULL,
    SHAPE_MERGED,  /* a pull request that is in its base now */
    SHAPE_REFS,    /* ref, refs, or neither */
};

/* The first row that fits; a body of which none does is heard. */
static const struct hook_row {
    enum hook_type type;
    const char *event;
    const char *action; /* of a pull request; NULL: any */
    const char *only;   /* NULL, or what the body must have */
    enum hook_shape shape;
    const char *word;   /* NULL: push or tag, by the ref */
} rows[] = {
    { HOOK_GITHUB, "ping", NULL, NULL, SHAPE_NONE, "ping" },
    { HOOK_GITHUB, "push", NULL, NULL, SHAPE_REF, NULL },
    { HOOK_GITHUB, "create", NULL, NULL, SHAPE_NAMED, NULL },
    { HOOK_GITHUB, "delete", NULL, NULL, SHAPE_NAMED, NULL },
    { HOOK_GITHUB, "pull_request", "opened", NULL, SHAPE_PULL, "pull_request.opened" },
    { HOOK_GITHUB, "pull_request", "reopened", NULL, SHAPE_PULL, "pull_request.reopened" },
    { HOOK_GITHUB, "pull_request", "synchronize", NULL, SHAPE_PULL, "pull_request.synchronised" },
    { HOOK_GITHUB, "pull_request", "closed", NULL, SHAPE_PULL, "pull_request.closed" },
    { HOOK_GITEA, "push", NULL, NULL, SHAPE_REF, NULL },
    { HOOK_GITEA, "create", NULL, NULL, SHAPE_NAMED, NULL },
    { HOOK_GITEA, "delete", NULL, NULL, SHAPE_NAMED, NULL },
    { HOOK_GITEA, "pull_request", "opened", NULL, SHAPE_PULL, "pull_request.opened" },
    { HOOK_GITEA, "pull_request", "reopened", NULL, SHAPE_PULL, "pull_request.reopened" },
    { HOOK_GITEA, "pull_request", "synchronized", NULL, SHAPE_PULL, "pull_request.synchronised" },
    { HOOK_GITEA, "pull_request", "closed", NULL, SHAPE_PULL, "pull_request.closed" },
    { HOOK_GITLAB, "Push Hook", NULL, NULL, SHAPE_REF, NULL },
    { HOOK_GITLAB, "Tag Push Hook", NULL, NULL, SHAPE_REF, NULL },
    { HOOK_GITLAB, "Merge Request Hook", "open", NULL, SHAPE_PULL, "pull_request.opened" },
    { HOOK_GITLAB, "Merge Request Hook", "reopen", NULL, SHAPE_PULL, "pull_request.reopened" },
    { HOOK_GITLAB, "Merge Request Hook", "update", "object_attributes.oldrev", SHAPE_PULL, "pull_request.synchronised" },
    { HOOK_GITLAB, "Merge Request Hook", "close", NULL, SHAPE_PULL, "pull_request.closed" },
    { HOOK_GITLAB, "Merge Request Hook", "merge", NULL, SHAPE_MERGED, "pull_request.closed" },
    { HOOK_BITBUCKET, "diagnostics:ping", NULL, NULL, SHAPE_NONE, "ping" },
    { HOOK_BITBUCKET, "repo:push", NULL, NULL, SHAPE_CHANGES, NULL },
    { HOOK_BITBUCKET, "pullrequest:created", NULL, NULL, SHAPE_PULL, "pull_request.opened" },
    { HOOK_BITBUCKET, "pullrequest:updated", NULL, NULL, SHAPE_PULL, "pull_request.synchronised" },
    { HOOK_BITBUCKET, "pullrequest:rejected", NULL, NULL, SHAPE_PULL, "pull_request.closed" },
    { HOOK_BITBUCKET, "pullrequest:fulfilled", NULL, NULL, SHAPE_MERGED, "pull_request.closed" },
    { HOOK_GENERIC, NULL, NULL, NULL, SHAPE_REFS, NULL },
};
/* clang-format on */

int hook_type_parse(struct str word, enum hook_type *ret)
{
    for (int i = 0; i < N_HOOK_TYPES; i++)
        if (str_eq_c(word, forges[i].word)) {
            *ret = (enum hook_type)i;
            return 0;
        }
    return -1;
}

const char *hook_type_word(enum hook_type type)
{
    return forges[type].word;
}

static struct str header(const struct hook_request *in, const char *name)
{
    return value_get_text(in->headers, str_from_c(name), STR_NONE);
}

/* --- who says it --------------------------------------------------------------------------------- */

static int no_signature(const struct hook_request *in, struct err *err)
{
    return err_set(err, ERR_UNKNOWN_ACTOR, "%s of a %s hook is missing, or not by its secret",
                   forges[in->type].signature, forges[in->type].word);
}

/* "t=1700000000,v1=HEX": what is signed is the time, a point and the body. */
static int take_time(struct arena *a, const struct hook_request *in, struct str *io_signature,
                     struct str *ret_signed, struct err *err)
{
    int64_t seconds = 0, now_s = in->now_ms / 1000;
    struct str time, rest = *io_signature;
    struct sb b;

    if (!str_next(&rest, ',', &time) || !str_starts(time, S("t=")))
        return no_signature(in, err);
    time = str_slice(time, 2, time.n);
    if (str_to_i64(time, &seconds) || seconds < 0 || seconds > INT32_MAX * INT64_C(1000))
        return no_signature(in, err);
    if (seconds < now_s - HOOK_WINDOW_MS / 1000 || seconds > now_s + HOOK_WINDOW_MS / 1000)
        return err_set(err, ERR_UNKNOWN_ACTOR, "%s is of another time", forges[in->type].signature);
    sb_init(&b, a);
    sb_add(&b, time);
    sb_add_char(&b, '.');
    sb_add(&b, in->body);
    *io_signature = str_trim(rest);
    *ret_signed = sb_str(&b);
    return arena_status(a, err);
}

/* Both sides as digests: neither length nor content tells by time how much of it fits. */
static int is_token(const struct hook_request *in, struct str token)
{
    struct digest have = hash_bytes(token), want = hash_bytes(in->secret);

    return digest_is_same(&have, &want);
}

static int is_signed(const struct hook_request *in, struct str signature, struct str text)
{
    struct str prefix = str_from_c(forges[in->type].prefix);
    struct digest have, want = hash_hmac(in->secret, text);

    return str_starts(signature, prefix) &&
           !digest_from_hex(str_slice(signature, prefix.n, signature.n), &have) &&
           digest_is_same(&have, &want);
}

/* Gitea signs as GitHub does, too: a body for the one is none for the other. */
static int is_of_gitea(const struct hook_request *in)
{
    return header(in, "x-gitea-event").p || header(in, "x-gitea-signature").p ||
           header(in, "x-gogs-event").p;
}

static int check_signature(struct arena *a, const struct hook_request *in, struct str *ret_signed,
                           struct err *err)
{
    struct str signature = header(in, forges[in->type].signature);
    int is_right;

    *ret_signed = in->body;
    if (!in->secret.n || !signature.n)
        return no_signature(in, err);
    if (in->type == HOOK_GITHUB && is_of_gitea(in))
        return err_set(err, ERR_UNKNOWN_ACTOR, "a hook of Gitea is none of GitHub");
    if (!forges[in->type].prefix && !in->is_tls)
        return err_set(err, ERR_REFUSED, "a token that is sent without TLS is none");
    if (in->type == HOOK_GENERIC && take_time(a, in, &signature, ret_signed, err))
        return err->code;
    is_right = forges[in->type].prefix ? is_signed(in, signature, *ret_signed)
                                       : is_token(in, signature);
    return is_right ? 0 : no_signature(in, err);
}

/* --- what it says -------------------------------------------------------------------------------- */

/* As git takes it for a name; what a pattern or a path may be made of is not. */
static int is_ref(struct str ref)
{
    if (!str_starts(ref, S("refs/")) || ref.n > HOOK_NAME_MAX || str_find(ref, S("..")) != STR_NPOS)
        return 0;
    for (size_t i = 0; i < ref.n; i++)
        if ((unsigned char)ref.p[i] <= ' ' || ref.p[i] == 0x7f ||
            str_find_char(S("~^:?*[\\"), ref.p[i]) != STR_NPOS)
            return 0;
    return 1;
}

static int add_ref(struct arena *a, struct hook_decision *d, struct str ref, struct err *err)
{
    struct str *slot;

    if (!is_ref(ref))
        return err_set(err, ERR_INVALID, "it names no ref");
    slot = vec_push(a, &d->refs);
    if (slot)
        *slot = ref;
    return arena_status(a, err);
}

/* What the forge calls a branch or a tag. */
static int add_named(struct arena *a, struct hook_decision *d, struct str kind, struct str name,
                     struct err *err)
{
    int is_tag = str_eq_c(kind, "tag");

    if (!name.n || (!is_tag && !str_eq_c(kind, "branch") && !str_eq_c(kind, "named_branch")))
        return err_set(err, ERR_INVALID, "it names no ref");
    return add_ref(a, d, str_fmt(a, "refs/%s/%.*s", is_tag ? "tags" : "heads", STR_ARG(name)), err);
}

static int read_changes(struct arena *a, const struct value *body, struct hook_decision *ret,
                        struct err *err)
{
    const struct value *list = value_at(body, S("push.changes"));

    if (!value_count(list))
        return err_set(err, ERR_INVALID, "it names no ref");
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *is = value_get(value_item(list, i), S("new"));

        if (!value_is(is, VALUE_MAP))
            is = value_get(value_item(list, i), S("old"));
        if (add_named(a, ret, value_get_text(is, S("type"), S("")),
                      value_get_text(is, S("name"), S("")), err))
            return err->code;
    }
    return 0;
}

static struct str text_at(const struct value *body, const char *path)
{
    const struct value *v = path ? value_at(body, str_from_c(path)) : NULL;

    return value_is(v, VALUE_TEXT) ? v->u.text : STR_NONE;
}

static int is_true_at(const struct value *body, const char *path)
{
    const struct value *v = path ? value_at(body, str_from_c(path)) : NULL;

    return value_is(v, VALUE_BOOL) && v->u.truth;
}

/* Its own ref; the branch it went to as well, once it is in there. */
static int read_pull(struct arena *a, const struct hook_forge *forge, enum hook_shape shape,
                     const struct value *body, struct hook_decision *ret, struct err *err)
{
    const struct value *number = value_at(body, str_from_c(forge->number));
    int rc;

    if (!value_is(number, VALUE_INT) || number->u.number <= 0)
        return err_set(err, ERR_INVALID, "a pull request without a number");
    if (forge->pulls)
        rc = add_ref(a, ret, str_fmt(a, "%s%lld/head", forge->pulls, (long long)number->u.number),
                     err);
    else
        rc = add_named(a, ret, S("branch"), text_at(body, "pullrequest.source.branch.name"), err);
    if (!rc && (shape == SHAPE_MERGED || is_true_at(body, forge->merged)))
        rc = add_named(a, ret, S("branch"), text_at(body, forge->base), err);
    return rc;
}

static int read_refs(struct arena *a, const struct value *body, struct hook_decision *ret,
                     struct err *err)
{
    const struct value *one = value_get(body, S("ref")), *list = value_get(body, S("refs"));

    if (!value_is(body, VALUE_MAP) || (one && !value_is(one, VALUE_TEXT)) ||
        (list && !value_is(list, VALUE_LIST)))
        return err_set(err, ERR_INVALID, "the body is {repository, ref, refs, commit}");
    if (one && add_ref(a, ret, one->u.text, err))
        return err->code;
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *v = value_item(list, i);

        if (add_ref(a, ret, value_is(v, VALUE_TEXT) ? v->u.text : S(""), err))
            return err->code;
    }
    return 0;
}

static const struct hook_row *find_row(const struct hook_request *in, const struct value *body)
{
    const char *name = forges[in->type].event;
    struct str event = name ? header(in, name) : S(""), action;

    action = text_at(body, in->type == HOOK_GITLAB ? "object_attributes.action" : "action");
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (rows[i].type == in->type && (!rows[i].event || str_eq_c(event, rows[i].event)) &&
            (!rows[i].action || str_eq_c(action, rows[i].action)) &&
            (!rows[i].only || value_is(value_at(body, str_from_c(rows[i].only)), VALUE_TEXT)))
            return &rows[i];
    return NULL;
}

static int read_row(struct arena *a, const struct hook_request *in, const struct hook_row *row,
                    const struct value *body, struct hook_decision *ret, struct err *err)
{
    switch (row->shape) {
    case SHAPE_NONE:
        return 0;
    case SHAPE_REF:
        return add_ref(a, ret, value_get_text(body, S("ref"), S("")), err);
    case SHAPE_NAMED:
        return add_named(a, ret, value_get_text(body, S("ref_type"), S("")),
                         value_get_text(body, S("ref"), S("")), err);
    case SHAPE_CHANGES:
        return read_changes(a, body, ret, err);
    case SHAPE_PULL:
    case SHAPE_MERGED:
        return read_pull(a, &forges[in->type], row->shape, body, ret, err);
    case SHAPE_REFS:
        return read_refs(a, body, ret, err);
    }
    UNREACHABLE();
}

static struct str word_of(const struct hook_row *row, const struct hook_decision *d)
{
    if (row->word)
        return str_from_c(row->word);
    return d->refs.n && str_starts(d->refs.p[0], S("refs/tags/")) ? S("tag") : S("push");
}

/* A name that the history can carry, or else the digest. */
static struct str id_of(struct arena *a, const struct hook_request *in, const struct digest *digest)
{
    struct str id = header(in, forges[in->type].id);
    int is_plain = id.n > 0 && id.n <= 2 * DIGEST_BYTES;

    for (size_t i = 0; is_plain && i < id.n; i++)
        is_plain = (id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'z') ||
                   (id.p[i] >= 'A' && id.p[i] <= 'Z') ||
                   str_find_char(S("-_.:{}"), id.p[i]) != STR_NPOS;
    return is_plain ? id : digest_hex(a, digest);
}

int hook_decide(struct arena *a, const struct hook_request *in, struct hook_decision *ret,
                struct err *err)
{
    struct hook_decision d = { .verdict = HOOK_NOTHING, .word = S("other") };
    const struct hook_row *row;
    struct str was_signed;
    struct value *body;

    if (check_signature(a, in, &was_signed, err))
        return err->code;
    if (json_parse_answer(a, in->body, HOOK_BODY_MAX, &body, err))
        return err_wrap(err, "body");
    d.digest = hash_bytes(was_signed);
    d.id = id_of(a, in, &d.digest);
    d.repository = text_at(body, forges[in->type].repository);
    if (d.repository.n > HOOK_NAME_MAX)
        return err_set(err, ERR_INVALID, "the name of the repository is too long");
    row = find_row(in, body);
    if (row && read_row(a, in, row, body, &d, err))
        return err_wrap(err, "%s hook", forges[in->type].word);
    if (row) {
        d.word = word_of(row, &d);
        d.verdict = row->shape == SHAPE_NONE ? HOOK_NOTHING : HOOK_LOOK;
    }
    if (d.refs.n > HOOK_REFS_MAX)
        d.refs.n = 0;
    *ret = d;
    return arena_status(a, err);
}

/* --- whom it concerns ---------------------------------------------------------------------------- */

static int ref_fits(struct str ref, struct str pattern)
{
    size_t star = str_find_char(pattern, '*');

    if (star == STR_NPOS)
        return str_eq(ref, pattern);
    return ref.n + 1 >= pattern.n && str_starts(ref, str_slice(pattern, 0, star)) &&
           str_ends(ref, str_slice(pattern, star + 1, pattern.n));
}

int hook_names(const struct hook_decision *d, struct str branch)
{
    int is_full = str_starts(branch, S("refs/"));

    for (size_t i = 0; i < d->refs.n; i++) {
        struct str ref = d->refs.p[i];

        if (!is_full && str_starts(ref, S("refs/heads/")))
            ref = str_slice(ref, sizeof("refs/heads/") - 1, ref.n);
        if (ref_fits(ref, branch))
            return 1;
    }
    return !d->refs.n;
}

static int is_same_name(struct str a, struct str b)
{
    return a.n == b.n && !strncasecmp(a.p, b.p, a.n);
}

int hook_is_about(const struct hook_decision *d, const struct value *source)
{
    struct str name = value_get_text(value_get(source, S("forge")), S("repository"), STR_NONE);
    struct str url = value_get_text(source, S("url"), S(""));

    if (!d->repository.p)
        return 1;
    if (name.p)
        return is_same_name(name, d->repository);
    if (str_starts(url, S("file://")))
        return 1;
    while (str_ends(url, S("/")))
        url.n--;
    if (str_ends(url, S(".git")))
        url.n -= sizeof(".git") - 1;
    return url.n > d->repository.n &&
           (url.p[url.n - d->repository.n - 1] == '/' ||
            url.p[url.n - d->repository.n - 1] == ':') &&
           is_same_name(str_slice(url, url.n - d->repository.n, d->repository.n), d->repository);
}
