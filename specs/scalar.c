/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/scalar.h"

#include <string.h>
#include <strings.h>

#include "base/guard.h"
#include "base/tz.h"
#include "specs/notify_events.h"
#include "specs/scalar_match.h"
#include "specs/scalar_words.h"
#include "specs/schema_path.h"

#define SCALAR_NAME_MAX 40u
#define SCALAR_SECRET_NAME_MAX 60u
#define SCALAR_HEADER_MAX 64u
#define SCALAR_HEADER_TEXT_MAX 1000u
#define SCALAR_TEMPLATE_MAX 1000u
#define SCALAR_RECIPIENT_MAX 100u

static const char scalar_lower[] = "abcdefghijklmnopqrstuvwxyz";
static const char scalar_upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

int scalar_is_one_of(char c, const char *set)
{
    return c && strchr(set, c) != NULL;
}

int scalar_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int scalar_is_alnum(char c)
{
    return scalar_is_one_of(c, scalar_lower) || scalar_is_one_of(c, scalar_upper) ||
           scalar_is_digit(c);
}

static int scalar_is_plain(char c) /* no control characters */
{
    return (unsigned char)c >= 0x20 && c != 0x7f;
}

static int scalar_is_name_char(char c)
{
    return scalar_is_one_of(c, scalar_lower) || scalar_is_digit(c) || c == '-';
}

static int scalar_is_name(struct str s)
{
    if (!s.n || s.n > SCALAR_NAME_MAX || !scalar_is_one_of(s.p[0], scalar_lower))
        return 0;
    for (size_t i = 0; i < s.n; i++)
        if (!scalar_is_name_char(s.p[i]))
            return 0;
    return s.p[s.n - 1] != '-';
}

static int scalar_is_secret_name(struct str s)
{
    if (!s.n || s.n > SCALAR_SECRET_NAME_MAX || !scalar_is_one_of(s.p[0], scalar_lower))
        return 0;
    for (size_t i = 0; i < s.n; i++)
        if (!scalar_is_name_char(s.p[i]) && s.p[i] != '_')
            return 0;
    return 1;
}

static int scalar_is_name_glob(struct str s)
{
    if (!s.n || s.n > SCALAR_NAME_MAX)
        return 0;
    for (size_t i = 0; i < s.n; i++)
        if (!scalar_is_name_char(s.p[i]) && s.p[i] != '*')
            return 0;
    return 1;
}

/* What a reference in normal form begins with: a map of names must not look like one. */
static int scalar_is_reserved(struct str s)
{
    return str_eq_c(s, "secret") || str_eq_c(s, "output") || str_eq_c(s, "join");
}

static int scalar_is_variable(struct str s)
{
    static const struct str refused[] = { S_INIT("PATH"), S_INIT("NODE_OPTIONS"),
                                          S_INIT("BASH_ENV") };
    static const struct str refused_prefixes[] = { S_INIT("LD_"), S_INIT("PYTHON"),
                                                   S_INIT("REEVE_") };

    if (!s.n || scalar_is_digit(s.p[0]) || scalar_is_reserved(s))
        return 0;
    for (size_t i = 0; i < s.n; i++)
        if (!scalar_is_alnum(s.p[i]) && s.p[i] != '_')
            return 0;
    for (size_t i = 0; i < N_ELEMENTS(refused); i++)
        if (str_eq(s, refused[i]) || str_starts(s, refused_prefixes[i]))
            return 0;
    return 1;
}

int scalar_is_header(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!scalar_is_alnum(s.p[i]) && s.p[i] != '-')
            return 0;
    return s.n > 0 && !scalar_is_reserved(s);
}

/* An edge that changed these would change where an answer ends. */
static int scalar_is_answer_header(struct str s)
{
    static const char *const refused[] = { "connection", "content-length",    "keep-alive", "te",
                                           "trailer",    "transfer-encoding", "upgrade" };

    for (size_t i = 0; i < N_ELEMENTS(refused); i++)
        if (s.n == strlen(refused[i]) && !strncasecmp(s.p, refused[i], s.n))
            return 0;
    return s.n <= SCALAR_HEADER_MAX && scalar_is_header(s);
}

