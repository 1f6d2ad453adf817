/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/anchors.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/cli/export.h"
#include "reconciler/engine/anchor_stamp.h"
#include "reconciler/engine/time_stamp.h"
#include "specs/json_io.h"
#include "state/rows.h"

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

/* --- time stamps --------------------------------------------------------------------------------- */

static int stamp_error(const struct anchor_line *line, const struct err *why, struct err *err)
{
    return err_set(err, why->code == ERR_NOMEM ? ERR_NOMEM : ERR_CORRUPT,
                   "the time stamp of event %" PRId64 ": %s", line->seq, why->text);
}

/* A line that says another time than its time stamp was written to look older, or newer. */
static int check_time(const struct anchor_line *line, int64_t at_ms, struct err *err)
{
    int64_t apart_ms = at_ms > line->time_ms ? at_ms - line->time_ms : line->time_ms - at_ms;

    return apart_ms <= ANCHOR_STAMP_APART_MS
               ? 0
               : err_set(err, ERR_CONFLICT,
                         "it was made %" PRId64 " s from the time that its line says",
                         apart_ms / 1000);
}

static int check_stamp(struct anchors *s, const struct anchor_line *line, struct err *err)
{
    AUTO_ARENA struct arena a;
    struct time_stamp stamp = { .at_ms = 0 };
    struct err why = ERR_INIT;
    struct str token;

    arena_init(&a, 0);
    if (!line->stamp.p)
        return 0;
    if (!s->authority.p) {
        s->n_unchecked++;
        return 0;
    }
    if (base64_decode(&a, line->stamp, &token))
        return stamp_error(line, &(struct err){ ERR_CONFLICT, "it is no base64" }, err);
    if (time_stamp_check(&a, s->authority, line->text, token, &stamp, &why) ||
        check_time(line, stamp.at_ms, &why))
        return stamp_error(line, &why, err);
    if (!s->n_stamps++ || stamp.at_ms < s->first_stamp_ms)
        s->first_stamp_ms = stamp.at_ms;
    if (stamp.at_ms > s->last_stamp_ms)
        s->last_stamp_ms = stamp.at_ms;
    return 0;
}

/* --- what was noted ------------------------------------------------------------------------------ */

/* 0, 1: it is no line, or an error. `text` may go afterwards. */
static int add_line(struct arena *a, struct anchors *s, struct str text, struct err *err)
{
    struct anchor_line line, *slot;

    if (anchor_parse(text, &line))
        return 1;
    if (check_stamp(s, &line, err))
        return err->code;
    slot = vec_push(a, &s->list);
    if (!slot)
        return arena_status(a, err);
    *slot = line;
    slot->installation = str_copy(a, line.installation);
    slot->text = slot->stamp = STR_NONE;
    return arena_status(a, err);
}

static int read_file(struct arena *a, const char *path, struct anchors *ret, struct err *err)
{
    AUTO_ARENA struct arena own;
    struct str text, line;
    size_t n = 0;

    arena_init(&own, 0);
    if (sys_read_file(&own, path, ANCHORS_BYTES_MAX, &text, err))
        return err->code;
    while (str_next(&text, '\n', &line)) {
        int rc;

        n++;
        if (!str_trim(line).n)
            continue;
        rc = add_line(a, ret, str_trim(line), err);
        if (rc == 1)
            return err_set(err, ERR_INVALID, "'%s', line %zu: is no anchor", path, n);
        if (rc)
            return err_wrap(err, "'%s', line %zu", path, n);
    }
    return 0;
}

/* --- an export ----------------------------------------------------------------------------------- */

typedef int stamped_fn(void *ctx, struct str line, struct err *err);

static int each_row(struct arena *a, struct str body, stamped_fn *fn, void *ctx, struct err *err)
{
    const struct table *t = tables_get(REC_anchor);
    const struct value *rows;
    struct err unsaid = ERR_INIT;
    struct value *v;

    if (json_parse(a, body, EXPORT_LINE_MAX, &v, &unsaid))
        return 0; /* whoever verifies the export says what is wrong with it */
    rows = value_get(value_get(v, S("rows")), str_from_c(t->name));
    for (size_t i = 0; i < value_count(rows); i++) {
        struct rec_anchor row;

        if (rows_parse(t, value_item(rows, i), &row, &unsaid) ||
            !str_starts(row.proof, S("reeve/anchor/")))
            continue;
        if (fn(ctx, row.proof, err))
            return err->code;
    }
    return 0;
}

static int each_stamped_line(const char *path, stamped_fn *fn, void *ctx, struct err *err)
{
    AUTO_ARENA struct arena a;
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int rc = f ? 0 : err_sys(err, "open '%s'", path);

    arena_init(&a, 0);
    while (!rc && (n = getline(&line, &room, f)) > 0) {
        struct err unsaid = ERR_INIT;
        struct value *v;

        arena_reset(&a);
        if (!memmem(line, (size_t)n, ANCHOR_STAMP, strlen(ANCHOR_STAMP)) ||
            json_parse(&a, (struct str){ line, (size_t)n }, EXPORT_LINE_MAX, &v, &unsaid))
            continue;
        rc = each_row(&a, value_get_text(v, S("body"), S("")), fn, ctx, err);
    }
    free(line); /* getline's own */
    if (!rc && ferror(f))
        rc = err_sys(err, "read '%s'", path);
    if (f)
        (void)fclose(f); /* it was read */
    return rc;
}

struct stamped_read {
    struct arena *a;
    struct anchors *anchors;
};

static int read_stamped(void *ctx, struct str line, struct err *err)
{
    const struct stamped_read *r = ctx;
    int rc = add_line(r->a, r->anchors, line, err);

    return rc == 1 ? err_set(err, ERR_CORRUPT, "a row of anchors holds no anchor") : rc;
}

static int write_stamped(void *ctx, struct str line, struct err *err)
{
    return fprintf(ctx, "%.*s\n", STR_ARG(line)) < 0 ? err_sys(err, "write") : 0;
}

int anchors_write_stamped(const char *path, FILE *out, struct err *err)
{
    return each_stamped_line(path, write_stamped, out, err);
}

/* --- a directory --------------------------------------------------------------------------------- */

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

static int read_any(struct arena *a, const char *path, struct anchors *ret, struct err *err)
{
    struct stamped_read r = { a, ret };
    struct stat st;

    if (!stat(path, &st) && S_ISDIR(st.st_mode))
        return read_tree(a, path, 0, ret, err);
    return export_is_one(path) ? each_stamped_line(path, read_stamped, &r, err)
                               : read_file(a, path, ret, err);
}

int anchors_read(struct arena *a, const char *path, const char *authority, struct anchors *ret,
                 struct err *err)
{
    struct stat st;

    *ret = (struct anchors){ .authority = STR_NONE };
    if (authority && (sys_read_file(a, authority, TIME_STAMP_BYTES_MAX, &ret->authority, err) ||
                      time_stamp_check_authority(ret->authority, err)))
        return err_wrap(err, "'%s'", authority);
    if (read_any(a, path, ret, err))
        return err->code;
    if (!ret->list.n && ((!stat(path, &st) && S_ISDIR(st.st_mode)) || export_is_one(path)))
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
