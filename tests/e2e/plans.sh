#!/bin/bash
# plans: as people read them and as programs do, of what is and of what might be. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

ROOT=$(cd "$(dirname "$0")/../.." && pwd)

waits_at_head()
{
    sync_is waiting && is_considered && [[ $(reeve plan prod -o json) == *"\"commit\":\"$(head_commit)\""* ]]
}

await_waiting()
{
    await 20 "a plan of the newest commit waits" waits_at_head
    PLAN=$(plan_id)
}

# --- members ------------------------------------------------------------------------------------------

# Another service that asks web for something, which gives web an address of its own.
API='  api:
    command: ["'$APP'"]
    port: 8000
    environment: {WEB: {service: web, key: internal_url}}
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 2}}
    rollout: {strategy: blue_green, healthy_deadline: 5s, progress_deadline: 8s, min_healthy_time: 200ms, bake_time: 300ms, keep_previous: 60s}
    termination: {drain: 5s, stop_grace_period: 500ms}'
RELEASE='    release: {command: ["true"], run: manual}'

keep_plan()
{
    reeve plan "${2:-prod}" -q -o json >"$WORLD/$1.json" || fail "no plan of ${2:-prod}"
}

apply_failed()
{
    keep_plan failed
    grep -q '"state":"\(failed\|reverted\)"' "$WORLD/failed.json"
}

# By a rule that asks for all that can be asked of those who approve.
keep_asked()
{
    given_world
    write_daemon rule='    floor: {approval: manual, approvers: ["group:ops"], signed: true}'
    spec
    sed -i 's/^approval: .*/approval: {policy: manual, allow_self: true}/' "$WORLD/repo/.reeve/app.yaml"
    commit 'version 1'
    start_daemon
    await_waiting
    reeve plan prod -o json
}

