/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/args.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/guard.h"
#include "reconciler/cli/cli.h"

/* Keys of options without a letter. */
enum {
    KEY_SERVER = 0x100,
    KEY_COLOUR,
    KEY_REASON,
    KEY_ALL,
    KEY_RECORDED,
    KEY_AT,
    KEY_SINCE,
    KEY_SERVICE,
    KEY_UNTIL,
    KEY_AS,
    KEY_RAW,
    KEY_REPLAY,
    KEY_HOLD_ALL,
    KEY_NO_WAIT,
    KEY_EXIT_CODE,
    KEY_TIMEOUT,
    KEY_VERSION,
};

struct option_row {
    unsigned option; /* 0: every verb has it */
    const char *name;
    int key;
    const char *value;
    const char *help;
};

/* clang-format off */
static const struct option_row rows[] = {
    { OPTION_ALL,       "all",       KEY_ALL,       NULL,      "every environment" },
    { OPTION_RECORDED,  "recorded",  KEY_RECORDED,  NULL,      "from the state file, without asking the daemon" },
    { OPTION_FILE,      "file",      'f',           "PATH",    "the specs of this work tree, offline" },
    { OPTION_EXIT_CODE, "exit-code", KEY_EXIT_CODE, NULL,      "exit status 2 when there are changes" },
    { OPTION_REASON,    "reason",    'm',           "TEXT",    "why; kept in the history" },
    { OPTION_AT,        "at",        KEY_AT,        "TIME",    "what was then: 2024-11-03T12:00Z, -2h" },
    { OPTION_SINCE,     "since",     KEY_SINCE,     "TIME",    "not what came before" },
    { OPTION_LIMIT,     "limit",     'n',           "N",       "at most so many events" },
    { OPTION_LINES,     "lines",     'n',           "N",       "so many lines of each instance" },
    { OPTION_RAW,       "raw",       KEY_RAW,       NULL,      "print control characters as they are" },
    { OPTION_SERVICE,   "service",   KEY_SERVICE,   "NAME",    "this service alone" },
    { OPTION_UNTIL,     "until",     KEY_UNTIL,     "TIME",    "ends by itself then: 18h, 2024-11-03T12:00Z" },
    { OPTION_AS,        "as",        KEY_AS,        "HOW",     "done, failed or retry" },
    { OPTION_NO_WAIT,   "no-wait",   KEY_NO_WAIT,   NULL,      "begin it and return" },
    { OPTION_TIMEOUT,   "timeout",   KEY_TIMEOUT,   "SECONDS", "stop watching after so long; it goes on" },
    { OPTION_REPLAY,    "replay",    KEY_REPLAY,    NULL,      "rebuild every table from the events and compare" },
    { OPTION_HOLD_ALL,  "hold-all",  KEY_HOLD_ALL,  NULL,      "observe and plan, apply nothing" },
    { 0,                "config",    'c',           "FILE",    "else $REEVE_CONFIG, ./reeve.yaml, /etc/reeve/reeve.yaml" },
    { 0,                "server",    KEY_SERVER,    "SOCKET",  "of the daemon, else the configuration's" },
    { 0,                "output",    'o',           "FORMAT",  "text or json" },
    { 0,                "color",     KEY_COLOUR,    "WHEN",    "auto, always or never; NO_COLOR is respected" },
    { 0,                "quiet",     'q',           NULL,      "no notes on what happens" },
    { 0,                "help",      'h',           NULL,      "this page" },
    { 0,                "version",   KEY_VERSION,   NULL,      "of this program" },
};
/* clang-format on */

static int parse_word(const char *text, const char *const *words, size_t n, int *ret)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(text, words[i])) {
            *ret = (int)i;
            return 0;
        }
    return EINVAL;
}

static int parse_count(const char *text, int64_t *ret)
{
    return str_to_i64(str_from_c(text), ret) || *ret <= 0 ? EINVAL : 0;
}

static int parse_choice(int key, const char *arg, struct cli_args *args)
{
    static const char *const outputs[] = { "text", "json" };
    static const char *const colours[] = { "auto", "always", "never" };
    int choice = 0;
    int rc = key == 'o' ? parse_word(arg, outputs, N_ELEMENTS(outputs), &choice)
                        : parse_word(arg, colours, N_ELEMENTS(colours), &choice);

    if (!rc && key == 'o')
        args->output = (enum cli_output)choice;
    else if (!rc)
        args->colour = (enum cli_colour)choice;
    return rc;
}

