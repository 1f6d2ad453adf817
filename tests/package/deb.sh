# deb: lintian has no complaint, the same tree gives the same bytes, its programs are hardened. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need lintian readelf

given_debs
mkdir "$WORK/again"
cmp "$DEB" "$("$SOURCE/.ci/deb/build" "$RELEASE" "$WORK/again")" || fail "the same bytes again"
lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$DEB" || fail "lintian"
echo "lintian: no error, no warning; $(stat -c %s "$DEB") bytes, $(dpkg-deb -f "$DEB" Depends | tr , '\n' | wc -l) packages that it depends on"

dpkg-deb -x "$DEB" "$WORK/files"
for file in usr/bin/reeve usr/libexec/reeve/keeper usr/libexec/reeve/reeve-spawn usr/libexec/reeve/reeve-users \
    usr/libexec/reeve/reeve-site usr/libexec/reeve/edge_connect.so; do
    # grep reads to the end: a pipe that is shut ends readelf badly.
    readelf -lW "$WORK/files/$file" | grep -c GNU_RELRO >/dev/null || fail "$file: its tables are read-only"
    readelf -dW "$WORK/files/$file" | grep -c BIND_NOW >/dev/null || fail "$file: bound at the start"
    readelf -lW "$WORK/files/$file" | grep GNU_STACK | grep -c RWE >/dev/null && fail "$file: a stack that runs"
    readelf -hW "$WORK/files/$file" | grep -c 'Type: *DYN' >/dev/null || fail "$file: at any address"
    readelf -SW "$WORK/files/$file" | grep -c ' \.debug_info' >/dev/null && fail "$file: debugging symbols"
done
readelf --dyn-syms -W "$WORK/files/usr/bin/reeve" | grep -c '__stack_chk_fail\|__memcpy_chk' >/dev/null ||
    fail "reeve: guarded stacks and copies"
[ "$(dpkg-deb --fsys-tarfile "$DEB" | tar -tv | awk '$2 != "root/root" || substr($1, 4, 1) == "s"' | wc -l)" -eq 0 ] ||
    fail "everything is root's, nothing runs as another"
[ "$(dpkg-deb --ctrl-tarfile "$DEB" | tar -xO ./conffiles)" = /etc/reeve/reeve.yaml ] || fail "one file is a person's"
