#!/bin/bash
# triggers: what a commit waits for at a real daemon: checks of a forge, and tags. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
CONTRACTS=${CONTRACTS:-$ROOT/../shared/contracts}

# A world whose source has a forge of that type; the token stands in the daemon's environment.
given_forge()
{
    local type=$1

    given_world
    beside forge python3 "$ROOT/tests/support/fake_forge.py" "$WORLD/forge.port" "$WORLD/forge.log"
    await 20 "the forge listens" test -s "$WORLD/forge.port"
    FORGE_AT=http://127.0.0.1:$(cat "$WORLD/forge.port")
    write_daemon extra="secrets: {default: env, stores: {env: {type: env, prefix: T_}}}" "${@:2}"
    sed -i "s|branches: \[main\], poll: 30s|branches: [main], poll: 30s, forge: {type: $type, api: \"$FORGE_AT/$type\", repository: acme/shop, credentials: {secret: forge_token}}|" \
        "$WORLD/reeve.yaml"
}

# What the trigger says besides the branch.
require()
{
    sed -i "s|^trigger: .*|trigger: {branch: main, $1}|" "$WORLD/repo/.reeve/app.yaml"
}

forge()
{
    curl -sf -X POST -d "$2" "$FORGE_AT/ctl/$1" >/dev/null || fail "the forge does not listen"
}

# report NAME STATE [APP]
report()
{
    forge say "{\"name\":\"$1\",\"state\":\"$2\",\"app\":\"${3:-ci}\",\"url\":\"https://ci.test/7\"}"
}

# Now, and not when it is asked for the next time.
look()
{
    reeve apply prod --no-wait >/dev/null 2>&1
}

waits_for()
{
    look
    [[ $(reeve status prod -o json 2>/dev/null) == *"$1"* ]]
}

converges()
{
    look
    is_converged
}

await_reason()
{
    await 60 "it says: $1" waits_for "$1"
}

# Each type is asked in its own way, with its own words.
checks_of()
{
    given_forge "$1"
    spec version=v1
    require 'require_checks: [{name: build}, {name: audit, app: auditor}]'
    commit 'version 1'
    start_daemon T_FORGE_TOKEN=forge-token
    await_reason "waits for check 'build', which nobody has reported yet"
    expect_equal "what waits" "$(field sync)" waiting
    report build pending
    report audit success somebody
    await_reason '"waits for check '"'build'"'"'
    report build success
    await_reason "waits for check 'audit' of auditor, which nobody has reported yet"
    report audit success auditor
    await 60 'in sync' converges
    expect_serves v1
    cat "$WORLD/forge.log" >>"$ROOT_LOG"
}

checks_of_github()
{
    checks_of github
}

checks_of_gitlab()
{
    checks_of gitlab
}

checks_of_gitea()
{
    checks_of gitea
}

# Who passed is not asked again; a failed one refuses, in no words but its own.
a_check_that_failed()
{
    forge clear '{}'
    report audit success auditor
    report build failed $'ci'
    forge say '{"name":"build","state":"failed","app":"ci","url":"https://ci.test/\u001b[2J<img>"}'
    spec version=v2
    require 'require_checks: [{name: build}, {name: audit, app: auditor}]'
    deploy 'version 2'
    await_reason "refused: check 'build' failed: https://ci.test/"
    expect_has_not "what is said" "$(reeve status prod; reeve plan prod)" $'\033'
    expect_has "the plan" "$(reeve plan prod)" "waiting: refused: check 'build' failed"
    expect_has_not "what nobody has to approve" "$(reeve plan prod)" 'reeve approve'
    expect_serves v1
    report build success
    await 60 'in sync' converges
    expect_serves v2
}

# No answer is none: it is waited for, and what serves serves on.
a_forge_that_does_not_answer()
{
    spec version=v3
    require 'require_checks: [{name: build}]'
    forge status '{"status": 503}'
    deploy 'version 3'
    await_reason "waits for checks: the forge answers with status 503"
    forge status '{"status": 401}'
    await_reason "waits for checks: the forge refuses the credentials: status 401"
    expect_serves v2
    expect_has_not "the log" "$(cat "$WORLD/daemon.log")" forge-token
    expect_has_not "the answers" "$(reeve status prod -o json; reeve plan prod -o json; history)" forge-token
    ! grep -q forge-token "$WORLD/var/reeve.db" || fail "the token lies in the database"
    forge status '{"status": 200}'
    await 90 "the forge was heard" waits_for 'class weaken'
    run_approve
    expect_serves v3
}

run_approve()
{
    reeve approve "$(plan_id)" --reason 'one check less' >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await_converged 60
}

