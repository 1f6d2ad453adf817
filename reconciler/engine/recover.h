/*
 * recover: a new database, made of the world. SPDX-License-Identifier: Apache-2.0
 *
 * With the lock held: what carries a label is listed, the newest copy that can be read is opened, and a new file
 * with a chain of its own is written beside the old one, which is put aside under another name, never changed
 * and never removed. What the labels say holds; the copy adds what no label knows: revisions, what was proven,
 * quarantine, holds, secret versions. Every environment is held until a person resumes it.
 *
 * Recover creates, changes and deletes nothing in the world.
 *
 * Thread   the caller's; it blocks.
 * Fails    ERR_LOCKED; ERR_REFUSED: nothing is lost; ERR_UNREACHABLE: a provider cannot be listed; as db.h.
 */
#pragma once

#include "reconciler/rt/loop.h"
#include "specs/value.h"

struct recover_options {
    struct loop *loop;
    const struct value *daemon; /* normalised Daemon document */
    const char *keeper;         /* path of the keeper program */
    const char *holder;         /* "reeve recover, pid 41" */
};

/* {because, aside?, copy?, epoch, things, strange, environments: [{name, uid, sets, instances, ...}]} */
int recover_run(struct arena *a, const struct recover_options *options, struct value **ret,
                struct err *err);
