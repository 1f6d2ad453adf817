/*
 * loop_peer: whether an address is one of the public internet. SPDX-License-Identifier: Apache-2.0
 *
 * Pure. Loopback, private, link-local, shared, reserved and multicast addresses are not, nor is an IPv4
 * address of these kinds inside an IPv6 one.
 */
#pragma once

#include "base/network.h"

struct sockaddr;

int loop_peer_is_public(const struct sockaddr *address);
/* One of these networks has it; an IPv4 address is itself in ::ffff:0:0/96 too. */
int loop_peer_is_in(const struct sockaddr *address, const struct network *networks, size_t n);
