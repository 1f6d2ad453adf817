/*
 * alarm: when something that the daemon needs is in trouble, and when it is out of it. SPDX-License-Identifier: Apache-2.0
 *
 * It takes more to end a trouble than to be free of it by a hair, and what is not known changes nothing: a provider that
 * nobody asks stays as it was.
 *
 * Pure.
 */
#pragma once

#include <stdint.h>

#define ALARM_PROVIDER_MS ((int64_t)60 * 1000) /* a provider has not answered for so long */
#define ALARM_DISK_PERMILLE 100                /* less is free */
#define ALARM_DISK_BACK_PERMILLE 120           /* so much is free again */

struct alarm_provider {
    int is_open;       /* its breaker is */
    int has_answered;  /* its last call was answered */
    int64_t failed_ms; /* since the first failure of those in a row */
};

struct alarm_disk {
    int64_t free_bytes, size_bytes;
    int lacks_ballast;
};

/* 1: it is in trouble; `was`: it was before. */
int alarm_provider(const struct alarm_provider *p, int was);
int alarm_disk(const struct alarm_disk *d, int was);
