#!/bin/bash
# api: all that a daemon says in its life is as the document says which it serves. SPDX-License-Identifier: Apache-2.0
#
# Every command and every question goes through a recorder; a referee that shares no code with us reads the record.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/npm.sh"

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
ME=$(id -un)
DATABASE='databases: {main: {engine: postgres, version: ">=15", storage: 10G}}'
KEPT=$(dirname "$REEVE")/session # of the last run, to look at
/usr/bin/python3 -c 'import jsonschema' 2>/dev/null || skip "python3-jsonschema is not here"
rm -rf "$KEPT"
mkdir "$KEPT" || exit 1

# Words of spec.
write_story()
{
    spec keep=60s env='DATABASE_URL: {database: main, key: url}' "$@"
    sed -i "s|^domains:|jobs:\\n  tidy: {command: [echo, tidied]}\\n  nightly: {command: ['true'], schedule: '30 3 * * *', tz: Europe/Berlin}\\n$DATABASE\\ndomains:|" \
        "$WORLD/repo/.reeve/app.yaml"
    printf 'secrets: {hook: {}}\nnotifications: [{type: slack, url: {secret: hook}, on: [drift]}]\n' >>"$WORLD/repo/.reeve/app.yaml"
}

given_recorder()
{
    export REEVE_SERVER=$WORLD/recorder.sock
    beside recorder /usr/bin/python3 "$ROOT/tests/support/api_recorder.py" "$REEVE_SERVER" "$WORLD/var/reeve.sock" "$KEPT/record" \
        >"$WORLD/recorder.log" 2>&1
    await 20 "the recorder listens" test -S "$REEVE_SERVER"
}

