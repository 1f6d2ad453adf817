/* SPDX-License-Identifier: Apache-2.0 */
#include "state/anchor.h"

#include <inttypes.h>
#include <string.h>

#include "base/base64.h"
#include "base/guard.h"
#include "base/hash.h"
#include "state/events.h"
#include "state/stmt.h"

#define ANCHOR_WORDS_MAX 7

static struct str anchor_text(struct arena *a, const struct anchor_line *line)
{
    return str_fmt(a, "reeve/anchor/2 %.*s %" PRId64 " %s %" PRId64 " %" PRId64,
                   STR_ARG(line->installation), line->seq, digest_hex(a, &line->hash).p,
                   line->epoch, line->time_ms);
}

struct str anchor_format(struct arena *a, struct str key, const struct anchor_line *line)
{
    struct str text = anchor_text(a, line);
    struct digest mac = hash_hmac(key, text);

    return str_fmt(a, "%.*s %s", STR_ARG(text), digest_hex(a, &mac).p);
}

struct str anchor_stamped(struct arena *a, struct str line, struct str token)
{
    return str_fmt(a, "%.*s " ANCHOR_STAMP "%.*s", STR_ARG(line), STR_ARG(base64_encode(a, token)));
}

/* What stands before it is what it is of. */
static int take_stamp(struct str *text, struct anchor_line *ret)
{
    size_t at = 0;

    for (size_t i = 0; i < text->n; i++)
        if (text->p[i] == ' ')
            at = i;
    if (text->n > ANCHOR_LINE_MAX + ANCHOR_STAMP_MAX)
        return -1;
    if (!str_starts(str_slice(*text, at + 1, text->n), S(ANCHOR_STAMP)))
        return 0;
    ret->stamp = str_slice(*text, at + 1 + strlen(ANCHOR_STAMP), text->n);
    *text = str_slice(*text, 0, at);
    return ret->stamp.n ? 0 : -1;
}

int anchor_parse(struct str text, struct anchor_line *ret)
{
    struct str words[ANCHOR_WORDS_MAX] = { 0 }, word;
    size_t n = 0;

    *ret = (struct anchor_line){ .epoch = REC_NONE, .time_ms = REC_NONE };
    if (take_stamp(&text, ret) || text.n > ANCHOR_LINE_MAX)
        return -1;
    ret->text = text;
    while (n < N_ELEMENTS(words) && str_next(&text, ' ', &word))
        words[n++] = word;
    ret->installation = words[1];
    if (text.n || n < 4 || !words[1].n || str_to_i64(words[2], &ret->seq) || ret->seq < 1 ||
        digest_from_hex(words[3], &ret->hash))
        return -1;
    if (n == 4)
        return str_eq_c(words[0], "reeve/anchor/1") ? 0 : -1;
    return n == 7 && str_eq_c(words[0], "reeve/anchor/2") && !str_to_i64(words[4], &ret->epoch) &&
                   !str_to_i64(words[5], &ret->time_ms) && !digest_from_hex(words[6], &ret->mac)
               ? 0
               : -1;
}

int anchor_is_sealed(struct str key, const struct anchor_line *line)
{
    AUTO_ARENA struct arena a = { 0 };
    struct digest mac;

    if (line->epoch == REC_NONE)
        return 0;
    mac = hash_hmac(key, anchor_text(&a, line));
    return !arena_status(&a, &(struct err){ 0 }) && digest_eq(&mac, &line->mac);
}

int anchor_head(struct db *db, struct anchor_line *ret, struct err *err)
{
    *ret = (struct anchor_line){ .installation = db_installation(db) };
    return events_head(db, &ret->seq, &ret->hash, err);
}

/* The second event of a history that a recover began says so. What was anchored before is of no later life than it knew of,
 * or was earlier: it may not know of all lives, and a clock may have gone back. */
static int is_before_recover(struct db *db, struct arena *a, const struct anchor_line *line,
                             int *ret, struct err *err)
{
    struct event second;
    int rc = events_get(db, a, ANCHOR_RECOVERED_SEQ, &second, err);

    *ret = !rc && line->time_ms != REC_NONE && str_eq_c(second.kind, ANCHOR_RECOVERED) &&
           (line->epoch <= second.epoch || line->time_ms < second.time_ms);
    if (rc != ERR_NOT_FOUND)
        return rc;
    *err = ERR_INIT;
    return 0;
}

int anchor_judge(struct db *db, struct arena *a, struct str key, const struct anchor_line *line,
                 struct str *ret_why, struct err *err)
{
    const char *whose = anchor_is_sealed(key, line) ? "" : ", with another key than ours";
    struct event e;
    int is_before, rc;

    *ret_why = STR_NONE;
    if (!str_eq(line->installation, db_installation(db)))
        return 0;
    if (is_before_recover(db, a, line, &is_before, err))
        return err->code;
    if (is_before)
        return 0;
    rc = events_get(db, a, line->seq, &e, err);
    if (rc == ERR_NOT_FOUND)
        *ret_why = str_fmt(a, "event %" PRId64 " was anchored%s, and it has not happened here",
                           line->seq, whose);
    else if (rc)
        return rc;
    else if (!digest_eq(&e.hash, &line->hash))
        *ret_why = str_fmt(a, "event %" PRId64 " is another one than was anchored%s", line->seq,
                           whose);
    *err = ERR_INIT;
    return arena_status(a, err);
}

int anchor_newest(struct db *db, struct arena *a, struct str place, struct rec_anchor *ret,
                  struct err *err)
{
    struct rec_anchor *rows;
    size_t n;
    int rc = DB_SELECT(db, a, anchor, "WHERE place = $1 ORDER BY seq DESC LIMIT 1", &rows, &n, err,
                       DB_T(place));

    if (!rc && !n)
        return err_set(err, ERR_NOT_FOUND, "nothing was brought to '%.*s' yet", STR_ARG(place));
    if (!rc)
        *ret = rows[0];
    return rc;
}

int anchor_find_gap(struct db *db, int64_t seq, int64_t limit, struct anchor_gap *ret,
                    struct err *err)
{
    const struct db_bind binds[] = { DB_I(seq), DB_I(limit) };
    AUTO_STMT sqlite3_stmt *st = NULL;
    int rc = stmt_first(
        db,
        S("SELECT count(*), coalesce(min(time_ms), 0) FROM (SELECT time_ms FROM events"
          " WHERE seq > $1 AND kind NOT GLOB '" ANCHOR_EVENTS "*'"
          " ORDER BY seq LIMIT $2)"),
        binds, N_ELEMENTS(binds), &st, err);

    if (rc < 0)
        return rc;
    *ret = (struct anchor_gap){ sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1) };
    return 0;
}
