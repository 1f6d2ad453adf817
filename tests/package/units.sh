# units: systemd takes them, they say what the configuration says, and how exposed they are. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need systemd-analyze

# Tenths, of ten: what a unit may be exposed at most.
most_tenths=46
most_tenths_unprivileged=36

given_tree /usr
units=$WORK/tree/usr/lib/systemd/system
mkdir -p "$WORK/tree/bin" "$WORK/tree/etc" "$WORK/tree/lib"
: >"$WORK/tree/bin/sh"
chmod 755 "$WORK/tree/bin/sh"
for page in "$WORK/tree/usr/share/doc/reeve/operations.md"; do
    [ -s "$page" ] || fail "the unit points to $page"
done

# Below a root of its own there are none of systemd's units and no man: verify says so of every unit.
systemd-analyze verify --root="$WORK/tree" --man=no --recursive-errors=no "$units"/reeve*.service "$units"/reeve*.socket \
    "$units"/reeve*.slice >"$WORK/said" 2>&1 || fail "verify: $(cat "$WORK/said")"
[ ! -s "$WORK/said" ] || fail "verify: $(cat "$WORK/said")"
echo "systemd-analyze verify: nothing to say of $(ls "$units" | wc -l) units"

value_of()
{
    sed -n "s/^$1=//p" "$units/$2"
}
config_says()
{
    sed -n "s/^$1: *//p" "$WORK/tree/usr/share/doc/reeve/examples/reeve.yaml"
}
[ "$(value_of ListenStream reeve.socket)" = "$(config_says socket)" ] || fail "socket: of unit and configuration"
[ "$(value_of SocketUser reeve.socket)" = "$(config_says user)" ] || fail "user: of unit and configuration"
for door in socket api hooks; do
    grep -qx "FileDescriptorName=$door" "$units"/*.socket || fail "a socket unit is named $door"
done

exposed()
{
    systemd-analyze security --offline=true --root="$1" reeve.service 2>"$WORK/said" |
        sed -n 's/.*Overall exposure level for reeve.service: \([0-9]*\)\.\([0-9]\).*/\1\2/p'
}
judge()
{
    local tenths

    tenths=$(exposed "$WORK/tree" | sed 's/^0*//')
    [ -n "$tenths" ] || fail "systemd-analyze security has a figure for $1: $(cat "$WORK/said")"
    echo "systemd-analyze security: $1 $((tenths / 10)).$((tenths % 10)) of 10 (at most $(($2 / 10)).$(($2 % 10)))"
    [ "$tenths" -le "$2" ] || fail "$1 is more exposed than it was"
}
judge reeve.service "$most_tenths"
mkdir "$units/reeve.service.d"
cp "$WORK/tree/usr/share/doc/reeve/examples/unprivileged.conf" "$units/reeve.service.d/"
judge "with unprivileged.conf" "$most_tenths_unprivileged"
