/* The table of verbs, and what they share. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/cli.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/cli/client.h"
#include "reconciler/cli/verbs.h"
#include "specs/json_io.h"

#define VERB(name, group, need, min, max, args, options, function, help, more)                     \
    { name, GROUP_##group, NEED_##need, min, max, args, options, help, more, function },
static const struct cli_verb verbs[] = {
#include "reconciler/cli/verbs.def"
};
#undef VERB

const struct cli_verb *cli_verbs(size_t *ret_n)
{
    *ret_n = N_ELEMENTS(verbs);
    return verbs;
}

const struct cli_verb *cli_find_verb(struct str name)
{
    for (size_t i = 0; i < N_ELEMENTS(verbs); i++)
        if (str_eq_c(name, verbs[i].name))
            return &verbs[i];
    return NULL;
}

struct str cli_nearest_verb(struct str name)
{
    size_t best = 3;
    struct str found = STR_NONE;

    for (size_t i = 0; i < N_ELEMENTS(verbs); i++) {
        struct str verb = str_from_c(verbs[i].name);
        size_t d = str_distance(name, verb, best);

        if (verbs[i].group != GROUP_HIDDEN && d < best && d < verb.n) {
            best = d;
            found = verb;
        }
    }
    return found;
}

/* --- output -------------------------------------------------------------------------------------- */

struct str cli_arg(const struct cli *c, size_t i)
{
    return i < c->args.words.n ? c->args.words.p[i] : STR_NONE;
}

struct render cli_render(struct cli *c, struct sb *b)
{
    sb_init(b, c->arena);
    return (struct render){ b, c->colour, sys_wall_ms() };
}

void cli_write(struct cli *c, struct sb *b)
{
    struct str text = sb_str(b);

    (void)fwrite(text.p, 1, text.n, c->out); /* the stream remembers; main asks at the end */
}

void cli_print_foreign(struct cli *c, struct str text)
{
    struct sb b;

    sb_init(&b, c->arena);
    render_foreign(&b, text);
    cli_write(c, &b);
}

void cli_note(struct cli *c, const char *fmt, ...)
{
    struct sb b;
    char text[1024];
    va_list ap;

    if (c->args.quiet)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut note is still one */
    va_end(ap);
    sb_init(&b, c->arena);
    render_foreign(&b, str_from_c(text));
    (void)fprintf(c->err_out, "%s\n", sb_str(&b).p);
}

int cli_wrote_json(struct cli *c, const struct value *v)
{
    struct str text;

    if (c->args.output != OUTPUT_JSON)
        return 0;
    text = json_format(c->arena, v);
    (void)fprintf(c->out, "%.*s\n", STR_ARG(text));
    return 1;
}

/* --- main ---------------------------------------------------------------------------------------- */

static void setup(struct cli *c)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    int plain = (no_colour && *no_colour) || !term || !strcmp(term, "dumb");

    c->out_is_terminal = isatty(fileno(c->out));
    c->err_is_terminal = isatty(fileno(c->err_out));
    c->colour = c->args.colour == COLOUR_ALWAYS ||
                (c->args.colour == COLOUR_AUTO && c->out_is_terminal && !plain);
}

/* Errors are JSON too where JSON was asked for. */
static void report(struct cli *c, const struct err *err)
{
    struct value *v = value_map(c->arena);
    struct str safe = render_safe(c->arena, str_from_c(err->text));

    if (c->args.output == OUTPUT_JSON) {
        value_set_text(c->arena, v, S("code"), str_from_c(err_name(err->code)));
        value_set_text(c->arena, v, S("detail"), safe);
        safe = json_format(c->arena, v);
        (void)fprintf(c->err_out, "%.*s\n", STR_ARG(safe));
    } else {
        (void)fprintf(c->err_out, "reeve: %.*s\n", STR_ARG(safe));
    }
}

static int run(struct cli *c, struct err *err)
{
    if (c->args.version)
        return cli_find_verb(S("version"))->run(c, err);
    if (!c->args.verb || (c->args.help && c->args.verb->group == GROUP_HIDDEN)) {
        help_write(c);
        return 0;
    }
    if (c->args.help) {
        help_write_verb(c, c->args.verb);
        return 0;
    }
    return c->args.verb->run(c, err);
}

int cli_main(int argc, char **argv)
{
    AUTO_ARENA struct arena a;
    struct cli c = { .arena = &a, .out = stdout, .err_out = stderr };
    struct err err = ERR_INIT;
    struct value *first;
    int rc;

    (void)signal(SIGPIPE, SIG_IGN); /* a reader that left is an error of write */
    (void)umask(027);
    (void)setlocale(LC_TIME, "C");
    arena_init(&a, 0);
    (void)json_parse(&a, S("{}"), 2, &first,
                     &err); /* the first one seeds the hashes, before there are threads */
    rc = args_parse(&a, argc, argv, &c.args, &err);
    setup(&c);
    if (!rc)
        rc = run(&c, &err);
    if (!rc && (fflush(c.out) || ferror(c.out)))
        rc = err_sys(&err, "write the answer");
    if (rc && err.text[0])
        report(&c, &err);
    (void)fflush(c.out); /* what can still be shown of a failed verb */
    client_free(c.client);
    return rc ? err_exit_status(rc) : 0;
}
