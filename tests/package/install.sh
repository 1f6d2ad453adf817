# install: everything is in its place, below any prefix. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

in_place='
bin/reeve
libexec/reeve/keeper
libexec/reeve/reeve-spawn
libexec/reeve/reeve-users
libexec/reeve/reeve-site
libexec/reeve/edge_connect.so
lib/systemd/system/reeve.service
lib/systemd/system/reeve.socket
lib/systemd/system/reeve-api.socket
lib/systemd/system/reeve-hooks.socket
lib/systemd/system/reeve.slice
lib/sysusers.d/reeve.conf
lib/tmpfiles.d/reeve.conf
share/bash-completion/completions/reeve
share/fish/vendor_completions.d/reeve.fish
share/man/man1/reeve.1
share/man/man5/reeve.yaml.5
share/man/man5/reeve-spec.5
share/man/man8/reeve-keeper.8
share/doc/reeve/README.md
share/doc/reeve/operations.md
share/doc/reeve/examples/reeve.yaml
share/doc/reeve/examples/unprivileged.conf
share/doc/reeve/examples/limits.conf
'

for prefix in /usr /usr/local /opt/reeve; do
    rm -rf "$WORK/tree"
    given_tree "$prefix"
    for file in $in_place; do
        [ -s "$WORK/tree$prefix/$file" ] || fail "below $prefix: $file"
    done
    grep -q "^ExecStart=$prefix/bin/reeve serve " "$WORK/tree$prefix/lib/systemd/system/reeve.service" ||
        fail "below $prefix: the unit starts the program that lies there"
    "$WORK/tree$prefix/bin/reeve" validate "$WORK/tree$prefix/share/doc/reeve/examples/reeve.yaml" >/dev/null ||
        fail "below $prefix: the configuration is good"
    for shell in bash-completion/completions/reeve zsh/*/_reeve fish/vendor_completions.d/reeve.fish; do
        # shellcheck disable=SC2086 # zsh's directory is another one below /usr
        grep -q reeve "$WORK/tree$prefix/share/"$shell || fail "below $prefix: what a shell reads: $shell"
    done
    [ -z "$(find "$WORK/tree" -mindepth 1 -maxdepth 1 ! -name "$(echo "$prefix" | cut -d / -f 2)")" ] ||
        fail "below $prefix: nothing beside it"
    printf '%-10s %s files\n' "$prefix" "$(find "$WORK/tree" -type f | wc -l)"
done
