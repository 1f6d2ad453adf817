/*
 * inventory: everything that exists belongs to a row, and every row exists, once.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Compares the rows of a state file with what lies and runs below the same directory: keepers, what
 * they keep, port links, and what the edge's file, maps and process hold. For a world at rest: no
 * daemon, nothing open, no previous set.
 *
 * Memory   process lifetime; the program ends after one comparison.
 */
#pragma once

#include <stddef.h>

#define INVENTORY_ROWS_MAX 256
#define INVENTORY_TEXT_MAX 256
#define INVENTORY_PATH_MAX 512

/* One thing that a resource's row says exists. */
struct thing {
    char kind[32], name[96], owner[64], id[96], address[32];
    int n_found;
};

struct inventory {
    const char *dir; /* of the state file */
    struct thing things[INVENTORY_ROWS_MAX];
    size_t n_things;
    int n_wrong;
};

/* Formats into INVENTORY_PATH_MAX bytes; the program ends when that is not enough. */
void inventory_path(char *ret, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints the sentence and counts it. */
void inventory_wrong(struct inventory *in, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* By kind and owner label; NULL: nobody's. */
struct thing *inventory_find(struct inventory *in, const char *kind, const char *owner);
size_t inventory_count(const struct inventory *in, const char *kind);

void inventory_compare_services(struct inventory *in);
void inventory_compare_edge(struct inventory *in);
