#!/bin/bash
# bundle: what an admin brings in a signed file while the git host is down. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

ME=$(id -un)

# Whoever runs this is ann, who is an admin and has a key; bob has one, too, and is nobody here.
given_bundles()
{
    local name

    given_world
    mkdir "$WORLD/keys"
    for name in ann bob; do
        ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$WORLD/keys/$name" || fail "no key"
    done
    sed -i "s|^auth: .*|auth: {same_user: allow, people: {ann: {local: $ME, keys: [\"$(<"$WORLD/keys/ann.pub")\"]}, bob: {local: nobody, keys: [\"$(<"$WORLD/keys/bob.pub")\"]}}}|" \
        "$WORLD/reeve.yaml"
    spec version=v1 keep=60s "$@"
    commit 'version 1'
    start_daemon
    await_converged
    expect_serves v1
}

# Commits go on in a clone that only people can reach.
the_host_goes_down()
{
    git clone -q "$WORLD/repo" "$WORLD/clone" 2>/dev/null || fail "clone"
    mv "$WORLD/repo" "$WORLD/away"
    mkdir "$WORLD/repo"
    mv "$WORLD/clone" "$WORLD/ours"
    git -C "$WORLD/ours" checkout -q main
}

# in_ours COMMAND..: what writes and commits specs does it there.
in_ours()
{
    rmdir "$WORLD/repo"
    mv "$WORLD/ours" "$WORLD/repo"
    "$@"
    mv "$WORLD/repo" "$WORLD/ours"
    mkdir "$WORLD/repo"
}

write_version()
{
    spec version="$1" keep=60s
    commit "version $1"
}

# make_bundle RANGE [KEY]
make_bundle()
{
    rm -f "$WORLD"/fix.bundle*
    git -C "$WORLD/ours" bundle create -q "$WORLD/fix.bundle" $1 || fail "no bundle"
    sign_bundle "${2:-ann}"
}

sign_bundle()
{
    rm -f "$WORLD/fix.bundle.sig"
    ssh-keygen -q -Y sign -n "${2:-reeve-bundle}" -f "$WORLD/keys/$1" "$WORLD/fix.bundle" 2>/dev/null || fail "not signed"
}

apply_bundle()
{
    reeve apply shop --bundle "$WORLD/fix.bundle" --reason 'the git host is down' >"$WORLD/said" 2>&1
}

expect_refused()
{
    apply_bundle && fail "$1: it is taken"
    expect_has "$1" "$(<"$WORLD/said")" "$2"
}

status_says()
{
    reeve status | grep -qF "$1"
}

status_is_silent()
{
    ! status_says "$1"
}

a_bundle_is_rolled_out()
{
    given_bundles
    the_host_goes_down
    in_ours write_version v2
    make_bundle origin/main..main
    start_load --new 2 --kept 2 --pause-ms 5
    apply_bundle || fail "it is refused: $(<"$WORLD/said")"
    expect_has "said" "$(<"$WORLD/said")" "branch 'main' goes on to"
    await 30 "version 2 is served" serves v2
    end_load
    expect_equal "requests lost" "$(counted lost)" 0
    expect_has "history" "$(reeve history -n 1000 -o json)" "$(sha256sum "$WORLD/fix.bundle" | cut -d ' ' -f 1)"
    expect_has "history" "$(reeve history -n 1000 -o json)" 'the git host is down'
}

and_it_is_read_again_after_a_restart()
{
    await 60 "in sync" sync_is in_sync
    stop_daemon
    start_daemon
    in_ours write_version v3
    make_bundle origin/main..main
    apply_bundle || fail "it is refused: $(<"$WORLD/said")"
    await 30 "version 3 is served" serves v3
}

# Nothing is undone by itself: the host is behind, then it has it.
and_the_host_comes_back()
{
    rmdir "$WORLD/repo"
    mv "$WORLD/away" "$WORLD/repo"
    fetch_now
    await 30 "the host is behind" status_says 'came in a bundle: the git host is behind'
    expect_serves v3
    git -C "$WORLD/ours" push -q "$WORLD/repo" main:main 2>/dev/null ||
        { git -C "$WORLD/repo" checkout -q --detach && git -C "$WORLD/ours" push -q "$WORLD/repo" main:main && git -C "$WORLD/repo" checkout -q main; } ||
        fail "push"
    fetch_now
    await 30 "the host has it" status_is_silent 'came in a bundle'
    spec version=v4 keep=60s
    deploy 'version 4'
    await 60 "version 4 is served" serves v4
}

