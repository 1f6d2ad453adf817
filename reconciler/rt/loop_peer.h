/*
 * loop_peer: whether an address is one of the public internet. SPDX-License-Identifier: Apache-2.0
 *
 * Pure. Loopback, private, link-local, shared, reserved and multicast addresses are not, nor is an IPv4
 * address of these kinds inside an IPv6 one.
 */
#pragma once

struct sockaddr;

int loop_peer_is_public(const struct sockaddr *address);