# Of every kind: applied, waiting, approved, superseded and failed.
members_are_those_of_the_docs()
{
    local asked

    asked=$(keep_asked 2>&1) || fail "$asked"
    given_world
    printf '%s\n' "$asked" >"$WORLD/asked.json"
    spec version=v1 more="$API" keep=60s
    commit 'version 1'
    start_daemon
    await_converged
    keep_plan applied
    spec version=v2 more="$API" keep=60s rollout='auto_promote: false' service="$RELEASE"
    sed -i 's|routes: {/: {service: web}}|routes: {/: {service: web, rate_limit: {requests: 100, per: 1s}}}|' \
        "$WORLD/repo/.reeve/app.yaml"
    deploy 'version 2'
    await_waiting
    keep_plan waiting
    run 0 '' approve "$PLAN" --reason seen --no-wait
    await 30 "it waits with what is ready, and goes on" reeve advance prod
    await_converged
    keep_plan approved
    spec version=v3 more="$API" keep=60s approval=manual
    deploy 'version 3'
    await_waiting
    keep_plan clearing
    OLD=$PLAN
    spec version=v4 more="$API" keep=60s approval=manual
    deploy 'version 4'
    await_waiting
    keep_plan superseded "$OLD"
    spec version=v5 more="$API" keep=60s env='APP_HEALTH: fail' deadline=1s approval=manual
    deploy 'version 5'
    await_waiting
    reeve approve "$PLAN" --reason 'it fails' --timeout 60 >/dev/null 2>&1
    await 30 "it failed" apply_failed
    reeve schema api >"$WORLD/openapi"
    python3 "$ROOT/tests/support/plan_members.py" "$WORLD/openapi" "$WORLD"/*.json >"$WORLD/said" 2>&1 ||
        fail "$(cat "$WORLD/said")"
}

# --- as text ------------------------------------------------------------------------------------------

# on COLUMNS WORDS..: what a terminal of that width gets, without its colours.
on()
{
    local columns=$1

    shift
    TERM=xterm script -qec "stty cols $columns && '$REEVE' $*" /dev/null 9>&- | tr -d '\r' | sed 's/\x1b\[[0-9;]*m//g'
}

longest_row()
{
    wc -L <<<"$1"
}

# The plan that waits in a world whose version 1 serves.
given_waiting()
{
    given_served more="$API"
    spec version=v2 bake=100ms approval=manual more="$API" \
        env='MOTTO: a value that a person wrote to see how lines of a plan look when they are long'
    deploy 'version 2, with a summary that is longer than what most people write and some need'
    await_waiting
}

a_terminal_gets_what_it_has_room_for()
{
    local text

    given_waiting
    for columns in 60 80 160; do
        text=$(on $columns plan prod)
        expect "rows of at most $columns columns, not $(longest_row "$text")" test "$(longest_row "$text")" -le $columns
        expect_has "$columns columns" "$text" 'risk     1 weakens a protection; 2 to update'
        expect_has "$columns columns" "$text" ' !~ update  service/web  '
        expect_has "$columns columns" "$text" '2 unchanged: domain/app, service/api'
        expect_has "$columns columns" "$text" "next     reeve approve ${PLAN:0:8}"
    done
    expect_has "80 columns" "$text" 'rollout.bake_time    300ms -> 100ms'
    text=$(reeve plan prod)
    expect_has "no terminal" "$text" 'a value that a person wrote to see how lines of a plan look when they are long'
    expect_has_not "no terminal" "$text" $'\033'
}

a_comment_for_a_forge()
{
    run 0 '**1 weakens a protection; 2 to update**' plan prod -o markdown
    expect_has "a comment" "$SAID" '- update ` service/web ` [weaken]: ` blue-green; laxer: rollout.bake_time from 300ms to 100ms `'
    expect_has "a comment" "$SAID" '  - ` rollout.bake_time `: ` 300ms ` to ` 100ms `'
    run 3 '--output is text, json or markdown' plan prod -o html
    run 3 '--output is text or json' status -o markdown
}

changes_have_an_exit_status()
{
    run 0 'Plan' plan prod
    run 2 'Plan' plan prod --exit-code
    run 2 'Plan' plan --all --exit-code
    run 0 'in sync' approve "$PLAN" --reason seen
    await_converged
    run 0 'nothing is planned' plan prod --exit-code
    run 0 'none has an open plan' plan --all --exit-code
}

# --- what might be ------------------------------------------------------------------------------------

# The approval is of what was looked at; what came instead is shown, and waits.
what_was_approved_is_not_what_came_later()
{
    local old

    given_waiting
    old=$PLAN
    spec version=v3 approval=manual more="$API"
    deploy 'version 3'
    await_waiting
    run 7 'is superseded by' approve "$old" --reason seen
    expect_has "what differs" "$SAID" 'another revision is wanted'
    expect_has "what differs" "$SAID" '~ update  service/web'
    expect_has "what differs" "$SAID" 'environment.VERSION  v2 -> v3'
    expect_has "what differs" "$SAID" 'environment.MOTTO    a value that a person wrote'
    expect_has "what differs" "$SAID" '-> (none)'
    expect_has "what differs" "$SAID" 'class weaken -> none'
    expect_has "the answer itself" "$(reeve plan "$old" -o json)" '"difference":{"because":["another revision is wanted"'
    expect_has "the refusal" "$(curl -s --unix-socket "$WORLD/var/reeve.sock" -X POST -d '{"reason":"seen"}' \
        "http://localhost/api/v1/plans/$old/approve")" '"difference":{"because":["another revision is wanted"'
    expect_equal "what waits" "$(field sync)" waiting
    expect_serves v1
}

# By number, digest and commit.
two_revisions()
{
    local first second

    run 0 'in sync' approve "$PLAN" --reason seen
    await_converged
    first=$(git -C "$WORLD/repo" rev-parse main~2)
    second=$(reeve status prod -o json | grep -o '"digest":"[0-9a-f]*"' | head -n 1 | cut -d '"' -f 4)
    run 0 '1 (' plan prod --diff 1 3
    expect_has "two revisions" "$SAID" 'environment.VERSION  v1 -> v3'
    expect_has "two revisions" "$SAID" '2 unchanged: domain/app, service/api'
    run 0 'environment.VERSION  v1 -> v3' plan prod --diff "${first:0:8}"
    run 0 'nothing that it would change differs' plan prod --diff 3 "${second:0:10}"
    run 0 'v3 -> v1' plan prod --diff 3 1 --recorded
    run 2 'v3 -> v1' plan prod --diff 3 1 --exit-code
    run 0 '"lines":[' plan prod --diff 1 3 -o json
    run 6 "no revision '9'" plan prod --diff 9
    run 6 "no revision 'abcdef'" plan prod --diff abcdef
    run 6 "no environment 'prd'" plan prd --diff 1
    run 3 'which revisions?' plan prod --diff
    run 3 'one at a time' plan prod --diff 1 --all
    run 3 'one environment' plan prod staging
}

files_without_a_daemon()
{
    spec version=v4 more="$API"
    run 0 'to create' plan -f "$WORLD/repo"
    run 0 'environment.VERSION  v3 -> v4' plan -f "$WORLD/repo" prod --recorded
    expect_has "files" "$SAID" 'judged by the rule at '
    expect_has "files" "$SAID" '!~ update  policy/environment'
    expect_has "files" "$SAID" 'offline: would wait (class weaken)'
    run 2 'v3 -> v4' plan -f "$WORLD/repo" prod --recorded --exit-code
    run 0 '"state":"offline"' plan -f "$WORLD/repo" prod --config "$WORLD/reeve.yaml" -o json
    stop_daemon
    run 0 'environment.VERSION  v3 -> v4' plan -f "$WORLD/repo" prod --recorded
    sed -i 's/\[shop.example.test\]/[shop.elsewhere.test]/' "$WORLD/repo/.reeve/app.yaml"
    run 0 'shop.elsewhere.test' plan -f "$WORLD/repo" prod
    run 4 'shop.elsewhere.test' plan -f "$WORLD/repo" prod --config "$WORLD/reeve.yaml"
    sed -i 's/^name: prod/name: elsewhere/' "$WORLD/repo/.reeve/app.yaml"
    run 5 "matches environment 'elsewhere'" plan -f "$WORLD/repo" --config "$WORLD/reeve.yaml"
    run 6 "no environment 'prod'" plan -f "$WORLD/repo" prod
    run 6 'nowhere' plan -f "$WORLD/nowhere"
}

# --- a commit that is not merged ----------------------------------------------------------------------

# A branch that nobody follows, with tags of both kinds.
given_feature()
{
    given_served more="$API"
    git -C "$WORLD/repo" checkout -q -b feature
    spec version=feature more="$API"
    commit 'a feature'
    FEATURE=$(git -C "$WORLD/repo" rev-parse HEAD)
    git -C "$WORLD/repo" tag light
    git -C "$WORLD/repo" tag -a -m noted noted
    git -C "$WORLD/repo" checkout -q -b broken
    sed -i 's/^    port: 8000/    prot: 8000/' "$WORLD/repo/.reeve/app.yaml"
    commit 'a mistake'
    git -C "$WORLD/repo" checkout -q main
}

a_commit_that_is_not_merged()
{
    local id rev

    given_feature
    for rev in feature light noted "$FEATURE" "${FEATURE:0:9}" refs/heads/feature; do
        run 0 'environment.VERSION  v1 -> feature' plan prod --ref "$rev"
        expect_has "$rev" "$SAID" "not merged: would run at once"
        expect_has "$rev" "$SAID" "binds    ${FEATURE:0:8} \"a feature\""
    done
    expect_has "it" "$SAID" 'judged by the rule at '
    expect_has "it" "$SAID" 'it can be neither approved nor applied'
    run 2 'v1 -> feature' plan prod --ref feature --exit-code
    run 0 'nothing is to be done' plan prod --ref main --exit-code
    run 0 '**nothing is destroyed' plan prod --ref feature -o markdown
    id=$(reeve plan prod --ref feature -q -o json | grep -o '"id":"[0-9a-f]\{64\}"' | tail -n 1 | cut -d '"' -f 4)
    run 6 'no plan' approve "$id" --reason seen
    expect_equal "plans that are stored" "$(count_events plan.stored)" 0
    expect_serves v1
}

a_commit_with_mistakes()
{
    run 4 ".reeve/app.yaml:7:5: error: services.web: unknown field 'prot'" plan prod --ref broken
    expect_has "mistakes" "$SAID" '        prot: 8000'
    expect_has "mistakes" "$SAID" "did you mean 'port'?"
    run 4 '"severity":"error"' plan prod --ref broken -o json
}

# Commits whose ids begin alike: what they hold is the same in each run.
many_commits()
{
    local i

    for ((i = 1; i <= 900; i++)); do
        printf 'commit refs/heads/many\ncommitter A <a@b.test> %d +0000\ndata 1\nx\n' "$i"
    done | git -C "$WORLD/repo" fast-import --quiet
    ALIKE=$(git -C "$WORLD/repo" rev-list many | cut -c 1-4 | sort | uniq -d | head -n 1)
}

names_of_no_commit()
{
    many_commits
    run 7 "several commits begin with $ALIKE" plan prod --ref "$ALIKE"
    run 6 "has no branch, tag or commit 'nothing'" plan prod --ref nothing
    run 6 'no commit begins with 0123456789' plan prod --ref 0123456789
    run 6 "no environment 'prd'" plan prd --ref feature
    run 3 'is no branch, tag or commit' plan prod --ref 'fea*'
    run 3 'one at a time' plan prod --ref feature --all
    git -C "$WORLD/repo" tag feature main
    run 7 "is a branch and a tag" plan prod --ref feature
    run 0 'v1 -> feature' plan prod --ref refs/heads/feature
    stop_daemon
    run 8 'reeve serve' plan prod --ref feature
}

run_cases a_terminal_gets_what_it_has_room_for a_comment_for_a_forge changes_have_an_exit_status \
    members_are_those_of_the_docs what_was_approved_is_not_what_came_later two_revisions files_without_a_daemon \
    a_commit_that_is_not_merged a_commit_with_mistakes names_of_no_commit
