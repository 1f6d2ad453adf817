/*
 * list: everything that carries a label of ours, from the rendered file. SPDX-License-Identifier: Apache-2.0
 *
 * The proxy is neither asked nor started: the file is written before the proxy is told anything. Outputs are
 * those that the records alone give.
 */
#pragma once

#include "providers/haproxy/call.h"

int haproxy_list(struct haproxy_call *c); /* the verdict stands in c->ret */
