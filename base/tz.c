/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tz.h"

#include <inttypes.h>

#include "base/date.h"
#include "base/tz_rule.h"

#define HEADER_BYTES 44
#define TYPE_BYTES 6
#define OFFSET_MAX_S (26 * 3600)
#define NAME_MAX_BYTES 64
#define TIME_MAX_S (INT64_MAX / 2000) /* in milliseconds, with an offset */

struct tzif { /* one header, and where its data stands */
    struct str data;
    uint32_t n_utc, n_std, n_leaps, n_changes, n_types, n_chars;
    size_t time_bytes;
};

int tz_is_name(struct str name)
{
    struct str rest = name, part;
    size_t n = 0;

    if (!name.n || name.n > NAME_MAX_BYTES || name.p[name.n - 1] == '/')
        return 0;
    for (; str_next(&rest, '/', &part); n++) {
        if (!part.n || part.p[0] == '-' || part.p[0] == '+')
            return 0;
        for (size_t i = 0; i < part.n; i++) {
            char c = part.p[i];

            if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '+'))
                return 0;
        }
    }
    return n <= 3;
}

/* --- the file ------------------------------------------------------------------------------------ */

static int64_t read_be(const char *p, size_t n_bytes)
{
    uint64_t bits = (unsigned char)p[0] & 0x80u ? UINT64_MAX : 0;

    for (size_t i = 0; i < n_bytes; i++)
        bits = bits << 8 | (unsigned char)p[i];
    return (int64_t)bits;
}

static uint32_t read_count(const char *p)
{
    return (uint32_t)read_be(p, 4);
}

static size_t data_bytes(const struct tzif *f)
{
    return (size_t)f->n_changes * (f->time_bytes + 1) + (size_t)f->n_types * TYPE_BYTES +
           f->n_chars + (size_t)f->n_leaps * (f->time_bytes + 4) + f->n_std + f->n_utc;
}

/* A header and its data off the front. */
static int take_block(struct str *rest, size_t time_bytes, char *ret_version, struct tzif *ret)
{
    const char *p = rest->p;

    if (rest->n < HEADER_BYTES || !str_starts(*rest, S("TZif")))
        return -1;
    *ret_version = p[4];
    *ret = (struct tzif){ .n_utc = read_count(p + 20),
                          .n_std = read_count(p + 24),
                          .n_leaps = read_count(p + 28),
                          .n_changes = read_count(p + 32),
                          .n_types = read_count(p + 36),
                          .n_chars = read_count(p + 40),
                          .time_bytes = time_bytes };
    if (!ret->n_types || data_bytes(ret) > rest->n - HEADER_BYTES)
        return -1;
    ret->data = str_slice(*rest, HEADER_BYTES, data_bytes(ret));
    *rest = str_slice(*rest, HEADER_BYTES + data_bytes(ret), rest->n);
    return 0;
}

static int read_offset(const struct tzif *f, size_t type, int32_t *ret_s)
{
    const char *types = f->data.p + (size_t)f->n_changes * (f->time_bytes + 1);

    if (type >= f->n_types)
        return -1;
    *ret_s = (int32_t)read_be(types + type * TYPE_BYTES, 4);
    return *ret_s > OFFSET_MAX_S || *ret_s < -OFFSET_MAX_S ? -1 : 0;
}

/* Changes before any time that is ever asked for may stand before year 1: they are kept as they are. */
static int read_changes(struct arena *a, const struct tzif *f, struct tz *ret)
{
    int64_t *changes = arena_new_n(a, int64_t, f->n_changes + 1);
    int32_t *offsets = arena_new_n(a, int32_t, f->n_changes + 1);
    const char *types = f->data.p + (size_t)f->n_changes * f->time_bytes;

    if (!changes || !offsets)
        return 0; /* the arena says so */
    for (size_t i = 0; i < f->n_changes; i++) {
        changes[i] = read_be(f->data.p + i * f->time_bytes, f->time_bytes);
        if (read_offset(f, (unsigned char)types[i], &offsets[i]) || changes[i] > TIME_MAX_S ||
            (i && changes[i] <= changes[i - 1]))
            return -1;
    }
    ret->changes_s = changes;
    ret->offsets_s = offsets;
    ret->n_changes = f->n_changes;
    return read_offset(f, 0, &ret->first_s);
}

