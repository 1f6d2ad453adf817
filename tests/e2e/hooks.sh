#!/bin/bash
# hooks: a push that a forge tells of is live long before the next poll, and nobody else is heard. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

SECRET=it-is-the-secret-of-the-hook
COMMIT=0000000000000000000000000000000000000001

# A world of one source that hears hooks of that type at HOOKS, and polls once an hour; more rows of the Daemon
# document may follow.
given_hooks()
{
    local type=$1

    shift
    given_world
    HOOKS=localhost:$((FIRST + 36)) SCHEME=http
    write_daemon poll=1h extra="secrets: {default: env, stores: {env: {type: env, prefix: T_}}}"
    sed -i "s|poll: 1h|poll: 1h, webhook: {type: $type, secret: {secret: hook}}|" "$WORLD/reeve.yaml"
    printf '%s\n' "listen_hooks: $HOOKS" "$@" >>"$WORLD/reeve.yaml"
    spec version=v1
    commit 'version 1'
}

start_hearing()
{
    start_daemon T_HOOK="$SECRET"
    await_converged
}

hmac()
{
    openssl dgst -sha256 -hmac "$SECRET" "$@" | sed 's/.*= //'
}

# The file's signature as TYPE sends it, one header a line.
signed_headers()
{
    local hex seconds

    hex=$(hmac "$2")
    case $1 in
    github) printf '%s\n' "X-GitHub-Event: push" "X-Hub-Signature-256: sha256=$hex" ;;
    gitea) printf '%s\n' "X-Gitea-Event: push" "X-Gitea-Signature: $hex" "X-GitHub-Event: push" "X-Hub-Signature-256: sha256=$hex" ;;
    gitlab) printf '%s\n' "X-Gitlab-Event: Push Hook" "X-Gitlab-Token: $SECRET" ;;
    bitbucket) printf '%s\n' "X-Event-Key: repo:push" "X-Hub-Signature: sha256=$hex" ;;
    generic)
        seconds=$(date +%s)
        hex=$({ printf '%s.' "$seconds" && cat "$2"; } | hmac)
        printf '%s\n' "X-Reeve-Signature: t=$seconds,v1=$hex"
        ;;
    esac
}

# What TYPE says of a push to a branch.
payload()
{
    case $1 in
    github | gitea) echo "{\"ref\":\"refs/heads/$2\",\"after\":\"$COMMIT\",\"repository\":{\"full_name\":\"acme/shop\"}}" ;;
    gitlab) echo "{\"ref\":\"refs/heads/$2\",\"after\":\"$COMMIT\",\"project\":{\"path_with_namespace\":\"acme/shop\"}}" ;;
    bitbucket) echo "{\"repository\":{\"full_name\":\"acme/shop\"},\"push\":{\"changes\":[{\"new\":{\"type\":\"branch\",\"name\":\"$2\",\"target\":{\"hash\":\"$COMMIT\"}}}]}}" ;;
    generic) echo "{\"repository\":\"acme/shop\",\"ref\":\"refs/heads/$2\",\"commit\":\"$COMMIT\"}" ;;
    esac
}

# post TYPE FILE [MORE OF CURL..]: body and status on one line; HEADERS are sent as they are.
post()
{
    curl -sS --noproxy '*' -k --max-time 60 -w '\n%{http_code}' -X POST -H "@$WORLD/headers" -H 'Content-Type: application/json' -H 'Expect:' \
        --data-binary "@$2" "${@:3}" "$SCHEME://$HOOKS/hooks/$1" 2>&1 | tr '\n' ' '
}

# tell TYPE[/SOURCE] BRANCH [MORE OF CURL..]
tell()
{
    payload "${1%/*}" "$2" >"$WORLD/payload"
    signed_headers "${1%/*}" "$WORLD/payload" >"$WORLD/headers"
    post "$1" "$WORLD/payload" "${@:3}"
}

# expect_status WHAT ANSWER STATUS
expect_status()
{
    expect_equal "$1" "${2##* }" "$3"
}

# --- what is heard ------------------------------------------------------------------------------------

rounds()
{
    reeve status -o json 2>/dev/null | grep -o '"rounds":[0-9]*' | head -n 1 | cut -d : -f 2
}

# The next commit, which nobody would ask for within an hour, is told of and served.
is_live_when_told()
{
    local type=$1 said

    spec version=v2
    commit "version 2 of $type"
    COMMIT=$(head_commit)
    said=$(tell "$type/shop" main)
    expect_has "$type" "$said" '"state":"looking"'
    expect_status "$type" "$said" 202
    await 60 "$type: what was told of serves" serves v2
    await_converged
    say "   $type: a commit that was told of is live; the next poll is in an hour"
}

