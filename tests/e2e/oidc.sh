#!/bin/bash
# oidc: people sign in at an identity provider: a real one of npm, and one that lies. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/npm.sh"

SECRET='it is/the+secret of: the client'
HERE=$(cd "$(dirname "$0")" && pwd)

command -v node >/dev/null || skip "node is not here: it runs the identity providers"

# --- the world --------------------------------------------------------------------------------------

# Ann stands in auth.people, by what the provider calls her; others have what their groups have.
given_people()
{
    local auth

    given_world
    API=http://localhost:$((FIRST + 35)) PORT=$((FIRST + 36)) KEPT=$WORLD/provider
    mkdir "$KEPT" "$WORLD/secrets"
    auth="auth: {roles: {admin: [group:admins], approver: [group:ops], operator: [user:ann]}, people: {ann: {oidc: 'ann@acme'}, bob: {}},"
    auth+=" oidc: {issuer: http://127.0.0.1:$PORT, client_id: reeve, client_secret: {secret: oidc}}}"
    write_daemon extra="listen: localhost:$((FIRST + 35))
http: {hosts: [localhost, reeve.test]}
secrets: {default: files, stores: {files: {type: file, directory: secrets}}}"
    sed -i "s|^auth: .*|$auth|" "$WORLD/reeve.yaml"
    printf '%s\n' "$SECRET" >"$WORLD/secrets/oidc"
    chmod 600 "$WORLD/secrets/oidc"
    printf '%s\n' "$SECRET" >"$KEPT/oidc"
    printf '{"ann@acme":["ops"]}' >"$KEPT/groups.json"
    printf '{}' >"$KEPT/document"
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
}

# start_provider real|evil
start_provider()
{
    beside provider node "$HERE/provider.mjs" "$1" "$PORT" "$API/api/v1/oidc/callback" "$KEPT" "${MODULES:-}" >>"$KEPT/log" 2>&1
    await 20 "the provider answers" curl -sf --noproxy '*' -o /dev/null "http://127.0.0.1:$PORT/.well-known/openid-configuration"
}

# ask JAR METHOD URL [MORE..]: the answer's head and body, with the cookies of that browser.
ask()
{
    local jar=$1 method=$2 url=$3

    shift 3
    curl -sS -i --noproxy '*' --max-time 60 -b "$WORLD/$jar.jar" -c "$WORLD/$jar.jar" -X "$method" "$@" "$url" 2>&1 9>&- | tr -d '\r'
}

location()
{
    grep -i '^location: ' <<<"$1" | head -n 1 | cut -d ' ' -f 2
}

status_of()
{
    head -n 1 <<<"$1" | cut -d ' ' -f 2
}

# expect_answer WHAT ANSWER STATUS PART
expect_answer()
{
    expect_equal "$1" "$(status_of "$2")" "$3"
    expect_has "$1" "$2" "$4"
    expect_lacks "$1" "$2" "$SECRET"
}

expect_lacks()
{
    case $2 in
    *"$3"*) fail "$1: '$3' stands in '$2'" ;;
    esac
}

expect_none_has()
{
    local text=$1

    shift
    ! grep -rqaF -- "$text" "$@" || fail "'$text' stands in $(grep -rlaF -- "$text" "$@")"
}

csrf()
{
    ask "$1" GET "$API/api/v1/me" | grep -o '"csrf":"[^"]*"' | cut -d '"' -f 4
}

# --- a real one -------------------------------------------------------------------------------------

