/*
 * seal: the head of the chain, kept where who has the database cannot write. SPDX-License-Identifier: Apache-2.0
 *
 * One line in a file beside the keys: what it is, the installation, seq, hash, and the HMAC-SHA-256 of these
 * with a key that is not in the database. It is written after a commit, in place, without waiting for the disk:
 * a loss of power may leave an older head, never one that is newer than the database. Whoever cuts the tail off or
 * writes a whole new chain does not have the sealed event in it.
 *
 * Thread   any; one writer for a file.
 * Fails    ERR_NOT_FOUND: nothing was sealed; ERR_CORRUPT: it was forged, or the chain was; ERR_IO.
 */
#pragma once

#include "state/db.h"

#define SEAL_KEY_BYTES 32

struct seal {
    const char *path;
    const char *what; /* "head", "verified": one is never taken for the other */
    struct str key, installation;
};

struct seal_head {
    int64_t seq;
    struct digest hash;
};

int seal_write(const struct seal *s, const struct seal_head *head, struct err *err);
int seal_read(const struct seal *s, struct seal_head *ret, struct err *err);
/* The event is there, with that hash. */
int seal_check(struct db *db, const struct seal_head *head, struct err *err);
