#!/bin/bash
# isolation: what hostile code of a repository can do in each class. SPDX-License-Identifier: Apache-2.0
#
# The attacker is a service, a build and a release of one environment; what it wants is its neighbour's,
# the daemon's and the machine's. Everything is done as an ordinary user, and started as root also from
# root, which drops to that user.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/ordinary.sh"

ORDINARY=61002 # the kernel counts a user's processes: no other test has this one
SEEK=canary-of-the-neighbour-4711

as_both $ORDINARY ATTACKER

# Both environments in class $1.
given_attacked_world()
{
    CLASS=$1
    given_world
    write_daemon ports=$((FIRST + 40))-$((FIRST + 79)) rule="
  - match: {source: shop, name: neigh}
    branch: main
    providers: {services: [local], domains: edge}
    domains: [\"neigh.test\"]
    isolation: $CLASS"
    sed -i "s/    isolation: none/    isolation: $CLASS/; /^auth:/d" "$WORLD/reeve.yaml"
    sed -i "s/driver: process,/& quota: 16M,/" "$WORLD/reeve.yaml"
    sed -i "s/^user: .*/user: \"$ORDINARY:$ORDINARY\"\nuids: 60000-60099/" "$WORLD/reeve.yaml"
    mkdir "$WORLD/repo/code" "$WORLD/victim"
    cp "$ATTACKER" "$WORLD/repo/code/attacker"
    echo untouched >"$WORLD/victim/file"
    cat >"$WORLD/repo/.reeve/neigh.yaml" <<END
apiVersion: reeve/v1
kind: Application
name: neigh
services:
  web:
    source: {context: code}
    command: [./attacker, wait]
    port: 8000
    environment: {SEEK: $SEEK}
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 1}}
    rollout: {min_healthy_time: 100ms, bake_time: 100ms, keep_previous: 1s}
domains:
  app: {hosts: [neigh.test], routes: {/: {service: web}}}
---
apiVersion: reeve/v1
kind: Environment
name: neigh
application: neigh
trigger: {branch: main}
approval: {policy: auto}
END
    [ "$(id -u)" != 0 ] || chown -R $ORDINARY:$ORDINARY "$WORLD"
    export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
}

# And nothing watches it any more: what is done to it now is no verdict on its commit.
neighbour_serves()
{
    HOST=neigh.test serves attacker && [[ $(reeve status neigh -o json) == *'"sync":"in_sync"'* ]]
}

# Every number the machine knows a process of this world by.
all_pids()
{
    {
        echo "$DAEMON"
        cat "$WORLD"/var/services/run/*/state | grep -o '"\(pid\|keeper\)":[0-9]*' | cut -d : -f 2
    } | paste -sd :
}

neighbour_port()
{
    cat "$WORLD"/var/services/run/*/spec.json | grep -o '"port":[0-9]*' | head -n 1 | cut -d : -f 2
}

attacker_spec()
{
    local env

    env="ATTACK_SEEK: $SEEK, ATTACK_VICTIM: \"$WORLD/victim\", ATTACK_PIDS: \"$(all_pids)\""
    env+=", ATTACK_PATHS: \"$WORLD/var/reeve.db:$WORLD/reeve.yaml:$WORLD/var/edge/haproxy.cfg:$(ls -d "$WORLD"/var/services/run/*/spec.json | paste -sd :)\""
    env+=", ATTACK_SOCKETS: \"$WORLD/var/reeve.sock:$(find "$WORLD/var" -type s | paste -sd :)\""
    env+=", ATTACK_PORT: \"$(neighbour_port)\""
    write_shop <<END
services:
  web:
    source: {context: code, build: [./attacker], environment: {$env, ATTACK_EDGE: "$HTTP"}}
    command: [./attacker, serve]
    release: {command: [./attacker], environment: {$env}}
    port: 8000
    environment: {$env}
    healthcheck:
      readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 1}
      liveness: {http: {path: /healthz}, interval: 1s}
    rollout: {min_healthy_time: 100ms, bake_time: 100ms, keep_previous: 1s}
domains:
  app: {hosts: [$HOST], routes: {/: {service: web}}}
END
}

