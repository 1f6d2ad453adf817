/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/conform.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "providers/kit.h"

#define CONFORM_CALLS_MAX 64 /* host calls of one request */
#define CONFORM_DRIVE_MS 60000
#define CONFORM_AGAIN_MS 10    /* between two tries of what was answered RV_RETRY */
#define CONFORM_APPEAR_MS 5000 /* what has begun may not be countable yet */
#define CONFORM_NO_CALL 0
#define CONFORM_PAGES_MAX 1000
#define CONFORM_DIGITS 4 /* that an owner ends with */

/* The host that the driver sees: ours, counted, and struck at one call. */
enum conform_strike { STRIKE_NONE, STRIKE_DIE_BEFORE, STRIKE_DIE_AFTER, STRIKE_FAIL };

struct conform_host {
    struct rv_host host;
    const struct rv_host *real;
    enum conform_strike strike;
    size_t at, seen; /* the call that is struck, from 1; how many were made */
};

struct conform_run {
    const struct conform_subject *subject;
    const struct conform_type *type;
    struct arena *arena;
    struct sb report;
    size_t n_broken;
    int n_owners;
    struct str rule; /* what is being tried, for the report */
    void *self;
    struct conform_host host;
};

static int conform_enter(struct conform_host *c)
{
    if (++c->seen != c->at)
        return 0;
    if (c->strike == STRIKE_DIE_BEFORE)
        (void)kill(getpid(), SIGKILL);
    return c->strike == STRIKE_FAIL ? RV_RETRY : 0;
}

static int conform_leave(struct conform_host *c, int verdict)
{
    if (c->seen == c->at && c->strike == STRIKE_DIE_AFTER)
        (void)kill(getpid(), SIGKILL);
    return verdict;
}

#define CONFORM_CALL(name, params, args)                                                           \
    static int conform_##name params                                                               \
    {                                                                                              \
        struct conform_host *c = ctx;                                                              \
        int verdict = conform_enter(c);                                                            \
                                                                                                   \
        ctx = c->real->ctx;                                                                        \
        return conform_leave(c, verdict ? verdict : c->real->name args);                           \
    }

CONFORM_CALL(http, (void *ctx, const struct rv_http *in, struct rv_reply *ret), (ctx, in, ret))
CONFORM_CALL(exec, (void *ctx, const struct rv_exec *in, struct rv_exit *ret), (ctx, in, ret))
CONFORM_CALL(spawn, (void *ctx, const struct rv_exec *in, struct rv_exit *ret), (ctx, in, ret))
CONFORM_CALL(connect, (void *ctx, struct rv_str address, int *ret_fd), (ctx, address, ret_fd))
CONFORM_CALL(wait_fd, (void *ctx, int fd, uint32_t events, uint32_t timeout_ms),
             (ctx, fd, events, timeout_ms))
CONFORM_CALL(secret, (void *ctx, struct rv_str ref, struct rv_str *ret), (ctx, ref, ret))
CONFORM_CALL(identified, (void *ctx, struct rv_str id), (ctx, id))

static void *conform_alloc(void *ctx, size_t n)
{
    struct conform_host *c = ctx;

    return c->real->alloc(c->real->ctx, n);
}

static int conform_cancelled(void *ctx)
{
    struct conform_host *c = ctx;

    return c->real->cancelled(c->real->ctx);
}

static int64_t conform_now_ms(void *ctx)
{
    struct conform_host *c = ctx;

    return c->real->now_ms(c->real->ctx);
}

static void conform_progress(void *ctx, uint32_t permille, struct rv_str text)
{
    struct conform_host *c = ctx;

    c->real->progress(c->real->ctx, permille, text);
}

static void conform_log(void *ctx, uint32_t level, struct rv_str text)
{
    struct conform_host *c = ctx;

    c->real->log(c->real->ctx, level, text);
}

static void conform_arm(struct conform_run *run, enum conform_strike strike, size_t at)
{
    run->host = (struct conform_host){
        .host = { sizeof(struct rv_host), RV_ABI, &run->host, conform_alloc, conform_http,
                  conform_exec, conform_spawn, conform_connect, conform_wait_fd, conform_secret,
                  conform_identified, conform_cancelled, conform_now_ms, conform_progress,
                  conform_log },
        .real = run->subject->host,
        .strike = strike,
        .at = at,
    };
}

/* --- requests --- */

static void conform_expect(struct conform_run *run, int holds, const char *what,
                           const struct rv_result *got)
{
    if (holds)
        return;
    run->n_broken++;
    sb_addf(&run->report, "%s: %.*s: %s", run->type->type, STR_ARG(run->rule), what);
    if (got)
        sb_addf(&run->report, " (%s, acted %u, %.*s)", kit_verdict_name(got->verdict), got->acted,
                (int)got->message.n, got->message.n ? got->message.p : "");
    sb_add_c(&run->report, "\n");
}

