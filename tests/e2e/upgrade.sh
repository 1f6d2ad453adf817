#!/bin/bash
# upgrade: another program goes on in the daemon's place, and nobody notices. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

UPGRADES=10
API_LOADER=

# A world whose daemon is a program that can be replaced, with the API at $API. Words of spec.
given_installed()
{
    given_world
    API=$((FIRST + 32))
    write_daemon extra="listen: 127.0.0.1:$API"
    mkdir "$WORLD/bin"
    BUILT=${BUILT:-$REEVE}
    REEVE=$WORLD/bin/reeve
    install_program "$BUILT"
    spec version=v0 "$@"
    commit 'version 0'
}

# As a package does: the name changes its file at once.
install_program()
{
    cp "$1" "$WORLD/bin/new" && mv "$WORLD/bin/new" "$WORLD/bin/reeve"
}

# How often a daemon has begun to serve.
starts()
{
    grep -c ' started config=' "$WORLD/daemon.log"
}

has_started()
{
    [ "$(starts)" -ge "$1" ] && daemon_answers
}

# The program that is installed now takes over.
upgrade()
{
    local before

    before=$(starts)
    kill -USR2 "$DAEMON"
    await 20 "the new program serves" has_started $((before + 1))
}

start_api_load()
{
    rm -f "$WORLD/api.begun"
    "$LOAD" --target "127.0.0.1:$API" --host "127.0.0.1:$API" --path "$1" --new 3 --kept 0 --post 0 \
        --pause-ms 1 --begun "$WORLD/api.begun" >"$WORLD/api.json" 9>&- &
    API_LOADER=$!
    await 90 "the load of the API has begun" test -e "$WORLD/api.begun"
}

end_api_load()
{
    kill -TERM "$API_LOADER"
    wait "$API_LOADER" 2>/dev/null
    API_LOADER=
    say "   API: $(cat "$WORLD/api.json")"
}

api_counted()
{
    grep -o "\"$1\":[0-9]*" "$WORLD/api.json" | head -n 1 | cut -d : -f 2
}

expect_nothing_lost()
{
    end_load
    end_api_load
    expect_equal "requests that services lost" "$(counted lost)" 0
    expect_equal "requests that nobody of ours answered" "$(counted unrouted)" 0
    expect_equal "connections and requests that the API lost" "$(api_counted lost)" 0
    [ "$(counted sent)" -ge 1000 ] || fail "only $(counted sent) requests were sent to services"
    [ "$(api_counted sent)" -ge 1000 ] || fail "only $(api_counted sent) requests were sent to the API"
}

rollout_is_watched()
{
    serves "$1" && ! is_converged
}

# --- in place ---------------------------------------------------------------------------------------

# Each time a rollout is being watched, which the next program goes on with.
ten_upgrades_lose_nothing()
{
    local i pid

    given_installed
    ulimit -Sn 2048 # fewer than the daemon takes
    start_daemon
    await_converged
    pid=$DAEMON
    SCHEMA=$(reeve check | sed -n 's/.*schema //p')
    start_load --path / --new 2 --kept 2 --slow 2
    start_api_load /readyz
    for ((i = 1; i <= UPGRADES; i++)); do
        spec version="v$i" bake=4s keep=200ms # a look on a busy machine takes a part of it
        deploy "version $i"
        LOOK_S=0.01 await 20 "version $i is watched" rollout_is_watched "v$i"
        install_program "$([ $((i % 2)) = 1 ] && echo "$NEXT" || echo "$BUILT")"
        upgrade
        await_converged
        expect_serves "v$i"
    done
    expect_nothing_lost
    expect_equal "starts" "$(starts)" $((UPGRADES + 1))
    expect_equal "the process" "$DAEMON" "$pid"
    expect_equal "rollouts that went back" "$(count_events rollout.reverting)" 0
    expect_equal "switches" "$(field route_generation)" $((UPGRADES + 1))
    await 20 "one set is left" one_set_is_left
    expect "the chain holds" reeve audit verify --replay
    say "   upgrades: $UPGRADES; lost of services: $(counted lost) of $(counted sent); refused or lost of the API: $(api_counted lost) of $(api_counted sent)"
}

# Soft limit of open files of a process.
files_of()
{
    awk '/^Max open files/ { print $4 }' "/proc/$1/limits"
}

# Many connections may come; a service is started with what the daemon was started with.
the_daemon_alone_may_open_more()
{
    local keeper hard

    keeper=$(processes "$WORLD/var/services/run/" | head -n 1)
    hard=$(ulimit -Hn)
    [ "$hard" -lt 65536 ] || hard=65536
    expect_equal "files of the daemon after $UPGRADES programs" "$(files_of "$DAEMON")" "$hard"
    expect_equal "files of what keeps a service" "$(files_of "$keeper")" "$(ulimit -Sn)"
}

