#!/bin/bash
# secret_stores: programs, a vault, sealed files of the commit, and values that nobody chose. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/canary.sh"

SUPPORT=$(dirname "$0")/../support
TOKEN=vault-0123456789abcdef0123456789abcdef
SEALED=sealed-0123456789abcdef0123456789abcdef
PROGRAM=program-0123456789abcdef0123456789abcdef

vault()
{
    curl -sf -m 20 -o /dev/null -X "$1" -H 'X-Vault-Token: root' ${3:+-d "$3"} "http://127.0.0.1:$VAULT_PORT/$2" || fail "fake_vault: $*"
}

start_vault()
{
    beside vault python3 "$SUPPORT/fake_vault.py" "$WORLD/vault.port"
    await 20 "the vault listens" test -e "$WORLD/vault.port"
    VAULT_PORT=$(cat "$WORLD/vault.port")
}

# seal VALUE FILE: a file of the repository that age opens with var/keys/age.
seal()
{
    mkdir -p "$WORLD/repo/sealed"
    printf '%s\n' "$1" | age -r "$(age-keygen -y "$WORLD/var/keys/age")" >"$WORLD/repo/sealed/$2"
}

given_stores()
{
    command -v age >/dev/null || skip "age is not installed"
    given_world
    mkdir -p "$WORLD/var/keys" "$WORLD/made"
    chmod 700 "$WORLD/var/keys"
    age-keygen -o "$WORLD/var/keys/age" 2>/dev/null
    seal "$SEALED" one.age
    printf '#!/bin/sh\necho %s\n' "$PROGRAM" >"$WORLD/program"
    chmod 700 "$WORLD/program"
    start_vault
    vault POST v1/kv/data/acme/prod "{\"data\":{\"token\":\"$TOKEN\"}}"
    printf 'first-secret-id\n' >"$WORLD/secret_id"
    chmod 600 "$WORLD/secret_id"
    write_daemon rule="    secrets: [{path: \"vault:kv/acme\", for: services}, {path: \"git:sealed\", for: services}, {path: \"program:x\", for: services}]" \
        extra="secrets: {default: vault, generated: files, stores: {vault: {type: vault, address: \"http://127.0.0.1:$VAULT_PORT\", auth: {approle: {role_id: reeve, secret_id_file: $WORLD/secret_id}}}, git: {type: age}, program: {type: exec, command: [$WORLD/program]}, files: {type: file, directory: $WORLD/made}}}"
    write_specs v1
    commit 'version 1'
}

write_specs()
{
    spec version="$1" env='TOKEN: {secret: token}, SEALED: {secret: sealed}, PROGRAM: {secret: program}, KEY: {secret: field_key}'
    sed -i 's|^services:|secrets: {token: {path: "kv/acme/${env}", key: token}, sealed: {store: git, path: sealed/one.age}, program: {store: program, path: x}, field_key: {generate: 32, encoding: hex, kind: data}}\n&|' "$WORLD/repo/.reeve/app.yaml"
}

