/* SPDX-License-Identifier: Apache-2.0 */
#include "state/seal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "state/events.h"

#define SEAL_LINE_MAX 512

static struct digest seal_mac(const struct seal *s, const struct seal_head *head)
{
    AUTO_ARENA struct arena a;
    struct sb text;

    arena_init(&a, 0);
    sb_init(&text, &a);
    sb_addf(&text, "reeve/%s/1 %.*s %" PRId64 " %s", s->what, STR_ARG(s->installation), head->seq,
            digest_hex(&a, &head->hash).p);
    return hash_hmac(s->key, sb_str(&text));
}

/* As long each time: in place, whatever was there is gone. */
static struct str seal_line(struct arena *a, const struct seal *s, const struct seal_head *head)
{
    struct digest mac = seal_mac(s, head);

    return str_fmt(a, "reeve/%s/1 %.*s %020" PRId64 " %s %s\n", s->what, STR_ARG(s->installation),
                   head->seq, digest_hex(a, &head->hash).p, digest_hex(a, &mac).p);
}

int seal_write(const struct seal *s, const struct seal_head *head, struct err *err)
{
    AUTO_ARENA struct arena a;
    AUTO_CLOSE int fd = -1;
    struct str line;

    arena_init(&a, 0);
    line = seal_line(&a, s, head);
    if (arena_status(&a, err))
        return err->code;
    fd = open(s->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || pwrite(fd, line.p, line.n, 0) != (ssize_t)line.n)
        return err_sys(err, "write '%s'", s->path);
    return 0;
}

/* Of the words of the line those that say which head it is; the line as a whole is judged by the caller. */
static int seal_parse(struct str line, struct seal_head *ret)
{
    struct str word, words[5] = { 0 };
    size_t n = 0;

    line = str_trim(line);
    while (n < N_ELEMENTS(words) && str_next(&line, ' ', &word))
        words[n++] = word;
    return n == N_ELEMENTS(words) && !str_to_i64(words[2], &ret->seq) && ret->seq > 0 &&
                   !digest_from_hex(words[3], &ret->hash)
               ? 0
               : -1;
}

int seal_read(const struct seal *s, struct seal_head *ret, struct err *err)
{
    AUTO_ARENA struct arena a;
    struct seal_head head;
    struct str line;

    arena_init(&a, 0);
    if (sys_read_file(&a, s->path, SEAL_LINE_MAX, &line, err))
        return err->code;
    if (!line.n) /* made, and not written any more */
        return err_set(err, ERR_NOT_FOUND, "'%s' is empty", s->path);
    if (seal_parse(line, &head) || !str_eq(line, seal_line(&a, s, &head)))
        return err_set(err, ERR_CORRUPT, "'%s' was not written with the key of this history",
                       s->path);
    *ret = head;
    return 0;
}

int seal_check(struct db *db, const struct seal_head *head, struct err *err)
{
    AUTO_ARENA struct arena a;
    struct event e;
    int rc;

    arena_init(&a, 0);
    rc = events_get(db, &a, head->seq, &e, err);
    if (rc == ERR_NOT_FOUND)
        return err_set(err, ERR_CORRUPT,
                       "event %" PRId64
                       " was sealed and is not there: the end of the history is cut",
                       head->seq);
    if (rc)
        return rc;
    return digest_eq(&e.hash, &head->hash)
               ? 0
               : err_set(err, ERR_CORRUPT,
                         "event %" PRId64
                         " is not the one that was sealed: the history was rewritten",
                         head->seq);
}
