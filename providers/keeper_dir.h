/*
 * keeper_dir: the directory of one keeper, for keeper_client.c alone. SPDX-License-Identifier: Apache-2.0
 *
 * What keeper_client.h promises about looking, taking, noting and removing is in keeper_dir.c.
 */
#pragma once

#include "providers/keeper_client.h"

/* RUNS/OWNER/file, or RUNS/OWNER for "". */
const char *keeper_dir_path(struct arena *a, const struct keeper_place *p, const char *file);
/* 0 with -1 in `*ret_fd` when it is not there. */
int keeper_dir_open(const struct rv_host *h, struct arena *a, const struct keeper_place *p,
                    int *ret_fd, struct rv_result *answer);
/* What a keeper says of itself, in its file or on its socket. */
void keeper_dir_view(const struct value *v, struct keeper_view *ret);
