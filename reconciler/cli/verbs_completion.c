/* What shells read to complete our words: made of the tables of verbs and options. SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/cli/verbs.h"

/* Words that an option may have; what is not here is a file or anything. */
static const struct {
    const char *option, *words;
} value_rows[] = {
    { "role", "viewer operator approver admin override scrape" },
    { "output", "text json markdown sarif jsonl csv" },
    { "color", "auto always never" },
    { "as", "done failed retry" },
};

static const char *words_of(const char *option)
{
    for (size_t i = 0; i < N_ELEMENTS(value_rows); i++)
        if (!strcmp(option, value_rows[i].option))
            return value_rows[i].words;
    return NULL;
}

static int is_shown(const struct cli_verb *verb)
{
    return help_group(verb->group) != NULL || str_eq_c(S("help"), verb->name);
}

/* The next word of "create [NAME] | list" that stands for itself. */
static int next_own_word(struct str *rest, struct str *ret)
{
    while (rest->n) {
        size_t n = 0;
        int is_own = 1;

        while (n < rest->n && !strchr(" |[]", rest->p[n])) {
            is_own = is_own && (islower((unsigned char)rest->p[n]) || rest->p[n] == '-');
            n++;
        }
        *ret = str_slice(*rest, 0, n);
        *rest = str_slice(*rest, n + 1, rest->n);
        if (n && is_own)
            return 1;
    }
    return 0;
}

static void add_options(struct sb *b, unsigned options)
{
    const struct options_row *o;

    for (size_t i = 0; (o = options_get(i)); i++)
        if (options_has(options, o))
            sb_addf(b, " --%s", o->name);
}

/* --- bash ---------------------------------------------------------------------------------------- */

static void add_verb_names(struct sb *b, const char *between)
{
    size_t n, k = 0;
    const struct cli_verb *verbs = cli_verbs(&n);

    for (size_t i = 0; i < n; i++)
        if (is_shown(&verbs[i]))
            sb_addf(b, "%s%s", k++ ? between : "", verbs[i].name);
}

static void add_bash_verb(struct sb *b, const struct cli_verb *verb)
{
    struct str rest = str_from_c(verb->args), word;

    sb_addf(b, "    %s) words=\"", verb->name);
    while (next_own_word(&rest, &word))
        sb_addf(b, "%.*s ", STR_ARG(word));
    if (!strcmp(verb->name, "help"))
        add_verb_names(b, " ");
    sb_add_c(b, "\" options=\"");
    add_options(b, verb->options);
    sb_add_c(b, "\" ;;\n");
}

static void add_bash(struct sb *b)
{
    size_t n;
    const struct cli_verb *verbs = cli_verbs(&n);

    sb_add_c(b, "# reeve: completion of bash, made by `reeve completion bash`\n_reeve()\n{\n"
                "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb= "
                "word words= options=\n\n    COMPREPLY=()\n    case $prev in\n");
    for (size_t i = 0; i < N_ELEMENTS(value_rows); i++)
        sb_addf(b, "    --%s) COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")); return ;;\n",
                value_rows[i].option, value_rows[i].words);
    sb_addf(b, "    -o) COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")); return ;;\n    esac\n",
            words_of("output"));
    sb_add_c(b, "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n        case $word in\n"
                "        ");
    add_verb_names(b, "|");
    sb_add_c(b, ") verb=$word; break ;;\n        esac\n    done\n    case $verb in\n");
    for (size_t i = 0; i < n; i++)
        if (is_shown(&verbs[i]))
            add_bash_verb(b, &verbs[i]);
    sb_add_c(b, "    '') words=\"");
    add_verb_names(b, " ");
    sb_add_c(b, "\" options=\"");
    add_options(b, 0);
    sb_add_c(b, "\" ;;\n    esac\n    case $cur in\n"
                "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;;\n"
                "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n    esac\n}\n"
                "complete -o default -F _reeve reeve\n");
}

/* --- zsh and fish -------------------------------------------------------------------------------- */

/* Within single quotes; `steers` have a backslash before them. */
static void add_quoted(struct sb *b, const char *text, const char *steers)
{
    for (; *text; text++) {
        if (*text == '\'') {
            sb_add_c(b, "'\\''");
            continue;
        }
        if (strchr(steers, *text))
            sb_add_char(b, '\\');
        sb_add_char(b, *text);
    }
}

