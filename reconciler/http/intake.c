/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/intake.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/guard.h"

#define SIZE_DIGITS 8 /* of a chunk */

enum {
    INTAKE_HEAD,
    INTAKE_BODY,
    INTAKE_SIZE,
    INTAKE_DATA,
    INTAKE_DATA_END,
    INTAKE_LAST_END,
    INTAKE_OVER,
    INTAKE_REFUSED,
    N_INTAKE_STATES
};

static size_t n_waiting(const struct intake *i)
{
    return i->n_raw - i->at;
}

static struct str waiting(const struct intake *i)
{
    return i->raw ? (struct str){ i->raw + i->at, n_waiting(i) } : S("");
}

/* --- what we say instead ------------------------------------------------------------------------- */

static void say(struct intake *i, const char *text)
{
    i->n_out = strlen(text);
    i->out_at = 0;
    PRE(i->n_out < sizeof(i->out));
    memcpy(i->out, text, i->n_out);
}

static void say_head(struct intake *i)
{
    const struct head *h = &i->head;
    int has_body = h->framing.n_encodings || h->framing.length > 0;
    const char *method = str_eq_c(h->method, "HEAD") ? "HEAD" : has_body ? "POST" : "GET";
    char length[40] = "", text[INTAKE_OUT_MAX];

    if (h->framing.n_encodings)
        (void)snprintf(length, sizeof(length), "Transfer-Encoding: chunked\r\n");
    else if (has_body)
        (void)snprintf(length, sizeof(length), "Content-Length: %" PRId64 "\r\n",
                       h->framing.length);
    (void)snprintf(text, sizeof(text), "%s / HTTP/1.%d\r\nHost: x\r\n%s%s%s\r\n", method,
                   !h->is_old, length, h->closes ? "Connection: close\r\n" : "",
                   h->expects && has_body ? "Expect: 100-continue\r\n" : "");
    say(i, text);
}

static void end_with(struct intake *i, const char *instead)
{
    i->state = INTAKE_REFUSED;
    i->at = i->n_raw;
    say(i, instead);
}

static void refuse_body(struct intake *i, const char *instead)
{
    i->is_broken = 1;
    end_with(i, instead);
}

/* --- states: 1: go on; 0: nothing to do until more comes ----------------------------------------- */

static int refuse_head(struct intake *i, const struct err *err)
{
    i->has_head = 1;
    i->refusal = arena_copy(&i->arena, err, sizeof(*err));
    end_with(i, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return 1;
}

static int take_head(struct intake *i)
{
    struct err err = ERR_INIT;
    size_t end;

    if (head_find_end(&i->scan, waiting(i), &end, &err))
        return refuse_head(i, &err);
    if (!end && n_waiting(i) < HEAD_MAX)
        return 0;
    if (!end) {
        int has_line = str_find_char(waiting(i), '\n') != STR_NPOS;

        (void)err_set(&err, has_line ? ERR_HEADERS : ERR_LINE,
                      "the line and the headers have more than %d bytes", HEAD_MAX);
        return refuse_head(i, &err);
    }
    if (head_parse(&i->arena, str_slice(waiting(i), 0, end), &i->head, &err))
        return refuse_head(i, &err);
    i->at += end;
    i->has_head = 1;
    i->left = i->head.framing.length;
    i->state = i->head.framing.n_encodings ? INTAKE_SIZE : i->left ? INTAKE_BODY : INTAKE_OVER;
    say_head(i);
    return 1;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at;

    at = memchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c, 16);
    return at ? (int)(at - digits) : -1;
}

/* "1f\r\n", and nothing else. */
static int take_size(struct intake *i)
{
    struct str text = waiting(i);
    char line[SIZE_DIGITS + 3];
    size_t n = 0;

    i->left = 0;
    for (; n < text.n && n <= SIZE_DIGITS && hex_digit(text.p[n]) >= 0; n++)
        i->left = i->left * 16 + hex_digit(text.p[n]);
    if (n > SIZE_DIGITS || (n < text.n && (!n || text.p[n] != '\r')) ||
        (n + 1 < text.n && text.p[n + 1] != '\n')) {
        refuse_body(i, "0\r\n\r\n");
        return 1;
    }
    if (n + 1 >= text.n)
        return 0;
    memcpy(line, text.p, n + 2);
    line[n + 2] = 0;
    i->at += n + 2;
    i->state = i->left ? INTAKE_DATA : INTAKE_LAST_END;
    say(i, line);
    return 1;
}