# The rule asks for it, whatever the specs say; where nobody is there to ask, whoever asks is refused at once.
the_floor_asks_too()
{
    given_forge github rule='    floor: {checks: [{name: build, app: ci}]}'
    spec version=v1
    commit 'version 1'
    start_daemon T_FORGE_TOKEN=forge-token
    await_reason "waits for check 'build' of ci, which nobody has reported yet"
    report build success
    await 60 'in sync' converges
    expect_serves v1
    given_world
    spec version=v1
    require 'require_checks: [{name: build}]'
    commit 'version 1'
    start_daemon
    await_reason "trigger.require_checks: source 'shop' has no \`forge\`: every commit would wait for ever [forge]"
    sed -i 's/^    branch: main/&\n    floor: {checks: [{name: build, app: ci}]}/' "$WORLD/reeve.yaml"
    reeve check >"$WORLD/said" 2>&1
    expect_equal "exit status of check" $? 4
    expect_has "the place" "$(cat "$WORLD/said")" "reeve.yaml:15:21: error: environments.floor.checks: source 'shop' has no \`forge\`"
}

requests_are_those_of_the_contracts()
{
    if [ ! -d "$CONTRACTS/gitlab" ]; then
        say "   not looked at: no contracts at $CONTRACTS"
        return
    fi
    python3 "$ROOT/tests/support/forge_contracts.py" "$CONTRACTS" "$ROOT_LOG" || fail "requests"
}

# --- tags ---------------------------------------------------------------------------------------------

# tag NAME VERSION [OPTION..]: a commit on main with that version, and a tag of it.
tag()
{
    local name=$1

    spec version="$2" keep=60s
    sed -i 's|^trigger: .*|trigger: {tag: "v*"}|' "$WORLD/repo/.reeve/app.yaml"
    commit "version $2"
    git -C "$WORLD/repo" tag "${@:3}" "$name" || fail "no tag $name"
}

await_served()
{
    fetch_now
    await 60 "$1 is served" serves "$1"
    await 30 "in sync" sync_is in_sync
}

serves()
{
    get && [[ $BODY == *"$1"* ]]
}

# Fetched once more, and nothing is to be done.
expect_nothing_moves()
{
    local rounds

    reeve apply prod --timeout 60 >"$WORLD/said" 2>&1 || fail "apply: $(cat "$WORLD/said")"
    expect_serves "$1"
}

the_newest_tag_counts()
{
    given_world
    sed -i 's|^    branch: main|    tag: "v*"|' "$WORLD/reeve.yaml"
    tag v1.9 one
    start_daemon
    await_served one
    tag v1.10 two -a -m 'annotated'
    await_served two
    tag v1.10-rc.1 early
    tag w2 other
    commit 'on main alone'
    expect_nothing_moves two
    expect_has "the branch" "$(reeve status prod)" 'refs/tags/v*'
}

# One that is deleted goes on counting, also in the next life.
a_deleted_tag_changes_nothing()
{
    git -C "$WORLD/repo" tag -d v1.10 >/dev/null
    expect_nothing_moves two
    stop_daemon
    start_daemon
    expect_nothing_moves two
    expect_equal "plans that wait" "$(field sync)" in_sync
}

# Forward as well: a person looks at it.
a_moved_tag_is_held()
{
    tag v1.11 three
    await_served three
    tag v1.11 four -f >/dev/null
    fetch_now
    await 60 "it waits" waits_for 'rewound: tag v1.11 was moved from '
    expect_serves three
    stop_daemon
    start_daemon
    await 60 "it waits in the next life" waits_for 'rewound: tag v1.11 was moved from '
    expect_serves three
    reeve approve "$(plan_id)" --reason 'the tag was on the wrong commit' >"$WORLD/said" 2>&1 ||
        fail "$(cat "$WORLD/said")"
    await_served four
}

# A document that asks for a branch does not count where its rule binds it to tags.
a_branch_is_no_tag()
{
    spec version=five
    commit 'asks for a branch'
    git -C "$WORLD/repo" tag v2
    fetch_now
    await 60 "it is refused" waits_for "is bound to branch 'refs/tags/v*' by the rule"
    expect_serves four
}

ROOT_LOG=$(mktemp /tmp/e2e-forge.XXXXXX)
trap 'rm -f "$ROOT_LOG"' EXIT
run_cases checks_of_gitlab checks_of_gitea checks_of_github a_check_that_failed a_forge_that_does_not_answer \
    the_floor_asks_too requests_are_those_of_the_contracts the_newest_tag_counts a_deleted_tag_changes_nothing \
    a_moved_tag_is_held a_branch_is_no_tag
rm -f "$ROOT_LOG"