the_database_is_upgraded_with_a_copy_kept()
{
    expect "the copy of the schema of before" test -s "$WORLD/var/reeve.db.v$SCHEMA"
    expect "that is in the history" history_all_has '"kind":"state.migrated"'
    expect_has "what this program, which is older, says of it" "$(reeve check)" "schema 1000"
}

history_all_has()
{
    reeve history -n 1000 -o json | grep -qF "$1"
}

a_program_that_would_not_start_changes_nothing()
{
    local before

    before=$(starts)
    printf '#!/bin/sh\necho "this one is broken" >&2\nexit 4\n' >"$WORLD/bin/broken"
    chmod +x "$WORLD/bin/broken"
    mv "$WORLD/bin/broken" "$WORLD/bin/reeve"
    kill -USR2 "$DAEMON"
    await 20 "why it was not upgraded is said" grep -q 'not upgraded:.*this one is broken' "$WORLD/daemon.log"
    install_program "$BUILT"
    expect "the one before goes on" daemon_answers
    expect_equal "starts" "$(starts)" "$before"
    sed -i 's/^sources:/sourcs:/' "$WORLD/reeve.yaml"
    kill -USR2 "$DAEMON"
    await 20 "a mistake in the configuration is said" grep -q 'not upgraded:.*sourcs' "$WORLD/daemon.log"
    sed -i 's/^sourcs:/sources:/' "$WORLD/reeve.yaml"
    expect_equal "starts" "$(starts)" "$before"
}

# The configuration decides where it listens: what was handed on and is not asked for any more is shut.
another_address_is_another_socket()
{
    local old=$API

    API=$((FIRST + 33))
    sed -i "s/^listen: .*/listen: 127.0.0.1:$API/" "$WORLD/reeve.yaml"
    upgrade
    expect "the new address answers" answers_at "$API"
    ! answers_at "$old" || fail "the old address answers, too"
    stop_daemon
    [ ! -e "$WORLD/var/reeve.sock" ] || fail "the socket's file is left"
}

answers_at()
{
    [ "$(curl -s "http://127.0.0.1:$1/healthz")" = ok ]
}

# --- with sockets that were lent --------------------------------------------------------------------

supervisor_heard()
{
    local n

    n=$(grep -cx "$1" "$WORLD/heard" 2>/dev/null)
    [ "${n:-0}" -ge "${2:-1}" ] # there is no file before the first word
}

restarts_of_a_supervisor_lose_nothing()
{
    local i

    given_installed
    mkdir -p "$WORLD/var"
    python3 "$(dirname "$0")/../support/fake_supervisor.py" "$WORLD/heard" "socket=$WORLD/var/reeve.sock" \
        "api=127.0.0.1:$API" -- "$REEVE" serve --config "$WORLD/reeve.yaml" >>"$WORLD/daemon.log" 2>&1 9>&- &
    DAEMON=$!
    await 20 "it says that it serves" supervisor_heard READY=1
    await_converged
    start_load --path / --new 2 --kept 2
    start_api_load /healthz # while it stops it is not ready
    for ((i = 1; i <= UPGRADES; i++)); do
        install_program "$([ $((i % 2)) = 1 ] && echo "$NEXT" || echo "$BUILT")"
        kill -HUP "$DAEMON"
        await 20 "it serves again" supervisor_heard READY=1 $((i + 1))
    done
    await 20 "it says that it lives" supervisor_heard WATCHDOG=1 $((UPGRADES + 3))
    await_converged
    expect_nothing_lost
    expect_equal "how often it said that it stops" "$(grep -cx STOPPING=1 "$WORLD/heard")" "$UPGRADES"
    expect "the lent socket's file stays" test -S "$WORLD/var/reeve.sock"
    kill -TERM "$DAEMON"
    wait "$DAEMON"
    DAEMON=
}

a_socket_that_no_door_has_is_refused()
{
    local said

    said=$(python3 "$(dirname "$0")/../support/fake_supervisor.py" "$WORLD/heard" "page=127.0.0.1:$((FIRST + 34))" -- \
        "$REEVE" serve --config "$WORLD/reeve.yaml" 2>&1 9>&-)
    expect_has "what is wrong with it" "$said" "a socket named 'page' was given: it is socket, api or hooks"
}

run_cases ten_upgrades_lose_nothing the_daemon_alone_may_open_more the_database_is_upgraded_with_a_copy_kept a_program_that_would_not_start_changes_nothing \
    another_address_is_another_socket restarts_of_a_supervisor_lose_nothing a_socket_that_no_door_has_is_refused
