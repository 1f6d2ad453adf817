/* The proof of what happened. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/cli/args_time.h"
#include "reconciler/cli/export.h"
#include "reconciler/cli/verbs.h"
#include "reconciler/engine/view.h"

/* A copy of a state file, wherever it came from. */
static int audit_copy(struct cli *c, const char *file, struct value **ret, struct err *err)
{
    const struct view_audit_ask ask = { .depth = c->args.replay ? VIEW_AUDIT_REPLAY
                                                                : VIEW_AUDIT_CHAIN };
    struct view view = { .a = c->arena, .now_ms = sys_wall_ms() };
    int rc = config_drop_to_owner(file, err); /* reading makes files beside it */

    if (!rc)
        rc = db_open(file, DB_READ, &view.db, err);
    if (rc)
        return rc;
    rc = db_view_begin(view.db, err);
    if (!rc) {
        rc = view_audit(&view, &ask, ret, err);
        db_view_end(view.db);
    }
    db_close(view.db);
    return rc;
}

static int audit_file(struct cli *c, const char *file, struct value **ret, struct err *err)
{
    struct anchors anchors;

    if (!export_is_one(file) && c->args.anchors)
        return err_set(err, ERR_USAGE, "anchors are compared with an export: reeve audit export");
    if (!export_is_one(file))
        return audit_copy(c, file, ret, err);
    if (c->args.replay)
        return err_set(err, ERR_USAGE, "an export has no tables to replay");
    if (c->args.anchors &&
        anchors_read(c->arena, c->args.anchors, c->args.authority, &anchors, err))
        return err->code;
    return export_verify(c, file, c->args.anchors ? &anchors : NULL, ret, err);
}

static void write_verdict(struct cli *c, const struct value *answer)
{
    long long n = value_get_int(answer, S("events"), 0),
              since = value_get_int(answer, S("since"), 0),
              sealed = value_get_int(answer, S("sealed"), 0);
    struct str head = cli_text(answer, "head");

    if (since && since == n)
        (void)fprintf(c->out, "the chain holds: nothing came after event %lld; head %.*s\n", n,
                      STR_ARG(head));
    else if (since)
        (void)fprintf(c->out, "the chain holds from event %lld to %lld; head %.*s\n", since + 1, n,
                      STR_ARG(head));
    else
        (void)fprintf(c->out, "the chain of %lld events holds; head %.*s\n", n, STR_ARG(head));
    if (sealed)
        (void)fprintf(c->out, "the sealed head, event %lld, stands in it\n", sealed);
    if (value_get(answer, S("removed")))
        (void)fprintf(c->out, "what the first %lld of them wrote was removed\n",
                      (long long)value_get_int(answer, S("removed"), 0));
    if (value_get(answer, S("anchored")))
        (void)fprintf(c->out, "%lld events are the ones that were anchored\n",
                      (long long)value_get_int(answer, S("anchored"), 0));
    if (value_get(answer, S("stamped")))
        (void)fprintf(
            c->out, "%lld time stamps hold, from %.*s to %.*s\n",
            (long long)value_get_int(answer, S("stamped"), 0),
            STR_ARG(render_time(c->arena, value_get_int(answer, S("stamped_from_ms"), 0))),
            STR_ARG(render_time(c->arena, value_get_int(answer, S("stamped_to_ms"), 0))));
    if (value_get(answer, S("unstamped")))
        (void)fprintf(c->out,
                      "%lld time stamps were not checked: --authority says whose they have to be\n",
                      (long long)value_get_int(answer, S("unstamped"), 0));
    if (value_get(answer, S("anchored_before")))
        (void)fprintf(c->out,
                      "%lld anchors are of the history that a recover ended: hold them against its "
                      "export\n",
                      (long long)value_get_int(answer, S("anchored_before"), 0));
    if (value_get(answer, S("rows")))
        (void)fprintf(c->out, "%lld rows are what the events say\n",
                      (long long)value_get_int(answer, S("rows"), 0));
}

