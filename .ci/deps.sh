#!/bin/sh
# deps: install what is missing of .ci/packages, and say what and why. SPDX-License-Identifier: Apache-2.0
#
#     .ci/deps.sh build|demo|test
#
# Needs nothing when nothing is missing: no root, no network, not even apt. Packages that bring servers
# start none: while apt runs, policy-rc.d says no. As root, or through sudo.
set -eu
cd "$(dirname "$0")/.."

tasks=" build ${1:?usage: .ci/deps.sh build|demo|test} "

is_installed()
{
    case $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) in
    installed*) return 0 ;; # once an architecture
    esac
    case $provided in
    *" $1 "*) return 0 ;; # another's package has it in it, as some nodejs have npm
    *) return 1 ;;
    esac
}

provided=" $(dpkg-query -W -f '${db:Status-Status} ${Provides}\n' 2>/dev/null | sed -n 's/^installed //p' |
    sed 's/([^)]*)//g; s/,/ /g' | tr -s '\n ' ' ') "

missing=
while read -r package task why; do
    case $package in '' | '#'*) continue ;; esac
    case $tasks in *" $task "*) ;; *) continue ;; esac
    case " $missing " in *" $package "*) continue ;; esac
    is_installed "$package" && continue
    [ -n "$missing" ] || echo "Missing for make $1, installed from Debian now:"
    printf '  %-21s %s\n' "$package" "$why"
    missing="$missing $package"
done <.ci/packages
if [ -z "$missing" ]; then
    echo "Everything that make $1 needs is installed."
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "Not root and no sudo. As root: apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

policy=/usr/sbin/policy-rc.d
remove_policy()
{
    $as_root rm -f "$policy"
}
if [ ! -e "$policy" ]; then
    trap remove_policy EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi

apt()
{
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@"
}

apt update || echo "The lists of packages could not be fetched; trying with those that are here."
# shellcheck disable=SC2086 # names of packages, one a word
apt install -y --no-install-recommends $missing
