/*
 * table: rows of figures, and what they are made of. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   one.
 */
#pragma once

struct table_row {
    const char *what, *unit, *target;
    double figure, floor;
    const char *floor_is;
};

void table_head(void);
void table_row(const struct table_row *r);

/* Of this process. */
double table_cpu_ms(void);
double table_anonymous_mib(void);
