/*
 * yaml_read: YAML text to values with places. SPDX-License-Identifier: Apache-2.0
 *
 * Every scalar is text; `plain` says that it had no quotes, and the field's type decides what it
 * means. Anchors, aliases and merge keys are expanded: what an alias brings keeps the place of its
 * anchor, the key in front of it keeps the place of the alias. Tabs outside text, directives,
 * tags, duplicate keys and anything that is not UTF-8 are errors.
 *
 * Memory   everything lives in the arena given; places borrow the file's path, the text is not borrowed.
 * Fails    ERR_NOMEM only; what is wrong with the text is messages: [yaml] [duplicate] [limit].
 * Limits   YAML_BYTES_MAX a file, YAML_DEPTH_MAX, YAML_NODES_MAX counted while expanding.
 */
#pragma once

#include "specs/spec.h"

#define YAML_BYTES_MAX (1u << 20)
#define YAML_DEPTH_MAX 64u
#define YAML_NODES_MAX 100000u

/* A list with one value a document; those before a syntax error are in it. */
int yaml_read(struct arena *a, const struct spec_file *file, struct value **ret_documents,
              struct spec_messages *m, struct err *err);
