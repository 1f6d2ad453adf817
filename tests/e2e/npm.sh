# npm: programs of npm that judge what we say. SPDX-License-Identifier: Apache-2.0
#
# Sourced by scripts that need one. What was brought lies beside the build and is used again without network.

# npm_brings NAME@VERSION: its directory of modules into $MODULES; 1 and a reason in $MISSING where it cannot be had.
npm_brings()
{
    local home

    home=$(dirname "$REEVE")/npm/$(tr -c 'a-z0-9.\n' - <<<"$1")
    MODULES=$home/node_modules MISSING=
    [ -e "$home/brought" ] && return
    command -v npm >/dev/null || { MISSING="npm is not here" && return 1; }
    mkdir -p "$home"
    timeout 120 npm install --prefix "$home" --no-audit --no-fund --ignore-scripts --loglevel error "$1" >"$home/log" 2>&1 ||
        { MISSING="npm cannot bring $1: $(tail -n 1 "$home/log")" && return 1; }
    touch "$home/brought"
}
