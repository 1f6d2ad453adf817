/*
 * sign_files: how programs that check signatures are run. SPDX-License-Identifier: Apache-2.0
 *
 * What they read lies in a private directory of the state's for as long as they run; nothing of it is secret.
 *
 * Thread   any; files not on the loop's.
 */
#pragma once

#include "reconciler/engine/engine_state.h"

#define SIGN_SSH_KEYGEN "/usr/bin/ssh-keygen"
#define SIGN_GPGV "/usr/bin/gpgv"

struct sign_run {   /* of one program, and its files */
    char dir[4096]; /* "": none */
    const char *argv[16];
    struct exec_request exec;
    struct exec_result result;
};

int sign_files_make(struct sign_run *r, const struct engine *e, struct arena *a, struct err *err);
const char *sign_files_path(const struct sign_run *r, struct arena *a, const char *name);
void sign_files_remove(struct sign_run *r);
/* What a killed daemon left. */
int sign_files_tidy(const struct engine *e, struct err *err);

/* A wait: argv, NULL-terminated, in a child with limits and without environment, with `input`. */
void sign_files_start(struct sign_run *r, struct task *t, struct arena *a, const char *const *argv,
                      struct str input);
