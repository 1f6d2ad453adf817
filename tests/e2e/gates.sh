#!/bin/bash
# gates: what a rollout is judged by. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# An answer that takes 1.7 s is slow on any machine, and one that takes 50 ms is in time on a busy one.
SLOW='APP_DELAY_MS: "1700"'

watched()
{
    spec rollout='abort_if: {p95: 1500ms, min_requests: 10}' bake=8s deadline=20s "$@"
}

# The reason names a step that the answers can lie in: they may have taken longer than the delay, and never less.
expect_slow()
{
    local said least

    said=$(explained)
    expect_has "the reason" "$said" ', allowed are 1500 ms'
    least=$(grep -o 'answers is [0-9]* to ' <<<"$said" | head -n 1 | grep -o '[0-9]*')
    [ "${least:-0}" -ge 1500 ] || fail "the reason names no such step: $said"
    say "   $(grep -o 'web: p95.*' <<<"$said" | head -n 1)"
}

under_load()
{
    start_load --path / --new 4 --kept 4 --pause-ms 5
}

what_answers_slowly_is_reverted()
{
    given_world
    watched version=v1
    commit 'the first version'
    start_daemon
    await_converged
    under_load
    watched version=v2 env="$SLOW"
    deploy 'slow'
    await 60 "it is reverted" sync_is reverted
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_serves v1
    expect_slow
}

what_answers_in_time_is_not()
{
    under_load
    watched version=v3 env='APP_DELAY_MS: "50"'
    deploy 'in time'
    await_converged
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_serves v3
}

# Answers that nobody looks at.
when_asked()
{
    local i askers=()

    for ((i = 0; i < $1; i++)); do
        get &
        askers+=($!)
    done
    wait "${askers[@]}"
}

# The watch is over when the daemon comes back: what was counted meanwhile counts.
a_death_in_the_watch_forgets_nothing()
{
    watched version=v4 env="$SLOW"
    deploy 'slow again'
    await 30 "it is switched to" serves v4
    kill_daemon
    when_asked 40
    start_daemon
    await 60 "it is reverted" sync_is reverted
    expect_serves v3
    expect_slow
}

# --- verify -----------------------------------------------------------------------------------------

# A program that asks what it is pointed at, and says so; it waits for $WORLD/go where that is asked for.
write_smoke()
{
    cat >"$WORLD/smoke" <<END
#!/bin/bash
echo "asked \$REEVE_TARGET with \$WORD" | tee -a "$WORLD/asked"
[ "\$1" != wait ] || until [ -e "$WORLD/go" ]; do read -r -t 0.05 <>"$WORLD/never"; done
exec {fd}<>"/dev/tcp/\${REEVE_TARGET%:*}/\${REEVE_TARGET#*:}"
printf 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&\$fd
grep -q "\$2" <&\$fd || { echo "it is not \$2"; exit 3; }
END
    chmod +x "$WORLD/smoke"
    mkfifo "$WORLD/never"
    : >"$WORLD/asked"
}

# verified VERSION WHEN MODE EXPECTED
verified()
{
    spec version="$1" service="    verify: {command: [$WORLD/smoke, $3, $4], when: $2, timeout: 20s, environment: {WORD: plain}}"
}

has_asked()
{
    [ "$(wc -l <"$WORLD/asked")" -ge "$1" ]
}

what_is_verified_before_the_switch_gets_no_request()
{
    given_world
    write_smoke
    verified v1 before_switch now v1
    commit 'the first version'
    start_daemon
    await_converged
    expect_serves v1
    expect_has "what it was asked with" "$(cat "$WORLD/asked")" 'asked 127.0.0.1:'
    expect_has "its environment" "$(cat "$WORLD/asked")" 'with plain'
    start_load --path / --new 2 --kept 2 --pause-ms 5
    verified v2 before_switch now v9
    deploy 'not what it says'
    await 30 "it is reverted" sync_is reverted
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_has_not "who answered" "$(cat "$WORLD/load.json")" '"v2"'
    expect_has "the reason" "$(explained)" 'verify: exit 3'
    expect_has "what it said" "$(explained)" 'it is not v9'
    verified v2 before_switch now v2
    deploy 'the verification was wrong'
    await_converged
    expect_serves v2
    await 30 "what it left is gone" no_run_is_left
}

no_run_is_left()
{
    ! grep -lsq '"type":"verify"' "$WORLD"/var/services/run/*/spec.json
}

# It bakes for less than the verification takes: that is waited for.
what_is_verified_in_the_watch_is_taken_back()
{
    rm -f "$WORLD/go"
    verified v3 bake wait v9
    deploy 'serves, and is wrong'
    await 20 "it serves" serves v3
    await 20 "it is asked" has_asked 4
    expect "it still serves" serves v3
    touch "$WORLD/go"
    await 20 "it is reverted" sync_is reverted
    expect_serves v2
    expect_has "the reason" "$(explained)" 'it is not v9'
    await 30 "what it left is gone" no_run_is_left
}

# The run goes on while the daemon is dead, and its end is found.
a_death_while_it_verifies_runs_it_once()
{
    rm -f "$WORLD/go"
    verified v4 before_switch wait v4
    deploy 'takes its time'
    await 20 "it is asked" has_asked 5
    kill_daemon
    touch "$WORLD/go"
    start_daemon
    await_converged
    expect_serves v4
    expect_equal "times it ran" "$(wc -l <"$WORLD/asked")" 5
}

# --- what it says of itself -------------------------------------------------------------------------

worded()
{
    spec version="$1" env="APP_WORD: $2" deadline=${3:-20s} progress=30s
    sed -i 's|healthcheck: {readiness: {http: {path: /healthz}|healthcheck: {liveness: {interval: 300ms, http: {path: /healthz, expect_json: {path: status}}}, readiness: {http: {path: /healthz, expect_json: {path: status}}|' "$WORLD/repo/.reeve/app.yaml"
}

health_is()
{
    reeve status prod | head -n 1 | grep -qw "$1"
}

what_says_that_it_is_degraded_serves_and_alarms()
{
    given_world
    worded v1 ok
    commit 'healthy'
    start_daemon
    await_converged
    await 30 "it is healthy" health_is healthy
    worded v2 degraded
    deploy 'degraded'
    await_converged
    expect_serves v2
    await 30 "it is degraded" health_is degraded
    expect_has "the reason" "$(history)" "'status' is 'degraded'"
    worded v3 broken 2s
    deploy 'broken'
    await 30 "it is reverted" sync_is reverted
    expect_serves v2
    expect_has "the reason" "$(explained)" "'status' is 'broken'"
}

run_cases what_answers_slowly_is_reverted what_answers_in_time_is_not a_death_in_the_watch_forgets_nothing \
    what_is_verified_before_the_switch_gets_no_request what_is_verified_in_the_watch_is_taken_back \
    a_death_while_it_verifies_runs_it_once what_says_that_it_is_degraded_serves_and_alarms
