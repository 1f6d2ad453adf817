/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_bundle.h"

#define ID_HEX 40u

/* The next line without its end; 0: there is none within the limit. */
static int take_line(struct str *rest, size_t *io_left, struct str *ret)
{
    size_t end = str_find_char(*rest, '\n');

    if (end == STR_NPOS || end >= *io_left)
        return 0;
    *ret = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end + 1, rest->n);
    *io_left -= end + 1;
    return 1;
}

static int is_id(struct str id)
{
    for (size_t i = 0; i < id.n; i++)
        if (!((id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f')))
            return 0;
    return id.n == ID_HEX;
}

/* What git forbids in a name is for libgit2 to say; what would deceive a reader is said here. */
static int is_name(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= 0x20 || name.p[i] == 0x7f)
            return 0;
    return name.n && name.n <= GIT_BUNDLE_NAME_MAX;
}

static int take_need(struct arena *a, struct str line, struct git_bundle *b, struct err *err)
{
    struct str id = str_slice(line, 1, ID_HEX), *slot;

    if (!is_id(id) || (line.n > 1 + ID_HEX && line.p[1 + ID_HEX] != ' '))
        return err_set(err, ERR_INVALID, "a prerequisite of the bundle is no commit's id");
    if (b->needs.n >= GIT_BUNDLE_NAMES_MAX)
        return err_set(err, ERR_LIMIT, "the bundle has more than %u prerequisites",
                       GIT_BUNDLE_NAMES_MAX);
    slot = vec_push(a, &b->needs);
    if (slot)
        *slot = id;
    return arena_status(a, err);
}

static int take_ref(struct arena *a, struct str line, struct git_bundle *b, struct err *err)
{
    struct str id = str_slice(line, 0, ID_HEX);
    struct git_bundle_ref *slot;

    if (!is_id(id) || line.n < ID_HEX + 2 || line.p[ID_HEX] != ' ')
        return err_set(err, ERR_INVALID, "a line of the bundle's header is no reference");
    if (!is_name(str_slice(line, ID_HEX + 1, line.n)))
        return err_set(err, ERR_INVALID,
                       "a reference of the bundle has a name that is too long, or holds spaces or "
                       "control characters");
    if (b->refs.n >= GIT_BUNDLE_NAMES_MAX)
        return err_set(err, ERR_LIMIT, "the bundle has more than %u references",
                       GIT_BUNDLE_NAMES_MAX);
    slot = vec_push(a, &b->refs);
    if (slot)
        *slot = (struct git_bundle_ref){ id, str_slice(line, ID_HEX + 1, line.n) };
    return arena_status(a, err);
}

/* Prerequisites stand before references, capabilities before both. */
static int take_one(struct arena *a, struct str line, int is_v3, struct git_bundle *b,
                    struct err *err)
{
    if (line.p[0] == '@' && is_v3 && !b->needs.n && !b->refs.n)
        return str_eq_c(line, "@object-format=sha1")
                   ? 0
                   : err_set(err, ERR_INVALID, "the bundle asks for what is not known here");
    if (line.p[0] == '-' && !b->refs.n)
        return take_need(a, line, b, err);
    return take_ref(a, line, b, err);
}

int git_bundle_parse(struct arena *a, struct str text, struct git_bundle *ret, struct err *err)
{
    size_t left = GIT_BUNDLE_HEADER_MAX;
    struct git_bundle b = { 0 };
    struct str rest = text, line;
    int is_v3;

    if (!take_line(&rest, &left, &line) ||
        (!str_eq_c(line, "# v2 git bundle") && !str_eq_c(line, "# v3 git bundle")))
        return err_set(err, ERR_INVALID, "it is no git bundle of version 2 or 3");
    is_v3 = str_eq_c(line, "# v3 git bundle");
    for (;;) {
        if (!take_line(&rest, &left, &line))
            return err_set(err, ERR_LIMIT,
                           "the header of the bundle is cut, or has more than %zu bytes",
                           GIT_BUNDLE_HEADER_MAX);
        if (!line.n)
            break;
        if (take_one(a, line, is_v3, &b, err))
            return err->code;
    }
    if (!b.refs.n)
        return err_set(err, ERR_INVALID, "the bundle holds no reference");
    b.pack = rest;
    *ret = b;
    return 0;
}