# What it told, of all three runs: ROLE NAME: RESULT.
told()
{
    local dir role

    for dir in "$WORLD"/var/services/run/*/; do
        role=$(grep -o '"type":"[a-z]*"' "$dir/spec.json" | cut -d '"' -f 4)
        sed -n "s/^attack: /$role: /p" "$dir/log" 2>/dev/null
    done
}

# reached ROLE NAME: what came of it, in one word.
result()
{
    case $(told | grep "^$1: $2: ") in
    *'GOT IN'*) echo 'GOT IN' ;;
    *'kept out'*) echo 'kept out' ;;
    *) echo - ;;
    esac
}

show_table()
{
    local name

    say "   class $CLASS, started by $(id -u), run by $ORDINARY"
    printf '   | %-22s %-10s %-10s %s\n' 'what is tried by a' build release service
    told | sed 's/^[a-z]*: \([^:]*\): .*/\1/' | awk '!seen[$0]++' | while read -r name; do
        printf '   | %-22s %-10s %-10s %s\n' "$name" "$(result artifact "$name")" \
            "$(result release "$name")" "$(result instance "$name")"
    done
}

# What gets in, as lines "ROLE: NAME", is $1 and nothing else.
expect_contained()
{
    local role n

    n=$("$ATTACKER" count)
    for role in artifact release instance; do
        expect_equal "things that the $role tried" "$(told | grep -c "^$role: ")" \
            "$([ $role = instance ] && echo $((n + 1)) || echo "$n")"
    done
    expect_equal "what got in" "$(told | grep 'GOT IN' | cut -d : -f 1,2 | sort)" "$1"
}

# What an instance left is removed with it, and nothing that its links name.
left_is_removed()
{
    sed -i '/release:/d; s/, build: .*/}/; s/serve\]/wait]/' "$WORLD/repo/.reeve/app.yaml"
    deploy 'tame'
    await 60 "the attacker is gone" attacker_is_gone
    await_converged
    await 30 "what it left is gone" files_are_gone
    expect_equal "the victim" "$(cat "$WORLD/victim/file")" untouched
}

attacker_is_gone()
{
    ! grep -qs '"serve"' "$WORLD"/var/services/run/*/spec.json
}

files_are_gone()
{
    [ -z "$(ls -A "$WORLD/var/services/run/.gone")" ]
}

attack()
{
    given_attacked_world "$1"
    commit 'a neighbour'
    start_daemon
    await 30 "the neighbour serves" neighbour_serves
    attacker_spec
    deploy 'an attack'
    await 90 "the attacker serves" serves attacker
    await_converged
    show_table
    grep -q 'reeve: ended, its files are over the quota' "$WORLD"/var/services/run/*/log ||
        fail "its log does not say that the quota was reached"
    await 60 "the history tells of the quota" history_has 'instance.over_quota'
    say "   $(reeve history prod --limit 500 | grep 'instance.over_quota' | tail -n 1)"
    expect "the neighbour serves on" neighbour_serves
    expect_equal "the victim" "$(cat "$WORLD/victim/file")" untouched
}

# The network is shared: a port that its owner shares, and the proxy, are there for all but builds.
namespace_keeps_all_but_ports()
{
    attack namespace
    expect_contained "instance: neighbour's port
release: neighbour's port"
    left_is_removed
    expect_has "doctor" "$(reeve doctor)" 'isolation namespace is possible'
    expect_has "the plan" "$(reeve plan prod 2>&1)" 'isolation namespace: files and processes of its own'
}

# What this machine cannot give is said, and skipped.
can_uid()
{
    if [ "$(id -u)" != 0 ]; then
        say "   SKIPPED: needs a daemon that root started"
        return 1
    fi
    given_attacked_world uid
    case $(reeve doctor 2>&1) in
    *'isolation uid is possible'*) ;;
    *)
        say "   SKIPPED: $(reeve doctor 2>&1 | grep 'isolation uid')"
        return 1
        ;;
    esac
}

# Another environment is another user: no port of it can be shared.
uid_keeps_all()
{
    can_uid || return 0
    attack uid
    expect_contained ''
    left_is_removed
    expect_has "doctor" "$(reeve doctor)" 'isolation uid is possible'
    expect_has "the plan" "$(reeve plan prod 2>&1)" 'isolation uid: a user, files and processes of its own'
    daemon_answers || fail "the daemon is gone: $(tail -3 "$WORLD/daemon.log")"
    expect_has "what the daemon's own user is answered" \
        "$(HOME=/ setpriv --reuid $ORDINARY --regid $ORDINARY --clear-groups "$REEVE" status prod 2>&1)" 'prod'
    stop_daemon
    "$REEVE" audit verify "$WORLD/var/reeve.db" >/dev/null || fail "audit verify FILE"
    expect_equal "files of root" "$(find "$WORLD/var" -user root | head -n 3)" ""
}

