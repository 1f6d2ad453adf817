#!/bin/bash
# drains: what instances print arrives at real receivers of logs, whoever is down meanwhile. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

PORT=
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
    beside syslog rsyslogd -n -f "$WORLD/rsyslog.conf" -i "$WORLD/syslog/pid" >>"$WORLD/syslog/log" 2>&1
    await 20 "rsyslogd listens" listens_at "$PORT"
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
    printf '#!/bin/sh\n[ -z "$KEY" ] || echo "started with $KEY"\ntail -n +1 -F "%s/say/web" &\nexec "%s"\n' "$WORLD" "$APP" >"$WORLD/web"
    printf '#!/bin/sh\nexec tail -n +1 -F "%s/say/api"\n' "$WORLD" >"$WORLD/api"
    chmod 755 "$WORLD/web" "$WORLD/api"
    write_daemon rule="${GIVES:-}" extra="${2:-}
log_drains:
$1"
    spec version=v1 command="$WORLD/web" replicas=2 env="${TELL:-}" \
        more="  api: {command: [\"$WORLD/api\"], ${LOGS:-}rollout: {min_healthy_time: 200ms, bake_time: 300ms}}"
    [ -z "${TELL:-}" ] || sed -i "s|^services:|secrets: {key: {store: files, path: prod/key}}\\nservices:|" "$WORLD/repo/.reeve/app.yaml"
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
    end_beside syslog
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
    end_beside syslog
    say_numbers 3001 30000
    await 20 "nobody waits for it" printed 'line 30000 of api'
    expect_serves v1
    await 20 "that is seen" live_has '"name":"archive"' '"error"'
    start_syslog
    await 60 "all of them" every_line 30000
    await 20 "nothing waits" live_has '"waiting":0'
    expect_has "lost" "$(reeve status -o json)" '"lost":0'
    end_beside syslog
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

# A file of 32 KiB and the one before it are what is kept: the rest is dropped, and counted line by line. What is kept may begin
# within a line.
a_receiver_that_is_never_there_costs_what_was_dropped()
{
    local i lost n

    LOGS='logs: {max: 64K}, '
    given_receiver
    given_drained "  archive: {type: syslog, address: \"127.0.0.1:$PORT\", transport: tcp}"
    LOGS=
    for i in {0..9}; do
        say_numbers $((i * 1000 + 1)) $((i * 1000 + 1000))
        await 20 "lines $i are seen" are_seen $((i * 1000 + 1000))
    done
    n=$(cat "$WORLD"/var/services/run/*/log* | wc -c)
    [ "$n" -le 70000 ] || fail "$n bytes are kept"
    lost=$(lost_now)
    [ "$lost" -gt 5000 ] || fail "$lost lines were dropped"
    expect_has "doctor" "$(reeve doctor 2>&1)" "logs are not taken by 'archive': "
    expect_has "doctor" "$(reeve doctor 2>&1)" "'archive' did not get $lost lines that went before they could be sent"
    expect_has "status" "$(reeve status)" "logs are not taken by archive, $((10000 - lost + 2)) lines wait"
    expect_has "health" "$(curl -s --unix-socket "$WORLD/var/reeve.sock" http://x/api/v1/health/detailed)" '"kind":"log_drain","message":"Failed to connect'
    expect_has "metrics" "$(metrics)" "reeve_log_drain_lines_total{drain=\"archive\",outcome=\"lost\"} $lost"
    expect_has "metrics" "$(metrics)" 'reeve_log_drain_up{drain="archive"} 0'
    start_syslog
    await 30 "the newest" has_taken 1 'line 10000 of api'
    expect_has "told" "$(taken)" "lost=\"$lost\"] reeve: $lost lines dropped"
    expect_equal "those that were kept" "$(taken | grep 'service="api"' | grep -v 'lost="' | sort -u | wc -l)" $((10000 - lost))
    await 20 "nothing waits" live_has '"waiting":0'
    expect_has "metrics" "$(metrics)" 'reeve_log_drain_up{drain="archive"} 1'
    end_beside syslog
}

metrics()
{
    curl -s --unix-socket "$WORLD/var/reeve.sock" http://x/metrics
}

lost_now()
{
    reeve status -o json | grep -o '"lost":[0-9]*' | cut -d : -f 2
}

# Of all lines of api each waits or is lost; two more are those that web has printed.
are_seen()
{
    reeve status -o json | grep -o '"\(waiting\|lost\)":[0-9]*' | awk -F : -v seen=$(($1 + 2)) '{ n += $2 } END { exit n != seen }'
}

# What is sure is written down, so what comes twice after a death is what was on its way.
a_daemon_that_is_started_again_goes_on()
{
    given_receiver
    start_syslog
    given_drained "  archive: {type: syslog, address: \"127.0.0.1:$PORT\", transport: tcp}"
    say_numbers 1 500
    await 20 "lines" every_line 500
    await 20 "they are sure" is_sure
    stop_daemon
    say_numbers 501 1000
    start_daemon
    await 20 "what was printed meanwhile" every_line 1000
    expect_equal "what came twice" "$(taken | grep -o 'line [0-9]* of api' | sort | uniq -d | wc -l)" 0
    await 20 "they are sure" is_sure
    say_numbers 1001 1500
    await 20 "some lines" every_line 1001
    kill_daemon
    say_numbers 1501 2000
    start_daemon
    await 20 "all lines" every_line 2000
    expect_equal "what came twice of what was sure" "$(taken | grep -o 'line [0-9]* of api' | sort | uniq -d | grep -c 'line [1-9][0-9]\?[0-9]\? ')" 0
    end_beside syslog
}

# The position in the log of api is its end.
is_sure()
{
    local file

    file=$(grep -l 'line 1 of api' "$WORLD"/var/services/run/*/log) || return 1
    grep -q "\"$(basename "$(dirname "$file")")\":{\"at\":$(stat -c %s "$file")," "$WORLD/var/drains/archive"
}

