/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "specs/json_io.h"
#include "state/events_chain.h"

#define EXPORT_FORMAT "reeve/export/1"
#define EXPORT_PAGE 500

static const char *const columns[] = { "seq",       "epoch", "time_ms", "mono_ms", "actor",
                                       "cause",     "kind",  "subject", "env",     "body_hash",
                                       "prev_hash", "hash",  "body" };

/* --- write --------------------------------------------------------------------------------------- */

struct export
{
    int64_t from_ms, to_ms; /* 0: no bound */
    enum cli_output output;
    int is_begun, has_more;
    int64_t after; /* this event, of which that is the hash */
    char hash[DIGEST_BYTES * 2 + 1];
};

/* RFC 4180; no program takes what comes from outside for a formula. */
static void add_cell(struct sb *b, struct str text)
{
    int is_formula = text.n && strchr("=+-@\t\r", text.p[0]) != NULL;

    sb_add_c(b, "\"");
    if (is_formula)
        sb_add_c(b, "'");
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"')
            sb_add_c(b, "\"");
        sb_add(b, str_slice(text, i, 1));
    }
    sb_add_c(b, "\"");
}

static void add_row(struct sb *b, const struct value *event)
{
    for (size_t i = 0; i < N_ELEMENTS(columns); i++) {
        const struct value *v = value_get(event, str_from_c(columns[i]));

        sb_add_c(b, i ? "," : "");
        if (v && value_is(v, VALUE_INT))
            sb_addf(b, "%" PRId64, v->u.number);
        else
            add_cell(b, v ? v->u.text : S(""));
    }
    sb_add_c(b, "\r\n");
}

static void add_heads(struct sb *b)
{
    for (size_t i = 0; i < N_ELEMENTS(columns); i++)
        sb_addf(b, "%s%s", i ? "," : "", columns[i]);
    sb_add_c(b, "\r\n");
}

static void add_line(struct sb *b, const struct value *v)
{
    json_write(b, v);
    sb_add_c(b, "\n");
}

static void add_first(const struct export *x, struct sb *b, const struct value *answer)
{
    const struct value *first = value_item(value_get(answer, S("events")), 0);
    struct value *head = value_map(b->arena);

    if (x->output == OUTPUT_CSV) {
        add_heads(b);
        return;
    }
    value_set_text(b->arena, head, S("export"), S(EXPORT_FORMAT));
    value_set_text(b->arena, head, S("installation"), cli_text(answer, "installation"));
    value_set_int(b->arena, head, S("after"), first ? value_get_int(first, S("seq"), 0) - 1 : 0);
    value_set_text(b->arena, head, S("hash"), cli_text(first, "prev_hash"));
    add_line(b, head);
}

static void add_last(const struct export *x, struct sb *b)
{
    struct value *end = value_map(b->arena);

    if (x->output == OUTPUT_CSV)
        return;
    value_set_int(b->arena, end, S("end"), x->after);
    value_set_text(b->arena, end, S("hash"), str_from_c(x->hash));
    add_line(b, end);
}

static void add_events(struct export *x, struct sb *b, const struct value *events)
{
    size_t n = value_count(events);

    for (size_t i = 0; i < n; i++)
        if (x->output == OUTPUT_CSV)
            add_row(b, value_item(events, i));
        else
            add_line(b, value_item(events, i));
    if (!n)
        return;
    x->after = value_get_int(value_item(events, n - 1), S("seq"), 0);
    (void)snprintf(x->hash, sizeof(x->hash), "%.*s",
                   STR_ARG(cli_text(value_item(events, n - 1), "hash")));
}

static int export_page(struct export *x, struct cli *c, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    struct sb b;
    int rc;

    cli_query_number(c, query, "limit", EXPORT_PAGE);
    cli_query_number(c, query, "after", x->after);
    if (x->from_ms)
        cli_query_number(c, query, "from_ms", x->from_ms);
    if (x->to_ms)
        cli_query_number(c, query, "to_ms", x->to_ms);
    rc = cli_get(c, S("/api/v1/audit/export"), query, &answer, err);
    if (rc)
        return rc;
    sb_init(&b, c->arena);
    if (!x->is_begun)
        add_first(x, &b, answer);
    x->is_begun = 1;
    add_events(x, &b, value_get(answer, S("events")));
    x->has_more = value_get_bool(answer, S("more"), 0);
    if (!x->has_more)
        add_last(x, &b);
    rc = arena_status(c->arena, err);
    if (!rc)
        cli_write(c, &b);
    return rc;
}

int export_write(struct cli *c, int64_t from_ms, int64_t to_ms, struct err *err)
{
    struct export x = { .from_ms = from_ms, .to_ms = to_ms, .output = c->args.output };
    AUTO_ARENA struct arena a;
    struct cli page;
    int rc = export_page(&x, c, err);

    arena_init(&a, 0);
    page = *c; /* with the configuration and the client that it has by now */
    page.arena = &a;
    while (!rc && x.has_more && !page.write_error) {
        arena_reset(&a);
        rc = export_page(&x, &page, err);
    }
    c->write_error = page.write_error;
    return rc;
}

/* --- verify -------------------------------------------------------------------------------------- */

struct import {
    const char *path;
    int64_t n; /* lines */
    struct event_chain check;
    char installation[64];
    int64_t after;
    struct anchors *anchors; /* NULL: none were given */
    int is_open, is_ended;
};

static int bad_line(const struct import *m, struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "'%s', line %" PRId64 ": %s", m->path, m->n, what);
}

