#!/bin/sh
# demo: the main job, told by a machine that does it. SPDX-License-Identifier: Apache-2.0
#
#     examples/quickstart/demo.sh [BUILD]      after the release was built; `make demo` does both
#
# Everything lives in one directory under /tmp, on loopback ports that are free now. KEEP=1 leaves it
# running. Root makes the directory and hands it and itself to `nobody`: a daemon that runs code of a
# repository is not root, and git serves a repository only to its owner.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

if [ -z "${DEMO_HOME:-}" ]; then
    build=${1:-$here/../../${BUILD:-build}/release}
    DEMO_HOME=$(mktemp -d /tmp/reeve-demo.XXXXXX)
    cmake --install "$build" --prefix "$DEMO_HOME/reeve" >/dev/null
    cp "$build/tests/e2e/load" "$DEMO_HOME/reeve/bin/"
    cp -R "$here" "$DEMO_HOME/quickstart"
    chmod 755 "$DEMO_HOME"
    as=
    [ "$(id -u)" -ne 0 ] || as='runuser -u nobody -- '
    set -- env -i DEMO_HOME="$DEMO_HOME" DEMO_AS="$as" KEEP="${KEEP:-}" HOME="$DEMO_HOME" TERM="${TERM:-dumb}" \
        PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin sh "$DEMO_HOME/quickstart/demo.sh"
    [ -z "$as" ] || chown -R nobody: "$DEMO_HOME"
    exec $as "$@"
fi

cd "$DEMO_HOME"
PATH=$DEMO_HOME/reeve/bin:$PATH
export REEVE_CONFIG="$DEMO_HOME/reeve.yaml" GIT_CONFIG_NOSYSTEM=1
began_ms=$(date +%s%3N)

# --- telling ----------------------------------------------------------------------------------------

