# lib: what every test of the package needs. SPDX-License-Identifier: Apache-2.0
#
# Sourced by bash scripts that ctest starts with RELEASE (the folder of a build that is done), APP and SOURCE in the
# environment.
set -eu
export LC_ALL=C.UTF-8 TZ=UTC

# Whoever makes namespaces starts itself again in them, and finds WORK made: it goes when what is mounted there is gone.
if [ -z "${WORK:-}" ]; then
    WORK=$(mktemp -d /tmp/reeve-package.XXXXXX)
    trap 'rm -rf --one-file-system "$WORK"' EXIT
    trap 'exit 1' HUP INT TERM
fi
export WORK

fail()
{
    echo "FAILED: $1" >&2
    exit 1
}

skip()
{
    echo "skipped: $1"
    exit 77
}

need()
{
    local program

    for program; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
}

# The script again, in namespaces of its own: what it mounts and starts there ends with it. Returns inside.
enter_namespaces()
{
    [ -z "${INSIDE_NAMESPACES:-}" ] || return 0
    [ "$(id -u)" -eq 0 ] || skip "a root of its own is made by root"
    unshare "$@" --fork true 2>/dev/null || skip "there are no namespaces for root here"
    INSIDE_NAMESPACES=1 unshare "$@" --fork --kill-child --propagation private bash "$0" || exit $?
    exit 0
}

# SECONDS SENTENCE COMMAND..: until it holds.
await()
{
    local until=$((SECONDS + $1)) what=$2

    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || fail "in time: $what"
        sleep 0.1
    done
}

# The release as it would be below PREFIX, in $WORK/tree.
given_tree()
{
    DESTDIR=$WORK/tree cmake --install "$RELEASE" --prefix "$1" >"$WORK/install.log"
}

# $DEB, and $DEB_NEXT: the same as the next version.
given_debs()
{
    need dpkg-deb dpkg-shlibdeps dpkg-parsechangelog
    DEB=$("$SOURCE/.ci/deb/build" "$RELEASE" "$WORK")
    DEB_NEXT=$WORK/next.deb
    dpkg-deb -R "$DEB" "$WORK/next"
    sed -i 's/^Version: .*/&.next/' "$WORK/next/DEBIAN/control"
    dpkg-deb --root-owner-group -Zgzip -z1 --build "$WORK/next" "$DEB_NEXT" >"$WORK/build.log"
}