static int scalar_is_header_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return 0;
    return s.n > 0 && s.n <= SCALAR_HEADER_TEXT_MAX;
}

/* Words of ours in braces; nothing that a medium reads as markup, as a mention or as the beginning of an address. */
static int scalar_is_template(struct str s)
{
    if (!s.n || s.n > SCALAR_TEMPLATE_MAX || str_find(s, S("://")) != STR_NPOS)
        return 0;
    while (s.n) {
        size_t end = s.p[0] == '{' ? str_find_char(s, '}') : 0;

        if (end == STR_NPOS || (s.p[0] < ' ' && s.p[0] >= 0 && s.p[0] != '\n') ||
            scalar_is_one_of(s.p[0], "}<>`\177"))
            return 0;
        if (s.p[0] == '{' && !schema_is_word(str_slice(s, 1, end - 1), NOTIFY_PLACEHOLDERS))
            return 0;
        s = str_slice(s, end + 1, s.n);
    }
    return 1;
}

static int scalar_is_login(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!scalar_is_alnum(s.p[i]) && !scalar_is_one_of(s.p[i], "._-"))
            return 0;
    return s.n > 0 && s.n <= SCALAR_HEADER_MAX;
}

/* Segments between slashes: none is '.' or '..', an empty one only at the end and if allowed. */
static int scalar_has_segments(struct str s, int may_end_with_slash)
{
    struct str segment;

    while (str_next(&s, '/', &segment)) {
        int is_last = !s.p;

        if (str_eq_c(segment, ".") || str_eq_c(segment, "..") ||
            (!segment.n && !(is_last && may_end_with_slash)))
            return 0;
    }
    return 1;
}

int scalar_is_url_path(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!scalar_is_alnum(s.p[i]) && !scalar_is_one_of(s.p[i], "/._~-"))
            return 0;
    return str_starts(s, S("/")) && scalar_has_segments(str_slice(s, 1, s.n), 1);
}

static int scalar_is_route(struct str s)
{
    return scalar_is_url_path(s) && (s.n == 1 || s.p[s.n - 1] != '/');
}

int scalar_is_file(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!scalar_is_plain(s.p[i]))
            return 0;
    return s.n > 0;
}

static int scalar_is_tree_path(struct str s)
{
    return str_eq_c(s, ".") || (scalar_is_file(s) && scalar_has_segments(s, 0));
}

/* The rules of git check-ref-format that matter for one branch. */
static int scalar_is_branch(struct str s)
{
    struct str rest = s, part;

    for (size_t i = 0; i < s.n; i++)
        if (!scalar_is_plain(s.p[i]) || scalar_is_one_of(s.p[i], " ~^:?*[\\"))
            return 0;
    while (str_next(&rest, '/', &part))
        if (!part.n || part.p[0] == '.' || str_ends(part, S(".lock")))
            return 0;
    return s.n && s.p[0] != '-' && s.p[s.n - 1] != '.' && str_find(s, S("..")) == STR_NPOS &&
           str_find(s, S("@{")) == STR_NPOS && !str_eq_c(s, "@");
}

static int scalar_is_uid_range(struct str s)
{
    struct str first;
    int64_t low, high;

    return str_next(&s, '-', &first) && s.p && !str_to_i64(first, &low) && !str_to_i64(s, &high) &&
           low > 0 && low <= high && high < UINT32_MAX;
}

static int scalar_is_principal(struct str s)
{
    struct str kind;

    if (!str_next(&s, ':', &kind) || !s.n)
        return 0;
    for (size_t i = 0; i < s.n; i++)
        if (!scalar_is_alnum(s.p[i]) && !scalar_is_one_of(s.p[i], "._-"))
            return 0;
    return str_eq_c(kind, "user") || str_eq_c(kind, "group");
}

