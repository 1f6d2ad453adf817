#!/bin/bash
# moved: a service that another provider runs from now on leaves nothing behind. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

old_ones_are_gone()
{
    [ -z "$(ls "$WORLD/var/services/run" 2>/dev/null)" ] && [ -z "$(processes "$WORLD/var/services/run/")" ]
}

a_service_moves_to_another_provider()
{
    given_world
    write_daemon providers="  other: {driver: process, directory: var/other, ports: $((FIRST + 100))-$((FIRST + 159))}" \
        ports=$((FIRST + 40))-$((FIRST + 99))
    sed -i 's/services: \[local\]/services: [local, other]/' "$WORLD/reeve.yaml"
    spec version=v1 service='    provider: local'
    commit 'here'
    start_daemon
    await_converged
    expect_serves v1
    spec version=v2 service='    provider: other'
    deploy 'there'
    await 60 "the new one serves" serves v2
    await_converged
    await 60 "nothing of it runs where it was" old_ones_are_gone
    expect_serves v2
}

run_cases a_service_moves_to_another_provider
