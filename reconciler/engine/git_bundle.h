/*
 * git_bundle: the header of a git bundle. SPDX-License-Identifier: Apache-2.0
 *
 *     "# v2 git bundle\n" or "# v3 git bundle\n"
 *     v3: "@object-format=sha1\n"; any other capability is refused
 *     "-OID COMMENT\n"    a commit that the receiver must have
 *     "OID REFNAME\n"     what the bundle holds
 *     "\n" and a pack
 *
 * Pure: libgit2 1.5 reads none.
 *
 * Memory   views into the text; lists live in the arena.
 * Fails    ERR_INVALID; ERR_LIMIT over GIT_BUNDLE_*_MAX.
 */
#pragma once

#include "base/str.h"
#include "base/vec.h"

#define GIT_BUNDLE_HEADER_MAX ((size_t)256 << 10)
#define GIT_BUNDLE_NAMES_MAX 1000u /* prerequisites, and references */
#define GIT_BUNDLE_NAME_MAX 255u

struct git_bundle_ref {
    struct str id, name; /* 40 hex digits; "refs/heads/main" */
};
struct git_bundle {
    VEC(struct str) needs; /* ids */
    VEC(struct git_bundle_ref) refs;
    struct str pack;
};

int git_bundle_parse(struct arena *a, struct str text, struct git_bundle *ret, struct err *err);
