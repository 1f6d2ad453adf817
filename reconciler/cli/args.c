/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/args.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/cli/args_time.h"
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
    KEY_GONE,
    KEY_REPLAY,
    KEY_HOLD_ALL,
    KEY_NO_WAIT,
    KEY_CLOCK,
    KEY_SIGN,
    KEY_BUNDLE,
    KEY_OVERRIDE,
    KEY_BREAK_GLASS,
    KEY_EXIT_CODE,
    KEY_TIMEOUT,
    KEY_DIFF,
    KEY_REF,
    KEY_TOKEN,
    KEY_CA,
    KEY_ROLE,
    KEY_ENV,
    KEY_EXPIRES,
    KEY_ADMIN,
    KEY_FOLLOW,
    KEY_ALONE,
    KEY_FENCED,
    KEY_WITHOUT_KEYS,
    KEY_ACTOR,
    KEY_PLAN,
    KEY_COMMIT,
    KEY_FROM,
    KEY_TO,
    KEY_INCREMENTAL,
    KEY_ANCHORS,
    KEY_AUTHORITY,
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
    { OPTION_TOKEN,     "role",      KEY_ROLE,      "ROLE",    "viewer, operator, approver, admin, override or scrape; again for one more" },
    { OPTION_TOKEN,     "env",       KEY_ENV,       "PATTERN", "in these environments alone, '*' is any part; again for one more" },
    { OPTION_TOKEN,     "expires",   KEY_EXPIRES,   "TIME",    "good no longer: 30d, 2025-11-03" },
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
    { OPTION_AUDIT,     "anchors",   KEY_ANCHORS,   "PATH",    "heads that were noted elsewhere, a file or a clone of the repository that keeps them, or an export with time stamps: each is to stand in the export" },
    { OPTION_AUDIT,     "authority", KEY_AUTHORITY, "FILE",    "the certificates that time stamps have to lead to; without them they are not checked" },
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
    { 0,                "version",   KEY_VERSION,   NULL,      "of this program" },
};
/* clang-format on */

/* --- options ------------------------------------------------------------------------------------- */

static int is_allowed(const struct cli_args *args, const struct option_row *row)
{
    return !row->option || (args->verb && row->option & args->verb->options);
}

/* The row that gave argp this key; several verbs may share a letter. */
static const struct option_row *row_of(const struct cli_args *args, int key)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (rows[i].key == key && is_allowed(args, &rows[i]))
            return &rows[i];
    UNREACHABLE();
}

static error_t refuse_value(struct cli_args *args, int key, const char *arg, const char *wanted)
{
    (void)err_set(&args->refusal, ERR_USAGE, "--%s is %s, not '%s'", row_of(args, key)->name,
                  wanted, arg);
    return EINVAL;
}

static error_t parse_count(int key, const char *arg, struct cli_args *args)
{
    int64_t *to = args->verb->options & OPTION_LINES ? &args->lines : &args->limit;

    if (str_to_i64(str_from_c(arg), to) || *to <= 0)
        return refuse_value(args, key, arg, "a number above 0");
    return 0;
}

/* A bare number is seconds. */
static error_t parse_timeout(const char *arg, struct cli_args *args)
{
    struct str text = str_from_c(arg);
    int64_t seconds;

    if (!str_to_i64(text, &seconds) && seconds > 0 && seconds <= INT32_MAX)
        args->timeout_ms = seconds * 1000;
    else if (args_time_length(text, &args->timeout_ms) || args->timeout_ms <= 0)
        return refuse_value(args, KEY_TIMEOUT, arg, "a time such as 90s or 5m");
    return 0;
}

/* Some formats are of some verbs alone. */
static error_t parse_output(const char *arg, struct cli_args *args)
{
    static const struct {
        const char *word;
        unsigned option;
    } outputs[] = { [OUTPUT_TEXT] = { "text", 0 },
                    [OUTPUT_JSON] = { "json", 0 },
                    [OUTPUT_MARKDOWN] = { "markdown", OPTION_MARKDOWN },
                    [OUTPUT_SARIF] = { "sarif", OPTION_SARIF },
                    [OUTPUT_JSONL] = { "jsonl", OPTION_AUDIT },
                    [OUTPUT_CSV] = { "csv", OPTION_AUDIT } };
    unsigned options = args->verb ? args->verb->options : 0;

    for (size_t i = 0; i < N_ELEMENTS(outputs); i++)
        if (!strcmp(arg, outputs[i].word) && (outputs[i].option & options) == outputs[i].option) {
            args->output = (enum cli_output)i;
            return 0;
        }
    return refuse_value(args, 'o', arg,
                        options & OPTION_MARKDOWN ? "text, json or markdown"
                        : options & OPTION_SARIF  ? "text, json or sarif"
                        : options & OPTION_AUDIT  ? "text, json, jsonl or csv"
                                                  : "text or json");
}