each_forge()
{
    local type=$1

    given_hooks "$@"
    start_hearing
    is_live_when_told "$type"
    expect_equal "in the history" "$(n_events hook.heard)" 1
    reeve audit verify --replay >/dev/null || fail "the events do not make the tables"
    stop_daemon
}

of_github() { each_forge github; }
of_gitea() { each_forge gitea; }
of_bitbucket() { each_forge bitbucket; }
of_generic() { each_forge generic; }

# Its token is worth nothing to who can read it on the way.
of_gitlab()
{
    given_hooks gitlab
    start_hearing
    expect_status "in clear" "$(tell gitlab/shop main)" 403
    stop_daemon
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout "$WORLD/tls.key" -out "$WORLD/tls.pem" 2>/dev/null || fail "no certificate"
    printf '%s\n' "tls: {certificate: tls.pem, key: tls.key}" "http: {hosts: [localhost]}" >>"$WORLD/reeve.yaml"
    SCHEME=https
    start_hearing
    is_live_when_told gitlab
    expect_status "another token" "$(SECRET=another tell gitlab/shop main)" 401
    stop_daemon
    grep -raqF "$SECRET" "$WORLD/var" "$WORLD/daemon.log" && fail "the token lies in $(grep -ralF "$SECRET" "$WORLD/var" "$WORLD/daemon.log")"
    say "   its token lies in no file of the daemon"
}

# --- who is heard, and what ---------------------------------------------------------------------------

# Of the whole history: a hook is no matter of one environment.
n_events()
{
    reeve history -n 1000 -o json | grep -o "\"kind\":\"$1\"" | wc -l
}

n_heard()
{
    n_events hook.heard
}

what_was_heard_before()
{
    local said

    given_hooks github
    start_hearing
    said=$(tell github/shop main -H 'X-GitHub-Delivery: d-1')
    expect_status "the first" "$said" 202
    expect_has "the first" "$said" '"delivery":"d-1"'
    expect_status "the same" "$(tell github/shop main -H 'X-GitHub-Delivery: d-1')" 200
    said=$(tell github/shop main -H 'X-GitHub-Delivery: d-2')
    expect_has "its body by another name" "$said" '"state":"known"'
    expect_status "its body by another name" "$said" 200
    expect_has "another branch" "$(tell github/shop elsewhere)" '"state":"nothing"'
    expect_equal "heard" "$(n_heard)" 2
    kill_daemon
    start_daemon T_HOOK="$SECRET"
    expect_status "after a death" "$(tell github/shop main)" 200
    expect_equal "heard" "$(n_heard)" 2
    expect_status "without a source" "$(tell github second)" 202
    stop_daemon
}

not_by_the_forge()
{
    local said

    given_hooks github
    start_hearing
    payload github main >"$WORLD/payload"
    : >"$WORLD/headers"
    expect_status "without a signature" "$(post github/shop "$WORLD/payload" -H 'X-GitHub-Event: push')" 401
    expect_status "by another secret" "$(SECRET=another tell github/shop main)" 401
    signed_headers gitea "$WORLD/payload" >"$WORLD/headers"
    expect_status "one of Gitea" "$(post github/shop "$WORLD/payload")" 401
    expect_status "another type" "$(tell gitea/shop main)" 404
    expect_status "another source" "$(tell github/other main)" 404
    expect_equal "nothing was heard" "$(n_heard)" 0
    for _ in {1..20}; do
        SECRET=another tell github/shop main >/dev/null
    done
    stop_daemon # what was counted is written
    said=$(n_events '[a-z.]*denied')
    [ "$said" -gt 0 ] && [ "$said" -le 4 ] || fail "refusals are not folded: $said events"
    say "   25 refusals, $said events"
    expect_has_not "the log" "$(cat "$WORLD/daemon.log")" "$SECRET"
}

# The edges of a request, by a socket of our own.
raw()
{
    timeout 60 bash -c 'exec 3<>"/dev/tcp/localhost/$0" && cat >&3 && cat <&3' "${HOOKS#*:}" 2>/dev/null | head -1 | tr -d '\r'
}

endless()
{
    printf 'POST /hooks/github/shop HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n' "$HOOKS"
    while printf '10000\r\n%065536d\r\n' 0; do :; done 2>/dev/null
}

