/*
 * notify_mail: a message as a mail (RFC 5322, MIME). SPDX-License-Identifier: Apache-2.0
 *
 * Plain text in UTF-8, as base64, so that no line of it is too long or ends the mail. Headers hold words of ours, addresses
 * that were checked and, encoded, the title. TLS is asked for wherever the server is not of this machine.
 *
 * Pure. Memory and failures as of notify_form.h.
 */
#pragma once

#include "reconciler/core/notify_form.h"

/* `config`: {url, from?, to: [ONE], user?} of the daemon, its url a text; of an environment the url is a secret, with name and
 * password in it. */
int notify_mail_make(struct arena *a, const struct value *config, const struct notify_message *m,
                     const struct notify_secrets *secrets, struct str text, struct notify_form *ret,
                     struct err *err);
/* One header's value; what is not ASCII as encoded words (RFC 2047). */
struct str notify_mail_header(struct arena *a, struct str text);
