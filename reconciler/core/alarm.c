/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/alarm.h"

int alarm_provider(const struct alarm_provider *p, int was)
{
    if (was)
        return !p->has_answered;
    return p->is_open && p->failed_ms >= ALARM_PROVIDER_MS;
}

int alarm_disk(const struct alarm_disk *d, int was)
{
    if (d->lacks_ballast)
        return 1;
    if (d->size_bytes <= 0)
        return was;
    return d->free_bytes / (d->size_bytes / 1000 + 1) <
           (was ? ALARM_DISK_BACK_PERMILLE : ALARM_DISK_PERMILLE);
}
