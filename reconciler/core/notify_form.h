/*
 * notify_form: a message as the medium wants it. SPDX-License-Identifier: Apache-2.0
 *
 * What came from outside is data in each medium: it makes no header, mention, link or markup, and is cut at the limits of
 * notify_text.h. Pure.
 *
 * Memory   everything lives in the arena given, values of secrets too: its owner wipes it.
 * Fails    ERR_INVALID: what a secret holds is no such address or key; nothing of it is in the sentence.
 */
#pragma once

#include "reconciler/core/notify_text.h"

#define NOTIFY_HEADERS_MAX 8
#define NOTIFY_STATUS_TEXT_MAX 140u /* of a commit status */

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

/* 0: a receiver says that it has it. GitLab refuses a commit status that stands already: it has it, too. */
int notify_form_judge(struct str type, int status, struct str answer, struct err *err);