/* "$N" is a number of the owner's own: two owners of what has a place in the world ask for two places. */
static struct str conform_desired(struct conform_run *run, struct str owner)
{
    struct str rest = str_from_c(run->type->desired);
    struct sb b;

    sb_init(&b, run->arena);
    for (size_t at; (at = str_find(rest, S("$N"))) != STR_NPOS;
         rest = str_slice(rest, at + 2, rest.n)) {
        sb_add(&b, str_slice(rest, 0, at));
        sb_add(&b, str_slice(owner, owner.n - CONFORM_DIGITS, owner.n));
    }
    sb_add(&b, rest);
    return sb_str(&b);
}

static struct rv_op conform_op(struct conform_run *run, uint32_t action, struct str owner,
                               const char *key, uint64_t epoch)
{
    int asks = action != RV_DELETE && action != RV_NONE;

    return (struct rv_op){
        .size = sizeof(struct rv_op),
        .action = action,
        .epoch = epoch,
        .deadline_ms = run->subject->host->now_ms(run->subject->host->ctx) + CONFORM_DRIVE_MS,
        .type = kit_rv(str_from_c(run->type->type)),
        .name = kit_rv(str_from_c(run->type->name)),
        .owner = kit_rv(owner),
        .key = kit_rv(str_fmt(run->arena, "%.*s%s", STR_ARG(owner), key)),
        .desired = kit_rv(asks ? conform_desired(run, owner) : S("")),
    };
}

/* apply, then resume until it is settled. */
static struct rv_result conform_try(struct conform_run *run, struct rv_op op)
{
    const struct rv_driver *d = run->subject->driver;
    const struct rv_host *real = run->subject->host;
    struct rv_result ret = { .size = sizeof(ret) };

    d->apply(run->self, &run->host.host, &op, &ret);
    while (ret.verdict == RV_PENDING && real->now_ms(real->ctx) < op.deadline_ms) {
        op.token = ret.token;
        (void)real->wait_fd(real->ctx, -1, 0, ret.again_ms ? ret.again_ms : 1);
        ret = (struct rv_result){ .size = sizeof(ret) };
        d->resume(run->self, &run->host.host, &op, &ret);
    }
    return ret;
}

/* The same again while the driver asks for that, as the reconciler would: a machine may be busy. */
static struct rv_result conform_drive(struct conform_run *run, struct rv_op op)
{
    const struct rv_host *real = run->subject->host;
    struct rv_result ret = conform_try(run, op);

    while (ret.verdict == RV_RETRY && real->now_ms(real->ctx) < op.deadline_ms) {
        (void)real->wait_fd(real->ctx, -1, 0, CONFORM_AGAIN_MS);
        ret = conform_try(run, op);
    }
    return ret;
}

static struct rv_result conform_find(struct conform_run *run, struct str owner)
{
    struct rv_op op = conform_op(run, RV_NONE, owner, "-look", 9);
    struct rv_result ret = { .size = sizeof(ret) };

    run->subject->driver->find_by_owner(run->self, &run->host.host, &op, &ret);
    return ret;
}

static struct rv_result conform_read(struct conform_run *run, struct str owner, struct rv_str id)
{
    struct rv_op op = conform_op(run, RV_NONE, owner, "-look", 9);
    struct rv_result ret = { .size = sizeof(ret) };

    op.id = id;
    run->subject->driver->read(run->self, &run->host.host, &op, 1, &ret);
    return ret;
}

/* How often the owner stands in the list; -1: there is none, or it cannot be read. */
static int conform_count_listed(struct conform_run *run, struct str owner)
{
    struct rv_op op = conform_op(run, RV_NONE, owner, "-list", 9);
    int n = 0;

    op.owner = op.token = (struct rv_str){ NULL, 0 };
    for (int page = 0; run->subject->driver->list && page < CONFORM_PAGES_MAX; page++) {
        struct rv_result ret = { .size = sizeof(ret) };
        const struct value *seen, *items;

        run->subject->driver->list(run->self, &run->host.host, &op, &ret);
        if (ret.verdict != RV_DONE ||
            kit_parse(run->subject->host, run->arena, ret.observed, "page", &seen, &ret))
            return -1;
        items = value_get(seen, S("items"));
        for (size_t i = 0; i < value_count(items); i++)
            n += str_eq(value_get_text(value_item(items, i), S("owner"), S("")), owner);
        if (!ret.token.n)
            return n;
        op.token = ret.token;
    }
    return -1;
}

