/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/options.h"

#include "base/guard.h"

#define HELP_COLUMN 27

/* clang-format off */
static const struct options_row rows[] = {
    { OPTION_TOKEN,     "role",      KEY_ROLE,      "ROLE",    "viewer, operator, approver, admin, override or scrape; may be repeated" },
    { OPTION_TOKEN,     "env",       KEY_ENV,       "PATTERN", "in these environments alone, '*' is any text; may be repeated" },
    { OPTION_TOKEN,     "expires",   KEY_EXPIRES,   "TIME",    "when it expires: 30d, 2025-11-03" },
    { OPTION_TOKEN,     "admin",     KEY_ADMIN,     NULL,      "the role admin, everywhere" },
    { OPTION_ALL,       "all",       KEY_ALL,       NULL,      "every environment" },
    { OPTION_RECORDED,  "recorded",  KEY_RECORDED,  NULL,      "from the state file, without asking the daemon" },
    { OPTION_FILE,      "file",      'f',           "PATH",    "the specs of this work tree, offline" },
    { OPTION_DIFF,      "diff",      KEY_DIFF,      NULL,      "what differs between two: revisions by number, digest or commit; or the instants of --from and --to" },
    { OPTION_REF,       "ref",       KEY_REF,       "REV",     "of a commit that is not merged: branch, tag or id" },
    { OPTION_EXIT_CODE, "exit-code", KEY_EXIT_CODE, NULL,      "exit status 2 when there are changes" },
    { OPTION_REASON,    "reason",    'm',           "TEXT",    "why; kept in the history" },
    { OPTION_HISTORY,   "at",        KEY_AT,        "TIME",    "what was then: 2024-11-03T12:00Z, -2h" },
    { OPTION_HISTORY,   "actor",     KEY_ACTOR,     "ACTOR",   "what this one did: local:ann(1000), reeve" },
    { OPTION_HISTORY,   "plan",      KEY_PLAN,      "PLAN",    "what was decided and done of this plan" },
    { OPTION_HISTORY,   "commit",    KEY_COMMIT,    "COMMIT",  "what names this commit, and its plans" },
    { OPTION_SINCE,     "since",     KEY_SINCE,     "TIME",    "not what came before" },
    { OPTION_LIMIT,     "limit",     'n',           "N",       "at most so many events" },
    { OPTION_LINES,     "lines",     'n',           "N",       "so many lines of each instance" },
    { OPTION_RAW,       "gone",      KEY_GONE,      NULL,      "of instances that are gone, the newest first" },
    { OPTION_RAW,       "raw",       KEY_RAW,       NULL,      "print control characters as they are" },
    { OPTION_SERVICE,   "service",   KEY_SERVICE,   "NAME",    "only what changes this service" },
    { OPTION_UNTIL,     "until",     KEY_UNTIL,     "TIME",    "ends by itself then: 18h, 2024-11-03T12:00Z" },
    { OPTION_AS,        "as",        KEY_AS,        "HOW",     "done, failed or retry" },
    { OPTION_CLOCK,     "clock",     KEY_CLOCK,     NULL,      "the wall clock is right" },
    { OPTION_SIGN,      "sign",      KEY_SIGN,      "KEY",     "sign the plan's id with this SSH key" },
    { OPTION_BUNDLE,    "bundle",    KEY_BUNDLE,    "FILE",    "a git bundle; its signature is FILE.sig" },
    { OPTION_OVERRIDE,  "override",  KEY_OVERRIDE,  NULL,      "whatever approvals it lacks, for an hour, or whatever hold there is; a role of its own" },
    { OPTION_BREAK_GLASS, "break-glass", KEY_BREAK_GLASS, NULL, "take a role that is lacking, in an emergency" },
    { OPTION_NO_WAIT,   "no-wait",   KEY_NO_WAIT,   NULL,      "begin it and return" },
    { OPTION_TIMEOUT,   "timeout",   KEY_TIMEOUT,   "TIME",    "stop watching after so long, 90s, 5m; it goes on" },
    { OPTION_AUDIT,     "replay",    KEY_REPLAY,    NULL,      "rebuild every table from the events and compare" },
    { OPTION_AUDIT,     "incremental", KEY_INCREMENTAL, NULL, "only what came after the last event that was verified" },
    { OPTION_AUDIT,     "anchors",   KEY_ANCHORS,   "PATH",    "heads that were noted elsewhere, each of which has to be in the export: a file, a clone of their repository, a copy of their bucket, or an export with time stamps" },
    { OPTION_AUDIT,     "authority", KEY_AUTHORITY, "FILE",    "the certificates that time stamps have to lead to; without it they are not checked" },
    { OPTION_SPAN,      "from",      KEY_FROM,      "TIME",    "not what came before" },
    { OPTION_SPAN,      "to",        KEY_TO,        "TIME",    "not what came after" },
    { OPTION_HOLD_ALL,  "hold-all",  KEY_HOLD_ALL,  NULL,      "observe and plan, apply nothing" },
    { OPTION_FOLLOW,    "follow",    KEY_FOLLOW,    "URL",     "be the standby of the daemon at unix:PATH or http(s)://HOST:PORT" },
    { OPTION_ALONE,     "alone",     KEY_ALONE,     "REASON",  "act although the other daemon of the pair cannot be asked" },
    { OPTION_FENCED,    "primary-is-fenced", KEY_FENCED, "REASON", "how it is known that the other daemon does nothing any more" },
    { OPTION_FENCED,    "without-keys", KEY_WITHOUT_KEYS, NULL, "also where keys of the other daemon were not copied here" },
    { 0,                "config",    'c',           "FILE",    "else $REEVE_CONFIG, ./reeve.yaml, /etc/reeve/reeve.yaml" },
    { 0,                "server",    KEY_SERVER,    "SOCKET|URL", "of the daemon, else $REEVE_SERVER, the configuration's socket" },
    { 0,                "token",     KEY_TOKEN,     "@FILE|-", "for a URL: in a file, or on standard input; else $REEVE_TOKEN_FILE" },
    { 0,                "ca",        KEY_CA,        "FILE",    "for https: who signed its certificate, else those whom this machine trusts" },
    { 0,                "output",    'o',           "FORMAT",  "text or json; of a plan also markdown, a comment for a forge" },
    { 0,                "color",     KEY_COLOUR,    "WHEN",    "auto, always or never; NO_COLOR is respected" },
    { 0,                "quiet",     'q',           NULL,      "no notes on what happens" },
    { 0,                "help",      'h',           NULL,      "this page" },
    { 0,                "version",   KEY_VERSION,   NULL,      "the version of this program" },
};
/* clang-format on */

