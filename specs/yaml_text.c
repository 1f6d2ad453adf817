/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/yaml_text.h"

#define YAML_BOM S("\xef\xbb\xbf")

static int yaml_text_is_continued(char c) /* not the first byte of a code point */
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

void yaml_text_init(struct yaml_text *t, struct str text)
{
    *t = (struct yaml_text){ .bytes = text.p ? text : S("") };
    if (str_starts(text, YAML_BOM))
        t->bytes = str_slice(text, YAML_BOM.n, text.n);
}

static int yaml_text_refuse(struct spec_messages *m, struct value_place place, struct str rule,
                            const char *why)
{
    spec_message_add(m, SPEC_ERROR, place, rule, STR_NONE, "%s", why);
    return -1;
}

int yaml_text_check(const struct yaml_text *t, const struct str *file, size_t limit_bytes,
                    struct spec_messages *m)
{
    struct value_place start = { file, 1, 1 };
    size_t nul = str_find_char(t->bytes, '\0');
    int is_directive = str_starts(t->bytes, S("%")) || str_find(t->bytes, S("\n%")) != STR_NPOS;

    if (t->bytes.n > limit_bytes) {
        spec_message_add(m, SPEC_ERROR, start, S("limit"), STR_NONE,
                         "the file has %zu bytes, at most %zu are read", t->bytes.n, limit_bytes);
        return -1;
    }
    if (str_starts(t->bytes, S("\xff\xfe")) || str_starts(t->bytes, S("\xfe\xff")))
        return yaml_text_refuse(m, start, S("yaml"), "UTF-16: write the file as UTF-8");
    if (nul != STR_NPOS)
        return yaml_text_refuse(m, yaml_text_place(t, file, nul), S("yaml"), "a NUL byte");
    if (is_directive)
        return yaml_text_refuse(m,
                                str_starts(t->bytes, S("%"))
                                    ? start
                                    : yaml_text_place(t, file, str_find(t->bytes, S("\n%")) + 1),
                                S("yaml"),
                                "directives (a line that begins with '%') are not supported");
    return 0;
}

struct value_place yaml_text_place(const struct yaml_text *t, const struct str *file, size_t offset)
{
    struct value_place place = { file, 1, 1 };

    for (size_t i = 0; i < offset && i < t->bytes.n; i++) {
        if (t->bytes.p[i] == '\n') {
            place.line++;
            place.column = 1;
        } else if (!yaml_text_is_continued(t->bytes.p[i])) {
            place.column++;
        }
    }
    return place;
}

int yaml_text_is_tab(const struct yaml_text *t, struct value_place place)
{
    struct str line = yaml_text_line(t->bytes, place.line);
    uint32_t column = 1;

    for (size_t i = 0; i < line.n && column <= place.column; i++) {
        if (column == place.column && !yaml_text_is_continued(line.p[i]))
            return line.p[i] == '\t';
        column += !yaml_text_is_continued(line.p[i]);
    }
    return 0;
}

/* Step over one code point; 1 when it is a tab outside a comment. */
static int yaml_text_step(struct yaml_text *t)
{
    char c = t->bytes.p[t->at++];

    while (t->at < t->bytes.n && yaml_text_is_continued(t->bytes.p[t->at]))
        t->at++;
    t->index++;
    t->column++;
    if (c == '\n') {
        t->line++;
        t->column = 0;
    }
    if (c == '\n' || c == '\r')
        t->in_comment = 0;
    else if (c == '#')
        t->in_comment = 1;
    return c == '\t' && !t->in_comment;
}

int yaml_text_tab_before(struct yaml_text *t, const struct str *file, size_t from, size_t to,
                         struct value_place *ret)
{
    int found = 0;

    while (t->at < t->bytes.n && t->index < from) {
        struct value_place place = { file, t->line + 1, t->column + 1 };

        if (yaml_text_step(t) && !found) {
            *ret = place;
            found = 1;
        }
    }
    while (t->at < t->bytes.n && t->index < to) {
        (void)yaml_text_step(t); /* inside the event: text may hold tabs and '#' */
        t->in_comment = 0;
    }
    return found;
}

struct str yaml_text_line(struct str text, uint32_t line)
{
    struct str part = STR_NONE;

    for (uint32_t i = 0; i < line; i++)
        if (!str_next(&text, '\n', &part))
            return STR_NONE;
    return str_ends(part, S("\r")) ? str_slice(part, 0, part.n - 1) : part;
}
