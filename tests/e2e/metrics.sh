#!/bin/bash
# metrics: what Prometheus reads of a daemon, who may read it, and how health is told. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# A daemon over TCP whose version 1 serves, with a token that may scrape.
given_scraped()
{
    given_world
    API=$((FIRST + 35))
    write_daemon poll="${1:-30s}" extra="listen: 127.0.0.1:$API"
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    reeve token create prometheus --role scrape >"$WORLD/scrape" 2>"$WORLD/note" || fail "no token: $(cat "$WORLD/note")"
}

# PATH: status, then the body, as the scraper.
scrape()
{
    curl -s --noproxy '*' --max-time 20 -w '%{stderr}%{http_code}' -H "Authorization: Bearer $(cat "$WORLD/scrape")" \
        "http://127.0.0.1:$API$1" 2>"$WORLD/code" >"$WORLD/body"
}

# NAME{LABELS}: its value.
value_of()
{
    scrape /metrics
    grep -v "^#" "$WORLD/body" | grep -F "$1 " | head -n 1 | sed 's/.* //'
}

value_is()
{
    [ "$(value_of "$1")" = "$2" ]
}

expect_value()
{
    expect_equal "$1" "$(value_of "$1")" "$2"
}

health_is()
{
    scrape /api/v1/health
    [[ $(cat "$WORLD/body") == *"\"status\":\"$1\",\"version\""* ]]
}

numbers_that_promtool_reads()
{
    local said

    given_scraped
    scrape /metrics
    expect_equal "status" "$(cat "$WORLD/code")" 200
    said=$(promtool check metrics <"$WORLD/body" 2>&1) || fail "promtool: $said"
    expect_equal "what promtool says" "$said" ""
    expect_value reeve_up 1
    expect_value 'reeve_environments{sync="in_sync",health="healthy"}' 1
    expect_value 'reeve_environment_info{environment="prod",source="shop",sync="in_sync",health="healthy"}' 1
    expect_value 'reeve_rollout_duration_seconds_count{outcome="proven"}' 1
    expect_value 'reeve_rollout_duration_seconds_count{outcome="reverted"}' 0
    expect_value reeve_plans_waiting 0
    expect_value 'reeve_source_failures{source="shop"}' 0
    expect_value 'reeve_edge_up{provider="edge"}' 1
    expect_value 'reeve_provider_breaker_open{provider="local"}' 0
    expect_value 'reeve_component_health{kind="source",name="shop"}' 1
    expect_value 'reeve_http_requests_total{method="POST",route="/api/v1/tokens",status="200"}' 1
    for name in reeve_operations_total reeve_database_bytes reeve_database_wal_bytes reeve_commit_duration_seconds_count \
        process_resident_memory_bytes process_open_fds process_cpu_seconds_total reeve_loop_lag_seconds_count \
        reeve_environment_reconciled_timestamp_seconds reeve_provider_calls_total; do
        [ "$(grep "^$name[ {]" "$WORLD/body" | sed 's/.* //' | sort -n | tail -n 1 | cut -d . -f 1)" -ge 0 ] ||
            fail "no $name"
    done
    say "   $(grep -vc '^#' "$WORLD/body") lines, $(wc -c <"$WORLD/body") bytes"
}

nobody_else_reads_them()
{
    local path

    expect_equal "nobody" "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' "http://127.0.0.1:$API/metrics")" 401
    expect_equal "another token" "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer x' "http://127.0.0.1:$API/metrics")" 401
    for path in /api/v1/status /api/v1/history /api/v1/environments/prod /api/v1/environments/prod/logs /api/v1/health/detailed /api/v1/tokens; do
        scrape "$path"
        expect_equal "$path by who may scrape" "$(cat "$WORLD/code")" 403
    done
    reeve token create some --env prod >"$WORLD/some" 2>/dev/null || fail "no token"
    expect_equal "who knows some environments" "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $(cat "$WORLD/some")" "http://127.0.0.1:$API/metrics")" 403
    expect_equal "at the socket" "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$WORLD/var/reeve.sock" http://localhost/metrics)" 200
}

# What is asked for stands in no label.
no_label_is_made_outside()
{
    local name

    for name in one two three; do
        scrape "/api/v1/environments/$name-such"
        scrape "/$name"
    done
    curl -s --noproxy '*' -X "BREW" -o /dev/null "http://127.0.0.1:$API/healthz"
    scrape /metrics
    ! grep -E 'such|/one|/two|BREW' "$WORLD/body" || fail "what was asked for is a label"
    expect_value 'reeve_http_requests_total{method="GET",route="/api/v1/environments/NAME",status="403"}' 4
}

