/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/args.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/cli/args_time.h"
#include "reconciler/cli/cli.h"

static unsigned options_of(const struct cli_args *args)
{
    return args->verb ? args->verb->options : 0;
}

/* --- values -------------------------------------------------------------------------------------- */

static error_t refuse_value(struct cli_args *args, int key, const char *arg, const char *wanted)
{
    (void)err_set(&args->refusal, ERR_USAGE, "--%s is %s, not '%s'",
                  options_find_key(options_of(args), key)->name, wanted, arg);
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
    unsigned options = options_of(args);

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

/* --- what is wrong ------------------------------------------------------------------------------- */

static int refuse_unknown(const struct cli_args *args, struct str option, struct err *err)
{
    const char *verb = args->verb ? args->verb->name : "";
    struct str near = STR_NONE;

    if (str_starts(option, S("--")))
        near = options_nearest(options_of(args), str_slice(option, 2, SIZE_MAX));
    if (near.n)
        return err_set(err, ERR_USAGE, "no option '%.*s': did you mean --%.*s?", STR_ARG(option),
                       STR_ARG(near));
    return err_set(err, ERR_USAGE, "no option '%.*s' here: reeve%s%s --help", STR_ARG(option),
                   *verb ? " " : "", verb);
}

/* 0 where nothing is wrong with it. *ret_takes: whose value the next word is. */
static int check_long(const struct cli_args *args, struct str word,
                      const struct options_row **ret_takes, struct err *err)
{
    struct str option = str_slice(word, 0, str_find_char(word, '='));
    const struct options_row *row = options_find_name(options_of(args),
                                                      str_slice(option, 2, SIZE_MAX));

    if (!row)
        return refuse_unknown(args, option, err);
    if (!row->value && option.n < word.n)
        return err_set(err, ERR_USAGE, "--%s takes no value", row->name);
    *ret_takes = row->value && option.n == word.n ? row : NULL;
    return 0;
}

/* The same of a row of letters, of which the last may have a value behind it. */
static int check_letters(const struct cli_args *args, struct str word,
                         const struct options_row **ret_takes, struct err *err)
{
    for (size_t i = 1; i < word.n; i++) {
        const struct options_row *row = options_find_key(options_of(args), word.p[i]);

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
        const struct options_row *takes = NULL;

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
    struct argp_option options[OPTIONS_MAX + 1] = { 0 };
    const struct argp argp = { .options = options, .parser = parse_one };
    const struct options_row *row;
    size_t n = 0;

    for (size_t i = 0; (row = options_get(i)); i++)
        if (options_has(options_of(args), row))
            options[n++] = (struct argp_option){ .name = row->name,
                                                 .key = row->key,
                                                 .arg = row->value };
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
