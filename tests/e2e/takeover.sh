#!/bin/bash
# takeover: the first daemon dies, its standby goes on, and the first one never acts again. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/pair.sh"

has_more()
{
    [ "$(count_events "$1")" -gt "$2" ]
}

# Version 1 serves, and the standby has heard all of it.
given_version_1()
{
    given_pair
    given_witnesses
    witnessed version=v1 keep=60s
    commit 'version 1'
    start_daemon
    start_standby
    await_converged
    await_level
}

# The first dies in the middle of a rollout: when its history says so once more.
fails_over_at()
{
    local before heard

    given_version_1
    start_load --pause-ms 5
    before=$(count_events "$1")
    witnessed version=v2 keep=60s
    deploy 'version 2'
    await 30 "'$1' of version 2" has_more "$1" "$before"
    kill_daemon
    before=$(seq_of reeve)
    heard=$(seq_of second)
    take_over
    await 60 "the second one converges" second_converged
    await 30 "version 2 is served" serves v2
    end_load
    say "   died at $1: $(head -n 1 <<<"$TAKEN"); $((before - heard)) of $before events were not heard, none of those that were is lost"
    expect_equal "lost requests" "$(counted lost)" 0
    expect_old_one_refuses
    expect_nothing_twice
    expect_verified second
    expect_verified reeve
    second history -n 1000 | grep -q "took_over.* unix:$WORLD/var/reeve.sock" || fail "the history does not say who took over"
}

died_as_it_made_the_new_set()
{
    fails_over_at operation.intent
}

died_in_the_gate()
{
    fails_over_at gate.opened
}

died_behind_the_switch()
{
    fails_over_at rollout.proven
}

# The standby was stopped before version 2, and hears nothing of it: what the first one made is there, and is kept.
what_was_not_heard_is_found()
{
    given_version_1
    end_standby
    witnessed version=v2 keep=60s
    deploy 'version 2'
    await_converged
    kill_daemon
    start_standby
    await 20 "the standby answers" second_answers
    start_load --pause-ms 5
    take_over
    await 60 "the second one converges" second_converged
    await 30 "version 2 is served" serves v2
    end_load
    say "   $(head -n 2 <<<"$TAKEN" | tr '\n' ' ')"
    expect_equal "lost requests" "$(counted lost)" 0
    expect_old_one_refuses
    expect_nothing_twice
    expect_verified second
}

not_while_the_first_one_lives()
{
    given_pair
    given_witnesses
    witnessed version=v1
    commit 'version 1'
    start_daemon
    start_standby
    await_converged
    await_level
    says 3 'how is it known' second takeover </dev/null
    says 7 'answers: it is not fenced' second takeover --primary-is-fenced 'I believe so'
    says 7 'is nobody' reeve takeover --primary-is-fenced 'I believe so'
    witnessed version=v2
    deploy 'version 2'
    await_converged
    await_level
}

# The daemon that took over is one whatever it is started with, and takes over nothing more.
not_twice()
{
    stop_daemon
    take_over
    says 7 'is nobody' second takeover --primary-is-fenced 'again'
    end_standby
    start_standby
    await 20 "it is the daemon" second_is_daemon
    witnessed version=v3
    commit 'version 3'
    kill -HUP "$STANDBY"
    await 60 "the second one converges" second_converged
    expect_serves v3
    expect_nothing_twice
}

second_is_daemon()
{
    second status -o json 2>/dev/null | grep -q '"live"'
}

# As it was stopped it wrote an event that nobody heard: its history is none of the other one's.
the_first_one_follows()
{
    says 5 'both went on alone' reeve serve --follow "unix:$WORLD/second/reeve.sock"
    mkdir "$WORLD/aside"
    mv "$WORLD"/var/reeve.db* "$WORLD/aside/"
    "$REEVE" serve --follow "unix:$WORLD/second/reeve.sock" --config "$WORLD/reeve.yaml" >>"$WORLD/daemon.log" 2>&1 9>&- &
    DAEMON=$!
    await 20 "the first one follows" first_is_level
    expect_has "the first one" "$(reeve status 2>&1)" "a copy of unix:$WORLD/second/reeve.sock"
    expect_verified reeve
}

first_is_level()
{
    local first

    first=$(reeve status -o json 2>/dev/null)
    [[ $first == *'"copy":'* ]] && [ "$(seq_of reeve)" = "$(seq_of second)" ]
}

# and takes over again, with a newer life than the mark that it was left.
and_takes_over_again()
{
    end_standby
    says 0 'taken over' reeve takeover --primary-is-fenced 'killed by the test'
    witnessed version=v4
    deploy 'version 4'
    await_converged
    expect_serves v4
    expect_verified reeve
    expect_nothing_twice
    says 5 'took over' second once
}

