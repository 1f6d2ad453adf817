#!/bin/bash
# doctor: the commonest misconfigurations, made for real: each is found, with its mend and an exit status. SPDX-License-Identifier: Apache-2.0
#
# The table of docs/operations.md has a row for each. Limits that are not kept are in limits.sh, descriptors and files of tls in cli.sh.
. "$(dirname "$0")/lib.sh"

FOUND= # where programs are found, in the place of PATH

# finds STATUS LEVEL WHAT MEND [ARGUMENT..]: a finding of that level with its mend in the line below.
finds()
{
    local status=$1 level=$2 what=$3 mend=$4 lines

    shift 4
    SAID=$(PATH=${FOUND:-$PATH} exec "$REEVE" doctor "$@" 2>&1 9>&-)
    expect_equal "exit status: $SAID" "$?" "$status"
    lines=$(grep -F -A 1 -- "$what" <<<"$SAID")
    expect_has "level of '$what' in $SAID" "$lines" "$(printf '%-4s  ' "$level")"
    expect_has "mend of '$what'" "$lines" "$mend"
}

# says_nothing_of PART
says_nothing_of()
{
    [[ $("$REEVE" doctor 2>&1) != *"$1"* ]] || fail "it still says '$1': $("$REEVE" doctor 2>&1)"
}

# Another document in the place of the one that is there.
with_source()
{
    write_daemon
    sed -i "s|^sources: .*|sources: {shop: {$1}}|" "$WORLD/reeve.yaml"
}

what_serves_is_missing_or_old()
{
    given_world
    mkdir "$WORLD/bin"
    ln -s "$(command -v sh)" "$WORLD/bin/sh"
    FOUND=$WORLD/bin
    finds 1 bad "'haproxy' cannot be run" 'apt install haproxy'
    printf '#!/bin/sh\necho "HA-Proxy version 1.8.19-1+deb10u3 2020/08/01"\n' >"$WORLD/bin/haproxy"
    chmod 755 "$WORLD/bin/haproxy"
    finds 1 bad 'haproxy is too old: HA-Proxy version 1.8.19' '2.6 is needed at least'
    printf '#!/bin/sh\necho "HAProxy version 2.10.1 2030/08/01"\n' >"$WORLD/bin/haproxy"
    finds 0 good "haproxy: HAProxy version 2.10.1" ""
    FOUND=
}

a_source_that_cannot_be_read()
{
    with_source "url: \"ssh://git@git.example.test:2222/shop.git\""
    finds 1 bad "source 'shop' is read over ssh and names no known_hosts" 'ssh-keyscan -p 2222 git.example.test >FILE'
    expect_has "the key too" "$SAID" "source 'shop' is read over ssh and names no key_file"
    with_source "url: \"ssh://git@git.example.test/shop.git\", known_hosts: $WORLD/known, key_file: $WORLD/key"
    finds 1 bad "source 'shop': known_hosts '$WORLD/known': No such file" 'ssh-keyscan git.example.test >FILE'
    expect_has "the key too" "$SAID" "source 'shop': key_file '$WORLD/key': No such file"
    echo 'git.example.test ssh-ed25519 AAAA' >"$WORLD/known"
    ssh-keygen -q -t ed25519 -N '' -f "$WORLD/key" || fail "no key"
    chmod 644 "$WORLD/key"
    finds 1 bad "source 'shop': others may read '$WORLD/key', so ssh does not use it" "chmod 600 $WORLD/key"
    chmod 600 "$WORLD/key"
    says_nothing_of "source 'shop'"
    with_source "url: \"file://$WORLD/nowhere\""
    finds 1 bad "source 'shop': '$WORLD/nowhere': No such file" "a repository that '$(id -un)' can read"
}

a_secret_that_is_not_there()
{
    with_source "url: \"https://git.example.test/shop.git\", credentials: {secret: git_token}"
    finds 0 warn "secret 'git_token' of sources.shop.credentials: variable REEVE_SECRET_GIT_TOKEN is not set here" 'EnvironmentFile='
    REEVE_SECRET_GIT_TOKEN=x says_nothing_of "git_token"
    mkdir "$WORLD/secrets"
    echo "secrets: {default: files, stores: {files: {type: file, directory: $WORLD/secrets}}}" >>"$WORLD/reeve.yaml"
    finds 1 bad "secret 'git_token' of sources.shop.credentials: '$WORLD/secrets/git_token': No such file" 'install -m 600'
    echo x >"$WORLD/secrets/git_token"
    chmod 644 "$WORLD/secrets/git_token"
    finds 0 warn "secret 'git_token' of sources.shop.credentials: everybody may read '$WORLD/secrets/git_token'" "chmod 600 $WORLD/secrets/git_token"
    chmod 600 "$WORLD/secrets/git_token"
    says_nothing_of "git_token"
    expect_has_not "doctor" "$SAID" 'secrets/git_token: x'
}

# What a daemon that root started once, with another `user`, left behind.
files_of_somebody_else()
{
    write_daemon
    mkdir -p "$WORLD/var/services"
    chmod 711 "$WORLD" # as /var/lib is: whoever may pass gets there
    if [ "$(id -u)" = 0 ]; then
        chmod 700 "$WORLD/var/services"
        sed -i 's/^user: .*/user: "65534:65534"/' "$WORLD/reeve.yaml"
        finds 1 bad "'$WORLD/var/services' belongs to 'root', and the daemon runs as 'nobody': Permission denied" "chown -R nobody: $WORLD/var/services"
        chown -R 65534:65534 "$WORLD/var"
    else
        chmod 500 "$WORLD/var/services"
        finds 1 bad "'$WORLD/var/services' belongs to '$(id -un)'" "chown -R $(id -un): $WORLD/var/services"
        chmod 700 "$WORLD/var/services"
    fi
    says_nothing_of "belongs to"
    write_daemon
}