# Somebody pushed something else meanwhile: a person makes a commit that goes on from both.
the_host_has_gone_another_way()
{
    given_bundles
    the_host_goes_down
    in_ours write_version v2
    make_bundle origin/main..main
    apply_bundle || fail "it is refused: $(<"$WORLD/said")"
    await 30 "version 2 is served" serves v2
    rmdir "$WORLD/repo"
    mv "$WORLD/away" "$WORLD/repo"
    spec version=v9 keep=60s
    deploy 'another version'
    await 30 "it diverged" status_says 'diverged: commit'
    expect_serves v2
    git -C "$WORLD/repo" fetch -q "$WORLD/ours" main && git -C "$WORLD/repo" merge -q -s ours -m 'both' FETCH_HEAD || fail "merge"
    fetch_now
    await 60 "what goes on from both is rolled out" serves v9
    await 30 "it is over" status_is_silent 'diverged'
}

what_is_wrong_is_refused()
{
    local base

    given_bundles
    the_host_goes_down
    in_ours write_version v2
    base=$(git -C "$WORLD/ours" rev-parse origin/main)

    make_bundle origin/main..main
    rm "$WORLD/fix.bundle.sig"
    expect_refused "unsigned" 'the signature of the bundle'
    sign_bundle bob
    expect_refused "signed by somebody else" 'not by a key of ann'
    sign_bundle ann reeve-plan
    expect_refused "signed for something else" 'not by a key of ann'
    sign_bundle ann
    printf 'other' | dd of="$WORLD/fix.bundle" bs=1 seek=200 conv=notrunc status=none
    expect_refused "tampered with" 'not by a key of ann'

    make_bundle origin/main..main
    truncate -s -30 "$WORLD/fix.bundle"
    sign_bundle ann
    expect_refused "a pack that is cut" 'the pack of the bundle'
    printf '# v2 git bundle\n-%040d gone\n%s refs/heads/main\n\n' 7 "$base" >"$WORLD/fix.bundle"
    sign_bundle ann
    expect_refused "a prerequisite that is not here" 'which this source never had'
    printf '# v2 git bundle\n%s refs/heads/ma\033in\n\n' "$base" >"$WORLD/fix.bundle"
    sign_bundle ann
    expect_refused "a name with a control character" 'control characters'
    { printf '# v2 git bundle\n'; yes -- "-$base x" | head -n 20000; } >"$WORLD/fix.bundle"
    sign_bundle ann
    expect_refused "a header that is too long" 'prerequisites'
    ln -s /dev/zero "$WORLD/zero"
    printf 'x' >"$WORLD/zero.sig"
    reeve apply shop --bundle "$WORLD/zero" --reason x >"$WORLD/said" 2>&1 && fail "a device is read"
    expect_has "a device" "$(<"$WORLD/said")" 'is no file'

    git -C "$WORLD/ours" branch -q other main
    make_bundle origin/main..other
    expect_refused "a branch that is not followed" 'none of the branches'
    git -C "$WORLD/ours" checkout -q --orphan alone
    git -C "$WORLD/ours" commit -q -m 'another repository'
    git -C "$WORLD/ours" branch -q -f main alone
    make_bundle main
    expect_refused "another repository" 'rewound: commit'
    git -C "$WORLD/ours" branch -q -f main "$base"
    git -C "$WORLD/ours" checkout -q main
    hostile_commit
    make_bundle "$base..main"
    expect_refused "a hostile tree" 'hostile tree'
    reeve apply nowhere --bundle "$WORLD/fix.bundle" --reason x >"$WORLD/said" 2>&1 && fail "a source that is not there"
    reeve apply shop --bundle "$WORLD/fix.bundle" >"$WORLD/said" 2>&1 && fail "without a reason"
    expect_has "without a reason" "$(<"$WORLD/said")" 'say why'
    expect_serves v1
    expect_equal "plans" "$(reeve history -n 1000 | grep -c 'plan\.started')" 1
    expect "the chain holds" reeve audit verify --replay
}

# A tree with an entry "..", which git itself would not make.
hostile_commit()
{
    local blob tree

    blob=$(echo x | git -C "$WORLD/ours" hash-object -w --stdin)
    tree=$({ printf '100644 ..\0'; xxd -r -p <<<"$blob"; } | git -C "$WORLD/ours" hash-object -w -t tree --literally --stdin)
    git -C "$WORLD/ours" update-ref refs/heads/main "$(git -C "$WORLD/ours" commit-tree -p "$(git -C "$WORLD/ours" rev-parse main)" -m hostile "$tree")"
}

# Where somebody may look, and no more.
who_is_no_admin_is_refused()
{
    given_bundles
    the_host_goes_down
    in_ours write_version v2
    make_bundle origin/main..main
    stop_daemon
    sed -i "s|^auth: {|auth: {local: {operator: [user:$ME], approver: [user:$ME]}, |" "$WORLD/reeve.yaml"
    start_daemon
    expect_refused "an operator" 'it needs admin'
}

[ "$(ssh-keygen -Y 2>&1 | head -c 1)" ] || skip "ssh-keygen cannot sign"
run_cases a_bundle_is_rolled_out and_it_is_read_again_after_a_restart and_the_host_comes_back the_host_has_gone_another_way \
    what_is_wrong_is_refused who_is_no_admin_is_refused