a_broken_rollout_is_counted()
{
    spec version=v2 env='APP_EXIT: "3"' deadline=2s
    deploy 'version 2, which is never ready'
    await 60 "the rollout goes back" value_is 'reeve_rollout_duration_seconds_count{outcome="reverted"}' 1
    expect_serves v1
}

a_source_that_fails_degrades()
{
    await 20 "healthy" health_is healthy
    expect_equal "status" "$(cat "$WORLD/code")" 200
    mv "$WORLD/repo/.git" "$WORLD/repo/.gone"
    fetch_now
    await 30 "degraded" health_is degraded
    expect_equal "status of what is degraded" "$(cat "$WORLD/code")" 200
    curl -s --unix-socket "$WORLD/var/reeve.sock" http://localhost/api/v1/health/detailed >"$WORLD/body"
    python3 - "$WORLD/body" <<'END' || fail "$(cat "$WORLD/body")"
import json, sys
answer = json.load(open(sys.argv[1]))
parts = {part["kind"] + "/" + part["name"]: part for part in answer["dependencies"]}
assert answer["status"] == "degraded", answer["status"]
for name in ("database/writer", "database/reader", "disk/state", "clock/clock", "outbox/outbox", "provider/local", "edge/edge"):
    assert parts[name]["status"] == "healthy", name
    assert parts[name]["response_time_ms"] >= 0, name
assert parts["source/shop"]["status"] in ("degraded", "unhealthy")
assert parts["source/shop"]["message"]
END
    mv "$WORLD/repo/.gone" "$WORLD/repo/.git"
    fetch_now
    await 30 "healthy again" health_is healthy
}

# Asking makes no provider work: a look at the edge a second, whoever asks. The daemon may look at the provider for itself just then,
# so that it is asked once more; were it read for each question there would always be more reads.
asking_asks_nobody()
{
    await 60 "the provider is not read while 40 times is asked" asking_reads_nothing
}

asking_reads_nothing()
{
    local before n

    before=$(value_of 'reeve_provider_calls_total{provider="local",call="read",answer="answered"}')
    for n in {1..40}; do
        scrape /api/v1/health
    done
    value_is 'reeve_provider_calls_total{provider="local",call="read",answer="answered"}' "$before"
}

# Each record of a request, an operation or an environment says of which, and an answer by which id.
each_record_says_what_it_belongs_to()
{
    local id

    given_world
    sed -i 's/^log: .*/log: {level: debug, format: json}/' "$WORLD/reeve.yaml"
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    curl -s -D "$WORLD/head" -o /dev/null --unix-socket "$WORLD/var/reeve.sock" http://localhost/api/v1/environments/prod/hold -d '{"reason": "a test"}'
    id=$(grep -i '^x-request-id: ' "$WORLD/head" | tr -d '\r' | cut -d ' ' -f 2)
    expect "an id of 16 digits" test ${#id} -eq 16
    expect_has "a problem" "$(curl -s -D "$WORLD/head" --unix-socket "$WORLD/var/reeve.sock" http://localhost/api/v1/nothing)" \
        "\"request\":\"$(grep -i '^x-request-id: ' "$WORLD/head" | tr -d '\r' | cut -d ' ' -f 2)\""
    stop_daemon
    python3 - "$WORLD/daemon.log" "$id" <<'END' || fail "records of the log"
import json, sys
records = [json.loads(line) for line in open(sys.argv[1]) if line.startswith("{")]
of = lambda task: [r for r in records if r.get("task") == task]
ops = of("op")
assert ops and all(r.get("env") == "prod" and r.get("plan") for r in ops), ops
assert all(r.get("op") for r in ops if r["msg"] == "task moves" and r["from"] in ("SLOT", "ACT", "SETTLE")), ops
assert len({r.get("op") for r in ops}) > 3
for task in ("env", "run", "gate", "watch", "mark"):
    assert all(r.get("env") == "prod" for r in of(task)), of(task)
assert of("request") and all(len(r.get("req", "")) == 16 for r in of("request"))
mine = [r for r in records if r.get("req") == sys.argv[2]]
assert any(r.get("task") == "command" and r.get("env") == "prod" for r in mine), mine
assert any(r["msg"] == "request" and r["status"] == "200" and r["route"] == "/api/v1/environments/NAME/hold" for r in mine), mine
print("   %d records, %d of the request, %d of operations" % (len(records), len(mine), len(ops)))
END
}

command -v promtool >/dev/null || skip "promtool is not there: apt-get install prometheus"
run_cases numbers_that_promtool_reads nobody_else_reads_them no_label_is_made_outside a_broken_rollout_is_counted \
    a_source_that_fails_degrades asking_asks_nobody each_record_says_what_it_belongs_to
