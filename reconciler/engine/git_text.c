/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/git_text.h"

#include <strings.h>

#include "base/utf8.h"

#define GIT_TEXT_SHOW_MAX 200

/* Bytes of the character that it begins with; 0: it is none, or NUL. */
static size_t git_text_sequence(struct str raw)
{
    uint32_t c = 0;
    size_t n = utf8_decode(raw, &c);

    return c ? n : 0;
}

size_t git_text_utf8_fault(struct str raw)
{
    for (size_t i = 0; i < raw.n;) {
        size_t len = git_text_sequence(str_slice(raw, i, raw.n));

        if (!len)
            return i;
        i += len;
    }
    return STR_NPOS;
}

struct str git_text_utf8(struct arena *a, struct str raw, size_t max)
{
    struct sb out;

    sb_init(&out, a);
    for (size_t i = 0; i < raw.n;) {
        size_t len = git_text_sequence(str_slice(raw, i, raw.n));
        struct str part = len ? str_slice(raw, i, len) : S("\xef\xbf\xbd");

        if (out.n + part.n > max)
            break;
        sb_add(&out, part);
        i += len ? len : 1;
    }
    return sb_str(&out);
}

struct str git_text_show(struct arena *a, struct str raw)
{
    struct sb out;

    sb_init(&out, a);
    for (size_t i = 0; i < raw.n && i < GIT_TEXT_SHOW_MAX; i++) {
        if (raw.p[i] >= 0x20 && raw.p[i] < 0x7f)
            sb_add_char(&out, raw.p[i]);
        else
            sb_addf(&out, "\\x%02x", (unsigned)(unsigned char)raw.p[i]);
    }
    if (raw.n > GIT_TEXT_SHOW_MAX)
        sb_add_c(&out, "...");
    return sb_str(&out);
}

/* The length of a code point that HFS+ ignores in names, or 0: U+200C..F, U+202A..E, U+206A..F, U+FEFF. */
static size_t git_text_hfs_ignored(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;

    if (s.n < 3)
        return 0;
    if (p[0] == 0xe2 && p[1] == 0x80 &&
        ((p[2] >= 0x8c && p[2] <= 0x8f) || (p[2] >= 0xaa && p[2] <= 0xae)))
        return 3;
    if (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xaa && p[2] <= 0xaf)
        return 3;
    return p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf ? 3 : 0;
}

/* One part between backslashes, as NTFS reads it: without a stream's name, final dots and spaces. */
static int git_text_part_is_dotgit(struct str part)
{
    size_t colon = str_find_char(part, ':');

    if (colon != STR_NPOS)
        part.n = colon;
    while (part.n && (part.p[part.n - 1] == ' ' || part.p[part.n - 1] == '.'))
        part.n--;
    return (part.n == 4 && !strncasecmp(part.p, ".git", 4)) ||
           (part.n == 5 && !strncasecmp(part.p, "git~1", 5));
}

static int git_text_is_dotgit(struct str name)
{
    char bare[GIT_TEXT_NAME_MAX];
    struct str rest, part;
    size_t n = 0;

    for (size_t i = 0; i < name.n;) {
        size_t ignored = git_text_hfs_ignored(str_slice(name, i, name.n));

        if (!ignored)
            bare[n++] = name.p[i++];
        i += ignored;
    }
    rest = (struct str){ bare, n };
    while (str_next(&rest, '\\', &part))
        if (git_text_part_is_dotgit(part))
            return 1;
    return 0;
}

const char *git_text_name_fault(struct str name)
{
    if (!name.n)
        return "is empty";
    if (name.n > GIT_TEXT_NAME_MAX)
        return "is longer than 255 bytes";
    if (str_eq(name, S(".")) || str_eq(name, S("..")))
        return "is a way to another directory";
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '/')
            return "contains a slash";
        if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
            return "contains a control character";
    }
    return git_text_is_dotgit(name) ? "is a spelling of .git" : NULL;
}

int git_text_path_check(struct str path, struct err *err)
{
    struct str rest = path, part;

    if (str_eq(path, S(".")))
        return 0;
    if (!path.n || path.n > GIT_TEXT_PATH_MAX || path.p[0] == '/' || path.p[path.n - 1] == '/')
        return err_set(err, ERR_USAGE, "'%.*s' is not a path below the root of a tree",
                       STR_ARG(path));
    while (str_next(&rest, '/', &part)) {
        const char *fault = git_text_name_fault(part);

        if (fault)
            return err_set(err, ERR_USAGE, "a part of the path '%.*s' %s", STR_ARG(path), fault);
    }
    return 0;
}
