/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/drain_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"

#define DRAIN_BLOCK 65536u /* that lines are counted in */

struct drain_files { /* in the order they were written */
    int fd[2];
    struct drain_at end[2];
    int64_t time_ms[2];
    size_t n;
    int is_gone; /* nobody writes any more */
};

/* --- the files ----------------------------------------------------------------------------------- */

static int64_t ns_of(const struct statx_timestamp *t)
{
    return t->tv_sec * 1000000000 + t->tv_nsec;
}

static int open_dir(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static int look_at(int fd, const char *name, struct statx *ret)
{
    return statx(fd, name, AT_SYMLINK_NOFOLLOW | (name[0] ? 0 : AT_EMPTY_PATH),
                 STATX_TYPE | STATX_INO | STATX_SIZE | STATX_MTIME | STATX_BTIME, ret) ||
           !S_ISREG(ret->stx_mode);
}

static struct drain_at at_end(const struct statx *st)
{
    return (struct drain_at){ .inode = st->stx_ino,
                              .birth_ns = st->stx_mask & STATX_BTIME ? ns_of(&st->stx_btime) : 0,
                              .offset = (int64_t)st->stx_size };
}

static void add_file(struct drain_files *f, int dir, const char *name)
{
    AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct statx st;

    if (fd < 0 || look_at(fd, "", &st) || !st.stx_size)
        return;
    f->end[f->n] = at_end(&st);
    f->time_ms[f->n] = ns_of(&st.stx_mtime) / 1000000;
    f->fd[f->n++] = TAKE_FD(fd);
}

static int is_same(const struct drain_at *a, const struct drain_at *b)
{
    return a->inode == b->inode && a->birth_ns == b->birth_ns;
}

/* The newer one first: when it becomes the older one in between it is found twice, never not at all. */
static void open_files(const struct drain_place *p, struct drain_files *ret)
{
    AUTO_CLOSE int run = open_dir(p->run);
    AUTO_CLOSE int gone = -1;
    struct drain_files newer = { .fd = { -1, -1 } };

    *ret = (struct drain_files){ .fd = { -1, -1 }, .is_gone = run < 0 };
    if (run >= 0)
        add_file(&newer, run, "log");
    if (!newer.n) {
        gone = open_dir(p->gone);
        if (gone >= 0)
            add_file(&newer, gone, "log");
    }
    if (run >= 0)
        add_file(ret, run, "log.1");
    if (newer.n && ret->n && is_same(&newer.end[0], &ret->end[0])) {
        guard_close(&ret->fd[0]);
        ret->n = 0;
    }
    if (newer.n) {
        ret->fd[ret->n] = TAKE_FD(newer.fd[0]);
        ret->end[ret->n] = newer.end[0];
        ret->time_ms[ret->n++] = newer.time_ms[0];
    }
}

static void close_files(struct drain_files *f)
{
    guard_close(&f->fd[0]);
    guard_close(&f->fd[1]);
}
#define AUTO_FILES __attribute__((cleanup(close_files)))

/* Where `at` is; f->n: not there any more. One that is shorter than it was is another one. */
static size_t find(const struct drain_files *f, const struct drain_at *at)
{
    size_t i = 0;

    while (i < f->n && !(is_same(&f->end[i], at) && f->end[i].offset >= at->offset))
        i++;
    return i;
}

/* --- counting ------------------------------------------------------------------------------------ */

static int64_t count_block(const char *p, size_t n)
{
    int64_t lines = 0;

    for (size_t i = 0; i < n; i++)
        lines += p[i] == '\n';
    return lines;
}

/* Line ends from `from` in file i on; all of it was seen then. */
static int64_t count(const struct drain_files *f, size_t i, int64_t from, struct drain_at *ret_seen)
{
    char block[DRAIN_BLOCK];
    int64_t lines = 0;

    for (; i < f->n; i++, from = 0) {
        ssize_t n = 1;

        while (n > 0 && from < f->end[i].offset) {
            int64_t left = f->end[i].offset - from;

            n = pread(f->fd[i], block, left < (int64_t)sizeof(block) ? (size_t)left : sizeof(block),
                      from);
            lines += n > 0 ? count_block(block, (size_t)n) : 0;
            from += n > 0 ? n : 0;
        }
        *ret_seen = f->end[i];
        ret_seen->offset = from;
    }
    return lines;
}

/* Nothing came since: the newer file ends where it ended. */
static int is_at(const struct drain_place *p, const struct drain_at *seen)
{
    AUTO_CLOSE int run = open_dir(p->run);
    AUTO_CLOSE int gone = run < 0 ? open_dir(p->gone) : -1;
    struct drain_at now;
    struct statx st;

    if (run < 0 && gone < 0)
        return 0;
    if (look_at(run < 0 ? gone : run, "log", &st))
        return 0;
    now = at_end(&st);
    return is_same(&now, seen) && now.offset == seen->offset;
}

static void begin(const struct drain_files *f, struct drain_at *at)
{
    *at = f->n ? f->end[0] : (struct drain_at){ 0 };
    at->offset = 0;
}

/* What is kept is counted anew: the rest of what waited is gone, and what nobody saw is one line at least. */
static void lose(const struct drain_files *f, struct drain_mark *m)
{
    struct drain_at seen = { 0 };
    int64_t left = count(f, 0, 0, &seen);
    int64_t lost = m->waiting - left;

    m->lost += lost > 0 ? lost : 1;
    m->waiting = left;
    m->seen = seen;
    begin(f, &m->at);
}

static int has_unread(const struct drain_mark *m)
{
    return !is_same(&m->at, &m->seen) || m->at.offset < m->seen.offset;
}

int drain_file_look(const struct drain_place *p, struct drain_mark *m)
{
    AUTO_FILES struct drain_files f = { .fd = { -1, -1 } };
    size_t i;

    if (is_at(p, &m->seen))
        return has_unread(m);
    open_files(p, &f);
    if (!m->at.inode)
        begin(&f, &m->at);
    i = find(&f, &m->seen);
    m->waiting += count(&f, i < f.n ? i : 0, i < f.n ? m->seen.offset : 0, &m->seen);
    if (find(&f, &m->at) == f.n && (m->at.inode && (f.n || (f.is_gone && has_unread(m)))))
        lose(&f, m);
    return f.n && has_unread(m);
}

/* --- reading ------------------------------------------------------------------------------------- */

static size_t read_some(const struct drain_files *f, size_t i, int64_t from, char *p, size_t room)
{
    size_t n = 0;
    ssize_t got = 1;

    while (got > 0 && n < room) {
        got = pread(f->fd[i], p + n, room - n, from + (int64_t)n);
        n += got > 0 ? (size_t)got : 0;
    }
    return n;
}

/* Up to the last line end; a line that fills all of it is cut, and its rest passed over. */
static void cut_lines(struct drain_read *r, int is_gone, int is_full)
{
    size_t n = r->text.n;

    while (n && r->text.p[n - 1] != '\n')
        n--;
    r->is_part = !n && is_full;
    if (n || !(is_full || is_gone))
        r->text.n = n;
}

void drain_file_read(const struct drain_place *p, const struct drain_at *at, struct arena *a,
                     struct drain_read *ret)
{
    AUTO_FILES struct drain_files f = { .fd = { -1, -1 } };
    char *text = arena_alloc(a, DRAIN_READ_MAX);
    size_t i, n = 0;

    *ret = (struct drain_read){ .was_skipping = at->skips };
    open_files(p, &f);
    if (!f.n || !text)
        return;
    i = find(&f, at);
    ret->files[0] = i < f.n ? *at : f.end[0]; /* from its begin, where that was removed */
    if (i == f.n) {
        i = 0;
        ret->files[0].offset = 0;
        ret->was_skipping = 0;
    }
    n = ret->n_first = read_some(&f, i, ret->files[0].offset, text, DRAIN_READ_MAX);
    ret->time_ms = f.time_ms[i];
    if (i + 1 < f.n && n < DRAIN_READ_MAX) {
        ret->files[1] = f.end[i + 1];
        ret->files[1].offset = 0;
        n += read_some(&f, i + 1, 0, text + n, DRAIN_READ_MAX - n);
        ret->time_ms = f.time_ms[i + 1];
    }
    ret->text = (struct str){ text, n };
    cut_lines(ret, f.is_gone, n == DRAIN_READ_MAX);
}

struct drain_at drain_file_after(const struct drain_read *r)
{
    struct drain_at at = r->files[0];

    if (r->text.n <= r->n_first || !r->files[1].inode) {
        at.offset += (int64_t)r->text.n;
    } else {
        at = r->files[1];
        at.offset = (int64_t)(r->text.n - r->n_first);
    }
    at.skips = r->is_part;
    return at;
}
