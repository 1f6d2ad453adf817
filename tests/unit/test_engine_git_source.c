/* engine: the daemon's side of git: tasks ask, a worker process answers. SPDX-License-Identifier: Apache-2.0 */
#include "test_engine_git_server.h"

#include <dirent.h>

#include "reconciler/engine/source_git.h"
#include "test_rt_fixture.h"

#define TOKEN "s3cret-t0ken"

static const char *worker[] = { NULL, "git-worker", NULL }; /* this program, see main() */

struct asked {
    struct fixture f;
    struct bench *b;
    struct source_git git;
    struct source_call call;
    struct probe probe;
    union {
        struct source_fetch fetch;
        struct source_read read;
        struct source_ancestry ancestry;
        struct source_log log;
        struct source_export export;
    } in;
};

static struct asked *given_source(void)
{
    struct asked *q = calloc(1, sizeof(*q));

    assert_non_null(q);
    q->b = bench_open();
    given_real_loop(&q->f, NULL);
    q->git = (struct source_git){ .source = { &source_git_ops },
                                  .worker = worker,
                                  .url = str_fmt(&q->b->a, "file://%s/src", q->b->dir),
                                  .mirror = str_fmt(&q->b->a, "%s/mirror", q->b->dir),
                                  .spec_path = S(".reeve") };
    q->probe.ctx = q;
    return q;
}

static void asked_free(struct asked *q)
{
    fixture_fini(&q->f);
    bench_close(q->b);
    free(q);
}

static void run_question(struct asked *q, void (*start)(struct probe *p))
{
    given_probe(&q->probe, &q->f, start);
    loop_run(q->f.loop);
}

#define STARTS(op)                                                                                 \
    static void start_##op(struct probe *p)                                                        \
    {                                                                                              \
        struct asked *q = p->ctx;                                                                  \
                                                                                                   \
        q->git.source.ops->op(&q->git.source, &p->task, &q->f.arena, &q->in.op, &q->call);         \
    }
STARTS(fetch)
STARTS(read)
STARTS(ancestry)
STARTS(log)
STARTS(export)

static void expect_parsed(int rc, const struct err *err)
{
    if (rc)
        fail_msg("%s", err->text);
}

static void test_five_questions_and_their_answers(void **state)
{
    static const struct str names[] = { S_INIT("gone"), S_INIT("main") };
    static const struct str paths[] = { S_INIT("."), S_INIT("none") };
    struct asked *q = given_source();
    struct source_heads heads;
    struct source_snapshot snapshot;
    struct source_commits commits;
    struct source_exported exported;
    struct err err = ERR_INIT;
    struct str first = str_from_c(given_repository(q->b)), tip;
    int is_descendant = -1;

    (void)state;
    tip = str_from_c(given_commit(q->b, "run.sh", S("2\n")));
    q->in.fetch = (struct source_fetch){ .names = names, .n_names = 2 };
    run_question(q, start_fetch);
    expect_end(&q->probe, "WAIT AFTER ", 0);
    expect_parsed(source_git_ops.fetch_parse(&q->f.arena, &q->call, &heads, &err), &err);
    assert_int_equal(heads.heads.n, 1);
    assert_true(str_eq(heads.heads.p[0].name, S("main")) && str_eq(heads.heads.p[0].commit, tip));
    assert_true(heads.gone.n == 1 && str_eq(heads.gone.p[0], S("gone")));

    q->in.read = (struct source_read){ .commit = tip, .base = first, .paths = paths, .n_paths = 2 };
    run_question(q, start_read);
    expect_parsed(source_git_ops.read_parse(&q->f.arena, &q->call, &snapshot, &err), &err);
    assert_true(str_eq(snapshot.commit.id, tip) && str_eq(snapshot.commit.author, S("Ada")));
    assert_true(snapshot.commit.parents.n == 1 && str_eq(snapshot.commit.parents.p[0], first));
    assert_true(snapshot.has_base && snapshot.goes_on);
    assert_true(!snapshot.files.n && !snapshot.gone.n && snapshot.code.n == 40);
    assert_true(snapshot.trees.n == 1 && str_eq(snapshot.trees.p[0].path, S(".")));

    q->in.ancestry = (struct source_ancestry){ .ancestor = first, .descendant = tip };
    run_question(q, start_ancestry);
    expect_parsed(source_git_ops.ancestry_parse(&q->f.arena, &q->call, &is_descendant, &err), &err);
    assert_int_equal(is_descendant, 1);

    q->in.log = (struct source_log){ .from = first, .to = tip, .limit = 5 };
    run_question(q, start_log);
    expect_parsed(source_git_ops.log_parse(&q->f.arena, &q->call, &commits, &err), &err);
    assert_true(commits.list.n == 1 && !commits.truncated);
    assert_true(str_eq(commits.list.p[0].id, tip) && commits.list.p[0].time_ms > 0);
    assert_true(commits.has_from && commits.goes_on && !commits.list.p[0].signature.p);

    q->in.log = (struct source_log){ .from = tip, .to = first, .limit = 5 };
    run_question(q, start_log);
    expect_parsed(source_git_ops.log_parse(&q->f.arena, &q->call, &commits, &err), &err);
    assert_true(!commits.list.n && commits.has_from && !commits.goes_on);

    q->in.export = (struct source_export){ .commit = tip,
                                           .path = S("."),
                                           .dest = str_fmt(&q->b->a, "%s/out", q->b->dir) };
    run_question(q, start_export);
    expect_parsed(source_git_ops.export_parse(&q->f.arena, &q->call, &exported, &err), &err);
    assert_true(exported.bytes == 11 && sys_exists(bench_path(q->b, "out/run.sh")));
    asked_free(q);
}