bodies_that_are_none()
{
    given_hooks github
    start_hearing
    printf '{"ref":"refs/heads/\377"}' >"$WORLD/payload"
    signed_headers github "$WORLD/payload" >"$WORLD/headers"
    expect_status "no UTF-8" "$(post github/shop "$WORLD/payload")" 422
    expect_status "coded" "$(post github/shop "$WORLD/payload" -H 'Content-Encoding: gzip')" 400
    head -c 1048577 /dev/zero | tr '\0' ' ' >"$WORLD/payload"
    signed_headers github "$WORLD/payload" >"$WORLD/headers"
    expect_status "too large" "$(post github/shop "$WORLD/payload")" 413
    expect_status "too large, in chunks" "$(post github/shop "$WORLD/payload" -H 'Transfer-Encoding: chunked')" 413
    { printf '{"ref":"refs/heads/main","x":"' && head -c 1048000 /dev/zero | tr '\0' ' ' && printf '"}'; } >"$WORLD/payload"
    signed_headers github "$WORLD/payload" >"$WORLD/headers"
    expect_status "just not" "$(post github/shop "$WORLD/payload")" 202
    expect_has "two lengths" "$(printf 'POST /hooks/github/shop HTTP/1.1\r\nHost: %s\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}' "$HOOKS" | raw)" " 400 "
    expect_has "a length and chunks" "$(printf 'POST /hooks/github/shop HTTP/1.1\r\nHost: %s\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' "$HOOKS" | raw)" " 400 "
    expect_equal "cut off" "$(printf 'POST /hooks/github/shop HTTP/1.1\r\nHost: %s\r\nContent-Length: 50\r\n\r\n{' "$HOOKS" | raw)" ""
    endless | raw >"$WORLD/endless"
    expect_equal "chunks without an end, of which none is read any more" "$(cat "$WORLD/endless")" ""
    expect_equal "heard" "$(n_heard)" 1
    expect_equal "it lives" "$(curl -sS --noproxy '*' --max-time 20 "http://$HOOKS/healthz")" ok
    stop_daemon
}

# branch_has BRANCH COMMIT: the daemon has read that.
branch_has()
{
    [[ $(reeve status -o json 2>/dev/null) == *"\"branch\":\"$1\",\"commit\":\"$2\""* ]]
}

# Two branches move, and one is told of: the other one is not looked at before somebody asks for all.
what_it_names_alone()
{
    local before other

    given_hooks github
    git -C "$WORLD/repo" branch other
    sed -i 's/branches: \[main\]/branches: [main, other]/' "$WORLD/reeve.yaml"
    before=$(head_commit)
    start_hearing
    branch_has other "$before" || fail "the other branch was not read"
    spec version=v2
    commit 'version 2'
    COMMIT=$(head_commit)
    git -C "$WORLD/repo" branch -f other
    tell github/shop main >/dev/null
    await 60 "what was told of serves" serves v2
    await_converged
    branch_has main "$COMMIT" || fail "main was not read"
    branch_has other "$before" || fail "the other branch was looked at"
    tell github/shop other >/dev/null
    await 60 "the other one is told of" branch_has other "$COMMIT"
    git -C "$WORLD/repo" branch -f other "$before"
    reeve apply prod >/dev/null || fail "apply"
    branch_has other "$before" || fail "a person asks for all of them"
    stop_daemon
}

# However many come: one round runs and one waits. The last one of them is not lost.
a_flood()
{
    local before after i posts=()

    given_hooks generic
    start_hearing
    before=$(rounds)
    for i in {1..40}; do
        COMMIT=$i payload generic main >"$WORLD/payload.$i"
        signed_headers generic "$WORLD/payload.$i" >"$WORLD/headers.$i"
    done
    for i in {1..40}; do
        curl -sS --noproxy '*' --max-time 60 -o /dev/null -H "@$WORLD/headers.$i" --data-binary "@$WORLD/payload.$i" "http://$HOOKS/hooks/generic" &
        posts+=($!)
    done
    wait "${posts[@]}"
    spec version=v2
    commit 'version 2'
    COMMIT=$(head_commit) tell generic/shop main >/dev/null
    await 60 "the last one is not lost" serves v2
    after=$(rounds)
    expect_equal "heard" "$(n_heard)" 41
    say "   41 deliveries, $((after - before)) rounds of fetching"
    stop_daemon
}

nobody_listens()
{
    given_hooks github
    sed -i '/^listen_hooks/d' "$WORLD/reeve.yaml"
    run 0 "source 'shop' has a webhook, and nothing listens" doctor
}

# Where hooks have no door of their own they come through that of the API.
through_the_door_of_the_api()
{
    given_hooks github
    sed -i 's/^listen_hooks/listen/' "$WORLD/reeve.yaml"
    start_hearing
    expect_status "at the API" "$(tell github/shop main)" 202
    stop_daemon
}

command -v openssl >/dev/null || skip "openssl is not there"

run_cases of_github of_gitea of_gitlab of_bitbucket of_generic what_was_heard_before not_by_the_forge bodies_that_are_none \
    what_it_names_alone a_flood nobody_listens through_the_door_of_the_api
