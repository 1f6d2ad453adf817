/*
 * url: what of an address is nobody's business. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   any.
 */
#pragma once

#include <stddef.h>

/* Users and passwords of all URLs in the text become stars, byte for byte. What is cut off at the end of the
 * text, so that nobody can tell, does too. */
void url_hide_logins(char *text, size_t n);
