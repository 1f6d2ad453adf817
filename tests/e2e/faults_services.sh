#!/bin/bash
# faults_services: services that do not do what they should. SPDX-License-Identifier: Apache-2.0
#
# The old set serves on, the reason is given, and nothing of the failed set is left.
. "$(dirname "$0")/lib.sh"

# What must be said, then seconds.
expect_reverted()
{
    await "${2:-20}" "it is reverted" sync_is reverted
    expect_has "the reason" "$(explained)" "$1"
    say "   $(explained | sed -n 2p)"
    expect_has "quarantine" "$(reeve status prod)" quarantined
    expect_serves v1
    await 30 "one set is left" one_set_is_left
    expect_equal "keepers, with the edge's" "$(keepers | wc -l)" 2
    history_has '"state":"reverted"' || fail "there is no event"
}

a_command_that_does_not_exist()
{
    given_served
    spec version=v2 command=/no/such/program
    deploy 'no program'
    expect_reverted "command '/no/such/program' does not exist"
    expect_has_not "it was not for a gate to find" "$(explained)" 'gate ready'
    history_has '"outcome":"failed"' || fail "the start did not fail"
}

a_service_that_exits_at_once()
{
    given_served
    spec version=v2 env='APP_EXIT: "3"' deadline=30s
    deploy 'exits'
    expect_reverted 'exit 3'
}

a_service_that_never_gets_healthy()
{
    given_served
    spec version=v2 env='APP_HEALTH: fail' deadline=1s
    deploy 'never healthy'
    expect_reverted '/healthz answered 503'
}

a_service_that_never_listens()
{
    given_served
    spec version=v2 env='APP_START_MS: "60000"' deadline=1s
    deploy 'never listens'
    expect_reverted 'not ready in time'
}

# Ready for a while, then not: traffic goes back.
a_service_that_fails_in_the_bake()
{
    given_served
    spec version=v2 env="APP_HEALTH: \"fail_when:$WORLD/ill\"" bake=60s
    deploy 'fails in the bake'
    await 30 "it has the traffic" serves v2
    : >"$WORLD/ill"
    expect_reverted 'is not ready any more' 50
}

a_service_that_answers_errors_in_the_bake()
{
    given_served
    spec version=v2 env='APP_STATUS: "500"' bake=60s rollout='abort_if: {error_rate: 2%, min_requests: 20}'
    start_load --path / --new 1 --kept 1 --pause-ms 5
    deploy 'errors'
    expect_reverted 'requests failed' 50
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
}

a_service_that_exits_in_the_bake()
{
    given_served
    spec version=v2 bake=60s rollout='abort_if: {restarts: 1}'
    deploy 'dies'
    await 30 "it has the traffic" serves v2
    await 50 "it is reverted" dies_on
    [[ $(explained) =~ 'was restarted '([2-9]|[1-9][0-9])' times' ]] || fail "the reason: $(explained)"
    expect_reverted 'was restarted '
}

# What happened before the watch has looked for the first time does not count, so it is killed again whenever it serves again.
dies_on()
{
    ! sync_is reverted || return 0
    ! serves v2 || kill_instance v2
    return 1
}

# The process whose environment says so; there may be none just now.
kill_instance()
{
    local state pid

    for state in "$WORLD"/var/services/run/*/state; do
        pid=$(sed 's/.*"pid":\([0-9]*\).*/\1/' "$state" 2>/dev/null)
        if tr '\0' '\n' 2>/dev/null <"/proc/${pid:-0}/environ" | grep -qx "VERSION=$1"; then
            kill -KILL "$pid"
            return
        fi
    done 2>/dev/null
}

a_service_that_ignores_sigterm()
{
    local i

    given_served env='APP_TERM: ignore' grace=300ms keep=100ms
    start_load --path / --new 1 --kept 1
    for i in 2 3; do
        spec version=v$i env='APP_TERM: ignore' grace=300ms keep=100ms
        deploy "version $i"
        await_converged
        await 20 "one set is left" one_set_is_left
    done
    end_load
    expect_serves v3
    expect_equal "lost requests" "$(counted lost)" 0
    expect_equal "keepers, with the edge's" "$(keepers | wc -l)" 2
}

a_service_that_closes_idle_connections()
{
    given_served env='APP_IDLE_MS: "1"'
    start_load --path / --kept 4 --post 50 --pause-ms 20
    spec version=v2 env='APP_IDLE_MS: "1"'
    deploy 'version 2'
    await_converged
    await 30 "one set is left" one_set_is_left
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_equal "connections refused to answer" "$(counted unrouted)" 0
}

