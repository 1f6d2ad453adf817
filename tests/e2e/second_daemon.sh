#!/bin/bash
# second_daemon: one daemon a state file; the other is refused by name. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

is_refused()
{
    local said status

    said=$(reeve "$1" 2>&1 9>&-)
    status=$?
    expect_equal "exit status of $1" "$status" "$2"
    expect_has "who holds it" "$said" "reeve serve, pid $DAEMON"
    say "   $1: $said" | grep -v 'running as root'
}

a_second_daemon_is_refused()
{
    given_served
    is_refused serve 7
    is_refused once 7
    expect "the first one goes on" reeve status
    expect_serves v1
}

the_next_one_takes_over()
{
    kill_daemon
    start_daemon
    await_converged
    expect_serves v1
}

run_cases a_second_daemon_is_refused the_next_one_takes_over
