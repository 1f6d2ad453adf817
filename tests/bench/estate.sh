# estate: many environments with nothing behind them. SPDX-License-Identifier: Apache-2.0
#
# Sourced after tests/e2e/lib.sh. The services are made by the null driver: what is measured is ours.

# figure WHAT VALUE UNIT TARGET FLOOR FLOOR_IS, as `inside` prints its rows
figure()
{
    printf '%-64s %10s %-4s %-12s %10s  %s\n' "$@"
}

divide()
{
    awk -v a="$1" -v b="$2" -v digits="${3:-1}" 'BEGIN { printf "%.*f", digits, a / b }'
}

# given_estate ENVIRONMENTS SERVICES [REPLICAS]: one file an environment, policy of e00000 is manual.
given_estate()
{
    given_world
    cat >"$WORLD/reeve.yaml" <<END
apiVersion: reeve/v1
kind: Daemon
user: "$(id -un)"
state: {file: var/reeve.db}
socket: var/reeve.sock
sources: {shop: {url: "file://$WORLD/repo", branches: [main], poll: 1h}}
providers:
  nothing: {driver: "null", directory: var/nothing}
auth: {same_user: allow}
environments:
  - match: {source: shop, name: "*"}
    branch: main
    providers: {services: [nothing], domains: nothing}
    isolation: none
log: {level: warn, format: text}
END
    [ "$4" = durable ] || sed -i 's/, directory: var.nothing//' "$WORLD/reeve.yaml"
    awk -v environments="$1" -v services="$2" -v replicas="$3" -v dir="$WORLD/repo/.reeve" 'BEGIN {
        for (e = 0; e < environments; e++) {
            name = sprintf("%05d", e)
            file = dir "/e" name ".yaml"
            printf "apiVersion: reeve/v1\nkind: Application\nname: a%s\nservices:\n", name >file
            for (s = 0; s < services; s++) {
                printf "  s%d:\n    command: [/bin/sleep, \"%d\"]\n    replicas: %d\n", s, s, replicas >file
                printf "    environment: {VERSION: v1}\n" >file
                printf "    rollout: {min_healthy_time: 1ms, bake_time: 1ms, keep_previous: 0s}\n" >file
            }
            printf "---\napiVersion: reeve/v1\nkind: Environment\nname: e%s\napplication: a%s\n", name, name >file
            printf "trigger: {branch: main}\napproval: {policy: auto}\n" >file
            close(file)
        }
    }'
    commit "the estate"
}

# One service of one environment asks for another version. change_one OLD NEW
change_one()
{
    sed -i "0,/VERSION: $1/s//VERSION: $2/" "$WORLD/repo/.reeve/e00000.yaml"
    commit "e00000 at $2"
}

once()
{
    "$REEVE" once >>"$WORLD/daemon.log" 2>&1 9>&-
}

# --- what the daemon uses ---------------------------------------------------------------------------

# Milliseconds of processor time of all its threads, with three digits.
daemon_cpu()
{
    cat /proc/"$DAEMON"/task/*/schedstat | awk '{ ns += $1 } END { printf "%.3f", ns / 1e6 }'
}

# Of lines of its status, together: FIELD...
daemon_kib()
{
    local fields="$*"

    awk -v fields=" $fields " 'index(fields, " " substr($1, 1, length($1) - 1) " ") { kib += $2 } END { print kib }' \
        /proc/"$DAEMON"/status
}

daemon_anonymous_kib()
{
    daemon_kib RssAnon RssShmem
}

# Until its processor time stands still.
await_idle()
{
    local before= after

    for _ in {1..600}; do
        after=$(daemon_cpu)
        [ "${after%.*}" != "${before%.*}" ] || return
        before=$after
        sleep 0.4
    done
}

query()
{
    "$GAUGE" query "$WORLD/var/reeve.db" "$1"
}

nothing_is_applied()
{
    [ "$(query "SELECT count(*) FROM plans WHERE state = 'applying'")" -eq 0 ]
}

has_plan_after()
{
    [ "$(query "SELECT count(*) FROM events WHERE kind IN ('plan.started', 'plan.stored') AND seq > $1")" -gt 0 ]
}