static error_t parse_colour(const char *arg, struct cli_args *args)
{
    static const char *const colours[] = { "auto", "always", "never" };

    for (size_t i = 0; i < N_ELEMENTS(colours); i++)
        if (!strcmp(arg, colours[i])) {
            args->colour = (enum cli_colour)i;
            return 0;
        }
    return refuse_value(args, KEY_COLOUR, arg, "auto, always or never");
}

static error_t parse_flag(int key, struct cli_args *args)
{
    const struct {
        int key, *flag;
    } flags[] = {
        { KEY_ALL, &args->all },
        { KEY_RECORDED, &args->recorded },
        { KEY_RAW, &args->raw },
        { KEY_GONE, &args->gone },
        { KEY_REPLAY, &args->replay },
        { KEY_HOLD_ALL, &args->hold_all },
        { KEY_NO_WAIT, &args->no_wait },
        { KEY_CLOCK, &args->clock },
        { KEY_OVERRIDE, &args->override },
        { KEY_BREAK_GLASS, &args->break_glass },
        { KEY_EXIT_CODE, &args->exit_code },
        { KEY_DIFF, &args->diff },
        { KEY_ADMIN, &args->admin },
        { KEY_WITHOUT_KEYS, &args->without_keys },
        { KEY_INCREMENTAL, &args->incremental },
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
        { 'm', &args->reason },        { KEY_AT, &args->at },
        { KEY_SINCE, &args->since },   { KEY_SERVICE, &args->service },
        { KEY_UNTIL, &args->until },   { KEY_AS, &args->as },
        { KEY_REF, &args->ref },       { KEY_EXPIRES, &args->expires },
        { KEY_FOLLOW, &args->follow }, { KEY_ALONE, &args->alone },
        { KEY_FENCED, &args->fenced }, { KEY_FROM, &args->from },
        { KEY_TO, &args->to },         { KEY_ACTOR, &args->actor },
        { KEY_PLAN, &args->plan },     { KEY_COMMIT, &args->commit },
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
    case KEY_TOKEN:
        args->token = arg;
        return 0;
    case KEY_CA:
        args->ca = arg;
        return 0;
    case KEY_SIGN:
        args->sign = arg;
        return 0;
    case KEY_BUNDLE:
        args->bundle = arg;
        return 0;
    case KEY_ANCHORS:
        args->anchors = arg;
        return 0;
    case KEY_AUTHORITY:
        args->authority = arg;
        return 0;
    case 'o':
        return parse_output(arg, args);
    case KEY_COLOUR:
        return parse_colour(arg, args);
    case 'n':
        return parse_count(key, arg, args);
    case KEY_TIMEOUT:
        return parse_timeout(arg, args);
    case KEY_ROLE:
    case KEY_ENV: {
        struct str *slot = key == KEY_ROLE ? vec_push(args->arena, &args->roles)
                                           : vec_push(args->arena, &args->envs);

        if (slot)
            *slot = str_from_c(arg);
        return 0;
    }
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

/* The row of an allowed option: whole, or as its only beginning as getopt takes it; NULL: none. *ret_n: how many there may be. */
static const struct option_row *long_row(const struct cli_args *args, struct str name,
                                         size_t *ret_n)
{
    const struct option_row *found = NULL;

    *ret_n = 0;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct str whole = str_from_c(rows[i].name);

        if (!is_allowed(args, &rows[i]) || !str_starts(whole, name))
            continue;
        found = &rows[i];
        ++*ret_n;
        if (whole.n != name.n)
            continue;
        *ret_n = 1;
        break;
    }
    return *ret_n == 1 ? found : NULL;
}

static const struct option_row *short_row(const struct cli_args *args, char letter)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (rows[i].key == letter && is_allowed(args, &rows[i]))
            return &rows[i];
    return NULL;
}

