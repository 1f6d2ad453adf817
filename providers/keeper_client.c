/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/keeper_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/keeper_proc.h"

#define KEEPER_FILE_MAX (1u << 20)
#define KEEPER_READY_MS 20000u
#define KEEPER_ANSWER_MS 5000u
#define KEEPER_REACH_TRIES 200 /* 10 ms each */
#define KEEPER_LOCK_TRIES 100  /* 10 ms each: who looks holds the lock for an instant */

static const char *keeper_path(struct arena *a, const struct keeper_place *p, const char *file)
{
    return str_fmt(a, "%.*s/%.*s%s%s", STR_ARG(p->runs), STR_ARG(p->owner), file[0] ? "/" : "",
                   file)
        .p;
}

/* The label becomes a directory's name. */
static int keeper_check_owner(const struct rv_host *h, const struct keeper_place *p,
                              struct rv_result *answer)
{
    int ok = p->owner.n > 0 && p->owner.n <= 64;

    for (size_t i = 0; ok && i < p->owner.n; i++) {
        char c = p->owner.p[i];

        ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    return ok ? 0
              : kit_answer(h, answer, RV_USER, RV_ACTED_NO, "owner label '%.*s' is not one",
                           STR_ARG(p->owner));
}

/* --- looking --- */

static int keeper_open_dir(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                           int *ret_fd, struct rv_result *answer)
{
    const char *path = keeper_path(a, p, "");
    int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;

    if (!path)
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "out of memory");
    if (fd < 0 && errno != ENOENT)
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "open '%s': %s", path, strerror(errno));
    *ret_fd = fd;
    return 0;
}

static const struct value *keeper_read_json(struct arena *a, const struct keeper_place *p,
                                            const char *file)
{
    struct err err = ERR_INIT;
    struct str text;
    struct value *v;

    if (sys_read_file(a, keeper_path(a, p, file), KEEPER_FILE_MAX, &text, &err) ||
        json_parse(a, text, KEEPER_FILE_MAX, &v, &err))
        return NULL; /* written by rename: not there, or of a machine that lost power */
    return v;
}

static void keeper_view_state(const struct value *v, struct keeper_view *ret)
{
    uint64_t epoch = (uint64_t)value_get_int(v, S("epoch"), 0);

    if (epoch > ret->epoch)
        ret->epoch = epoch;
    ret->state = value_get_text(v, S("state"), S(""));
    ret->message = value_get_text(v, S("message"), S(""));
    ret->boot = value_get_text(v, S("boot"), S(""));
    ret->keeper_pid = value_get_int(v, S("keeper"), 0);
    ret->keeper_start = value_get_int(v, S("keeper_start"), 0);
    ret->pid = value_get_int(v, S("pid"), 0);
    ret->start = value_get_int(v, S("start"), 0);
    ret->restarts = value_get_int(v, S("restarts"), 0);
    ret->exit = value_get_int(v, S("exit"), -1);
    ret->signal = value_get_int(v, S("signal"), 0);
    ret->timed_out = value_get_bool(v, S("timed_out"), 0);
}

static void keeper_read_view(struct arena *a, const struct keeper_place *p, struct keeper_view *ret)
{
    const struct value *spec = keeper_read_json(a, p, "spec.json");

    ret->key = value_get_text(spec, S("key"), STR_NONE);
    ret->about = value_get(spec, S("about"));
    ret->epoch = (uint64_t)value_get_int(spec, S("epoch"), 0);
    keeper_view_state(keeper_read_json(a, p, "state"), ret);
}

int keeper_look(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                struct keeper_view *ret, struct rv_result *answer)
{
    AUTO_CLOSE int dir = -1;
    AUTO_CLOSE int lock = -1;

    *ret = (struct keeper_view){ .life = KEEPER_NONE, .state = S(""), .exit = -1 };
    if (keeper_check_owner(h, p, answer) || keeper_open_dir(h, a, p, &dir, answer))
        return (int)answer->verdict;
    if (dir < 0)
        return 0;
    ret->life = KEEPER_GONE;
    lock = openat(dir, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0 && errno != ENOENT)
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "open the lock of '%.*s': %s",
                          STR_ARG(p->owner), strerror(errno));
    if (lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK)
        ret->life = KEEPER_LIVES;
    guard_close(&lock); /* the state is read after the lock was seen: an end is never missed */
    keeper_read_view(a, p, ret);
    return 0;
}

