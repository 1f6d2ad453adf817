/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/lockout.h"

#include "base/network.h"

static int64_t wait_after(int64_t n_over)
{
    int64_t wait_ms = LOCKOUT_FIRST_MS;

    while (n_over-- > 1 && wait_ms < LOCKOUT_MAX_MS)
        wait_ms *= 2;
    return wait_ms < LOCKOUT_MAX_MS ? wait_ms : LOCKOUT_MAX_MS;
}

int64_t lockout_wait_ms(const struct lockout *l, int64_t now_ms)
{
    int64_t left_ms = l->until_ms - now_ms, whole_ms = l->until_ms - l->last_ms;

    if (left_ms <= 0)
        return 0;
    return left_ms < whole_ms ? left_ms : whole_ms;
}

void lockout_note(struct lockout *l, int64_t n_free, int64_t now_ms)
{
    if (now_ms - l->last_ms >= LOCKOUT_FORGET_MS)
        l->n_failures = 0;
    l->n_failures++;
    l->last_ms = now_ms;
    l->until_ms = l->n_failures >= n_free ? now_ms + wait_after(l->n_failures - n_free + 1) : 0;
}

struct digest lockout_key(struct str name, struct str place)
{
    struct hash h;

    hash_init(&h);
    hash_add_lp(&h, S("reeve lockout"));
    hash_add_lp(&h, name);
    hash_add_lp(&h, place);
    return hash_end(&h);
}

struct str lockout_place(struct arena *a, struct str address)
{
    struct network n;

    if (network_parse(address, &n))
        return S("local");
    if (n.n_bytes == 4)
        return address;
    return str_fmt(a, "%02x%02x:%02x%02x:%02x%02x:%02x%02x::/64", n.b[0], n.b[1], n.b[2], n.b[3],
                   n.b[4], n.b[5], n.b[6], n.b[7]);
}
