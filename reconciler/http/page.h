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
/* Of Accept-Encoding: whether gzip may be sent. */
int page_takes_gzip(struct str accepted);
void page_answer(struct http_exchange *x);
