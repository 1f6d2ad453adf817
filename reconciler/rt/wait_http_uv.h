/*
 * wait_http_uv: one request on the multi, for the two files that it is made of. SPDX-License-Identifier: Apache-2.0
 *
 * wait_http_uv.c runs it, wait_http_set_uv.c says what curl is asked to do.
 */
#pragma once

#include "reconciler/rt/loop_uv.h"

struct http_run {
    struct wait *w;
    CURL *easy;
    struct curl_slist *headers; /* of a mail: its receivers */
    size_t n_read;              /* of a mail */
    struct sb head, body;
    int n_redirects, cut, refused; /* refused: an address that is not public */
    int64_t end_ms;
    char text[CURL_ERROR_SIZE];
};

/* ERR_INVALID: what was asked for would be sent as something else. */
int wait_http_uv_check(const struct http_request *in, struct err *err);
/* The options of a request or a connect. */
CURLcode wait_http_uv_set(struct http_run *run, int64_t timeout_ms, curl_write_callback got_header,
                          curl_write_callback got_body);
