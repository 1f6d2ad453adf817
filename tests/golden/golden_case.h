/*
 * golden_case: one file of tests/golden/cases. SPDX-License-Identifier: Apache-2.0
 *
 * Sections begin with a line "=== WORD ...":
 *
 *     === SENTENCE                  the first one names the case
 *     === file PATH                 a file of the repository
 *     === bytes PATH                the same, with \xNN for a byte and \n for a line end; lines are joined
 *     === repeat PATH COUNT         the same, its text without the last line end COUNT times
 *     === daemon PATH               the daemon's configuration; its rule for source acme is applied
 *     === trees                     lines "PATH ID"; absent: not looked up
 *     === secrets                   lines "NAME VERSION"; absent: not looked up
 *     === outputs                   lines "KIND/NAME#KEY VERSION" of what references stand for
 *     === show WORD ...             what to print, see golden.c
 *     === output                    messages, then what was asked for
 *
 * Memory   in the arena given.
 */
#pragma once

#include "base/map.h"
#include "specs/spec.h"

#define GOLDEN_FILES_MAX 8

struct golden_case {
    struct str title;
    struct spec_file files[GOLDEN_FILES_MAX], daemon;
    size_t n_files;
    struct map trees, secrets, outputs;
    int has_trees, has_secrets;
    struct str show;
    struct str input, output; /* the text before and behind the line "=== output" */
};

/* 0, or -1: a section is unknown, or there is none `output`; `ret` has what stands before. */
int golden_case_parse(struct arena *a, struct str text, struct golden_case *ret);
