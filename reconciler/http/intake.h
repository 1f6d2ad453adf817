/*
 * intake: the bytes of a connection, before libmicrohttpd reads them. SPDX-License-Identifier: Apache-2.0
 *
 * It answers what it refuses itself in HTML, takes lines that end with LF, and other things that a proxy in front of
 * us reads otherwise. So it is given requests that we wrote: a head is held back until it is whole, read by
 * head.h, and libmicrohttpd gets a short one that says where the body ends, and nothing of what was sent.
 * A head that is refused is handed on as a request without a body, which is answered with the error. Chunks
 * are counted on their way; where they break off their rules the body ends, and is refused.
 *
 *   HEAD -> BODY -> OVER -> HEAD ...        chunks: SIZE -> DATA -> DATA_END -> SIZE ... -> LAST_END -> OVER
 *     `------------> OVER   bad> REFUSED (nothing that comes behind is looked at)
 *
 * What comes behind a request stays here until intake_next(): one request at a time.
 *
 * Memory   HEAD_MAX bytes while something waits here, nothing else; a head until it is claimed.
 * Thread   the loop's.
 */
#pragma once

#include "reconciler/http/head.h"

#define INTAKE_OUT_MAX 128

struct intake {
    int state;
    char *raw; /* what came and was not handed on; NULL: nothing */
    size_t n_raw, at;
    struct head_scan scan;
    int64_t left;             /* bytes of the body, or of the chunk */
    char out[INTAKE_OUT_MAX]; /* of our own, to be handed on first */
    size_t n_out, out_at;
    struct arena arena; /* of the head */
    struct head head;
    struct err *refusal; /* of the head, in the arena; NULL: none */
    int has_head, is_broken;
};

void intake_fini(struct intake *i);
/* Where to read to, and how much; NULL: nothing more is wanted now, or there is no memory. */
char *intake_room(struct intake *i, size_t *ret_n);
void intake_came(struct intake *i, size_t n);
/* What libmicrohttpd reads; 0: nothing now. */
size_t intake_take(struct intake *i, char *ret, size_t n);
/* The head of the request that libmicrohttpd just read, with its memory; once. -1: there is none. Not 0
 * otherwise: it is refused. */
int intake_claim(struct intake *i, struct arena *ret_arena, struct head *ret, struct err *err);
/* 0, or why the body is refused. */
int intake_check(const struct intake *i, struct err *err);
/* That request is over. */
void intake_next(struct intake *i);
