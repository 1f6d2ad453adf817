#!/bin/bash
# builds: what was built stays for as long as somebody may come back to it. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

KEPT=10 # revisions

# built VERSION: a service that has a tree of its own, and a release that runs in it.
built()
{
    mkdir -p "$WORLD/repo/code"
    echo "$1" >"$WORLD/repo/code/version"
    spec version="$1" bake=100ms keep="1s" healthy=100ms threshold=1 \
        service='    source: {context: code, build: [cp, version, made]}
    release: {command: [grep, ., made]}'
}

# Versions whose tree is there, oldest first.
trees()
{
    cat "$WORLD"/var/services/artifacts/*/tree/made 2>/dev/null | sort -V | tr '\n' ' '
}

trees_are()
{
    [ "$(trees)" = "$1" ]
}

versions()
{
    printf 'v%s ' $(seq "$1" "$2")
}

what_is_far_back_goes()
{
    local i

    given_world
    built v1
    commit 'version 1'
    start_daemon
    await_converged
    expect_serves v1
    for i in $(seq 2 $((KEPT + 1))); do
        built "v$i"
        deploy "version $i"
        await_converged
    done
    expect_equal "trees" "$(trees)" "$(versions 1 $((KEPT + 1)))"
    built "v$((KEPT + 2))"
    deploy "version $((KEPT + 2))"
    await_converged
    await 20 "the first is gone" trees_are "$(versions 2 $((KEPT + 2)))"
}

# Plans that have nothing left to do, in no lane.
are_over()
{
    [ "$(count_events plan.over)" -eq "$1" ]
}

# Somebody whom no row names runs in the second one.
what_is_used_is_left_to_the_next_plan()
{
    local tree n=$((KEPT + 3))

    tree=$(grep -lx v2 "$WORLD"/var/services/artifacts/*/tree/made | cut -d / -f 7)
    mkdir "$WORLD/var/services/run/some.body"
    echo "{\"about\":{\"type\":\"instance\",\"artifact\":\"$tree\"}}" >"$WORLD/var/services/run/some.body/spec.json"
    built "v$n"
    deploy "version $n"
    await_converged
    await 20 "its tail has ended" are_over "$n"
    expect_has "what was asked" "$(reeve history prod -n 1000)" "artifact/web@${tree:0:12}"
    expect_equal "trees" "$(trees)" "$(versions 2 "$n")"
    rm -r "$WORLD/var/services/run/some.body"
    built "v$((n + 1))"
    deploy "version $((n + 1))"
    await_converged
    await 20 "they are gone" trees_are "$(versions 4 $((n + 1)))"
}

# How often the provider was asked to build or to take away.
asked()
{
    reeve history prod -n 1000 | grep -c 'operation.intent *artifact/'
}

a_rollback_among_them_builds_nothing()
{
    local n

    n=$(asked)
    reeve rollback prod 5 --reason 'a little back' >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await 20 "v5 serves" serves v5
    await 20 "the one before them goes" trees_are "$(versions 5 $((KEPT + 4)))"
    expect_equal "builds and removals" "$(asked)" $((n + 1))
}

a_rollback_before_them_builds_again()
{
    reeve rollback prod 1 --reason 'far back' >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await 20 "v1 serves" serves v1
    expect_has "what is built" "$(trees)" 'v1 '
}

run_cases what_is_far_back_goes what_is_used_is_left_to_the_next_plan \
    a_rollback_among_them_builds_nothing a_rollback_before_them_builds_again
