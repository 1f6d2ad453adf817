#!/bin/bash
# moved: a service that another provider runs from now on, or that has another name, leaves nothing behind. SPDX-License-Identifier: Apache-2.0
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

# Those that ran before.
old_ones_ended()
{
    local pid

    for pid in $OLD; do
        ! kill -0 "$pid" 2>/dev/null || return 1
    done
}

# Nobody has to approve it: nothing is destroyed.
a_service_and_its_domain_get_other_names()
{
    given_world
    spec version=v1
    commit 'here'
    start_daemon
    await_converged
    OLD=$(processes "$WORLD/var/services/run/")
    [ -n "$OLD" ] || fail "nothing runs"
    start_load --path / --path /a/b --new 3 --kept 3 --slow 2
    spec version=v2
    sed -i 's/^  web:/  site:\n    moved: web/; s/service: web/service: site/; s/^  app: {/  front: {moved: app, /' \
        "$WORLD/repo/.reeve/app.yaml"
    deploy 'another name'
    await 60 "the new one serves" serves v2
    await_converged
    await 60 "nothing runs under the old name" old_ones_ended
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_equal "requests that nobody of ours answered" "$(counted unrouted)" 0
    expect_serves v2
}

run_cases nothing_but_the_provider_changes a_service_moves_to_another_provider a_service_and_its_domain_get_other_names
