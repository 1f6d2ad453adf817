#!/bin/bash
# site: files of an artifact are served, switched and undone as any service is. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# site VERSION: a folder of files that is built by a copy.
site()
{
    local root=$WORLD/repo/site/dist

    mkdir -p "$root/assets" "$root/docs" "$root/.well-known" "$WORLD/repo/.reeve"
    echo "$1" >"$root/index.html"
    echo "docs $1" >"$root/docs/index.html"
    rm -f "$root/assets"/*
    echo "body{}" >"$root/assets/a.$1.css"
    echo "of $1" >"$root/assets/same.txt"
    printf 0123456789 >"$root/ten.txt"
    printf packed >"$root/big.js"
    printf zipped >"$root/big.js.gz"
    echo hidden >"$root/.secret"
    echo 'Contact: mailto:security@example.test' >"$root/.well-known/security.txt"
    echo hidden >"$root/.well-known/.secret"
    ln -sfn ten.txt "$root/inner"
    write_shop <<END
services:
  web:
    source: {context: site, build: [ln, -s, /etc/passwd, dist/link]}
    static: {directory: dist, fallback: /index.html, immutable: [/assets/a.*]}
    assets: {path: dist/assets, retain: 2}
    healthcheck: {readiness: {http: {path: /}, interval: 100ms, success_threshold: 2}}
    rollout: {min_healthy_time: 200ms, bake_time: 300ms, keep_previous: 60s}
    termination: {drain: 5s, stop_grace_period: 500ms}
domains:
  app: {hosts: [$HOST], routes: {/: {service: web}}}
END
}

# asked PATH [HEADER..]: the whole answer into $ANSWER.
asked()
{
    local path=$1 more=()

    shift
    for header; do more+=(-H "$header"); done
    ANSWER=$(curl -sS -i --path-as-is -H "Host: $HOST" "${more[@]}" "http://127.0.0.1:$HTTP$path" | tr -d '\r')
}

# expect_answer SENTENCE PATH STATUS TEXT [HEADER..]
expect_answer()
{
    local what=$1 status=$3 text=$4

    asked "$2" "${@:5}"
    expect_has "$what" "$ANSWER" "HTTP/1.1 $status"
    expect_has "$what" "$ANSWER" "$text"
}

files_are_served()
{
    local tag

    given_world
    site v1
    commit 'the first version'
    start_daemon
    await_converged
    expect_answer "the index" / 200 v1
    expect_answer "its type" / 200 'content-type: text/html; charset=utf-8'
    expect_answer "it is asked for again" / 200 'cache-control: no-cache'
    expect_answer "a directory" /docs/ 200 'docs v1'
    expect_answer "one without its slash" /docs 308 'location: docs/'
    expect_answer "and with what is asked of it" '/docs?a=1&b=%2F' 308 'location: docs/?a=1&b=%2F'
    expect_answer "what others look for by name" /.well-known/security.txt 200 'Contact: '
    expect_answer "one of those that is not there" /.well-known/other 404 ''
    asked /.well-known/.secret
    expect_has "a dot below it" "$ANSWER" 'HTTP/1.1 404'
    expect_answer "what no file is" /app/route 200 v1
    expect_answer "an asset" /assets/a.v1.css 200 'cache-control: public, max-age=31536000, immutable'
    expect_answer "an asset that is not there" /assets/a.v0.css 404 ''
    expect_answer "a part" /ten.txt 206 'content-range: bytes 2-4/10' 'Range: bytes=2-4'
    expect_has "its bytes" "$ANSWER" 234
    expect_answer "the end" /ten.txt 206 789 'Range: bytes=-3'
    expect_answer "nothing of it" /ten.txt 416 'bytes */10' 'Range: bytes=10-'
    expect_answer "packed" /big.js 200 'content-encoding: gzip' 'Accept-Encoding: gzip'
    expect_answer "not packed" /big.js 200 packed
    tag=$(grep -i '^etag:' <<<"$ANSWER" | cut -d ' ' -f 2)
    expect_answer "what is known already" /big.js 304 '' "If-None-Match: $tag"
    expect_answer "a link within" /inner 200 0123456789
    asked /link
    expect_has_not "a link out of it" "$ANSWER" root:
    asked /.secret
    expect_has_not "what begins with a dot" "$ANSWER" hidden
    asked /%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd
    expect_has_not "a way out" "$ANSWER" root:
    expect_equal "HEAD" "$(curl -sS -I -H "Host: $HOST" "http://127.0.0.1:$HTTP/ten.txt" | tr -d '\r' | grep -i '^content-length')" 'content-length: 10'
    expect_equal "POST" "$(curl -sS -o /dev/null -w '%{http_code}' -X POST -H "Host: $HOST" "http://127.0.0.1:$HTTP/")" 405
}

a_site_is_switched_and_undone()
{
    start_load --path / --new 4 --kept 4 --pause-ms 2
    site v2
    deploy 'the second version'
    await_converged
    serves v2 || fail "v2 is not served, but '$BODY'"
    reeve undo prod --reason 'the test goes back' >/dev/null || fail "undo is refused"
    serves v1 || fail "v1 is not served, but '$BODY'"
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
}

# has VERSION STATUS: what a page of that version asks for.
has()
{
    asked "/assets/a.$1.css"
    expect_has "the file of $1" "$ANSWER" "HTTP/1.1 $2"
}

# Who loaded a page before goes on with it, after two more versions, and not after three.
a_page_of_before_finds_its_files()
{
    local version

    reeve retry prod --reason 'the second version again' >/dev/null || fail "retry is refused"
    await 20 "v2 is served" serves v2
    await_converged
    has v1 200
    start_load --path /assets/a.v2.css --new 4 --kept 4 --pause-ms 2
    for version in v3 v4; do
        site $version
        deploy "version $version"
        await 30 "$version is served" serves $version
        await_converged
        has v2 200
        has $version 200
        expect_answer "its own is not replaced" /assets/same.txt 200 "of $version"
    done
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_has_not "answers" "$(cat "$WORLD/load.json")" '"404"'
    has v3 200
    has v1 404
    expect_equal "places where the first has it" \
        "$(find "$WORLD"/var/services/artifacts/*/tree -name a.v1.css | wc -l)" 1
}

# The set before is asked for what the pages since need.
an_undo_serves_files_of_what_was_undone()
{
    reeve undo prod --reason 'the test goes back' >/dev/null || fail "undo is refused"
    await 20 "v3 is served" serves v3
    has v4 200
    has v3 200
    has v2 200
    expect_answer "its own is not replaced" /assets/same.txt 200 "of v3"
}

all_have()
{
    local version=$1 i

    for i in $(seq 40); do
        has "$version" 200
    done
}

# Whoever is asked: half of the requests go to each set.
a_canary_and_the_set_before_have_each_others()
{
    site v5
    sed -i 's/rollout: {/&strategy: canary, canary: {steps: [{weight: 50%, manual: true}]}, /' "$WORLD/repo/.reeve/app.yaml"
    deploy 'a canary'
    await 30 "some get v5" serves v5
    all_have v5
    all_have v3
    await 20 "some still get v3" serves v3
    reeve advance prod >/dev/null || fail "it does not go on"
    await_converged
    has v5 200
    has v3 200
}

run_cases files_are_served a_site_is_switched_and_undone a_page_of_before_finds_its_files an_undo_serves_files_of_what_was_undone \
    a_canary_and_the_set_before_have_each_others