# The attackers that run as user $1, without what starts them.
attackers_of()
{
    local pid

    for pid in $(processes ./attacker); do
        [ "$(stat -c %u "/proc/$pid" 2>/dev/null)" != "$1" ] ||
            [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != attacker ] || echo "$pid"
    done
}

neighbour_pid()
{
    attackers_of 60000
}

is_another()
{
    [ -n "$(neighbour_pid)" ] && [ "$(neighbour_pid)" != "$1" ] && neighbour_serves
}

uid_lives_and_dies_with_its_keeper()
{
    local pid

    can_uid || return 0
    commit 'a neighbour'
    start_daemon
    await 30 "the neighbour serves" neighbour_serves
    pid=$(neighbour_pid)
    kill_daemon
    expect_equal "the program, the daemon killed" "$(neighbour_pid)" "$pid"
    kill -KILL "$pid"
    await 90 "its keeper starts it again, nobody asked" is_another "$pid"
    pid=$(neighbour_pid)
    start_daemon
    await 30 "the neighbour serves" neighbour_serves
    expect_equal "the program, another daemon" "$(neighbour_pid)" "$pid"
    kill -KILL "$(grep -l '"type":"instance"' "$WORLD"/var/services/run/*/spec.json | head -n 1 |
        sed 's/spec.json/state/' | xargs grep -o '"keeper":[0-9]*' | cut -d : -f 2)"
    await 20 "it is gone with its keeper" is_gone "$pid"
    await 90 "and is made again" is_another "$pid"
}

has_user()
{
    [ -n "$(attackers_of "$1")" ]
}

# The state is lost, and with it who had which user: the labels know.
uid_is_known_after_a_loss()
{
    can_uid || return 0
    commit 'a neighbour'
    start_daemon
    await 30 "the neighbour serves" neighbour_serves
    stop_daemon
    rm -f "$WORLD"/var/reeve.db*
    reeve recover >/dev/null || fail "recover"
    start_daemon
    attacker_spec
    sed -i '/release:/d; s/, build: .*/}/; s/serve\]/wait]/' "$WORLD/repo/.reeve/app.yaml"
    deploy 'another environment'
    await 60 "it has a user of its own" has_user 60001
    expect "the neighbour has its own" has_user 60000
}

# A machine that cannot do what a rule says is told so at the start, with the setting.
what_is_missing_is_said_at_the_start()
{
    local said

    given_world
    sed -i 's/isolation: none/isolation: namespace/; s/^user: .*/user: root/' "$WORLD/reeve.yaml"
    said=$(unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$0" once' "$REEVE" 2>&1)
    expect_has "the start" "$said" "isolation 'namespace' of the rule at $WORLD/reeve.yaml"
    expect_has "the start" "$said" 'user.max_user_namespaces'
    if [ "$(id -u)" = 0 ]; then
        said=$("$REEVE" once 2>&1)
        expect_has "the start as root" "$said" "no limit holds the processes of root: name another 'user'"
    fi
    sed -i 's/isolation: namespace/isolation: uid/; s/^user: .*/uids: 60000-60099/' "$WORLD/reeve.yaml"
    said=$("$REEVE" once 2>&1)
    if [ "$(id -u)" = 0 ]; then
        expect_has "the start" "$said" "started as root: name the user to become"
    else
        expect_has "the start" "$said" "isolation uid needs a daemon that was started as root"
    fi
}

is_gone()
{
    ! kill -0 "$1" 2>/dev/null
}

# Only root could give up groups: the daemon says which its code keeps.
groups_are_told()
{
    local said

    [ "$(id -u)" = 0 ] || return 0
    given_world
    sed -i "s/isolation: none/isolation: namespace/; s/^user: .*/user: nobody/" "$WORLD/reeve.yaml"
    chmod 755 "$WORLD"
    said=$(HOME=/ setpriv --reuid $ORDINARY --regid $ORDINARY --groups $ORDINARY,4,99 "$REEVE" doctor 2>&1)
    expect_has "doctor" "$said" "isolation namespace keeps the groups adm, 99"
}

can_namespace()
{
    if [ "$(id -u)" = 0 ]; then
        HOME=/ setpriv --reuid $ORDINARY --regid $ORDINARY --clear-groups "$REEVE" doctor 2>&1
    else
        "$REEVE" doctor 2>&1
    fi
}

case $(can_namespace) in
*'isolation namespace is possible'*) ;;
*) skip "no user namespaces: $(can_namespace | grep 'isolation namespace')" ;;
esac
run_cases what_is_missing_is_said_at_the_start groups_are_told namespace_keeps_all_but_ports uid_keeps_all \
    uid_lives_and_dies_with_its_keeper uid_is_known_after_a_loss