static struct rv_result conform_make(struct conform_run *run, struct str owner)
{
    return conform_drive(run, conform_op(run, run->type->action, owner, "-make", 5));
}

static struct rv_result conform_drop(struct conform_run *run, struct str owner)
{
    return conform_drive(run, conform_op(run, RV_DELETE, owner, "-drop", 5));
}

static struct str conform_owner(struct conform_run *run)
{
    struct str owner = str_fmt(run->arena, "rv1conform%s%0*d", run->type->type, CONFORM_DIGITS,
                               ++run->n_owners);

    if (run->type->given && run->type->given(run->type->ctx, owner.p + owner.n - CONFORM_DIGITS))
        conform_expect(run, 0, "what it needs is not there", NULL);
    return owner;
}

static void conform_reopen(struct conform_run *run)
{
    struct rv_result ret = { .size = sizeof(ret) };

    if (run->self)
        run->subject->driver->close(run->self);
    run->self = NULL;
    conform_arm(run, STRIKE_NONE, CONFORM_NO_CALL);
    conform_expect(run,
                   !run->subject->driver->open(&run->host.host,
                                               kit_rv(str_from_c(run->subject->config)), 1,
                                               &run->self, &ret),
                   "open failed", &ret);
}

/* --- rules --- */

static void conform_expect_gone(struct conform_run *run, struct str owner, struct rv_str id)
{
    struct rv_result found = conform_find(run, owner), seen = conform_read(run, owner, id);

    conform_expect(run, found.verdict == RV_ABSENT, "find_by_owner is not RV_ABSENT", &found);
    conform_expect(run, seen.verdict == RV_ABSENT, "read is not RV_ABSENT", &seen);
    if (run->subject->driver->list)
        conform_expect(run, !conform_count_listed(run, owner), "it is listed", NULL);
    if (run->type->count)
        conform_expect(run, run->type->count(run->type->ctx, owner.p) == 0, "something is left",
                       NULL);
}

/* Too many at any time is too many. */
static int conform_count_one(struct conform_run *run, struct str owner)
{
    const struct rv_host *real = run->subject->host;
    int64_t until_ms = real->now_ms(real->ctx) + CONFORM_APPEAR_MS;
    int n;

    while (!(n = run->type->count(run->type->ctx, owner.p)) && real->now_ms(real->ctx) < until_ms)
        (void)real->wait_fd(real->ctx, -1, 0, CONFORM_AGAIN_MS);
    return n;
}

static void conform_expect_one(struct conform_run *run, struct str owner)
{
    struct rv_result found = conform_find(run, owner);

    conform_expect(run, found.verdict == RV_DONE, "find_by_owner does not find it", &found);
    conform_expect(run, found.id.n > 0, "it has no id", &found);
    if (run->subject->driver->list)
        conform_expect(run, conform_count_listed(run, owner) == 1, "it is not listed once", NULL);
    if (run->type->count)
        conform_expect(run, conform_count_one(run, owner) == 1, "there is not exactly one", NULL);
}

static int conform_same(struct rv_str a, struct rv_str b)
{
    return str_eq(kit_str(a), kit_str(b));
}

static void conform_life(struct conform_run *run)
{
    struct str owner = conform_owner(run), other = conform_owner(run);
    struct rv_result made, again, seen;

    run->rule = S("before");
    conform_expect_gone(run, owner, (struct rv_str){ "rv1nobody", 9 });
    run->rule = S("create");
    made = conform_make(run, owner);
    conform_expect(run, made.verdict == RV_DONE, "create is not RV_DONE", &made);
    conform_expect_one(run, owner);
    seen = conform_read(run, owner, made.id);
    conform_expect(run, seen.verdict == RV_DONE && conform_same(seen.outputs, made.outputs),
                   "read differs from what create answered", &seen);
    run->rule = S("the same key twice");
    again = conform_make(run, owner);
    conform_expect(run,
                   again.verdict == RV_DONE && conform_same(again.id, made.id) &&
                       conform_same(again.outputs, made.outputs),
                   "the second answer differs", &again);
    conform_expect_one(run, owner);
    run->rule = S("an unknown id");
    seen = conform_read(run, conform_owner(run), (struct rv_str){ "rv1nobody", 9 });
    conform_expect(run, seen.verdict == RV_ABSENT, "read is not RV_ABSENT", &seen);

    run->rule = S("two owners");
    again = conform_make(run, other);
    conform_expect(run, again.verdict == RV_DONE && !conform_same(again.id, made.id),
                   "the second owner's is not its own", &again);
    again = conform_drop(run, other);
    conform_expect(run, again.verdict == RV_DONE, "delete is not RV_DONE", &again);
    conform_expect_one(run, owner);

    run->rule = S("an older epoch");
    again = conform_drive(run, conform_op(run, RV_DELETE, owner, "-old", 4));
    conform_expect(run, again.verdict == RV_FATAL && again.acted == RV_ACTED_NO,
                   "it is not refused", &again);
    conform_expect_one(run, owner);

    run->rule = S("delete");
    again = conform_drop(run, owner);
    conform_expect(run, again.verdict == RV_DONE, "delete is not RV_DONE", &again);
    conform_expect_gone(run, owner, made.id);
    again = conform_drop(run, owner);
    conform_expect(run, again.verdict == RV_DONE || again.verdict == RV_ABSENT,
                   "the second delete is neither RV_DONE nor RV_ABSENT", &again);
    conform_expect_gone(run, owner, made.id);
}

