/*
 * head: the line and the headers of a request, read strictly. SPDX-License-Identifier: Apache-2.0
 *
 * What one reader takes for the end of a line, another one does not: lines end with CR LF, no header goes on in
 * the next line, no byte is a control character. A path is what its escapes say, and nobody after us may read it
 * as another one: an escaped slash, NUL, or a dot segment is refused.
 *
 * Memory   everything is in the arena given.
 * Thread   any.
 * Fails    ERR_USAGE; ERR_HEADERS, ERR_LINE: too much; ERR_VERSION; as framing.h.
 */
#pragma once

#include "reconciler/http/framing.h"
#include "specs/value.h"

#define HEAD_MAX 16384 /* bytes of line and headers */
#define HEAD_HEADERS_MAX 64
#define HEAD_QUERY_MAX 32
#define HEAD_METHOD_MAX 16 /* letters */

struct head {
    struct str method, path;
    const struct value *query; /* {name: text} */
    /* {lower-case name: text}; what comes twice is joined by a comma, which no single value holds */
    const struct value *headers;
    struct framing framing;
    int is_old;  /* HTTP/1.0 */
    int closes;  /* nothing comes behind it */
    int expects; /* to be told to go on */
};

/* How far a head was looked at. */
struct head_scan {
    size_t n, n_line; /* bytes; of those, in this line */
    char last;
};

/* The end of the head in `text`, whose first bytes were looked at before; 0: it goes on; -1: it is none. */
int head_find_end(struct head_scan *scan, struct str text, size_t *ret, struct err *err);
/* `text`: to its end. On failure what is known by then is there. */
int head_parse(struct arena *a, struct str text, struct head *ret, struct err *err);