a_document_that_others_write()
{
    chmod 664 "$WORLD/reeve.yaml"
    finds 1 bad "'$WORLD/reeve.yaml' can be written by others than '$(id -un)'" "chmod go-w $WORLD/reeve.yaml"
    chmod 644 "$WORLD/reeve.yaml"
    says_nothing_of "can be written by others"
}

an_address_that_is_taken()
{
    given_world
    write_daemon extra="listen: 127.0.0.1:$((FIRST + 35))"
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    says_nothing_of "Address already in use"
    sed 's/reeve.sock/other.sock/' "$WORLD/reeve.yaml" >"$WORLD/other.yaml"
    finds 1 bad "listen: " 'else choose another address' --config "$WORLD/other.yaml"
    expect_has "why" "$SAID" "Address already in use"
    expect_has "the edge's" "$SAID" "warn  127.0.0.1:$HTTP of provider 'edge': Address already in use"
}

specs_that_nobody_finds()
{
    git -C "$WORLD/repo" mv .reeve reeve
    deploy 'the specs lie elsewhere'
    await 20 "the daemon has read it" is_read
    finds 0 warn "branch 'main' of source 'shop' has no spec below '.reeve'" "'path' of the source"
    git -C "$WORLD/repo" mv reeve .reeve
    deploy 'and are back'
    await 20 "the daemon has read it" is_read
    says_nothing_of "no spec below"
}

is_read()
{
    [[ $(reeve status -o json) == *"\"branch\":\"main\",\"commit\":\"$(head_commit)\""* ]]
}

# refuses_to_start STATUS WHAT: reeve check and reeve serve agree.
refuses_to_start()
{
    local verb said

    for verb in check serve; do
        said=$(timeout 20 "$REEVE" $verb 2>&1 9>&-)
        expect_equal "exit status of $verb: $said" "$?" "$1"
    done
    expect_has "check" "$("$REEVE" check 2>&1)" "$2"
}

a_state_that_cannot_be_had()
{
    given_world
    mkdir -p "$WORLD/var"
    echo 'this is no database' >"$WORLD/var/reeve.db"
    refuses_to_start 1 "the state cannot be read; a new one: reeve recover: state at '$WORLD/var/reeve.db'"
    rm -rf "$WORLD/var"
    : >"$WORLD/var"
    refuses_to_start 1 "state at '$WORLD/var/reeve.db': the daemon's user cannot write in '$WORLD/var'"
    rm "$WORLD/var"
    if [ "$(id -u)" -eq 0 ]; then # who is root writes anywhere
        sed -i 's/^user: .*/user: "65534:65534"/' "$WORLD/reeve.yaml"
        chmod 755 "$WORLD"
    else
        chmod 555 "$WORLD"
    fi
    refuses_to_start 1 "state at '$WORLD/var/reeve.db': the daemon's user cannot write in '$WORLD': Permission denied"
    chmod 755 "$WORLD"
}

# A small disk of its own, for who may make one.
a_disk_that_is_nearly_full()
{
    local said

    stop_daemon
    # shellcheck disable=SC2016
    said=$(unshare --mount --map-root-user sh -c '
        mount -t tmpfs -o size=16m tmpfs "$1/var" || exit 77
        head -c 15600000 /dev/zero >"$1/var/full"
        shift
        exec "$@"' sh "$WORLD" "$REEVE" doctor 2>&1)
    if [ $? = 77 ]; then
        say "   SKIPPED: no file system can be mounted here: $said"
        return
    fi
    expect_has "doctor" "$(grep -A 1 'MiB are free for the state' <<<"$said")" "warn  1 MiB of 16 MiB are free for the state"
    expect_has "its mend" "$said" 'free some space'
    # shellcheck disable=SC2016
    said=$(unshare --mount --map-root-user sh -c '
        mount -t tmpfs -o size=1m tmpfs "$1/var"
        cat /dev/zero >"$1/var/full" 2>/dev/null
        shift
        exec "$@"' sh "$WORLD" "$REEVE" doctor 2>&1)
    expect_equal "exit status of doctor on a full disk" $? 1
    expect_has "doctor" "$said" "bad   0 MiB of 1 MiB are free for the state"
}

# As root it finds out whether limits are kept by trying it.
it_leaves_nothing_behind()
{
    local before after name said

    given_world
    write_daemon rule='    isolation: namespace'
    sed -i '/^    isolation: none$/d; s/^user: .*/user: "65534:65534"/' "$WORLD/reeve.yaml"
    chmod 755 "$WORLD"
    mkdir "$WORLD/var"
    chown 65534:65534 "$WORLD/var" 2>/dev/null
    name=reeve-$(printf %s "$WORLD/var/reeve.db" | sha256sum | cut -c 1-16)
    listed()
    {
        find "$WORLD" -printf '%p %u %m %s\n' | sort
        find /sys/fs/cgroup -name "$name*"
    }
    before=$(listed)
    said=$("$REEVE" doctor 2>&1 9>&-)
    after=$(listed)
    [ "$before" = "$after" ] || fail "doctor leaves: $(diff <(echo "$before") <(echo "$after"))"
    if [[ $said != *"is kept by control groups in '"*"/$name'"* ]]; then
        say "   no control group can be made here: $(grep -m 1 'is not kept' <<<"$said")"
    fi
}

run_cases what_serves_is_missing_or_old a_source_that_cannot_be_read a_secret_that_is_not_there files_of_somebody_else \
    a_document_that_others_write an_address_that_is_taken specs_that_nobody_finds a_disk_that_is_nearly_full \
    a_state_that_cannot_be_had it_leaves_nothing_behind
