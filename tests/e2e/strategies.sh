#!/bin/bash
# strategies: canary, rolling, recreate and a group of three under load lose what their plans say, and nothing else.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

WRONG='APP_STATUS: "500"'

# OPTION..
load_begins()
{
    start_load --path / --path /a/b --new 3 --kept 3 --slow 3 --slow-path '/slow?ms=600' --post 25 "$@"
}

given_load()
{
    given_world
    "$@"
    commit 'the first version'
    start_daemon
    await_converged
    expect_serves v0
    load_begins
}

expect_nothing_lost()
{
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_equal "requests that nobody of ours answered" "$(counted unrouted)" 0
    [ "$(counted sent)" -ge "$1" ] || fail "only $(counted sent) requests were sent, not $1"
    say "   requests: $(counted sent), lost: $(counted lost)"
}

strategy()
{
    sed -i "s/strategy: blue_green/strategy: $1/" "$WORLD/repo/.reeve/app.yaml"
}

instances()
{
    ls "$WORLD/var/services/run" | wc -l
}

expect_whole()
{
    await 20 "one set is left" one_set_is_left
    expect_equal "instances" "$(instances)" "$1"
    expect_equal "keepers, with the edge's" "$(keepers | wc -l)" $(($1 + 1))
    expect "the chain holds" reeve audit verify --replay
}

# Answers of a version that the load counted.
answers()
{
    grep -o "\"$1\":{\"n\":[0-9]*" "$WORLD/load.json" | grep -o '[0-9]*$' || echo 0
}

# Answers of a version, in thousandths of all.
permille()
{
    local all

    all=$(grep -o '"n":[0-9]*' "$WORLD/load.json" | cut -d : -f 2 | paste -sd + | sed 's/$/+0/')
    echo $((1000 * $(answers "$1") / ($all)))
}

# --- rolling ----------------------------------------------------------------------------------------

# rolling VERSION AT_A_TIME [ENV [BAKE]]
rolling()
{
    spec version="v$1" replicas=3 env="${3:-}" bake="${4:-300ms}" rollout="max_unavailable: $2"
    strategy rolling
}

# Every second version exits abruptly on SIGTERM; one and two at a time.
a_rolling_change_loses_nothing()
{
    local i

    given_load rolling 0 1
    for i in 1 2; do
        rolling $i $i "$([ $i = 2 ] || echo 'APP_TERM: abrupt')"
        deploy "version $i"
        await_converged 60
        expect_serves "v$i"
    done
    expect_has "what the plan promised" "$(reeve plan "$(plan_id)")" 'no request is lost, reeve moves the traffic'
    expect_nothing_lost 5000
    expect_whole 3
}

# Found out when all are exchanged: it goes back instance by instance.
a_failed_rolling_change_goes_back()
{
    given_load rolling 0 1
    rolling 1 1 'APP_HEALTH: "fail_after:3000"' 60s
    deploy 'is not ready for long'
    await 90 "it is reverted" sync_is reverted
    expect_has "the reason" "$(explained)" 'not ready'
    expect_serves v0
    expect_nothing_lost 5000
    expect_whole 3
}

two_are_new()
{
    [ "$(find "$WORLD/var/services/run" -mindepth 1 -maxdepth 1 -newer "$WORLD/began" | wc -l)" -ge 2 ]
}

killed_inside_a_rolling_step()
{
    given_load rolling 0 1
    touch "$WORLD/began"
    rolling 1 1
    deploy 'version 1'
    LOOK_S=0.002 await 30 "the second is made" two_are_new
    kill_daemon
    start_daemon
    await_converged 60
    expect_serves v1
    expect_nothing_lost 2000
    expect_whole 3
}

# --- canary -----------------------------------------------------------------------------------------

# canary VERSION STEPS [ENV [KEEP]]
canary()
{
    spec version="v$1" keep="${4:-200ms}" env="${3:-}" \
        rollout="abort_if: {error_rate: 5%, min_requests: 40}, canary: {steps: [$2]}"
    strategy canary
}

# Of 10000 requests, those that the old set gets.
weight_is()
{
    [ "$(reeve status prod -o json 2>/dev/null | grep -o '"weight":[0-9]*' | cut -d : -f 2)" = "$1" ]
}

is_advanced()
{
    reeve advance prod >/dev/null 2>&1
}

