/*
 * git_url: where a source lies, in its checked parts. SPDX-License-Identifier: Apache-2.0
 *
 * file://, https:// and ssh:// only. A password never stands in a URL: it would be stored, printed
 * and seen by whoever lists processes.
 *
 * Memory   the parts are copies in the arena given.
 * Fails    ERR_REFUSED for a scheme or part that may not be; ERR_USAGE for what is no URL.
 */
#pragma once

#include "base/str.h"

enum git_url_scheme { GIT_URL_FILE, GIT_URL_HTTPS, GIT_URL_SSH };

struct git_url {
    enum git_url_scheme scheme;
    struct str whole;
    struct str user, host; /* user STR_NONE when absent; host without brackets */
    int64_t port;          /* 0: the scheme's own */
    struct str path;       /* from the first slash on */
};

int git_url_parse(struct arena *a, struct str text, struct git_url *ret, struct err *err);
