/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/notify_template.h"

#include "reconciler/core/notify_text.h"

static void add_named(struct sb *b, struct str name, const struct notify_message *m,
                      struct str title, const struct notify_template_ways *ways)
{
    size_t max = str_eq_c(name, "text") ? NOTIFY_TEXT_MAX : NOTIFY_FIELD_MAX;
    struct str text = value_get_text(m->says, name, S(""));

    if (str_eq_c(name, "title")) /* words of ours, and a name that was checked */
        sb_add(b, title);
    else if (str_eq_c(name, "link"))
        sb_add(b, m->link);
    else if (text.n)
        ways->value(b, notify_text_cut(text, max));
}

/* Its lines stay lines. */
static void add_text(struct sb *b, struct str text, const struct notify_template_ways *ways)
{
    size_t end;

    while ((end = str_find_char(text, '\n')) != STR_NPOS) {
        ways->text(b, str_slice(text, 0, end));
        sb_add_char(b, '\n');
        text = str_slice(text, end + 1, text.n);
    }
    ways->text(b, text);
}

struct str notify_template_fill(struct arena *a, struct str template,
                                const struct notify_message *m, struct str title,
                                const struct notify_template_ways *ways, size_t max)
{
    struct sb b, piece;

    sb_init(&b, a);
    while (template.n) {
        size_t brace = str_find_char(template, '{'), end = str_find_char(template, '}');

        sb_init(&piece, a);
        if (brace || end == STR_NPOS) {
            end = brace == STR_NPOS || !brace ? template.n : brace;
            add_text(&piece, str_slice(template, 0, end), ways);
        } else {
            add_named(&piece, str_slice(template, 1, end - 1), m, title, ways);
            end++;
        }
        if (b.n + piece.n > max)
            break;
        sb_add(&b, sb_str(&piece));
        template = str_slice(template, end, template.n);
    }
    return sb_str(&b);
}
