/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/job_rows.h"

#include "reconciler/core/jobs.h"

int job_rows_make_way(struct tx *tx, const struct rec_job_run *runs, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct rec_job_run run = runs[i];

        if (!jobs_is_open(&run))
            continue;
        jobs_make_way(&run, tx_time_ms(tx));
        if (tx_put(tx, REC_job_run, &run, err))
            return err->code;
    }
    return 0;
}
