/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/man.h"

#include "base/scdoc.h"
#include "reconciler/cli/cli.h"
#include "specs/schema.h"

/* --- what no table says -------------------------------------------------------------------------- */

#define MADE_OF "; Made of "
#define MADE_BY                                                                                    \
    ": build/dev/tests/golden/pages update writes it. SPDX-License-Identifier: Apache-2.0\n\n"

static const char reeve_head[] = "reeve(1)\n\n" MADE_OF
                                 "reconciler/cli/verbs.def and options.c" MADE_BY "# NAME\n\n"
                                 "reeve - keeps environments exactly as git says\n\n"
                                 "# SYNOPSIS\n\n"
                                 "*reeve* _VERB_ [_OPTION_...] [_WORD_...]\n\n"
                                 "*reeve* _VERB_ *--help*\n\n"
                                 "# DESCRIPTION\n\n"
                                 "Reeve reads environment specs at the head of a branch "
                                 "and plans what must change, with the "
                                 "risk first.\n"
                                 "A plan runs by itself or waits for approval, as its "
                                 "policy says; what was approved is what "
                                 "runs.\n"
                                 "New sets are made ready beside the old ones, traffic "
                                 "moves at once, and moves back when they "
                                 "fail.\n"
                                 "Everything that was done, by whom and why, is in a "
                                 "history that can be verified.\n\n"
                                 "*reeve serve* is the daemon. Every other verb asks it, "
                                 "at the socket that the configuration "
                                 "names, or answers\n"
                                 "from its state file or from files here. A name that is "
                                 "nearly right is guessed.\n";

static const char reeve_tail[] =
    "# EXIT STATUS\n\n"
    "*0*\n\tok\n\n"
    "*1*\n\tfailed, reverted, cancelled\n\n"
    "*2*\n\twaits for a person; with *--exit-code* also: there are changes\n\n"
    "*3*\n\tbad usage\n\n"
    "*4*\n\tinvalid spec or configuration\n\n"
    "*5*\n\trefused by policy, role or hold\n\n"
    "*6*\n\tnot found\n\n"
    "*7*\n\tconflict, superseded, or the lock is held\n\n"
    "*8*\n\tcannot reach, or *--timeout* is over\n\n"
    "# ENVIRONMENT\n\n"
    "*REEVE\\_CONFIG*\n\tthe configuration, where *--config* names none\n\n"
    "*REEVE\\_SERVER*\n\tthe daemon's socket or URL, where *--server* names none\n\n"
    "*REEVE\\_TOKEN\\_FILE*\n\ta file with the token for a URL, where *--token* names none\n\n"
    "*REEVE\\_KEEPER*\n\tthe keeper program, else *keeper* beside *reeve*, else "
    "_../libexec/reeve/keeper_\n\n"
    "*NO\\_COLOR*\n\tset: no colour\n\n"
    "# FILES\n\n"
    "_/etc/reeve/reeve.yaml_\n\tthe configuration: *reeve.yaml*(5)\n\n"
    "_/run/reeve/reeve.sock_\n\tthe socket, in the configuration that comes with the package\n\n"
    "_/var/lib/reeve/_\n\tthe state, its keys, sealed secrets and services, in the same\n\n"
    "# SEE ALSO\n\n"
    "*reeve.yaml*(5), *reeve-spec*(5), *reeve-keeper*(8), _/usr/share/doc/reeve/operations.md_\n";

static const struct schema_man yaml_page = {
    .head = "reeve.yaml(5)\n\n" MADE_OF "specs/fields*.def" MADE_BY "# NAME\n\n"
            "reeve.yaml - the configuration of the daemon of *reeve*(1)\n\n"
            "# DESCRIPTION\n\n"
            "One YAML document of *kind: Daemon*: what is watched, and what its "
            "environments may "
            "touch. It is read when the\n"
            "daemon starts. Relative paths are relative to the file. A spec in a "
            "repository can only "
            "use what this file\n"
            "allows its environment; without a rule that matches, everything is "
            "denied.\n\n"
            "*reeve validate* _FILE_ says every mistake at once, *reeve explain* "
            "_FIELD_ what is said "
            "here of one field, and\n"
            "*reeve doctor* _ENV_ which rule holds for a name.\n\n"
            "Whoever can write this file can give any environment any right: it "
            "belongs to root.\n\n"
            "# OBJECTS\n",
    .tail = "# EXAMPLES\n\n"
            "The least that starts:\n\n"
            "```\n"
            "apiVersion: reeve/v1\n"
            "kind: Daemon\n"
            "user: reeve\n"
            "socket: /run/reeve/reeve.sock\n"
            "state: {file: /var/lib/reeve/reeve.db}\n"
            "```\n\n"
            "# SEE ALSO\n\n"
            "*reeve*(1), *reeve-spec*(5), _/usr/share/doc/reeve/security.md_\n",
    .roots = { SCHEMA_DAEMON },
};

