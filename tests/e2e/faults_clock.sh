#!/bin/bash
# faults_clock: the wall clock jumps. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

has_clock || skip "libfaketime is not installed"

# How long the last gate of the rollout that was proven last was open, by the clock that nobody sets.
BAKE_MS="SELECT v.mono_ms - o.mono_ms FROM events v, events o
    WHERE v.seq = (SELECT max(seq) FROM events WHERE kind = 'gate.verdict' AND seq < (SELECT max(seq) FROM events WHERE kind = 'rollout.proven'))
      AND o.seq = (SELECT max(seq) FROM events WHERE kind = 'gate.opened' AND seq < v.seq)"

# A step during the rollout and during keep: gates last as long as they should, nothing is done twice.
steps()
{
    local step=$1 baked

    given_clock
    spec version=v2 keep=2s bake=4s
    deploy 'version 2'
    await 20 "version 2 has the traffic" serves v2
    set_clock "$step"
    await_converged
    baked=$(ask_file "$BAKE_MS")
    say "   the bake of 4 s took $baked ms, with a step of $step within"
    [ "$baked" -ge 3900 ] || fail "the bake was cut short by the clock"
    set_clock +0
    await 30 "one set is left" one_set_is_left
    expect_serves v2
    spec version=v3 keep=100ms bake=4s
    deploy 'version 3'
    await_converged
    expect_serves v3
    expect "the chain holds" reeve audit verify --replay
    expect_equal "rollouts" "$(count_events rollout.began)" 3
}

the_clock_steps_forward()
{
    steps +1d
}

the_clock_steps_back()
{
    steps -1d
}

# What outlives the process is stored as (since, length): after a restart it is clamped, never repeated.
the_clock_steps_while_the_daemon_is_away()
{
    local step

    given_clock
    for step in +1d -1d; do
        spec version="v$step" keep=3s
        deploy "version $step"
        await_converged
        kill_daemon
        set_clock "$step"
        start_daemon $CLOCK
        await 40 "one set is left" one_set_is_left
        expect_serves "v$step"
        kill_daemon
        set_clock +0
        start_daemon $CLOCK
    done
    expect "the chain holds" reeve audit verify --replay
}

says_that_the_clock_stepped()
{
    reeve status | grep -q 'the clock stepped by 86[34][0-9][0-9] s'
}

# A hold of an hour does not end because the clock went a day ahead, until a person says that it did.
a_clock_that_stepped_is_not_believed()
{
    given_clock
    reeve hold prod --until 1h --reason 'launch day' >/dev/null || fail "hold is refused"
    set_clock +1d
    spec version=v2
    deploy 'version 2'
    await 20 "the environment is held" sync_is held
    await 60 "the status says so" says_that_the_clock_stepped
    expect_equal "the environment" "$(field sync)" held
    expect_serves v1
    kill_daemon
    start_daemon $CLOCK
    expect "a new life knows it" says_that_the_clock_stepped
    await 20 "the environment is held" sync_is held
    reeve resume --clock --reason 'it is tomorrow' >/dev/null || fail "resume --clock is refused"
    await_converged
    expect_serves v2
    says_that_the_clock_stepped && fail "the clock is still not believed"
    expect_equal "events clock.suspect" "$(reeve history -n 1000 | grep -c ' clock\.suspect ')" 1
}

run_cases the_clock_steps_forward the_clock_steps_back the_clock_steps_while_the_daemon_is_away \
    a_clock_that_stepped_is_not_believed