/* --- the directory --- */

int keeper_take(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                uint64_t epoch, struct keeper_hold *ret, struct rv_result *answer)
{
    AUTO_CLOSE int dir = -1;
    AUTO_CLOSE int lock = -1;
    const char *runs = str_to_c(a, p->runs), *path = keeper_path(a, p, "");
    struct keeper_view view = { .life = KEEPER_GONE };
    struct err err = ERR_INIT;
    int tries = 0;

    if (keeper_check_owner(h, p, answer))
        return (int)answer->verdict;
    if (arena_status(a, &err) || sys_mkdir_all(path, 0700, &err) || sys_fsync_dir(runs, &err))
        return kit_answer_err(h, answer, RV_ACTED_NO, &err);
    if (keeper_open_dir(h, a, p, &dir, answer))
        return (int)answer->verdict;
    lock = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0)
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "lock '%s': %s", path, strerror(errno));
    while (flock(lock, LOCK_EX | LOCK_NB)) {
        if (++tries > KEEPER_LOCK_TRIES)
            return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "'%s' is in use", path);
        if (h->wait_fd(h->ctx, -1, 0, 10) == RV_CANCELLED)
            return kit_answer(h, answer, RV_CANCELLED, RV_ACTED_NO, "cancelled");
    }
    keeper_read_view(a, p, &view);
    if (epoch < view.epoch)
        return kit_answer(h, answer, RV_FATAL, RV_ACTED_NO,
                          "refused: epoch %llu is older than %llu", (unsigned long long)epoch,
                          (unsigned long long)view.epoch);
    ret->dir = TAKE_FD(dir);
    ret->lock = TAKE_FD(lock);
    return 0;
}

void keeper_release(struct keeper_hold *hold)
{
    if (!hold)
        return;
    guard_close(&hold->dir);
    guard_close(&hold->lock);
}

static struct value *keeper_texts(struct arena *a, const struct str *texts, size_t n)
{
    struct value *list = value_list(a);

    for (size_t i = 0; i < n; i++)
        value_add(a, list, value_text(a, texts[i]));
    return list;
}

int keeper_note(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                const struct keeper_want *want, const struct keeper_hold *hold,
                struct rv_result *answer)
{
    struct value *spec = value_map(a);
    struct err err = ERR_INIT;

    PRE(!hold || hold->lock >= 0); /* NULL: the one that lives there was told already */
    value_set(a, spec, S("about"), want->about ? value_copy(a, want->about) : value_map(a));
    value_set(a, spec, S("argv"), keeper_texts(a, want->argv, want->n_argv));
    value_set_text(a, spec, S("dir"), want->dir.p ? want->dir : S(""));
    value_set_int(a, spec, S("epoch"), (int64_t)want->epoch);
    value_set_int(a, spec, S("grace_ms"), want->grace_ms);
    value_set_text(a, spec, S("key"), want->key);
    value_set_text(a, spec, S("restart"),
                   want->restart == KEEPER_ALWAYS ? S("always") : S("never"));
    value_set_int(a, spec, S("timeout_ms"), want->timeout_ms);
    if (sys_write_file(keeper_path(a, p, "spec.json"), 0600, json_format(a, spec), &err))
        return kit_answer_err(h, answer, RV_ACTED_YES, &err);
    return 0;
}

/* --- starting --- */

static void keeper_pair(struct sb *b, const char *name, struct str value)
{
    sb_add_c(b, name);
    sb_add_char(b, 0);
    sb_add(b, value);
    sb_add_char(b, 0);
}

/* In anonymous memory: no value touches a disk or an argument vector. */
static int keeper_orders(struct arena *a, const struct keeper_want *want, int *ret_fd,
                         struct err *err)
{
    AUTO_CLOSE int fd = memfd_create("orders", MFD_CLOEXEC);
    struct sb b;

