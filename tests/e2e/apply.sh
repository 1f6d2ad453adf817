#!/bin/bash
# apply: what was pushed before the command is applied, or judged, when it returns. SPDX-License-Identifier: Apache-2.0
#
# The source is polled once an hour here: nothing but the command fetches.
. "$(dirname "$0")/lib.sh"

APPLY_S=30

# apply ENV STATUS: into $SAID.
apply()
{
    local status

    SAID=$(timeout "$APPLY_S" "$REEVE" apply "$1" 2>&1 9>&-)
    status=$?
    [ $status -ne 124 ] || fail "apply $1 did not return within $APPLY_S s"
    [ $status -eq "$2" ] || fail "apply $1: exit status $status instead of $2: $SAID"
}

given_hourly_world()
{
    given_world
    write_daemon poll=1h
}

right_after_the_start()
{
    given_hourly_world
    spec
    commit 'version 1'
    start_daemon
    apply prod 0
    expect_has "what it says" "$SAID" 'prod is in sync'
    expect_serves v1
}

two_sets_are_there()
{
    [ "$(reeve status prod -o json | grep -o '"set":"' | wc -l)" = 2 ]
}

# Something of the last plan is still to be done in a minute; that is no reason to wait for it.
what_is_kept_is_not_waited_for()
{
    spec version=v2 keep=60s
    commit 'version 2'
    apply prod 0
    expect_serves v2
    expect "the previous set is kept" two_sets_are_there
    apply prod 0
}

an_environment_that_was_just_pushed()
{
    given_hourly_world
    commit 'nothing'
    start_daemon
    apply prod 6
    expect_has "what it says" "$SAID" "prod"
    spec
    commit 'version 1'
    apply prod 0
    expect_serves v1
}

a_name_that_nobody_knows()
{
    apply elsewhere 6
    expect_has "what it says" "$SAID" "'elsewhere'"
}

specs_that_are_refused()
{
    printf 'services: [\n' >"$WORLD/repo/.reeve/app.yaml"
    commit 'half a file'
    apply prod 1
    expect_has "what it says" "$SAID" '.reeve/app.yaml:2:1'
    expect_serves v1
}

run_cases right_after_the_start what_is_kept_is_not_waited_for an_environment_that_was_just_pushed \
    a_name_that_nobody_knows specs_that_are_refused