# go JAR URL [MORE..]: as a browser goes, until the provider sends it back to us: that URL into $BACK; or until a page,
# whose address is in $PAGE.
go()
{
    local jar=$1 said next

    PAGE=$2 BACK=
    shift 2
    said=$(ask "$jar" GET "$PAGE" "$@")
    while next=$(location "$said") && [ -n "$next" ]; do
        case $next in
        /*) next=$(cut -d / -f 1-3 <<<"$PAGE")$next ;;
        "$API"/api/v1/oidc/callback*) BACK=$next && return ;;
        esac
        PAGE=$next
        said=$(ask "$jar" GET "$PAGE")
    done
}

# come_back JAR NAME [RETURN]: NAME signs in there, and is sent back: $BACK.
come_back()
{
    go "$1" "$API/api/v1/oidc/start${3:+?return=$3}"
    case $PAGE in
    */interaction/*) go "$1" "$PAGE" -X POST --data-urlencode prompt=login --data-urlencode "login=$2" -d password=x ;;
    esac
    [ -n "$BACK" ] || go "$1" "$PAGE" -X POST -d prompt=consent
    [ -n "$BACK" ] || fail "the provider does not send $2 back: $PAGE"
}

# sign_in JAR NAME [RETURN]
sign_in()
{
    come_back "$@"
    ask "$1" GET "$BACK"
}

events_of()
{
    reeve history -n 1000 -o json | grep -o "\"kind\":\"$1\"" | wc -l
}

given_real()
{
    given_people
    start_provider real
}

who_signs_in()
{
    local said

    given_real
    said=$(sign_in ann ann@acme '/environments/prod?a=1%26b=2')
    expect_answer "signed in" "$said" 200 'content="0; url=/environments/prod?a=1&amp;b=2"'
    expect_has "a session as after a password" "$said" 'Set-Cookie: reeve='
    expect_has "it is not for scripts nor for other sites" "$said" 'HttpOnly; SameSite=Strict'
    expect_has "the way there is over" "$said" 'Set-Cookie: reeve-oidc=; Path=/; Max-Age=0'
    said=$(ask ann GET "$API/api/v1/me")
    expect_has "who" "$said" '"actor":"person:ann"'
    expect_has "what the groups give, and what her name gives" "$said" '"roles":["viewer","operator","approver"]'
    expect_has "a page of others" "$(ask ann POST "$API/api/v1/environments/prod/hold" -d '{"reason":"mine"}')" X-CSRF-Token
    expect_has "with the token" "$(ask ann POST "$API/api/v1/environments/prod/hold" -d '{"reason":"launch day"}' -H "X-CSRF-Token: $(csrf ann)")" ' 200'
    expect_has "she stands in the history" "$(reeve history -n 1000 -o json)" '"actor":"person:ann"'
    said=$(sign_in eve 'auth0|eve@elsewhere')
    expect_answer "a stranger" "$said" 200 'url=/"'
    expect_has "has no role" "$(ask eve GET "$API/api/v1/status")" 'may not'
    expect_has "and is called by the subject" "$(ask eve GET "$API/api/v1/me")" '"actor":"person:oidc:auth0|eve@elsewhere",'
    expect_has "where they are signed in" "$(reeve people sessions 'oidc:auth0|eve@elsewhere')" oidc
    reeve --quiet people sign-out 'oidc:auth0|eve@elsewhere' || fail "an admin ends no session of theirs"
    expect_has "they are out" "$(ask eve GET "$API/api/v1/me")" ' 401'
    expect_equal "who came for the first time" "$(events_of person.joined)" 2
    said=$(sign_in ann ann@acme)
    expect_equal "again is not the first time" "$(events_of person.joined)" 2
    expect_equal "and no change" "$(events_of person.changed)" 0
    printf '{"ann@acme":["admins","dev"]}' >"$KEPT/groups.json"
    said=$(sign_in ann ann@acme)
    expect_has "other groups, other roles" "$(ask ann GET "$API/api/v1/me")" '"roles":["viewer","operator","approver","admin"]'
    expect_equal "which is an event" "$(events_of person.changed)" 1
    expect_equal "sign-ins" "$(events_of person.signed_in)" 4
    expect_has "how she signs in" "$(reeve people sessions ann)" oidc
    reeve audit verify --replay >"$WORLD/verified" || fail "the history does not hold"
}

# As most providers are: the ID token says who, and what else there is says userinfo.
groups_from_userinfo()
{
    given_people
    : >"$KEPT/conform"
    start_provider real
    expect_answer "signed in" "$(sign_in ann ann@acme)" 200 'Signed in'
    expect_has "the groups" "$(ask ann GET "$API/api/v1/me")" '"roles":["viewer","operator","approver"]'
    expect_answer "a stranger without any" "$(sign_in eve 'auth0|eve@elsewhere')" 200 'Signed in'
    expect_has_not "has none" "$(ask eve GET "$API/api/v1/me")" 'group:'
}

one_code_one_browser_one_time()
{
    local said first

    given_real
    come_back ann ann@acme
    first=$BACK
    cp "$WORLD/ann.jar" "$WORLD/before.jar"
    expect_answer "in another browser" "$(ask other GET "$first")" 403 'did not begin to sign in'
    expect_answer "another state" "$(ask ann GET "${first/state=/state=x}")" 403 'another sign-in'
    expect_answer "another issuer" "$(ask ann GET "${first/iss=http/iss=https}")" 403 'another issuer'
    expect_answer "no issuer, where it says one" "$(ask ann GET "${first/iss=/nobody=}")" 403 'of which issuer'
    expect_answer "it was used by nobody" "$(ask ann GET "$first")" 200 'Signed in'
    expect_answer "the code again" "$(ask before GET "$first")" 403 'does not take the code'
    expect_answer "without the way" "$(ask ann GET "$first")" 403 'did not begin to sign in'
    come_back bob bob@acme
    cp "$WORLD/bob.jar" "$WORLD/mixed.jar"
    said=$BACK
    go bob "$API/api/v1/oidc/start"
    expect_answer "the answer to one question for another" "$(ask bob GET "$said")" 403 'another sign-in'
    expect_equal "sessions" "$(events_of person.signed_in)" 1
}

# --- one that lies ----------------------------------------------------------------------------------

given_evil()
{
    given_people
    start_provider evil
}

# told JAR HOW: as the browser comes back with a code that says how to lie.
told()
{
    local said url nonce challenge state

    said=$(ask "$1" GET "$API/api/v1/oidc/start")
    url=$(location "$said")
    nonce=$(grep -o 'nonce=[^&]*' <<<"$url" | cut -d = -f 2)
    challenge=$(grep -o 'code_challenge=[^&]*' <<<"$url" | cut -d = -f 2)
    state=$(grep -o 'state=[^&]*' <<<"$url" | cut -d = -f 2)
    ask "$1" GET "$API/api/v1/oidc/callback?code=$2.$nonce.$challenge&state=$state&more=1"
}

lies_are_refused()
{
    local how status said secret

    given_evil
    expect_answer "the truth" "$(told ann good)" 200 'Signed in'
    said=$(ask ann GET "$API/api/v1/me")
    expect_has "who" "$said" '"actor":"person:oidc:4711"'
    expect_has "what can be a group's name" "$said" '"principals":["user:oidc:4711","group:ops"]'
    rm "$WORLD/ann.jar"
    while read -r how status said; do
        expect_answer "$how" "$(told liar "$how")" "$status" "$said"
        expect_has "$how: nobody is signed in" "$(ask liar GET "$API/api/v1/me")" ' 401'
    done <<'END'
nonce 403 another question
expired 403 has expired
audience 403 for somebody else
party 403 for somebody else
issuer 403 another issuer
subject 403 whose it is
key 403 not the provider's
none 403 three parts
hmac 403 RS256 or ES256
spent 403 does not take the code
empty 403 three parts
broken 502 with status 500
page 502 no JSON
away 502 with status 307
endless 502 more than 65536 bytes
END
    expect_lacks "it goes where it is told alone" "$(<"$KEPT/asked")" elsewhere
    await 30 "a key that is new is asked for, once in five seconds" is_let_in rotated
    secret=$(awk '$6 == "reeve" { print $7 }' "$WORLD/eve.jar")
    stop_daemon
    expect_none_has "$SECRET" "$WORLD/var" "$WORLD/daemon.log"
    expect_none_has "${secret:-no cookie}" "$WORLD/var" "$WORLD/daemon.log"
}

is_let_in()
{
    [ "$(status_of "$(told eve "$1")")" = 200 ]
}

who_it_speaks_of_is_checked()
{
    local how status said

    given_people
    printf '{"userinfo_endpoint":"http://127.0.0.1:%s/userinfo"}' "$PORT" >"$KEPT/document"
    start_provider evil
    expect_answer "what the token says is enough" "$(told ann good)" 200 'Signed in'
    expect_lacks "nobody is asked then" "$(<"$KEPT/asked")" userinfo
    expect_answer "what it does not say is asked for" "$(told ann ask)" 200 'Signed in'
    expect_has "and heard" "$(ask ann GET "$API/api/v1/me")" '"principals":["user:oidc:4711","group:admins"]'
    while read -r how status said; do
        expect_answer "$how" "$(told liar "$how")" "$status" "$said"
        expect_has "$how: nobody is signed in" "$(ask liar GET "$API/api/v1/me")" ' 401'
    done <<'END'
ask-other 403 somebody else
ask-nobody 403 somebody else
ask-page 502 no JSON
ask-broken 502 with status 401
END
}

# Where a browser goes, and whom it is sent to.
nobody_is_led_away()
{
    local path said

    given_evil
    for path in //evil.test https://evil.test /%5Cevil.test '/%09/evil.test' evil.test '/%22%3E' '%2F%2Fevil.test'; do
        expect_answer "return=$path" "$(ask ann GET "$API/api/v1/oidc/start?return=$path")" 400 'no path of this server'
    done
    expect_answer "what else it is asked" "$(ask ann GET "$API/api/v1/oidc/callback")" 403 'did not begin'
    expect_answer "a browser is told in words" "$(ask ann GET "$API/api/v1/oidc/callback" -H 'Accept: text/html')" 403 '<h1>Not signed in</h1>'
    said=$(ask ann GET "$API/api/v1/oidc/start?return=//%3Cscript%3E" -H 'Accept: text/html')
    expect_answer "in which nothing of others stands" "$said" 400 'is no path of this server.</div>'
    expect_lacks "in which nothing of others stands" "$said" 'script>'
    said=$(ask ann GET "$API/api/v1/oidc/start?return=/%26%2347;evil.test")
    expect_has "a question in one browser" "$said" 'Set-Cookie: reeve-oidc='
    expect_has "which scripts do not read" "$said" 'HttpOnly; SameSite=Lax'
    expect_has "of 256 bits a code may not be guessed" "$(location "$said")" 'code_challenge_method=S256'
    expect_has "by a name of ours" "$(location "$said")" "redirect_uri=http%3A%2F%2Flocalhost%3A$((FIRST + 35))%2Fapi%2Fv1%2Foidc%2Fcallback"
    said=$(ask ann GET "$API/api/v1/oidc/start" -H 'Host: reeve.test')
    expect_has "what ends TLS before us is come back to" "$(location "$said")" 'redirect_uri=https%3A%2F%2Freeve.test%2Fapi%2Fv1%2Foidc%2Fcallback'
    expect_has "with a cookie that is never sent in clear" "$said" 'Set-Cookie: __Host-reeve-oidc='
    expect_has "for sure" "$said" 'SameSite=Lax; Secure'
    said=$(ask ann GET "$API/api/v1/oidc/start" -H 'Host: evil.test')
    expect_answer "by another name" "$said" 403 'not a name of this daemon'
    expect_has "at the socket" "$(curl -s --unix-socket "$WORLD/var/reeve.sock" http://localhost/api/v1/oidc/start 9>&-)" '`listen` alone'
    said=$(location "$(ask ann GET "$API/api/v1/oidc/start")")
    expect_answer "it let nobody in" "$(ask ann GET "$API/api/v1/oidc/callback?error=access_denied&state=$(grep -o 'state=[^&]*' <<<"$said" | cut -d = -f 2)")" \
        403 'did not let them in'
}

# What it says of itself.
who_it_is_is_checked()
{
    local document said

    given_people
    printf '{"issuer":"http://127.0.0.1:1"}' >"$KEPT/document"
    start_provider evil
    while read -r document said; do
        printf '%s' "$document" >"$KEPT/document"
        expect_answer "$document" "$(ask ann GET "$API/api/v1/oidc/start")" 502 "$said"
    done <<'END'
{"issuer":"http://127.0.0.1:1"} another issuer
{"token_endpoint":"http://login.test/token"} token_endpoint is no URL
{"jwks_uri":"file:///etc/passwd"} jwks_uri is no URL
{"authorization_endpoint":"javascript:alert(1)"} authorization_endpoint is no URL
{"authorization_endpoint":"http://127.0.0.1:80@evil.test/"} authorization_endpoint is no URL
{"authorization_endpoint":7} authorization_endpoint is no URL
{"userinfo_endpoint":"http://evil.test/me"} userinfo_endpoint is no URL
END
    printf '{}' >"$KEPT/document"
    expect_answer "the truth" "$(told ann good)" 200 'Signed in'
    printf 'another\n' >"$WORLD/secrets/oidc"
    expect_answer "another secret" "$(told eve good)" 502 'client_id and client_secret'
    rm "$WORLD/secrets/oidc"
    expect_answer "none" "$(told eve good)" 502 'see the log'
}

# Who is in stays in, who has a password comes in, and nobody waits in a row.
it_is_away()
{
    local asked

    given_evil
    expect_answer "in" "$(told ann good)" 200 'Signed in'
    reeve --quiet people password bob <<<'correct horse battery staple'
    end_beside provider
    expect_answer "away" "$(told eve good)" 502 'does not answer'
    expect_answer "nobody asks twice" "$(told eve good)" 502 'a moment ago'
    expect_has "who is in stays in" "$(ask ann GET "$API/api/v1/me")" ' 200'
    expect_has "a password" "$(ask bob POST "$API/api/v1/sign-in" -d '{"name":"bob","password":"correct horse battery staple"}')" '"actor":"person:bob"'
    start_provider evil
    await 20 "it is heard again" is_let_in good
    told eve silent >"$WORLD/said" &
    asked=$!
    await 20 "it is asked, and says nothing" test -s "$KEPT/silent"
    stop_daemon
    wait "$asked"
    expect_answer "who stops does not wait for it" "$(<"$WORLD/said")" 503 BUSY
    sed -i "s|issuer: http://127.0.0.1:$PORT|issuer: http://localhost:$PORT|" "$WORLD/reeve.yaml"
    start_daemon
    expect_has "who came by another provider is nobody" "$(ask ann GET "$API/api/v1/me")" ' 401'
    expect_has "who has a password is not" "$(ask bob GET "$API/api/v1/me")" '"actor":"person:bob"'
    expect_has "which is a change of rights" "$(reeve history -n 1000 -o json)" '"kind":"auth.changed"'
}

cases='lies_are_refused who_it_speaks_of_is_checked nobody_is_led_away who_it_is_is_checked it_is_away'
npm_brings oidc-provider@8.4.5 && cases+=' who_signs_in groups_from_userinfo one_code_one_browser_one_time'
run_cases $cases
[ -z "$MISSING" ] || skip "the real one: $MISSING"
