/*
 * source_git: a git repository, read by a worker process. SPDX-License-Identifier: Apache-2.0
 *
 * Each question starts `worker` with the request on its standard input and an empty environment,
 * under a deadline and limits. Credentials are in that input alone: in no argument, no sentence.
 *
 * Memory   borrows everything it is given for as long as it lives.
 */
#pragma once

#include "reconciler/engine/source.h"

struct source_git {
    struct source source;
    const char *const *worker;        /* { "/usr/bin/reeve", "git-worker", NULL } */
    struct str url;                   /* https://, ssh:// or file:// */
    struct str mirror;                /* absolute; made when absent, 0700 */
    struct str spec_path;             /* ".reeve" */
    struct str ca_file;               /* https; STR_NONE: the system's */
    struct str known_hosts, key_file; /* ssh: both required, absolute */
    struct str ssh;                   /* STR_NONE: /usr/bin/ssh */
    /* 0: the worker's own */
    int64_t fetch_timeout_ms, connect_timeout_ms, low_speed_bytes, low_speed_ms;
    int64_t max_bytes;           /* of the mirror */
    int64_t read_timeout_ms;     /* everything but fetch; 0: 60 s */
    int64_t memory_bytes, cpu_s; /* of the worker; 0: no limit */
};

extern const struct source_ops source_git_ops;