static int read_first(struct import *m, const struct value *v, struct err *err)
{
    struct str installation = cli_text(v, "installation"), hash = cli_text(v, "hash");

    if (!str_eq_c(cli_text(v, "export"), EXPORT_FORMAT) ||
        installation.n >= sizeof(m->installation) ||
        (hash.n && digest_from_hex(hash, &m->check.last_hash)))
        return bad_line(m, err, "is not the beginning of an export");
    (void)snprintf(m->installation, sizeof(m->installation), "%.*s", STR_ARG(installation));
    m->check.installation = str_from_c(m->installation);
    m->check.last_seq = m->after = value_get_int(v, S("after"), 0);
    m->check.last_computed = m->check.last_hash;
    m->is_open = 1;
    return m->anchors ? anchors_check(m->anchors, m->check.installation, m->after,
                                      &m->check.last_hash, err)
                      : 0;
}

static int read_last(struct import *m, const struct value *v, struct err *err)
{
    struct digest hash = { 0 };
    struct str text = cli_text(v, "hash");

    m->is_ended = 1;
    if (events_check_end(&m->check, err) ||
        (m->check.has_body &&
         events_check_bare(&m->check, err))) /* none has one: it ends before a snapshot */
        return err->code;
    if (value_get_int(v, S("end"), -1) != m->check.last_seq ||
        (text.n && digest_from_hex(text, &hash)) || !digest_eq(&hash, &m->check.last_hash))
        return bad_line(m, err, "it ends after another event");
    return m->anchors ? anchors_end(m->anchors, m->check.installation, err) : 0;
}

static int read_event(struct import *m, const struct value *v, struct err *err)
{
    const struct value *body = value_get(v, S("body"));
    struct event e = {
        .seq = value_get_int(v, S("seq"), 0),
        .epoch = value_get_int(v, S("epoch"), 0),
        .time_ms = value_get_int(v, S("time_ms"), 0),
        .mono_ms = value_get_int(v, S("mono_ms"), 0),
        .actor = cli_text(v, "actor"),
        .cause = cli_text(v, "cause"),
        .kind = cli_text(v, "kind"),
        .subject = cli_text(v, "subject"),
        .env = cli_text(v, "env"),
        .body = body && value_is(body, VALUE_TEXT) ? body->u.text : STR_NONE,
    };

    if (value_count(v) + !body != N_ELEMENTS(columns) ||
        digest_from_hex(cli_text(v, "body_hash"), &e.body_hash) ||
        digest_from_hex(cli_text(v, "prev_hash"), &e.prev_hash) ||
        digest_from_hex(cli_text(v, "hash"), &e.hash))
        return bad_line(m, err, "is no event");
    if (m->anchors)
        anchors_begin(m->anchors, &e);
    if (events_check_next(&m->check, &e, err) ||
        (m->anchors && anchors_check(m->anchors, m->check.installation, e.seq, &e.hash, err)))
        return err_wrap(err, "'%s'", m->path);
    return 0;
}

static int read_line(struct import *m, struct arena *a, struct str line, struct err *err)
{
    struct value *v;

    m->n++;
    if (m->is_ended || json_parse(a, line, EXPORT_LINE_MAX, &v, err) || !value_is(v, VALUE_MAP))
        return bad_line(m, err, m->is_ended ? "comes after the end" : "is not JSON");
    if (!m->is_open)
        return read_first(m, v, err);
    return value_get(v, S("end")) ? read_last(m, v, err) : read_event(m, v, err);
}

static int read_lines(struct import *m, FILE *f, struct err *err)
{
    AUTO_ARENA struct arena a;
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int rc = 0;

    arena_init(&a, 0);
    while (!rc && (n = getline(&line, &room, f)) > 0) {
        arena_reset(&a);
        rc = read_line(m, &a, str_trim((struct str){ line, (size_t)n }), err);
    }
    free(line); /* getline's own */
    if (!rc && ferror(f))
        rc = err_sys(err, "read '%s'", m->path);
    if (!rc && !m->is_ended)
        rc = err_set(err, ERR_CORRUPT, "'%s' has no end: it is cut", m->path);
    return rc;
}

int export_verify(struct cli *c, const char *path, struct anchors *anchors, struct value **ret,
                  struct err *err)
{
    struct import m = { .path = path, .anchors = anchors };
    struct value *map = value_map(c->arena);
    FILE *f = fopen(path, "re");
    int rc = f ? read_lines(&m, f, err) : err_sys(err, "open '%s'", path);

    if (f)
        (void)fclose(f); /* it was read */
    if (rc)
        return rc;
    value_set_text(c->arena, map, S("installation"), str_copy(c->arena, m.check.installation));
    value_set_int(c->arena, map, S("events"), m.check.last_seq);
    value_set_int(c->arena, map, S("since"), m.after);
    if (m.check.n_bare)
        value_set_int(c->arena, map, S("removed"), m.check.n_bare);
    if (anchors)
        value_set_int(c->arena, map, S("anchored"), anchors->n_held);
    if (anchors && anchors->n_stamps) {
        value_set_int(c->arena, map, S("stamped"), anchors->n_stamps);
        value_set_int(c->arena, map, S("stamped_from_ms"), anchors->first_stamp_ms);
        value_set_int(c->arena, map, S("stamped_to_ms"), anchors->last_stamp_ms);
    }
    if (anchors && anchors->n_unchecked)
        value_set_int(c->arena, map, S("unstamped"), anchors->n_unchecked);
    if (anchors && anchors->n_before)
        value_set_int(c->arena, map, S("anchored_before"), anchors->n_before);
    value_set_text(c->arena, map, S("head"), digest_hex(c->arena, &m.check.last_hash));
    *ret = map;
    return arena_status(c->arena, err);
}

int export_is_one(const char *path)
{
    FILE *f = fopen(path, "re");
    int first = f ? fgetc(f) : EOF;

    if (f)
        (void)fclose(f); /* it was read */
    return first == '{';
}
