/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/framing.h"

#include <string.h>
#include <strings.h>

static int is_word(struct str text, const char *word)
{
    return text.n == str_from_c(word).n && !strncasecmp(text.p, word, text.n);
}

/* "Content-Length :" is a header that nobody knows to some, and the length to others. */
int framing_is_token(struct str word)
{
    for (size_t i = 0; i < word.n; i++)
        if (word.p[i] <= ' ' || word.p[i] > '~' || strchr("\"(),/:;<=>?@[\\]{}", word.p[i]))
            return 0;
    return word.n > 0;
}

void framing_see(struct framing *f, struct str name, struct str value)
{
    f->is_odd |= !framing_is_token(name);
    if (is_word(name, "content-length")) {
        f->n_lengths++;
        if (str_find_char(value, '-') != STR_NPOS || str_to_i64(value, &f->length))
            f->length = -1;
    } else if (is_word(name, "transfer-encoding")) {
        f->n_encodings++;
        f->is_chunked = is_word(value, "chunked");
    } else if (is_word(name, "host")) {
        f->n_hosts++;
    } else if (is_word(name, "content-encoding")) {
        f->is_coded = 1;
    }
}

int framing_check(const struct framing *f, size_t body_max, struct err *err)
{
    if (f->n_lengths + f->n_encodings > 1 || f->length < 0)
        return err_set(err, ERR_USAGE, "the length of the body is ambiguous");
    if (f->n_encodings && !f->is_chunked)
        return err_set(err, ERR_UNSUPPORTED, "the only Transfer-Encoding is 'chunked'");
    if (f->is_odd)
        return err_set(err, ERR_USAGE, "the name of a header is no word");
    if (f->n_hosts != 1)
        return err_set(err, ERR_USAGE, "there must be one Host header");
    if (f->is_coded)
        return err_set(err, ERR_USAGE, "bodies with Content-Encoding are refused");
    if (f->length > (int64_t)body_max)
        return err_set(err, ERR_LIMIT, "the body is larger than %zu bytes", body_max);
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that stands at %XX; 0: it is none, or NUL. */
static int escaped_byte(const char *p)
{
    int high = p[0] == '%' ? hex_digit(p[1]) : -1, low = high < 0 ? -1 : hex_digit(p[2]);

    return low < 0 ? 0 : high * 16 + low;
}

size_t framing_unescape(char *text)
{
    size_t n = 0;

    for (const char *p = text; *p;) {
        int byte = escaped_byte(p);

        text[n++] = byte ? (char)byte : *p;
        p += byte ? 3 : 1;
    }
    text[n] = 0;
    return n;
}