# A person says so, as soon as there is something to end.
goes_on()
{
    await 20 "it is advanced" is_advanced
}

# Answers of v1 in a thousand, while clients ask as fast as they can.
share_of_v1()
{
    "$LOAD" --target "127.0.0.1:$HTTP" --host "$HOST" --new 4 --kept 4 --seconds 3 >"$WORLD/load.json" 9>&-
    expect_equal "lost requests" "$(counted lost)" 0
    SHARE=$(permille v1)
    say "   of $(counted sent) requests $SHARE in a thousand went to the new set, asked for: $1"
}

expect_share()
{
    share_of_v1 "$1"
    [ "$SHARE" -ge $(($1 - 25)) ] && [ "$SHARE" -le $(($1 + 25)) ] || fail "$SHARE in a thousand are not $1"
}

a_canary_gets_its_share()
{
    given_world
    canary 0 '{weight: 10%}'
    commit 'the first version'
    start_daemon
    await_converged
    canary 1 '{weight: 20%, manual: true}, {weight: 50%, manual: true}'
    deploy 'version 1'
    await 20 "a fifth goes to the new set" weight_is 8000
    expect_share 200
    goes_on
    await 20 "half goes to the new set" weight_is 5000
    expect_share 500
    goes_on
    await_converged
    share_of_v1 1000
    expect_equal "answers of the new set, of a thousand" "$SHARE" 1000
    reeve advance prod >/dev/null 2>&1
    expect_equal "advance where nothing waits" $? 7
}

a_canary_loses_nothing()
{
    local i

    given_load canary 0 '{weight: 10%}'
    for i in 1 2; do
        canary $i '{weight: 10%, pause: 300ms}, {weight: 50%, pause: 300ms}' \
            "$([ $i = 2 ] || echo 'APP_TERM: abrupt')"
        deploy "version $i"
        await_converged
        expect_serves "v$i"
    done
    expect_nothing_lost 3000
}

# Those that were open before stay with the old set, which is kept.
websockets_stay_where_they_are()
{
    given_world
    canary 0 '{weight: 10%}'
    commit 'the first version'
    start_daemon
    await_converged
    load_begins --websocket 4
    canary 1 '{weight: 10%, pause: 300ms}, {weight: 50%, pause: 300ms}' '' 600s
    deploy 'version 1'
    await_converged
    expect_serves v1
    expect_equal "instances, with what is kept" "$(instances)" 2
    expect_nothing_lost 500
    expect_equal "websockets that were opened" "$(counted opened)" 4
    expect_equal "websockets that were cut" "$(counted cut)" 0
}

# What is wrong is answered for no more than its share of the requests.
a_failing_canary_goes_back()
{
    given_load canary 0 '{weight: 10%}'
    canary 1 '{weight: 10%, pause: 60s}' "$WRONG"
    deploy 'answers nothing but errors'
    await 30 "it is reverted" sync_is reverted
    expect_has "the reason" "$(explained)" 'requests failed'
    expect_serves v0
    expect_nothing_lost 500
    say "   wrong: $(counted 500) of $(counted sent)"
    [ "$(permille v1)" -le 130 ] || fail "$(permille v1) in a thousand were wrong, at 10 %"
    expect_whole 1
}

# The live set was well all its life, and answers as badly as the new one in the same time.
what_both_answer_blames_nobody()
{
    given_world
    canary 0 '{weight: 10%}'
    commit 'the first version'
    start_daemon
    await_converged
    "$LOAD" --target "127.0.0.1:$HTTP" --host "$HOST" --new 4 --kept 4 --seconds 2 >"$WORLD/load.json" 9>&-
    start_load --path '/status?code=500' --new 2 --kept 2
    canary 1 '{weight: 20%, pause: 1s}, {weight: 50%, manual: true}'
    deploy 'version 1'
    await 20 "the first step is passed" weight_is 5000
    end_load
    goes_on
    await_converged
    expect_serves v1
}

killed_inside_a_canary_step()
{
    given_load canary 0 '{weight: 10%}'
    canary 1 '{weight: 10%, pause: 5s}, {weight: 50%, pause: 5s}' # long enough to be seen on a busy machine
    deploy 'version 1'
    LOOK_S=0.002 await 20 "it has its share" weight_is 9000
    kill_daemon
    start_daemon
    await 20 "it goes on" weight_is 5000
    kill_daemon
    start_daemon
    await_converged
    expect_serves v1
    expect_nothing_lost 2000
    expect_whole 1
}

