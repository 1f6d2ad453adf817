/*
 * change: what a plan costs that changes many services of one environment. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   one.
 */
#pragma once

#include <stddef.h>

/* One row: every one of these services, each with a route and a group of its own, gets a new version. */
void bench_change(size_t n_services);
