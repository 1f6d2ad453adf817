/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/utf8.h"

#define LOG_LINE_MAX 8192u
#define LOG_END 2u         /* what ends a record: a brace, a line end */
#define LOG_FIELD_MIN 128u /* with less room left a field is left out */

/* clang-format off */
static const struct {
    const char *name;
    const char *mark; /* sd-daemon(3): SD_DEBUG, SD_INFO, SD_WARNING, SD_ERR */
} log_levels[] = {
    [LOG_DEBUG] = { "debug", "<7>" },
    [LOG_INFO]  = { "info",  "<6>" },
    [LOG_WARN]  = { "warn",  "<4>" },
    [LOG_ERROR] = { "error", "<3>" },
};
/* clang-format on */
static atomic_int log_least = LOG_INFO;
static atomic_int log_format = LOG_JSON;
static atomic_int log_to_journal;
static _Thread_local const struct log_field *log_work;

int log_is_journal(const char *stream, uint64_t device, uint64_t inode)
{
    char ours[48]; /* two numbers of 20 digits */

    (void)snprintf(ours, sizeof(ours), "%llu:%llu", (unsigned long long)device,
                   (unsigned long long)inode);
    return stream && !strcmp(stream, ours);
}

void log_begin(void)
{
    struct stat st;

    atomic_store(&log_to_journal,
                 !fstat(STDERR_FILENO, &st) &&
                     log_is_journal(getenv("JOURNAL_STREAM"), st.st_dev, st.st_ino));
}

const char *log_mark(enum log_level level)
{
    return atomic_load(&log_to_journal) ? log_levels[level].mark : "";
}

void log_setup(enum log_level least, enum log_format format)
{
    atomic_store(&log_least, (int)least);
    atomic_store(&log_format, (int)format);
}

int log_level_from_name(struct str name, enum log_level *ret)
{
    for (int i = 0; i <= LOG_ERROR; i++)
        if (str_eq_c(name, log_levels[i].name)) {
            *ret = (enum log_level)i;
            return 0;
        }
    return -1;
}

struct log_line {
    char text[LOG_LINE_MAX];
    size_t n;
};

static size_t log_room(const struct log_line *l)
{
    return sizeof(l->text) - LOG_END - l->n;
}

static void log_add(struct log_line *l, const char *p, size_t n)
{
    if (n > log_room(l))
        n = log_room(l);
    memcpy(l->text + l->n, p, n);
    l->n += n;
}

static void log_add_c(struct log_line *l, const char *text)
{
    log_add(l, text, strlen(text));
}

/* A JSON string, safe to look at: a record stays one line. What is no UTF-8 is U+FFFD for each byte. A long one
 * leaves half of the room to those behind it. */
static void log_add_text(struct log_line *l, struct str s)
{
    size_t end = l->n + log_room(l) / 2;

    log_add_c(l, "\"");
    for (size_t i = 0, n; i < s.n && l->n < end; i += n ? n : 1) {
        char escaped[16];
        uint32_t c = 0xfffd;

        n = utf8_decode(str_slice(s, i, s.n), &c);
        if (n && !utf8_is_unseen(c) && c != '"' && c != '\\')
            (void)snprintf(escaped, sizeof(escaped), "%.*s", (int)n, s.p + i);
        else if (c == '"' || c == '\\')
            (void)snprintf(escaped, sizeof(escaped), "\\%c", (char)c);
        else if (c < 0x10000)
            (void)snprintf(escaped, sizeof(escaped), "\\u%04x", c);
        else
            (void)snprintf(escaped, sizeof(escaped), "\\u%04x\\u%04x", 0xd7c0 + (c >> 10),
                           0xdc00 + (c & 0x3ff));
        log_add_c(l, escaped);
    }
    log_add_c(l, "\"");
}

static void log_add_time(struct log_line *l)
{
    int64_t now_ms = sys_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm;
    char text[40];
    size_t n;

    (void)gmtime_r(&seconds, &tm); /* any 64-bit second of ours fits */
    n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(now_ms % 1000));
    log_add_c(l, text);
}

void log_about(const struct log_field *fields)
{
    log_work = fields;
}

static int log_has(const struct log_field *fields, const char *name)
{
    while (fields->name && strcmp(fields->name, name) != 0)
        fields++;
    return fields->name != NULL;
}

static void log_add_field(struct log_line *l, int json, const struct log_field *field)
{
    log_add_c(l, json ? ",\"" : " ");
    log_add_c(l, field->name);
    log_add_c(l, json ? "\":" : "=");
    log_add_text(l, field->value);
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields)
{
    struct log_line l; /* most records are left out: nothing is cleared for them */
    int json = atomic_load(&log_format) == LOG_JSON;

    if ((int)level < atomic_load(&log_least))
        return;
    l.n = 0;
    log_add_c(&l, log_mark(level));
    log_add_c(&l, json ? "{\"ts\":\"" : "");
    log_add_time(&l);
    log_add_c(&l, json ? "\",\"level\":\"" : " ");
    log_add_c(&l, log_levels[level].name);
    log_add_c(&l, json ? "\",\"msg\":" : " ");
    if (json)
        log_add_text(&l, str_from_c(msg));
    else
        log_add_c(&l, msg);
    for (const struct log_field *work = log_work; work && work->name; work++)
        if (work->value.n && !log_has(fields, work->name))
            log_add_field(&l, json, work);
    for (; fields->name && log_room(&l) >= LOG_FIELD_MIN; fields++)
        log_add_field(&l, json, fields);
    if (json)
        l.text[l.n++] = '}';
    l.text[l.n++] = '\n';
    (void)!write(STDERR_FILENO, l.text, l.n); /* nowhere left to report it */
}