now()
{
    ms=$(($(date +%s%3N) - began_ms))
    printf '%3d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}

chapter()
{
    printf '\n%s  %s\n' "$(now)" "$1"
}

say()
{
    printf '%s    %s\n' "$(now)" "$1"
}

# A command line, and what it prints to the right of a bar.
show()
{
    printf '           $ %s\n' "$1"
    status=0
    eval "$1" >shown 2>&1 || status=$?
    sed 's/^/           | /' shown
    return $status
}

fail()
{
    printf '\n%s  It went wrong: %s\n' "$(now)" "$1" >&2
    [ ! -e daemon.log ] || tail -n 20 daemon.log >&2
    exit 1
}

finish()
{
    status=$?
    trap - EXIT
    trap '' HUP INT TERM PIPE
    cd /
    if [ "${KEEP:-}" = 1 ] && [ $status -eq 0 ]; then
        return
    fi
    sh "$DEMO_HOME/quickstart/stop.sh" "$DEMO_HOME"
    [ $status -ne 0 ] || printf '\n%s  Everything that was started has ended, and its directory is gone.\n' "$(now)"
    exit $status
}
trap finish EXIT
trap 'exit 1' HUP INT TERM PIPE

# --- the stage --------------------------------------------------------------------------------------

# The first of 61 ports in a row that nobody listens on.
free_ports()
{
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v seed="$$" '
        function number(hex,    i, n) {
            for (i = 1; i <= length(hex); i++)
                n = n * 16 + index("0123456789ABCDEF", substr(hex, i, 1)) - 1
            return n
        }
        $4 == "0A" { split($2, address, ":"); taken[number(address[2])] = 1 }
        END {
            srand(seed)
            do {
                first = 20000 + int(rand() * 12000)
                bad = 0
                for (i = 0; i < 61; i++)
                    bad += (first + i) in taken
            } while (bad)
            print first
        }'
}


commit()
{
    git -C work add -A
    git -C work commit -q -m "$1"
}

set_stage()
{
    port=$(free_ports)
    git init -q --bare git/hello.git
    git init -q -b main work
    git -C work config user.name 'A Developer'
    git -C work config user.email developer@example.test
    cp -R quickstart/hello/. work/
    commit 'hello 1.0.0'
    git -C work branch develop
    git -C work remote add origin "$DEMO_HOME/git/hello.git"
    git -C work push -q origin main develop
    git -C work checkout -q develop
    sed -e "s|file:///srv/git/hello.git|file://$DEMO_HOME/git/hello.git|" \
        -e "s|127.0.0.1:8080|127.0.0.1:$port|" \
        -e "s|20000-20049|$((port + 1))-$((port + 50))|" \
        -e "s|20050-20059|$((port + 51))-$((port + 60))|" quickstart/reeve.yaml >reeve.yaml
}

start_daemon()
{
    setsid reeve serve >daemon.log 2>&1 </dev/null &
    daemon=$!
    for _ in $(seq 100); do
        ! reeve status staging >/dev/null 2>&1 || return 0
        kill -0 "$daemon" 2>/dev/null || fail "the daemon ended"
        sleep 0.1
    done
    fail "the daemon does not know staging"
}

# What an environment serves must be this version, and is shown.
say_served()
{
    text=$(curl -sS --max-time 5 -H "Host: $1.localhost" "http://127.0.0.1:$port/" | head -n 1)
    [ "$text" = "hello $2" ] || fail "$1 serves '$text', not 'hello $2'"
    say "$1 serves: $text"
}

# --- load: clients that never stop asking, and what they got ------------------------------------------

start_load()
{
    setsid load --target "127.0.0.1:$port" --host staging.localhost --new 2 --kept 2 --post 0 --pause-ms 4 \
        --seconds 0 >load.json 2>load.err &
    echo $! >load.pid
}

# A number of the load's answer: the first one behind these words.
figure()
{
    sed -n "s/.*\"$1\":{*\(\"n\":\)*\([0-9]*\).*/\2/p" load.json
}

stop_load()
{
    kill -TERM "$(cat load.pid)"
    wait "$(cat load.pid)" || true # what it counted is in its answer
    rm load.pid
    say "requests sent: $(figure sent), requests lost: $(figure lost)"
    [ "$(figure lost)" = 0 ] || fail "requests were lost: $(cat load.json)"
}

# How long a version answered, and how often.
say_version()
{
    set -- "$1" $(sed -n "s/.*\"hello $1\":{\"n\":\([0-9]*\),\"first_ms\":\([0-9]*\),\"last_ms\":\([0-9]*\)}.*/\1 \2 \3/p" load.json)
    [ $# -eq 4 ] || fail "hello $1 was never seen"
    say "hello $1 gave $2 wrong answers within $(($4 - $3)) ms; then hello 1.1.0 answered again"
}

# --- the story ----------------------------------------------------------------------------------------

merge_good()
{
    echo 1.1.0 >work/VERSION
    echo 'Good evening.' >work/page.txt
    commit 'hello 1.1.0: good evening'
    git -C work push -q origin develop
}

# A file is renamed and the program still opens the old name. It builds, starts and says that it is well.
merge_broken()
{
    echo 1.2.0 >work/VERSION
    git -C work mv page.txt page.html
    commit 'hello 1.2.0: the page is HTML now'
    git -C work push -q origin develop
}

merge_mended()
{
    echo 1.2.1 >work/VERSION
    git -C work mv page.html page.txt
    commit 'hello 1.2.1: the page is text again'
    git -C work push -q origin develop
}

merge_to_main()
{
    git -C work push -q origin develop:main
}

waiting_plan()
{
    reeve plan production | sed -n '1s/^Plan \([0-9a-f]*\) .*waiting.*/\1/p'
}

set_stage
printf 'A git repository with one web service, and a daemon that keeps two environments as it says:\n'
printf '`develop` is staging and goes by itself, `main` is production and waits for a person.\n'
printf 'All of it lives in %s and on 127.0.0.1:%s.\n' "$DEMO_HOME" "$port"

chapter 'The daemon starts. Staging is built, started, found ready, routed to, and watched for 3 s.'
start_daemon
show 'reeve apply --quiet staging' || fail 'staging did not converge'
say_served staging 1.0.0

chapter 'A good merge, while clients ask without a pause. A new set starts beside the old one.'
start_load
merge_good
show 'reeve apply --quiet staging' || fail 'staging did not converge'
stop_load
say_served staging 1.1.0

chapter 'A broken merge: it builds, starts and says that it is well, but cannot answer a page.'
start_load
merge_broken
! show 'reeve apply --quiet staging' || fail 'a broken version was kept'
stop_load
say_version 1.2.0
say_served staging 1.1.0
show 'reeve explain staging'

chapter 'The mend is one more commit. Only that version is quarantined, so this one is tried at once.'
merge_mended
show 'reeve apply --quiet staging' || fail 'staging did not converge'
say_served staging 1.2.1

chapter 'main gets what staging runs. Production has waited since the start; now this plan waits.'
merge_to_main
show 'reeve apply --quiet production' || true # 2: it waits
show 'reeve status'
show 'reeve plan production | sed -n 1,3p'

chapter 'A person approves exactly that plan, and it runs.'
show "reeve approve --quiet --reason 'seen on staging' $(waiting_plan)" || fail 'production did not converge'
say_served production 1.2.1

chapter 'What happened, and the proof that nobody has changed the record.'
show "reeve history --limit 1000 | grep -v -e 'operation\.' -e 'gate\.' | cut -c 1-130"
show 'reeve audit verify --replay' || fail 'the history does not verify'

if [ "${KEEP:-}" = 1 ]; then
    as=${DEMO_AS:+${DEMO_AS}env HOME=$DEMO_HOME }
    cat <<END

$(now)  It runs on. To look at it:

    curl http://staging.localhost:$port/
    ${as}$DEMO_HOME/reeve/bin/reeve --config $REEVE_CONFIG status
    less $DEMO_HOME/daemon.log

To merge something:

    cd $DEMO_HOME/work && echo 2.0.0 >VERSION
    ${as}git commit -am 'hello 2.0.0'
    ${as}git push origin develop

To stop it, and remove its directory:

    ${as}sh $DEMO_HOME/quickstart/stop.sh $DEMO_HOME
END
fi