/* The nearest long option. */
static struct str nearest_option(const struct cli_args *args, struct str name)
{
    size_t best = 3;
    struct str found = STR_NONE;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct str whole = str_from_c(rows[i].name);
        size_t d = str_starts(whole, name) && name.n ? 0 : str_distance(name, whole, best);

        if (d < best && is_allowed(args, &rows[i])) {
            best = d;
            found = whole;
        }
    }
    return found;
}

static int refuse_unknown(const struct cli_args *args, struct str option, struct err *err)
{
    const char *verb = args->verb ? args->verb->name : "";
    struct str near = STR_NONE;

    if (str_starts(option, S("--")))
        near = nearest_option(args, str_slice(option, 2, SIZE_MAX));
    if (near.n)
        return err_set(err, ERR_USAGE, "no option '%.*s': did you mean --%.*s?", STR_ARG(option),
                       STR_ARG(near));
    return err_set(err, ERR_USAGE, "no option '%.*s' here: reeve%s%s --help", STR_ARG(option),
                   *verb ? " " : "", verb);
}

/* 0 where nothing is wrong with it. *ret_takes: whose value the next word is. */
static int check_long(const struct cli_args *args, struct str word,
                      const struct option_row **ret_takes, struct err *err)
{
    struct str option = str_slice(word, 0, str_find_char(word, '='));
    const struct option_row *row;
    size_t n;

    row = long_row(args, str_slice(option, 2, SIZE_MAX), &n);
    if (!row)
        return refuse_unknown(args, option, err);
    if (!row->value && option.n < word.n)
        return err_set(err, ERR_USAGE, "--%s takes no value", row->name);
    *ret_takes = row->value && option.n == word.n ? row : NULL;
    return 0;
}

/* The same of a row of letters, of which the last may have a value behind it. */
static int check_letters(const struct cli_args *args, struct str word,
                         const struct option_row **ret_takes, struct err *err)
{
    for (size_t i = 1; i < word.n; i++) {
        const struct option_row *row = short_row(args, word.p[i]);

        if (!row)
            return refuse_unknown(args, str_fmt(args->arena, "-%c", word.p[i]), err);
        *ret_takes = row->value && i + 1 == word.n ? row : NULL;
        if (row->value)
            return 0;
    }
    return 0;
}

/* argp does not say what it stopped at: the first word that is wrong is. */
static int refuse_option(const struct cli_args *args, int argc, char **argv, struct err *err)
{
    if (args->refusal.code) {
        *err = args->refusal;
        return err->code;
    }
    for (int i = 1; i < argc; i++) {
        struct str word = str_from_c(argv[i]);
        const struct option_row *takes = NULL;

        if (str_eq_c(word, "--"))
            break;
        if (word.n < 2 || word.p[0] != '-')
            continue;
        if ((str_starts(word, S("--")) ? check_long : check_letters)(args, word, &takes, err))
            return err->code;
        if (takes && i + 1 == argc)
            return err_set(err, ERR_USAGE, "%s lacks its %s", argv[i], takes->value);
        i += takes != NULL;
    }
    return err_set(err, ERR_USAGE, "reeve --help says what can be asked");
}

/* One pass: argp with the rows that apply. *ret_next: where the words after the first one begin. */
static int parse_pass(int argc, char **argv, struct cli_args *args, struct err *err)
{
    struct argp_option options[N_ELEMENTS(rows) + 1] = { 0 };
    const struct argp argp = { .options = options, .parser = parse_one };
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (is_allowed(args, &rows[i]))
            options[n++] = (struct argp_option){ .name = rows[i].name,
                                                 .key = rows[i].key,
                                                 .arg = rows[i].value };
    if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_EXIT | ARGP_NO_ERRS | ARGP_NO_HELP,
                   NULL, args))
        return refuse_option(args, argc, argv, err);
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

    for (size_t i = 0; i < args->words.n; i++)
        if (!args->words.p[i].n)
            return err_set(err, ERR_USAGE, "an empty word names nothing: reeve %s --help",
                           verb->name);
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

int args_option(size_t i, struct args_option *ret)
{
    if (i >= N_ELEMENTS(rows))
        return 0;
    *ret = (struct args_option){ .of = rows[i].option,
                                 .letter = rows[i].key < 0x80 ? rows[i].key : 0,
                                 .name = rows[i].name,
                                 .value = rows[i].value,
                                 .help = rows[i].help };
    return 1;
}
