/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/notify_events.h"

#include "base/guard.h"
#include "specs/schema_path.h"

/* clang-format off */
const struct notify_event notify_events[N_NOTIFY_WORDS] = {
#define NOTIFY_WORD(word, scope, end, severity, title, text)                                       \
    { #word, NOTIFY_##scope, NOTIFY_##end, NOTIFY_##severity, title, text },
#include "specs/notify_events.def"
};

const struct notify_made notify_events_made[] = {
#define NOTIFY_MADE(word, record, column, from, to) { NOTIFY_IS_##word, #record, #column, from, to },
#include "specs/notify_events.def"
};

#define LISTED_ENVIRONMENT(word) "|" #word
#define LISTED_DAEMON(word)
#define LISTED_FORGE(word)
const char notify_events_words[] =
#define NOTIFY_WORD(word, scope, end, severity, title, text) LISTED_##scope(word)
#include "specs/notify_events.def"
    ;
#undef LISTED_DAEMON
#define LISTED_DAEMON(word) "|" #word
const char notify_events_daemon_words[] =
#define NOTIFY_WORD(word, scope, end, severity, title, text) LISTED_##scope(word)
#include "specs/notify_events.def"
    ;
/* clang-format on */
const size_t notify_events_n_made = N_ELEMENTS(notify_events_made);

const struct notify_event *notify_events_find(struct str word)
{
    for (size_t i = 0; i < N_NOTIFY_WORDS; i++)
        if (str_eq_c(word, notify_events[i].word))
            return &notify_events[i];
    return NULL;
}

const char *notify_events_severity(enum notify_severity severity)
{
    static const char *const words[] = { "info", "warning", "error", "critical" };

    return words[severity];
}

static int is_meant(struct str text, const char *to)
{
    struct str wanted = str_from_c(to);

    if (!str_ends(wanted, S("*")))
        return str_eq(text, wanted);
    return text.n && str_starts(text, str_slice(wanted, 0, wanted.n - 1));
}

int notify_events_is_meant(const struct notify_made *made, struct str now)
{
    return is_meant(now, made->to);
}

int notify_events_matches(const struct notify_made *made, struct str before, struct str now)
{
    if (!is_meant(now, made->to))
        return 0;
    if (made->from[0])
        return schema_is_word(before, made->from);
    return str_eq_c(str_from_c(made->to), "*") ? !str_eq(before, now) : !is_meant(before, made->to);
}

/* --- the page ------------------------------------------------------------------------------------ */

static void add_made(struct sb *b, enum notify_word word)
{
    size_t n = 0;

    for (size_t i = 0; i < notify_events_n_made; i++) {
        const struct notify_made *m = &notify_events_made[i];

        if (m->word == word)
            sb_addf(b, "%s`%s.%s` %s", n++ ? ", " : "", m->record, m->column,
                    str_eq_c(str_from_c(m->to), "*") ? "says something new" : m->to);
    }
    if (!n)
        sb_add_c(b, "nothing yet");
}

struct str notify_events_page(struct arena *a)
{
    static const char *const scopes[] = { "an environment", "the daemon", "a commit status alone" };
    struct sb b;

    sb_init(&b, a);
    sb_add_c(&b,
             "# What somebody can be told\n\nMade from `specs/notify_events.def`; how it is told: "
             "[notifications](notifications.md).\n\n"
             "| word | of | severity | how often | when | made by |\n"
             "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < N_NOTIFY_WORDS; i++) {
        const struct notify_event *e = &notify_events[i];

        sb_addf(&b, "| `%s` | %s | %s | %s | %s | ", e->word, scopes[e->scope],
                notify_events_severity(e->severity),
                e->end == NOTIFY_TERMINAL ? "once a subject" : "each time", e->text);
        add_made(&b, (enum notify_word)i);
        sb_add_c(&b, " |\n");
    }
    return sb_str(&b);
}
