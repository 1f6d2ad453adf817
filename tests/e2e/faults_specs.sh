#!/bin/bash
# faults_specs: specs that cannot be meant. SPDX-License-Identifier: Apache-2.0
#
# Each is pushed onto what serves: the message names its place, the last good state serves on, nothing is
# deleted, the history has an event; and the next good commit goes on.
. "$(dirname "$0")/lib.sh"

APP_YAML=.reeve/app.yaml
N=1

# After the specs were written badly: what must be said, as a part of the sentence.
expect_refused()
{
    local events deletes

    events=$(count_events environment.status)
    deletes=$(count_deletes)
    deploy "bad: $1"
    await 30 "said: $1" is_explained "$1"
    say "   $(explained | grep -F "$1" | head -n 1)"
    expect_has "status" "$(reeve status)" "$1"
    expect_serves "v$N"
    expect_equal "deletes" "$(count_deletes)" "$deletes"
    [ "$(count_events environment.status)" -gt "$events" ] || fail "there is no event"
    expect_has "validate" "$(reeve validate "$WORLD/repo/.reeve" 2>&1)" "${1%% \[*}"
    next_good
}

count_deletes()
{
    history | grep -o '"action":"delete"' | wc -l
}

next_good()
{
    N=$((N + 1))
    spec version="v$N" keep=100ms
    deploy "version $N"
    await_converged
    expect_serves "v$N"
    await 30 "one set is left" one_set_is_left
}

replace()
{
    sed -i "$1" "$WORLD/repo/$APP_YAML"
}

malformed_yaml()
{
    given_served keep=100ms
    replace 's/^services:/services: [/'
    expect_refused "$APP_YAML:6:12: error: did not find expected ',' or ']'"
}

half_a_file()
{
    local size

    size=$(wc -c <"$WORLD/repo/$APP_YAML")
    truncate -s $((size / 2)) "$WORLD/repo/$APP_YAML"
    expect_refused "$APP_YAML:"
}

an_unknown_field()
{
    replace 's/^    port: 8000/    port: 8000\n    colour: blue/'
    expect_refused "$APP_YAML:8:5: error: services.web: unknown field 'colour'"
}

a_misspelt_field()
{
    replace 's/replicas:/replcas:/'
    expect_refused "unknown field 'replcas' [unknown]; did you mean 'replicas'?"
}

a_wrong_type()
{
    replace 's/replicas: 1/replicas: many/'
    expect_refused "$APP_YAML:8:15: error: services.web.replicas"
}

a_duplicate_key()
{
    replace 's/^    port: 8000/    port: 8000\n    port: 8001/'
    expect_refused "$APP_YAML:8:5: error:"
}

a_dependency_cycle()
{
    spec version=bad service='    depends_on: {api: {condition: service_healthy}}' more="
  api:
    command: [\"$APP\"]
    port: 8001
    depends_on: {web: {condition: service_healthy}}"
    expect_refused "service/api -> service/web"
}

a_host_that_is_not_allowed()
{
    replace 's/hosts: \[.*\], routes/hosts: [shop.example.com], routes/'
    deploy 'a host of somebody else'
    await 30 "said" is_explained refused-domain
    say "   $(explained | grep -F refused-domain | head -n 1)"
    expect_serves "v$N"
    next_good
}

# Validates alone, but nothing is deleted because a document is not there.
a_spec_removed_by_mistake()
{
    local deletes

    deletes=$(count_deletes)
    git -C "$WORLD/repo" rm -q "$APP_YAML"
    deploy 'removed by mistake'
    await 30 "said" is_explained "has no environment 'prod' any more; nothing is deleted for that"
    say "   $(explained | sed -n 2p)"
    expect_serves "v$N"
    expect_equal "deletes" "$(count_deletes)" "$deletes"
    mkdir -p "$WORLD/repo/.reeve"
    next_good
}

# Meant or not: what a commit leaves out is deleted only when a person says so.
a_service_that_is_left_out_waits_for_a_person()
{
    given_served keep=100ms
    N=1
    spec version=v1 more="
  api:
    command: [\"$APP\"]
    port: 8001
    environment: {VERSION: \"a1\"}
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 2}}
    rollout: {min_healthy_time: 100ms, bake_time: 100ms}"
    deploy 'a second service'
    await_converged
    spec version=v1
    deploy 'without it'
    await 30 "it waits" sync_is waiting
    expect_has "why" "$(explained)" 'class destroy'
    expect_has "it is there" "$(reeve status prod)" 'service/api'
    expect_serves "v$N"
    reeve approve "$(plan_id)" --reason 'it is not needed any more' >/dev/null || fail "approve"
    await 30 "it is gone" is_gone service/api
    expect_serves "v$N"
}

is_gone()
{
    is_converged && ! reeve status prod | grep -q "$1"
}

# Before any environment is known, the source says it.
bad_from_the_start()
{
    given_world
    N=0
    spec version=v0
    replace 's/replicas:/replcas:/'
    commit 'bad from the start'
    start_daemon
    await 30 "said" said_by_the_source
    say "   $(reeve status | tail -n 1)"
    next_good
}

said_by_the_source()
{
    reeve status | grep -qF "$APP_YAML:8:5: error: services.web: unknown field 'replcas'"
}

run_cases malformed_yaml half_a_file an_unknown_field a_misspelt_field a_wrong_type a_duplicate_key \
    a_dependency_cycle a_host_that_is_not_allowed a_spec_removed_by_mistake \
    a_service_that_is_left_out_waits_for_a_person bad_from_the_start
