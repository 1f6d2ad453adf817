#!/bin/bash
# cli: what the command line says, and with which exit status. SPDX-License-Identifier: Apache-2.0
#
# A row is a sentence, the exit status, the words, and a part of what they must print. What comes from outside
# (a commit, a service, a reason) holds the characters that steer a terminal.
. "$(dirname "$0")/lib.sh"

ESC=$(printf '\033')
HOSTILE=$(printf 'evil\033[2J\302\2331m\342\200\256\r\nnext')

# expect_json PART WORDS..: one JSON text in one line, and nothing in it moves a cursor.
expect_json()
{
    local part=$1

    shift
    SAID=$("$REEVE" "$@" -o json 2>"$WORLD/said" 9>&-) || fail "reeve $*: $(cat "$WORLD/said")"
    expect_has "reeve $* -o json" "$SAID" "$part"
    expect_equal "lines of reeve $* -o json" "$(wc -l <<<"$SAID")" 1
    expect_harmless "reeve $* -o json" "$SAID"
    case $SAID in
    '{'*'}' | '['*']') ;;
    *) fail "reeve $* -o json: $SAID" ;;
    esac
}

expect_harmless()
{
    ! LC_ALL=C grep -q "$ESC"'\|'$'\302\233''\|'$'\342\200\256''\|'$'\r' <<<"$2" || fail "$1 steers the terminal: $2"
}

# --- without anything ---------------------------------------------------------------------------------

usage()
{
    unset REEVE_CONFIG
    cd /
    run 0 'Reeve keeps environments' --help
    run 0 'people     list | password NAME | sessions NAME | sign-out NAME
                                      people who sign in' --help
    run 3 "did you mean 'status'?" stauts
    run 3 'did you mean --reason?' hold x --reson y
    run 3 '--output is text or json' status -o yaml
    run 3 'usage: reeve undo' undo
    run 3 'say why: --reason' undo x
    run 3 'is not a time' history x --at yesterday
    run 6 'neither ./reeve.yaml nor' status
    run 6 'which --config names' --config /nowhere.yaml status
    run 8 "no daemon at '/nowhere/reeve.sock': reeve serve" --server /nowhere/reeve.sock status
    run 6 "did you mean 'healthcheck'?" explain services.heathcheck
    run 0 'readiness' explain services.healthcheck
    run 0 'https://json-schema.org/draft/2020-12/schema' schema
    run 0 '"trusted_proxies"' schema daemon
    run 6 "no kind 'demon'" schema demon
}

usage_of_help()
{
    run 3 "no verb 'nothing'" help nothing
    run 0 'needs: a daemon' help apply
    run 0 'reeve 0.1.0' --version
}

# What a configuration asks for and this version does not do is said by everybody who reads it.
not_in_this_version()
{
    local config=$WORLD/later.yaml

    cat >"$config" <<'YAML'
apiVersion: reeve/v1
kind: Daemon
user: "0:0"
notifications: [{type: slack, url: {secret: hook}, on: [apply_failed, backup_overdue]}]
limits: {previews: 3}
providers: {containers: {driver: docker}, edge: {driver: haproxy, http: "127.0.0.1:80", https: "127.0.0.1:443"}}
YAML
    run 0 "$config:4:71: warning: notifications.on: not in this version" validate "$config"
    run 1 "there is no driver 'docker' in this program: there are haproxy, null, process" doctor --config "$config"
    expect_has "doctor" "$SAID" "warn  $config:5: limits.previews: not in this version: no preview is made"
    run 4 'asks for what this version does not do' serve --config "$config"
    expect_has "serve" "$SAID" "$config:6:89: error: providers.edge.https: not in this version"
    expect_has "serve" "$SAID" "$config:6:34: error: providers.containers: there is no driver 'docker'"
    expect_has "serve" "$SAID" "$config:5:10: warning: limits.previews"
    run 4 'asks for what this version does not do' once --config "$config"
}

# --- the three standard files -------------------------------------------------------------------------