/* CR LF behind a chunk, or behind the last one. */
static int take_end(struct intake *i)
{
    struct str text = waiting(i);
    int is_last = i->state == INTAKE_LAST_END;

    if (text.n && (text.p[0] != '\r' || (text.n > 1 && text.p[1] != '\n'))) {
        refuse_body(i, is_last ? "\r\n" : "\r\n0\r\n\r\n");
        return 1;
    }
    if (text.n < 2)
        return 0;
    i->at += 2;
    i->state = is_last ? INTAKE_OVER : INTAKE_SIZE;
    say(i, "\r\n");
    return 1;
}

static int take_nothing(struct intake *i)
{
    (void)i;
    return 0;
}

static int (*const steps[N_INTAKE_STATES])(struct intake *i) = {
    [INTAKE_HEAD] = take_head,    [INTAKE_BODY] = take_nothing,    [INTAKE_SIZE] = take_size,
    [INTAKE_DATA] = take_nothing, [INTAKE_DATA_END] = take_end,    [INTAKE_LAST_END] = take_end,
    [INTAKE_OVER] = take_nothing, [INTAKE_REFUSED] = take_nothing,
};

/* --- in and out ---------------------------------------------------------------------------------- */

static size_t hand_on(struct intake *i, char *ret, size_t n)
{
    size_t n_have = i->n_out - i->out_at;

    if (n_have) { /* ours come first */
        n = n < n_have ? n : n_have;
        memcpy(ret, i->out + i->out_at, n);
        i->out_at += n;
        return n;
    }
    if (i->state != INTAKE_BODY && i->state != INTAKE_DATA)
        return 0;
    n = n < n_waiting(i) ? n : n_waiting(i);
    n = (int64_t)n < i->left ? n : (size_t)i->left;
    if (n)
        memcpy(ret, i->raw + i->at, n);
    i->at += n;
    i->left -= (int64_t)n;
    if (!i->left)
        i->state = i->state == INTAKE_BODY ? INTAKE_OVER : INTAKE_DATA_END;
    return n;
}

static void forget_what_went(struct intake *i)
{
    if (i->at < i->n_raw)
        return;
    alloc_free(TAKE(i->raw));
    i->n_raw = i->at = 0;
}

size_t intake_take(struct intake *i, char *ret, size_t n)
{
    size_t done = 0, got = 1;

    while (done < n && got) {
        got = hand_on(i, ret + done, n - done);
        done += got;
        if (!got)
            got = (size_t)steps[i->state](i);
    }
    forget_what_went(i);
    return done;
}

char *intake_room(struct intake *i, size_t *ret_n)
{
    if (i->state == INTAKE_OVER || i->state == INTAKE_REFUSED)
        return NULL;
    if (i->at && i->raw) {
        memmove(i->raw, i->raw + i->at, n_waiting(i));
        i->n_raw -= i->at;
        i->at = 0;
    }
    if (!i->raw)
        i->raw = alloc_resize(NULL, HEAD_MAX);
    *ret_n = HEAD_MAX - i->n_raw;
    return i->raw && *ret_n ? i->raw + i->n_raw : NULL;
}

void intake_came(struct intake *i, size_t n)
{
    i->n_raw += n;
}

int intake_claim(struct intake *i, struct arena *ret_arena, struct head *ret, struct err *err)
{
    if (!i->has_head)
        return -1;
    if (i->refusal)
        *err = *i->refusal;
    else
        (void)arena_status(&i->arena, err);
    *ret = i->head;
    *ret_arena = i->arena;
    arena_init(&i->arena, 0);
    i->refusal = NULL;
    i->has_head = 0;
    return err->code;
}

int intake_check(const struct intake *i, struct err *err)
{
    return i->is_broken ? err_set(err, ERR_USAGE,
                                  "the chunks of the body are broken, or have more than a size")
                        : 0;
}

void intake_next(struct intake *i)
{
    if (i->state != INTAKE_OVER)
        return; /* the connection ends */
    i->state = INTAKE_HEAD;
    i->scan = (struct head_scan){ 0 };
}

void intake_fini(struct intake *i)
{
    alloc_free(TAKE(i->raw));
    arena_fini(&i->arena);
}
