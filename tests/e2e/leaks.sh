#!/bin/bash
# leaks: what is secret is planted wherever somebody may put it, and found nowhere. SPDX-License-Identifier: Apache-2.0
#
# One value for each place, so that what is found says where it came from. e2e/secrets follows a value that is where
# it belongs.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/canary.sh"

PLACES='environment file program log spec header query body hook'

# The value of that place.
planted()
{
    echo "$1-$CANARY"
}

given_leaks()
{
    given_world
    API=localhost:$((FIRST + 35)) HOOKS=localhost:$((FIRST + 36))
    mkdir "$WORLD/secrets"
    planted file >"$WORLD/secrets/filed"
    planted log >"$WORLD/secrets/logged"
    printf '#!/bin/sh\necho "said $LOGGED to all"\nexec "%s"\n' "$APP" >"$WORLD/talker"
    chmod 700 "$WORLD/talker"
    printf '#!/bin/sh\necho %s\n' "$(planted program)" >"$WORLD/program"
    chmod 700 "$WORLD/program"
    write_daemon rule="    secrets: [{path: \"env:token\", for: services}, {path: \"files:filed\", for: services}, {path: \"files:logged\", for: services}, {path: \"program:x\", for: services}]" \
        extra="listen: $API
listen_hooks: $HOOKS
secrets: {default: env, stores: {env: {type: env, prefix: E2E_}, files: {type: file, directory: $WORLD/secrets}, program: {type: exec, command: [$WORLD/program]}}}"
    sed -i "s|poll: 30s|poll: 30s, webhook: {type: github, secret: {secret: hook}}|
        s|^auth: .*|auth: {same_user: allow, people: {ann: {}}, roles: {viewer: [user:ann]}}|" "$WORLD/reeve.yaml"
    leaky_spec version=v1
    commit 'version 1'
    start_daemon E2E_TOKEN="$(planted environment)" E2E_HOOK="$(planted environment)"
    await_converged
    reeve token create ops --role viewer >"$WORLD/ops" 2>/dev/null || fail "no token"
    reeve --quiet people password ann <<<'a password of ann' || fail "no password"
    : >"$WORLD/answers"
}

# Words of spec. The service prints one of its values.
leaky_spec()
{
    spec command="$WORLD/talker" env='TOKEN: {secret: token}, FILED: {secret: filed}, PROGRAM: {secret: program}, LOGGED: {secret: logged}' "$@"
    sed -i 's|^services:|secrets: {token: {}, filed: {store: files}, logged: {store: files}, program: {store: program, path: x}}\n&|' "$WORLD/repo/.reeve/app.yaml"
}

# --- asking -------------------------------------------------------------------------------------------

# One program asks for all that was added, and keeps all that is answered.
add()
{
    [ ! -s "$WORLD/asked" ] || echo next
    printf '%s\n' 'silent' 'include' 'max-time = 20' 'noproxy = "*"'
    printf '%s = "%s"\n' "$@"
}

ask()
{
    add url "http://$API$1" "${@:2}" >>"$WORLD/asked"
}

hook()
{
    add url "http://$HOOKS$1" header 'X-GitHub-Event: push' "${@:2}" >>"$WORLD/asked"
}

# At the socket, as an admin.
near()
{
    add unix-socket "$WORLD/var/reeve.sock" url "http://localhost$1" "${@:2}" >>"$WORLD/asked"
}

answers_come()
{
    local before

    before=$(n_answers)
    curl -K "$WORLD/asked" >>"$WORLD/answers" 2>&1
    expect_equal "answers" $(($(n_answers) - before)) "$(grep -c '^url' "$WORLD/asked")"
    say "   $(grep -c '^url' "$WORLD/asked") requests answered: $(n_answers 4) refused so far"
    rm "$WORLD/asked"
}

# Bodies end without a line.
n_answers()
{
    grep -ao "HTTP/1.1 ${1:-[245]}" "$WORLD/answers" | wc -l
}

