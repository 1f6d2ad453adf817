#!/bin/bash
# bindings: who holds a name, a host and a rule, and how they change hands. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/committers.sh"

# Who may move a name is who may change the rules: a person with the role, with a reason, and only to where a
# rule binds it.
a_name_is_moved_by_a_person()
{
    local answer

    given_world
    write_authority
    given_base
    cd "$WORLD/evil" || fail "cd"
    git checkout -q develop
    write_base
    app 's/"v1"/"v2"/; s/, KEY: {secret: session}//'
    prod /trigger/d
    git add -A
    git commit -q -m 'shop, made anew'
    fetch_now
    await 20 "the name belongs to another source" is_refused "$(git rev-parse HEAD)" \
        ".reeve/prod.yaml:3:7: error: environment 'prod' belongs to branch 'main' of source 'shop' (.reeve/prod.yaml:3:7) [refused-name]"
    refuses 3 'reason' rebind prod evil develop
    refuses 5 "by the rule at $WORLD/reeve.yaml" rebind prod evil main --reason 'a move'
    refuses 5 "no rule gives environment 'prod' to source 'nobody'" rebind prod nobody main --reason 'a move'
    refuses 7 'belongs there already' rebind prod shop main --reason 'a move'
    expect_has "doctor" "$(reeve doctor prod)" "'prod' of source 'shop': rule 1, at $RULE, is the first that matches"
    expect_has "doctor" "$(reeve doctor prod)" '["shop.example.test","*.shop.example.test"]  the hosts it may have'
    expect_has "doctor" "$(reeve doctor prod)" "'prod' of source 'evil': rule 4"
    expect_has "doctor" "$(reeve doctor prod)" "it belongs to branch 'main' of source 'shop'"
    expect_has "doctor" "$(reeve doctor prod -o json)" '"rule":"'"$RULE"
    refuses 6 'it is denied, whatever source it is in' doctor nowhere
    reeve rebind prod evil develop --reason 'the shop moves' >/dev/null || fail "rebind"
    await 20 "the other source is refused now" is_bound
    await 20 "what it says waits for a person" is_waiting_for "$(git rev-parse HEAD)" 'rewound: commit'
    expect_serves v1
    expect_has "the event" "$(reeve history prod -n 1000 -o json)" '"reason":"the shop moves"'
    reeve approve "$(plan_id)" --reason 'as announced' >/dev/null || fail "approve"
    await 20 "it is served" serves v2
}

# The refusal has changed sides.
is_bound()
{
    local answer

    answer=$(told)
    [[ $answer == *"belongs to branch 'develop' of source 'evil' (.reeve/prod.yaml:3:7) [refused-name]"* &&
        $answer != *"belongs to branch 'main' of source 'shop'"* ]]
}

# Without its rule, or bound elsewhere, an environment is planned no more; what serves goes on.
a_rule_is_taken_away()
{
    given_world
    write_authority
    given_base
    stop_daemon
    sed -i '0,/branch: main$/s//branch: develop/' "$WORLD/reeve.yaml"
    write_base
    app 's/"v1"/"v2"/'
    prod /trigger/d
    commit 'the next version'
    start_daemon
    await 20 "it is bound to another branch" is_refused "$(git rev-parse HEAD)" \
        ".reeve/prod.yaml:3:7: error: environment 'prod' is bound to branch 'develop' by the rule at $RULE [refused-branch]"
    stop_daemon
    sed -i '0,/name: prod}/s//name: other}/' "$WORLD/reeve.yaml"
    start_daemon
    await 20 "it is denied" is_refused "$(git rev-parse HEAD)" \
        ".reeve/prod.yaml:3:7: error: environment 'prod' of source 'shop' matches none of the rules at $RULES [refused-environment]"
    expect_serves v1
}

# What stands on another branch without asking for it is passed over; who looks for it hears that.
a_document_elsewhere_is_told()
{
    local said

    given_world
    write_authority
    given_base
    git checkout -q develop
    prod /trigger/d
    prod 's/8h/1h/'
    commit 'on develop, without a branch'
    fetch_now
    await 20 "it was read" is_read "$(git rev-parse HEAD)"
    said=$(reeve doctor prod)
    expect_has "doctor" "$said" "the document at .reeve/prod.yaml:3:7 of branch 'develop' of source 'shop' does not count: the name is bound to another branch"
    expect_has "doctor" "$(reeve doctor prod -o json)" '"elsewhere":[{"branch":"develop","place":".reeve/prod.yaml:3:7","source":"shop"}]'
    git rm -q .reeve/prod.yaml
    commit 'it is gone'
    fetch_now
    await 20 "it was read" is_read "$(git rev-parse HEAD)"
    expect_has "doctor" "$(reeve doctor prod -o json)" '"elsewhere":[]'
}

is_read()
{
    [[ $(told) == *"\"commit\":\"$1\""* ]]
}

# Who has a host keeps it while it serves it, and no longer.
a_host_is_free_when_it_is_given_up()
{
    given_world
    write_authority
    given_base
    refused_later 'it is wanted by another environment' evil main 'evil_shop "[$HOST]"' \
        ".reeve/new.yaml:7:3: error: host '$HOST' belongs to environment 'prod' of source 'shop'"
    cd "$WORLD/repo" || fail "cd"
    write_base
    app "s/\[$HOST\]/[www.$HOST]/"
    commit 'another name'
    fetch_now
    await 20 "it waits" sync_is waiting
    reeve approve "$(plan_id)" --reason 'the name is given up' >/dev/null || fail "approve"
    await 20 "the other one has it" evil_is_in_sync
}

evil_is_in_sync()
{
    [[ $(reeve status evil-shop -o json) == *'"sync":"in_sync"'* ]]
}

run_cases a_name_is_moved_by_a_person a_host_is_free_when_it_is_given_up a_rule_is_taken_away a_document_elsewhere_is_told