# Who asks for its certificate by another authority's eyes is told nothing.
by_tls_to_who_shows_the_right_certificate()
{
    local name

    given_receiver
    for name in ca other; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=localhost" \
            -addext "subjectAltName=DNS:localhost" -keyout "$WORLD/$name.key" -out "$WORLD/$name.pem" 2>/dev/null ||
            fail "no certificate"
    done
    [ -e /usr/lib/*/rsyslog/lmnsd_gtls.so ] || skip "rsyslog-gnutls is not installed"
    write_syslog " defaultNetstreamDriver=\"gtls\" defaultNetstreamDriverCAFile=\"$WORLD/ca.pem\" defaultNetstreamDriverCertFile=\"$WORLD/ca.pem\" defaultNetstreamDriverKeyFile=\"$WORLD/ca.key\"" \
        ' streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon"'
    start_syslog
    given_drained "  archive: {type: syslog, address: \"localhost:$PORT\", ca_file: $WORLD/ca.pem}
  mistaken: {type: syslog, address: \"localhost:$PORT\", ca_file: $WORLD/other.pem, services: [api]}"
    say_lines web 'over the wire'
    say_lines api 'not twice'
    await 20 "two replicas" has_taken 2 'over the wire'
    await 20 "api" has_taken 1 'not twice'
    await 20 "it is said" live_has '"error"'
    expect_has "why" "$(reeve status)" 'logs are not taken by mistaken'
    expect_has "why" "$(reeve status)" 'certificate'
    expect_equal "once" "$(taken | grep -c 'not twice')" 1
    end_beside syslog
}

by_datagrams_and_of_some_services_alone()
{
    given_receiver
    start_syslog
    given_drained "  archive: {type: syslog, address: \"127.0.0.1:$PORT\", transport: udp, services: [\"a*\"]}
  elsewhere: {type: syslog, address: \"127.0.0.1:$PORT\", transport: udp, environments: [staging, \"pr-*\"]}"
    say_lines web 'of web'
    say_lines api 'of api'
    await 20 "api" has_taken 1 'of api'
    await 20 "nothing waits" live_has '"name":"archive"' '"waiting":0'
    say_lines api 'later'
    await 20 "api" has_taken 1 'later'
    expect_has_not "of others" "$(taken)" 'service="web"'
    expect_equal "of one drain" "$(taken | grep -c later)" 1
    end_beside syslog
}

# --- by HTTP ----------------------------------------------------------------------------------------

start_sink()
{
    mkdir -p "$WORLD/sink"
    beside sink /usr/bin/python3 "$(dirname "$0")/../support/fake_log_sink.py" "$WORLD/sink" "$PORT" >>"$WORLD/sink/log" 2>&1
    await 20 "the sink listens" listens_at "$PORT"
}

sink_has()
{
    [ "$(grep -cF -- "$2" "$WORLD/sink/taken" 2>/dev/null)" -ge "$1" ]
}

was_asked()
{
    grep -q -- "$1" "$WORLD/sink/asked" 2>/dev/null
}

batches_by_http_are_taken_refused_or_tried_again()
{
    given_receiver
    start_sink
    mkdir "$WORLD/secrets"
    printf 'Bearer token-0123456789abcdef0123456789' >"$WORLD/secrets/sink_token"
    chmod 600 "$WORLD/secrets/sink_token"
    given_drained "  sink: {type: http, url: \"http://127.0.0.1:$PORT/push\", token: {secret: sink_token}, header: X-Token}" \
        "secrets: {default: files, stores: {files: {type: file, directory: $WORLD/secrets}}}"
    say_lines web 'by http'
    say_lines api 'a "quoted" line'
    await 20 "two replicas" sink_has 2 '"message":"by http"'
    await 20 "api" sink_has 1 '"message":"a \"quoted\" line"'
    was_asked '^204 application/x-ndjson Bearer token-0123456789abcdef0123456789 [1-9]' || fail "$(cat "$WORLD/sink/asked")"
    /usr/bin/python3 -c 'import json, sys; [json.loads(line)["instance"] for line in open(sys.argv[1])]' "$WORLD/sink/taken" ||
        fail "what was taken is no JSON"

    echo 503 >"$WORLD/sink/answer"
    say_lines api 'while it is down'
    await 20 "it is said" live_has '"error":"status 503"'
    echo 429 1 >"$WORLD/sink/answer"
    await 30 "too many" was_asked '^429'
    rm "$WORLD/sink/answer"
    await 30 "it comes later" sink_has 1 'while it is down'

    echo 400 >"$WORLD/sink/answer"
    say_lines api 'one that it does not like'
    await 20 "refused" live_has '"refused":1'
    rm "$WORLD/sink/answer"
    say_lines api 'the next one'
    await 20 "the next" sink_has 1 'the next one'
    expect_equal "what was refused" "$(grep -c 'does not like' "$WORLD/sink/taken")" 0
    expect_equal "said once" "$(grep -c 'logs are refused' "$WORLD/daemon.log")" 1

    printf 'Bearer token-0123456789abcdef\nX-Forged: yes' >"$WORLD/secrets/sink_token"
    say_lines api 'with a header of two lines'
    await 20 "a token of two lines is none" live_has 'its token is more than one line'
    expect_equal "what was sent with it" "$(grep -c 'of two lines' "$WORLD/sink/taken")" 0
    expect_has_not "the log" "$(cat "$WORLD/daemon.log")" token-0123
    expect_has_not "status" "$(reeve status -o json)" token-0123
    ! grep -rqa token-0123 "$WORLD/var" || fail "the token lies in $(grep -rla token-0123 "$WORLD/var")"
    end_beside sink
}

# Nobody is asked: the addresses are looked at before.
what_is_not_public_is_refused_unless_it_is_allowed()
{
    given_receiver
    given_drained '  by-name: {type: syslog, address: "10.255.255.1:6514"}
  by-url: {type: http, url: "https://10.255.255.1/push"}'
    say_lines api 'a line'
    await 20 "it is said" status_says "logs are not taken by by-name, [0-9]* lines wait: its address is not one that may be reached: egress.allow does not name it"
    await 20 "it is said" status_says "logs are not taken by by-url, [0-9]* lines wait: its address is not one that may be reached"
    sed -i 's/"10.255.255.1:6514"/"10.255.255.1:601", transport: tcp/' "$WORLD/reeve.yaml"
    expect_has "check" "$(reeve check 2>&1)" '10.255.255.1:601 would be sent to in clear, and is neither of this machine nor in egress.allow'
}

status_says()
{
    reeve status | grep -q -- "$1"
}

# --- whatever it prints -----------------------------------------------------------------------------

# A line is a line to the receiver: none is two of them, keeps the others from coming, or steers a terminal.
whatever_is_printed_comes_as_lines()
{
    given_receiver
    start_syslog
    given_drained "  archive: {type: syslog, address: \"127.0.0.1:$PORT\", transport: tcp}"
    yes '' | head -n 100000 >>"$WORLD/say/api"
    say_lines api 'behind many that are empty'
    await 60 "it comes" has_taken 1 'behind many that are empty'
    head -c 300000 /dev/zero | tr '\0' x >>"$WORLD/say/api"
    say_lines api '' 'behind a long one'
    await 20 "it comes" has_taken 1 'behind a long one'
    expect_equal "the long one" "$(taken | grep -c 'xxxx \[cut\]$')" 1
    printf '<13>1 - - - - - forged\033[2J\0\377 end\r\n19 <13>1 - - - - - too\n' >>"$WORLD/say/api"
    await 20 "they come" has_taken 1 'too'
    expect_has "as text" "$(taken)" '] <13>1 - - - - - forged\u{1b}[2J?? end'
    expect_has "as text" "$(taken)" '] 19 <13>1 - - - - - too'
    end_beside syslog
}

# --- what does not leave ----------------------------------------------------------------------------

a_secret_does_not_leave_the_machine()
{
    given_receiver
    start_syslog
    mkdir -p "$WORLD/secrets/prod"
    printf %s "$VALUE" >"$WORLD/secrets/prod/key"
    GIVES='    secrets: [{path: "files:prod", for: services}]'
    TELL="KEY: {secret: key}"
    given_drained "  archive: {type: syslog, address: \"127.0.0.1:$PORT\", transport: tcp}" \
        "secrets: {default: files, stores: {files: {type: file, directory: $WORLD/secrets}}}"
    GIVES= TELL=
    await 20 "what it says" has_taken 2 'started with ***'
    say_lines web "the key is $VALUE, as it is"
    await 20 "what it says" has_taken 2 'the key is ***, as it is'

    mv "$WORLD/var/sealed" "$WORLD/var/elsewhere"
    say_lines web "still $VALUE"
    say_lines api "of who was given none"
    await 20 "api" has_taken 1 "of who was given none"
    await 20 "two lines" live_has '"withheld":2'
    expect_has_not "what arrived" "$(taken)" "$VALUE"
    expect_has_not "what arrived" "$(taken)" still
    mv "$WORLD/var/elsewhere" "$WORLD/var/sealed"
    end_beside syslog
}

run_cases lines_of_two_services_arrive_in_order a_receiver_that_dies_misses_nothing \
    a_receiver_that_is_never_there_costs_what_was_dropped a_daemon_that_is_started_again_goes_on \
    by_tls_to_who_shows_the_right_certificate by_datagrams_and_of_some_services_alone \
    batches_by_http_are_taken_refused_or_tried_again \
    what_is_not_public_is_refused_unless_it_is_allowed whatever_is_printed_comes_as_lines \
    a_secret_does_not_leave_the_machine