# Every GET that the daemon documents; a stream has no end, and is cut.
everything_asked()
{
    local path

    curl -s --unix-socket "$WORLD/var/reeve.sock" http://localhost/api/v1/openapi.json |
        python3 -c 'import json, sys; print("\n".join(p for p, m in json.load(sys.stdin)["paths"].items() if "get" in m))' |
        sed "s|environments/{[^}]*}|environments/prod|; s|plans/{[^}]*}|plans/$(plan_id)|; s|people/{[^}]*}|people/ann|; s|{[^}]*}|1|" >"$WORLD/paths"
    [ "$(wc -l <"$WORLD/paths")" -gt 25 ] || fail "no routes: $(cat "$WORLD/paths")"
    while read -r path; do
        [ "$path" = /api/v1/events ] || near "$path"
    done <"$WORLD/paths"
    near /metrics
    curl -s -K "$WORLD/asked"
    rm "$WORLD/asked"
    curl -s --max-time 1 --unix-socket "$WORLD/var/reeve.sock" 'http://localhost/api/v1/events?after=0'
    reeve audit export
}

# --- looking ------------------------------------------------------------------------------------------

# But in what the service itself wrote, which is not told.
nothing_is_found()
{
    local place values

    everything_told >"$WORLD/shown.txt" 2>&1
    everything_asked >>"$WORLD/shown.txt" 2>&1
    grep -qa '"kind":"rollout.applied"' "$WORLD/shown.txt" || fail "nothing was told at all"
    values=$(for place in $PLACES; do planted "$place"; done)
    for place in $values; do
        spellings "$place"
    done >"$WORLD/spellings"
    expect_equal "where one of them stands" \
        "$(grep -raoFf "$WORLD/spellings" --exclude=log "$WORLD/var" "$WORLD/daemon.log" "$WORLD/answers" "$WORLD/shown.txt" | sort -u)" ""
    no_process_shows "$values"
    nobody_writes_a_core
}

# --- planting -----------------------------------------------------------------------------------------

