/*
 * notify_form: a message as the medium wants it. SPDX-License-Identifier: Apache-2.0
 *
 * A message is a map: {word, env?, subject, text?, plan?, commit?, author?, summary?, actor?, revision?}, for several that
 * became one {word: digest, n, counts: {WORD: N}, lines: [..]}, of a test {word: test ..}. What came from outside is data in each medium: it
 * makes no header, mention, link or markup, and is cut at the limits below. Pure.
 *
 * Memory   everything lives in the arena given, values of secrets too: its owner wipes it.
 * Fails    ERR_INVALID: what a secret holds is no such address or key; nothing of it is in the sentence.
 * Limits   NOTIFY_TEXT_MAX, NOTIFY_FIELD_MAX bytes; NOTIFY_LINES_MAX lines of a digest.
 */
#pragma once

#include "specs/notify_events.h"
#include "specs/value.h"

#define NOTIFY_TEXT_MAX 2000u
#define NOTIFY_FIELD_MAX 300u
#define NOTIFY_LINES_MAX 20u
#define NOTIFY_HEADERS_MAX 8
#define NOTIFY_STATUS_TEXT_MAX 140u /* of a commit status */

struct notify_message {
    struct str id; /* the same at each attempt */
    int64_t made_ms, now_ms;
    enum notify_severity severity;
    const struct value *says;
    struct str link;              /* "": there is none */
    const struct value *template; /* {title?, text?} of the recipient; NULL: as it is made */
};

struct notify_secrets { /* revealed; STR_NONE: the type has none */
    struct str url, key, password;
};

struct notify_form {
    const char *method, *url;
    const char *headers[NOTIFY_HEADERS_MAX + 1];
    struct str body;
    const char *from, *to, *user, *password; /* of a mail; NULL: it is none */
    int needs_tls;
};

/* {type ..} as a spec or the Daemon document says it. */
int notify_form_make(struct arena *a, const struct value *config, const struct notify_message *m,
                     const struct notify_secrets *secrets, size_t step, struct notify_form *ret,
                     struct err *err);
/* Requests one after the other; the second is asked when the first was answered well. */
size_t notify_form_steps(const struct value *config, const struct notify_message *m);
/* Of a commit status: {type, api, repository} of the source, the token as `key`. */
int notify_form_status(struct arena *a, const struct value *forge, const struct notify_message *m,
                       struct str token, struct notify_form *ret, struct err *err);

/* "prod: applied", or as the template says; the title of a plain text. */
struct str notify_form_title(struct arena *a, const struct notify_message *m);
/* At most `max` bytes, cut at the end of a character. */
struct str notify_form_cut(struct str text, size_t max);
/* 0: a receiver says that it has it. GitLab refuses a commit status that stands already: it has it, too. */
int notify_form_judge(struct str type, int status, struct str answer, struct err *err);