/* What the fetch of "main" brings along when it was last read at `base`. */
static const struct source_snapshot *fetch_along(struct asked *q, struct str base)
{
    static const struct str names[] = { S_INIT("gone"), S_INIT("main") };
    const struct source_read reads[] = { { .base = STR_NONE }, { .base = base } };
    struct source_heads heads;
    struct err err = ERR_INIT;

    q->in.fetch = (struct source_fetch){ .names = names, .n_names = 2, .reads = reads };
    run_question(q, start_fetch);
    expect_parsed(source_git_ops.fetch_parse(&q->f.arena, &q->call, &heads, &err), &err);
    assert_int_equal(heads.heads.n, 1);
    return heads.heads.p[0].snapshot;
}

static void test_a_fetch_reads_what_moved(void **state)
{
    struct asked *q = given_source();
    const struct source_snapshot *along;
    struct str first = str_from_c(given_repository(q->b)), second, hostile;

    (void)state;
    assert_null(fetch_along(q, STR_NONE));
    assert_null(fetch_along(q, first)); /* it did not move */
    second = str_from_c(given_commit(q->b, ".reeve/more.yaml", S("kind: Environment\n")));
    along = fetch_along(q, first);
    assert_non_null(along);
    assert_true(str_eq(along->commit.id, second) && along->has_base && along->goes_on);
    assert_true(along->files.n == 1 && str_eq(along->files.p[0].path, S(".reeve/more.yaml")));
    hostile = str_from_c(given_commit(q->b, ".reeve/more.yaml", S("\xff")));
    assert_false(str_eq(hostile, second));
    assert_null(fetch_along(q, second)); /* the head is there, read() says what is wrong */
    asked_free(q);
}

static void test_the_workers_error_is_ours(void **state)
{
    struct asked *q = given_source();
    struct source_heads heads;
    struct err err = ERR_INIT;

    (void)state;
    q->git.url = S("http://acme.dev/a");
    q->in.fetch = (struct source_fetch){ .names = &S("main"), .n_names = 1 };
    run_question(q, start_fetch);
    expect_end(&q->probe, "WAIT AFTER ", 0);
    assert_int_equal(source_git_ops.fetch_parse(&q->f.arena, &q->call, &heads, &err), ERR_REFUSED);
    assert_non_null(strstr(err.text, "git: http:// shows"));
    asked_free(q);
}

static void test_a_worker_that_breaks_off_is_no_answer(void **state)
{
    /* clang-format off */
    static const struct { const char *what, *script; int code; const char *text; } rows[] = {
        { "killed",              "kill -9 $$",            ERR_IO,      "signal 9" },
        { "an exit status",      "echo broken >&2; exit 3", ERR_IO,    "with 3: broken" },
        { "no JSON",             "echo hello",            ERR_INVALID, "the worker's answer" },
        { "an empty answer",     "true",                  ERR_INVALID, "the worker's answer" },
        { "not what was asked",  "echo {}",               ERR_IO,      "lacks its heads" },
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const char *const argv[] = { "/bin/sh", "-c", rows[i].script, NULL };
        struct asked *q = given_source();
        struct source_heads heads;
        struct err err = ERR_INIT;

        q->git.worker = argv;
        q->in.fetch = (struct source_fetch){ .names = &S("main"), .n_names = 1 };
        run_question(q, start_fetch);
        assert_int_equal(source_git_ops.fetch_parse(&q->f.arena, &q->call, &heads, &err),
                         rows[i].code);
        if (!strstr(err.text, rows[i].text))
            fail_msg("%s: %s", rows[i].what, err.text);
        asked_free(q);
    }
}

