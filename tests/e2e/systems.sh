#!/bin/bash
# systems: a daemon plans the five systems of examples/ from real repositories, on the driver null. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

EXAMPLES=$(cd "$(dirname "$0")/../../examples" && pwd)

# A file for each path that its specs name, for each of its environments.
write_secrets()
{
    local name=$1 path env file

    for path in $(grep -ho "path: \(\"$name/[^\"]*\|$name/[^ ,}]*\)" "$WORLD"/repo/.reeve/*.yaml | sed 's/path: "\?//'); do
        for env in $ENVIRONMENTS; do
            file=$WORLD/secrets/${path//'${env}'/$env}
            mkdir -p "${file%/*}"
            echo "a value that is long enough for anybody: $path" >"$file"
        done
    done
}

# Its repository, with both branches and a version at one commit, and its Daemon document, by which every plan waits for a person: nothing of it runs.
given_system()
{
    given_world
    rm -rf "$WORLD/repo"
    cp -r "$EXAMPLES/$1" "$WORLD/repo"
    rm -f "$WORLD/repo/reeve.yaml"
    git init -q -b develop "$WORLD/repo"
    commit "all of $1"
    git -C "$WORLD/repo" branch main
    git -C "$WORLD/repo" tag v1.0.0
    sed -E "/^    floor:/d; s/^    (branch|tag): .*/&\n    floor: {approval: manual}/; s/^    providers: .*/&\n    isolation: none/; s#file:///srv/git/$1.git#file://$WORLD/repo#;
        s/^state:/user: \"$(id -u):$(id -g)\"\nauth: {same_user: allow}\nstate:/" "$EXAMPLES/$1/reeve.yaml" >"$WORLD/reeve.yaml"
    ENVIRONMENTS=$(sed -n '/^kind: Environment/{n;s/name: //p}' "$WORLD"/repo/.reeve/*.yaml)
    write_secrets "$1"
}

is_planned()
{
    [[ $(reeve status "$1" 2>&1) == *" waiting "*"approval: manual"* ]]
}

# Kinds and names of what a plan is about.
planned()
{
    grep -o '"kind":"[a-z]*","name":"[^"]*","place"' | sort
}

# The daemon plans what the command line plans of the files: all of it, and nothing else.
expect_planned()
{
    local env=$1 daemon offline

    await 30 "a plan of $env waits" is_planned "$env"
    daemon=$(reeve plan "$env" -q -o json | planned)
    offline=$(reeve plan -f "$WORLD/repo" "$env" --config "$WORLD/reeve.yaml" -q -o json | planned)
    [ -n "$daemon" ] || fail "the plan of $env is empty"
    expect_equal "what is planned of $env" "$daemon" "$offline"
    say "   $env: $(wc -l <<<"$daemon") planned"
}

plans_whole()
{
    local env

    given_system "$1"
    start_daemon
    for env in $ENVIRONMENTS; do
        expect_planned "$env"
    done
}

grove() { plans_whole grove; }
delight()
{
    plans_whole delight
    expect_has "what is said of its previews" "$(reeve status)" "preview 'pr': this version makes no previews"
}
salina() { plans_whole salina; }
nuggetwise() { plans_whole nuggetwise; }
signupflow() { plans_whole signupflow; }

run_cases grove delight salina nuggetwise signupflow
