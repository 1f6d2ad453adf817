/*
 * messages: what is wrong with specs, for people and for other programs. SPDX-License-Identifier: Apache-2.0
 *
 * As text with carets, as a JSON list, or as SARIF 2.1.0, which forges and editors show at the place.
 */
#pragma once

#include "reconciler/cli/cli.h"

#define MESSAGES_MAX 20000u

struct messages {
    struct spec_messages *list; /* sorted here */
    const struct spec_file *files;
    size_t n_files;
    struct str (*path)(void *ctx, struct str path); /* as one can open it from here */
    void *ctx;
};

/* In the format that -o asks for. */
void messages_write(struct cli *c, const struct messages *in);
