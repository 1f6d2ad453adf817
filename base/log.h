/*
 * log: one record, one JSON line on standard error. SPDX-License-Identifier: Apache-2.0
 *
 * Only rt, engine, http and cli log; everything below returns errors. A failure is logged once,
 * where it becomes a decision, and says what happens next. Foreign text goes into string fields
 * and is escaped; a secret has no printable form and cannot be passed.
 *
 * Where standard error is systemd's journal each line begins with the priority that sd-daemon(3) says, which the
 * journal takes off, of JSON and of text.
 *
 * Thread   any; a record is one write.
 */
#pragma once

#include "base/str.h"

enum log_level {
    LOG_DEBUG, /* state moves */
    LOG_INFO,  /* a change in the world */
    LOG_WARN,  /* noted, we go on */
    LOG_ERROR, /* a person must act */
};

enum log_format { LOG_JSON, LOG_TEXT };

struct log_field {
    const char *name;
    struct str value;
};

/* Once, before anything is said: finds out whether standard error is the journal. */
void log_begin(void);
void log_setup(enum log_level least, enum log_format format);
int log_level_from_name(struct str name, enum log_level *ret); /* 0, or -1 */

/* What a line that is no record of ours begins with: "<3>", or nothing where standard error is not the journal. */
const char *log_mark(enum log_level level);

/* `stream` is $JOURNAL_STREAM, as systemd.exec(5) describes it, or NULL; the numbers are what fstat(2) says. */
int log_is_journal(const char *stream, uint64_t device, uint64_t inode);

/* What this thread works for, until it is told otherwise: every record of it has these fields too, but those that it
 * has itself and those without a value. Borrowed; ends with a NULL name. NULL: nothing. */
void log_about(const struct log_field *fields);

/* `fields` ends with a NULL name. */
void log_write(enum log_level level, const char *msg, const struct log_field *fields);

#define LOG(level, msg, ...)                                                                       \
    log_write((level), (msg),                                                                      \
              (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ NULL, STR_NONE } })
#define LOG_S(field_name, text)                                                                    \
    {                                                                                              \
        (field_name), (text)                                                                       \
    }
#define LOG_C(field_name, text)                                                                    \
    {                                                                                              \
        (field_name), str_from_c(text)                                                             \
    }
