#!/bin/bash
# tour: the sessions that the tour prints are real. SPDX-License-Identifier: Apache-2.0
#
#     tour.sh PAGE HELLO
#
# Each fenced block of PAGE that begins with "$ " is one session in a copy of HELLO, a repository: lines with "$ "
# are run by one shell, one after the other, and what comes out must be the lines below them. $REEVE is the
# program. `tour.sh --print PAGE HELLO` prints the sessions as they come out now.
set -u

print=0
[ "$1" = --print ] && print=1 && shift
page=$1
hello=$2
world=$(mktemp -d)
trap 'rm -rf "$world"' EXIT
mkdir "$world/bin"
ln -s "$REEVE" "$world/bin/reeve"

# sessions: the blocks of the page, each ended by a line "%%".
sessions()
{
    awk '/^```/ { if (inside && is) print "%%"; inside = !inside; first = inside; is = 0; next }
         inside { if (first) is = /^\$ /; first = 0; if (is) print }' "$page"
}

# replay: what a terminal would show of the session on stdin.
replay()
{
    local line script=

    while IFS= read -r line; do
        case $line in
        '$ '*) script+="said=\$?; printf '%s\n' $(printf %q "$line"); (exit \$said)"$'\n'"${line#\$ }"$'\n' ;;
        esac
    done
    (cd "$world/hello" && PATH="$world/bin:$PATH" NO_COLOR=1 bash -c "$script" 2>&1)
}

count=0
wrong=0
session=
while IFS= read -r line; do
    if [ "$line" != '%%' ]; then
        session+=$line$'\n'
        continue
    fi
    rm -rf "$world/hello"
    cp -r "$hello" "$world/hello"
    replay <<<"$session" >"$world/said"
    printf %s "$session" >"$world/printed"
    if [ $print = 1 ]; then
        printf '```\n%s\n```\n' "$(cat "$world/said")"
    elif ! diff -u --label "$page" --label 'what comes out' "$world/printed" "$world/said"; then
        wrong=$((wrong + 1))
    fi
    count=$((count + 1))
    session=
done < <(sessions)
[ $count -gt 0 ] || { echo "no session in $page"; exit 1; }
[ $print = 1 ] || echo "$count sessions, $wrong wrong"
exit $((wrong > 0))
