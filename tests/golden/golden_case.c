/* SPDX-License-Identifier: Apache-2.0 */
#include "golden_case.h"

#include <stdlib.h>

#define GOLDEN_MARK S("=== ")
#define GOLDEN_REPEAT_MAX 1000000

static struct str unescape(struct arena *a, struct str text)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < text.n; i++) {
        char hex[3] = { 0 };

        if (text.p[i] == '\n')
            continue;
        if (text.p[i] != '\\' || i + 1 == text.n) {
            sb_add_char(&b, text.p[i]);
        } else if (text.p[i + 1] == 'n') {
            sb_add_char(&b, '\n');
            i++;
        } else if (text.p[i + 1] == 'x' && i + 3 < text.n) {
            hex[0] = text.p[i + 2];
            hex[1] = text.p[i + 3];
            sb_add_char(&b, (char)strtoul(hex, NULL, 16));
            i += 3;
        }
    }
    return sb_str(&b);
}

static struct str repeat(struct arena *a, struct str text, struct str count)
{
    int64_t n = 0;
    struct sb b;

    (void)str_to_i64(count, &n); /* a bad count repeats nothing, and the case fails */
    n = n < GOLDEN_REPEAT_MAX ? n : GOLDEN_REPEAT_MAX;
    sb_init(&b, a);
    if (str_ends(text, S("\n")))
        text.n--;
    while (n-- > 0)
        sb_add(&b, text);
    return sb_str(&b);
}

static void read_pairs(struct arena *a, struct str text, struct map *ret)
{
    struct str line, name;

    while (str_next(&text, '\n', &line)) {
        struct str *value = arena_new(a, struct str);

        if (!str_next(&line, ' ', &name) || !name.n || !value)
            continue;
        *value = str_trim(line);
        map_put(ret, name, value);
    }
}

static int add_section(struct arena *a, struct golden_case *c, struct str head, struct str body)
{
    struct str word = STR_NONE, path = STR_NONE, rest = head;
    struct str text = body;

    (void)str_next(&rest, ' ', &word); /* a head without a word is refused below */
    (void)str_next(&rest, ' ', &path);
    if (str_eq_c(word, "bytes"))
        text = unescape(a, body);
    if (str_eq_c(word, "repeat"))
        text = repeat(a, body, rest);
    if (str_eq_c(word, "trees") || str_eq_c(word, "secrets")) {
        int is_trees = str_eq_c(word, "trees");

        *(is_trees ? &c->has_trees : &c->has_secrets) = 1;
        read_pairs(a, body, is_trees ? &c->trees : &c->secrets);
    } else if (str_eq_c(word, "outputs")) {
        read_pairs(a, body, &c->outputs);
    } else if (str_eq_c(word, "show")) {
        c->show = str_slice(head, 5, head.n);
    } else if (str_eq_c(word, "daemon")) {
        c->daemon = (struct spec_file){ path, text };
    } else if ((str_eq_c(word, "file") || str_eq_c(word, "bytes") || str_eq_c(word, "repeat")) &&
               c->n_files < GOLDEN_FILES_MAX) {
        c->files[c->n_files++] = (struct spec_file){ path, text };
    } else {
        return -1;
    }
    return 0;
}

/* Index of the next line that begins a section, from `at` on; or the end. */
static size_t next_mark(struct str text, size_t at)
{
    for (; at < text.n; at++)
        if ((!at || text.p[at - 1] == '\n') && str_starts(str_slice(text, at, text.n), GOLDEN_MARK))
            return at;
    return text.n;
}

int golden_case_parse(struct arena *a, struct str text, struct golden_case *ret)
{
    size_t at = next_mark(text, 0);

    *ret = (struct golden_case){ 0 };
    map_init(&ret->trees, a);
    map_init(&ret->secrets, a);
    map_init(&ret->outputs, a);
    while (at < text.n) {
        size_t n_line = str_find_char(str_slice(text, at, text.n), '\n');
        size_t line_end = n_line == STR_NPOS ? text.n : at + n_line;
        size_t next = next_mark(text, line_end);
        struct str head = str_slice(text, at + GOLDEN_MARK.n, line_end - at - GOLDEN_MARK.n);

        if (str_eq_c(head, "output")) {
            if (n_line == STR_NPOS)
                return -1;
            ret->input = str_slice(text, 0, line_end + 1);
            ret->output = str_slice(text, line_end + 1, text.n);
            return 0;
        }
        if (!ret->title.p)
            ret->title = head;
        else if (add_section(a, ret, head, str_slice(text, line_end + 1, next - line_end - 1))) {
            return -1;
        }
        at = next;
    }
    return -1;
}