/* "@ENVIRONMENT" behind it, or nothing. */
static struct str scalar_cut_environment(struct str s, int *ret_is_right)
{
    struct str who;

    (void)str_next(&s, '@', &who);
    *ret_is_right = !s.p || scalar_is_name_glob(s);
    return who;
}

static int scalar_is_grant(struct str s)
{
    int is_right;
    struct str who = scalar_cut_environment(s, &is_right);

    return is_right && scalar_is_principal(who);
}

static int scalar_is_any_grant(struct str s)
{
    int is_right;
    struct str who = scalar_cut_environment(s, &is_right);

    return is_right && (str_eq_c(who, "*") || scalar_is_principal(who));
}

/* No options before it: ssh-keygen would read them. */
static int scalar_is_ssh_key(struct str s)
{
    struct str type, key, comment = s;

    if (!str_next(&comment, ' ', &type) || !str_next(&comment, ' ', &key) || !type.n || !key.n)
        return 0;
    for (size_t i = 0; i < type.n; i++)
        if (!scalar_is_alnum(type.p[i]) && !scalar_is_one_of(type.p[i], "@.-"))
            return 0;
    for (size_t i = 0; i < key.n; i++)
        if (!scalar_is_alnum(key.p[i]) && !scalar_is_one_of(key.p[i], "+/="))
            return 0;
    for (size_t i = 0; i < comment.n; i++)
        if (!scalar_is_plain(comment.p[i]))
            return 0;
    return 1;
}

static int scalar_is_sha256(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!scalar_is_digit(s.p[i]) && !scalar_is_one_of(s.p[i], "abcdef"))
            return 0;
    return s.n == 64;
}

static int scalar_is_file_or_name(struct str s)
{
    return scalar_is_name(s) || (scalar_is_file(s) && str_find_char(s, '/') != STR_NPOS);
}

static int scalar_is_age_recipient(struct str s)
{
    if (!str_starts(s, S("age1")) || s.n > SCALAR_RECIPIENT_MAX)
        return 0;
    for (size_t i = 0; i < s.n; i++)
        if (!scalar_is_one_of(s.p[i], scalar_lower) && !scalar_is_digit(s.p[i]))
            return 0;
    return s.n > sizeof("age1") - 1;
}

static int scalar_is_secret_path(struct str s)
{
    return scalar_is_file(s) && scalar_has_segments(s, 0) && str_find_char(s, '%') == STR_NPOS;
}

static int scalar_is_object_path(struct str s)
{
    return scalar_is_file(s) && s.p[0] != '/' && scalar_has_segments(s, 1) &&
           str_find_char(s, '%') == STR_NPOS;
}

static int scalar_is_store_path(struct str s)
{
    struct str store;

    return str_next(&s, ':', &store) && scalar_is_name(store) && s.p &&
           (!s.n || scalar_is_secret_path(s));
}

/* TEXT and WORD are any text here; their field says more. */
static const struct scalar {
    const char *name, *form;
    int (*match)(struct str s);
    int (*count)(struct str s, int64_t *ret);
} scalars[N_SCALARS] = {
#define SCALAR(id, name, form, match, count) { name, form, match, count },
#include "specs/scalars.def"
#undef SCALAR
};

const char *scalar_name(enum scalar_type type)
{
    return scalars[type].name;
}

const char *scalar_form(enum scalar_type type)
{
    return scalars[type].form;
}

int scalar_is_number(enum scalar_type type)
{
    return scalars[type].count != NULL;
}

int scalar_read(enum scalar_type type, struct str text, int64_t *ret_number)
{
    const struct scalar *s = &scalars[type];
    int64_t number = 0;

    if (s->match && !s->match(text))
        return -1;
    if (s->count && s->count(text, &number))
        return -1;
    *ret_number = number;
    return 0;
}
