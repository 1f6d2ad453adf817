# lib: a world for one end-to-end test. SPDX-License-Identifier: Apache-2.0
#
# Sourced by bash scripts that ctest starts with REEVE, APP and LOAD in the environment. A world is a
# directory below /tmp with a repository, a Daemon document, a daemon and whatever that starts; all of it
# ends with the script, by process id. E2E_KEEP=1 keeps the directory of a run that failed.
#
#     given_world            repository, Daemon document, free ports; WORLD, HTTP (port of the edge)
#     spec version=v2 ..     writes the specs (see there)
#     deploy SENTENCE        commits and tells the daemon
#     beside NAME COMMAND..  a program that ends with the world
#     await SECONDS SENTENCE COMMAND..
#     expect_.. fail         say what was wrong, show what was known, end the test
#
# Nothing here waits for a time; await looks until something holds or its deadline is over.
set -u
export LC_ALL=C GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME='A Developer' GIT_AUTHOR_EMAIL=developer@example.test
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL

HOST=shop.example.test
WORLD=
DAEMON=
LOADER=
declare -A BESIDE=()
OWN_PATH=$PATH # a test may have taken it away
LOOK_S=0.05

. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

# --- the world --------------------------------------------------------------------------------------

# Ports FIRST .. FIRST+159 are ours: nobody listens there, and no other test took the block
# (tests/support/test_ports.c, the same files). The kernel gives none of them to who asks for any, as long as it has some above.
take_ports()
{
    local first try blocks=130 low

    read -r low _ </proc/sys/net/ipv4/ip_local_port_range && [ "$low" -ge 14800 ] && [ "$low" -lt 30800 ] && blocks=$(((low - 10000) / 160))
    for try in {1..400}; do
        first=$((10000 + (RANDOM % blocks) * 160))
        { exec 9>>"/tmp/reeve-test-ports.$first"; } 2>/dev/null && flock -n 9 || continue
        [ /proc/self/fd/9 -ef "/tmp/reeve-test-ports.$first" ] || continue # its last holder removed it
        awk -v first="$first" '
            function number(hex,    i, n) {
                for (i = 1; i <= length(hex); i++)
                    n = n * 16 + index("0123456789ABCDEF", substr(hex, i, 1)) - 1
                return n
            }
            FNR > 1 {
                split($2, at, ":")
                port = number(at[2])
                if (port >= first && port < first + 160)
                    taken = 1
            }
            END { exit taken }' /proc/net/tcp && FIRST=$first && HTTP=$first && return
        rm -f "/tmp/reeve-test-ports.$first"
    done
    fail "no block of free ports"
}