# Values were sealed, and versions made, with keys that are in no event.
given_secrets()
{
    export E2E_TOKEN=0123456789abcdef0123456789abcdef
    given_pair rule='    secrets: [{path: "env:token", for: services}]' extra='secrets: {default: env, stores: {env: {type: env, prefix: E2E_}}}'
    spec version=v1 env='TOKEN: {secret: token}'
    sed -i 's|^services:|secrets: {token: {}}\n&|' "$WORLD/repo/.reeve/app.yaml"
    commit 'version 1'
    start_daemon
    start_standby
    await_converged
    await_level
}

# Of the edge and of the instance.
who_runs()
{
    cat "$WORLD"/var/*/run/*/state | grep -o '"pid":[0-9]*' | sort
}

not_without_the_keys()
{
    local before

    given_secrets
    before=$(who_runs)
    kill_daemon
    says 5 'copy the keys and sealed values' second takeover --primary-is-fenced 'killed by the test'
    expect_has "it" "$(second status 2>&1)" "a copy of"
    find "$WORLD/var/keys" -maxdepth 1 -type f ! -name 'history*' -exec cp -p {} "$WORLD/second/var/keys/" \;
    cp -a "$WORLD/var/sealed" "$WORLD/second/var/"
    take_over
    await 60 "the second one converges" second_converged
    spec version=v1 env='TOKEN: {secret: token}' keep=2s
    sed -i 's|^services:|secrets: {token: {}}\n&|' "$WORLD/repo/.reeve/app.yaml"
    commit 'nothing that anybody sees'
    kill -HUP "$STANDBY"
    await 60 "the second one converges" second_converged
    expect_equal "who runs" "$(who_runs)" "$before"
    expect_verified second
}

# A standby without keys follows and answers. Who gives them up when it takes over gives up what was sealed: the plan replaces
# who was given it, once, and the old one can be read no more.
who_gives_the_keys_up()
{
    local before

    given_secrets
    before=$(who_runs)
    says 0 'in_sync' second status prod
    says 0 '"kind":"rollout.applied"' second history prod -n 1000 -o json
    says 3 "no option '--without-keys' here" "$REEVE" serve --config "$WORLD/second/reeve.yaml" --follow "unix:$WORLD/var/reeve.sock" --without-keys
    kill_daemon
    says 5 'give them up: --without-keys' second takeover --primary-is-fenced 'killed by the test'
    says 0 'taken over' second takeover --without-keys --primary-is-fenced 'killed by the test'
    await 60 "the second one converges" second_converged
    await 60 "who was given a secret is made anew" is_replaced "$before"
    await 60 "the second one converges" second_converged
    expect_serves v1
    says 0 'versions' second history -n 1000 -o json
    expect_verified second
    expect_old_one_refuses
}

is_replaced()
{
    [ "$(who_runs)" != "$1" ]
}

# --- who listens ----------------------------------------------------------------------------------------

# Who listens at the standby hears each event once: as it comes, over a death of the standby, and through the takeover.
given_listeners()
{
    given_pair
    SECOND_API=$((FIRST + 36))
    write_daemon extra="listen: 127.0.0.1:$((FIRST + 35))"
    echo "listen: 127.0.0.1:$SECOND_API" >>"$WORLD/second/reeve.yaml"
    given_witnesses
    witnessed version=v1
    commit 'version 1'
    start_daemon
    start_standby
    await_converged
    reeve token create all >"$WORLD/all" 2>/dev/null
    reeve token create ours --env prod >"$WORLD/ours" 2>/dev/null
    reeve token create none --env 'pr-*' >"$WORLD/none" 2>/dev/null
    await_level
}

# happen COMMAND TIMES: who is asked to do something.
happen()
{
    local i

    for ((i = 0; i < $2; i++)); do
        "$1" hold prod --reason 'a look' >/dev/null 2>&1 && "$1" resume prod >/dev/null 2>&1 || fail "nothing happens"
    done
}

# seq of the last event of that kind that the stream brought.
has_brought()
{
    grep -q "^event: $1" "$WORLD/stream"
}

listens()
{
    curl -sN --unix-socket "$WORLD/second/reeve.sock" "$@" http://localhost/api/v1/events >"$WORLD/stream" 2>/dev/null 9>&- &
    STREAM=$!
    disown
}

events_are_told_as_they_come()
{
    local last ids

    given_listeners
    last=$(seq_of second)
    listens -H "Last-Event-ID: $((last - 3))"
    await 30 "what came before" grep -q "^id: $last\$" "$WORLD/stream"
    expect_equal "from where it was" "$(grep -m 1 '^id: ' "$WORLD/stream")" "id: $((last - 2))"
    happen reeve 1
    await 30 "what is new" has_brought command.hold
    ids=$(grep '^id: ' "$WORLD/stream")
    expect_equal "each once, in order" "$(sort -k 2n <<<"$ids" | uniq)" "$ids"
    kill -KILL "$STREAM" 2>/dev/null
}