given_story()
{
    given_world
    ssh-keygen -q -t ed25519 -N '' -f "$WORLD/key" || fail "no key"
    write_daemon poll=1s providers="  stores: {driver: \"null\", directory: $WORLD/stores}" rule='    secrets: [{path: "env:hook", for: notify}]' \
        extra="  - match: {source: other, name: prod}
    branch: next
    providers: {services: [local], domains: edge}
    domains: [\"*.example.test\"]
    isolation: none
secrets: {default: env, stores: {env: {type: env, prefix: REEVE_SECRET_}}}
notifications: [{type: slack, url: {secret: own_hook}, on: [drift]}]"
    sed -i "s/domains: edge}/domains: edge, databases: [stores]}/; s|^sources: {|&other: {url: \"file://$WORLD/repo\", branches: [next], poll: 30s}, |
        s|^auth: .*|auth: {same_user: allow, local: {admin: [user:$ME], override: [user:$ME]}, roles: {viewer: [\"*\"]}, people: {ann: {local: $ME, keys: [\"$(<"$WORLD/key.pub")\"]}}}|" \
        "$WORLD/reeve.yaml"
    given_recorder
    write_story version=v1
    commit 'version 1'
    git -C "$WORLD/repo" branch next "$(git -C "$WORLD/repo" commit-tree -m empty "$(git -C "$WORLD/repo" mktree </dev/null)")"
    start_daemon
    await_converged
}

# ask PATH [BODY]: as a program does; what is asked for with a body is a POST.
ask()
{
    curl -s --max-time 60 --unix-socket "$REEVE_SERVER" ${2:+-d "$2"} "http://localhost/api/v1/$1" 9>&-
}

# Every list to its end, by its cursor.
ask_pages()
{
    local next= answer

    for i in {1..200}; do
        answer=$(ask "$1?limit=$2$next${3:-}")
        expect_has_not "$1" "$answer" '"code"'
        printf '%s\n' "$answer" >>"$WORLD/pages"
        next=$(grep -o '"next":"[^"]*"' <<<"$answer" | cut -d '"' -f 4)
        [ -n "$next" ] || return 0
        next="&cursor=$next"
    done
    fail "$1 has no last page"
}

deploy_waiting()
{
    write_story approval=manual "$@"
    deploy "$*"
    await 20 "a plan of it waits" waits_at_head
    PLAN=$(plan_id)
}

waits_at_head()
{
    sync_is waiting && is_considered && [[ $(reeve plan prod -o json) == *"\"commit\":\"$(head_commit)\""* ]]
}

is_kept()
{
    reeve status prod | grep -q 'database/main  *kept'
}

is_loose()
{
    ls "$WORLD"/stores/loose*.json >/dev/null 2>&1
}

says_yes()
{
    reeve "$@" >/dev/null 2>&1
}

# --- the story ----------------------------------------------------------------------------------------

plans_are_made_and_decided()
{
    local old

    given_story
    run 0 'tidy is done' run prod tidy --reason 'by hand'
    ask environments/prod/notifications/test '{"to":"slack:hook"}' >/dev/null
    git -C "$WORLD/repo" checkout -q -b feature
    write_story version=feature
    commit 'a feature'
    git -C "$WORLD/repo" tag light
    sed -i 's/^    port: 8000/    prot: 8000/' "$WORLD/repo/.reeve/app.yaml"
    commit 'a mistake'
    git -C "$WORLD/repo" checkout -q main
    run 0 'v1 -> feature' plan prod --ref light
    run 4 "did you mean 'port'" plan prod --ref feature
    deploy_waiting version=v2
    old=$PLAN
    deploy_waiting version=v3
    run 7 'is superseded by' approve "$old" --reason seen
    run 0 '' reject "$PLAN" --reason 'not today'
    deploy_waiting version=v4
    run 0 'in sync' approve "$PLAN" --reason seen --sign "$WORLD/key"
    await_converged
    deploy_waiting version=v5
    run 0 'in sync' approve "$PLAN" --override --reason 'nobody is there'
    await_converged
    run 0 '' apply prod
    expect_serves v5
}

people_stop_it_and_let_it_go_on()
{
    run 0 '' undo prod --reason 'it is slow'
    expect_serves v4
    run 0 '' hold prod --reason 'launch day' --until 18h
    run 5 'held' rollback prod 1 --reason 'back'
    ask environments/prod/holds >/dev/null
    ask environments/prod/quarantine >/dev/null
    run 0 '' resume prod --reason 'it is over'
    await 20 "nothing is left to do" is_considered
    run 0 'revision 1' rollback prod 1 --reason 'back'
    run 0 '' retry prod --reason 'the shop was closed'
    deploy_waiting version=v6 rollout='auto_promote: false'
    run 0 '' approve "$PLAN" --reason seen --no-wait
    await 30 "it waits with what is ready, and goes on" says_yes advance prod --reason 'looks good'
    await_converged
    deploy_waiting version=v7 bake=60s
    run 0 '' approve "$PLAN" --reason seen --no-wait
    await 30 "it is being applied, and goes back" says_yes cancel prod --reason 'the wrong one'
    await 30 "it went back" serves v6
    run 0 'the clock is believed' resume --clock --reason 'it is right'
}

things_come_and_go()
{
    local id

    spec keep=60s version=v8 approval=manual
    deploy 'without a database'
    await 20 "a plan of it waits" waits_at_head
    run 0 '' approve "$(plan_id)" --reason 'it is not needed'
    await 30 "it is kept" is_kept
    run 0 '' forget prod database/main --reason 'it moves out'
    await 20 "a plan of it waits" sync_is waiting
    run 0 '' approve "$(plan_id)" --reason 'it moves out'
    await 30 "it is nobody's" is_loose
    id=$(basename "$WORLD"/stores/loose*.json .json)
    run 0 '' adopt prod database/main "$id" --reason 'and back in'
    run 0 '' rebind prod other next --reason 'the shop moves'
}

programs_get_tokens()
{
    local id

    run 0 '' token create ci --role operator --env 'pr-*' --expires 90d
    run 7 "there is a token 'ci'" token create ci
    run 0 'ci' token list
    id=$(reeve token list -o json | grep -o '"id":"[0-9a-f]*"' | head -n 1 | cut -d '"' -f 4)
    run 0 '' token revoke "$id" --reason 'ci was moved'
}

# signed_in PATH [OPTION..]: ann asks, by her cookie.
signed_in()
{
    curl -s --unix-socket "$REEVE_SERVER" -H "Cookie: $COOKIE" "${@:2}" "http://localhost/api/v1/$1" 9>&-
}

people_sign_in()
{
    local said

    ask sign-in '{"name":"ann","password":"never set"}' >/dev/null
    run 0 '' people password ann <<<'correct horse battery'
    run 0 'ann ' people list
    said=$(curl -s -i --unix-socket "$REEVE_SERVER" -d '{"name":"ann","password":"correct horse battery"}' http://localhost/api/v1/sign-in 9>&-)
    COOKIE=$(grep -iom1 '^set-cookie: [^;]*' <<<"$said" | cut -d ' ' -f 2)
    run 0 'password' people sessions ann
    expect_has "who she is" "$(signed_in me)" '"actor":"person:ann"'
    ask me >/dev/null
    signed_in environments/prod/hold -d '{"reason":"no token"}' >/dev/null
    signed_in sign-out -X POST -H "X-CSRF-Token: $(signed_in me | grep -o '"csrf":"[^"]*"' | cut -d '"' -f 4)" >/dev/null
    expect_has "she is out" "$(signed_in me)" UNKNOWN_ACTOR
    run 0 'over' people sign-out ann
}

everything_is_looked_at()
{
    local list tag

    for list in 'status' 'status prod' 'plan prod' 'plan --all' 'plan prod --diff 1 2' 'history prod' 'history' 'explain prod' \
        'explain prod/service/web' 'explain prod/job/tidy' 'logs prod' 'logs prod web -n 3' 'audit verify' 'audit verify --replay' 'audit export' 'audit report' 'audit anchor' \
        'history prod --at now' 'history prod --diff --from -1h' 'history prod/service/web' 'notify list' 'notify list prod' 'doctor'; do
        reeve $list >/dev/null 2>&1
    done
    for list in environments/prod/plans environments/prod/revisions environments/prod/operations environments/prod/rollouts \
        environments history; do
        ask_pages "$list" 20
        ask_pages "$list" 1000
    done
    ask_pages history 50 '&newest=1&bodies=0&env=prod'
    for list in environments/prod/jobs sources providers openapi.json 'events?after=0' environments/nobody 'history?limt=1' 'history?limit=x' \
        environments/prod/plans?cursor=x plans/000000 nothing 'environments/prod/logs?service=nobody'; do
        ask "$list" >/dev/null
    done
    tag=$(curl -s -D - -o /dev/null --unix-socket "$REEVE_SERVER" http://localhost/api/v1/openapi.json 9>&- | sed -n 's/^etag: //Ip' | tr -d '\r')
    expect_equal "what is known already" "$(curl -s -w '%{http_code}' -H "If-None-Match: $tag" --unix-socket "$REEVE_SERVER" \
        http://localhost/api/v1/openapi.json 9>&-)" 304
    ask notifications/test '{}' >/dev/null
    ask environments/prod/notifications/test '{"to":"slack:nobody"}' >/dev/null
    ask environments/prod/hold '{"force":true}' >/dev/null
    ask environments/prod/hold '{"reason":' >/dev/null
    ask operations/nobody/settle '{"as":"done","reason":"x"}' >/dev/null
}

# Of one list in both ways: every row once, in the same order.
pages_hold_everything()
{
    local one many

    for list in plans revisions operations rollouts; do
        : >"$WORLD/pages"
        ask_pages "environments/prod/$list" 1000
        one=$(rows_of "$list")
        : >"$WORLD/pages"
        ask_pages "environments/prod/$list" 3
        many=$(rows_of "$list")
        expect_equal "rows of $list" "$many" "$one"
        expect "there are several $list: $(wc -l <<<"$one")" test "$(wc -l <<<"$one")" -gt 3
    done
}

rows_of()
{
    /usr/bin/python3 -c 'import json, sys
for line in open(sys.argv[1]):
    for row in json.loads(line)[sys.argv[2]]:
        print(json.dumps(row, sort_keys=True))' "$WORLD/pages" "$1"
}

an_operation_is_settled()
{
    local uid

    stop_daemon
    given_world
    given_recorder
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    spec version=v2 service="    release: {command: [/bin/sh, -c, \"kill -9 \$PPID; sleep 30\"], schema_change: contract}"
    deploy 'contracts'
    await 20 "it is parked" sync_is parked
    uid=$(reeve doctor 2>&1 | grep -o 'reeve settle [^ ]*' | cut -d ' ' -f 3)
    run 0 '' settle "$uid" --as done --reason 'the columns are gone'
    await_converged
}

a_bundle_is_brought()
{
    stop_daemon
    given_world
    ssh-keygen -q -t ed25519 -N '' -f "$WORLD/key" || fail "no key"
    sed -i "s|^auth: .*|auth: {same_user: allow, people: {ann: {local: $ME, keys: [\"$(<"$WORLD/key.pub")\"]}}}|" "$WORLD/reeve.yaml"
    given_recorder
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    git clone -q "$WORLD/repo" "$WORLD/ours"
    mv "$WORLD/repo" "$WORLD/away"
    mv "$WORLD/ours" "$WORLD/repo"
    spec version=v2
    commit 'version 2'
    git -C "$WORLD/repo" bundle create -q "$WORLD/fix.bundle" origin/main..main || fail "no bundle"
    ssh-keygen -q -Y sign -n reeve-bundle -f "$WORLD/key" "$WORLD/fix.bundle" 2>/dev/null || fail "not signed"
    mv "$WORLD/repo" "$WORLD/ours"
    run 0 '' apply shop --bundle "$WORLD/fix.bundle" --reason 'the git host is down'
    await 30 "it is served" serves v2
}

# --- in fewer bytes -----------------------------------------------------------------------------------

# raw PATH [MORE..]: past the recorder, which reads no gzip.
raw()
{
    local path=$1

    shift
    curl -sS --noproxy '*' --unix-socket "$WORLD/var/reeve.sock" "$@" "http://localhost/api/v1/$path" 9>&-
}

what_is_packed_is_the_same()
{
    local head tag path plain packed

    for path in openapi.json 'history?limit=200' "plans/$(plan_id prod)"; do
        raw "$path" >"$WORLD/plain"
        raw "$path" --compressed >"$WORLD/unpacked"
        raw "$path" -H 'Accept-Encoding: gzip' >"$WORLD/packed"
        cmp "$WORLD/plain" "$WORLD/unpacked" || fail "$path is another one"
        gzip -t "$WORLD/packed" || fail "$path is no gzip"
        plain=$(wc -c <"$WORLD/plain") packed=$(wc -c <"$WORLD/packed")
        [ "$packed" -lt $((plain / 2)) ] || fail "$path: $packed of $plain bytes"
        say "   $path: $packed of $plain bytes"
    done
    head=$(raw openapi.json -I -H 'Accept-Encoding: gzip' | tr -d '\r')
    expect_has "its head says how" "$head" 'Content-Encoding: gzip'
    expect_has "and how long" "$head" "Content-Length: $(raw openapi.json -H 'Accept-Encoding: gzip' | wc -c)"
    tag=$(grep -i '^etag: ' <<<"$head" | cut -d ' ' -f 2-)
    expect_equal "who has it" "$(raw openapi.json -o "$WORLD/none" -w '%{http_code} %{size_download}' -H 'Accept-Encoding: gzip' -H "If-None-Match: $tag")" '304 0'
    expect_equal "who has it otherwise" "$(raw openapi.json -o "$WORLD/none" -w '%{http_code}' -H "If-None-Match: $tag")" 200
    head=$(raw openapi.json -I -H 'Accept-Encoding: gzip' -H 'Sec-Fetch-Site: cross-site')
    expect_has_not "not for a page of others" "$head" 'Content-Encoding'
    expect_has_not "nor what holds a secret" "$(raw me -I -H 'Accept-Encoding: gzip')" 'Content-Encoding'
    expect_has_not "nor logs, which others write into" "$(raw 'environments/prod/logs?lines=2000' -I -H 'Accept-Encoding: gzip')" 'Content-Encoding'
    expect_has_not "nor a stream" "$(raw events --max-time 1 -D - -o "$WORLD/none" -H 'Accept-Encoding: gzip' 2>&1)" 'Content-Encoding'
}

# --- the referees -------------------------------------------------------------------------------------

judge()
{
    /usr/bin/python3 "$ROOT/tests/support/api_referee.py" "$KEPT/served" "$KEPT/record" "$@"
}

# What the story has no place for is asked all the same, if in vain.
the_rest_is_asked()
{
    local method path

    ask openapi.json >"$KEPT/served"
    judge missing >"$KEPT/missing" || fail "the referee"
    while read -r method path && [ -n "$path" ]; do
        path=${path#/api/v1/}
        path=${path//\{name\}/prod}
        case $method in
        GET) ask "${path//\{*\}/0}" >/dev/null ;;
        *) ask "${path//\{*\}/0}" '{}' >/dev/null ;;
        esac
        say "   $method $path"
    done <"$KEPT/missing"
}

all_of_it_is_as_documented()
{
    reeve schema api -o json >"$KEPT/printed"
    expect_equal "what is served and what is printed" "$(<"$KEPT/served")" "$(<"$KEPT/printed")"
    judge >"$KEPT/said" 2>&1 || fail "$(<"$KEPT/said")"
    say "   $(<"$KEPT/said")"
}

the_document_is_openapi()
{
    if npm_brings @seriousme/openapi-schema-validator@2.11.0; then
        cp "$KEPT/served" "$KEPT/served.json"
        node "$MODULES/@seriousme/openapi-schema-validator/bin/validate-api-cli.js" "$KEPT/served.json" >"$KEPT/said" 2>&1 ||
            fail "$(<"$KEPT/said")"
        say "   $(tr -d '\n\t' <"$KEPT/said")"
    else
        say "   not asked: $MISSING"
    fi
}

run_cases plans_are_made_and_decided people_stop_it_and_let_it_go_on things_come_and_go programs_get_tokens people_sign_in \
    everything_is_looked_at pages_hold_everything what_is_packed_is_the_same an_operation_is_settled a_bundle_is_brought the_rest_is_asked \
    all_of_it_is_as_documented the_document_is_openapi
