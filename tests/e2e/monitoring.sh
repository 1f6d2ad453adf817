#!/bin/bash
# monitoring: the rules are rules, and a real Prometheus that scrapes a real daemon fires them. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

DOCS=$(cd "$(dirname "$0")/../../docs/monitoring" && pwd)
CASES=$(cd "$(dirname "$0")/monitoring" && pwd)

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

# By the settings of the standard input.
start_prometheus()
{
    cat >"$WORLD/prometheus.yml"
    promtool check config "$WORLD/prometheus.yml" >"$WORLD/checked" 2>&1 || fail "$(cat "$WORLD/checked")"
    beside prometheus prometheus --config.file="$WORLD/prometheus.yml" --storage.tsdb.path="$WORLD/tsdb" \
        --web.listen-address="127.0.0.1:$((FIRST + 38))" >"$WORLD/prometheus.log" 2>&1
}

# A second stands for a minute: the rules as they are, but sooner.
given_prometheus()
{
    sed 's/for: [0-9]*[ms]/for: 0s/; s/fetch_age_seconds > 600/fetch_age_seconds > 6/' "$DOCS/rules.yaml" >"$WORLD/rules.yaml"
    start_prometheus <<END
global: {scrape_interval: 500ms, evaluation_interval: 500ms}
rule_files: [$WORLD/rules.yaml]
scrape_configs:
  - job_name: reeve
    authorization: {credentials_file: $WORLD/scrape}
    static_configs: [{targets: ["127.0.0.1:$API"]}]
END
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
    end_beside prometheus
}

ends()
{
    ! fires "$1"
}

# --- instances ------------------------------------------------------------------------------------------

# Prod with service web, of which ROW is one more line, and staging with one of another application.
given_targets()
{
    given_world
    API=$((FIRST + 35))
    write_daemon extra="  - match: {source: shop, name: staging}
    branch: main
    providers: {services: [local], domains: edge}
    domains: [\"*.example.test\"]
    isolation: none
listen: 127.0.0.1:$API"
    two_environments version=v1 replicas=2 service="    $1"
    commit 'version 1'
    start_daemon
    await_converged
    await 30 "staging is in sync" staging_is_in_sync
    reeve token create prometheus --role scrape >"$WORLD/scrape" 2>/dev/null || fail "no token"
    reeve token create some --role scrape --env 'sta*' >"$WORLD/some" 2>/dev/null || fail "no token"
}

# Words of spec.
two_environments()
{
    spec "$@" keep=60s
    cat >>"$WORLD/repo/.reeve/app.yaml" <<END
---
apiVersion: reeve/v1
kind: Application
name: other
services:
  quiet:
    command: ["$APP"]
    port: 8000
    rollout: {strategy: blue_green, min_healthy_time: 200ms, bake_time: 300ms}
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 2}}
    metrics: {path: /healthz}
---
apiVersion: reeve/v1
kind: Environment
name: staging
application: other
trigger: {branch: main}
approval: {policy: auto}
END
}

staging_is_in_sync()
{
    reeve status staging -o json | grep -q '"sync":"in_sync"'
}

# NAME: by the token in that file, the targets as lines of ADDRESS ENVIRONMENT SERVICE INSTANCE SET COLOUR COMMIT PATH.
targets()
{
    curl -s --noproxy '*' --max-time 20 -H "Authorization: Bearer $(cat "$WORLD/$1")" "http://127.0.0.1:$API/api/v1/sd/prometheus" >"$WORLD/body"
    /usr/bin/python3 - "$WORLD/body" <<'END' || fail "no targets: $(cat "$WORLD/body")"
import json, sys
for group in json.load(open(sys.argv[1])):
    assert set(group) == {"targets", "labels"}, group
    assert len(group["targets"]) == 1, group
    labels = group["labels"]
    print(group["targets"][0], *(labels[name] for name in ("environment", "service", "instance", "set", "colour", "commit", "__metrics_path__")))
END
}

# Addresses of the live set of prod, as the status says them.
live_addresses()
{
    reeve status prod -o json | /usr/bin/python3 -c 'import json, sys
for s in json.load(sys.stdin)["services"]:
    for one in s["sets"]:
        if one["state"] == "live":
            print(*sorted(i["address"] for i in one["instances"]))'
}

given_scraped_instances()
{
    start_prometheus <<END
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs:
  - job_name: services
    http_sd_configs:
      - url: http://127.0.0.1:$API/api/v1/sd/prometheus
        refresh_interval: 1s
        authorization: {type: Bearer, credentials_file: $WORLD/scrape}
END
}

