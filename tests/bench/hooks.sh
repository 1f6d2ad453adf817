# hooks: from a delivery to its answer, and to the plan of what it tells of. SPDX-License-Identifier: Apache-2.0
#
# Sourced after estate.sh.

HOOK_SECRET=of-the-forge-and-us

# deliver PATH N [BRANCH]: p50 and p99
deliver()
{
    python3 "$(dirname "${BASH_SOURCE[0]}")/hooks.py" "localhost:$((FIRST + 36))" "$1" "$HOOK_SECRET" "${@:2}" || fail "a delivery"
}

# deliver's figures of one kind, with those of a question that writes nothing as floor.
figure_deliveries()
{
    local what=$1 floor50 floor99 p50 p99

    shift
    read -r floor50 floor99 <<<"$(deliver /healthz "$HOOKS")"
    read -r p50 p99 <<<"$(deliver /hooks/github/shop "$HOOKS" "$@")"
    figure "$what, $HOOKS deliveries: p50" "$p50" ms '' "$floor50" 'GET /healthz'
    figure "  p99" "$p99" ms '<= 5' "$floor99" 'GET /healthz'
}

# Commits that change one environment, each told of: to the plan that is stored, p50 and p99.
figure_told_changes()
{
    local i seq began at all=() sorted

    for ((i = 2; i < TOLD + 2; i++)); do
        await 30 "the change before is applied" nothing_is_applied
        seq=$(query 'SELECT max(seq) FROM events')
        change_one "v$((i - 1))" "v$i"
        now
        began=$NOW
        deliver /hooks/github/shop 1 >/dev/null
        await 30 "the change is planned" has_plan_after "$seq"
        at=$(query "SELECT min(time_ms) FROM events WHERE kind IN ('plan.started', 'plan.stored') AND seq > $seq")
        all+=($((at - began)))
    done
    sorted=($(printf '%s\n' "${all[@]}" | sort -n))
    figure "webhook to stored plan, 1 of $HOOKED environments, $TOLD commits: p50" "${sorted[TOLD / 2]}" ms '' '' ''
    figure "  p99, with the start of the program that sends it" "${sorted[TOLD * 99 / 100]}" ms '' '' ''
}
