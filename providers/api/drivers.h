/*
 * drivers: the drivers that are linked into the program. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "providers/api/driver.h"

const struct rv_driver *process_driver(void);
const struct rv_driver *haproxy_driver(void);
const struct rv_driver *null_driver(void);
