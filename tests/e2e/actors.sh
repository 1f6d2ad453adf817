#!/bin/bash
# actors: who approves what, by real peers of several uids. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip "needs root to connect as several users"
command -v setpriv >/dev/null || skip "needs setpriv"

# Ann is daemon, bob is bin, cy is sys; games breaks glass, nobody looks.
given_people()
{
    local key people

    given_world
    chmod 755 "$WORLD"
    mkdir "$WORLD/bin" "$WORLD/keys"
    cp "$REEVE" "$WORLD/bin/reeve"
    for key in cy bob; do
        ssh-keygen -q -t ed25519 -N '' -C "$key@laptop" -f "$WORLD/keys/$key"
    done
    chown sys "$WORLD/keys" "$WORLD"/keys/*
    people="people: {ann: {local: daemon, emails: [ann@acme.test]}, bob: {local: bin, emails: [Bob@Acme.Test]}, "
    people+="cy: {local: sys, emails: [cy@acme.test], keys: [\"$(cat "$WORLD/keys/cy.pub")\"]}}"
    write_daemon "$@"
    sed -i "s|^auth: .*|auth: {local: {admin: [user:root], approver: [user:daemon, user:bin, user:sys], override: [user:sys]}, break_glass: [user:games], $people}|" \
        "$WORLD/reeve.yaml"
}

# A release of this version that waits for a person, each time anew.
asks()
{
    printf '    release: {command: [/bin/echo, %s, "%s"], run: manual}' "$1" "$EPOCHREALTIME"
}

# A version whose plan waits for a person, by the author of that name.
version_by()
{
    spec version="$1" service="$(asks "$1")"
    commit_by "$2" "version $1"
}

commit_by()
{
    GIT_AUTHOR_NAME=$1 GIT_AUTHOR_EMAIL=$1@acme.test GIT_COMMITTER_NAME=$1 \
        GIT_COMMITTER_EMAIL=$1@acme.test commit "$2"
}

# as USER WORD..: the command line as that user, in whose name it is.
as()
{
    local user=$1

    shift
    setpriv --reuid "$user" --regid "$(id -g "$user")" --groups 0 "$WORLD/bin/reeve" \
        --server "$WORLD/var/reeve.sock" "$@"
}

waits_at_head()
{
    sync_is waiting && [ "$(field commit)" != "" ] && is_considered &&
        [[ $(reeve plan prod -o json) == *"\"commit\":\"$(head_commit)\""* ]]
}

await_waiting()
{
    fetch_now
    await 20 "a plan of the newest commit waits" waits_at_head
    PLAN=$(plan_id)
}

# refused SENTENCE PART USER WORD..: exit status 5, and says why.
refused()
{
    local sentence=$1 part=$2 said

    shift 2
    said=$(as "$@" 2>&1)
    expect_equal "exit status of $sentence ($said)" $? 5
    expect_has "$sentence" "$said" "$part"
}

is_over_after()
{
    [ "$(count_events plan.over)" -gt "$1" ]
}

# And carried out to its end: what it leaves behind does not change under the next plan.
approved_by()
{
    local over

    over=$(count_events plan.over)
    as "$1" approve "$PLAN" --reason seen --timeout 30 "${@:2}" >"$WORLD/said" 2>&1 ||
        fail "approve as $1: $(cat "$WORLD/said")"
    await 20 "its plan is over" is_over_after "$over"
}

nobody_approves_what_is_theirs()
{
    given_people extra='uids: 60000-60099'
    version_by v1 ann
    start_daemon
    await_waiting
    refused "the author of a first version" 'ann made commit' daemon approve "$PLAN" --reason mine
    refused "a viewer" 'needs approver or admin' nobody approve "$PLAN" --reason please
    approved_by bin
    expect_serves v1
}

not_even_under_a_later_commit()
{
    version_by v2 ann
    printf '# a comment\n' >>"$WORLD/repo/.reeve/app.yaml"
    commit_by ann $'only a comment\n\nCo-authored-by: Bob <bob@acme.test>'
    await_waiting
    expect_has "the plan" "$(reeve plan prod)" 'made by  ann@acme.test, bob@acme.test'
    refused "the author of one of them" 'ann made commit' daemon approve "$PLAN" --reason mine
    refused "who made the last with somebody" 'bob made commit' bin approve "$PLAN" --reason mine
    expect_has "decisions" "$(reeve plan prod -o json)" '"decisions":[]'
    approved_by sys
    expect_serves v2
    expect_has "history" "$(history)" '"person":"cy"'
}

a_stranger_asks_for_one_more()
{
    local said

    version_by v3 mallory
    await_waiting
    expect_has "the plan" "$(reeve plan prod)" "0 of 2 approvals, one more because nobody is known by 'mallory@acme.test'"
    said=$(as bin approve "$PLAN" --reason one --timeout 30 2>&1)
    expect_equal "exit status of the first approval" $? 2
    expect_has "the first approval" "$said" '1 of 2 approvals'
    said=$(as bin approve "$PLAN" --reason again --timeout 30 2>&1)
    expect_equal "exit status of the same person's second" $? 5
    approved_by sys
    expect_serves v3
}

an_approval_is_spent_once()
{
    local n

    version_by v4 ann
    await_waiting
    as sys approve "$PLAN" --reason once --no-wait >/dev/null || fail approve
    kill_daemon
    start_daemon
    await_converged
    expect_serves v4
    expect_equal "plans that were begun" "$(history | grep -o '"kind":"plan.started"' | wc -l)" 4
    version_by v3 ann
    await_waiting
    approved_by sys
    version_by v4 ann
    await_waiting # the same change again, and nobody has approved this one
    expect_has "decisions" "$(reeve plan prod -o json)" '"decisions":[]'
    n=$(as sys reject "$PLAN" --reason no -o json) || fail "reject: $n"
    expect_equal "sync" "$(field sync)" waiting
}

an_override_is_a_role_of_its_own()
{
    version_by v5 cy
    await_waiting
    refused "an author with the role to approve" 'cy made commit' sys approve "$PLAN" --reason mine
    refused "one who may not override" 'it needs override' bin approve "$PLAN" --override --reason hurry
    expect_equal "exit status without a reason" "$(as sys approve "$PLAN" --override >/dev/null 2>&1; echo $?)" 3
    approved_by sys --override
    expect_serves v5
    expect_has "history" "$(history)" '"kind":"command.override"'
}

is_over()
{
    sync_is reverted || sync_is waiting
}

# Whatever became of a plan that was begun: what it was to bring is a change of whoever made it.
what_was_cancelled_is_still_a_change_of_theirs()
{
    spec version=v6 bake=60s service="$(asks v6)"
    commit_by ann 'version v6'
    await_waiting
    as bin approve "$PLAN" --reason seen --no-wait >/dev/null || fail approve
    await 20 "v6 is served while it bakes" serves v6
    reeve cancel prod --reason 'not now' >/dev/null || fail cancel
    await 30 "it is taken back" serves v5
    await 30 "the plan has ended" is_over
    reeve retry prod >/dev/null || fail retry # at once
    await_waiting
    refused "the author, of what was cancelled" 'ann made commit' daemon approve "$PLAN" --reason mine
    version_by v7 bob
    await_waiting
    refused "the author of what lies below" 'ann made commit' daemon approve "$PLAN" --reason mine
    approved_by sys
    expect_serves v7
}

# A branch that is moved back to what was undone has no new commit that would say whose change that is.
who_moves_a_branch_back_is_nobody()
{
    local applied

    applied=$(git -C "$WORLD/repo" rev-parse main^)
    git -C "$WORLD/repo" reset -q --hard "$applied"
    await_waiting
    expect_has "the plan" "$(reeve plan prod)" "one more because nobody is known by '(a history without what was applied)'"
    as daemon approve "$PLAN" --reason mine --timeout 30 >/dev/null 2>&1
    expect_equal "exit status of one approval" $? 2
    as sys approve "$PLAN" --reason seen --no-wait >/dev/null || fail approve
    await 20 "v6 is served" serves v6
}

glass_is_broken_with_a_reason()
{
    refused "a viewer" 'needs operator or admin' games hold prod --reason fire
    refused "who is not named" 'not among auth.break_glass' nobody hold prod --reason fire --break-glass
    as games hold prod --reason fire --break-glass >/dev/null || fail "hold"
    expect_has "history" "$(history)" '"break_glass":true'
    expect_has "the log" "$(cat "$WORLD/daemon.log")" 'a right for emergencies was used'
    as games resume prod --reason out --break-glass >/dev/null 2>&1 || fail "resume"
}

# cut_off SENTENCE COMMAND..: the connection ends before anything is said.
cut_off()
{
    local sentence=$1 status

    shift
    "$@" "$WORLD/bin/reeve" status --server "$WORLD/var/reeve.sock" >"$WORLD/said" 2>&1
    status=$?
    expect_equal "exit status of $sentence ($(cat "$WORLD/said"))" $status 8
}

who_runs_as_an_environment_is_not_heard()
{
    setpriv --reuid 60100 --regid 60100 --groups 0 "$WORLD/bin/reeve" status \
        --server "$WORLD/var/reeve.sock" >/dev/null || fail "who is beside them is"
    cut_off "the first of them" setpriv --reuid 60000 --regid 60000 --groups 0
    cut_off "the last of them" setpriv --reuid 60099 --regid 0 --groups 0
    expect_has "the log" "$(cat "$WORLD/daemon.log")" 'uid 60000 is one that environments run as'
}

who_lives_elsewhere_is_not_heard()
{
    unshare -U true 2>/dev/null || { say "   not tried: no user namespaces"; return; }
    cut_off "another user namespace" unshare -U
    cut_off "another PID namespace" unshare -p -f
}

# forged SCRIPT: what ssh-keygen does for the person who approves.
forged()
{
    printf '#!/bin/sh\n%s\n' "$1" >"$WORLD/bin/ssh-keygen"
    chmod 755 "$WORLD/bin/ssh-keygen"
}

# signed KEY [USER]
signed()
{
    PATH=$WORLD/bin:$PATH as "${2:-sys}" approve "$PLAN" --reason signed --timeout 30 \
        --sign "$WORLD/keys/$1" 2>&1
}

expect_forged()
{
    local said

    said=$(signed "$2")
    expect_equal "exit status of $1 ($said)" $? 5
    expect_has "$1" "$said" 'the signature is not by a key of cy over plan'
}

a_signature_is_of_the_person_and_the_plan()
{
    local key

    given_people rule='    floor: {signed: true}'
    key=$WORLD/keys/cy
    version_by v1 ann
    start_daemon
    await_waiting
    refused "an unsigned approval" 'asks for signed approvals' sys approve "$PLAN" --reason plain
    expect_forged "a key of somebody else" bob
    forged "exec /usr/bin/ssh-keygen -Y sign -n file -f $key"
    expect_forged "another namespace" cy
    forged "printf %064d 7 | /usr/bin/ssh-keygen -Y sign -n reeve-plan -f $key"
    expect_forged "another plan" cy
    forged "echo nothing"
    expect_forged "no signature" cy
    expect_has "one who has no key" "$(signed bob bin)" 'auth.people has no key of bob'
    rm "$WORLD/bin/ssh-keygen"
    signed cy >"$WORLD/said" || fail "signed: $(cat "$WORLD/said")"
    expect_serves v1
    expect_has "history" "$(history)" 'BEGIN SSH SIGNATURE'
    expect_equal "files that are left" "$(ls "$WORLD/var/sign")" ''
    touch "$WORLD/var/sign/killed"
    stop_daemon
    start_daemon
    expect_equal "what a killed daemon left" "$(ls -d "$WORLD/var/sign" 2>/dev/null)" ''
}

# Cy signs what ann has made: neither approves it.
who_signed_a_commit_does_not_approve_it()
{
    given_people
    printf 'cy-of-the-desk namespaces="git" %s\n' "$(cat "$WORLD/keys/cy.pub")" >"$WORLD/keys/signers"
    sed -i "s|poll: 30s}|poll: 30s, verify: {signatures: ancestors, allowed_signers: keys/signers}}|" "$WORLD/reeve.yaml"
    git -C "$WORLD/repo" config gpg.format ssh
    git -C "$WORLD/repo" config user.signingkey "$WORLD/keys/cy"
    git -C "$WORLD/repo" config commit.gpgsign true
    version_by v1 ann
    start_daemon
    await_waiting
    expect_has "the plan" "$(reeve plan prod)" 'made by  cy-of-the-desk (signed), ann@acme.test'
    refused "who has signed it" 'cy signed commit' sys approve "$PLAN" --reason mine
    refused "who has made it" 'ann made commit' daemon approve "$PLAN" --reason mine
    approved_by bin
    expect_serves v1
}

run_cases nobody_approves_what_is_theirs not_even_under_a_later_commit a_stranger_asks_for_one_more \
    an_approval_is_spent_once an_override_is_a_role_of_its_own what_was_cancelled_is_still_a_change_of_theirs \
    who_moves_a_branch_back_is_nobody glass_is_broken_with_a_reason \
    who_runs_as_an_environment_is_not_heard who_lives_elsewhere_is_not_heard a_signature_is_of_the_person_and_the_plan \
    who_signed_a_commit_does_not_approve_it
