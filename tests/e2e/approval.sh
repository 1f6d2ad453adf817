#!/bin/bash
# approval: who lets what run, and until when. SPDX-License-Identifier: Apache-2.0
#
# Who approves what is told apart in actors.sh, what a commit may ask for in authority.sh, how plans differ in plans.sh.
. "$(dirname "$0")/lib.sh"

ZONE=Australia/Lord_Howe

waits_at_head()
{
    sync_is "${1:-waiting}" && [[ $(reeve plan prod -o json) == *"\"commit\":\"$(head_commit)\""* ]]
}

# await_waiting [WORD]: into $PLAN.
await_waiting()
{
    await 20 "a plan of the newest commit waits" waits_at_head "$@"
    PLAN=$(plan_id)
}

asks()
{
    sed -i "s|^approval: .*|approval: {$1}|" "$WORLD/repo/.reeve/app.yaml"
}

# Approved while it was held, and then something else was pushed.
an_approval_is_of_one_plan()
{
    local old

    given_served
    reeve hold prod --reason 'a quiet hour' >/dev/null
    spec version=v2 approval=manual
    deploy 'version 2'
    await_waiting held
    old=$PLAN
    run 0 "" approve "$old" --reason seen --no-wait
    spec version=v3 approval=manual
    deploy 'version 3'
    await 20 "another plan" plan_is_not "$old"
    await_waiting held
    run 7 'is superseded by' approve "$old" --reason 'seen again'
    expect_has "what differs" "$SAID" 'environment.VERSION  v2 -> v3'
    reeve resume prod >/dev/null
    await 20 "it waits for a person" sync_is waiting
    expect_serves v1
    spec version=v2 approval=manual
    deploy 'version 2 again'
    await 20 "the plan of before is open again" plan_is "$old"
    expect_equal "who approved it before does not count" "$(field sync)" waiting
    expect_serves v1
    run 0 'in sync' approve "$old" --reason 'seen once more'
    expect_serves v2
}

explains()
{
    [[ $(explained) == *"$1"* ]]
}

plan_is()
{
    [ "$(plan_id)" = "$1" ]
}

plan_is_not()
{
    ! plan_is "$1"
}

one_person_is_one_approval()
{
    given_served
    spec version=v2 approval=manual
    asks 'policy: manual, min_approvals: 2'
    deploy 'version 2, approved by two'
    await_waiting
    run 2 '1 of 2 approvals' approve "$PLAN" --reason seen
    run 5 'has approved it already; 1 of 2 approvals' approve "$PLAN" --reason 'seen again'
    expect_equal "what waits" "$(field sync)" waiting
    expect_serves v1
    run 0 '' reject "$PLAN" --reason 'on second thought'
    await 20 "it is rejected" explains "the plan was rejected"
}

MANY='  b: &one
    command: ["'$APP'"]
    rollout: {strategy: blue_green, healthy_deadline: 5s, progress_deadline: 8s, min_healthy_time: 100ms, bake_time: 100ms, keep_previous: 0s}
  c: *one
  d: *one'

# However approval is set: also where nothing of that is asked for.
over_the_budget_a_person_is_asked()
{
    given_world
    write_daemon rule='    budget: {deletes: 25%}'
    spec more="$MANY"
    asks 'policy: auto, require_for: []'
    commit 'four services'
    start_daemon
    await_converged
    spec
    asks 'policy: auto, require_for: []'
    deploy 'one is left'
    await_waiting
    expect_has "why" "$(reeve explain prod)" 'class budget'
    expect_has "how many" "$(reeve plan prod)" 'over the budget: 3 of 5 are deleted, 2 at most without a person'
    run 0 'in sync' approve "$PLAN" --reason 'they are not used'
}

# What a commit makes of the policy is not what it is judged by.
what_weakens_is_judged_by_the_policy_before()
{
    given_served
    spec approval=manual
    deploy 'a person is asked from now on'
    await_waiting
    run 0 'in sync' approve "$PLAN" --reason agreed
    spec version=v2 approval=auto
    deploy 'version 2, approved by nobody'
    await_waiting
    expect_has "why" "$(reeve plan prod)" 'weaken'
    expect_serves v1
    run 0 'in sync' approve "$PLAN" --reason 'agreed'
    spec version=v3 approval=auto
    deploy 'version 3'
    await_converged
    expect_serves v3
}

# "HH:MM" there, so many minutes from now.
there()
{
    TZ=$ZONE date -d "$1 minutes" +%H:%M
}

a_window_is_a_time_of_its_zone()
{
    local opens

    [ -e /usr/share/zoneinfo/$ZONE ] || skip "time zones are not installed"
    given_world
    sed -i "s|^auth: .*|auth: {same_user: allow, local: {admin: [user:$(id -un)], override: [user:$(id -un)]}}|" "$WORLD/reeve.yaml"
    spec
    commit 'version 1'
    start_daemon
    await_converged
    spec version=v2
    sed -i 's/strategy: blue_green/strategy: recreate/' "$WORLD/repo/.reeve/app.yaml"
    opens=$(there +120)
    asks "policy: auto, windows: {downtime: [{from: \"$opens\", to: \"$(there +180)\", tz: $ZONE}]}"
    deploy 'version 2, down for a while'
    await_waiting
    expect_has "until when" "$(reeve explain prod)" "waits for the window for downtime, from "
    expect_has "by whose clock" "$(reeve explain prod)" "$opens $ZONE"
    expect_serves v1
    run 0 'in sync' approve "$PLAN" --override --reason 'nobody is there'
    expect_serves v2
}

a_zone_that_is_not_installed_is_said()
{
    spec version=v3
    asks 'policy: auto, freeze: [{from: "16:00", to: "18:00", tz: Moon/Base}]'
    run 4 "time zone 'Moon/Base' is not installed here (package tzdata) [zone]" validate "$WORLD/repo"
    run 4 "app.yaml:23:68: error: time zone 'Moon/Base'" plan -f "$WORLD/repo"
    deploy 'a freeze by a clock that nobody has'
    await 20 "it is refused" sync_is failed
    expect_has "why" "$(reeve explain prod)" "time zone 'Moon/Base' is not installed here"
    expect_serves v2
    write_daemon rule='    floor: {freeze: [{from: "16:00", to: "18:00", tz: Moon/Base}]}'
    run 4 "reeve.yaml:18:55: error: time zone 'Moon/Base'" serve
}

run_cases an_approval_is_of_one_plan one_person_is_one_approval over_the_budget_a_person_is_asked \
    what_weakens_is_judged_by_the_policy_before a_window_is_a_time_of_its_zone a_zone_that_is_not_installed_is_said
