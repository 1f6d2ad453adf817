/*
 * copy_file: a file, compressed and sealed. SPDX-License-Identifier: Apache-2.0
 *
 *     "reeve copy 1\n", 24 bytes of header, then messages: be32 length and ciphertext
 *
 * zstd below XChaCha20-Poly1305 by libsodium's stream, whose last message says so: what is cut, changed or in
 * another order is not taken. The key is `copies` (secret_key.h); without it a copy is worth nothing.
 *
 * Thread   any; it blocks.
 * Fails    ERR_CORRUPT: cut, changed, or sealed with another key; ERR_REFUSED: the key; ERR_NOT_FOUND: there is none
 *          to read with; ERR_IO, ERR_FULL.
 */
#pragma once

#include "base/str.h"

/* `to` is new, mode 0600, and durable when this returns 0; else it is not there. */
int copy_file_seal(const char *from, const char *to, const char *keys, struct err *err);
int copy_file_unseal(const char *from, const char *to, const char *keys, struct err *err);