static int audit_verify(struct cli *c, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    struct str file = cli_arg(c, 1);
    int rc;

    if (c->args.from.p || c->args.to.p)
        return err_set(err, ERR_USAGE, "--from and --to go with audit export and audit report");
    if (!file.p && c->args.anchors)
        return err_set(err, ERR_USAGE, "anchors are compared with an export: --anchors needs FILE");
    if (c->args.authority && !c->args.anchors)
        return err_set(
            err, ERR_USAGE,
            "--authority is of time stamps: --anchors says where they are, an export may");
    if (file.p && c->args.incremental)
        return err_set(err, ERR_USAGE,
                       "--incremental is for the daemon's own history, not for FILE");
    if (c->args.replay)
        value_set_text(c->arena, query, S("replay"), S("1"));
    if (c->args.incremental)
        value_set_text(c->arena, query, S("incremental"), S("1"));
    rc = file.p ? audit_file(c, str_to_c(c->arena, file), &answer, err)
                : cli_get(c, S("/api/v1/audit/verify"), query, &answer, err);
    if (!rc && !cli_wrote_json(c, answer))
        write_verdict(c, answer);
    return rc;
}

/* What is new is verified first: nobody is to keep the head of a chain that does not hold. */
static int audit_anchor(struct cli *c, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    struct str file = cli_arg(c, 1);
    struct sb b;

    if (file.p && !export_is_one(str_to_c(c->arena, file)))
        return err_set(err, ERR_USAGE, "'%.*s' is no export: reeve audit export", STR_ARG(file));
    if (file.p)
        return anchors_write_stamped(str_to_c(c->arena, file), c->out, err);
    value_set_text(c->arena, query, S("incremental"), S("1"));
    if (cli_get(c, S("/api/v1/audit/verify"), query, &answer, err))
        return err->code;
    if (cli_wrote_json(c, answer))
        return 0;
    sb_init(&b, c->arena);
    sb_add(&b, anchors_format(c->arena, cli_text(answer, "installation"),
                              value_get_int(answer, S("events"), 0), cli_text(answer, "head")));
    cli_write(c, &b);
    return 0;
}

static int audit_export(struct cli *c, struct err *err)
{
    int64_t now_ms = sys_wall_ms(), from_ms = 0, to_ms = 0;

    if (c->args.replay || c->args.incremental || cli_arg(c, 1).p)
        return err_set(err, ERR_USAGE, "usage: reeve audit export [--from TIME] [--to TIME]");
    if ((c->args.from.p && args_time(c->args.from, -1, now_ms, &from_ms, err)) ||
        (c->args.to.p && args_time(c->args.to, -1, now_ms, &to_ms, err)))
        return err->code;
    return export_write(c, from_ms, to_ms, err);
}

/* --- report -------------------------------------------------------------------------------------- */

static struct str authors_of(struct cli *c, const struct value *change)
{
    const struct value *authors = value_get(change, S("authors")),
                       *commits = value_get(value_get(change, S("revision")), S("commits"));
    struct sb b;

    if (!value_count(authors))
        return cli_text(value_item(commits, 0), "author");

    sb_init(&b, c->arena);
    for (size_t i = 0; i < value_count(authors); i++) {
        const struct value *one = value_item(authors, i);
        struct str person = cli_text(one, "person"), mail = cli_text(one, "mail");

        sb_addf(&b, "%s%.*s", i ? ", " : "",
                STR_ARG(person.n ? person
                        : mail.n ? mail
                                 : cli_text(one, "name")));
    }
    return sb_str(&b);
}

static struct str decisions_of(struct cli *c, const struct value *change)
{
    const struct value *list = value_get(change, S("decisions"));
    struct sb b;

    if (!value_count(list))
        return value_get_bool(change, S("asked"), 0) ? S("nobody") : S("not asked for");
    sb_init(&b, c->arena);
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *one = value_item(list, i);
        struct str own = cli_text(one, "own");

        sb_addf(&b, "%s%.*s by %.*s: \"%.*s\"%s%.*s", i ? "; " : "",
                STR_ARG(cli_text(one, "verdict")), STR_ARG(cli_text(one, "person")),
                STR_ARG(cli_text(one, "reason")), own.n ? ", their own: " : "", STR_ARG(own));
    }
    return sb_str(&b);
}

