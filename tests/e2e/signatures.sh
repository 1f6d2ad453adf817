#!/bin/bash
# signatures: commits that are not signed as the daemon asks. SPDX-License-Identifier: Apache-2.0
#
# Real commits, signed by ssh-keygen and gpg. Each that does not hold is refused with its id, the reason and
# the place of the rule; nothing is planned for it, and what serves goes on.
. "$(dirname "$0")/lib.sh"

command -v gpg >/dev/null || skip "needs gpg"

# ann and bob may sign, old did until 2020, eve never.
given_keys()
{
    local key

    given_world
    mkdir "$WORLD/keys"
    for key in ann old eve; do
        ssh-keygen -q -t ed25519 -N '' -C "$key@laptop" -f "$WORLD/keys/$key"
    done
    {
        printf 'ann@acme.test namespaces="git" %s\n' "$(cat "$WORLD/keys/ann.pub")"
        printf 'old@acme.test valid-before="20200101" %s\n' "$(cat "$WORLD/keys/old.pub")"
    } >"$WORLD/keys/signers"
    export GNUPGHOME=$WORLD/gnupg
    mkdir -m 700 "$GNUPGHOME"
    given_openpgp bob none
    given_openpgp rev none
    gpg --batch -q --export bob@acme.test rev@acme.test >"$WORLD/keys/keyring.gpg" || fail "gpg --export"
    given_openpgp mal none
    write_daemon
}

# NAME EXPIRY
given_openpgp()
{
    gpg --batch -q --passphrase '' --quick-gen-key "$1 <$1@acme.test>" ed25519 sign "$2" 2>"$WORLD/said" ||
        fail "gpg: $(cat "$WORLD/said")"
}

# In the list of keys alone: who has the key signs on.
revoke()
{
    local print other=$WORLD/gnupg.revoked

    print=$(gpg --list-keys --with-colons "$1@acme.test" | awk -F : '/^fpr/ { print $10; exit }')
    mkdir -m 700 "$other"
    cp -r "$GNUPGHOME/pubring.kbx" "$GNUPGHOME/openpgp-revocs.d" "$other"
    sed 's/^:---/---/' "$other/openpgp-revocs.d/$print.rev" | gpg --homedir "$other" --batch -q --import 2>/dev/null
    gpg --homedir "$other" --batch -q --export bob@acme.test rev@acme.test >"$WORLD/keys/keyring.new" || fail "gpg --export"
    mv "$WORLD/keys/keyring.new" "$WORLD/keys/keyring.gpg"
}

# LEVEL [FLOOR]: of the source, and of the rule.
ask_for()
{
    write_daemon ${2:+rule="    floor: {signatures: $2}"}
    sed -i "s|poll: 30s}|poll: 30s, verify: {signatures: $1, allowed_signers: keys/signers, keyring: keys/keyring.gpg}}|" \
        "$WORLD/reeve.yaml"
}

# by WHO VERSION [COMMAND..]: a commit of that version; WHO '' does not sign.
by()
{
    local who=$1 sign=(-c commit.gpgsign=false)

    [ -z "$who" ] || sign=(-c "user.signingkey=$WORLD/keys/$who" -c gpg.format=ssh -c commit.gpgsign=true)
    [[ $who != *@* ]] || sign=(-c "user.signingkey=$who" -c gpg.format=openpgp -c commit.gpgsign=true)
    spec version="$2"
    git -C "$WORLD/repo" add -A
    git -C "$WORLD/repo" "${sign[@]}" commit -q --allow-empty -m "version $2" 2>"$WORLD/said" ||
        fail "git: $(cat "$WORLD/said")"
}

N=0

# refused SENTENCE COMMIT WHY [PLACE]
refused()
{
    local place=${4:-$SOURCE_AT}

    fetch_now
    await 20 "$1: commit ${2:0:12} is refused: $3, but: $(field reason)" \
        is_said "commit ${2:0:12} is refused: $3" "(signatures: ${LEVEL:-ancestors}, at $place:"
    N=$((N + 1))
    say "$(printf '%3d  %s\n       %s' "$N" "$1" "$(field reason)")"
}

is_said()
{
    local reason

    reason=$(reeve status prod -o json)
    [[ $reason == *"$1"* && $reason == *"$2"* ]]
}