static error_t parse_flag(int key, struct cli_args *args)
{
    const struct {
        int key, *flag;
    } flags[] = {
        { KEY_ALL, &args->all },
        { KEY_RECORDED, &args->recorded },
        { KEY_RAW, &args->raw },
        { KEY_REPLAY, &args->replay },
        { KEY_HOLD_ALL, &args->hold_all },
        { KEY_NO_WAIT, &args->no_wait },
        { KEY_EXIT_CODE, &args->exit_code },
        { 'q', &args->quiet },
        { 'h', &args->help },
        { KEY_VERSION, &args->version },
    };

    for (size_t i = 0; i < N_ELEMENTS(flags); i++)
        if (flags[i].key == key) {
            *flags[i].flag = 1;
            return 0;
        }
    return ARGP_ERR_UNKNOWN;
}

static error_t parse_text(int key, const char *arg, struct cli_args *args)
{
    const struct {
        int key;
        struct str *text;
    } texts[] = {
        { 'm', &args->reason },          { KEY_AT, &args->at },       { KEY_SINCE, &args->since },
        { KEY_SERVICE, &args->service }, { KEY_UNTIL, &args->until }, { KEY_AS, &args->as },
    };

    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        if (texts[i].key == key) {
            *texts[i].text = str_from_c(arg);
            return 0;
        }
    return ARGP_ERR_UNKNOWN;
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct cli_args *args = state->input;
    error_t rc;

    switch (key) {
    case 'c':
        args->config = arg;
        return 0;
    case 'f':
        args->file = arg;
        return 0;
    case KEY_SERVER:
        args->server = arg;
        return 0;
    case 'o':
    case KEY_COLOUR:
        return parse_choice(key, arg, args);
    case 'n':
        return parse_count(arg, args->verb->options & OPTION_LINES ? &args->lines : &args->limit);
    case KEY_TIMEOUT:
        return parse_count(arg, &args->timeout_s);
    case ARGP_KEY_ARG: {
        struct str *slot = vec_push(args->arena, &args->words);

        if (slot)
            *slot = str_from_c(arg);
        if (!args->verb)
            state->next = state->argc; /* the verb's own options are read once it is known */
        return 0;
    }
    default:
        rc = parse_flag(key, args);
        return rc == ARGP_ERR_UNKNOWN ? parse_text(key, arg, args) : rc;
    }
}

/* The nearest option, for a word that begins with "--". */
static struct str nearest_option(struct str word, unsigned options)
{
    size_t best = 3;
    struct str found = STR_NONE, name = str_slice(word, 2, SIZE_MAX);

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        size_t d = str_distance(name, str_from_c(rows[i].name), best);

        if (d < best && (!rows[i].option || rows[i].option & options)) {
            best = d;
            found = str_from_c(rows[i].name);
        }
    }
    return found;
}

static int refuse_option(const struct cli_args *args, const char *word, struct err *err)
{
    unsigned options = args->verb ? args->verb->options : 0;
    struct str near = str_starts(str_from_c(word), S("--"))
                          ? nearest_option(str_from_c(word), options)
                          : STR_NONE;

    if (near.n && !str_eq(str_slice(str_from_c(word), 2, SIZE_MAX), near))
        return err_set(err, ERR_USAGE, "no option '%s': did you mean --%.*s?", word, STR_ARG(near));
    return err_set(err, ERR_USAGE,
                   "option '%s' is unknown here or lacks a good value: reeve%s%s --help", word,
                   args->verb ? " " : "", args->verb ? args->verb->name : "");
}

/* argp stopped behind the option, or behind its value. */
static const char *refused_word(int argc, char **argv, int index)
{
    int at = index > 0 && index <= argc ? index - 1 : argc - 1;

    return at > 0 && argv[at][0] != '-' && argv[at - 1][0] == '-' ? argv[at - 1] : argv[at];
}

/* One pass: argp with the rows that apply. *ret_next: where the words after the first one begin. */
static int parse_pass(int argc, char **argv, struct cli_args *args, struct err *err)
{
    struct argp_option options[N_ELEMENTS(rows) + 1] = { 0 };
    const struct argp argp = { .options = options, .parser = parse_one };
    unsigned set = args->verb ? args->verb->options : 0;
    int index = 0;
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (!rows[i].option || rows[i].option & set)
            options[n++] = (struct argp_option){ .name = rows[i].name,
                                                 .key = rows[i].key,
                                                 .arg = rows[i].value };
    if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_EXIT | ARGP_NO_ERRS | ARGP_NO_HELP,
                   &index, args))
        return refuse_option(args, refused_word(argc, argv, index), err);
    return 0;
}

static int find_verb(struct cli_args *args, struct err *err)
{
    struct str name = args->words.p[0], near;

    args->verb = cli_find_verb(name);
    if (args->verb)
        return 0;
    near = cli_nearest_verb(name);
    if (near.n)
        return err_set(err, ERR_USAGE, "no verb '%.*s': did you mean '%.*s'?", STR_ARG(name),
                       STR_ARG(near));
    return err_set(err, ERR_USAGE, "no verb '%.*s': reeve --help", STR_ARG(name));
}

