/*
 * head: the specs of one commit of a branch, read, parsed and checked. SPDX-License-Identifier: Apache-2.0
 *
 * Made by a source_task, published as the newest of its branch, read by environments. What a commit did
 * not change, it shares with the head before: files that were parsed, and what was found out about an
 * environment whose documents are the same. So work follows the change, and who compares two heads
 * compares pointers.
 *
 * Owns     an unpublished head owns what it added. Of those that were published, each owns what the next
 *          one does not have any more; they are freed in order, as soon as no environment reads them.
 * Thread   the loop's; head_read_*() on FILE, while nobody else has the head. What was published does not
 *          change.
 */
#pragma once

#include "reconciler/engine/source.h"
#include "specs/spec.h"

struct head_file { /* a spec, parsed and checked by itself */
    struct arena arena;
    struct str path, id;
    struct bundle_file read;
};

struct head_env { /* an environment whose documents are these */
    struct str name;
    const struct value *document, *application; /* application: NULL where there is none such */
    const struct value *rule;                   /* of the daemon; NULL: it is denied */
    int is_of_commit;                           /* every commit is another revision of it */
    size_t n_paths;
    struct str paths[]; /* of the tree, that it is made of */
};

struct head_parts {
    VEC(struct head_file *) files;
    VEC(struct head_env *) envs;
};

struct heads { /* published ones of a branch, oldest first; the last is current */
    struct head *oldest, *newest;
};

struct head {
    struct arena arena;
    struct str source, branch, commit, tree,
        spec_path; /* source, branch and spec_path are borrowed */
    struct source_commit about;
    struct str tag,
        moved_from;  /* of a branch of tags: its name, and the commit that it was on before */
    struct str code; /* the commit without the specs */
    int64_t
        line; /* the same in heads that go on from each other: nothing was rewound between them */
    struct head_file **files;
    size_t n_files, file_bytes; /* parsed */
    struct bundle bundle;
    struct spec_messages messages;       /* errors: no environment moves to this commit */
    struct spec_messages refused;        /* documents that ask to count here and do not */
    VEC(const struct value *) elsewhere; /* those that do not ask, and count at another branch */
    struct map envs;                     /* name -> struct head_env * */
    struct map trees; /* wanted path -> struct str *, NULL where nothing stands */
    struct map
        moved; /* environments that are not made of the same as in the head before, or gone */
    int everything_moved;   /* there is none before, or errors stood or stand in the way */
    char ancestor[64];      /* one that was found: it is asked once for all environments */
    struct head_parts own;  /* are freed with it; while it is not published: what it added */
    struct head_parts gone; /* of the head before, that this one has not */
    struct heads *heads;    /* NULL until it is published */
    struct head *newer;
    int users; /* environments that read it now */
};

struct head *head_new(struct str commit, struct str tree); /* NULL: out of memory */
/* One that was not published; NULL is fine. */
void head_free(struct head *h);
/* `before` is the one that is current, which `h` was read on top of. */
void head_publish(struct heads *heads, struct head *h);
struct head *head_use(struct head *h); /* NULL is fine */
void head_let_go(struct head *h);
/* Nobody uses any of them. */
void head_free_all(struct heads *heads);

/* The first of these errors with its place, and how many more there are; "" for none. */
struct str head_error(struct arena *a, const struct spec_messages *messages);

/* --- head_read.c --------------------------------------------------------------------------------- */

struct head_read {
    const struct value *daemon; /* whose rules bind environments */
    const struct head *before;  /* NULL, or what `snapshot` was asked on top of */
    const struct source_snapshot *snapshot;
};

/* What was wanted before: its ids are asked for together with the files. */
int head_read_known(const struct head *before, struct arena *a, const struct str **ret,
                    size_t *ret_n, struct err *err);
/* Files, documents, messages and wanted paths. `ret_n` of these are new: they have to be asked for, and
 * given to head_read_trees(), before the head is complete. */
int head_read_files(struct head *h, const struct head_read *in, struct arena *scratch,
                    const struct str **ret, size_t *ret_n, struct err *err);
int head_read_trees(struct head *h, const struct source_snapshot *snapshot, struct err *err);
/* Which environments moved. */
int head_read_moved(struct head *h, const struct head *before, struct err *err);
