#!/bin/bash
# faults_machine: what runs beside the daemon dies. SPDX-License-Identifier: Apache-2.0
#
# It is found, told and mended; nothing is deleted that nobody asked to delete.
. "$(dirname "$0")/lib.sh"

edge_field()
{
    sed "s/.*\"$1\":\\([0-9]*\\).*/\\1/" "$WORLD/var/edge/run/edge/state"
}

edge_pid()
{
    edge_field pid
}

deletes()
{
    history | grep -o '"action":"delete"' | wc -l
}

# Everything serves as before, with one keeper an instance and one for the edge.
expect_as_before()
{
    await 40 "v1 serves" serves v1
    expect_equal "deletes" "$(deletes)" 0
    await 40 "one keeper each" keepers_are "$1"
    spec version=v2 replicas=$(($1 - 1)) keep=100ms
    deploy 'it still works'
    await_converged
    expect_serves v2
    await 20 "one set is left" one_set_is_left
    expect_equal "keepers, with the edge's" "$(keepers | wc -l)" "$1"
}

keepers_are()
{
    [ "$(keepers | wc -l)" -eq "$1" ]
}

is_other_edge()
{
    local pid

    pid=$(edge_pid)
    [ "$pid" != "$1" ] && [ -d "/proc/$pid" ]
}

haproxy_is_killed()
{
    local before

    given_served
    before=$(edge_pid)
    kill -KILL "$before"
    await 40 "another one runs" is_other_edge "$before"
    expect_as_before 2
}

# The daemon looks each second; what it starts then has its time on a busy machine. Nothing else would mend it sooner than the poll.
BACK_S=20

# Nobody is left to start it again but the daemon.
haproxy_and_its_keeper_are_killed()
{
    local pid keeper began

    given_served
    pid=$(edge_pid)
    keeper=$(edge_field keeper)
    now
    began=$NOW
    kill -KILL "$keeper" "$pid"
    await $BACK_S "the edge serves again" serves v1
    now
    say "   serves again after $((NOW - began)) ms"
    is_other_edge "$pid" || fail "it is the same proxy"
    expect_equal "health" "$(field health)" healthy
    expect_as_before 2
}

# What keeps it from starting is told, and it serves when that is gone.
the_port_of_the_edge_is_taken()
{
    given_served
    kill -STOP "$DAEMON" # or it would be quicker
    kill -KILL "$(edge_field keeper)" "$(edge_pid)"
    await 30 "nobody serves" not get
    PORT=$HTTP VERSION=stranger beside taker "$APP" >"$WORLD/taker.log"
    await 30 "somebody else serves" serves stranger
    kill -CONT "$DAEMON"
    await 40 "said" said_why "cannot bind"
    end_beside taker
    await 40 "the edge serves again" serves v1
    expect_as_before 2
}

said_why()
{
    grep -qF "$1" "$WORLD/daemon.log"
}

the_socket_of_haproxy_is_gone()
{
    given_served
    rm "$WORLD/var/edge/admin.sock"
    expect_serves v1
    expect_as_before 2
}

haproxy_dies_in_the_middle_of_a_rollout()
{
    local before

    given_served
    before=$(edge_pid)
    spec version=v2 bake=3s keep=100ms
    deploy 'version 2'
    await 20 "version 2 has the traffic" serves v2
    kill -KILL "$before"
    await 20 "another one runs" is_other_edge "$before"
    await 20 "it serves the same set" serves v2
    await_converged
    expect_has_not "quarantine" "$(reeve status prod)" quarantined
}

instance_keeper()
{
    sed 's/.*"keeper":\([0-9]*\).*/\1/' "$WORLD"/var/services/run/*/state | head -n 1
}

# One of two: the other one serves, the lost one runs again in its place.
a_keeper_is_killed()
{
    given_served replicas=2
    start_load --path / --new 1 --pause-ms 5
    kill -KILL "$(instance_keeper)"
    await 60 "it runs again" keepers_are 3
    end_load
    say "   requests lost while one of two was dead: $(counted lost) of $(counted sent)"
    history_has instance || fail "there is no event"
    expect_as_before 3
}

an_instance_is_killed()
{
    local pid

    given_served
    pid=$(sed 's/.*"pid":\([0-9]*\).*/\1/' "$WORLD"/var/services/run/*/state)
    kill -KILL "$pid"
    await 30 "its keeper starts it again" serves v1
    expect_as_before 2
}

# As after a reboot: nothing runs, the files are there.
everything_is_killed()
{
    given_served replicas=2
    kill_daemon
    while [ -n "$(keepers)" ]; do
        kill_keepers
        sleep $LOOK_S
    done
    await 30 "nobody serves" not get
    now
    local began=$NOW
    start_daemon
    await 60 "everything serves" serves v1
    now
    say "   serves again $((NOW - began)) ms after the start of the daemon"
    expect_as_before 3
    expect "the chain holds" reeve audit verify --replay
}

everything_is_killed_in_the_middle_of_a_rollout()
{
    given_served
    spec version=v2 bake=3s keep=100ms
    deploy 'version 2'
    await 20 "version 2 has the traffic" serves v2
    kill_daemon
    while [ -n "$(keepers)" ]; do
        kill_keepers
        sleep $LOOK_S
    done
    start_daemon
    await 60 "something serves" get
    await_converged 60
    await 20 "version 2 serves" serves v2
    await 20 "one set is left" one_set_is_left
    expect "the chain holds" reeve audit verify --replay
}

run_cases haproxy_is_killed haproxy_and_its_keeper_are_killed the_port_of_the_edge_is_taken the_socket_of_haproxy_is_gone \
    haproxy_dies_in_the_middle_of_a_rollout a_keeper_is_killed an_instance_is_killed \
    everything_is_killed everything_is_killed_in_the_middle_of_a_rollout