static int check_words(const struct cli_args *args, struct err *err)
{
    const struct cli_verb *verb = args->verb;

    if (args->help || (args->words.n >= verb->args_min && args->words.n <= verb->args_max))
        return 0;
    return err_set(err, ERR_USAGE, "usage: reeve %s%s%s%s", verb->name,
                   verb->options ? " [OPTION...]" : "", *verb->args ? " " : "", verb->args);
}

int args_parse(struct arena *a, int argc, char **argv, struct cli_args *ret, struct err *err)
{
    struct cli_args args = { .arena = a };
    int at = 1, rc = parse_pass(argc, argv, &args, err);

    if (!rc && args.words.n) {
        while (argv[at] != args.words.p[0].p) /* the very pointer that argp gave us */
            at++;
        rc = find_verb(&args, err);
        args.words.n = 0;
        if (!rc)
            rc = parse_pass(argc - at, argv + at, &args, err);
        if (!rc)
            rc = check_words(&args, err);
    }
    *ret = args; /* also on failure: how the error is to be printed */
    return rc ? rc : arena_status(a, err);
}

void args_write_options(struct sb *b, unsigned options)
{
    for (int common = 0; common < 2; common++)
        for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
            const struct option_row *row = &rows[i];
            size_t from = b->n;

            if (common != !row->option || !(!row->option || row->option & options))
                continue;
            if (row->key < 0x80)
                sb_addf(b, "  -%c, --%s", row->key, row->name);
            else
                sb_addf(b, "      --%s", row->name);
            if (row->value)
                sb_addf(b, "=%s", row->value);
            while (b->n - from < 26)
                sb_add_char(b, ' ');
            sb_addf(b, " %s\n", row->help);
        }
}

/* --- times --------------------------------------------------------------------------------------- */

static int64_t unit_ms(struct str unit)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "ms", 1 },      { "s", 1000 },     { "m", 60000 },    { "min", 60000 },
                  { "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 } };

    for (size_t i = 0; i < N_ELEMENTS(units); i++)
        if (str_eq_c(unit, units[i].name))
            return units[i].ms;
    return 0;
}

/* "-2h", "30m" */
static int relative_time(struct str text, int sign, int64_t now_ms, int64_t *ret)
{
    size_t n = 0;
    int64_t number, ms;

    if (text.n && (text.p[0] == '-' || text.p[0] == '+')) {
        sign = text.p[0] == '-' ? -1 : 1;
        text = str_slice(text, 1, SIZE_MAX);
    }
    while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
        n++;
    ms = unit_ms(str_slice(text, n, SIZE_MAX));
    if (!ms || !n || n > 9 || str_to_i64(str_slice(text, 0, n), &number))
        return -1;
    *ret = now_ms + sign * number * ms;
    return 0;
}

static int zone_ms(const char *zone, int64_t *ret)
{
    int hours, minutes;
    char sign, end;

    if (!strcmp(zone, "Z")) {
        *ret = 0;
        return 0;
    }
    if (sscanf(zone, "%c%2d:%2d%c", &sign, &hours, &minutes, &end) != 3 ||
        (sign != '+' && sign != '-') || hours > 14 || minutes > 59)
        return -1;
    *ret = (sign == '-' ? -1 : 1) * (hours * 60 + minutes) * 60000;
    return 0;
}

int args_time(struct str text, int sign, int64_t now_ms, int64_t *ret, struct err *err)
{
    static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
                                           "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d" };
    char buffer[64];
    int64_t offset_ms;

    if (str_eq_c(text, "now")) {
        *ret = now_ms;
        return 0;
    }
    if (!relative_time(text, sign, now_ms, ret))
        return 0;
    if (text.n < sizeof(buffer)) {
        memcpy(buffer, text.p, text.n);
        buffer[text.n] = 0;
        for (size_t i = 0; i < N_ELEMENTS(formats); i++) {
            struct tm tm = { .tm_isdst = -1 };
            const char *rest = strptime(buffer, formats[i], &tm);

            if (rest && !*rest) { /* no zone: as the clock on the wall */
                *ret = (int64_t)mktime(&tm) * 1000;
                return 0;
            }
            if (rest && !zone_ms(rest, &offset_ms)) {
                *ret = (int64_t)timegm(&tm) * 1000 - offset_ms;
                return 0;
            }
        }
    }
    return err_set(err, ERR_USAGE, "'%.*s' is not a time: 2024-11-20T10:37:11Z or -2h",
                   STR_ARG(text));
}
