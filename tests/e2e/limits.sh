#!/bin/bash
# limits: what a service may use of the machine, and what becomes of one that wants more. SPDX-License-Identifier: Apache-2.0
#
# Judged by what the kernel counts, never by time. Where it cannot keep a limit the plan says so, which
# is looked at as an ordinary user.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/ordinary.sh"

ORDINARY=61000

as_both $ORDINARY APP

# A service `web` that serves, and `other` that does what its script says, with limits of its own.
given_limited_world()
{
    given_world
    sed -i "s/    isolation: none/    isolation: namespace/" "$WORLD/reeve.yaml"
    sed -i "s/driver: process,/& memory: 64M, processes: 100,/" "$WORLD/reeve.yaml"
    [ "$(id -u)" != 0 ] || sed -i "s/^user: .*/user: \"$ORDINARY:$ORDINARY\"/" "$WORLD/reeve.yaml"
    mkdir "$WORLD/repo/code"
    cp "$APP" "$WORLD/repo/code/app"
    export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
}

# limited_spec LIMITS SCRIPT [MORE]: of `other`.
limited_spec()
{
    write_shop <<END
services:
  web:
    source: {context: code}
    command: [./app]
    port: 8000
    environment: {VERSION: v1}
    resources: {limits: {cpus: 0.5, memory: 256M}}
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 1}}
    rollout: {min_healthy_time: 100ms, bake_time: 100ms, keep_previous: 1s}
  other:
    source: {context: code}
    command: [sh, -c, '$2']
    resources: {limits: {$1}}
    rollout: {min_healthy_time: 100ms, bake_time: 100ms, keep_previous: 1s, auto_revert: false}
    ${3:-}
domains:
  app: {hosts: [$HOST], routes: {/: {service: web}}}
END
    [ "$(id -u)" != 0 ] || chown -R $ORDINARY:$ORDINARY "$WORLD"
}

