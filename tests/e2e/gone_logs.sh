#!/bin/bash
# gone_logs: what an instance printed last is read after it has gone, as long as it is kept and its secrets can be hidden. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

VALUE=correct-horse-battery-staple

# A program that says why it cannot start, with all that it was given.
given_broken()
{
    printf '#!/bin/sh\necho "cannot reach the database with $KEY"\nexit 3\n' >"$WORLD/broken"
    chmod 755 "$WORLD/broken"
}

with_secret()
{
    sed -i "s|^services:|secrets: {key: {store: files, path: prod/key}}\\nservices:|" "$WORLD/repo/.reeve/app.yaml"
}

given_secret_world()
{
    given_world
    write_daemon extra="secrets: {default: files, stores: {files: {type: file, directory: $WORLD/secrets}}}"
    sed -i 's|^    isolation: none|    isolation: none\n    secrets: [{path: "files:prod", for: services}]|' "$WORLD/reeve.yaml"
    mkdir -p "$WORLD/secrets/prod"
    printf %s "$VALUE" >"$WORLD/secrets/prod/key"
    given_broken
}

is_reverted()
{
    sync_is reverted
}

why_it_ended_is_read_afterwards()
{
    given_served
    given_broken
    run 0 'of no instance that is gone a line is kept' logs prod --gone
    spec version=v2 command="$WORLD/broken" deadline=5s env='KEY: "no secret"'
    deploy 'version 2, which cannot start'
    await 30 "it goes back" is_reverted
    expect_serves v1
    run 0 'cannot reach the database with no secret' logs prod --gone
    run 0 'cannot reach the database' logs prod web --gone -o json
    expect_has "status" "$SAID" '"status":"gone"'
    expect_has_not "of those that are there" "$(reeve logs prod)" 'cannot reach'
    expect_has "what can be done" "$(explained)" 'reeve logs prod --gone'
    run 6 "has no service 'nope'" logs prod nope --gone
}

# Each is a directory whose time says when it goes. They are looked for every ten minutes, when an instance is looked at.
it_goes_when_its_time_has_come()
{
    local dir

    dir=$(ls -d "$WORLD"/var/services/gone/rv1*) || fail "nothing is kept"
    touch -d '1 hour ago' "$WORLD/var/services/gone"
    reeve apply prod >/dev/null 2>&1 # a look; it is reverted
    await 30 "they were looked for" was_looked_at
    [ -d "$dir" ] || fail "it goes before its time"
    touch -d '1 minute ago' "$dir"
    touch -d '1 hour ago' "$WORLD/var/services/gone"
    reeve apply prod >/dev/null 2>&1 # a look; it is reverted
    await 30 "it goes" is_empty "$WORLD/var/services/gone"
    run 0 'of no instance that is gone a line is kept' logs prod --gone
}

was_looked_at()
{
    [ -z "$(find "$WORLD/var/services/gone" -maxdepth 0 -mmin +30)" ]
}

is_empty()
{
    [ -z "$(ls -A "$1")" ]
}

# The secret that stands in a sealed set is hidden; of one that is in none nobody knows what to hide.
a_secret_is_hidden_or_nothing_is_shown()
{
    given_secret_world
    spec version=v1 env='KEY: {secret: key}'
    with_secret
    commit 'version 1'
    start_daemon
    await_converged
    spec version=v2 command="$WORLD/broken" deadline=5s env='KEY: {secret: key}'
    with_secret
    deploy 'version 2, which cannot start'
    await 30 "it goes back" is_reverted
    run 0 'cannot reach the database with ***' logs prod --gone
    expect_has_not "logs" "$SAID" "$VALUE"

    mv "$WORLD/var/sealed" "$WORLD/var/elsewhere"
    run 0 'not shown: a secret that it was given is not kept any more' logs prod --gone
    expect_has_not "logs" "$SAID" "$VALUE"
    expect_has_not "logs" "$(reeve logs prod --gone -o json)" 'cannot reach'
    mv "$WORLD/var/elsewhere" "$WORLD/var/sealed"
}

run_cases why_it_ended_is_read_afterwards it_goes_when_its_time_has_come a_secret_is_hidden_or_nothing_is_shown