# Words: ports=A-B of services, backends=N slots=N of the edge, poll=TIME, state= edge= more fields of them, providers= rule=
# extra= more rows of each.
write_daemon()
{
    local ports=$((FIRST + 40))-$((FIRST + 159)) backends=16 slots=4 poll=30s providers= rule= extra= state= edge=

    [ $# -eq 0 ] || local "$@"
    cat >"$WORLD/reeve.yaml" <<END
apiVersion: reeve/v1
kind: Daemon
user: "$(id -u):$(id -g)"
state: {file: var/reeve.db${state:+, $state}}
socket: var/reeve.sock
sources: {shop: {url: "file://$WORLD/repo", branches: [main], poll: $poll}}
providers:
  local: {driver: process, directory: var/services, ports: $ports}
  edge: {driver: haproxy, directory: var/edge, http: "127.0.0.1:$HTTP", internal: $((FIRST + 1))-$((FIRST + 30)), pool: {backends: $backends, slots: $slots}${edge:+, $edge}}
$providers
auth: {same_user: allow}
environments:
  - match: {source: shop, name: prod}
    branch: main
    providers: {services: [local], domains: edge}
    domains: ["*.example.test"]
    isolation: none
$rule
$extra
log: {level: info, format: text}
END
}

given_world()
{
    [ -z "$WORLD" ] || end_world
    WORLD=$(mktemp -d /tmp/e2e.XXXXXX) || exit 1
    trap 'end_script $?' EXIT
    trap 'exit 1' HUP INT TERM
    take_ports
    export REEVE_CONFIG=$WORLD/reeve.yaml
    git init -q -b main "$WORLD/repo"
    mkdir "$WORLD/repo/.reeve"
    : >"$WORLD/daemon.log"
    write_daemon
}

# bash tells of every child that a signal ended, but not here.
kill_child()
{
    {
        kill -KILL "$1"
        wait "$1"
    } 2>/dev/null
}

# beside NAME COMMAND..: a program that ends with the world, or with end_beside; its id is ${BESIDE[NAME]}.
beside()
{
    local name=$1

    shift
    end_beside "$name"
    "$@" 9>&- &
    BESIDE[$name]=$!
}

end_beside()
{
    local name

    for name; do
        [ -z "${BESIDE[$name]:-}" ] || kill_child "${BESIDE[$name]}"
        unset "BESIDE[$name]"
    done
}

# Those with the text in their command line.
processes()
{
    grep -lsaF -f - /proc/[0-9]*/cmdline <<<"$1" | cut -d / -f 3
}

kill_processes()
{
    local pid

    for pid in $(processes "$1"); do
        kill -KILL "$pid" 2>/dev/null
    done
}

# Keepers carry their directory as argument; what they keep dies with them.
keepers()
{
    processes "$WORLD/var/"
}

kill_keepers()
{
    kill_processes "$WORLD/var/"
}

# Who stands in the world, too: what a shell of a service started is not named by its path.
kill_world()
{
    local cwd

    kill_processes "$WORLD/"
    for cwd in /proc/[0-9]*/cwd; do
        [[ $(readlink "$cwd" 2>/dev/null) != "$WORLD/"* ]] || kill -KILL "$(cut -d / -f 3 <<<"$cwd")" 2>/dev/null
    done
}

# Nobody of the world runs, and its directory is gone. In a trap, `return` alone says what the script ended with.
is_cleared()
{
    kill_world
    [ -z "$(processes "$WORLD/")" ] && rm -rf "$WORLD" 2>/dev/null && [ ! -e "$WORLD" ] && return 0
    chmod -R u+rwX "$WORLD" 2>/dev/null # sealed trees: root alone would not care
    false
}

# The control groups that a daemon which root started made for this state; what was in them is dead.
no_groups_are_left()
{
    local ours=(/sys/fs/cgroup -depth -type d -path "*/reeve-$(printf %s "$WORLD/var/reeve.db" | sha256sum | cut -c 1-16)*" -writable)

    find "${ours[@]}" -exec rmdir {} + 2>/dev/null
    [ -z "$(find "${ours[@]}" 2>/dev/null)" ]
}

end_world()
{
    [ -z "$LOADER" ] || kill_child "$LOADER"
    [ -z "$DAEMON" ] || kill_child "$DAEMON"
    LOADER= DAEMON=
    end_beside "${!BESIDE[@]}"
    cd /
    PATH=$OWN_PATH
    await 60 "nothing of the world is left" is_cleared
    rm -f "/tmp/reeve-test-ports.$FIRST"
    exec 9>&-
    await 60 "its control groups are gone" no_groups_are_left
    WORLD=
}

end_script()
{
    trap - EXIT
    if [ -n "$WORLD" ] && [ "$1" -ne 0 ] && [ "$1" -ne 77 ] && [ -n "${E2E_KEEP:-}" ]; then
        cp -a "$WORLD" "$WORLD.kept"
        say "kept: $WORLD.kept"
    fi
    [ -z "$WORLD" ] || end_world
    exit "$1"
}

# --- specs ------------------------------------------------------------------------------------------

# write_shop [APPROVAL]: the rest of application shop from the standard input, as environment prod of main.
write_shop()
{
    {
        printf 'apiVersion: reeve/v1\nkind: Application\nname: shop\n'
        cat
        printf -- '---\napiVersion: reeve/v1\nkind: Environment\nname: prod\napplication: shop\ntrigger: {branch: main}\n'
        printf 'approval: {policy: %s}\n' "${1:-auto}"
    } >"$WORLD/repo/.reeve/app.yaml"
}

# The specs of environment prod with service web. Words: version=v1 env='NAME: VALUE, ..' replicas=1
# bake=300ms keep=1s deadline=5s progress=8s healthy=200ms drain=5s grace=500ms command=PATH path=/healthz
# rollout='more: fields' service='more rows' approval=auto more='rows of services'.
spec()
{
    local version=v1 env= replicas=1 bake=300ms keep=1s deadline=5s progress=8s healthy=200ms
    local drain=5s grace=500ms command=$APP path=/healthz rollout= service= approval=auto more= threshold=2

    [ $# -eq 0 ] || local "$@"
    write_shop "$approval" <<END
services:
  web:
    command: ["$command"]
    port: 8000
    replicas: $replicas
    environment: {VERSION: "$version"${env:+, $env}}
    healthcheck: {readiness: {http: {path: $path}, interval: 100ms, success_threshold: $threshold}}
    rollout: {strategy: blue_green, healthy_deadline: $deadline, progress_deadline: $progress, min_healthy_time: $healthy, bake_time: $bake, keep_previous: $keep${rollout:+, $rollout}}
    termination: {drain: $drain, stop_grace_period: $grace}
$service
$more
domains:
  app: {hosts: [$HOST], routes: {/: {service: web}}}
END
}

commit()
{
    { git -C "$WORLD/repo" add -A && git -C "$WORLD/repo" commit -q --allow-empty -m "$1"; } || fail "nothing was committed"
}

head_commit()
{
    git -C "$WORLD/repo" rev-parse main
}

fetch_now()
{
    kill -HUP "$DAEMON"
}

deploy()
{
    commit "$1"
    fetch_now
}

# --- the daemon -------------------------------------------------------------------------------------

reeve()
{
    "$REEVE" "$@"
}

daemon_answers()
{
    kill -0 "$DAEMON" 2>/dev/null || fail "the daemon ended"
    reeve status -o json 2>/dev/null 9>&- | grep -q '"live"' # and not the state file
}

# VARIABLE=VALUE.. may follow, or a program to run it under.
start_daemon()
{
    env "$@" "$REEVE" serve --config "$WORLD/reeve.yaml" >>"$WORLD/daemon.log" 2>&1 9>&- &
    DAEMON=$!
    await 20 "the daemon answers" daemon_answers
}

stop_daemon()
{
    kill -TERM "$DAEMON"
    wait "$DAEMON"
    DAEMON=
}

kill_daemon()
{
    kill_child "$DAEMON"
    DAEMON=
}

# The plan that waits or was applied last.
plan_id()
{
    reeve plan prod -o json | grep -o '"id":"[0-9a-f]\{64\}"' | tail -n 1 | cut -d '"' -f 4
}

# The first text (or number) of that name in the answer about the environment.
field()
{
    reeve status prod -o json 2>/dev/null | grep -o "\"$1\":\"[^\"]*\"\|\"$1\":[0-9a-z]*" |
        head -n 1 | sed 's/^"[^"]*"://; s/^"//; s/"$//'
}

sync_is()
{
    [ "$(field sync)" = "$1" ]
}

# The newest commit was seen, and prod has nothing left to do for it.
is_considered()
{
    local answer

    answer=$(reeve status -o json 2>/dev/null)
    [[ $answer == *"\"branch\":\"main\",\"commit\":\"$(head_commit)\""* &&
        $answer == *'"live":'*'"prod":{'*([^{}])'"settled":true'* ]]
}

# In sync with the newest commit, and the plan that did it has ended. A commit need not want anything.
is_converged()
{
    [[ $(reeve status prod -o json 2>/dev/null) == *"\"commit\":\"$(head_commit)\",\"health\""*'"sync":"in_sync"'* ]] ||
        { is_considered && [ "$(field sync)" = in_sync ]; }
}

await_converged()
{
    await "${1:-30}" "in sync with the newest commit" is_converged
}

# SQL [FOLDER]: the first field of the first row, from the file itself.
ask_file()
{
    python3 - "$WORLD/${2:-var}/reeve.db" "$1" <<'END'
import sqlite3, sys
print(sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute(sys.argv[2]).fetchone()[0])
END
}

explained()
{
    reeve explain prod 2>&1
}

# What happened, with bodies, as JSON.
history()
{
    reeve history prod -n 1000 -o json
}

count_events()
{
    history | grep -o "\"kind\":\"$1\"" | wc -l
}

history_has()
{
    history | grep -qF "$1"
}

is_explained()
{
    explained | grep -qF "$1"
}

# One set of web is live and none else is left.
one_set_is_left()
{
    local answer

    answer=$(reeve status prod -o json)
    [ "$(grep -o '"set":"' <<<"$answer" | wc -l)" = "${1:-1}" ] &&
        [ "$(grep -o '"since_ms":[0-9]*,"state":"live"' <<<"$answer" | wc -l)" = "${1:-1}" ]
}

# A world whose version 1 serves. Words of spec.
given_served()
{
    given_world
    spec version=v1 "$@"
    commit 'version 1'
    start_daemon
    await_converged
    expect_serves v1
}

# --- traffic ----------------------------------------------------------------------------------------

# Status and first line of the body, into $STATUS and $BODY. get [PATH [PORT]]
get()
{
    local fd line=

    STATUS= BODY=
    { exec {fd}<>"/dev/tcp/127.0.0.1/${2:-$HTTP}"; } 2>/dev/null || return 1
    printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "${1:-/}" "$HOST" >&"$fd"
    {
        read -r -t 10 line <&"$fd"
        STATUS=${line#* }
        STATUS=${STATUS%% *}
        while read -r -t 10 line <&"$fd" && [ -n "${line%$'\r'}" ]; do :; done
        read -r -t 10 BODY <&"$fd"
    } 2>/dev/null # one that dies meanwhile resets the connection
    exec {fd}>&-
    return 0
}

serves()
{
    get "${2:-/}" && [ "$STATUS" = 200 ] && [ "$BODY" = "$1" ]
}

expect_serves()
{
    serves "$1" || fail "$1 is not served, but '$STATUS $BODY'"
}

# start_load OPTION..: counts until end_load; returns when each client has been answered once, or has lost it.
start_load()
{
    rm -f "$WORLD/load.begun"
    "$LOAD" --target "127.0.0.1:$HTTP" --host "$HOST" --begun "$WORLD/load.begun" "$@" >"$WORLD/load.json" 9>&- &
    LOADER=$!
    await 90 "the load has begun" load_has_begun
}

load_has_begun()
{
    kill -0 "$LOADER" 2>/dev/null || fail "the load ended"
    [ -e "$WORLD/load.begun" ]
}

end_load()
{
    kill -TERM "$LOADER"
    wait "$LOADER" 2>/dev/null
    LOADER=
    say "   load: $(cat "$WORLD/load.json")"
}

# A number of the load's result.
counted()
{
    grep -o "\"$1\":[0-9]*" "$WORLD/load.json" | head -n 1 | cut -d : -f 2
}
