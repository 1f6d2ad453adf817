/*
 * head: the specs of one commit of a branch, read, parsed and checked. SPDX-License-Identifier: Apache-2.0
 *
 * Made by a source_task, published as the newest of its branch, read by environments. One that was replaced
 * lives on until the last environment that reads it is through.
 *
 * Thread   the loop's; what was published does not change.
 */
#pragma once

#include "reconciler/engine/source.h"
#include "specs/spec.h"

struct head {
    struct arena arena;
    struct str source, branch, commit, tree,
        spec_path; /* source, branch and spec_path are borrowed */
    struct source_commit about;
    struct spec_file *files;
    size_t n_files;
    struct bundle bundle;
    struct spec_messages messages; /* errors: no environment moves to this commit */
    struct map trees;              /* wanted path -> struct str * */
    char ancestor[64];             /* one that was found: it is asked once for all environments */
    int users;                     /* environments that read it now */
    int is_current;
};

struct head *head_new(struct str commit, struct str tree); /* NULL: out of memory */
void head_release(struct head *h); /* freed unless it is current or in use; NULL is fine */
/* The first of these errors with its place, and how many more there are; "" for none. */
struct str head_error(struct arena *a, const struct spec_messages *messages);