# Of each instance that runs.
variable()
{
    sed -s 's/.*"pid":\([0-9]*\).*/\1/' "$WORLD"/var/services/run/*/state | while read -r pid; do
        cat "/proc/$pid/environ" 2>/dev/null
    done | tr '\0' '\n' | sed -n "s/^$1=//p"
}

variable_is()
{
    [ "$(variable "$1")" = "$2" ]
}

die_at()
{
    REEVE_CRASH=$1 "$REEVE" once >>"$WORLD/daemon.log" 2>&1 9>&-
} 2>/dev/null

# Dead before it is written: nothing was given. Dead after: what is there is given, and is the only one.
a_generated_value_is_made_once()
{
    given_stores
    die_at SECRETS_BEFORE_GENERATED
    expect_equal "exit status" $? 137
    expect "nothing is there" test ! -e "$WORLD/made/generated/prod/field_key/1"
    die_at SECRETS_AFTER_GENERATED
    expect_equal "exit status" $? 137
    KEY=$(cat "$WORLD/made/generated/prod/field_key/1")
    expect_equal "its length" ${#KEY} 64
    start_daemon
    await_converged
    expect_serves v1
    expect_equal "what was given" "$(variable KEY)" "$KEY"
    expect_equal "what is there" "$(ls -A "$WORLD/made/generated/prod/field_key")" 1
}

each_store_gives_its_value()
{
    expect_equal "vault" "$(variable TOKEN)" "$TOKEN"
    expect_equal "age" "$(variable SEALED)" "$SEALED"
    expect_equal "program" "$(variable PROGRAM)" "$PROGRAM"
    expect_has "versions" "$(reeve plan prod 2>/dev/null)" 'secret(v1-'
}

a_new_version_of_each_is_a_new_revision()
{
    vault POST v1/kv/data/acme/prod "{\"data\":{\"token\":\"$TOKEN-2\"}}"
    reeve apply prod --timeout 60 >/dev/null || fail "apply"
    await 20 "vault" variable_is TOKEN "$TOKEN-2"
    seal "$SEALED-2" one.age
    deploy 'sealed anew'
    await 20 "age" variable_is SEALED "$SEALED-2"
    await_converged
    await 20 "the set before is gone" one_set_is_left
    expect_equal "what was generated" "$(variable KEY)" "$KEY"
}

# What it pins is read by its number and its blob, also without the sealed set.
older_versions_can_be_read()
{
    stop_daemon
    sed -i 's/{default: vault, /{default: vault, keep: none, /' "$WORLD/reeve.yaml"
    start_daemon
    await_converged
    reeve rollback prod 1 --reason 'back to what ran first' >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await 20 "vault" variable_is TOKEN "$TOKEN"
    expect_equal "age" "$(variable SEALED)" "$SEALED"
    reeve retry prod --reason 'the newest again' >/dev/null || fail "retry"
    await 20 "the newest again" variable_is TOKEN "$TOKEN-2"
    await_converged
}

a_sealed_vault_changes_nothing()
{
    vault POST ctl/seal
    reeve apply prod --timeout 20 >"$WORLD/said" 2>&1
    expect_has "status" "$(explained)" 'the vault is sealed'
    expect_equal "vault" "$(variable TOKEN)" "$TOKEN-2"
    vault POST ctl/unseal
    reeve apply prod --timeout 60 >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
}

# It protects what others keep: a second one would be as good as none.
what_is_lost_is_not_made_again()
{
    mv "$WORLD/made/generated" "$WORLD/lost"
    write_specs v2
    commit 'version 2'
    reeve apply prod --timeout 20 >"$WORLD/said" 2>&1
    expect_has "status" "$(explained)" "secret 'field_key' was generated and is gone from its store: put it back"
    expect "nothing is made" test ! -e "$WORLD/made/generated"
    expect_serves v1
    mv "$WORLD/lost" "$WORLD/made/generated"
    reeve apply prod --timeout 60 >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    expect_serves v2
    await 20 "the set before is gone" one_set_is_left
    expect_equal "what was generated" "$(variable KEY)" "$KEY"
}

# The keeper of what runs has them; the daemon wiped each when it had handed it out. What a vault answers passes
# through libraries that wipe nothing.
the_daemon_forgets_them()
{
    local keeper value

    sees_memory || return 0
    keeper=$(processes "$WORLD/var/services/run/" | head -n 1)
    for value in "$SEALED" "$PROGRAM" "$KEY"; do
        expect "a keeper has $value" remembers "$keeper" "$value"
        ! remembers "$DAEMON" "$value" || fail "the daemon has $value, too"
    done
}

none_of_them_is_anywhere_else()
{
    local value

    reeve logs prod >"$WORLD/shown.txt" 2>&1
    reeve history prod -o json -n 1000 >>"$WORLD/shown.txt"
    reeve explain prod -o json >>"$WORLD/shown.txt"
    for value in "$TOKEN" "$SEALED" "$PROGRAM" "$KEY" first-secret-id hvs.of-a-login; do
        expect_equal "files that hold $value" \
            "$(grep -rlaF "$value" "$WORLD/var" "$WORLD/daemon.log" "$WORLD/shown.txt" "$WORLD/repo")" ""
        expect_equal "command lines that hold it" "$(grep -lsaF -f - /proc/[0-9]*/cmdline <<<"$value")" ""
    done
}

run_cases a_generated_value_is_made_once each_store_gives_its_value the_daemon_forgets_them a_new_version_of_each_is_a_new_revision \
    older_versions_can_be_read a_sealed_vault_changes_nothing what_is_lost_is_not_made_again none_of_them_is_anywhere_else