# A person takes it back, at any weight.
a_canary_is_cancelled()
{
    given_load canary 0 '{weight: 10%}'
    canary 1 '{weight: 10%, pause: 1s}, {weight: 50%, manual: true}'
    deploy 'version 1'
    await 20 "half goes to the new set" weight_is 5000
    reeve cancel prod --reason 'not today' >/dev/null || fail "cancel is refused"
    await 20 "all goes to the old set" weight_is 10000
    expect_serves v0
    expect_nothing_lost 1000
    expect_whole 1
}

# --- auto_promote: false ----------------------------------------------------------------------------

what_is_ready_waits_for_a_person()
{
    local said

    given_served rollout='auto_promote: false'
    spec version=v2 rollout='auto_promote: false'
    commit 'version 2'
    said=$(reeve apply prod --timeout 60 2>&1)
    expect_equal "exit status of apply" $? 2
    expect_has "apply" "$said" 'waits: the new set is ready: reeve advance prod'
    await 20 "it waits" sync_is waiting
    expect_has "the reason" "$(reeve status prod)" 'the new set is ready'
    expect_has "what a person can do" "$(explained)" 'reeve advance prod'
    expect_serves v1
    kill_daemon
    start_daemon
    expect_serves v1
    goes_on
    await_converged
    expect_serves v2
    expect_has "who" "$(history)" '"advanced_by":"'
    expect_has_not "what it was" "$(reeve status prod)" 'the new set is ready'
    stop_daemon
    spec version=v3 rollout='auto_promote: false'
    commit 'version 3'
    reeve once >>"$WORLD/daemon.log" 2>&1
    expect_equal "the status of once, which waits for nobody" $? 2
    expect_serves v2
}

# --- recreate, and a group --------------------------------------------------------------------------

recreate()
{
    spec version="v$1" approval='auto, require_for: [downtime]'
    strategy recreate
}

# It says so before, and a person takes it.
a_recreated_service_is_down_for_a_while()
{
    given_load recreate 0
    recreate 1
    deploy 'version 1'
    await 20 "it waits" sync_is waiting
    expect_has "its class" "$(reeve plan prod)" downtime
    expect_has "what it promises" "$(reeve plan prod)" 'requests are lost while it is down'
    expect_serves v0
    reeve approve "$(plan_id)" --reason 'at night' >/dev/null || fail "it failed"
    await_converged
    expect_serves v1
    end_load
    say "   requests: $(counted sent), lost: $(counted lost), without a route: $(counted unrouted)"
    [ "$(counted sent)" -ge 500 ] || fail "only $(counted sent) requests were sent"
    expect_whole 1
}

member()
{
    cat <<END
  $1:
    command: ["$APP"]
    port: $2
    environment: {VERSION: "$1$3"}
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 2}}
    rollout: {strategy: canary, canary: {steps: [{weight: 30%, pause: 300ms}]}, min_healthy_time: 200ms, bake_time: 300ms, keep_previous: 200ms}
    termination: {drain: 2s}
    depends_on: {$4: {condition: service_healthy}}
END
}

three()
{
    spec version="v$1" keep=200ms more="$(member api 8001 "$1" web)
$(member shop 8002 "$1" api)"
    sed -i 's|routes: .*|routes: {/: {service: web}, /a: {service: api}, /s: {service: shop}}}|' "$WORLD/repo/.reeve/app.yaml"
}

a_group_of_three_moves_as_one()
{
    local i

    given_load three 0
    for i in 1 2; do
        three $i
        deploy "version $i"
        await_converged
        expect_serves "v$i"
        expect "the second moved with it" serves "api$i" /a
        expect "the third moved with it" serves "shop$i" /s
        expect_equal "generations so far" "$(field route_generation)" $((1 + 2 * i))
    done
    expect_nothing_lost 3000
}

run_cases a_rolling_change_loses_nothing a_failed_rolling_change_goes_back killed_inside_a_rolling_step \
    a_canary_gets_its_share a_canary_loses_nothing websockets_stay_where_they_are a_failing_canary_goes_back \
    what_both_answer_blames_nobody killed_inside_a_canary_step \
    a_canary_is_cancelled what_is_ready_waits_for_a_person a_recreated_service_is_down_for_a_while \
    a_group_of_three_moves_as_one
