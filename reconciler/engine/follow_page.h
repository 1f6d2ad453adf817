/*
 * follow_page: a stretch of the history as JSON, both ways. SPDX-License-Identifier: Apache-2.0
 *
 *     {installation, epoch, after_seq, after_hash?, head_seq, head_ms, events: [{seq, epoch, time_ms, mono_ms, actor, cause,
 *      kind, subject, env, body_hash, prev_hash, hash, body?}], documents: [{digest, kind, body}]}
 *
 * `body` is the text that was hashed; none where it was removed. What a page says is believed by nobody until replica_add() has checked it.
 *
 * Memory   the arena given.
 * Thread   any.
 * Fails    ERR_CORRUPT: it is no page; ERR_NOMEM.
 */
#pragma once

#include "specs/value.h"
#include "state/replica.h"

#define FOLLOW_EVENTS_MAX 500
#define FOLLOW_PAGE_MAX (64u << 20) /* as text; one body alone may be large */

struct value *follow_page_value(struct arena *a, const struct replica_page *page);
int follow_page_parse(struct arena *a, struct str text, struct replica_page *ret, struct err *err);