# What the actor of that token is told of the history, the oldest first.
write_wanted()
{
    "$REEVE" --quiet --server "http://127.0.0.1:$SECOND_API" --token "@$WORLD/$1" history -n 1000 -o json >"$WORLD/$1.history" || fail "no history for $1"
    grep -o '"seq":[0-9]*' "$WORLD/$1.history" | cut -d : -f 2 | sort -n >"$WORLD/$1.new"
    mv "$WORLD/$1.new" "$WORLD/$1.wanted"
}

nobody_who_listens_misses_the_takeover()
{
    local listeners name

    python3 "$(dirname "${BASH_SOURCE[0]}")/../support/listeners.py" "$SECOND_API" "$WORLD" all ours none >"$WORLD/said" 2>&1 9>&- &
    listeners=$!
    happen reeve 5
    end_standby
    happen reeve 5
    start_standby
    await_level
    happen reeve 3
    await_level
    kill_daemon
    take_over
    await 30 "the second one converges" second_converged
    happen second 5
    for name in all ours none; do
        write_wanted $name
    done
    wait $listeners || fail "$(cat "$WORLD/said")"
    say "$(cat "$WORLD/said")"
    grep -q daemon.took_over "$WORLD/all.history" || fail "nobody took over"
    expect "of prod there is more than of nothing" test -s "$WORLD/ours.wanted"
    expect_equal "of nothing" "$(cat "$WORLD/none.wanted")" ""
    expect_old_one_refuses
}

# --- another machine ----------------------------------------------------------------------------------

# With the token, which the second one knows by the events of the first.
second_from_afar()
{
    "$REEVE" --server "$SECOND_URL" --token "@$WORLD/second/token" --ca "$WORLD/tls.pem" "$@"
}

# What a viewer may see is enough, over TLS; the token is said nowhere.
far_away()
{
    given_far_pair
    given_witnesses
    witnessed version=v1
    commit 'version 1'
    start_daemon
    await_converged
    says 6 "the token of '$FIRST_URL'" second serve --follow "$FIRST_URL" 9>&-
    make_token
    start_standby "$FIRST_URL"
    await_level
    says 0 "a copy of $FIRST_URL" second_from_afar status prod
    says 5 'it needs operator or admin' second_from_afar hold prod --reason 'not here'
    says 5 'it needs admin' second_from_afar takeover --primary-is-fenced 'I am a viewer'
    expect_has_not "its words" "$(tr '\0' ' ' <"/proc/$STANDBY/cmdline")$(tr '\0' ' ' <"/proc/$STANDBY/environ")" "$TOKEN"
    expect_equal "who holds the token" "$(grep -rlF "$TOKEN" "$WORLD" 2>/dev/null)" "$WORLD/second/token"
}

# Everything of the first machine ends. What it ran is not said to run.
the_machine_is_lost()
{
    local said

    end_standby
    "$REEVE" serve --hold-all --follow "$FIRST_URL" --config "$WORLD/second/reeve.yaml" >>"$WORLD/second/daemon.log" 2>&1 9>&- &
    STANDBY=$!
    await_level
    kill_daemon
    kill_keepers
    take_over
    said=$(second status prod)
    expect_has "its instance" "$said" ' lost '
    expect_has_not "its instance" "$said" ' running '
    says 0 '"lost_instances":1' second history -n 1000 -o json
    end_standby
}

second_serves()
{
    get / "$SECOND_HTTP" && [ "$STATUS $BODY" = "200 $1" ]
}

# Started without --hold-all, and as a standby, it goes on: everything is made here.
it_is_made_here()
{
    start_standby "$FIRST_URL"
    await 60 "version 1 is served on the second machine" second_serves v1
    await 60 "the second one converges" second_converged
    expect_equal "started" "$(cat "$WORLD/started")" "v1
v1"
    expect_verified second
}

# It is started again, with nothing but an address to ask.
the_first_machine_comes_back()
{
    (umask 077 && echo "$TOKEN" >"$WORLD/token")
    echo "peer: {url: \"$SECOND_URL\", token_file: $WORLD/token, ca_file: $WORLD/tls.pem}" >>"$WORLD/reeve.yaml"
    expect_old_one_refuses "the daemon at $SECOND_URL took over"
    end_standby
    says 8 'reeve serve --alone REASON' reeve serve
    expect_equal "keepers of the first machine" "$(keepers)" ""
    "$REEVE" serve --alone 'the second machine burnt' --config "$WORLD/reeve.yaml" >>"$WORLD/daemon.log" 2>&1 9>&- &
    DAEMON=$!
    await 60 "version 1 is served on the first machine" serves v1
    says 0 'the second machine burnt' reeve history -n 1000 -o json
    stop_daemon
}

run_cases died_as_it_made_the_new_set died_in_the_gate died_behind_the_switch what_was_not_heard_is_found \
    not_while_the_first_one_lives not_twice the_first_one_follows and_takes_over_again not_without_the_keys who_gives_the_keys_up \
    events_are_told_as_they_come nobody_who_listens_misses_the_takeover \
    far_away the_machine_is_lost it_is_made_here the_first_machine_comes_back
end_standby
