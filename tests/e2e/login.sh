#!/bin/bash
# login: people sign in by password, and what is refused. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

PASSWORD='correct horse battery staple'

# Ann and bob have passwords, cy a provider; dan is in no list of roles.
given_people()
{
    local auth

    given_world
    API=http://localhost:$((FIRST + 35))
    auth="auth: {roles: {approver: [user:ann], operator: [user:bob]}, people: {ann: {emails: [ann@acme.test]}, "
    auth+="bob: {emails: [bob@acme.test]}, cy: {oidc: '00c'}, dan: {}}}"
    write_daemon extra="listen: localhost:$((FIRST + 35))"
    sed -i "s|^auth: .*|$auth|" "$WORLD/reeve.yaml"
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    for name in ann bob dan; do
        reeve --quiet people password $name <<<"$PASSWORD $name" || fail "no password"
    done
}

# ask NAME METHOD PATH [BODY] [MORE..]: with the cookies of NAME; the answer's body and status on one line.
ask()
{
    local name=$1 method=$2 path=$3 body=${4:-}

    shift 3
    [ $# -eq 0 ] || shift
    curl -sS --noproxy '*' --max-time 30 -b "$WORLD/$name.jar" -c "$WORLD/$name.jar" -X "$method" ${body:+--data-binary "$body"} \
        -w '\n%{http_code}' "$@" "$API/api/v1$path" 2>&1 | tr '\n' ' '
}

sign_in()
{
    ask "$1" POST /sign-in "{\"name\":\"$1\",\"password\":\"${2-$PASSWORD $1}\"}"
}

csrf()
{
    ask "$1" GET /me | grep -o '"csrf":"[^"]*"' | cut -d '"' -f 4
}

who_signs_in()
{
    local said token

    given_people
    said=$(sign_in ann)
    expect_has "who" "$said" '"actor":"person:ann"'
    expect_has "a cookie that no script reads" "$(cat "$WORLD/ann.jar")" '#HttpOnly_localhost'
    expect_has "what she may" "$said" '"roles":["viewer","approver"]'
    expect_has "the state" "$(ask ann GET /status)" '"environments"'
    expect_has "nobody without it" "$(ask nobody GET /status)" '401'
    sign_in bob >"$WORLD/said"
    token=$(csrf bob)
    expect_has "a page of others" "$(ask bob POST /environments/prod/hold '{"reason":"mine"}')" 'X-CSRF-Token'
    expect_has "with the token of another" "$(ask bob POST /environments/prod/hold '{"reason":"mine"}' -H "X-CSRF-Token: $(csrf ann)")" '403'
    expect_has "from a page of others" "$(ask bob POST /environments/prod/hold '{"reason":"mine"}' -H "X-CSRF-Token: $token" -H 'Origin: http://evil.test')" '403'
    expect_has "bob" "$(ask bob POST /environments/prod/hold '{"reason":"launch day"}' -H "X-CSRF-Token: $token")" ' 200'
    expect_has "he stands in the history" "$(history)" '"actor":"person:bob"'
    expect_has "ann is no operator" "$(ask ann POST /environments/prod/resume '{}' -H "X-CSRF-Token: $(csrf ann)")" '"detail":"person:ann may not'
    expect_has "nor admin" "$(ask ann GET /people)" '403'
    sign_in dan >"$WORLD/said"
    expect_has "who has no role" "$(ask dan GET /status)" '"detail":"person:dan may not'
    expect_has "is told that" "$(ask dan GET /me)" '"roles":[]'
    expect_has "and goes" "$(ask dan POST /sign-out '' -H "X-CSRF-Token: $(csrf dan)")" 'signed out'
    expect_has "the list" "$(reeve people list -o json)" '"name":"ann"'
    expect_has "one of hers" "$(reeve people sessions ann)" password
    expect_has "bob is out" "$(ask bob POST /sign-out '' -H "X-CSRF-Token: $token")" 'signed out'
    expect_has "and unknown" "$(ask bob GET /me)" '401'
    cp "$WORLD/ann.jar" "$WORLD/old.jar"
    reeve --quiet people sign-out ann
    expect_has "her session is over" "$(ask old GET /me)" '401'
    sign_in ann >"$WORLD/said"
    reeve --quiet people password ann <<<'another one that is long'
    expect_has "a new password ends it" "$(ask ann GET /me)" '401'
    expect_has "the old one is none" "$(sign_in ann)" 'no such name and password'
    expect_has "the new one" "$(sign_in ann 'another one that is long')" '"csrf"'
}

# A version whose release waits for a person, by that author.
version_by()
{
    spec version="$1" service="    release: {command: [/bin/echo, $1], run: manual}"
    GIT_AUTHOR_EMAIL=$2@acme.test GIT_COMMITTER_EMAIL=$2@acme.test deploy "version $1"
    await 20 "a plan of version $1 waits" waits_at_head
    PLAN=$(plan_id)
}

waits_at_head()
{
    sync_is waiting && is_considered && [[ $(reeve plan prod -o json) == *"\"commit\":\"$(head_commit)\""* ]]
}

# Who signed in is the one who made a commit, and approves what others made.
one_person_is_one()
{
    local said

    given_people
    sign_in ann >"$WORLD/said"
    version_by v2 ann
    said=$(ask ann POST "/plans/$PLAN/approve" '{}' -H "X-CSRF-Token: $(csrf ann)")
    expect_has "her own" "$said" 'which is in it, as ann@acme.test'
    reeve approve "$PLAN" --reason seen >"$WORLD/said" 2>&1 || fail "it is not approved"
    version_by v3 bob
    said=$(ask ann POST "/plans/$PLAN/approve" '{"reason":"seen"}' -H "X-CSRF-Token: $(csrf ann)")
    expect_has "that of bob" "$said" '"state":"approved"'
    await_converged
    expect_has "by whom" "$(history)" '"person":"ann"'
}

# Each answer has an id of its own.
without_request()
{
    sed 's/"request":"[^"]*"//' <<<"$1"
}

who_guesses_waits()
{
    local i known unknown

    given_people
    for i in 1 2 3 4; do
        known=$(sign_in ann wrong)
        unknown=$(sign_in nobody wrong)
        expect_equal "the same is said of both" "$(without_request "$known")" "$(without_request "$unknown")"
    done
    expect_has "which is not much" "$known" 'no such name and password'
    expect_has "as it is of somebody with a provider" "$(sign_in cy wrong)" 'no such name and password'
    known=$(sign_in ann wrong) unknown=$(sign_in nobody wrong)
    expect_equal "the same is said of both" "$(without_request "${known//[0-9]/}")" "$(without_request "${unknown//[0-9]/}")"
    expect_has "from now on nobody is heard" "$known" '429'
    expect_has "nor with the password" "$(sign_in ann)" 'too many failures'
    expect_has "others are" "$(sign_in bob)" '"actor":"person:bob"'
    expect_has "it is known" "$(reeve people list -o json)" '"locked_until_ms"'
    expect_equal "refusals of ann" "$(reeve history -n 1000 -o json | grep -o '"kind":"person.refused"' | wc -l)" 5
    expect_equal "and her lock-out" "$(reeve history -n 1000 -o json | grep -o '"kind":"person.locked_out"' | wc -l)" 1
    stop_daemon
    start_daemon
    expect_has "a restart forgets nothing" "$(sign_in ann)" '429'
}

# sign_in_as JAR NAME PASSWORD
sign_in_as()
{
    ask "$1" POST /sign-in "{\"name\":\"$2\",\"password\":\"$3\"}"
}

# All of them come from one address, as behind a proxy.
who_guesses_locks_nobody_out()
{
    local i

    given_people
    expect_has "ann" "$(sign_in ann)" '"csrf"'
    expect_has "her browser is known" "$(cat "$WORLD/ann.jar")" 'reeve-known'
    ask ann POST /sign-out '' -H "X-CSRF-Token: $(csrf ann)" >"$WORLD/said"
    for i in 1 2 3 4 5; do
        sign_in_as thief ann "guess $i" >"$WORLD/said"
    done
    expect_has "a thief is not heard" "$(sign_in_as thief ann "$PASSWORD ann")" ' 429'
    expect_has "nor a browser that is new" "$(sign_in_as new ann "$PASSWORD ann")" ' 429'
    expect_has "hers is" "$(sign_in ann)" '"csrf"'
    expect_has "the thief is not yet" "$(sign_in_as thief ann "$PASSWORD ann")" ' 429'
    for i in 1 2 3 4 5; do
        sign_in_as ann ann "guess $i" >"$WORLD/said"
    done
    expect_has "nor is who guesses in hers" "$(sign_in ann)" ' 429'
    reeve --quiet people password ann <<<'another one that is long'
    expect_has "with another password all are heard" "$(sign_in_as new ann 'another one that is long')" '"csrf"'
    expect_has "in hers, too" "$(sign_in_as ann ann 'another one that is long')" '"csrf"'
}

many_guess_at_once()
{
    local i guessers=()

    given_people
    for i in {1..24}; do
        sign_in_as "guess$i" bob "guess $i" >"$WORLD/guess$i" &
        guessers+=($!)
    done
    wait "${guessers[@]}"
    cat "$WORLD"/guess{1..24} | tr ' ' '\n' | grep -x '[0-9][0-9][0-9]' | sort | uniq -c >"$WORLD/said"
    expect_equal "what is said" "$(awk '$2 != 401 && $2 != 429 && $2 != 503' "$WORLD/said")" ''
    expect "four guesses at most are told to be wrong: $(tr '\n' ' ' <"$WORLD/said")" \
        awk '$2 == 401 && $1 > 4 { bad = 1 } END { exit bad }' "$WORLD/said"
    expect_has "the right one is not heard" "$(sign_in_as late bob "$PASSWORD bob")" ' 429'
    expect_has "others are" "$(sign_in ann)" '"csrf"'
}

# Whoever can make a browser send something.
nobody_is_signed_in_by_others()
{
    local planted said

    given_people
    planted=$(head -c 32 /dev/urandom | base64 | tr -- '+/' '-_' | tr -d =)
    said=$(ask plain POST /sign-in "{\"name\":\"ann\",\"password\":\"$PASSWORD ann\"}" -i -H "Cookie: reeve=$planted")
    expect_has "a session of her own" "$said" 'Set-Cookie: reeve='
    expect_equal "not the one that was planted" "$(grep -cF -- "$planted" <<<"$said")" 0
    expect_has "which is nobody's" "$(ask nobody GET /me '' -H "Cookie: reeve=$planted")" ' 401'
    expect_has "cookies of two" "$(ask nobody GET /me '' -H "Cookie: reeve=$planted; $(session_of plain)")" ' 401'
    expect_has "one alone" "$(ask nobody GET /me '' -H "Cookie: $(session_of plain)")" '"actor":"person:ann"'
    expect_has "a page of others signs in nobody" "$(ask evil POST /sign-in "{\"name\":\"bob\",\"password\":\"$PASSWORD bob\"}" -H 'Origin: http://evil.test')" ' 403'
    expect_has "nor one without a name" "$(ask evil POST /sign-in "{\"name\":\"bob\",\"password\":\"$PASSWORD bob\"}" -H 'Origin: null')" ' 403'
    expect_has "nor does it sign out" "$(ask plain POST /sign-out '')" ' 403'
    sign_in dan >"$WORLD/said"
    expect_has "dan" "$(ask dan GET /me)" '"actor":"person:dan"'
    stop_daemon
    sed -i 's|, dan: {}||' "$WORLD/reeve.yaml"
    start_daemon
    expect_has "who stands in no configuration any more" "$(ask dan GET /me)" ' 401'
    expect_has "who does" "$(ask plain GET /me)" '"actor":"person:ann"'
}

# What TLS ends at us with: a cookie that nothing in clear is sent, and that no neighbour can set.
cookies_under_tls()
{
    local said

    given_people
    sign_in ann >"$WORLD/said"
    stop_daemon
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=localhost' -addext subjectAltName=DNS:localhost \
        -keyout "$WORLD/tls.key" -out "$WORLD/tls.pem" 2>/dev/null || fail "no certificate"
    printf 'tls: {certificate: tls.pem, key: tls.key}\nhttp: {hosts: [localhost]}\n' >>"$WORLD/reeve.yaml"
    start_daemon
    API=https://localhost:$((FIRST + 35))
    expect_has "one that was sent in clear is nobody's" "$(ask nobody GET /me '' --cacert "$WORLD/tls.pem" -H "Cookie: $(session_of ann)")" ' 401'
    said=$(ask sealed POST /sign-in "{\"name\":\"ann\",\"password\":\"$PASSWORD ann\"}" -i --cacert "$WORLD/tls.pem")
    expect_has "hers" "$said" '; HttpOnly; SameSite=Strict; Secure'
    expect_has "by a name that says so" "$said" 'Set-Cookie: __Host-reeve='
    expect_has "it is known" "$(ask sealed GET /me '' --cacert "$WORLD/tls.pem")" '"actor":"person:ann"'
    expect_has "by the other name it is nobody's" \
        "$(ask nobody GET /me '' --cacert "$WORLD/tls.pem" -H "Cookie: reeve=$(awk '$6 == "__Host-reeve" { print $7 }' "$WORLD/sealed.jar")")" ' 401'
}

session_of()
{
    awk '$6 == "reeve" { print $6 "=" $7 }' "$WORLD/$1.jar"
}

# Of what is secret nothing is told, and nothing kept that could be shown.
nothing_is_told()
{
    local secret

    given_people
    sign_in ann >"$WORLD/said"
    sign_in bob 'a password that is not his' >"$WORLD/said"
    secret=$(awk '$6 == "reeve" { print $7 }' "$WORLD/ann.jar")
    [ ${#secret} -eq 43 ] || fail "no cookie"
    run 4 'a password has at least 12 bytes' people password ann <<<short
    run 6 "auth.people has no 'eve'" people password eve <<<"$PASSWORD"
    run 7 'cy signs in by auth.oidc' people password cy <<<"$PASSWORD"
    reeve token create ops --role admin >"$WORLD/token" 2>/dev/null || fail "no token"
    run 5 'only a person sets a password' --server "$API" --token "@$WORLD/token" people password ann <<<"$PASSWORD"
    reeve audit verify --replay >"$WORLD/verified" || fail "the history does not hold"
    stop_daemon
    expect_none_has "$PASSWORD" "$WORLD/var" "$WORLD/daemon.log"
    expect_none_has 'a password that is not his' "$WORLD/var" "$WORLD/daemon.log"
    expect_none_has "$secret" "$WORLD/var" "$WORLD/daemon.log"
    reeve history -n 1000 -o json >"$WORLD/events"
    expect_none_has argon2id "$WORLD/events" "$WORLD/daemon.log"
}

expect_none_has()
{
    local text=$1

    shift
    ! grep -rqaF -- "$text" "$@" || fail "'$text' stands in $(grep -rlaF -- "$text" "$@")"
}

run_cases who_signs_in one_person_is_one who_guesses_waits who_guesses_locks_nobody_out many_guess_at_once nobody_is_signed_in_by_others \
    cookies_under_tls nothing_is_told