# What holds `other`, or web: group NAME CONTROLLER
group()
{
    local dir

    for dir in "$WORLD"/var/services/run/*/; do
        ! grep -qs "\"service\":\"$1\"" "$dir/spec.json" ||
            grep -o "\"[^\"]*/$2/[^\"]*/$(basename "$dir")\"" "$dir/spec.json" | tr -d '"'
    done | head -n 1
}

# counter NAME CONTROLLER FILE [WORD]
counter()
{
    local dir

    dir=$(group "$1" "$2")
    [ -n "$dir" ] && sed -n "s/^${4:+$4 }\([0-9]*\)\$/\1/p" "$dir/$3" 2>/dev/null | head -n 1
}

is_above()
{
    local seen

    seen=$(counter "${@:2}")
    [ "${seen:-0}" -gt "$1" ]
}

is_serving()
{
    serves v1
}

# Nothing of these may be left when their service is gone.
other_groups()
{
    GROUPS_OF_OTHER="$(group other memory) $(group other pids) $(group other cpu)"
}

groups_are_gone()
{
    local dir

    for dir in $GROUPS_OF_OTHER; do
        [ ! -e "$dir" ] || return 1
    done
}

other_was_killed()
{
    [[ $(reeve status prod 2>/dev/null) == *'killed: over its memory of 32M'* ]]
}

home_of_other()
{
    grep -l '"service":"other"' "$WORLD"/var/services/run/*/spec.json | head -n 1 | sed 's/spec.json$/home/'
}

# A hog is killed alone, and who looks is told.
memory_has_an_end()
{
    local pid

    given_limited_world
    limited_spec 'memory: 32M' \
        'until [ -e $HOME/go ]; do sleep 0.1; done; perl -e "\$x = q(x) x 300_000_000; sleep 1000"'
    commit 'a hog, tame yet'
    start_daemon
    await_converged 60
    expect_serves v1
    pid=$(cat "$(group web memory)/in/cgroup.procs")
    : >"$(home_of_other)/go"
    await 60 "the kernel killed it" is_above 0 other memory in/memory.oom_control oom_kill
    say "   killed $(counter other memory in/memory.oom_control oom_kill) times; at most $(counter other memory memory.max_usage_in_bytes) of $(counter other memory memory.limit_in_bytes) bytes"
    [ "$(counter other memory memory.max_usage_in_bytes)" -le 33554432 ] || fail "it had more than its limit"
    await 60 "the status says why" other_was_killed
    history_has 'killed: over its memory of 32M' || fail "no event says it"
    reeve status prod | grep 'killed: over' | head -n 1
    expect_serves v1
    expect_equal "its neighbour" "$(cat "$(group web memory)/in/cgroup.procs")" "$pid"
    other_groups
    sed -i '/^  other:/,/auto_revert: false/d' "$WORLD/repo/.reeve/app.yaml"
    deploy 'without it'
    await 60 "it waits for a person" sync_is waiting
    reeve approve "$(plan_id)" --reason 'it eats too much' >/dev/null || fail "approve"
    await 60 "its groups are gone" groups_are_gone
}

# One that never rests is held back, and only that one.
processors_are_shared()
{
    local held

    given_limited_world
    limited_spec 'cpus: 0.2' 'while :; do :; done'
    commit 'a hog'
    start_daemon
    await 60 "it is held back" is_above 20 other cpu cpu.stat nr_throttled
    await 60 "web serves" is_serving
    held=$(counter other cpu cpu.stat nr_throttled)
    say "   held back in $held of $(counter other cpu cpu.stat nr_periods) periods, its neighbour in $(counter web cpu cpu.stat nr_throttled)"
    [ "$(counter web cpu cpu.stat nr_throttled)" -lt "$held" ] || fail "the neighbour is held back as often"
}

# A bomb stops at its number; its neighbour starts what it likes.
forks_have_an_end()
{
    given_limited_world
    limited_spec 'pids: 50' 'perl -e "fork while 1"'
    commit 'a bomb'
    start_daemon
    await 60 "it starts no more" is_above 0 other pids in/pids.events max
    await 60 "web serves" is_serving
    say "   $(counter other pids pids.peak) processes at most of $(counter other pids pids.max), $(counter other pids in/pids.events max) were refused"
    [ "$(counter other pids pids.peak)" -le 50 ] || fail "it had more processes than its limit"
}

# A build and a release have what the provider gives.
builds_have_an_end()
{
    given_limited_world
    limited_spec 'memory: 32M' 'sleep 1000' \
        "release: {command: [perl, -e, '\$x = q(x) x 300_000_000']}"
    commit 'a hungry release'
    start_daemon
    await 60 "it says why it failed" is_explained 'killed: over its memory of 64M'
}

# The daemon dies and comes back: what runs stays in its groups.
groups_outlive_the_daemon()
{
    local pids orphan

    given_limited_world
    limited_spec 'memory: 32M' 'sleep 1000'
    commit 'tame'
    start_daemon
    await_converged 60
    pids=$(cat "$(group other memory)/in/cgroup.procs")
    [ -n "$pids" ] || fail "nobody is in its group"
    orphan=$(dirname "$(group other memory)")/rv1aaaaaaaaaaaaaaaaaaaaaaaaaa
    mkdir -p "$orphan/in/below" || fail "a group"
    kill_daemon
    start_daemon
    await_converged 60
    [ ! -e "$orphan" ] || fail "the group of nobody is still there"
    expect_equal "who is in its group" "$(cat "$(group other memory)/in/cgroup.procs")" "$pids"
    expect_has "doctor" "$(reeve doctor 2>&1)" "limits.memory is kept by control groups in '"
}

# What a machine cannot keep stands in the plan, with the place that asked.
what_is_not_kept_is_said()
{
    local said

    given_limited_world
    limited_spec 'cpus: 0.2, memory: 32M, pids: 50' 'sleep 1000'
    commit 'limits'
    start_daemon
    await_converged 60
    said=$(reeve plan prod 2>/dev/null)
    expect_has "the plan" "$said" \
        ".reeve/app.yaml:16:37: limits.memory of service 'other' is not kept here: "
    expect_has "the plan" "$said" \
        ".reeve/app.yaml:16:26: limits.cpus of service 'other' is not kept here: "
    expect_has_not "the plan" "$said" "limits.pids of service 'other'"
    expect_has "doctor" "$(reeve doctor 2>&1)" 'limits.memory is not kept: '
    grep 'is not kept' <<<"$said" | head -n 1
}

given_limited_world
case $(reeve doctor 2>&1) in
*'isolation namespace is possible'*) ;;
*) skip "no user namespaces: $(reeve doctor 2>&1 | grep 'isolation namespace')" ;;
esac
case $(reeve doctor 2>&1) in
*'limits.memory is not kept'*)
    say "   SKIPPED what needs control groups: $(reeve doctor 2>&1 | grep 'limits.memory')"
    run_cases what_is_not_kept_is_said
    ;;
*"/sys/fs/cgroup/memory"*)
    run_cases memory_has_an_end processors_are_shared forks_have_an_end builds_have_an_end \
        groups_outlive_the_daemon
    ;;
*)
    skip "the kernel's counters of version 1 are looked at: $(reeve doctor 2>&1 | grep 'limits.memory')"
    ;;
esac