# VERSION COMMIT: of prod, both instances of that version and no other are up, and carry what they are.
version_is_scraped()
{
    local up

    up=$(ask_prometheus 'query?query=up%7Benvironment%3D%22prod%22%7D%3D%3D1')
    [ "$(grep -o '"__name__":"up"' <<<"$up" | wc -l)" = 2 ] || return 1
    [ "$(grep -o "\"commit\":\"$2\"" <<<"$up" | wc -l)" = 2 ] || return 1
    [ "$(ask_prometheus 'query?query=app_info%7Benvironment%3D%22prod%22%7D' | grep -o '"version":"[a-z0-9]*"' | sort -u)" = "\"version\":\"$1\"" ]
}

instances_are_found_and_move_with_a_rollout()
{
    local before after set

    given_targets ''
    expect_equal "a service that says nothing" "$(targets scrape | grep -c ' prod ')" 0
    set=$(reeve status prod -o json | grep -o '"set":"[0-9a-f]*"' | sort -u)

    two_environments version=v1 replicas=2 service='    metrics: {}'
    deploy 'it shows numbers'
    await_converged
    expect_equal "nothing is made anew for it" "$(reeve status prod -o json | grep -o '"set":"[0-9a-f]*"' | sort -u)" "$set"
    before=$(targets scrape | grep ' prod ')
    expect_equal "addresses" "$(cut -d ' ' -f 1 <<<"$before" | sort | xargs)" "$(live_addresses)"
    expect_equal "paths" "$(cut -d ' ' -f 8 <<<"$before" | sort -u)" /metrics
    expect_equal "commit" "$(cut -d ' ' -f 7 <<<"$before" | sort -u)" "$(git -C "$WORLD/repo" rev-parse main~1)"
    expect_equal "names" "$(cut -d ' ' -f 4 <<<"$before" | sed 's/@[0-9a-f]*//' | xargs)" "web.0 web.1"
    given_scraped_instances
    await 30 "version 1 is scraped" version_is_scraped v1 "$(git -C "$WORLD/repo" rev-parse main~1)"

    two_environments version=v2 replicas=2 service='    metrics: {}'
    deploy 'version 2'
    await_converged
    after=$(targets scrape | grep ' prod ')
    expect_equal "the previous set is kept beside it" "$(reeve status prod -o json | grep -o '"state":"previous"' | wc -l)" 1
    expect_equal "two targets" "$(wc -l <<<"$after")" 2
    [ "$(cut -d ' ' -f 5,6 <<<"$before" | sort -u)" != "$(cut -d ' ' -f 5,6 <<<"$after" | sort -u)" ] || fail "the set is the same: $after"
    expect_equal "addresses" "$(cut -d ' ' -f 1 <<<"$after" | sort | xargs)" "$(live_addresses)"
    await 30 "version 2 is scraped, and no other" version_is_scraped v2 "$(head_commit)"

    two_environments version=v3 replicas=2 service='    metrics: {}'
    deploy 'version 3'
    await_converged
    expect_equal "version 2 is kept, which said metrics" "$(reeve status prod -o json | grep -o '"state":"previous"' | wc -l)" 1
    expect_equal "addresses" "$(targets scrape | grep ' prod ' | cut -d ' ' -f 1 | sort | xargs)" "$(live_addresses)"

    run 0 "prod" undo prod --reason "version 2 was better"
    await 30 "back at version 2" serves v2
    await 30 "version 2 is scraped again" version_is_scraped v2 "$(git -C "$WORLD/repo" rev-parse main~1)"
    end_beside prometheus
    say "   $(targets scrape | head -n 1)"
}

whose_they_are()
{
    given_targets 'metrics: {path: /metrics}'
    expect_equal "who may scrape" "$(targets scrape | cut -d ' ' -f 2,3,8 | sort -u | xargs)" "prod web /metrics staging quiet /healthz"
    expect_equal "who knows some environments" "$(targets some | cut -d ' ' -f 2,3 | sort -u)" "staging quiet"
    expect_equal "nobody" "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' "http://127.0.0.1:$API/api/v1/sd/prometheus")" 401
    expect_equal "who may scrape, at anything else" "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $(cat "$WORLD/some")" \
        "http://127.0.0.1:$API/api/v1/status")" 403
}

command -v prometheus >/dev/null && command -v promtool >/dev/null || skip "prometheus is not there: apt-get install prometheus"
run_cases the_rules_are_rules what_they_ask_for_is_there they_fire_on_a_broken_rollout_and_a_stale_source \
    instances_are_found_and_move_with_a_rollout whose_they_are
