/*
 * fuzz: the one function of a fuzz target. SPDX-License-Identifier: Apache-2.0
 *
 * In the fuzz preset libFuzzer calls it for minutes; in every other build replay.c calls it with each
 * file of the corpus, so that what was once found stays found.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