standard_files()
{
    local status

    given_world
    spec
    commit 'version 1'
    start_daemon
    await_converged
    "$REEVE" status >/dev/full 2>"$WORLD/said" 9>&-
    status=$?
    [ $status -eq 1 ] || fail "a full disk: exit status $status"
    expect_has "a full disk" "$(cat "$WORLD/said")" 'No space left'
    "$REEVE" history -n 1000 >/dev/full 2>"$WORLD/said" 9>&-
    expect_has "a full disk, much to say" "$(cat "$WORLD/said")" 'No space left'
    "$REEVE" status >&- 2>"$WORLD/said" 9>&-
    [ $? -eq 1 ] || fail "a closed standard output is no error"
    "$REEVE" history -n 1000 2>"$WORLD/said" 9>&- | head -n 1 >/dev/null
    expect_equal "a reader that left" "$(cat "$WORLD/said")" ''
    stop_daemon
    "$REEVE" status --recorded >&- 2>&- <&- 9>&-
    run 0 'the chain of' audit verify --replay
    run 0 "nobody signs in: 'auth.people' names nobody" people list
}

# --- names and states ---------------------------------------------------------------------------------

names_that_are_wrong()
{
    start_daemon
    run 6 "no environment 'prd': did you mean 'prod'?" status prd
    run 6 "no environment 'a b'" plan 'a b'
    run 6 "no environment '..'" status ..
    run 6 "no environment '.'" plan .
    run 6 "no environment '..'" hold .. -m x
    run 6 "no environment 'a/../b'" logs a/../b
    run 6 "no operation '..'" settle .. --as done -m x
    run 8 "'127.0.0.1:7420' is no socket: an address is http://HOST:PORT" --server 127.0.0.1:7420 status
    run 3 'an empty word' status ''
    run 3 "is not a plan's id" approve prod -m x
    run 6 "no plan 'abcdef'" approve abcdef -m x
    run 6 'revision 99' rollback prod 99 -m x
    run 6 "has no service 'nope'" logs prod nope
    run 6 "has no service 'nope'" hold prod --service nope -m x
    run 3 'would end before it begins' hold prod --until 2024-01-01 -m x
    run 6 "there is no operation 'x'" settle x --as done -m x
    run 6 "has no 'service/nope'" explain prod/service/nope
    run 0 'there was nothing of it yet' history prod --at 2024-01-01
    run 7 'is not held' resume prod
    run 5 'is kept to go back to' undo prod -m x
}

json_of_every_command()
{
    expect_json '"live"' status
    expect_json '"because"' status prod
    expect_json '"document"' plan prod
    expect_json '[' plan --all
    expect_json '"document"' plan -f "$WORLD/repo" prod
    expect_json '"events"' history prod
    expect_json '"resources"' history prod --at now
    expect_json '"choices"' explain prod
    expect_json '"text"' explain services
    expect_json '"instances"' logs prod
    expect_json '[' validate "$WORLD/repo"
    expect_json '"level"' doctor
    expect_json '"head"' audit verify
    expect_json '"in_sync"' apply prod
    expect_json '"in_sync"' apply --all
    expect_json '"held"' hold prod -m x
    expect_json '"converging"' resume prod
    expect_json '"version"' version
}

a_hold_of_one_service()
{
    spec version=v2
    run 0 'prod is held' hold prod --service web -m 'not this one'
    deploy 'version 2'
    await 30 "it is held" sync_is held
    expect_serves v1
    expect_equal "said once" "$(reeve explain prod | grep -c 'not this one')" 1
    run 0 '1 hold ended' resume prod
    await_converged
    expect_serves v2
}

waits_for_a_person()
{
    await 30 "what the rollout left is cleared" one_set_is_left
    spec version=v3 approval=manual
    commit 'version 3'
    run 2 '(reeve plan prod)' apply prod
    run 2 'next     reeve approve' plan prod --exit-code
    run 0 'there are no tokens' token list
    run 0 'rejected' reject "$(plan_id)" -m 'not today'
    run 7 'is rejected' approve "$(plan_id)" -m x
    run 0 'not today' history prod
}

# --- text from outside --------------------------------------------------------------------------------

