#!/bin/bash
# sweep: the daemon dies at sampled system calls, in a life that works and in the life that recovers.
# SPDX-License-Identifier: Apache-2.0
#
#     sweep.sh [SEED [SAMPLES]]      REEVE, APP, INVENTORY and KILL_AT in the environment
#
# One `reeve once` of a changed set (made, switched, baked, the old one stopped) is recorded: which calls
# it makes, how often. A sample is two of (call, n): the run of the next change is killed at the first,
# the one after it at the second, then it is left alone. Afterwards the same must hold as in the matrix.
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/world.sh"

SEED=${1:-${CRASH_SEED:-2026}}
SAMPLES=${2:-${CRASH_SAMPLES:-60}}
WORKERS=2

# One life under the tracer: $? is 137 when it was killed, 77 where tracing is not allowed.
traced_life()
{
    quietly traced_once "$@"
}

traced_once()
{
    "$KILL_AT" "$1" "$2" "$REEVE" once >>"$WORLD/daemon.log" 2>&1 9>&-
}

given_rest()
{
    given_secret_world
    shop v0 ok
    life || fail "the first life answers $?"
}

record()
{
    local status

    given_rest
    shop v1 ok
    traced_life record "$RESULTS/calls"
    status=$?
    if [ $status = 77 ]; then
        end_world
        skip "this machine does not let us trace"
    fi
    [ $status = 0 ] || fail "the recorded run answers $status"
    expect_rest v1 in_sync || fail "the recorded run: $WRONG"
    end_world
}

# A kind of call first, then one of its calls, so that rare calls are met as often as frequent ones.
draw_samples()
{
    awk -v seed="$SEED" -v samples="$SAMPLES" '
        function draw(    i) {
            i = int(rand() * n) + 1
            return call[i] " " int(rand() * times[i]) + 1
        }
        { n++; call[n] = $1; times[n] = $2 }
        END { srand(seed); for (s = 0; s < samples; s++) print draw(), draw() }' "$RESULTS/calls"
}

run_worker()
{
    local k=0 first first_n second second_n ends

    while read -r first first_n second second_n; do
        k=$((k + 1))
        [ -n "$WORLD" ] || given_rest
        shop "v$k" ok
        traced_life "$first" "$first_n"
        ends=$?
        traced_life "$second" "$second_n"
        ends="$ends $?"
        settle life
        if expect_rest "v$k" in_sync; then
            echo "ok $first $first_n $second $second_n $ends" >>"$RESULTS/rows"
            continue
        fi
        echo "wrong $first $first_n $second $second_n $ends" >>"$RESULTS/rows"
        printf -- '-- %s %s, then %s %s (%s)\n%s' "$first" "$first_n" "$second" "$second_n" "$ends" "$WRONG" >>"$RESULTS/wrong"
        show_world 2>>"$RESULTS/wrong"
        [ -z "${CRASH_KEEP:-}" ] || cp -a "$WORLD" "$WORLD.$first.$first_n"
        end_world
    done
    [ -z "$WORLD" ] || end_world
    end_script 0
}

# How often each call was met, and how often the life had ended before it.
print_table()
{
    awk '
        { met($2, $6); met($4, $7); wrong += $1 == "wrong" }
        function met(call, status) { n[call]++; killed[call] += status == 137 }
        END {
            printf "%-12s %8s %8s\n", "call", "samples", "killed"
            for (c in n) { printf "%-12s %8d %8d\n", c, n[c], killed[c] | "sort"; all += killed[c] }
            close("sort")
            printf "%d samples, %d deaths, %d wrong\n", NR, all, wrong
            exit wrong || !all
        }' "$RESULTS/rows"
}

RESULTS=$(mktemp -d /tmp/sweep.XXXXXX) || exit 1
record
trap 'rm -rf "$RESULTS"' EXIT
say "seed $SEED: the same again with CRASH_SEED=$SEED"
draw_samples >"$RESULTS/samples"
for ((worker = 0; worker < WORKERS; worker++)); do
    (awk -v w=$worker -v of=$WORKERS 'NR % of == w' "$RESULTS/samples" | run_worker) 2>>"$RESULTS/told" &
done
wait
grep -v ' Killed  ' "$RESULTS/told" >&2 # the shell tells of what died, and that is what we came for
[ ! -e "$RESULTS/wrong" ] || cat "$RESULTS/wrong" >&2
print_table