/* In a process that ends at the nth host call. 1: it was killed there; 0: there is no nth call. */
static int conform_die(struct conform_run *run, uint32_t action, struct str owner,
                       enum conform_strike strike, size_t at)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        conform_arm(run, strike, at);
        (void)(action == RV_DELETE ? conform_drop(run, owner) : conform_make(run, owner));
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static size_t conform_every(const struct conform_run *run)
{
    return run->type->every ? run->type->every : 1;
}

static void conform_expect_looks(struct conform_run *run, struct str owner)
{
    struct rv_result found = conform_find(run, owner);

    conform_expect(run, found.verdict == RV_DONE || found.verdict == RV_ABSENT,
                   "find_by_owner cannot tell", &found);
}

static void conform_crash(struct conform_run *run, uint32_t action, enum conform_strike strike)
{
    const char *what = action == RV_DELETE ? "delete" : "create";
    const char *when = strike == STRIKE_DIE_BEFORE ? "before" : "after";
    int was_killed = 1;

    for (size_t at = 1; was_killed && at <= CONFORM_CALLS_MAX; at += conform_every(run)) {
        struct str owner = conform_owner(run);
        struct rv_result ret;

        run->rule = str_fmt(run->arena, "dying in %s %s host call %zu", what, when, at);
        if (action == RV_DELETE)
            (void)conform_make(run, owner);
        was_killed = conform_die(run, action, owner, strike, at);
        conform_reopen(run);
        conform_expect_looks(run, owner);
        ret = action == RV_DELETE ? conform_drop(run, owner) : conform_make(run, owner);
        conform_expect(run, ret.verdict == RV_DONE, "the same request again is not RV_DONE", &ret);
        if (action != RV_DELETE)
            conform_expect_one(run, owner);
        ret = conform_drop(run, owner);
        conform_expect_gone(run, owner, kit_rv(owner));
    }
}

static void conform_faults(struct conform_run *run)
{
    int was_struck = 1;

    for (size_t at = 1; was_struck && at <= CONFORM_CALLS_MAX; at += conform_every(run)) {
        struct str owner = conform_owner(run);
        struct rv_result ret;

        run->rule = str_fmt(run->arena, "host call %zu of create fails", at);
        conform_arm(run, STRIKE_FAIL, at);
        ret = conform_try(run, conform_op(run, run->type->action, owner, "-make", 5));
        was_struck = run->host.seen >= at;
        conform_expect(run, ret.verdict != RV_ABSENT, "an error was answered as RV_ABSENT", &ret);
        conform_arm(run, STRIKE_NONE, CONFORM_NO_CALL);
        conform_expect_looks(run, owner);
        ret = conform_make(run, owner);
        conform_expect(run, ret.verdict == RV_DONE, "the same request again is not RV_DONE", &ret);
        conform_expect_one(run, owner);
        (void)conform_drop(run, owner);
        conform_expect_gone(run, owner, kit_rv(owner));
    }
}

size_t conform_run(const struct conform_subject *subject, struct arena *a, struct str *ret_report)
{
    struct conform_run run = { .subject = subject, .arena = a };

    sb_init(&run.report, a);
    for (size_t i = 0; i < subject->n_types; i++) {
        run.type = &subject->types[i];
        run.rule = S("open");
        conform_reopen(&run);
        if (!run.self)
            break;
        conform_life(&run);
        conform_crash(&run, run.type->action, STRIKE_DIE_BEFORE);
        conform_crash(&run, run.type->action, STRIKE_DIE_AFTER);
        conform_crash(&run, RV_DELETE, STRIKE_DIE_BEFORE);
        conform_crash(&run, RV_DELETE, STRIKE_DIE_AFTER);
        conform_faults(&run);
    }
    if (run.self)
        subject->driver->close(run.self);
    *ret_report = sb_str(&run.report);
    return run.n_broken;
}
