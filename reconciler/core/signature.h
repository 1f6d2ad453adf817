/*
 * signature: what programs say of the signature of a commit. SPDX-License-Identifier: Apache-2.0
 *
 * Exit statuses decide nothing alone: gpgv answers 0 for keys that have expired or were revoked. Pure.
 *
 * Memory   the arena given.
 */
#pragma once

#include "base/str.h"

enum signature_kind { SIGNATURE_NONE, SIGNATURE_SSH, SIGNATURE_OPENPGP, SIGNATURE_OTHER };

struct signer {
    struct str key;  /* "SHA256:..", "openpgp:FINGERPRINT" */
    struct str name; /* what the list of keys calls them; an address, mostly */
};

enum signature_kind signature_kind(struct str text);
/* The first name that `ssh-keygen -Y find-principals` printed; STR_NONE: none. */
struct str signature_ssh_name(struct str out);
/* `out` of `ssh-keygen -Y verify`. 0: it is good, by `ret`; else -1. */
int signature_read_ssh(struct arena *a, struct str out, struct str name, struct signer *ret);
/* `out` of `gpgv --status-fd 1`. Else -1, and why not. */
int signature_read_openpgp(struct arena *a, struct str out, struct signer *ret,
                           struct str *ret_why);