static void add_zsh_options(struct sb *b, const struct cli_verb *verb)
{
    struct str rest = str_from_c(verb->args), word;
    const struct options_row *o;
    int n = 0;

    sb_addf(b, "    %s) _arguments", verb->name);
    for (size_t i = 0; (o = options_get(i)); i++) {
        if (!options_has(verb->options, o))
            continue;
        sb_addf(b, " '--%s%s[", o->name, o->value ? "=" : "");
        add_quoted(b, o->help, "[]:");
        sb_add_c(b, "]");
        if (o->value && words_of(o->name))
            sb_addf(b, ":%s:(%s)", o->name, words_of(o->name));
        else if (o->value)
            sb_addf(b, ":%s:_files", o->name);
        sb_add_char(b, '\'');
    }
    while (next_own_word(&rest, &word))
        sb_addf(b, "%s%.*s", n++ ? " " : " '2:word:(", STR_ARG(word));
    sb_addf(b, "%s '*:file:_files' ;;\n", n ? ")'" : "");
}

static void add_zsh(struct sb *b)
{
    size_t n;
    const struct cli_verb *verbs = cli_verbs(&n);

    sb_add_c(b, "#compdef reeve\n# made by `reeve completion zsh`\n_reeve()\n{\n    local -a "
                "verbs\n    verbs=(\n");
    for (size_t i = 0; i < n; i++) {
        if (!is_shown(&verbs[i]))
            continue;
        sb_addf(b, "        '%s:", verbs[i].name);
        add_quoted(b, verbs[i].help, ":");
        sb_add_c(b, "'\n");
    }
    sb_add_c(b, "    )\n    if ((CURRENT == 2)); then\n        _describe verb verbs\n        "
                "return\n    fi\n    case $words[2] in\n");
    for (size_t i = 0; i < n; i++)
        if (is_shown(&verbs[i]))
            add_zsh_options(b, &verbs[i]);
    sb_add_c(b, "    esac\n}\nif [ \"$funcstack[1]\" = _reeve ]; then _reeve \"$@\"; else compdef "
                "_reeve reeve; fi\n");
}

static void add_fish_verb(struct sb *b, const struct cli_verb *verb)
{
    struct str rest = str_from_c(verb->args), word;
    const struct options_row *o;

    sb_addf(b, "complete -c reeve -n __fish_use_subcommand -f -a %s -d '", verb->name);
    add_quoted(b, verb->help, "");
    sb_add_c(b, "'\n");
    while (next_own_word(&rest, &word))
        sb_addf(b, "complete -c reeve -n '__fish_seen_subcommand_from %s' -f -a %.*s\n", verb->name,
                STR_ARG(word));
    for (size_t i = 0; (o = options_get(i)); i++) {
        if (!o->of || !(o->of & verb->options))
            continue;
        sb_addf(b, "complete -c reeve -n '__fish_seen_subcommand_from %s' -l %s%s", verb->name,
                o->name, o->value ? " -r" : "");
        if (words_of(o->name))
            sb_addf(b, " -f -a '%s'", words_of(o->name));
        sb_add_c(b, " -d '");
        add_quoted(b, o->help, "");
        sb_add_c(b, "'\n");
    }
}

static void add_fish(struct sb *b)
{
    size_t n;
    const struct cli_verb *verbs = cli_verbs(&n);
    const struct options_row *o;

    sb_add_c(b, "# made by `reeve completion fish`\n");
    for (size_t i = 0; i < n; i++)
        if (is_shown(&verbs[i]))
            add_fish_verb(b, &verbs[i]);
    for (size_t i = 0; (o = options_get(i)); i++) {
        if (o->of)
            continue;
        sb_addf(b, "complete -c reeve -l %s%s -d '", o->name, o->value ? " -r" : "");
        add_quoted(b, o->help, "");
        sb_add_c(b, "'\n");
    }
}

int verb_completion(struct cli *c, struct err *err)
{
    static const struct {
        const char *shell;
        void (*add)(struct sb *b);
    } shells[] = { { "bash", add_bash }, { "zsh", add_zsh }, { "fish", add_fish } };
    struct sb b;

    sb_init(&b, c->arena);
    for (size_t i = 0; i < N_ELEMENTS(shells); i++)
        if (str_eq_c(cli_arg(c, 0), shells[i].shell)) {
            shells[i].add(&b);
            cli_write(c, &b);
            return arena_status(c->arena, err);
        }
    return err_set(err, ERR_USAGE, "'%.*s' is not bash, zsh or fish", STR_ARG(cli_arg(c, 0)));
}
