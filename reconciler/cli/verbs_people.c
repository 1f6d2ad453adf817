/* Who signs in. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/guard.h"
#include "reconciler/cli/verbs.h"

#define LINE_BYTES_MAX 2048

/* --- a password: from the terminal unseen, else the first line of the standard input --------------- */

static int read_line(char *text, size_t size, struct err *err)
{
    size_t n = 0;
    ssize_t got;

    while ((got = read(STDIN_FILENO, &text[n], 1)) == 1 && text[n] != '\n')
        if (++n == size - 1)
            return err_set(err, ERR_LIMIT, "the password is too long");
    text[n] = 0;
    return got < 0 ? err_set(err, ERR_IO, "the standard input cannot be read") : 0;
}

static int ask_unseen(struct cli *c, const char *what, char *text, size_t size, struct err *err)
{
    struct termios before, unseen;
    int rc;

    if (tcgetattr(STDIN_FILENO, &before)) /* no terminal */
        return read_line(text, size, err);
    unseen = before;
    unseen.c_lflag &= ~(tcflag_t)ECHO;
    (void)fprintf(c->err_out, "%s: ", what);
    (void)fflush(c->err_out);
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen))
        return err_set(err, ERR_IO, "the terminal cannot hide what is typed");
    rc = read_line(text, size, err);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before); /* it was ours a moment ago */
    (void)fprintf(c->err_out, "\n");
    return rc;
}

static int read_password(struct cli *c, char *text, size_t size, struct err *err)
{
    char again[LINE_BYTES_MAX];
    int rc = ask_unseen(c, "New password", text, size, err);

    if (rc || !isatty(STDIN_FILENO))
        return rc;
    rc = ask_unseen(c, "Once more", again, sizeof(again), err);
    if (!rc && strcmp(text, again) != 0)
        rc = err_set(err, ERR_USAGE, "the two passwords differ");
    explicit_bzero(again, sizeof(again));
    return rc;
}

/* --- what can be asked --------------------------------------------------------------------------- */

static void write_people(struct cli *c, const struct value *people)
{
    static const char *const heads[] = { "name", "signs in by", "sessions", "locked until" };
    struct sb b;
    struct render r = cli_render(c, &b);
    struct render_table t;

    render_table_init(&t, c->arena, heads, N_ELEMENTS(heads));
    for (size_t i = 0; i < value_count(people); i++) {
        const struct value *one = value_item(people, i);
        int64_t locked_ms = value_get_int(one, S("locked_until_ms"), 0);

        render_cell(&t, TONE_PLAIN, cli_text(one, "name"));
        render_cell(&t, TONE_PLAIN,
                    value_get(one, S("oidc"))          ? S("oidc")
                    : value_get(one, S("password_ms")) ? S("password")
                                                       : S("-"));
        render_cell(&t, TONE_PLAIN,
                    str_fmt(c->arena, "%lld", (long long)value_get_int(one, S("sessions"), 0)));
        render_cell(&t, TONE_DIM, locked_ms ? render_time(c->arena, locked_ms) : S(""));
    }
    render_table_write(&r, &t, "");
    cli_write(c, &b);
}

static void write_sessions(struct cli *c, const struct value *sessions)
{
    static const char *const heads[] = { "since", "last used", "by", "from" };
    struct sb b;
    struct render r = cli_render(c, &b);
    struct render_table t;

    render_table_init(&t, c->arena, heads, N_ELEMENTS(heads));
    for (size_t i = 0; i < value_count(sessions); i++) {
        const struct value *one = value_item(sessions, i);

        render_cell(&t, TONE_DIM, render_time(c->arena, value_get_int(one, S("made_ms"), 0)));
        render_cell(&t, TONE_DIM, render_time(c->arena, value_get_int(one, S("used_ms"), 0)));
        render_cell(&t, TONE_PLAIN, cli_text(one, "by"));
        render_cell(&t, TONE_PLAIN, cli_text(one, "address"));
    }
    render_table_write(&r, &t, "");
    cli_write(c, &b);
}

static int people_list(struct cli *c, struct str name, struct err *err)
{
    struct value *answer;
    int rc = cli_get(c, S("/api/v1/people"), NULL, &answer, err);

    (void)name;
    if (rc || cli_wrote_json(c, answer))
        return rc;
    if (!value_count(value_get(answer, S("people"))))
        cli_note(c, "nobody signs in: 'auth.people' names nobody");
    else
        write_people(c, value_get(answer, S("people")));
    return 0;
}

static int people_sessions(struct cli *c, struct str name, struct err *err)
{
    struct value *answer;
    int rc = cli_get(c, cli_path(c, "people", name, "/sessions"), NULL, &answer, err);

    if (rc || cli_wrote_json(c, answer))
        return rc;
    if (!value_count(value_get(answer, S("sessions"))))
        cli_note(c, "'%.*s' is signed in nowhere", STR_ARG(render_safe(c->arena, name)));
    else
        write_sessions(c, value_get(answer, S("sessions")));
    return 0;
}

static int say(struct cli *c, struct str name, const char *rest, const struct value *body,
               struct err *err)
{
    struct value *answer;
    int rc = cli_post(c, cli_path(c, "people", name, rest), body, &answer, err);

    if (!rc && !cli_wrote_json(c, answer))
        cli_note(c, "%.*s: %.*s", STR_ARG(name), STR_ARG(cli_text(answer, "message")));
    return rc;
}

static int people_password(struct cli *c, struct str name, struct err *err)
{
    struct value *body = value_map(c->arena);
    char text[LINE_BYTES_MAX];
    int rc = read_password(c, text, sizeof(text), err);

    if (!rc) {
        value_set_text(c->arena, body, S("password"), str_from_c(text));
        rc = say(c, name, "/password", body, err);
    }
    explicit_bzero(text, sizeof(text));
    return rc;
}

static int people_sign_out(struct cli *c, struct str name, struct err *err)
{
    return say(c, name, "/sign-out", value_map(c->arena), err);
}

int verb_people(struct cli *c, struct err *err)
{
    static const struct {
        const char *word;
        size_t n_args;
        int (*run)(struct cli *c, struct str name, struct err *err);
    } rows[] = { { "list", 1, people_list },
                 { "password", 2, people_password },
                 { "sessions", 2, people_sessions },
                 { "sign-out", 2, people_sign_out } };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (str_eq_c(cli_arg(c, 0), rows[i].word) && c->args.words.n == rows[i].n_args)
            return rows[i].run(c, cli_arg(c, 1), err);
    return err_set(err, ERR_USAGE,
                   "usage: reeve people list|password NAME|sessions NAME|sign-out NAME");
}
