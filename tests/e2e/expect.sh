# expect: telling, waiting and expecting. SPDX-License-Identifier: Apache-2.0
#
# Sourced by lib.sh. `fail` shows the world and ends the test; `skip` ends it as one that cannot run here.

# --- telling ----------------------------------------------------------------------------------------

# Milliseconds of the wall clock, into $NOW.
now()
{
    NOW=$((${EPOCHREALTIME/./} / 1000))
}

say()
{
    printf '%s\n' "$*"
}

# What a person would look at.
show_world()
{
    [ -n "$WORLD" ] && [ -d "$WORLD" ] || return 0
    reeve status prod >"$WORLD/shown" 2>&1
    reeve explain prod >>"$WORLD/shown" 2>&1
    reeve history prod -n 1000 2>/dev/null | tail -n 15 >>"$WORLD/shown"
    tail -n 12 "$WORLD/daemon.log" >>"$WORLD/shown"
    df -h --output=avail,iavail,target "$WORLD" >>"$WORLD/shown"
    sed 's/^/    | /' "$WORLD/shown" >&2
}

fail()
{
    printf 'FAILED: %s\n' "$*" >&2
    show_world
    exit 1
}

# The test cannot run here; ctest counts 77 as skipped.
skip()
{
    printf 'SKIPPED: %s\n' "$*"
    exit 77
}

# Runs functions in order; E2E_CASE='a b' runs those alone.
run_cases()
{
    local name began

    for name in ${E2E_CASE:-"$@"}; do
        now
        began=$NOW
        say "-- ${name//_/ }"
        declare -F "$name" >/dev/null || fail "there is no case '$name'"
        "$name"
        now
        say "   ok, $((NOW - began)) ms"
    done
}

# --- waiting and expecting --------------------------------------------------------------------------

# await SECONDS SENTENCE COMMAND..: until the command succeeds.
await()
{
    local seconds=$1 what=$2 end

    shift 2
    now
    end=$((NOW + seconds * 1000))
    until "$@"; do
        now
        [ $NOW -lt $end ] || fail "not within $seconds s: $what"
        sleep $LOOK_S
    done
}

not()
{
    ! "$@"
}

expect()
{
    local what=$1

    shift
    "$@" || fail "$what"
}

expect_equal()
{
    [ "$2" = "$3" ] || fail "$1: '$2' instead of '$3'"
}

expect_has()
{
    case $2 in
    *"$3"*) ;;
    *) fail "$1: '$3' is missing in: $2" ;;
    esac
}

expect_has_not()
{
    case $2 in
    *"$3"*) fail "$1: '$3' is in: $2" ;;
    esac
}

# run STATUS PART WORDS..: everything it said into $SAID.
run()
{
    local wanted=$1 part=$2 status

    shift 2
    SAID=$("$REEVE" "$@" 2>&1 9>&-)
    status=$?
    [ $status -eq "$wanted" ] || fail "reeve $*: exit status $status instead of $wanted: $SAID"
    expect_has "reeve $*" "$SAID" "$part"
}
