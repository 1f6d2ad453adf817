#!/bin/bash
# buckets: the head of the history lies in a bucket, an object each; the store is Swift. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/heads.sh"

SUPPORT=$(dirname "${BASH_SOURCE[0]}")/../support
KEY=a-key-of-the-store
PLACE_SAID=s3:store/anchors/of/shop
export REEVE_SECRET_STORE_ID=test:tester REEVE_SECRET_STORE_KEY=$KEY

[ -x /usr/bin/swift-proxy-server ] || skip "swift-proxy is not installed"

start_server()
{
    beside "$1" "$WORLD/swift/run" "$1" >>"$WORLD/swift/$1.log" 2>&1
}

await_store()
{
    await 90 "the store answers" curl -sf -o /dev/null "http://127.0.0.1:$STORE/healthcheck"
}

# METHOD PATH: signed; the body of what is answered.
ask_store()
{
    local method=$1 path=$2

    shift 2
    curl -sf -m 20 -X "$method" --aws-sigv4 aws:amz:us-east-1:s3 -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
        "http://test%3Atester:$KEY@127.0.0.1:$STORE/$path" "$@"
}

# Its parts come up one after another.
a_bucket_is_there()
{
    ask_store PUT anchors >/dev/null || ask_store GET anchors >/dev/null
}

# Words: port to ask, more fields of the place, more of the rule.
write_place()
{
    write_daemon rule="${3:-}" \
        providers="  store: {driver: s3, endpoint: \"http://127.0.0.1:$1\", region: us-east-1, access_key: {secret: store_id}, secret_key: {secret: store_key}}" \
        extra="anchors: [{type: s3, provider: store, bucket: anchors, prefix: of/shop, every: 1s${2:+, $2}}]"
}

given_store()
{
    local name

    given_world
    STORE=$((FIRST + 31))
    bash "$SUPPORT/swift.sh" "$WORLD/swift" "$STORE" || fail "no store"
    for name in memcached account container object proxy; do
        start_server $name
    done
    await_store
    await 90 "there is a bucket" a_bucket_is_there
    spec version=v1
    commit 'the first version'
}

keys()
{
    ask_store GET 'anchors?list-type=2' | grep -o '<Key>[^<]*' | cut -c 6-
}

n_objects()
{
    keys | wc -l
}

brought()
{
    keys | head -n 1 | sed 's|.*/||' | cut -d - -f 2
}

# N WHY
something_happens_and_is_told()
{
    something_happens "$2"
    await_told "$1" "$2"
}

heads_are_objects()
{
    local key

    given_store
    write_place "$STORE"
    start_daemon
    await_converged
    await_anchored
    something_happens 'one more'
    await_anchored
    expect_has "who looks" "$(reeve status -o json)" '"type":"s3"'
    stop_daemon
    reeve audit export >"$WORLD/history.jsonl" || fail "the export is refused"
    for key in $(keys); do
        mkdir -p "$WORLD/synced/$(dirname "${key#of/shop/}")"
        ask_store GET "anchors/$key" >"$WORLD/synced/${key#of/shop/}" || fail "no object $key"
    done
    expect_has "reeve" "$(reeve audit verify "$WORLD/history.jsonl" --anchors "$WORLD/synced")" "$(n_objects) events are the ones that were anchored"
    ! grep -raq "$KEY" "$WORLD/var" "$WORLD/daemon.log" || fail "the key of the store is written down: $(grep -ralF "$KEY" "$WORLD/var" "$WORLD/daemon.log")"
    start_daemon
}

an_object_of_somebody_else_is_told()
{
    local folder

    folder=$(dirname "$(keys | head -n 1)")
    ask_store PUT "anchors/$folder/000000000000000000-of-mine" -d mine || fail "no object"
    something_happens_and_is_told 1 'somebody wrote there what is no anchor'
    ask_store DELETE "anchors/$folder/000000000000000000-of-mine" || fail "it stays"
    await_over 1
}

an_object_that_was_written_over_or_removed_is_told()
{
    local newest

    newest=$(keys | head -n 1)
    ask_store GET "anchors/$newest" >"$WORLD/line"
    ask_store PUT "anchors/$newest" -d other || fail "no object"
    something_happens_and_is_told 2 'somebody wrote over an object'
    ask_store DELETE "anchors/$newest" || fail "it stays"
    await 60 "status says so" says 'what was brought there last is not there any more'
    ask_store PUT "anchors/$newest" --data-binary "@$WORLD/line" || fail "no object"
    await_over 2
}

a_store_that_is_down_or_lets_nobody_in_is_told()
{
    end_beside proxy
    something_happens 'nobody keeps this'
    await_told 3 .
    stop_daemon
    start_daemon
    expect_has "it starts without it" "$(reeve status)" "prod"
    start_server proxy
    await_store
    await_over 3
    stop_daemon
    start_daemon REEVE_SECRET_STORE_KEY=another
    something_happens_and_is_told 4 'status 403: SignatureDoesNotMatch'
    stop_daemon
    start_daemon
    await_over 4
}

# Nothing on this machine tells.
a_daemon_that_was_put_back_is_stale()
{
    put_back
    start_daemon
    expect_has "the daemon" "$(reeve status 2>&1)" "was anchored, and it has not happened here"
    stop_daemon
    put_forward
}

# Swift takes what it does not know without a word.
a_store_that_does_not_lock_is_told()
{
    given_store
    write_place "$STORE" "object_lock: 30d" "    floor: {anchor: required}"
    start_daemon
    await 30 "status says so" says 'does not say that it locks what is written there'
    await 30 "the plan waits" waits_for_an_anchor
    stop_daemon
}

# It says so, before Swift; every version is listed then.
what_is_locked_and_deleted_is_told()
{
    given_store
    ask_store PUT 'anchors?versioning=' -d '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>' ||
        fail "no versions"
    beside front python3 "$SUPPORT/lock_front.py" "$WORLD/front" "127.0.0.1:$STORE"
    await 20 "the front listens" test -e "$WORLD/front"
    write_place "$(cat "$WORLD/front")" "object_lock: 30d" "    floor: {anchor: required}"
    start_daemon
    await_converged
    await_anchored
    something_happens 'one more'
    await_anchored
    expect_equal "nothing is told" "$(n_failed)" 0
    ask_store DELETE "anchors/$(keys | tail -n 1)" || fail "it stays"
    something_happens_and_is_told 1 'somebody deleted what was brought there'
}

run_cases heads_are_objects an_object_of_somebody_else_is_told an_object_that_was_written_over_or_removed_is_told \
    a_store_that_is_down_or_lets_nobody_in_is_told a_daemon_that_was_put_back_is_stale a_store_that_does_not_lock_is_told \
    what_is_locked_and_deleted_is_told