place_of()
{
    printf '%s:%s' "$WORLD/reeve.yaml" "$(grep -n -o "$1" "$WORLD/reeve.yaml" | head -n 1 | cut -d : -f 1)"
}

back_to()
{
    git -C "$WORLD/repo" reset -q --hard "$1"
}

serves_again()
{
    fetch_now
    await_converged
    await 20 "$1 is served" serves "$1"
}

every_commit_since_the_one_that_was_applied()
{
    local good bad

    given_keys
    ask_for ancestors
    SOURCE_AT=$(place_of 'verify:')
    by '' v0
    bad=$(head_commit)
    by ann v1
    start_daemon
    await_converged # of what was before nothing was applied, and the newest answers for it
    expect_serves v1
    good=$(head_commit)

    back_to "$bad"
    refused 'moved back to one that is not signed' "$bad" 'it is not signed'
    back_to "$good"
    by '' v2
    refused 'unsigned' "$(head_commit)" 'it is not signed'
    by ann v2
    refused 'unsigned, below one that is signed' "$(git -C "$WORLD/repo" rev-parse HEAD^)" 'it is not signed'
    back_to "$good"
    by eve v2
    refused 'by a key of nobody' "$(head_commit)" 'its signature is by none of the allowed_signers: No principal matched.'
    back_to "$good"
    by old v2
    refused 'by a key that has expired' "$(head_commit)" 'its signature is by none of the allowed_signers: '
    back_to "$good"
    by mal@acme.test v2
    refused 'by an OpenPGP key of nobody' "$(head_commit)" 'its signature does not hold: it is by no key of the keyring'
    back_to "$good"
    by ann v2
    bad=$(git -C "$WORLD/repo" cat-file commit HEAD | sed 's/^version v2$/version v3/' |
        git -C "$WORLD/repo" hash-object -t commit -w --stdin)
    back_to "$bad"
    refused 'with the signature of another commit' "$bad" "its signature does not hold: Signature verification failed"
    back_to "$good"
    git -C "$WORLD/repo" checkout -q -b side
    by '' v2
    bad=$(git -C "$WORLD/repo" rev-parse side)
    git -C "$WORLD/repo" checkout -q main
    git -C "$WORLD/repo" -c "user.signingkey=$WORLD/keys/ann" -c gpg.format=ssh merge -q --no-ff -S -m merge side 2>/dev/null ||
        fail "git merge"
    refused 'a signed merge of a branch that is not' "$(git -C "$WORLD/repo" rev-parse side)" 'it is not signed'
    back_to "$good"
    by rev@acme.test v2
    serves_again v2
    revoke rev
    by rev@acme.test v3
    refused 'by a key that was revoked meanwhile' "$(head_commit)" 'its signature does not hold: the key was revoked'
    expect_serves v2
    back_to HEAD^
    by bob@acme.test v3
    serves_again v3
    expect_has_not "the plan" "$(reeve plan prod)" 'refused'
    say "refused: $N commits; plans that were started for them: $(($(count_events plan.started) - 3))"
    expect_equal "plans that were started" "$(count_events plan.started)" 3
}

the_newest_commit()
{
    local floor

    given_keys
    ask_for head
    LEVEL=head SOURCE_AT=$(place_of 'verify:')
    by ann v1
    start_daemon
    await_converged
    by '' v2
    refused 'the newest one alone: unsigned' "$(head_commit)" 'it is not signed'
    by ann v2
    serves_again v2
    stop_daemon
    ask_for head ancestors
    floor=$(place_of 'floor:') LEVEL=ancestors
    by '' v3
    by ann v3
    start_daemon
    refused 'where the floor asks for all of them' "$(git -C "$WORLD/repo" rev-parse HEAD^)" 'it is not signed' "$floor"
    expect_serves v2
    printf 'ann@acme.test %s\n' "$(cat "$WORLD/keys/eve.pub")" >"$WORLD/keys/signers"
    back_to HEAD^^
    by eve v3
    serves_again v3
    printf '\n' >>"$WORLD/keys/signers" # another list: what is applied is not asked for again
    reeve apply prod >/dev/null || fail "apply"
    expect_equal "sync" "$(field sync)" in_sync
}

run_cases every_commit_since_the_one_that_was_applied the_newest_commit
