/*
 * site_request: what the bytes of a request ask for. SPDX-License-Identifier: Apache-2.0
 *
 * Pure. Who asks may write anything: a path is decoded once, holds no NUL, and no name in it begins with a dot but what
 * lies below /.well-known/ (RFC 8615).
 *
 * Memory   a request points into the text that it was read from.
 */
#pragma once

#include <sys/types.h>

#define SITE_PATH_MAX 4096

struct site_request {
    char path[SITE_PATH_MAX];
    const char *head;  /* lines behind the first */
    const char *query; /* with its ?, up to the blank behind it */
    size_t n_query;
    int is_head;
};

/* `text` ends with a NUL and holds all of the head. The status that refuses it, or 0. */
int site_request_read(const char *text, struct site_request *ret);
/* It lies below /.well-known/. */
int site_request_is_known(const char *path);
/* The value of a header, up to \r; NULL: it is not there. */
const char *site_request_header(const struct site_request *r, const char *name);
int site_request_has(const struct site_request *r, const char *name, const char *word);
/* "bytes=A-B", "bytes=A-", "bytes=-N": 206 with from and end, 416, or 200: all of it. */
int site_request_range(const char *text, off_t size, off_t *ret_from, off_t *ret_end);
