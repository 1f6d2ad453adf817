/* A standby goes on as the daemon. SPDX-License-Identifier: Apache-2.0 */
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "reconciler/cli/verbs.h"

#define TAKEOVER_WAIT_MS 120000
#define TAKEOVER_LOOK_MS 20

/* A person says how it is known; without a terminal it is a flag. */
static int ask_fenced(struct cli *c, struct str *ret, struct err *err)
{
    char line[1024];

    *ret = str_trim(c->args.fenced);
    if (ret->n)
        return 0;
    if (isatty(STDIN_FILENO)) {
        (void)fprintf(c->err_out, "The other daemon must not act any more. How do you know? ");
        (void)fflush(c->err_out); /* the question may be lost, the answer is not */
        if (fgets(line, sizeof(line), stdin))
            *ret = str_copy(c->arena, str_trim(str_from_c(line)));
    }
    return ret->n ? 0
                  : err_set(err, ERR_USAGE,
                            "how is it known that the other daemon does nothing any "
                            "more? --primary-is-fenced REASON");
}

/* Until the daemon answers as one. */
static int await_daemon(struct cli *c, int64_t until_ms, struct value **ret, struct err *err)
{
    struct timespec pause = { 0, TAKEOVER_LOOK_MS * 1000000L };
    int rc;

    do {
        rc = cli_get(c, S("/api/v1/status"), NULL, ret, err);
        if (!rc && value_get(*ret, S("live")))
            return 0;
        (void)nanosleep(&pause, NULL); /* woken early, it looks early */
    } while (sys_mono_ms() < until_ms);
    return err_set(err, ERR_TIMEOUT, "the standby does not answer as the daemon; its log says why");
}

static void write_taken(struct cli *c, const struct value *from, const struct value *status,
                        int64_t took_ms)
{
    int64_t missing = value_get_int(from, S("missing"), 0);
    struct sb b;

    sb_init(&b, c->arena);
    sb_addf(&b, "taken over after event %lld in %lld ms\n",
            (long long)value_get_int(from, S("seq"), 0), (long long)took_ms);
    if (missing)
        sb_addf(&b, "%lld events of the other daemon are missing; the last one here is of %.*s\n",
                (long long)missing,
                STR_ARG(render_time(c->arena, value_get_int(from, S("time_ms"), 0))));
    else
        sb_addf(&b, "no event that was heard of is missing; it was heard last at %.*s\n",
                STR_ARG(render_time(c->arena, value_get_int(from, S("heard_ms"), 0))));
    if (value_get(value_get(status, S("live")), S("stale")))
        sb_add_c(&b, "it does not act: reeve status\n");
    cli_write(c, &b);
}

int verb_takeover(struct cli *c, struct err *err)
{
    int64_t began_ms = sys_mono_ms();
    int64_t wait_ms = c->args.timeout_ms ? c->args.timeout_ms : TAKEOVER_WAIT_MS;
    struct value *body = value_map(c->arena), *from, *status;
    struct str reason;
    int rc = ask_fenced(c, &reason, err);

    if (rc)
        return rc;
    value_set_text(c->arena, body, S("reason"), reason);
    if (c->args.without_keys)
        value_set(c->arena, body, S("without_keys"), value_bool(c->arena, 1));
    rc = cli_post(c, S("/api/v1/takeover"), body, &from, err);
    if (!rc)
        rc = await_daemon(c, began_ms + wait_ms, &status, err);
    if (rc)
        return rc;
    value_set_int(c->arena, from, S("took_ms"), sys_mono_ms() - began_ms);
    if (!cli_wrote_json(c, from))
        write_taken(c, from, status, value_get_int(from, S("took_ms"), 0));
    return 0;
}
