/*
 * err: a failure is a value with a code that decides and a sentence that explains. SPDX-License-Identifier: Apache-2.0
 *
 * Functions return 0 or a negative ERR_*; the caller owns the struct err. The code's class, never
 * the call site, decides what happens next. Sentences are lower case without a full stop, with
 * foreign values in quotes.
 *
 * Memory   fixed size; reporting an error never allocates.
 * Thread   any; one struct err belongs to one thread at a time.
 */
#pragma once

#include <stddef.h>

#define ERR_TEXT_MAX 1024

enum err_class {
    ERR_CLASS_USER,   /* stalls until the request or the spec changes */
    ERR_CLASS_WAIT,   /* checked again later */
    ERR_CLASS_RETRY,  /* tried again with back-off */
    ERR_CLASS_STOP,   /* unwinds */
    ERR_CLASS_STALE,  /* plan anew */
    ERR_CLASS_ABSENT, /* an answer, not a fault */
    ERR_CLASS_FATAL,  /* ends the process */
};

enum err_ordinal {
    ERR_ORDINAL_NONE,
#define ERR(name, class, http, exit, text) ERR_ORDINAL_##name,
#include "base/errcodes.def"
#undef ERR
    N_ERR_CODES
};

enum err_code {
#define ERR(name, class, http, exit, text) ERR_##name = -(int)ERR_ORDINAL_##name,
#include "base/errcodes.def"
#undef ERR
};

struct err {
    int code;
    char text[ERR_TEXT_MAX];
};

#define ERR_INIT                                                                                   \
    (struct err)                                                                                   \
    {                                                                                              \
        0                                                                                          \
    }

/* Say what failed. Returns `code`, so that `return err_set(...)` is one line. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same with errno's text behind it; ENOSPC and EDQUOT become ERR_FULL, ENOENT ERR_NOT_FOUND. */
int err_sys(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put what only the caller knows in front: "fmt: text". Returns the unchanged code. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Names and consequences of a code; an unknown one is treated as ERR_FAILED. */
const char *err_name(int code);
const char *err_text(int code); /* what it says when nobody says more */
enum err_class err_class(int code);
int err_http_status(int code);
int err_exit_status(int code);

/* The code with this name ("REFUSED"), or ERR_FAILED. */
int err_from_name(const char *name, size_t n);
