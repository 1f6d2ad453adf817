/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/anchors.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/guard.h"
#include "base/sys.h"

#define ANCHOR_FORMAT "reeve/anchor/1"

struct str anchors_format(struct arena *a, struct str installation, int64_t seq, struct str hash)
{
    return str_fmt(a, ANCHOR_FORMAT " %.*s %" PRId64 " %.*s\n", STR_ARG(installation), seq,
                   STR_ARG(hash));
}

static int parse_line(struct str line, struct anchor *ret)
{
    struct str word, words[4] = { 0 };
    size_t n = 0;

    while (n < N_ELEMENTS(words) && str_next(&line, ' ', &word))
        words[n++] = word;
    ret->installation = words[1];
    return n == N_ELEMENTS(words) && !line.n && str_eq_c(words[0], ANCHOR_FORMAT) &&
                   !str_to_i64(words[2], &ret->seq) && ret->seq > 0 &&
                   !digest_from_hex(words[3], &ret->hash)
               ? 0
               : -1;
}

static int compare(const void *a, const void *b)
{
    const struct anchor *x = a, *y = b;

    return (x->seq > y->seq) - (x->seq < y->seq);
}

int anchors_read(struct arena *a, const char *path, struct anchors *ret, struct err *err)
{
    struct str text, line;
    size_t n = 0;

    *ret = (struct anchors){ 0 };
    if (sys_read_file(a, path, ANCHORS_BYTES_MAX, &text, err))
        return err->code;
    while (str_next(&text, '\n', &line)) {
        struct anchor *slot;

        n++;
        if (!str_trim(line).n)
            continue;
        slot = vec_push(a, &ret->list);
        if (!slot)
            return arena_status(a, err);
        if (parse_line(str_trim(line), slot))
            return err_set(err, ERR_INVALID, "'%s', line %zu: is no anchor", path, n);
    }
    if (ret->list.n)
        qsort(ret->list.p, ret->list.n, sizeof(*ret->list.p), compare);
    return 0;
}

int anchors_check(struct anchors *s, struct str installation, int64_t seq,
                  const struct digest *hash, struct err *err)
{
    int is_held = 0;

    for (; s->next < s->list.n && s->list.p[s->next].seq <= seq; s->next++) {
        const struct anchor *one = &s->list.p[s->next];

        if (one->seq != seq || !str_eq(one->installation, installation))
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
        if (str_eq(s->list.p[s->next].installation, installation))
            return err_set(err, ERR_CORRUPT,
                           "event %" PRId64
                           " was anchored and is not there: the end of the history is cut",
                           s->list.p[s->next].seq);
    return 0;
}
