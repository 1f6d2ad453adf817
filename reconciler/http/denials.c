/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/denials.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/guard.h"
#include "specs/json_io.h"

#define ELSEWHERE "elsewhere"
#define BITS_V4 24
#define BITS_V6 56

static void clear_behind(unsigned char *bytes, size_t n_bytes, size_t n_bits)
{
    memset(bytes + n_bits / 8, 0, n_bytes - n_bits / 8); /* prefixes end with a byte */
}

/* "192.0.2.0/24", "2001:db8::/56"; an address that is none stays as it is. */
static void prefix_of(struct str address, char ret[DENIALS_TEXT_MAX])
{
    unsigned char b[16];
    char text[INET6_ADDRSTRLEN], copy[DENIALS_TEXT_MAX];

    (void)snprintf(copy, sizeof(copy), "%.*s", STR_ARG(address));
    if (inet_pton(AF_INET, copy, b) == 1) {
        clear_behind(b, 4, BITS_V4);
        (void)snprintf(ret, DENIALS_TEXT_MAX, "%s/%d", inet_ntop(AF_INET, b, text, sizeof(text)),
                       BITS_V4);
    } else if (inet_pton(AF_INET6, copy, b) == 1) {
        clear_behind(b, 16, BITS_V6);
        (void)snprintf(ret, DENIALS_TEXT_MAX, "%s/%d", inet_ntop(AF_INET6, b, text, sizeof(text)),
                       BITS_V6);
    } else {
        (void)snprintf(ret, DENIALS_TEXT_MAX, "%s", address.n ? copy : "the socket");
    }
}

static void write_row(struct denials *d, const struct denial *row)
{
    AUTO_ARENA struct arena a = { 0 };
    struct value *note;

    if (!row->n) /* each was told */
        return;
    arena_init(&a, 0);
    note = value_map(&a);
    if (row->where[0])
        value_set_text(&a, note, S("address"), str_from_c(row->where));
    value_set_int(&a, note, S("calls"), row->n);
    value_set_int(&a, note, S("since_ms"), row->first_ms);
    notes_write(d->notes, &(struct command){ .verb = COMMAND_DENIED,
                                             .actor = str_from_c(row->actor),
                                             .denied = str_from_c(row->reason),
                                             .denied_note = json_format(&a, note) });
}

static void set_timer(struct denials *d)
{
    int64_t first = -1;

    for (size_t i = 0; i < d->n; i++)
        if (first < 0 || d->rows[i].first_mono_ms < first)
            first = d->rows[i].first_mono_ms;
    loop_timer_set(d->timer, first < 0 ? -1 : first + DENIALS_MS);
}

static void write_since(struct denials *d, int64_t mono_ms)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n; i++) {
        if (d->rows[i].first_mono_ms <= mono_ms)
            write_row(d, &d->rows[i]);
        else
            d->rows[n++] = d->rows[i];
    }
    d->n = n;
    set_timer(d);
}

static void minute_is_over(void *ctx)
{
    struct denials *d = ctx;

    write_since(d, loop_mono_ms(d->loop) - DENIALS_MS);
}

int denials_init(struct denials *d, struct loop *loop, struct notes *notes, struct err *err)
{
    d->loop = loop;
    d->notes = notes;
    d->timer = loop_timer_new(loop, minute_is_over, d);
    return d->timer ? 0 : err_set(err, ERR_NOMEM, "denials: out of memory");
}

void denials_fini(struct denials *d)
{
    if (d->timer)
        loop_timer_free(TAKE(d->timer));
}

static void name_row(struct denial *row, struct str actor, const char *where, struct str reason)
{
    (void)snprintf(row->actor, sizeof(row->actor), "%.*s", STR_ARG(actor));
    (void)snprintf(row->where, sizeof(row->where), "%s", where);
    (void)snprintf(row->reason, sizeof(row->reason), "%.*s", STR_ARG(reason));
}

static int is_same(const struct denial *a, const struct denial *b)
{
    return !strcmp(a->actor, b->actor) && !strcmp(a->where, b->where) &&
           !strcmp(a->reason, b->reason);
}

/* The last row is that of everybody else. */
static struct denial *find_row(struct denials *d, const struct denial *key)
{
    struct denial *row = &d->rows[d->n];

    for (size_t i = 0; i < d->n; i++)
        if (is_same(&d->rows[i], key))
            return &d->rows[i];
    if (d->n == DENIALS_MAX)
        return &d->rows[DENIALS_MAX - 1];
    *row = *key;
    row->first_mono_ms = loop_mono_ms(d->loop);
    row->first_ms = loop_wall_ms(d->loop);
    if (++d->n == DENIALS_MAX && key->where[0])
        name_row(row, S("nobody"), ELSEWHERE, S("many reasons"));
    else if (d->n == DENIALS_MAX)
        name_row(row, S("others"), "", str_from_c(key->reason));
    set_timer(d);
    return row;
}

void denials_count(struct denials *d, struct str address, struct str reason)
{
    struct denial key = { 0 };
    char where[DENIALS_TEXT_MAX];

    prefix_of(address, where);
    name_row(&key, S("nobody"), where, reason);
    find_row(d, &key)->n++;
}

int denials_is_told(struct denials *d, struct str actor)
{
    struct denial key = { 0 }, *row;

    name_row(&key, actor, "", S("more calls"));
    row = find_row(d, &key);
    if (row->n_told < DENIALS_TOLD) {
        row->n_told++;
        return 1;
    }
    row->n++;
    return 0;
}

void denials_flush(struct denials *d)
{
    write_since(d, INT64_MAX);
}
