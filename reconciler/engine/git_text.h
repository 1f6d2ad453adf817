/*
 * git_text: names and texts out of a repository, judged and made printable. SPDX-License-Identifier: Apache-2.0
 *
 * Pure. git stores any bytes as a name; what a file system or another program would read
 * differently from us is a fault.
 *
 * Memory   results live in the arena given.
 * Thread   any.
 */
#pragma once

#include "base/str.h"

#define GIT_TEXT_NAME_MAX 255  /* bytes of one entry's name: what a file system takes */
#define GIT_TEXT_PATH_MAX 4095 /* bytes of a path from the root of the tree */

/* What is wrong with this name of a tree's entry, or NULL. */
const char *git_text_name_fault(struct str name);

/* A relative path of names without fault; "." is the root. 0, or ERR_USAGE. */
int git_text_path_check(struct str path, struct err *err);

/* Printable ASCII as it is, everything else as \xNN; cut after 200 bytes. */
struct str git_text_show(struct arena *a, struct str raw);

/* Offset of the first byte that is not UTF-8 or is NUL, or STR_NPOS. */
size_t git_text_utf8_fault(struct str raw);
/* A copy of at most `max` bytes with such bytes as U+FFFD. */
struct str git_text_utf8(struct arena *a, struct str raw, size_t max);