_Static_assert(N_ELEMENTS(rows) <= OPTIONS_MAX, "args.c has as much room");

static void write_row(struct sb *b, const struct options_row *row)
{
    size_t from = b->n;

    if (row->key < OPTIONS_LETTERS)
        sb_addf(b, "  -%c, --%s", row->key, row->name);
    else
        sb_addf(b, "      --%s", row->name);
    if (row->value)
        sb_addf(b, "=%s", row->value);
    if (b->n - from > HELP_COLUMN - 2) {
        sb_add_char(b, '\n');
        from = b->n;
    }
    while (b->n - from < HELP_COLUMN)
        sb_add_char(b, ' ');
    sb_addf(b, "%s\n", row->help);
}

const struct options_row *options_get(size_t i)
{
    return i < N_ELEMENTS(rows) ? &rows[i] : NULL;
}

int options_has(unsigned of, const struct options_row *row)
{
    return !row->of || row->of & of;
}

int options_letter(const struct options_row *row)
{
    return row->key < OPTIONS_LETTERS ? row->key : 0;
}

const struct options_row *options_find_key(unsigned of, int key)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (rows[i].key == key && options_has(of, &rows[i]))
            return &rows[i];
    return NULL;
}

const struct options_row *options_find_name(unsigned of, struct str name)
{
    const struct options_row *found = NULL;
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct str whole = str_from_c(rows[i].name);

        if (!options_has(of, &rows[i]) || !str_starts(whole, name))
            continue;
        found = &rows[i];
        if (whole.n == name.n)
            return found;
        n++;
    }
    return n == 1 ? found : NULL;
}

struct str options_nearest(unsigned of, struct str name)
{
    size_t best = 3;
    struct str found = STR_NONE;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct str whole = str_from_c(rows[i].name);
        size_t d = str_starts(whole, name) && name.n ? 0 : str_distance(name, whole, best);

        if (d < best && options_has(of, &rows[i])) {
            best = d;
            found = whole;
        }
    }
    return found;
}

void options_write(struct sb *b, unsigned of)
{
    for (int common = 0; common < 2; common++)
        for (size_t i = 0; i < N_ELEMENTS(rows); i++)
            if (common == !rows[i].of && options_has(of, &rows[i]))
                write_row(b, &rows[i]);
}