    sb_init(&b, a);
    keeper_pair(&b, "dir", want->dir);
    keeper_pair(&b, "restart", want->restart == KEEPER_ALWAYS ? S("always") : S("never"));
    keeper_pair(&b, "signal", want->stop_signal.n ? want->stop_signal : S("TERM"));
    keeper_pair(&b, "grace", str_fmt(a, "%lld", (long long)want->grace_ms));
    keeper_pair(&b, "timeout", str_fmt(a, "%lld", (long long)want->timeout_ms));
    keeper_pair(
        &b, "log",
        str_fmt(a, "%lld", (long long)(want->log_bytes ? want->log_bytes : KEEPER_LOG_BYTES)));
    keeper_pair(&b, "epoch", str_fmt(a, "%llu", (unsigned long long)want->epoch));
    for (size_t i = 0; i < want->n_argv; i++)
        keeper_pair(&b, "arg", want->argv[i]);
    for (size_t i = 0; i < want->n_env; i++)
        keeper_pair(&b, "env", want->env[i]);
    if (arena_status(a, err))
        return err->code;
    if (fd < 0 || write(fd, b.p, b.n) != (ssize_t)b.n)
        return err_sys(err, "hand over the environment");
    explicit_bzero(b.p, b.n);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* One line of JSON from the keeper into `ret`. */
static int keeper_hear(const struct rv_host *h, struct arena *a, int fd, uint32_t timeout_ms,
                       const struct value **ret, struct rv_result *answer)
{
    char *line = arena_alloc(a, 2048);
    struct err err = ERR_INIT;
    struct value *v;
    size_t n = 0;

    while (line && !memchr(line, '\n', n)) {
        int verdict = h->wait_fd(h->ctx, fd, POLLIN, timeout_ms);
        ssize_t got;

        if (verdict)
            return kit_answer(h, answer, verdict == RV_CANCELLED ? RV_CANCELLED : RV_RETRY,
                              RV_ACTED_MAYBE, "the keeper does not answer");
        got = n < 2047 ? read(fd, line + n, 2047 - n) : 0;
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return kit_answer(h, answer, RV_RETRY, RV_ACTED_MAYBE,
                              "the keeper ended without an answer");
        n += (size_t)got;
    }
    if (!line || json_parse(a, (struct str){ line, n }, 2048, &v, &err))
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_MAYBE, "the keeper's answer: %s", err.text);
    *ret = v;
    return 0;
}

static int keeper_spawn(const struct rv_host *h, const struct keeper_place *p, const int *fds,
                        const char *dir, struct rv_result *answer)
{
    struct rv_str argv[] = { kit_rv(p->program), { dir, strlen(dir) } };
    struct rv_exec in = { .size = sizeof(in), .n_argv = 2, .argv = argv, .n_fds = 3, .fds = fds };
    struct rv_exit out = { .size = sizeof(out) };
    int verdict = h->spawn(h->ctx, &in, &out);

    return verdict ? kit_answer_host(h, answer, verdict, RV_ACTED_MAYBE, "start the keeper") : 0;
}

int keeper_start(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                 const struct keeper_want *want, struct keeper_hold *take_hold,
                 struct keeper_view *ret, struct rv_result *answer)
{
    AUTO_CLOSE int orders = -1;
    AUTO_CLOSE int ready = -1;
    AUTO_CLOSE int said = -1;
    const struct value *state;
    struct err err = ERR_INIT;
    int pipes[2], fds[3];

    if (keeper_note(h, a, p, want, take_hold, answer))
        return (int)answer->verdict;
    (void)unlinkat(take_hold->dir, "state", 0); /* it was of another run */
    if (keeper_orders(a, want, &orders, &err) || (pipe2(pipes, O_CLOEXEC) && err_sys(&err, "pipe")))
        return kit_answer_err(h, answer, RV_ACTED_YES, &err);
    ready = pipes[0];
    said = pipes[1];
    fds[0] = take_hold->lock;
    fds[1] = orders;
    fds[2] = said;
    if (keeper_spawn(h, p, fds, keeper_path(a, p, ""), answer))
        return (int)answer->verdict;
    keeper_release(take_hold); /* the keeper's copy keeps it held */
    guard_close(&said);
    if (keeper_hear(h, a, ready, KEEPER_READY_MS, &state, answer))
        return (int)answer->verdict;
    *ret = (struct keeper_view){ .life = KEEPER_LIVES, .key = want->key, .about = want->about };
    keeper_view_state(state, ret);
    return 0;
}

/* --- speaking --- */

