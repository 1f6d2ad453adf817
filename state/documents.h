/*
 * documents: immutable text found by its digest. SPDX-License-Identifier: Apache-2.0
 *
 * db_document() of db.h reads one; tx_document() of tx.h stores one.
 *
 * Thread   the connection's.
 */
#pragma once

#include "state/db.h"

/* PROTOCOL 3: what digest_value(kind, value) answers for the canonical text of the value. */
struct digest documents_digest(struct str kind, struct str body);

/* Inside a batch. *ret_new: the digest was not known. */
int documents_put(struct db *db, struct str kind, const struct digest *digest, struct str body,
                  int *ret_new, struct err *err);