#define ID "0123456789abcdef0123456789abcdef01234567"
#define COMMIT "{\"id\":\"" ID "\",\"tree\":\"" ID "\",\"parents\":[]}"
#define READ(commit, files, gone, trees)                                                           \
    "{\"commit\":" commit ",\"code\":\"" ID "\",\"files\":" files ",\"gone\":" gone                \
    ",\"trees\":" trees "}"
#define HEADS(head, gone) "{\"heads\":{\"main\":" head "},\"gone\":" gone "}"

enum question { FETCH, READING, LOG, ANCESTRY, EXPORT };

static int parse_answer(struct arena *a, enum question which, const char *answer, struct err *err)
{
    struct source_call call = { .result = { .out = str_from_c(answer) } };
    struct source_heads heads;
    struct source_snapshot snapshot;
    struct source_commits commits;
    struct source_exported exported;
    int is_descendant;

    switch (which) {
    case FETCH:
        return source_git_ops.fetch_parse(a, &call, &heads, err);
    case READING:
        return source_git_ops.read_parse(a, &call, &snapshot, err);
    case LOG:
        return source_git_ops.log_parse(a, &call, &commits, err);
    case ANCESTRY:
        return source_git_ops.ancestry_parse(a, &call, &is_descendant, err);
    case EXPORT:
        break;
    }
    return source_git_ops.export_parse(a, &call, &exported, err);
}

/* It has read hostile bytes: what it says may be anybody's. */
static void test_nothing_of_an_answer_is_believed_unseen(void **state)
{
    /* clang-format off */
    static const struct { const char *what; enum question which; const char *answer; int code; } rows[] = {
        { "a commit as it should be",       READING,  READ(COMMIT, "[]", "[]", "{}"), 0 },
        { "a parent that is a number",      READING,  READ("{\"id\":\"" ID "\",\"tree\":\"" ID "\",\"parents\":[4096]}", "[]", "[]", "{}"), ERR_IO },
        { "parents that are a map",         READING,  READ("{\"id\":\"" ID "\",\"tree\":\"" ID "\",\"parents\":{\"a\":\"" ID "\"}}", "[]", "[]", "{}"), ERR_IO },
        { "an author that is a list",       READING,  READ("{\"id\":\"" ID "\",\"tree\":\"" ID "\",\"parents\":[],\"co_authors\":[[]]}", "[]", "[]", "{}"), ERR_IO },
        { "a commit without an id",         READING,  READ("{}", "[]", "[]", "{}"), ERR_IO },
        { "an id that is too short",        READING,  READ("{\"id\":\"ab\",\"tree\":\"" ID "\",\"parents\":[]}", "[]", "[]", "{}"), ERR_IO },
        { "a spec without a place",         READING,  READ(COMMIT, "[{\"id\":\"" ID "\",\"text\":\"\"}]", "[]", "{}"), ERR_IO },
        { "a spec above the root",          READING,  READ(COMMIT, "[{\"id\":\"" ID "\",\"text\":\"\",\"path\":\"../a\"}]", "[]", "{}"), ERR_IO },
        { "a spec whose text is a number",  READING,  READ(COMMIT, "[{\"id\":\"" ID "\",\"text\":8,\"path\":\"a\"}]", "[]", "{}"), ERR_IO },
        { "a spec that is none",            READING,  READ(COMMIT, "[7]", "[]", "{}"), ERR_IO },
        { "what is gone is a number",       READING,  READ(COMMIT, "[]", "[1]", "{}"), ERR_IO },
        { "a tree that is a number",        READING,  READ(COMMIT, "[]", "[]", "{\".\":9}"), ERR_IO },
        { "trees that are a list",          READING,  READ(COMMIT, "[]", "[]", "[\"" ID "\"]"), ERR_IO },
        { "a head as it should be",         FETCH,    HEADS("{\"commit\":\"" ID "\",\"tree\":\"" ID "\"}", "[]"), 0 },
        { "a head without a commit",        FETCH,    HEADS("{}", "[]"), ERR_IO },
        { "a head that is a number",        FETCH,    HEADS("5", "[]"), ERR_IO },
        { "a name that is a number",        FETCH,    HEADS("{\"commit\":\"" ID "\",\"tree\":\"" ID "\"}", "[3]"), ERR_IO },
        { "what was read along is wrong",   FETCH,    HEADS("{\"commit\":\"" ID "\",\"tree\":\"" ID "\",\"read\":{\"files\":[],\"gone\":[]}}", "[]"), ERR_IO },
        { "a log as it should be",          LOG,      "{\"commits\":[" COMMIT "]}", 0 },
        { "commits that are numbers",       LOG,      "{\"commits\":[1]}", ERR_IO },
        { "no commits at all",              LOG,      "{}", ERR_IO },
        { "fewer bytes than none",          EXPORT,   "{\"bytes\":-1,\"files\":0}", ERR_IO },
        { "an error that is success",       ANCESTRY, "{\"error\":{\"code\":\"OK\",\"text\":\"fine\"}}", ERR_IO },
        { "an error that ends us",          ANCESTRY, "{\"error\":{\"code\":\"CORRUPT\",\"text\":\"die\"}}", ERR_IO },
        { "an error that is no text",       ANCESTRY, "{\"error\":[1]}", ERR_FAILED },
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        AUTO_ARENA struct arena a = { 0 };
        struct err err = ERR_INIT;

        if (parse_answer(&a, rows[i].which, rows[i].answer, &err) != rows[i].code)
            fail_msg("%s: %d '%s'", rows[i].what, err.code, err.text);
    }
}

