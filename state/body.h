/*
 * body: what one event says, as JSON text. SPDX-License-Identifier: Apache-2.0
 *
 *     {"documents":[hex..],"gone":{table:[key..]},"notes":{name:value},"rows":{table:[row..]}}
 *
 * Parts without content are left out. Whoever replays it takes away what is gone before it puts the
 * rows, each table's in their order. Text is written as it comes; no value tree is built.
 *
 * Memory   everything lives in the body's own arena; failures are remembered there.
 * Thread   one at a time.
 */
#pragma once

#include "base/vec.h"
#include "state/rows.h"

enum body_kind { BODY_ROW, BODY_GONE, BODY_DROPPED };

struct body_entry { /* a piece of body.text */
    enum record record;
    enum body_kind kind;
    size_t from, n;
};

struct body {
    struct arena *arena;
    struct sb text; /* rows and keys, one after another */
    VEC(struct body_entry) entries;
    VEC(struct str) note_names;
    struct sb notes, documents; /* inside of their brackets */
};

void body_init(struct body *b, struct arena *a);
void body_add_row(struct body *b, enum record record, const void *rec);
/* Rows of the same key that were added before are no longer said. */
void body_add_gone(struct body *b, enum record record, const void *rec);
void body_add_document(struct body *b, const struct digest *digest);
/* ERR_INVALID: not JSON, or the name was used before; the body stays as it was. */
int body_add_note(struct body *b, struct str name, struct str json, struct err *err);
struct str body_format(struct body *b);
