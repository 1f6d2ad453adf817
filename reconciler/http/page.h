/*
 * page: the files of the page, which are in the program. SPDX-License-Identifier: Apache-2.0
 *
 * Anybody gets them: nothing in them is about an installation. Every address of a view is the same document, which
 * looks at the address itself.
 *
 * Thread   the loop's.
 * Fails    ERR_NOT_FOUND, as an answer: there is no such file.
 */
#pragma once

#include "reconciler/http/server.h"

struct page_file {
    const char *path; /* below reconciler/web */
    const char *type;
    const char *tag; /* of its bytes */
    struct str raw, gz;
};

/* Made of reconciler/web by its embed.sh; sorted by path. */
extern const struct page_file page_files[];
extern const size_t page_n_files;

/* NULL: none. `path` is what was asked for; "/app/FILE" is a file, everything else the document. */
const struct page_file *page_find(struct str path);
/* Of Accept and Accept-Encoding: whether this may be sent; it has to be named, a star is not it. */
int page_takes(struct str accepted, struct str what);
void page_answer(struct http_exchange *x);
/* At an address that is none of a route: the document, which says so, with 404, to a browser that a person has brought
 * there. 0: it was not for a person, or is below /api/, and nothing was answered. */
int page_answer_nowhere(struct http_exchange *x);
