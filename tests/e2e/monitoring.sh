#!/bin/bash
# monitoring: the rules are rules, and a real Prometheus that scrapes a real daemon fires them. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

DOCS=$(cd "$(dirname "$0")/../../docs/monitoring" && pwd)
CASES=$(cd "$(dirname "$0")/monitoring" && pwd)
PROMETHEUS=

end_prometheus()
{
    [ -z "$PROMETHEUS" ] || kill_child "$PROMETHEUS"
    PROMETHEUS=
}

the_rules_are_rules()
{
    local said

    given_world
    said=$(promtool check rules "$DOCS/rules.yaml" 2>&1) || fail "$said"
    cp "$DOCS/rules.yaml" "$CASES/rules_test.yaml" "$WORLD/"
    said=$(cd "$WORLD" && promtool test rules rules_test.yaml 2>&1) || fail "$said"
    say "   $(grep -c 'alert:' "$DOCS/rules.yaml") alerts"
}

# What the rules and the dashboard ask for is in the table of what there is.
what_they_ask_for_is_there()
{
    local name

    for name in $(grep -oh '\b\(reeve\|process\)_[a-z_]*' "$DOCS/rules.yaml" "$DOCS/dashboard.json" | sort -u); do
        grep -q "^| \`${name%_bucket}\`\|^| \`${name%_count}\`" "$DOCS/../metrics.md" || fail "there is no $name"
    done
    python3 -c 'import json, sys; assert len(json.load(open(sys.argv[1]))["panels"]) > 10' "$DOCS/dashboard.json" ||
        fail "the dashboard is no JSON"
}

# A second stands for a minute: the rules as they are, but sooner.
given_prometheus()
{
    sed 's/for: [0-9]*[ms]/for: 0s/; s/fetch_age_seconds > 600/fetch_age_seconds > 6/' "$DOCS/rules.yaml" >"$WORLD/rules.yaml"
    cat >"$WORLD/prometheus.yml" <<END
global: {scrape_interval: 500ms, evaluation_interval: 500ms}
rule_files: [$WORLD/rules.yaml]
scrape_configs:
  - job_name: reeve
    authorization: {credentials_file: $WORLD/scrape}
    static_configs: [{targets: ["127.0.0.1:$API"]}]
END
    promtool check config "$WORLD/prometheus.yml" >"$WORLD/checked" 2>&1 || fail "$(cat "$WORLD/checked")"
    prometheus --config.file="$WORLD/prometheus.yml" --storage.tsdb.path="$WORLD/tsdb" \
        --web.listen-address="127.0.0.1:$((FIRST + 38))" >"$WORLD/prometheus.log" 2>&1 9>&- &
    PROMETHEUS=$!
    trap 'status=$?; end_prometheus; end_script $status' EXIT
}

ask_prometheus()
{
    curl -s --noproxy '*' --max-time 10 "http://127.0.0.1:$((FIRST + 38))/api/v1/$1"
}

fires()
{
    [[ $(ask_prometheus alerts) == *"\"alertname\":\"$1\""*'"state":"firing"'* ]]
}

is_scraped()
{
    [[ $(ask_prometheus 'query?query=up') == *'"job":"reeve"'*',"1"]'* ]]
}

they_fire_on_a_broken_rollout_and_a_stale_source()
{
    given_world
    API=$((FIRST + 35))
    write_daemon poll=1s extra="listen: 127.0.0.1:$API"
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    reeve token create prometheus --role scrape >"$WORLD/scrape" 2>/dev/null || fail "no token"
    given_prometheus
    await 30 "Prometheus scrapes it" is_scraped
    ! fires ReeveRolloutBroken || fail "an alert fires while all is well"
    ! fires ReeveSourceStale || fail "an alert fires while all is well"

    spec version=v2 env='APP_EXIT: "3"' deadline=2s
    deploy 'version 2, which ends at once'
    await 60 "the alert of a broken rollout" fires ReeveRolloutBroken
    await 30 "the alert of its environment" fires ReeveEnvironmentFailed
    expect_serves v1

    mv "$WORLD/repo/.git" "$WORLD/repo/.gone"
    await 60 "the alert of a stale source" fires ReeveSourceStale
    mv "$WORLD/repo/.gone" "$WORLD/repo/.git"
    fetch_now
    await 60 "it ends when the source is read" ends ReeveSourceStale

    kill_daemon
    await 30 "the alert of a daemon that is gone" fires ReeveDown
    say "   $(ask_prometheus alerts | grep -o '"alertname":"[A-Za-z]*"' | sort -u | tr '\n' ' ')"
    end_prometheus
}

ends()
{
    ! fires "$1"
}

command -v prometheus >/dev/null && command -v promtool >/dev/null || skip "prometheus is not there: apt-get install prometheus"
run_cases the_rules_are_rules what_they_ask_for_is_there they_fire_on_a_broken_rollout_and_a_stale_source
