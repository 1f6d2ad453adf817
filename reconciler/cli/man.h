/*
 * man: the sources of the man pages that tables make. SPDX-License-Identifier: Apache-2.0
 *
 * docs/man/NAME.SECTION.scd, as scdoc(5) reads them; tests/golden/pages.c writes and compares them.
 *
 * Memory   the arena given.
 * Thread   any.
 */
#pragma once

#include "base/str.h"

struct str man_reeve(struct arena *a); /* reeve(1): verbs.def, and the options of args.c */
struct str man_yaml(struct arena *a);  /* reeve.yaml(5): what a Daemon document may say */
struct str man_spec(struct arena *a);  /* reeve-spec(5): what a repository may say */
