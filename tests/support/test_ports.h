/* Ports that no other test takes, also while nobody listens there. SPDX-License-Identifier: Apache-2.0
 *
 * A test program holds one block of them until it ends, as an e2e script does (tests/e2e/lib.sh, the
 * same files): what a test stopped has its port again, whatever ran meanwhile. All are below those that
 * the kernel hands out, so no outgoing connection has one. One thread.
 */
#pragma once

#include <stdint.h>

/* The first of n neighbours that are free now; each call goes on where the last one ended. 0 when
 * there is none. */
uint16_t test_ports(unsigned n);