static const struct schema_man spec_page = {
    .head = "reeve-spec(5)\n\n" MADE_OF "specs/fields*.def" MADE_BY "# NAME\n\n"
            "reeve-spec - what a repository asks of *reeve*(1)\n\n"
            "# DESCRIPTION\n\n"
            "YAML documents below _.reeve/_ of a watched branch: an *Application* "
            "says what the "
            "software is, an *Environment*\n"
            "where and how it runs, a *Preview* what each proposal gets of its "
            "own. Overrides merge "
            "by key; lists, references\n"
            "and scalars are replaced whole.\n\n"
            "*reeve validate* says every mistake at once, *reeve explain* _FIELD_ "
            "what is said here of "
            "one field, and\n"
            "*reeve plan -f .* what would change.\n\n"
            "# OBJECTS\n",
    .tail = "# SEE ALSO\n\n"
            "*reeve*(1), *reeve.yaml*(5), _/usr/share/doc/reeve/specs.md_, "
            "_/usr/share/doc/reeve/examples/reference/_\n",
    .roots = { SCHEMA_APPLICATION, SCHEMA_ENVIRONMENT, SCHEMA_PREVIEW },
};

/* --- verbs --------------------------------------------------------------------------------------- */

/* What a verb says more of itself: lines that are set in are commands as one types them. */
static void man_more(struct sb *b, const char *more)
{
    struct str rest = str_from_c(more), line;
    int is_literal = 0;

    while (rest.n && str_next(&rest, '\n', &line)) {
        int is_command = str_starts(line, S("  "));

        if (is_command != is_literal)
            sb_add_c(b, is_command ? "\n\t```\n" : "\t```\n");
        is_literal = is_command;
        if (line.n)
            sb_add_char(b, '\t');
        if (is_command)
            sb_add(b, str_slice(line, 2, line.n));
        else
            scdoc_text(b, line);
        sb_add_char(b, '\n');
    }
    sb_add_c(b, is_literal ? "\t```\n\n" : "\n");
}

static void man_option(struct sb *b, const struct options_row *o, const char *indent)
{
    sb_add_c(b, indent);
    if (options_letter(o))
        sb_addf(b, "*-%c*, ", o->key);
    sb_addf(b, "*--%s*", o->name);
    if (o->value) {
        sb_add_c(b, "=_");
        scdoc_text(b, str_from_c(o->value));
        sb_add_char(b, '_');
    }
    sb_addf(b, "\n%s\t", indent);
    scdoc_text(b, str_from_c(o->help));
    sb_add_c(b, "\n\n");
}

/* `verb` NULL: those that every verb has. */
static void man_options(struct sb *b, const struct cli_verb *verb)
{
    const struct options_row *o;

    for (size_t i = 0; (o = options_get(i)); i++)
        if (verb ? o->of & verb->options : !o->of)
            man_option(b, o, verb ? "\t" : "");
}

static void man_verb(struct sb *b, const struct cli_verb *verb)
{
    sb_addf(b, "*reeve %s*%s", verb->name, verb->options ? " [_OPTION_...]" : "");
    if (*verb->args) {
        sb_add_char(b, ' ');
        scdoc_text(b, str_from_c(verb->args));
    }
    sb_add_c(b, "\n\t");
    scdoc_text(b, str_from_c(verb->help));
    sb_add_c(b, "\n\n");
    if (*verb->more)
        man_more(b, verb->more);
    man_options(b, verb);
}

struct str man_reeve(struct arena *a)
{
    struct sb b;
    size_t n;
    const struct cli_verb *verbs = cli_verbs(&n);

    sb_init(&b, a);
    sb_add_c(&b, reeve_head);
    for (enum cli_group g = 0; g < N_CLI_GROUPS; g++) {
        if (!help_group(g))
            continue;
        sb_add_c(&b, "\n# VERBS: ");
        for (const char *c = help_group(g); *c; c++)
            sb_add_char(&b, *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
        sb_add_c(&b, "\n\n");
        for (size_t i = 0; i < n; i++)
            if (verbs[i].group == g)
                man_verb(&b, &verbs[i]);
    }
    sb_add_c(&b, "# OPTIONS OF EVERY VERB\n\n");
    man_options(&b, NULL);
    sb_add_c(&b, reeve_tail);
    return sb_str(&b);
}

struct str man_yaml(struct arena *a)
{
    return schema_man(a, &yaml_page);
}

struct str man_spec(struct arena *a)
{
    return schema_man(a, &spec_page);
}
