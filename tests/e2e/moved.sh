#!/bin/bash
# moved: a service that another provider runs from now on leaves nothing behind. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

nothing_runs_there()
{
    [ -z "$(processes "$WORLD/var/services/run/")" ]
}

old_ones_are_gone()
{
    nothing_runs_there && [ -z "$(ls "$WORLD/var/services/run" 2>/dev/null)" ]
}

given_two_providers()
{
    given_world
    write_daemon providers="  other: {driver: process, directory: var/other, ports: $((FIRST + 100))-$((FIRST + 159))}" \
        ports=$((FIRST + 40))-$((FIRST + 99))
    sed -i 's/services: \[local\]/services: [local, other]/' "$WORLD/reeve.yaml"
}

a_service_moves_to_another_provider()
{
    given_two_providers
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

nothing_but_the_provider_changes()
{
    given_two_providers
    mkdir "$WORLD/repo/code" && cp "$APP" "$WORLD/repo/code/app"
    spec version=v1 command=./app service='    source: {context: code}
    provider: local'
    commit 'here'
    start_daemon
    await_converged
    expect_serves v1
    spec version=v1 command=./app service='    source: {context: code}
    provider: other'
    deploy 'there'
    await_converged
    await 60 "nothing of it runs where it was" nothing_runs_there
    expect_serves v1
    [ -n "$(processes "$WORLD/var/other/run/")" ] || fail "it does not run there"
}

run_cases nothing_but_the_provider_changes a_service_moves_to_another_provider
