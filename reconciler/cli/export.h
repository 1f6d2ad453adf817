/*
 * export: the history as a file, and the proof of one. SPDX-License-Identifier: Apache-2.0
 *
 * Lines of JSON: the first says whose history it is and what it goes on from, the last where it ends, each
 * between them is an event with every column that the chain's hash covers (docs/history.md). As CSV it is a table
 * for people: what a spreadsheet would take for a formula begins with an apostrophe.
 *
 * One event is in memory at a time, or one page of them.
 *
 * Fails    ERR_CORRUPT: not what was exported; ERR_INVALID, ERR_IO.
 * Limits   EXPORT_LINE_MAX.
 */
#pragma once

#include "reconciler/cli/anchors.h"

#define EXPORT_LINE_MAX (512u << 20)

int export_write(struct cli *c, int64_t from_ms, int64_t to_ms, struct err *err);
/* `anchors` NULL: none. {installation, since, events, head, anchored?, anchored_before?, stamped?, stamped_from_ms?,
 * stamped_to_ms?, unstamped?}: as the answer of /audit/verify, of an export in lines. */
int export_verify(struct cli *c, const char *path, struct anchors *anchors, struct value **ret,
                  struct err *err);
/* As it begins: a state file, or what cannot be opened, is none. */
int export_is_one(const char *path);
