# scrape: what reading /metrics costs, and whether others wait for it. SPDX-License-Identifier: Apache-2.0
#
# Sourced after estate.sh.

# ask_socket PATH: seconds of one request at the socket
ask_socket()
{
    curl -s -o "$WORLD/body" -w '%{time_total}\n' --unix-socket "$WORLD/var/reeve.sock" "http://localhost$1"
}

# Median and worst of the numbers on standard input, in milliseconds.
middle_and_worst()
{
    sort -n | awk '{ all[NR] = $1 * 1000 } END { printf "%.2f %.2f", all[int((NR + 1) / 2)], all[NR] }'
}

# Four readers that do not stop, until the file `enough` is there.
keep_scraping()
{
    local i

    for i in 1 2 3 4; do
        until [ -e "$WORLD/enough" ]; do
            curl -s -o /dev/null --unix-socket "$WORLD/var/reeve.sock" http://localhost/metrics
        done 9>&- &
    done
}

# measure_scrapes ENVIRONMENTS SCRAPES
measure_scrapes()
{
    local before after middle worst alone alone_worst busy busy_worst i

    given_estate "$1" 1 1 durable
    once
    start_daemon
    await_idle
    before=$(daemon_cpu)
    read -r middle worst <<<"$(for ((i = 0; i < $2; i++)); do ask_socket /metrics; done | middle_and_worst)"
    after=$(daemon_cpu)
    read -r alone alone_worst <<<"$(for ((i = 0; i < $2; i++)); do ask_socket /healthz; done | middle_and_worst)"
    figure "/metrics of $1 environments, $2 times: median" "$middle" ms '' "$alone" 'GET /healthz'
    figure "  worst" "$worst" ms '' "$alone_worst" 'GET /healthz'
    figure "  processor time of the daemon, each" "$(awk -v a="$after" -v b="$before" -v n="$2" 'BEGIN { printf "%.2f", (a - b) / n }')" ms '' '' ''
    ask_socket /metrics >/dev/null
    figure "  lines, bytes: $(wc -l <"$WORLD/body")," "$(wc -c <"$WORLD/body")" B '' '' ''
    keep_scraping
    read -r busy busy_worst <<<"$(for ((i = 0; i < $2; i++)); do ask_socket /healthz; done | middle_and_worst)"
    : >"$WORLD/enough"
    wait $(jobs -p | grep -vx "$DAEMON")
    figure "GET /healthz while four read /metrics without a pause: median" "$busy" ms '' "$alone" 'nobody reads'
    figure "  worst" "$busy_worst" ms '' "$alone_worst" 'nobody reads'
    ask_socket /metrics >/dev/null
    say "   the loop was late, seconds and how often: $(grep '^reeve_loop_lag_seconds_bucket' "$WORLD/body" | sed 's/.*le="//; s/"} /:/' | tr '\n' ' ')"
    end_world
}
