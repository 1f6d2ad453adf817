# ordinary: a script that shows the same as root and without. SPDX-License-Identifier: Apache-2.0
#
# Sourced after lib.sh, by scripts that call as_both before anything else.

# as_both UID NAME...: runs this script as whoever started it and, where that is root, as the user UID, too; from a
# directory that this user can read, whatever directory this one is in. A NAME is a variable that holds a program
# that is taken along, or another file of this directory.
as_both()
{
    local name from uid=$1

    [ -z "${PROGRAMS:-}" ] || return 0
    PROGRAMS=$(mktemp -d /tmp/e2e-programs.XXXXXX) || exit 1
    trap 'rm -rf "$PROGRAMS"' EXIT
    chmod 755 "$PROGRAMS"
    from=$(dirname "$REEVE_KEEPER")
    cp "$REEVE" "$REEVE_KEEPER" "$from/reeve-spawn" "$from/reeve-users" "$from/edge_connect.so" "$0" \
        "$(dirname "$0")"/{lib,expect,machine,ordinary}.sh "$PROGRAMS" || exit
    export PROGRAMS REEVE=$PROGRAMS/reeve REEVE_KEEPER=$PROGRAMS/keeper
    for name in "${@:2}"; do
        case $name in
        *.sh) cp "$(dirname "$0")/$name" "$PROGRAMS" || exit ;;
        *)
            cp "${!name}" "$PROGRAMS" || exit
            export "$name=$PROGRAMS/$(basename "${!name}")"
            ;;
        esac
    done
    bash "$PROGRAMS/$(basename "$0")" || exit
    [ "$(id -u)" != 0 ] ||
        HOME=/ setpriv --reuid "$uid" --regid "$uid" --clear-groups bash "$PROGRAMS/$(basename "$0")"
    exit
}
