/*
 * pack: answers in fewer bytes. SPDX-License-Identifier: Apache-2.0
 *
 * What is read may be sent compressed: the body of a route that says so (ROUTE_PACKED), which holds no secret. The length of
 * what is compressed tells of what is in it, where somebody else chooses a part of it and can make a browser ask again and
 * again; so a browser gets it for pages of ours alone, which Sec-Fetch-Site says, and who is no browser for the asking.
 *
 * Memory   in the arena given; zlib's own is given back before the end.
 * Thread   any.
 * Fails    never: what cannot be compressed is sent as it is.
 * Limits   PACK_LEAST and PACK_MOST bytes of the body.
 */
#pragma once

#include "reconciler/http/server.h"

#define PACK_LEAST 2048u     /* below that the headers are most of it */
#define PACK_MOST (8u << 20) /* above it nobody holds a thread for that */
#define PACK_VARY "Authorization, Cookie, Accept-Encoding, Sec-Fetch-Site"

/* Whether who asks takes it compressed, and may have it so. */
int pack_is_taken(const struct value *headers);
/* gzip, the same bytes for the same body; STR_NONE: it is sent as it is. */
struct str pack_body(struct arena *a, struct str body);
