#!/bin/bash
# once: reconciles what it can, and ends in every case. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

ONCE_S=100

# once STATUS: into $SAID.
once()
{
    local status

    SAID=$(timeout "$ONCE_S" "$REEVE" once --config "$WORLD/reeve.yaml" 2>&1 9>&-)
    status=$?
    [ $status -ne 124 ] || fail "once did not end within $ONCE_S s: $SAID"
    [ $status -eq "$1" ] || fail "once: exit status $status instead of $1: $SAID"
}

what_can_be_done_is_done()
{
    given_world
    spec
    commit 'version 1'
    once 0
    expect_serves v1
}

nothing_to_do()
{
    once 0
    expect_serves v1
}

a_plan_that_waits()
{
    spec version=v2 approval=manual
    commit 'version 2 asks'
    once 2
    expect_serves v1
}

# Somebody else has the port of the edge.
an_edge_that_cannot_listen()
{
    given_world
    spec
    commit 'version 1'
    beside somebody env PORT=$HTTP "$APP" >/dev/null 2>&1
    await 30 "the port is taken" get /healthz
    once 1
    expect_has "what it says" "$SAID" "$HTTP"
    end_beside somebody
    once 0
    expect_serves v1
}

# A provider that keeps nothing on the disk gets no files to build from.
a_provider_without_a_directory()
{
    given_world
    write_daemon providers='  nowhere: {driver: "null"}'
    sed -i 's/services: \[local\], domains: edge/services: [nowhere]/' "$WORLD/reeve.yaml"
    write_shop <<END
services:
  web:
    source: {build: ["true"]}
    command: [web]
    rollout: {min_healthy_time: 0s, bake_time: 0s, keep_previous: 0s}
END
    commit 'version 1'
    once 0
    [ ! -e /exports ] || fail "files are exported to /exports"
}

run_cases what_can_be_done_is_done nothing_to_do a_plan_that_waits an_edge_that_cannot_listen \
    a_provider_without_a_directory