/* Connect to its socket. One that has just begun has none yet, one that has just ended none any more. */
static int keeper_reach(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                        int *ret_fd, struct rv_result *answer)
{
    AUTO_CLOSE int dir = -1;
    struct keeper_view view;
    struct str address;
    int verdict;

    if (keeper_open_dir(h, a, p, &dir, answer))
        return (int)answer->verdict;
    address = str_fmt(a, "unix:/proc/self/fd/%d/sock", dir);
    for (int tries = 0;; tries++) {
        verdict = dir < 0 ? RV_RETRY : h->connect(h->ctx, kit_rv(address), ret_fd);
        if (!verdict)
            return 0;
        if (verdict != RV_RETRY || tries == KEEPER_REACH_TRIES)
            break;
        if (keeper_look(h, a, p, &view, answer))
            return (int)answer->verdict;
        if (view.life != KEEPER_LIVES)
            break;
        if (h->wait_fd(h->ctx, -1, 0, 10) == RV_CANCELLED)
            return kit_answer(h, answer, RV_CANCELLED, RV_ACTED_NO, "cancelled");
    }
    return kit_answer_host(h, answer, verdict, RV_ACTED_NO, "reach the keeper");
}

/* Send `line` (and a descriptor, or -1); `*ret_fd` is the open connection. */
static int keeper_ask(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                      struct str line, int with_fd, int *ret_fd, struct rv_result *answer)
{
    AUTO_CLOSE int fd = -1;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr head;
    } control = { 0 };
    struct iovec io = { (void *)(uintptr_t)line.p, line.n };
    struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };
    const struct value *said;

    if (keeper_reach(h, a, p, &fd, answer))
        return (int)answer->verdict;
    if (with_fd >= 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = sizeof(control.bytes);
        control.head = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.head), &with_fd, sizeof(int));
    }
    if (sendmsg(fd, &m, MSG_NOSIGNAL) != (ssize_t)line.n)
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "speak to the keeper: %s",
                          strerror(errno));
    if (keeper_hear(h, a, fd, KEEPER_ANSWER_MS, &said, answer))
        return (int)answer->verdict;
    if (str_eq(value_get_text(said, S("error"), S("")), S("epoch")))
        return kit_answer(h, answer, RV_FATAL, RV_ACTED_NO, "refused: our epoch is older than %lld",
                          (long long)value_get_int(said, S("epoch"), 0));
    if (value_get_text(said, S("error"), S("")).n)
        return kit_answer(h, answer, RV_RETRY, RV_ACTED_NO, "the keeper refused");
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static struct str keeper_line(struct arena *a, const char *what, uint64_t epoch)
{
    return str_fmt(a, "{\"do\":\"%s\",\"epoch\":%llu}\n", what, (unsigned long long)epoch);
}

int keeper_adopt(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                 uint64_t epoch, struct rv_result *answer)
{
    AUTO_CLOSE int fd = -1;

    return keeper_ask(h, a, p, keeper_line(a, "hello", epoch), -1, &fd, answer);
}

int keeper_stop(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                uint64_t epoch, uint32_t wait_ms, struct rv_result *answer)
{
    AUTO_CLOSE int fd = -1;

    if (keeper_ask(h, a, p, keeper_line(a, "stop", epoch), -1, &fd, answer))
        return (int)answer->verdict;
    if (wait_ms) /* it hangs up when it ends; the caller looks again whatever is said here */
        (void)h->wait_fd(h->ctx, fd, POLLIN, wait_ms);
    return 0;
}

int keeper_renew(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                 const struct keeper_want *want, struct rv_result *answer)
{
    AUTO_CLOSE int orders = -1;
    AUTO_CLOSE int told = -1;
    AUTO_CLOSE int again = -1;
    struct err err = ERR_INIT;

    if (keeper_orders(a, want, &orders, &err))
        return kit_answer_err(h, answer, RV_ACTED_NO, &err);
    if (keeper_ask(h, a, p, keeper_line(a, "env", want->epoch), orders, &told, answer) ||
        keeper_ask(h, a, p, keeper_line(a, "restart", want->epoch), -1, &again, answer))
        return (int)answer->verdict;
    return keeper_note(h, a, p, want, NULL, answer); /* last: who dies before it does it again */
}

/* --- the end --- */

