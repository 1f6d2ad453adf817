/*
 * url: what of an address is nobody's business, and what may be sent to it. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   any.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* Users and passwords of all URLs in the text become stars, byte for byte. What is cut off at the end of the
 * text, so that nobody can tell, does too. */
void url_hide_logins(char *text, size_t n);

/* Of http://HOST:PORT or https://HOST:PORT. ERR_USAGE: it is none, or a token would go to another machine in the clear. */
enum url_carries { URL_ALONE, URL_WITH_TOKEN };
int url_check(struct str url, enum url_carries carries, struct err *err);