static void add_changes(struct cli *c, struct render *r, const struct value *list)
{
    static const char *const heads[] = { "started", "environment", "plan",   "cause",
                                         "is",      "by",          "decided" };
    struct render_table t;

    render_table_init(&t, c->arena, heads, N_ELEMENTS(heads));
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *one = value_item(list, i);
        int64_t started_ms = value_get_int(one, S("started_ms"), 0);

        render_cell(&t, TONE_DIM, started_ms ? render_time(c->arena, started_ms) : S("-"));
        render_cell(&t, TONE_PLAIN, cli_text(one, "environment"));
        render_cell(&t, TONE_DIM, render_short(cli_text(one, "id")));
        render_cell(&t, TONE_DIM, cli_text(one, "cause"));
        render_cell(&t, TONE_PLAIN, cli_text(one, "state"));
        render_cell(&t, TONE_PLAIN, authors_of(c, one));
        render_cell(&t, TONE_PLAIN, decisions_of(c, one));
    }
    render_table_write(r, &t, "  ");
}

static void add_acts(struct cli *c, struct render *r, const struct value *list)
{
    struct render_table t;

    render_table_init(&t, c->arena, NULL, 5);
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *e = value_item(list, i);

        render_cell(&t, TONE_DIM, render_time(c->arena, value_get_int(e, S("time_ms"), 0)));
        render_cell(&t, TONE_PLAIN, cli_text(e, "actor"));
        render_cell(&t, TONE_PLAIN, cli_text(e, "kind"));
        render_cell(&t, TONE_PLAIN, cli_text(e, "subject"));
        render_cell(&t, TONE_DIM, cli_text(e, "why"));
    }
    render_table_write(r, &t, "  ");
}

static void write_report(struct cli *c, const struct value *answer)
{
    static const char *const parts[] = { "changes", "commands", "emergencies", "access", "lives" };
    struct sb b;
    struct render r = cli_render(c, &b);

    sb_addf(&b, "installation %.*s, events %lld to %lld, %.*s to %.*s\n",
            STR_ARG(render_safe(c->arena, cli_text(answer, "installation"))),
            (long long)value_get_int(answer, S("after_seq"), 0) + 1,
            (long long)value_get_int(answer, S("seq"), 0),
            STR_ARG(render_time(c->arena, value_get_int(answer, S("from_ms"), 0))),
            STR_ARG(render_time(c->arena, value_get_int(answer, S("to_ms"), 0))));
    for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
        const struct value *list = value_get(answer, str_from_c(parts[i]));

        sb_addf(&b, "\n%s: %zu\n", parts[i], value_count(list));
        if (value_count(list))
            (i ? add_acts : add_changes)(c, &r, list);
    }
    if (value_get_bool(answer, S("is_cut"), 0))
        sb_add_c(&b, "\nthese are the first 1000 of a list: ask for less at a time\n");
    cli_write(c, &b);
}

static int audit_report(struct cli *c, struct err *err)
{
    struct value *query = value_map(c->arena), *answer;
    int rc;

    if (c->args.replay || c->args.incremental || cli_arg(c, 1).p || c->args.output > OUTPUT_JSON)
        return err_set(err, ERR_USAGE, "usage: reeve audit report [--from TIME] [--to TIME]");
    if (cli_query_time(c, query, "from_ms", c->args.from, err) ||
        cli_query_time(c, query, "to_ms", c->args.to, err))
        return err->code;
    rc = cli_get(c, S("/api/v1/audit/report"), query, &answer, err);
    if (!rc && !cli_wrote_json(c, answer))
        write_report(c, answer);
    return rc;
}

int verb_audit(struct cli *c, struct err *err)
{
    static const struct {
        const char *word;
        int (*run)(struct cli *c, struct err *err);
    } words[] = { { "verify", audit_verify },
                  { "export", audit_export },
                  { "report", audit_report },
                  { "anchor", audit_anchor } };

    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        if (str_eq_c(cli_arg(c, 0), words[i].word))
            return words[i].run(c, err);
    return err_set(err, ERR_USAGE, "usage: reeve audit verify [FILE], export, report or anchor");
}
