/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/secret_hide.h"

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/guard.h"
#include "specs/json_io.h"

struct hide {
    struct arena *scratch; /* wiped: spellings are values, too */
    struct str text;
    unsigned char *marks; /* one a byte of the text */
};

/* --- where it stands ----------------------------------------------------------------------------- */

static void hide_whole(struct hide *h, struct str needle)
{
    for (size_t at = 0; needle.n && at + needle.n <= h->text.n; at++)
        if (!memcmp(h->text.p + at, needle.p, needle.n))
            memset(h->marks + at, 1, needle.n);
}

static uint64_t hide_run_at(struct str s, size_t at)
{
    uint64_t run;

    _Static_assert(sizeof(run) == SECRET_HIDE_RUN, "a run is compared as one number");
    memcpy(&run, s.p + at, sizeof(run));
    return run;
}

static int hide_compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void hide_runs(struct hide *h, struct str needle)
{
    size_t n = needle.n < SECRET_HIDE_RUN ? 0 : needle.n - SECRET_HIDE_RUN + 1;
    uint64_t *runs = arena_new_n(h->scratch, uint64_t, n + 1);

    if (!n || !runs)
        return; /* the arena remembers */
    for (size_t i = 0; i < n; i++)
        runs[i] = hide_run_at(needle, i);
    qsort(runs, n, sizeof(*runs), hide_compare);
    for (size_t at = 0; at + SECRET_HIDE_RUN <= h->text.n; at++) {
        uint64_t run = hide_run_at(h->text, at);

        if (bsearch(&run, runs, n, sizeof(run), hide_compare))
            memset(h->marks + at, 1, SECRET_HIDE_RUN);
    }
}

/* --- how it is spelled --------------------------------------------------------------------------- */

static struct str hide_json(struct arena *a, struct str value)
{
    struct str quoted = json_format(a, value_text(a, value));

    return quoted.n < 2 ? S("") : str_slice(quoted, 1, quoted.n - 2);
}

static struct str hide_percent(struct arena *a, struct str value)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];

        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
            (c && strchr("-._~", c)))
            sb_add_char(&b, (char)c);
        else
            sb_addf(&b, "%%%02X", c);
    }
    return sb_str(&b);
}

static void hide_hex(struct hide *h, struct str value)
{
    struct sb lower, upper;

    sb_init(&lower, h->scratch);
    sb_init(&upper, h->scratch);
    for (size_t i = 0; i < value.n; i++) {
        sb_addf(&lower, "%02x", (unsigned)(unsigned char)value.p[i]);
        sb_addf(&upper, "%02X", (unsigned)(unsigned char)value.p[i]);
    }
    hide_runs(h, sb_str(&lower));
    hide_runs(h, sb_str(&upper));
}

/* As it stands when `before` bytes of something else are encoded with it: less the letters that they share. */
static void hide_base64(struct hide *h, struct str value, size_t before, int variant)
{
    size_t n = before + value.n, size = sodium_base64_encoded_len(n, variant);
    size_t from = (8 * before + 5) / 6, to = 8 * n / 6;
    unsigned char *bytes = arena_alloc(h->scratch, n + 1);
    char *text = arena_alloc(h->scratch, size);

    if (!bytes || !text || to <= from)
        return; /* the arena remembers */
    memcpy(bytes + before, value.p, value.n);
    (void)sodium_bin2base64(text, size, bytes, n, variant); /* the size is its own */
    hide_runs(h, (struct str){ text + from, to - from });
}

static void hide_value(struct hide *h, struct str value)
{
    struct str spelled[] = { value, hide_json(h->scratch, value), hide_percent(h->scratch, value) };

    for (size_t i = 0; i < N_ELEMENTS(spelled); i++)
        if (i && str_eq(spelled[i], value))
            continue;
        else if (spelled[i].n < SECRET_HIDE_RUN)
            hide_whole(h, spelled[i]);
        else
            hide_runs(h, spelled[i]);
    hide_hex(h, value);
    for (size_t before = 0; before < 3; before++) {
        hide_base64(h, value, before, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
        hide_base64(h, value, before, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    }
}

/* --- the text without it ------------------------------------------------------------------------- */

static struct str hide_marked(const struct hide *h, struct arena *a)
{
    struct sb b;

    if (!memchr(h->marks, 1, h->text.n))
        return h->text;
    sb_init(&b, a);
    for (size_t i = 0; i < h->text.n; i++)
        if (!h->marks[i])
            sb_add_char(&b, h->text.p[i]);
        else if (!i || !h->marks[i - 1])
            sb_add_c(&b, "***");
    return sb_str(&b);
}

typedef void hide_value_fn(struct hide *h, struct str value);

/* Without memory nothing is shown. */
static struct str hide_all(const struct str *values, size_t n, hide_value_fn *fn, struct arena *a,
                           struct str text)
{
    AUTO_WIPED_ARENA struct arena scratch = { 0 };
    struct hide h = { .scratch = &scratch, .text = text };

    if (!n || !text.n)
        return text;
    h.marks = arena_alloc(&scratch, text.n);
    for (size_t i = 0; h.marks && i < n; i++)
        fn(&h, values[i]);
    return arena_status(&scratch, &(struct err){ 0 }) ? S("") : hide_marked(&h, a);
}

struct str secret_hide_words(const struct str *values, size_t n, struct arena *a, struct str text)
{
    return hide_all(values, n, hide_value, a, text);
}

/* Line by line: there is more than one way to write a line end. */
static void hide_in_field(struct hide *h, struct str value)
{
    struct str line;

    while (str_next(&value, '\n', &line)) {
        if (line.n < SECRET_HIDE_WHOLE)
            continue;
        hide_whole(h, line);
        hide_whole(h, hide_json(h->scratch, line));
    }
}

struct str secret_hide_field(const struct str *values, size_t n, struct arena *a, struct str text)
{
    return hide_all(values, n, hide_in_field, a, text);
}
