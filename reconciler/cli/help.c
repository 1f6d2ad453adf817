/* The page that teaches, and one a verb. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "reconciler/cli/verbs.h"

#define NAME_WIDTH 10
#define ARGS_WIDTH 24 /* what is wider has its help on the next line */

static const char story[] =
    "Reeve keeps environments exactly as git says.\n"
    "It reads environment specs at the head of a branch and plans what must change, with the risk "
    "first.\n"
    "A plan runs by itself or waits for approval, as its policy says; what was approved is what "
    "runs.\n"
    "New sets are made ready beside the old ones, traffic moves at once, and moves back when they "
    "fail.\n"
    "Everything that was done, by whom and why, is in a history that can be verified.\n";

static const char *const group_titles[N_CLI_GROUPS] = {
    [GROUP_LOOK] = "look", [GROUP_CHANGE] = "change", [GROUP_STOP] = "stop, and go on",
    [GROUP_RUN] = "run",   [GROUP_PROVE] = "prove",
};

static const char examples[] =
    "  reeve validate                               every mistake of the specs here, at once\n"
    "  reeve status                                 what is in sync, what waits, what failed\n"
    "  reeve plan production                        what would change, and at what risk\n"
    "  reeve approve 5c1e09d2 -m 'migration checked'\n"
    "  reeve undo production -m 'checkout is slow'  back within milliseconds\n"
    "  reeve history production --at -2d            what was there two days ago, and who decided\n";

const char *help_group(enum cli_group group)
{
    return group_titles[group];
}

void help_write(struct cli *c)
{
    struct sb b;
    struct render r = cli_render(c, &b);
    size_t n;
    const struct cli_verb *verbs = cli_verbs(&n);

    sb_add_c(&b, story);
    for (enum cli_group g = 0; g < N_CLI_GROUPS; g++) {
        if (!group_titles[g])
            continue;
        sb_add_char(&b, '\n');
        render_fmt(&r, TONE_HEAD, "%s\n", group_titles[g]);
        for (size_t i = 0; i < n; i++) {
            if (verbs[i].group != g)
                continue;
            sb_addf(&b, "  %-*s %-*s", NAME_WIDTH, verbs[i].name, ARGS_WIDTH, verbs[i].args);
            if (strlen(verbs[i].args) > ARGS_WIDTH)
                sb_addf(&b, "\n%*s", 2 + NAME_WIDTH + 1 + ARGS_WIDTH, "");
            sb_addf(&b, " %s\n", verbs[i].help);
        }
    }
    sb_add_char(&b, '\n');
    render_text(&r, TONE_HEAD, S("examples\n"));
    sb_add_c(&b, examples);
    sb_add_char(&b, '\n');
    render_text(&r, TONE_HEAD, S("exit status\n"));
    sb_add_c(&b, "  0 ok, 1 failed, 2 waits or changes, 3 bad usage, 4 invalid spec, 5 refused, 6 "
                 "not found,\n"
                 "  7 conflict or superseded, 8 cannot reach\n\n"
                 "reeve VERB --help says more of a verb; -o json is understood by every verb that "
                 "answers.\n");
    cli_write(c, &b);
}

void help_write_verb(struct cli *c, const struct cli_verb *verb)
{
    static const char *const needs[] = {
        [NEED_NOTHING] = "nothing",
        [NEED_STATE] = "a daemon, else its state file read-only",
        [NEED_LOCK] = "the lock of the state",
        [NEED_DAEMON] = "a daemon",
    };
    struct sb b;
    struct render r = cli_render(c, &b);

    render_fmt(&r, TONE_HEAD, "reeve %s%s%s%s", verb->name, verb->options ? " [OPTION...]" : "",
               *verb->args ? " " : "", verb->args);
    sb_addf(&b, "\n\n%s\n", verb->help);
    if (*verb->more)
        sb_addf(&b, "\n%s\n", verb->more);
    sb_addf(&b, "\nneeds: %s\n\n", needs[verb->need]);
    options_write(&b, verb->options);
    cli_write(c, &b);
}

int verb_help(struct cli *c, struct err *err)
{
    struct str name = cli_arg(c, 0);
    const struct cli_verb *verb = name.p ? cli_find_verb(name) : NULL;

    if (name.p && !verb)
        return err_set(err, ERR_USAGE, "no verb '%.*s': reeve --help", STR_ARG(name));
    if (verb)
        help_write_verb(c, verb);
    else
        help_write(c);
    return 0;
}