/* The file /proc/PID/NAME, "" when it cannot be read. */
static struct str proc_read(struct bench *b, const char *pid, const char *name)
{
    struct str text;
    struct err err;
    int rc = sys_read_file(&b->a, str_fmt(&b->a, "/proc/%s/%s", pid, name).p, 1 << 20, &text, &err);

    return rc ? S("") : text;
}

struct watch {
    struct asked *q;
    struct loop_timer *timer;
    int seen;
};

/* Our child that has become the worker: look at it, then end it. */
static void watch_children(void *ctx)
{
    struct watch *w = ctx;
    struct bench *b = w->q->b;
    struct str mine = str_fmt(&b->a, ") S %d ", (int)getpid());
    struct dirent *entry;
    DIR *dir = opendir("/proc");

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        struct str words = proc_read(b, entry->d_name, "cmdline");

        if (str_find(words, S("git-worker")) == STR_NPOS ||
            str_find(proc_read(b, entry->d_name, "stat"), mine) == STR_NPOS)
            continue;
        assert_int_equal(str_find(words, S(TOKEN)), STR_NPOS);
        assert_int_equal(proc_read(b, entry->d_name, "environ").n, 0);
        w->seen = 1;
    }
    (void)closedir(dir);
    if (w->seen)
        task_cancel(&w->q->probe.task, ERR_CANCELLED);
    else
        loop_timer_set(w->timer, loop_mono_ms(w->q->f.loop) + 20);
}

static void test_credentials_are_in_no_argument(void **state)
{
    struct asked *q = given_source();
    struct watch w = { .q = q };
    int port, fd = server_mute(&port);

    (void)state;
    w.timer = loop_timer_new(q->f.loop, watch_children, &w);
    loop_timer_set(w.timer, loop_mono_ms(q->f.loop));
    q->git.url = str_fmt(&q->b->a, "https://127.0.0.1:%d/a.git", port);
    q->in.fetch = (struct source_fetch){ .names = &S("main"), .n_names = 1, .password = S(TOKEN) };
    run_question(q, start_fetch);
    assert_true(w.seen);
    expect_end(&q->probe, "WAIT FAILED ", ERR_CANCELLED);
    loop_timer_free(w.timer);
    (void)close(fd);
    asked_free(q);
}

static void test_a_mute_server_ends_at_the_deadline(void **state)
{
    struct asked *q = given_source();
    struct source_heads heads;
    struct err err = ERR_INIT;
    int port, fd = server_mute(&port);

    (void)state;
    q->git.url = str_fmt(&q->b->a, "https://127.0.0.1:%d/a.git", port);
    q->git.fetch_timeout_ms = 500;
    q->in.fetch = (struct source_fetch){ .names = &S("main"), .n_names = 1, .password = S(TOKEN) };
    run_question(q, start_fetch);
    expect_end(&q->probe, "WAIT AFTER ", 0); /* it says so itself, in time */
    assert_int_equal(source_git_ops.fetch_parse(&q->f.arena, &q->call, &heads, &err), ERR_TIMEOUT);
    assert_null(strstr(err.text, TOKEN));
    (void)close(fd);
    asked_free(q);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_five_questions_and_their_answers),
        cmocka_unit_test(test_a_fetch_reads_what_moved),
        cmocka_unit_test(test_the_workers_error_is_ours),
        cmocka_unit_test(test_a_worker_that_breaks_off_is_no_answer),
        cmocka_unit_test(test_nothing_of_an_answer_is_believed_unseen),
        cmocka_unit_test(test_credentials_are_in_no_argument),
        cmocka_unit_test(test_a_mute_server_ends_at_the_deadline),
    };
    char self[4096] = "";

    if (argc == 2 && !strcmp(argv[1], "git-worker"))
        return git_worker_main(0, 1);
    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    worker[0] = self;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
