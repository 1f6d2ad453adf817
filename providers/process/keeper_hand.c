/* SPDX-License-Identifier: Apache-2.0
 *
 * One program takes over from another that goes on until it has done what it has:
 *
 *     child                     the one that serves, and is started again when it ends
 *     child + taking            the new one was started with `once`; ended, or not ready in time: it was
 *                               nothing. The child ended: so does this one, and the child comes back
 *     child (was taking) + leaving      it said SIGUSR1 to us: it serves. The old one got its stop signal,
 *                               and KILL after `leave`; when the new one ends, the old one is spared
 *
 * Who takes over speaks to us, and never to the other: what each of them was told is therefore known
 * here whatever dies, and nobody signals a number that somebody else has by now.
 */
#include "providers/process/keeper.h"

#include <signal.h>

#define KEEPER_TAKE_MS 10000 /* until it serves */
#define KEEPER_KILL_AGAIN_MS 1000

int keeper_hand_begin(struct keeper *k, const struct keeper_orders *take_next)
{
    if (k->state != RUNNING || k->taking || k->leaving || !take_next->once[0])
        return -1;
    k->taking = keeper_program_fork(k, take_next, take_next->once);
    if (!k->taking)
        return -1;
    k->next = *take_next;
    k->take_until_ms = keeper_now_ms() + KEEPER_TAKE_MS;
    keeper_files_state(k);
    return 0;
}

void keeper_hand_ready(struct keeper *k, pid_t who)
{
    pid_t parent, session;
    char letter;

    if (!k->taking || who != k->taking || k->state != RUNNING)
        return;
    k->leaving = k->child;
    (void)kill(-k->leaving, k->orders.stop_signal); /* gone already is as good */
    k->leave_until_ms = keeper_now_ms() + k->next.leave_ms;
    k->child = k->taking;
    k->child_start = keeper_program_stat(k->child, &letter, &parent, &session);
    k->started_ms = keeper_now_ms();
    k->taking = 0;
    k->take_until_ms = KEEPER_NEVER_MS;
    keeper_orders_forget(&k->orders);
    k->orders = k->next;
    k->next = (struct keeper_orders){ 0 };
    keeper_files_state(k);
}

void keeper_hand_ended(struct keeper *k, pid_t who)
{
    if (who != k->taking && who != k->leaving)
        return;
    if (who == k->taking) {
        k->taking = 0;
        k->take_until_ms = KEEPER_NEVER_MS;
        keeper_orders_forget(&k->next);
    } else {
        k->leaving = 0;
        k->leave_until_ms = KEEPER_NEVER_MS;
    }
    keeper_files_state(k);
}

void keeper_hand_give_up(struct keeper *k)
{
    if (k->taking)
        (void)kill(-k->taking, SIGKILL); /* gone already is as good */
}

void keeper_hand_take_time(struct keeper *k, int64_t now_ms)
{
    if (now_ms >= k->take_until_ms) {
        keeper_hand_give_up(k);
        k->take_until_ms = now_ms + KEEPER_KILL_AGAIN_MS;
    }
    if (now_ms >= k->leave_until_ms) {
        (void)kill(-k->leaving, SIGKILL); /* gone already is as good */
        k->leave_until_ms = now_ms + KEEPER_KILL_AGAIN_MS;
    }
}
