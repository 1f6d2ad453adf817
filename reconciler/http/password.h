/*
 * password: what a person without a provider signs in with. SPDX-License-Identifier: Apache-2.0
 *
 * Argon2id by libsodium, 64 MiB and three passes. Each check costs that much, also for somebody who does
 * not exist or has no password, so that an answer tells nothing by its time. As many as PASSWORD_AT_ONCE
 * are worked on together: the rest is refused, because memory is what they take.
 *
 * Thread   not the loop's: one takes a tenth of a second and more.
 * Fails    ERR_INVALID: too short or too long; ERR_BUSY: too many at once; ERR_UNKNOWN_ACTOR: not the password.
 * Limits   PASSWORD_MIN to PASSWORD_MAX bytes.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define PASSWORD_MIN 12u
#define PASSWORD_MAX 1024u
#define PASSWORD_PASSES 3u
#define PASSWORD_MEMORY ((size_t)64 << 20)
#define PASSWORD_AT_ONCE 2

int password_hash(struct arena *a, struct str password, struct str *ret, struct err *err);
/* `hash` STR_NONE: there is none; it costs the same, and it is never right. */
int password_check(struct str hash, struct str password, struct err *err);
