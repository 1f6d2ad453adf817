#!/bin/bash
# gates: what a rollout is judged by. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

watched()
{
    spec rollout='abort_if: {p95: 250ms, min_requests: 20}' bake=4s deadline=20s "$@"
}

under_load()
{
    start_load --path / --new 4 --kept 4 --pause-ms 5
}

what_answers_slowly_is_reverted()
{
    given_world
    watched version=v1
    commit 'the first version'
    start_daemon
    await_converged
    under_load
    watched version=v2 env='APP_DELAY_MS: "420"'
    deploy 'slow'
    await 60 "it is reverted" sync_is reverted
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_serves v1
    expect_has "the reason" "$(explained)" 'answers is 400 to 500 ms, allowed are 250 ms'
    say "   $(explained | grep -o 'web: p95.*' | head -n 1)"
}

what_answers_in_time_is_not()
{
    under_load
    watched version=v3 env='APP_DELAY_MS: "150"'
    deploy 'in time'
    await_converged
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_serves v3
}

# Answers that nobody looks at.
when_asked()
{
    local i askers=()

    for ((i = 0; i < $1; i++)); do
        get &
        askers+=($!)
    done
    wait "${askers[@]}"
}

# The watch is over when the daemon comes back: what was counted meanwhile counts.
a_death_in_the_watch_forgets_nothing()
{
    watched version=v4 env='APP_DELAY_MS: "420"'
    deploy 'slow again'
    await 30 "it is switched to" serves v4
    kill_daemon
    when_asked 40
    start_daemon
    await 60 "it is reverted" sync_is reverted
    expect_serves v3
    expect_has "the reason" "$(explained)" 'answers is 400 to 500 ms'
}

run_cases what_answers_slowly_is_reverted what_answers_in_time_is_not a_death_in_the_watch_forgets_nothing
