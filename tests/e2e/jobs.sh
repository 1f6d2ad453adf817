#!/bin/bash
# jobs: a real one, by hand and by its schedule, and what its runs leave behind. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# Of all runs of all jobs: those of that state.
runs_in_state()
{
    reeve status prod -o json | grep -o '"cause":"[^}]*"state":"'"$1"'"' | wc -l
}

nothing_is_left()
{
    [ -z "$(grep -l '"resource":"job/' "$WORLD"/var/services/run/*/spec.json 2>/dev/null)" ]
}

# What is not to begin here by itself: its time is half a day away, whatever it is now.
NEVER_SOON=$(TZ=Europe/Berlin date -d '12 hours' '+%-M %-H * * *')

given_jobs()
{
    given_world
    write_daemon rule='    secrets: [{path: "env:token", for: services}]'
    mkdir "$WORLD/repo/tools"
    printf '#!/bin/sh\necho "tidied $1 with $TOKEN"\n' >"$WORLD/repo/tools/tidy"
    printf '#!/bin/sh\necho begun >>"$LIST"\nwhile [ ! -e "$LIST.end" ]; do sleep 0.05; done\necho ended >>"$LIST"\n' >"$WORLD/repo/tools/long"
    mkdir "$WORLD/both" "$WORLD/swap"
    cat >"$WORLD/repo/tools/alone" <<'END'
#!/bin/bash
exec 8>"$DIR/lock"
flock -n 8 || echo beside >>"$DIR/list"
echo begun >>"$DIR/list"
while [ ! -e "$DIR/end" ]; do sleep 0.05; done
END
    chmod +x "$WORLD"/repo/tools/*
    spec
    sed -i "s|^domains:|jobs:\\
  tidy: {source: {context: tools}, command: [./tidy, everything], environment: {TOKEN: {secret: token}}}\\
  broken: {command: [sh, -c, 'echo this is why; exit 3']}\\
  endless: {command: [sleep, '1000'], timeout: 1s}\\
  long: {source: {context: tools}, command: [./long], environment: {LIST: $WORLD/list}}\\
  both: {source: {context: tools}, command: [./alone], concurrency: allow, environment: {DIR: $WORLD/both}}\\
  swap: {source: {context: tools}, command: [./alone], concurrency: replace, environment: {DIR: $WORLD/swap}}\\
  nightly: {command: ['true'], schedule: '$NEVER_SOON', tz: Europe/Berlin}\\
  often: {command: [sh, -c, 'echo often >>$WORLD/often'], schedule: '$NEVER_SOON', tz: Europe/Berlin}\\
secrets: {token: {}}\\
&|" "$WORLD/repo/.reeve/app.yaml"
    commit 'jobs'
    start_daemon REEVE_SECRET_TOKEN=a-value-that-nobody-may-see-123456
    await_converged
}

a_person_runs_a_job()
{
    given_jobs
    run 0 'tidy is done' run prod tidy --reason 'it is full'
    expect_has_not "its secret" "$SAID" a-value-that-nobody
    run 1 'this is why' run prod broken
    expect_has "its exit status" "$SAID" 'exit 3'
    run 1 'endless is failed' run prod endless
    run 6 "no job 'other'" run prod other
    run 6 "no environment 'stage'" run stage tidy
    await 20 "nothing of them is left" nothing_is_left
    expect_has "status" "$(reeve status prod)" 'nightly  never ran'
    expect_has "when it comes" "$(reeve status prod)" "$NEVER_SOON Europe/Berlin"
    expect_has "why" "$(reeve explain prod/job/broken)" 'is failed, exit status 3'
    expect_has "when" "$(reeve explain prod/job/nightly)" 'it runs next at '
    expect_has "history" "$(reeve history prod -n 1000)" 'command.run'
}

has_begun()
{
    [ -e "$WORLD/list" ]
}

long_has_ended()
{
    [ "$(runs_in_state running)" = 0 ] && [ "$(grep -c ended "$WORLD/list")" = 1 ]
}

# It has a keeper of its own; the next life goes on with it, and never begins it again.
a_run_outlives_the_daemon()
{
    run 0 '' run prod long --no-wait
    await 20 "it runs" has_begun
    run 7 "job 'long' runs already" run prod long
    kill_daemon
    start_daemon REEVE_SECRET_TOKEN=a-value-that-nobody-may-see-123456
    : >"$WORLD/list.end"
    await 30 "its end is known" long_has_ended
    expect_equal "how often it was begun" "$(grep -c begun "$WORLD/list")" 1
    await 20 "nothing of it is left" nothing_is_left
}

nobody_runs_one_while_it_is_held()
{
    reeve hold prod --reason 'a quiet hour' >/dev/null
    run 5 'is held by' run prod tidy
    reeve resume prod >/dev/null
    run 0 'tidy is done' run prod tidy
}

# times JOB WORD N: its runs wrote so.
times()
{
    [ "$(grep -c "^$2\$" "$WORLD/$1/list" 2>/dev/null)" = "$3" ]
}

nothing_runs()
{
    [ "$(runs_in_state running)" = 0 ] && [ "$(runs_in_state waiting)" = 0 ] && nothing_is_left
}

two_may_run_at_once()
{
    run 0 '' run prod both --no-wait
    await 20 "the first runs" times both begun 1
    run 0 '' run prod both --no-wait
    await 20 "the second runs" times both begun 2
    expect_equal "how often it ran beside another" "$(grep -c beside "$WORLD/both/list")" 1
    expect_equal "runs" "$(runs_in_state running)" 2
    kill_daemon
    start_daemon REEVE_SECRET_TOKEN=a-value-that-nobody-may-see-123456
    : >"$WORLD/both/end"
    await 30 "both have ended" nothing_runs
    expect_equal "how often it was begun" "$(grep -c begun "$WORLD/both/list")" 2
}

daemon_is_dead()
{
    ! kill -0 "$DAEMON" 2>/dev/null
}

# Also when the daemon dies after the old one was ended and before the new one begins.
the_newer_one_takes_the_place()
{
    run 0 '' run prod swap --no-wait
    await 20 "the first runs" times swap begun 1
    run 0 '' run prod swap --no-wait
    await 20 "the second runs" times swap begun 2
    expect_equal "runs that made way" "$(runs_in_state cancelled)" 1
    stop_daemon
    start_daemon REEVE_SECRET_TOKEN=a-value-that-nobody-may-see-123456 REEVE_CRASH=JOB_AFTER_CLEARED
    run 0 '' run prod swap --no-wait
    await 20 "it dies in between" daemon_is_dead
    wait "$DAEMON"
    expect_equal "how often it was begun by then" "$(grep -c begun "$WORLD/swap/list")" 2
    start_daemon REEVE_SECRET_TOKEN=a-value-that-nobody-may-see-123456
    await 20 "the third runs" times swap begun 3
    expect_equal "runs that made way" "$(runs_in_state cancelled)" 2
    : >"$WORLD/swap/end"
    await 30 "it has ended" nothing_runs
    expect_equal "how often two ran at once" "$(grep -c beside "$WORLD/swap/list")" 0
    expect_equal "how often it was begun" "$(grep -c begun "$WORLD/swap/list")" 3
}

# Of `often`. A run of it that comes meanwhile would be counted with those of others.
often_runs()
{
    sed -i "s|\(  often: .*schedule: \).*|\1'$1', tz: Europe/Berlin}|" "$WORLD/repo/.reeve/app.yaml"
    commit "often at $1"
}

# The minute that is long enough to see it.
the_schedule_runs_it()
{
    often_runs '* * * * *'
    fetch_now
    await_converged
    await 90 "a minute is over" test -s "$WORLD/often"
    expect_equal "what is in it" "$(sort -u "$WORLD/often")" often
    expect "a run of the schedule" grep -q '"cause":"schedule"' <<<"$(reeve status prod -o json)"
    often_runs "$NEVER_SOON"
    fetch_now
    await_converged
    await 30 "nothing of it runs any more" nothing_runs
}

times_begun()
{
    [ "$(grep -c begun "$WORLD/list")" = "$1" ]
}

# Of the second run: the list has what the first one wrote.
second_has_ended()
{
    nothing_is_left && [ "$(grep -c ended "$WORLD/list")" = 2 ]
}

# No copy is there: its directory says that it runs, and how it ended.
a_run_outlives_the_database()
{
    rm "$WORLD/list.end"
    run 0 '' run prod long --no-wait
    await 20 "it runs" times_begun 2
    kill_daemon
    rm "$WORLD"/var/reeve.db*
    run 0 '' recover
    start_daemon REEVE_SECRET_TOKEN=a-value-that-nobody-may-see-123456
    : >"$WORLD/list.end"
    await 30 "its end is known" second_has_ended
    expect_equal "how often it was begun" "$(grep -c begun "$WORLD/list")" 2
    reeve resume prod >/dev/null
    await_converged
    expect_equal "runs of it that are done" "$(reeve explain prod/job/long | grep -c 'is done, exit status 0')" 1
    run 0 'tidy is done' run prod tidy
    await 20 "nothing of them is left" nothing_is_left
}

once()
{
    REEVE_SECRET_TOKEN=a-value-that-nobody-may-see-123456 "$REEVE" once >>"$WORLD/daemon.log" 2>&1 9>&- ||
        fail "once fails"
}

is_another_minute()
{
    [ "$(date +%M)" != "$1" ]
}

# For who has a timer in place of a daemon.
once_runs_what_is_due()
{
    local n

    often_runs '* * * * *'
    fetch_now
    await_converged
    stop_daemon
    n=$(wc -l <"$WORLD/often")
    await 90 "a minute is over" is_another_minute "$(date +%M)"
    once
    expect "it ran" [ "$(wc -l <"$WORLD/often")" -gt "$n" ]
    expect_equal "what is known of it" "$(runs_in_state running)" 0
    nothing_is_left || fail "something of it is left"
}

run_cases a_person_runs_a_job a_run_outlives_the_daemon nobody_runs_one_while_it_is_held the_schedule_runs_it \
    two_may_run_at_once the_newer_one_takes_the_place a_run_outlives_the_database once_runs_what_is_due