hostile_text()
{
    local verb

    spec version=v4 approval=auto
    git -C "$WORLD/repo" add -A
    git -C "$WORLD/repo" -c i18n.commitEncoding=utf-8 commit -q -m "$HOSTILE"
    run 0 'prod is held' hold prod -m "$HOSTILE"
    run 2 'evil\u{1b}[2J' apply prod
    for verb in status 'status prod' 'plan prod' 'plan prod -o markdown' 'explain prod' 'history prod' 'history prod --at now'; do
        SAID=$(reeve $verb 2>&1)
        expect_harmless "reeve $verb" "$SAID"
        expect_harmless "reeve $verb -o json" "$(reeve $verb -o json 2>&1)"
    done
    expect_has "the plan shows the commit" "$(reeve plan prod)" 'evil\u{1b}[2J'
    expect_has "so does its comment" "$(reeve plan prod -o markdown)" ': ` evil\u{1b}[2J'
    run 0 'prod is' resume prod
    await_converged
    spec version=v5 command=/bin/sh
    sed -i 's|command: \["/bin/sh"\]|command: ["/bin/sh", "-c", "printf \\"a\\\\033[2Jb\\\\302\\\\2331m\\\\n\\"; exec '"$APP"'"]|' "$WORLD/repo/.reeve/app.yaml"
    deploy 'a service that writes controls'
    await_converged
    SAID=$(reeve logs prod)
    expect_has "logs" "$SAID" 'a\u{1b}[2Jb\u{9b}1m'
    expect_harmless "reeve logs" "$SAID"
    expect_harmless "reeve logs -o json" "$(reeve logs prod -o json)"
    expect_has "logs --raw" "$(reeve logs prod --raw)" "$ESC[2J"
    expect_harmless "the daemon's log" "$(cat "$WORLD/daemon.log")"
}

# --- without the daemon -------------------------------------------------------------------------------

no_daemon()
{
    stop_daemon
    run 0 'from the state file' status
    run 8 'no daemon at' apply prod
    run 8 'no daemon at' hold prod -m x
    run 8 'no daemon at' --server "$WORLD/var/reeve.sock" status
    run 0 'good' doctor
    mv "$WORLD/var/reeve.db" "$WORLD/var/kept.db"
    run 8 'there is no state' status
    printf 'this is not a database, but it is long enough to be looked at as one %s\n' {1..40} >"$WORLD/var/reeve.db"
    run 1 "'$WORLD/var/reeve.db'" status
    run 1 "'$WORLD/var/reeve.db'" audit verify "$WORLD/var/reeve.db"
    rm "$WORLD/var/reeve.db"
    mv "$WORLD/var/kept.db" "$WORLD/var/reeve.db"
    run 0 'holds' audit verify "$WORLD/var/reeve.db"
    run 6 'there is no state at' audit verify "$WORLD/nowhere.db"
}

# What is wrong with the machine is found, with its mend; `run` shows the first line that has the text.
the_machine_is_looked_at()
{
    local config=$WORLD/sealed.yaml

    SAID=$(ulimit -n 256 && reeve doctor 2>&1)
    expect_has "few descriptors" "$SAID" 'warn  256 descriptors may be open'
    expect_has "its mend" "$SAID" 'LimitNOFILE='
    SAID=$(ulimit -n 8192 && reeve doctor 2>&1)
    expect_has "enough" "$SAID" 'good  8192 descriptors may be open'
    expect_has "the clock, kept or not" "$SAID" ' the clock'

    { cat "$WORLD/reeve.yaml" && echo "tls: {certificate: $WORLD/tls.pem, key: $WORLD/tls.key}"; } >"$config"
    run 1 "tls.key: '$WORLD/tls.key': No such file" doctor --config "$config"
    : >"$WORLD/tls.pem"
    : >"$WORLD/tls.key"
    chmod 644 "$WORLD/tls.key"
    SAID=$(reeve doctor --config "$config" 2>&1)
    expect_has "a key for everybody" "$SAID" "others may read '$WORLD/tls.key'"
    expect_has "its mend" "$SAID" "chmod 600 $WORLD/tls.key"
    chmod 600 "$WORLD/tls.key"
    SAID=$(reeve doctor --config "$config" 2>&1)
    [[ $SAID != *"tls."* ]] || fail "a key that is kept: $SAID"
}

run_cases usage usage_of_help standard_files names_that_are_wrong json_of_every_command a_hold_of_one_service \
    waits_for_a_person hostile_text no_daemon the_machine_is_looked_at not_in_this_version
