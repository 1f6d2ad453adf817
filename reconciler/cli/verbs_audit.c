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
    if (!export_is_one(file))
        return audit_copy(c, file, ret, err);
    return c->args.replay ? err_set(err, ERR_USAGE, "an export has no tables to replay")
                          : export_verify(c, file, ret, err);
}

static void write_verdict(struct cli *c, const struct value *answer)
{
    long long n = value_get_int(answer, S("events"), 0),
              since = value_get_int(answer, S("since"), 0),
              sealed = value_get_int(answer, S("sealed"), 0);
    struct str head = cli_text(answer, "head");

    if (since)
        (void)fprintf(c->out, "the chain holds from event %lld to %lld; head %.*s\n", since + 1, n,
                      STR_ARG(head));
    else
        (void)fprintf(c->out, "the chain of %lld events holds; head %.*s\n", n, STR_ARG(head));
    if (sealed)
        (void)fprintf(c->out, "the sealed head, event %lld, stands in it\n", sealed);
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
        return err_set(err, ERR_USAGE, "--from and --to are of an export");
    if (file.p && c->args.incremental)
        return err_set(err, ERR_USAGE, "nothing is remembered of a file: --incremental is without");
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

int verb_audit(struct cli *c, struct err *err)
{
    if (str_eq_c(cli_arg(c, 0), "verify"))
        return audit_verify(c, err);
    if (str_eq_c(cli_arg(c, 0), "export"))
        return audit_export(c, err);
    return err_set(err, ERR_USAGE, "usage: reeve audit verify [FILE], or reeve audit export");
}
