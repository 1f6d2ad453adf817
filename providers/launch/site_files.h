/*
 * site_files: which file of a directory a request is answered with. SPDX-License-Identifier: Apache-2.0
 *
 * Never one out of the directory, also by a link; the kernel sees to that (openat2).
 *
 * Owns     the descriptor of a file that was found is the caller's.
 */
#pragma once

#include <sys/stat.h>

#include "providers/launch/site_request.h"

struct site_files {
    int dir;
    const char *fallback; /* NULL: none */
    char **immutable;     /* globs */
    int n_immutable;
};

struct site_file {
    int fd, is_immutable, is_gzip;
    struct stat st;
    char name[SITE_PATH_MAX + 16]; /* with index.html behind it */
};

/* 200 with it, 308 where the path lacks its last slash (`ret` may hold a descriptor), or 404. */
int site_files_find(const struct site_files *s, const struct site_request *r,
                    struct site_file *ret);
