#!/bin/bash
# depends: what a service waits for before it begins. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# waits VERSION SEED [WORDS..]: web, which begins when the job has ended; `seed` is what that runs, in a shell.
waits()
{
    local version=$1 seed=$2

    shift 2
    spec version="$version" service="    depends_on: {seed: {condition: service_completed_successfully}}" "$@"
    sed -i "s|^domains:|jobs:\\
  seed: {command: [sh, -c, '$seed']}\\
&|" "$WORLD/repo/.reeve/app.yaml"
}

explains()
{
    explained | grep -q "$1"
}

job_runs()
{
    history | grep -q '"name":"seed@'
}

seeded()
{
    wc -l <"$WORLD/seeded"
}

a_job_ends_before_the_service_begins()
{
    given_world
    : >"$WORLD/seeded"
    waits v1 "until [ -e $WORLD/go ]; do sleep 0.05; done; echo done >>$WORLD/seeded"
    commit 'the first version'
    start_daemon
    await 20 "the job runs" job_runs
    expect_equal "instances before it has ended" "$(find "$WORLD/var/services/run" -name 'spec.json' | xargs grep -l '"resource":"instance/' | wc -l)" 0
    kill_daemon
    : >"$WORLD/go"
    start_daemon
    await_converged
    expect_serves v1
    expect_equal "how often it ran" "$(seeded)" 1
}

it_runs_again_for_another_set_alone()
{
    waits v1 "until [ -e $WORLD/go ]; do sleep 0.05; done; echo done >>$WORLD/seeded" replicas=2
    deploy 'one more instance'
    await_converged
    expect_equal "how often it ran" "$(seeded)" 1
    waits v2 "until [ -e $WORLD/go ]; do sleep 0.05; done; echo done >>$WORLD/seeded"
    deploy 'another version'
    await_converged
    expect_serves v2
    expect_equal "how often it ran" "$(seeded)" 2
    expect_has "the plan" "$(reeve plan prod 2>/dev/null)" 'after job/seed'
}

what_waits_for_a_job_that_fails_does_not_begin()
{
    waits v3 'echo this is why; exit 3'
    deploy 'a job that fails'
    await 30 "it is told" explains quarantined
    expect_serves v2
    expect_has "the reason" "$(explained)" 'exit 3'
    expect_has "who" "$(explained)" 'seed'
    waits v3 "echo mended >>$WORLD/seeded"
    deploy 'the job is mended'
    await_converged
    expect_serves v3
    expect_equal "how it ended" "$(tail -n 1 "$WORLD/seeded")" mended
}

# Never ready: it goes back alone.
what_is_only_to_be_started_holds_nobody_up()
{
    given_world
    spec version=v1 service='    depends_on: {lame: {condition: service_started}}' more="  lame:
    command: [sh, -c, 'echo lame >>$WORLD/order; exec sleep 1000']
    port: 8001
    healthcheck: {readiness: {http: {path: /}, interval: 100ms}}
    rollout: {healthy_deadline: 4s}"
    sed -i "s|command: \\[\"$APP\"\\]|command: [sh, -c, 'echo web >>$WORLD/order; exec $APP']|" "$WORLD/repo/.reeve/app.yaml"
    commit 'one that is never ready'
    start_daemon
    await 30 "it goes back" explains quarantined
    expect_serves v1
    expect_equal "who began first" "$(head -n 1 "$WORLD/order")" lame
    expect_has "why" "$(explained)" 'lame'
}

run_cases a_job_ends_before_the_service_begins it_runs_again_for_another_set_alone \
    what_waits_for_a_job_that_fails_does_not_begin what_is_only_to_be_started_holds_nobody_up
