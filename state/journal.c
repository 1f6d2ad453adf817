/* SPDX-License-Identifier: Apache-2.0 */
#include "state/journal.h"

int64_t journal_next_deaths(const struct rec_operation *op, int64_t epoch)
{
    return op->deaths + (op->epoch < epoch);
}
