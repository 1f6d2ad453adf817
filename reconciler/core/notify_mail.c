/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/notify_mail.h"

#include <inttypes.h>

#include "base/base64.h"
#include "base/date.h"
#include "base/guard.h"

#define LINE_BYTES 57u /* of which base64 makes 76 */
#define WORD_BYTES 42u /* of which an encoded word makes less than 75 */

struct server {
    struct str scheme, user, password, host, rest; /* rest: host[:port] */
};

static int is_plain(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < ' ' || text.p[i] > '~')
            return 0;
    return str_find(text, S("=?")) == STR_NPOS;
}

struct str notify_mail_header(struct arena *a, struct str text)
{
    struct sb b;

    if (is_plain(text) && text.n <= 900)
        return text;
    sb_init(&b, a);
    while (text.n) {
        struct str part = notify_text_cut(text, WORD_BYTES);

        if (!part.n) /* no UTF-8 */
            part = str_slice(text, 0, WORD_BYTES);
        sb_addf(&b, "%s=?UTF-8?B?%s?=", b.n ? "\r\n " : "", base64_encode(a, part).p);
        text = str_slice(text, part.n, text.n);
    }
    return sb_str(&b);
}

static void add_body(struct sb *b, struct str text)
{
    for (size_t at = 0; at < text.n; at += LINE_BYTES)
        sb_addf(b, "%s\r\n", base64_encode(b->arena, str_slice(text, at, LINE_BYTES)).p);
}

/* "Sat, 21 Nov 2026 12:31:13 +0000" */
static struct str date_text(struct arena *a, int64_t time_ms)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t day = date_day_of(time_ms), s = date_time_of_day(time_ms) / 1000;
    struct date d = date_from_days(day);

    return str_fmt(a, "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000", days + 3 * date_weekday(day),
                   d.day, months + 3 * (d.month - 1), (int)d.year, (int)(s / 3600),
                   (int)(s / 60 % 60), (int)(s % 60));
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Of what stands between // and @. -1: no text. */
static int decode(struct arena *a, struct str text, struct str *ret)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < text.n; i++) {
        int high = text.p[i] == '%' && i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;

        if (text.p[i] != '%') {
            sb_add_char(&b, text.p[i]);
            continue;
        }
        if (low < 0 || !(high | low))
            return -1;
        sb_add_char(&b, (char)(high * 16 + low));
        i += 2;
    }
    *ret = sb_str(&b);
    return 0;
}

static int is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '[' || c == ']';
}

/* smtp[s]://[NAME[:PASSWORD]@]HOST[:PORT][/] */
static int parse(struct arena *a, struct str url, struct server *ret)
{
    size_t begin = str_find(url, S("://")), at = STR_NPOS, colon;

    *ret = (struct server){ 0 };
    if (begin == STR_NPOS)
        return -1;
    ret->scheme = str_slice(url, 0, begin);
    url = str_slice(url, begin + 3, url.n);
    if (str_ends(url, S("/")))
        url.n--;
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] == '@')
            at = i;
    if (at != STR_NPOS) {
        struct str who = str_slice(url, 0, at);

        url = str_slice(url, at + 1, url.n);
        colon = str_find_char(who, ':');
        if (decode(a, str_slice(who, 0, colon == STR_NPOS ? who.n : colon), &ret->user) ||
            (colon != STR_NPOS && decode(a, str_slice(who, colon + 1, who.n), &ret->password)))
            return -1;
    }
    for (size_t i = 0; i < url.n; i++)
        if (!is_host_byte(url.p[i]))
            return -1;
    ret->rest = url;
    colon = str_starts(url, S("[")) ? str_find(url, S("]:")) : str_find_char(url, ':');
    if (colon != STR_NPOS && str_starts(url, S("[")))
        colon++;
    ret->host = str_slice(url, 0, colon == STR_NPOS ? url.n : colon);
    return ret->host.n && (str_eq_c(ret->scheme, "smtp") || str_eq_c(ret->scheme, "smtps")) ? 0
                                                                                            : -1;
}

static int is_of_this_machine(struct str host)
{
    return str_eq_c(host, "localhost") || str_eq_c(host, "127.0.0.1") || str_eq_c(host, "[::1]");
}

/* In an address, where the host may be one of numbers. */
static struct str domain_of(struct arena *a, const struct server *s)
{
    struct str last = s->host;

    return str_starts(last, S("[")) || (last.n && last.p[last.n - 1] <= '9')
               ? str_fmt(a, "reeve.invalid")
               : last;
}

static struct str mail_text(struct arena *a, const struct notify_message *m, struct str from,
                            struct str to, struct str domain, struct str text)
{
    struct sb b;

    sb_init(&b, a);
    sb_addf(&b, "Date: %s\r\n", date_text(a, m->made_ms).p);
    sb_addf(&b, "From: Reeve <%.*s>\r\nTo: <%.*s>\r\n", STR_ARG(from), STR_ARG(to));
    sb_addf(&b, "Subject: %s\r\n",
            notify_mail_header(
                a, str_fmt(a, "[reeve] %.*s", STR_ARG(notify_text_title(a, m, &notify_text_plain))))
                .p);
    sb_addf(&b, "Message-ID: <%.*s@%.*s>\r\n", STR_ARG(m->id), STR_ARG(domain));
    if (m->severity == NOTIFY_CRITICAL)
        sb_add_c(&b, "Importance: high\r\n");
    sb_add_c(&b, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                 "Content-Type: text/plain; charset=utf-8\r\n"
                 "Content-Transfer-Encoding: base64\r\n\r\n");
    add_body(&b, text);
    return sb_str(&b);
}

int notify_mail_make(struct arena *a, const struct value *config, const struct notify_message *m,
                     const struct notify_secrets *secrets, struct str text, struct notify_form *ret,
                     struct err *err)
{
    const struct value *to = value_item(value_get(config, S("to")), 0);
    struct str from = value_get_text(config, S("from"), STR_NONE);
    struct server s;

    if (parse(a, secrets->url, &s) || !to)
        return err_set(err, ERR_INVALID, "its url is not smtp[s]://[NAME:PASSWORD@]HOST[:PORT]");
    if (value_get_text(config, S("user"), STR_NONE).p)
        s.user = value_get_text(config, S("user"), STR_NONE);
    if (secrets->password.p)
        s.password = secrets->password;
    if (!from.p)
        from = str_fmt(a, "reeve@%.*s", STR_ARG(domain_of(a, &s)));
    ret->method = "POST";
    ret->url = str_fmt(a, "%.*s://%.*s", STR_ARG(s.scheme), STR_ARG(s.rest)).p;
    ret->from = str_fmt(a, "<%.*s>", STR_ARG(from)).p;
    ret->to = str_fmt(a, "<%.*s>", STR_ARG(to->u.text)).p;
    ret->user = s.user.p ? str_to_c(a, s.user) : NULL;
    ret->password = s.password.p ? str_to_c(a, s.password) : NULL;
    ret->needs_tls = !is_of_this_machine(s.host);
    ret->body = mail_text(a, m, from, to->u.text, domain_of(a, &s),
                          str_fmt(a, "%.*s\n\n%.*s",
                                  STR_ARG(notify_text_title(a, m, &notify_text_plain)),
                                  STR_ARG(text)));
    return arena_status(a, err);
}
