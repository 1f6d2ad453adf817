/*
 * hook: what a forge says has happened, and whether it was the forge. SPDX-License-Identifier: Apache-2.0
 *
 * Pure. The signature is checked first, over the bytes as they came and in constant time; a body without one
 * is never parsed. What a body says is where to look, and nothing else: the refs it names.
 *
 * Memory   a decision borrows from the request and lives in the arena.
 * Fails    ERR_UNKNOWN_ACTOR: no signature, or not this one; ERR_REFUSED: a token that anybody on the way can
 *          read; ERR_INVALID: signed, and not what such an event is.
 * Limits   HOOK_BODY_MAX, HOOK_REFS_MAX: who names more names all.
 */
#pragma once

#include "base/hash.h"
#include "base/vec.h"
#include "specs/value.h"

#define HOOK_BODY_MAX ((size_t)1 << 20)
#define HOOK_REFS_MAX 100
#define HOOK_NAME_MAX 255     /* of a ref, a repository */
#define HOOK_WINDOW_MS 300000 /* a signed time may be so far from ours */
#define HOOK_KEPT_MS 86400000 /* a delivery is known for so long */

enum hook_type { HOOK_GITHUB, HOOK_GITLAB, HOOK_GITEA, HOOK_BITBUCKET, HOOK_GENERIC, N_HOOK_TYPES };

enum hook_verdict {
    HOOK_LOOK,    /* at the refs; none are all */
    HOOK_NOTHING, /* heard, and nothing to do */
};

struct hook_request {
    enum hook_type type;         /* that the source has */
    const struct value *headers; /* {lower-case name: text} */
    struct str body, secret;
    int64_t now_ms; /* wall clock */
    int is_tls;
};

struct hook_decision {
    enum hook_verdict verdict;
    struct str id;         /* of the delivery; where the forge names none, of what was signed */
    struct digest digest;  /* of what was signed */
    struct str word;       /* push tag ping pull_request.opened ... other */
    struct str repository; /* "acme/acme"; STR_NONE: it says none */
    VEC(struct str) refs;  /* "refs/heads/main" */
};

/* 0, or -1: there is no such type. */
int hook_type_parse(struct str word, enum hook_type *ret);
const char *hook_type_word(enum hook_type type);

int hook_decide(struct arena *a, const struct hook_request *in, struct hook_decision *ret,
                struct err *err);

/* A source's branch is a name, or "refs/tags/v*". */
int hook_names(const struct hook_decision *d, struct str branch);
/* Whether the repository is the one of that configuration of a source: as its `forge` names it, else by the end
 * of its URL's path. One that is read from files has no name. */
int hook_is_about(const struct hook_decision *d, const struct value *source);