static int is_offset_of_rule(int32_t offset_s)
{
    return offset_s <= OFFSET_MAX_S && offset_s >= -OFFSET_MAX_S;
}

/* "\nCET-1CEST,M3.5.0,M10.5.0/3\n"; an empty one says nothing of what comes after the last change. */
static int read_footer(struct str rest, struct tz *ret)
{
    if (rest.n < 2 || rest.p[0] != '\n' || rest.p[rest.n - 1] != '\n')
        return -1;
    if (rest.n == 2)
        return 0;
    if (tz_rule_parse(str_slice(rest, 1, rest.n - 2), ret))
        return -1;
    return is_offset_of_rule(ret->standard_s) && is_offset_of_rule(ret->summer_s) ? 0 : -1;
}

static int read_file(struct arena *a, struct str bytes, struct tz *ret)
{
    struct str rest = bytes;
    struct tzif block;
    char version;

    if (bytes.n > TZ_BYTES_MAX || take_block(&rest, 4, &version, &block))
        return -1;
    if (!version)
        return read_changes(a, &block, ret);
    if (take_block(&rest, 8, &version, &block) || read_changes(a, &block, ret))
        return -1;
    return read_footer(rest, ret);
}

int tz_parse(struct arena *a, struct str name, struct str bytes, struct tz *ret, struct err *err)
{
    struct tz tz = { .name = str_copy(a, name) };

    if (read_file(a, bytes, &tz))
        return err_set(err, ERR_INVALID, "the file of time zone '%.*s' is not a TZif file",
                       STR_ARG(name));
    if (arena_status(a, err))
        return err->code;
    *ret = tz;
    return 0;
}

/* --- offsets ------------------------------------------------------------------------------------- */

/* How many changes lie at or before it. */
static size_t count_changes(const struct tz *tz, int64_t time_s)
{
    size_t low = 0, high = tz->n_changes;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (tz->changes_s[middle] <= time_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t seconds_down(int64_t time_ms)
{
    return time_ms / 1000 - (time_ms % 1000 < 0);
}

int64_t tz_offset_ms(const struct tz *tz, int64_t time_ms)
{
    int64_t time_s = seconds_down(time_ms);
    size_t n = count_changes(tz, time_s);
    int32_t offset_s;

    if (n == tz->n_changes && tz->has_rule)
        offset_s = tz_rule_offset_s(tz, time_s);
    else
        offset_s = n ? tz->offsets_s[n - 1] : tz->first_s;
    return (int64_t)offset_s * 1000;
}

int64_t tz_local_ms(const struct tz *tz, int64_t time_ms)
{
    return time_ms + tz_offset_ms(tz, time_ms);
}

int64_t tz_change_after_ms(const struct tz *tz, int64_t time_ms)
{
    int64_t time_s = seconds_down(time_ms), change_s = TZ_NEVER;
    size_t n = count_changes(tz, time_s);

    if (n < tz->n_changes)
        change_s = tz->changes_s[n];
    else if (tz->has_rule)
        change_s = tz_rule_change_after_s(tz, time_s);
    return change_s == TZ_NEVER ? TZ_NEVER : change_s * 1000;
}

/* From before any offset could have reached it, one stretch of equal offset after the other. */
int64_t tz_from_local_ms(const struct tz *tz, int64_t local_ms)
{
    int64_t from_ms = local_ms - 2 * DATE_DAY_MS;

    for (;;) {
        int64_t time_ms = local_ms - tz_offset_ms(tz, from_ms);
        int64_t end_ms = tz_change_after_ms(tz, from_ms);

        if (time_ms < from_ms)
            return from_ms; /* the change before it left it out */
        if (time_ms < end_ms)
            return time_ms;
        from_ms = end_ms;
    }
}

struct str tz_text(struct arena *a, const struct tz *tz, int64_t time_ms)
{
    int64_t local_ms = tz_local_ms(tz, time_ms), minute = date_time_of_day(local_ms) / 60000;
    struct date d = date_from_days(date_day_of(local_ms));

    return str_fmt(a, "%04" PRId64 "-%02d-%02d %02" PRId64 ":%02" PRId64 " %.*s", d.year, d.month,
                   d.day, minute / 60, minute % 60, STR_ARG(tz->name));
}