# Nobody is to blame: it waits, says why, and goes on when there is room.
a_port_range_that_is_used_up()
{
    given_world
    write_daemon ports=$((FIRST + 40))-$((FIRST + 41))
    spec version=v1 replicas=2
    commit 'version 1'
    start_daemon
    await_converged
    spec version=v2 replicas=2 keep=100ms
    deploy 'no room'
    await 30 "said" is_explained "no free port in $((FIRST + 40))-$((FIRST + 41)): 2 used"
    say "   $(explained | grep -F 'no free port' | head -n 1)"
    expect_serves v1
    expect_has_not "quarantine" "$(reeve status prod)" quarantined
    spec version=v1 replicas=2
    deploy 'back to what serves'
    await_converged 60
    expect_serves v1
}

# A backend has room for one server.
a_pool_of_the_edge_that_is_too_small()
{
    given_world
    write_daemon backends=2 slots=1
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    spec version=v2 replicas=3
    deploy 'too many'
    await 20 "said" is_explained slot
    say "   $(explained | sed -n 2p)"
    expect_serves v1
}

both_colours_fail_the_same_way()
{
    given_served
    spec version=v2 bake=60s
    deploy 'version 2'
    await 30 "it has the traffic" serves v2
    freeze_instances
    await 60 "the rollout has ended" history_has '"plan.ended"'
    expect_has "said" "$(explained)" outage
    say "   $(explained | sed -n 2p)"
    expect_has_not "quarantine" "$(reeve status prod)" quarantined
    thaw_instances
    await 20 "the old one serves again" serves v1
}

# Forty services are on a provider whose calls never end.
write_far()
{
    local i

    {
        printf 'apiVersion: reeve/v1\nkind: Application\nname: away\nservices:\n'
        for i in {1..40}; do
            printf '  s%d: {command: [./run], rollout: {strategy: recreate}}\n' "$i"
        done
        printf -- '---\napiVersion: reeve/v1\nkind: Environment\nname: far\napplication: away\n'
        printf 'trigger: {branch: main}\napproval: {policy: auto}\n'
    } >"$WORLD/repo/.reeve/far.yaml"
}

is_asked_seldom()
{
    reeve status | grep -q "provider 'far' does not answer since .*: tried again in"
}

# They hold a quarter of the threads, and then none: prod rolls meanwhile.
a_provider_that_does_not_answer()
{
    given_world
    write_daemon providers='  far: {driver: "null", directory: var/far, latency_ms: 60000}' \
        rule='  - {match: {source: shop, name: far}, branch: main, providers: {services: [far], domains: far}, isolation: none}'
    write_far
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged 25
    spec version=v2
    deploy 'version 2'
    await 20 "it rolls meanwhile" serves v2
    await 60 "status says it" is_asked_seldom
    say "   $(reeve status | head -n 1)"
    expect_has "doctor" "$(reeve doctor 2>&1)" "provider 'far' does not answer"
    spec version=v3
    deploy 'version 3'
    await 20 "it rolls afterwards" serves v3
    expect_has_not "quarantine" "$(reeve status far)" quarantined
}

instance_pids()
{
    sed 's/.*"pid":\([0-9]*\).*/\1/' "$WORLD"/var/services/run/*/state 2>/dev/null
}

freeze_instances()
{
    kill -STOP $(instance_pids)
}

thaw_instances()
{
    kill -CONT $(instance_pids)
}

# What it says is cut where a letter ends, whatever language it speaks, or nothing of it could be written down.
a_probe_that_says_much()
{
    given_served
    printf '#!/bin/sh\nprintf "%%s" "%s" >&2\nexit 1\n' "$(printf 'ä%.0s' {1..300})" >"$WORLD/probe.sh"
    chmod 755 "$WORLD/probe.sh"
    spec version=v2 deadline=2s
    sed -i "s|http: {path: [^}]*}|command: [\"$WORLD/probe.sh\"]|" "$WORLD/repo/.reeve/app.yaml"
    deploy 'a probe that says much'
    await 20 "another health check waits for a person" sync_is waiting
    reeve approve "$(plan_id)" --reason 'it says why' --no-wait >/dev/null || fail "approve"
    await 20 "it is reverted" sync_is reverted
    expect_has "the reason" "$(explained)" "exits with 1: ää"
    expect_serves v1
}

run_cases a_command_that_does_not_exist a_service_that_exits_at_once a_service_that_never_gets_healthy \
    a_service_that_never_listens a_service_that_fails_in_the_bake \
    a_service_that_answers_errors_in_the_bake a_service_that_exits_in_the_bake \
    a_service_that_ignores_sigterm a_service_that_closes_idle_connections \
    a_port_range_that_is_used_up a_pool_of_the_edge_that_is_too_small both_colours_fail_the_same_way \
    a_provider_that_does_not_answer a_probe_that_says_much
