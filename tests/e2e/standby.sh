#!/bin/bash
# standby: another daemon follows, answers, and changes nothing.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/pair.sh"

a_copy_that_answers()
{
    given_pair
    spec
    commit 'version 1'
    start_daemon
    start_standby
    await_converged
    await_level
    expect_has "the copy" "$(second status prod 2>&1)" "a copy of"
    expect_has "the copy" "$(second history prod -o json)" '"kind":"rollout.applied"'
    expect_verified second
}

nothing_is_changed_there()
{
    local said status

    said=$(second hold prod --reason 'not here' 2>&1)
    status=$?
    [ $status -eq 5 ] || fail "a hold on the standby: exit status $status: $said"
    expect_has "the refusal" "$said" "unix:$WORLD/var/reeve.sock"
}

# Killed at any moment it goes on from its last event.
killed_while_it_follows()
{
    local i

    for i in 1 2 3 4 5; do
        spec version=v2.$i
        deploy "version 2.$i"
        await 20 "the copy goes on" is_ahead "$(seq_of second)"
        end_standby
        start_standby
    done
    await_converged
    await_level
    expect_verified second
}

run_cases a_copy_that_answers nothing_is_changed_there killed_while_it_follows
end_standby
