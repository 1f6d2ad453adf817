/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

struct err_row {
    const char *name;
    enum err_class class;
    int http_status, exit_status;
    const char *text;
};

static const struct err_row err_rows[N_ERR_CODES] = {
    [ERR_ORDINAL_NONE] = { "OK", ERR_CLASS_USER, 200, 0, "ok" },
#define ERR(name, class, http, exit, text)                                                         \
    [ERR_ORDINAL_##name] = { #name, ERR_CLASS_##class, http, exit, text },
#include "base/errcodes.def"
#undef ERR
};

static const struct err_row *err_row(int code)
{
    if (code > 0 || code <= -N_ERR_CODES)
        code = ERR_FAILED;
    return &err_rows[-code];
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;

    err->code = code;
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap); /* a cut sentence still explains */
    va_end(ap);
    utf8_trim(err->text);
    return code;
}

static int err_code_of_errno(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    case ENOENT:
        return ERR_NOT_FOUND;
    case ENOMEM:
        return ERR_NOMEM;
    default:
        return ERR_IO;
    }
}

int err_sys(struct err *err, const char *fmt, ...)
{
    int number = errno;
    size_t used;
    va_list ap;

    err->code = err_code_of_errno(number);
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    utf8_trim(err->text);
    used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(number));
    return err->code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    char inner[ERR_TEXT_MAX];
    size_t used;
    va_list ap;

    memcpy(inner, err->text, sizeof(inner));
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    utf8_trim(err->text);
    used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s",
                   inner[0] ? inner : err_row(err->code)->text);
    utf8_trim(err->text);
    return err->code;
}

const char *err_name(int code)
{
    return err_row(code)->name;
}

const char *err_text(int code)
{
    return err_row(code)->text;
}

enum err_class err_class(int code)
{
    return err_row(code)->class;
}

int err_http_status(int code)
{
    return err_row(code)->http_status;
}

int err_exit_status(int code)
{
    return err_row(code)->exit_status;
}

int err_from_name(const char *name, size_t n)
{
    for (int i = 0; i < N_ERR_CODES; i++)
        if (strlen(err_rows[i].name) == n && !memcmp(err_rows[i].name, name, n))
            return -i;
    return ERR_FAILED;
}
