/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/anchors.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/guard.h"
#include "base/sys.h"

#define ANCHORS_DEPTH_MAX 5 /* INSTALLATION/YYYY/MM/DD/HH */

struct str anchors_format(struct arena *a, struct str installation, int64_t seq, struct str hash)
{
    return str_fmt(a, "reeve/anchor/1 %.*s %" PRId64 " %.*s\n", STR_ARG(installation), seq,
                   STR_ARG(hash));
}

static int compare(const void *a, const void *b)
{
    const struct anchor_line *x = a, *y = b;

    return (x->seq > y->seq) - (x->seq < y->seq);
}

static int read_file(struct arena *a, const char *path, struct anchors *ret, struct err *err)
{
    struct str text, line;
    size_t n = 0;

    if (sys_read_file(a, path, ANCHORS_BYTES_MAX, &text, err))
        return err->code;
    while (str_next(&text, '\n', &line)) {
        struct anchor_line *slot;

        n++;
        if (!str_trim(line).n)
            continue;
        slot = vec_push(a, &ret->list);
        if (!slot)
            return arena_status(a, err);
        if (anchor_parse(str_trim(line), slot))
            return err_set(err, ERR_INVALID, "'%s', line %zu: is no anchor", path, n);
    }
    return 0;
}

/* A work tree; what git itself keeps in it is none of ours, and no link leads out of it. */
static int read_tree(struct arena *a, const char *path, int depth, struct anchors *ret,
                     struct err *err)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    int rc = 0;

    if (!dir)
        return err_sys(err, "open '%s'", path);
    while (!rc && (entry = readdir(dir))) {
        const char *name = str_fmt(a, "%s/%s", path, entry->d_name).p;
        struct stat st;

        if (!name || entry->d_name[0] == '.')
            rc = arena_status(a, err);
        else if (lstat(name, &st))
            rc = err_sys(err, "look at '%s'", name);
        else if (S_ISREG(st.st_mode) && depth) /* beside the folders: of people */
            rc = read_file(a, name, ret, err);
        else if (S_ISDIR(st.st_mode) && depth < ANCHORS_DEPTH_MAX)
            rc = read_tree(a, name, depth + 1, ret, err);
    }
    (void)closedir(dir); /* read only */
    return rc;
}

int anchors_read(struct arena *a, const char *path, struct anchors *ret, struct err *err)
{
    struct stat st;
    int is_tree = !stat(path, &st) && S_ISDIR(st.st_mode);

    *ret = (struct anchors){ 0 };
    if (is_tree ? read_tree(a, path, 0, ret, err) : read_file(a, path, ret, err))
        return err->code;
    if (is_tree && !ret->list.n)
        return err_set(err, ERR_NOT_FOUND, "'%s' holds no anchor", path);
    if (ret->list.n)
        qsort(ret->list.p, ret->list.n, sizeof(*ret->list.p), compare);
    return 0;
}

void anchors_begin(struct anchors *s, const struct event *e)
{
    if (e->seq != ANCHOR_RECOVERED_SEQ || !str_eq_c(e->kind, ANCHOR_RECOVERED))
        return;
    s->recovered_ms = e->time_ms;
    s->recovered_epoch = e->epoch;
}

/* 1: it says nothing of this history. */
static int passes_over(const struct anchors *s, const struct anchor_line *one,
                       struct str installation)
{
    return !str_eq(one->installation, installation) ||
           (s->recovered_ms && one->time_ms != REC_NONE &&
            (one->epoch <= s->recovered_epoch || one->time_ms < s->recovered_ms));
}

static void count_before(struct anchors *s, const struct anchor_line *one, struct str installation)
{
    s->n_before += str_eq(one->installation, installation);
}

int anchors_check(struct anchors *s, struct str installation, int64_t seq,
                  const struct digest *hash, struct err *err)
{
    int is_held = 0;

    for (; s->next < s->list.n && s->list.p[s->next].seq <= seq; s->next++) {
        const struct anchor_line *one = &s->list.p[s->next];

        if (passes_over(s, one, installation)) {
            count_before(s, one, installation);
            continue;
        }
        if (one->seq != seq)
            continue;
        if (!digest_eq(&one->hash, hash))
            return err_set(err, ERR_CORRUPT,
                           "event %" PRId64
                           " is not the one that was anchored: the history was rewritten",
                           seq);
        is_held = 1;
    }
    s->n_held += is_held;
    return 0;
}

int anchors_end(struct anchors *s, struct str installation, struct err *err)
{
    for (; s->next < s->list.n; s->next++)
        if (passes_over(s, &s->list.p[s->next], installation))
            count_before(s, &s->list.p[s->next], installation);
        else
            return err_set(err, ERR_CORRUPT,
                           "event %" PRId64
                           " was anchored and is not there: the end of the history is cut",
                           s->list.p[s->next].seq);
    return 0;
}
