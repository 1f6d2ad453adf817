#!/bin/bash
# verdicts: what failed is not tried again, what is outside is nobody's fault. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

FAILS='APP_HEALTH: fail'

rollouts_begun()
{
    count_events rollout.began
}

rollouts_are()
{
    [ "$(rollouts_begun)" -eq "$1" ]
}


# Fetches, and a whole cycle of the environment.
reconcile()
{
    reeve apply prod --timeout 20 >/dev/null 2>&1
}

a_broken_group_is_not_retried_until_it_changes()
{
    local begun i

    given_served
    spec version=v2 env="$FAILS" deadline=1s
    deploy 'breaks'
    await 20 "it is reverted" sync_is reverted
    expect_serves v1
    expect_has "the reason" "$(explained)" 'not ready in time'
    expect_has "what a person can do" "$(explained)" 'reeve retry prod'
    begun=$(rollouts_begun)
    for i in 1 2 3; do
        commit "nothing new $i"
        reconcile
        expect_equal "tries" "$(rollouts_begun)" "$begun"
    done
    kill_daemon
    start_daemon
    reconcile
    expect_equal "tries after a restart" "$(rollouts_begun)" "$begun"
    spec version=v3
    deploy 'a cure'
    await_converged
    expect_serves v3
    expect_equal "tries of the cure" "$(rollouts_begun)" $((begun + 1))
}

a_person_lifts_the_quarantine()
{
    local begun

    given_served
    spec version=v2 env="$FAILS" deadline=1s
    deploy 'breaks'
    await 20 "it is reverted" sync_is reverted
    begun=$(rollouts_begun)
    reeve retry prod >/dev/null || fail "retry is refused"
    await 30 "it is tried again" rollouts_are $((begun + 1))
    await 20 "it is reverted again" sync_is reverted
    expect_serves v1
    reconcile
    expect_equal "tries" "$(rollouts_begun)" $((begun + 1))
}

# The gate would wait 60 s for the bad one.
a_good_commit_takes_over_at_the_next_boundary()
{
    local began

    given_served
    spec version=v2 env="$FAILS" deadline=60s progress=90s
    deploy 'breaks, slowly'
    await 30 "the bad one is rolling out" sync_is converging
    await 30 "its gate is open" gate_is_open
    now
    began=$NOW
    spec version=v3
    deploy 'the cure'
    await 30 "the cure serves" serves v3
    now
    say "   taken over and served after $((NOW - began)) ms"
    await_converged
    expect_has_not "quarantine" "$(reeve status prod)" quarantined
    await 20 "one set is left" one_set_is_left
}

gate_is_open()
{
    [ "$(count_events gate.opened)" -ge 3 ]
}

# Both colours ask the same file: what is outside of them.
write_probe()
{
    cat >"$WORLD/probe" <<END
#!/bin/sh
[ -e $WORLD/outside ]
END
    chmod +x "$WORLD/probe"
}

with_probe()
{
    local file=$WORLD/repo/.reeve/app.yaml

    sed -i "s|readiness: {http: {path: /healthz}|readiness: {command: [\"$WORLD/probe\"], failure_threshold: 2|" "$file"
}

given_outside()
{
    given_world
    write_probe
    touch "$WORLD/outside"
    spec version=v1
    with_probe
    commit 'version 1'
    start_daemon
    await_converged
    expect_serves v1
}

an_outage_before_the_switch_quarantines_nothing()
{
    given_outside
    rm "$WORLD/outside"
    spec version=v2 deadline=1s progress=4s
    with_probe
    deploy 'version 2'
    await 20 "the rollout has ended" history_has '"plan.ended"'
    expect_has "said" "$(explained)" outage
    expect_has_not "quarantine" "$(reeve status prod)" quarantined
    expect_serves v1
    touch "$WORLD/outside"
    await 40 "the same commit goes on by itself" serves v2
    await_converged
}

an_outage_in_the_bake_quarantines_nothing()
{
    given_outside
    spec version=v2 bake=60s
    with_probe
    deploy 'version 2'
    await 20 "version 2 serves" serves v2
    rm "$WORLD/outside"
    await 30 "the rollout has ended" history_has '"plan.ended"'
    expect_has "said" "$(explained)" outage
    expect_has_not "quarantine" "$(reeve status prod)" quarantined
    expect_serves v1
}

# What only the new set can live with is not run twice: its keeper dies under it, and nobody knows how it ended.
a_contracting_release_of_unknown_end_is_parked()
{
    given_served
    spec version=v2 service="    release: {command: [/bin/sh, -c, \"echo ran >>$WORLD/ran; kill -9 \$PPID; sleep 30\"], schema_change: contract}"
    deploy 'contracts'
    await 20 "it is parked" sync_is parked
    expect_has "the reason" "$(explained)" 'whether it ran is not known'
    kill_daemon
    start_daemon
    await 20 "it stays parked" sync_is parked
    expect_equal "runs" "$(wc -l <"$WORLD/ran")" 1
    expect_serves v1
}

# A person has looked at the database: it ran.
what_a_person_says_of_it_is_believed()
{
    local uid

    uid=$(reeve doctor 2>&1 | grep -o 'reeve settle [^ ]*' | cut -d ' ' -f 3)
    reeve settle "$uid" --as done --reason 'the columns are gone' >/dev/null || fail "settle is refused"
    await_converged
    expect_serves v2
    expect_equal "runs" "$(wc -l <"$WORLD/ran")" 1
}

# Or wants it once more.
what_a_person_wants_again_is_run_again()
{
    local uid

    spec version=v3 service="    release: {command: [/bin/sh, -c, \"echo again >>$WORLD/again; [ -e $WORLD/once ] || { touch $WORLD/once; kill -9 \$PPID; sleep 30; }\"], schema_change: contract}"
    deploy 'contracts more'
    await 20 "it is parked" sync_is parked
    uid=$(reeve doctor 2>&1 | grep -o 'reeve settle [^ ]*' | cut -d ' ' -f 3)
    reeve settle "$uid" --as retry --reason 'it did nothing' >/dev/null || fail "settle is refused"
    await_converged
    expect_serves v3
    expect_equal "runs" "$(wc -l <"$WORLD/again")" 2
}

# A release that failed is quarantined; a commit that mends nothing but the release is another change.
a_release_that_was_mended_runs()
{
    given_served
    spec version=v2 service="    release: {command: [/bin/sh, -c, \"exit 3\"]}"
    deploy 'a release that fails'
    await 20 "it is quarantined" sync_is reverted
    spec version=v2 service="    release: {command: [/bin/sh, -c, \"echo mended >$WORLD/mended\"]}"
    deploy 'a release that works'
    await_converged
    expect_serves v2
    expect_equal "what it did" "$(cat "$WORLD/mended")" mended
}

run_cases a_broken_group_is_not_retried_until_it_changes a_person_lifts_the_quarantine \
    a_good_commit_takes_over_at_the_next_boundary an_outage_before_the_switch_quarantines_nothing \
    an_outage_in_the_bake_quarantines_nothing \
    a_contracting_release_of_unknown_end_is_parked what_a_person_says_of_it_is_believed \
    what_a_person_wants_again_is_run_again a_release_that_was_mended_runs
