#!/bin/bash
# drains: what instances print arrives at real receivers of logs, whoever is down meanwhile. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

PORT=
SYSLOG= # rsyslogd's process id
VALUE=correct-horse-battery-staple

# --- the receiver: rsyslogd -------------------------------------------------------------------------

# One line a message: service, instance, structured data, text.
write_syslog()
{
    cat >"$WORLD/rsyslog.conf" <<END
global(workDirectory="$WORLD/syslog" maxMessageSize="8k"$1)
module(load="imtcp"$2)
module(load="imudp")
input(type="imtcp" address="127.0.0.1" port="$PORT")
input(type="imudp" address="127.0.0.1" port="$PORT")
template(name="row" type="string" string="%syslogseverity-text% %APP-NAME% %PROCID% %STRUCTURED-DATA% %msg%\n")
action(type="omfile" file="$WORLD/syslog/taken" template="row" asyncWriting="off" flushOnTXEnd="on")
END
}

listens_at()
{
    local hex

    printf -v hex '0100007F:%04X' "$1"
    grep -q " $hex 00000000:0000 0A" /proc/net/tcp
}

start_syslog()
{
    mkdir -p "$WORLD/syslog"
    rsyslogd -n -f "$WORLD/rsyslog.conf" -i "$WORLD/syslog/pid" >>"$WORLD/syslog/log" 2>&1 9>&- &
    SYSLOG=$!
    await 20 "rsyslogd listens" listens_at "$PORT"
}

stop_syslog()
{
    [ -z "$SYSLOG" ] || kill_child "$SYSLOG"
    SYSLOG=
}

taken()
{
    cat "$WORLD/syslog/taken" 2>/dev/null
}

# has_taken N TEXT: so many rows, each once.
has_taken()
{
    [ "$(taken | grep -cF -- "$2")" -ge "$1" ]
}

# --- the world ---------------------------------------------------------------------------------------

# Instances print the lines that come into these files: of each service its own.
say_lines()
{
    local service=$1

    shift
    printf '%s\n' "$@" >>"$WORLD/say/$service"
}

given_receiver()
{
    command -v rsyslogd >/dev/null || skip "rsyslog is not installed"
    given_world
    PORT=$((FIRST + 35))
    write_syslog '' ''
}

# The rows of `log_drains`; `api` prints too and has no port.
given_drained()
{
    mkdir "$WORLD/say"
    : >"$WORLD/say/web"
    : >"$WORLD/say/api"
    printf '#!/bin/sh\ntail -n +1 -F "%s/say/web" &\nexec "%s"\n' "$WORLD" "$APP" >"$WORLD/web"
    printf '#!/bin/sh\nexec tail -n +1 -F "%s/say/api"\n' "$WORLD" >"$WORLD/api"
    chmod 755 "$WORLD/web" "$WORLD/api"
    write_daemon extra="${2:-}
log_drains:
$1"
    spec version=v1 command="$WORLD/web" replicas=2 more="  api: {command: [\"$WORLD/api\"], rollout: {min_healthy_time: 200ms, bake_time: 300ms}}"
    commit 'version 1'
    start_daemon
    await_converged
}

# The texts of one instance, in the order they came.
texts_of()
{
    taken | grep -F "instance=\"$1\"" | sed 's/^[^]]*\] //'
}

instances_of()
{
    taken | grep -o "instance=\"$1@[^\"]*\"" | sort -u | cut -d '"' -f 2
}

lines_of_two_services_arrive_in_order()
{
    local instance

    given_receiver
    start_syslog
    given_drained "  archive: {type: syslog, address: \"127.0.0.1:$PORT\", transport: tcp}"
    say_lines web 'first of web' 'second [of] "web"' 'third of web'
    say_lines api 'of api'
    await 20 "two replicas of web" has_taken 2 'third of web'
    await 20 "api" has_taken 1 'of api'
    expect_equal "replicas" "$(instances_of web | wc -l)" 2
    for instance in $(instances_of web); do
        expect_equal "lines of $instance" "$(texts_of "$instance" | tail -n 3)" \
            $'first of web\nsecond [of] "web"\nthird of web'
        expect_has "fields" "$(taken)" "info web $instance [reeve@32473 env=\"prod\" service=\"web\" instance=\"$instance\" set=\""
    done
    expect_has "fields" "$(taken | grep 'of api')" 'colour="blue" revision="'
    expect_has "fields" "$(taken)" "commit=\"$(head_commit)\""
    stop_syslog
}

# every_line N: each of the numbered lines of api is there.
every_line()
{
    [ "$(taken | grep -o 'line [0-9]* of api' | sort -u | wc -l)" -ge "$1" ]
}

say_numbers()
{
    seq -f "line %.0f of api" "$1" "$2" >>"$WORLD/say/api"
}

# Killed while lines come: what it had not read by then is sent again.
a_receiver_that_dies_misses_nothing()
{
    given_receiver
    start_syslog
    given_drained "  archive: {type: syslog, address: \"127.0.0.1:$PORT\", transport: tcp}"
    say_numbers 1 1000
    await 20 "a thousand lines" every_line 1000
    say_numbers 1001 3000
    await 20 "some of the next" every_line 1001
    stop_syslog
    say_numbers 3001 30000
    await 20 "nobody waits for it" printed 'line 30000 of api'
    expect_serves v1
    await 20 "that is seen" live_has '"name":"archive"' '"error"'
    start_syslog
    await 60 "all of them" every_line 30000
    await 20 "nothing waits" live_has '"waiting":0'
    expect_has "lost" "$(reeve status -o json)" '"lost":0'
    stop_syslog
}

printed()
{
    grep -qF -- "$1" "$WORLD"/var/services/run/*/log
}

live_has()
{
    local status word

    status=$(reeve status -o json | grep -o '"log_drains":\[[^]]*\]') || return 1
    for word; do
        [[ $status == *"$word"* ]] || return 1
    done
}

run_cases lines_of_two_services_arrive_in_order a_receiver_that_dies_misses_nothing