void keeper_sweep(const struct keeper_view *view)
{
    struct keeper_procs procs;
    struct keeper_proc one;
    struct err err = ERR_INIT;
    AUTO_ARENA struct arena a;
    struct str boot;

    arena_init(&a, 0);
    if (view->keeper_pid <= 1 || sys_boot_id(&a, &boot, &err) || !str_eq(boot, view->boot))
        return; /* another boot: those numbers mean nothing any more */
    if (!keeper_proc_read((pid_t)view->keeper_pid, &one) &&
        one.start != (unsigned long long)view->keeper_start)
        return; /* the number leads somebody else's session now */
    keeper_proc_family(&a, (pid_t)view->keeper_pid, &procs);
    for (size_t i = 0; i < procs.list.n; i++)
        if (procs.list.p[i].start >= (unsigned long long)view->keeper_start)
            (void)kill(procs.list.p[i].pid, SIGKILL); /* gone already is as good */
}

static void keeper_empty_bin(struct arena *a, const char *bin)
{
    DIR *dir = opendir(bin);
    struct dirent *entry;
    struct err err = ERR_INIT;

    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            (void)sys_remove_all(str_fmt(a, "%s/%s", bin, entry->d_name).p, &err); /* next time */
    if (dir)
        (void)closedir(dir); /* only read */
}

int keeper_remove(const struct rv_host *h, const struct keeper_place *p, struct keeper_hold *hold,
                  struct rv_result *answer)
{
    AUTO_ARENA struct arena a;
    struct err err = ERR_INIT;
    const char *bin, *to, *runs;

    arena_init(&a, 0);
    bin = str_fmt(&a, "%.*s/.gone", STR_ARG(p->runs)).p;
    to = str_fmt(&a, "%s/%.*s", bin, STR_ARG(p->owner)).p;
    runs = str_to_c(&a, p->runs);
    PRE(hold->lock >= 0);
    if (arena_status(&a, &err) || sys_mkdir_all(bin, 0700, &err) || sys_remove_all(to, &err) ||
        (rename(keeper_path(&a, p, ""), to) && errno != ENOENT &&
         err_sys(&err, "remove '%s'", to)) ||
        sys_fsync_dir(runs, &err))
        return kit_answer_err(h, answer, RV_ACTED_MAYBE, &err);
    keeper_release(hold);
    keeper_empty_bin(&a, bin); /* also what one that died here left */
    return 0;
}

/* Bytes of a program's output as text that JSON can carry. */
static void keeper_make_text(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        size_t more = c >= 0xf0 && c < 0xf5 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : 0, got = 0;

        if (c < 0x80) {
            if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
                text[i] = '?';
            continue;
        }
        while (got < more && i + got + 1 < n && ((unsigned char)text[i + got + 1] & 0xc0) == 0x80)
            got++;
        if (more && got == more && c < 0xf5 && !(c == 0xe0 && (unsigned char)text[i + 1] < 0xa0) &&
            !(c == 0xed && (unsigned char)text[i + 1] > 0x9f) &&
            !(c == 0xf0 && (unsigned char)text[i + 1] < 0x90) &&
            !(c == 0xf4 && (unsigned char)text[i + 1] > 0x8f))
            i += more;
        else
            text[i] = '?';
    }
}

struct str keeper_log_tail(struct arena *a, const struct keeper_place *p, size_t max)
{
    AUTO_CLOSE int fd = open(keeper_path(a, p, "log"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char *text = arena_alloc(a, max + 1);
    struct stat st;
    struct str tail;
    ssize_t n;

    if (fd < 0 || !text || fstat(fd, &st))
        return S("");
    n = pread(fd, text, max, st.st_size > (off_t)max ? st.st_size - (off_t)max : 0);
    tail = (struct str){ text, n > 0 ? (size_t)n : 0 };
    if (st.st_size > (off_t)max && str_find_char(tail, '\n') != STR_NPOS)
        tail = str_slice(tail, str_find_char(tail, '\n') + 1, tail.n);
    tail = str_trim(tail);
    keeper_make_text(text + (tail.p - text), tail.n);
    return tail;
}

int keeper_listens(struct arena *a, const struct keeper_view *view, int64_t port)
{
    struct keeper_procs procs;

    if (view->life != KEEPER_LIVES || port < 1 || port > 65535)
        return 0;
    keeper_proc_family(a, (pid_t)view->keeper_pid, &procs);
    return keeper_proc_listens(a, &procs, (unsigned)port);
}
