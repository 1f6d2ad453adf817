/* The table of verbs, and what they share. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"
#include "reconciler/cli/args_time.h"
#include "reconciler/cli/client.h"
#include "reconciler/cli/verbs.h"
#include "reconciler/core/markdown.h"
#include "reconciler/engine/view.h"
#include "specs/json_io.h"

#define WIDTH_MIN 40 /* columns; what is narrower is not folded for */

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

int cli_is_plan_id(struct str word)
{
    for (size_t i = 0; i < word.n; i++)
        if (!(word.p[i] >= '0' && word.p[i] <= '9') && !(word.p[i] >= 'a' && word.p[i] <= 'f'))
            return 0;
    return word.n >= VIEW_PREFIX_MIN;
}

struct str cli_text(const struct value *map, const char *key)
{
    return value_get_text(map, str_from_c(key), S(""));
}

struct str cli_joined(struct cli *c, const struct value *list, const char *between)
{
    struct sb b;

    sb_init(&b, c->arena);
    for (size_t i = 0; i < value_count(list); i++)
        sb_addf(&b, "%s%.*s", i ? between : "", STR_ARG(value_item(list, i)->u.text));
    return sb_str(&b);
}

struct str cli_ago(struct cli *c, int64_t time_ms)
{
    return time_ms ? render_ago(c->arena, sys_wall_ms(), time_ms) : S("never");
}

struct str cli_path(struct cli *c, const char *what, struct str word, const char *rest)
{
    struct str part;
    struct sb b;

    sb_init(&b, c->arena);
    sb_addf(&b, "/api/v1/%s/", what);
    for (int i = 0; str_next(&word, '/', &part); i++) {
        sb_add_c(&b, i ? "%2F" : ""); /* encoded once more on its way: no name holds it */
        sb_add(&b, part);
    }
    sb_add_c(&b, rest);
    return sb_str(&b);
}

void cli_query_number(struct cli *c, struct value *query, const char *name, int64_t number)
{
    value_set_text(c->arena, query, str_from_c(name), str_fmt(c->arena, "%lld", (long long)number));
}

int cli_query_time(struct cli *c, struct value *query, const char *name, struct str text,
                   struct err *err)
{
    int64_t at_ms;

    if (!text.p)
        return 0;
    if (args_time(text, -1, sys_wall_ms(), &at_ms, err))
        return err->code;
    cli_query_number(c, query, name, at_ms);
    return 0;
}

struct render cli_render(struct cli *c, struct sb *b)
{
    sb_init(b, c->arena);
    return (
        struct render){ .out = b, .colour = c->colour, .now_ms = sys_wall_ms(), .width = c->width };
}

void cli_write(struct cli *c, struct sb *b)
{
    struct str text = sb_str(b);

    if (fwrite(text.p, 1, text.n, c->out) != text.n && !c->write_error)
        c->write_error = errno; /* main asks at the end */
}

void cli_write_plan(struct cli *c, const struct plan *p, const struct value *about)
{
    struct sb b;
    struct render r = cli_render(c, &b);

    if (c->args.output == OUTPUT_MARKDOWN)
        markdown_plan(&b, p, about);
    else
        render_plan(&r, p, about);
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
    (void)fflush(c->out); /* what was said before stands before it */
    (void)fprintf(c->err_out, "%s\n", sb_str(&b).p);
}

void cli_write_json(struct cli *c, const struct value *v)
{
    struct sb b;

    sb_init(&b, c->arena);
    sb_add(&b, render_safe_json(c->arena, json_format(c->arena, v)));
    sb_add_char(&b, '\n');
    cli_write(c, &b);
}

int cli_wrote_json(struct cli *c, const struct value *v)
{
    if (c->args.output != OUTPUT_JSON)
        return 0;
    cli_write_json(c, v);
    return 1;
}

/* Errors are JSON too where JSON was asked for. */
void cli_report(struct cli *c, const struct err *err)
{
    struct value *v = value_map(c->arena);
    struct str safe = render_safe(c->arena, str_from_c(err->text));

    (void)fflush(c->out); /* what was said before stands before it */
    if (c->args.output == OUTPUT_JSON) {
        value_set_text(c->arena, v, S("code"), str_from_c(err_name(err->code)));
        value_set_text(c->arena, v, S("detail"), safe);
        safe = render_safe_json(c->arena, json_format(c->arena, v));
        (void)fprintf(c->err_out, "%s%.*s\n", log_mark(LOG_ERROR), STR_ARG(safe));
    } else {
        (void)fprintf(c->err_out, "%sreeve: %.*s\n", log_mark(LOG_ERROR), STR_ARG(safe));
    }
}

/* --- main ---------------------------------------------------------------------------------------- */

/* Whoever starts us without one of the three would find the next file that we open in its place, and our
 * words in that file. What stands there now takes none. */
static void hold_standard_files(void)
{
    int fd = open("/dev/null", O_RDONLY);

    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDONLY);
    guard_close(&fd);
}

static void setup(struct cli *c)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    const char *server = getenv("REEVE_SERVER");
    int is_dumb = !term || !strcmp(term, "dumb");
    struct winsize size;

    if (!c->args.server && server && *server)
        c->args.server = server;
    c->can_draw = isatty(fileno(c->out)) && !is_dumb;
    c->err_is_terminal = isatty(fileno(c->err_out));
    if (c->can_draw && !ioctl(fileno(c->out), TIOCGWINSZ, &size) && size.ws_col >= WIDTH_MIN)
        c->width = size.ws_col;
    if (c->can_draw)
        (void)setvbuf(c->out, NULL, _IOFBF, BUFSIZ); /* a block is drawn by one write */
    c->colour = c->args.colour == COLOUR_ALWAYS ||
                (c->args.colour == COLOUR_AUTO && c->can_draw && !(no_colour && *no_colour));
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

/* A reader that left knows why. */
static int finish(struct cli *c, struct err *err)
{
    if (fflush(c->out) && !c->write_error)
        c->write_error = errno;
    errno = c->write_error ? c->write_error : EIO;
    if (!c->write_error && !ferror(c->out))
        return 0;
    (void)err_sys(err, "write the answer");
    if (errno == EPIPE)
        err->text[0] = 0;
    return err->code;
}

int cli_main(int argc, char **argv)
{
    AUTO_ARENA struct arena a;
    struct cli c = { .arena = &a, .argv = argv, .out = stdout, .err_out = stderr };
    struct err err = ERR_INIT;
    struct value *first;
    int rc;

    hold_standard_files();
    log_begin();
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
    if (!rc)
        rc = finish(&c, &err);
    if (rc && err.text[0])
        cli_report(&c, &err);
    (void)fflush(c.out); /* what can still be shown of a failed verb */
    client_free(c.client);
    return rc ? err_exit_status(rc) : 0;
}