where_it_belongs()
{
    given_leaks
    expect "it is delivered" services_have "TOKEN=$(planted environment)"
    grep -qF "said $(planted log) to all" "$WORLD"/var/services/run/*/log || fail "the service wrote nothing"
    expect_has "what is told of it" "$(reeve logs prod)" 'said *** to all'
    nothing_is_found
}

in_headers()
{
    local value name path token

    value=$(planted header) token="Authorization: Bearer $(cat "$WORLD/ops")"
    for name in "Authorization: Bearer" "Authorization: Basic" "Authorization: bearer rvt_0123456789abcdef_" Authorization: \
        "Cookie: reeve=" "Cookie: __Host-reeve=" "Cookie: other=" X-CSRF-Token: Idempotency-Key: Last-Event-ID: If-None-Match: Referer: \
        User-Agent: X-Forwarded-For: X-Hub-Signature: X-Hub-Signature-256: X-Gitlab-Token: X-Gitea-Signature: X-Reeve-Signature: \
        X-GitHub-Delivery: Content-Encoding: Content-Type:; do
        ask /api/v1/status header "$name $value"
        ask /api/v1/environments/prod/hold header "$token" header "$name $value" data '{\"reason\":\"x\"}'
        near /api/v1/environments/prod/resume header "$name $value" data '{}'
        hook /hooks/github/shop header "$name $value" data '{}'
        hook /hooks/gitlab header "$name $value" data '{}'
    done
    near /api/v1/events header "Last-Event-ID: $value"
    ask /api/v1/status user "ann:$value"
    answers_come
}

in_queries()
{
    local value name path

    value=$(planted query)
    for name in access_token token password private_token after before limit at_ms from_ms wait_ms lines kind; do
        for path in status environments history environments/prod/logs environments/prod/history; do
            near "/api/v1/$path?$name=$value"
        done
        ask "/api/v1/history?$name=$value" header "Authorization: Bearer $(cat "$WORLD/ops")"
        ask "/api/v1/history?$name=$value"
        hook "/hooks/github/shop?$name=$value" data '{}'
    done
    answers_come
}

in_bodies()
{
    local value body path

    value=$(planted body)
    for body in '{"name":"ann","password":"VALUE"}' '{"name":"ann","password":["VALUE"]}' '{"password":"VALUE"' '{"password":VALUE}' \
        '{"name":"ann","secret":"VALUE"}' '{"reason":{"x":"VALUE"}}' VALUE '"VALUE"' 'password=VALUE' '{"x":"VALUE\ud800"}'; do
        body=${body//VALUE/$value} body=${body//\\/\\\\}
        for path in sign-in tokens environments/prod/rollback environments/prod/adopt; do
            near "/api/v1/$path" data "${body//\"/\\\"}"
            ask "/api/v1/$path" header "Authorization: Bearer $(cat "$WORLD/ops")" data "${body//\"/\\\"}"
        done
        hook /hooks/github/shop header 'X-Hub-Signature-256: sha256=00' data "$(sed "s/$value/$(planted hook)/; s/\"/\\\\\"/g" <<<"$body")"
    done
    near /api/v1/people/ann/password data "{\\\"password\\\":[\\\"$value\\\"]}"
    near /api/v1/people/ann/password data "{\\\"password\\\":\\\"$value\\\"}"
    ask /api/v1/sign-in data "{\\\"name\\\":\\\"ann\\\",\\\"password\\\":\\\"$value\\\"}"
    ask /api/v1/sign-in data "{\\\"name\\\":\\\"ann\\\",\\\"password\\\":\\\"$value.\\\"}"
    answers_come
    nothing_is_found
}

is_refused()
{
    reeve status -o json | grep -q "\"commit\":\"$(head_commit)\"" && [[ $(explained) == *app.yaml* ]]
}

# What somebody wrote into a spec by mistake, so that it is none.
in_errors_of_specs()
{
    local value bad

    value=$(planted spec)
    for bad in "environment: {PASSWORD: {value: $value}}" "environment: {PASSWORD: [$value]}" "environment: {PASSWORD: \"$value" \
        "replicas: $value" "environment: {PASSWORD: *$value}" "environment: {PASSWORD: !$value x}" "password: $value" \
        "rollout: {strategy: $value}" "healthcheck: {readiness: {http: {path: $value}}}" "$value"; do
        leaky_spec version=v2
        awk -v bad="    $bad" -v key="    ${bad%%:*}:" 'index($0, key) != 1 { print } /^    port: / { print bad }' "$WORLD/repo/.reeve/app.yaml" >"$WORLD/app.yaml"
        mv "$WORLD/app.yaml" "$WORLD/repo/.reeve/app.yaml"
        deploy "a mistake"
        await 20 "it is told: $bad" is_refused
        explained >>"$WORLD/answers"
    done
    nothing_is_found
    leaky_spec version=v2
    deploy "right again"
    await_converged
}

# A store that says more than it should, and a password in a URL.
in_errors_of_providers()
{
    printf '#!/bin/sh\necho "no login with %s" >&2\necho "%s"\nexit 1\n' "$(planted program)" "$(planted program)" >"$WORLD/program"
    reeve apply prod --timeout 20 >>"$WORLD/answers" 2>&1
    await 20 "it is told" is_explained "in store 'program'"
    explained >>"$WORLD/answers"
    nothing_is_found
    stop_daemon
    nothing_is_found_of_a_password
}

nothing_is_found_of_a_password()
{
    local value

    value=$(planted spec)
    sed "s|url: \"file://|url: \"https://ann:$value@|" "$WORLD/reeve.yaml" >"$WORLD/wrong.yaml"
    reeve serve --config "$WORLD/wrong.yaml" >"$WORLD/said" 2>&1 9>&- && fail "it starts"
    expect_has "what it says" "$(cat "$WORLD/said")" 'without a password'
    expect_has_not "what it says" "$(cat "$WORLD/said")" "$value"
    run 0 "rows are what the events say" audit verify --replay
}

run_cases where_it_belongs in_headers in_queries in_bodies in_errors_of_specs in_errors_of_providers
