# pages: man finds nothing to complain about, and who asks by name finds them. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
need man groff scdoc

given_tree /usr
pages=$(find "$WORK/tree/usr/share/man" -type f | sort)
[ "$(echo "$pages" | wc -l)" -ge 4 ] || fail "there are pages: $pages"
for page in $pages; do
    for columns in 80 120; do
        MANWIDTH=$columns man -l --warnings "$page" >"$WORK/text" 2>"$WORK/complaints"
        [ ! -s "$WORK/complaints" ] || fail "$page: $(cat "$WORK/complaints")"
    done
    [ "$(lexgrog "$page" | grep -c ' - ')" -eq 1 ] || fail "$page has a name that apropos finds"
    printf '%-18s %5s lines\n' "$(basename "$page")" "$(wc -l <"$WORK/text")"
done

# Every verb that help shows has its paragraph.
for verb in $("$RELEASE/reeve" --help | sed -n 's/^  \([a-z][a-z-]*\)  *.*/\1/p' | grep -vx reeve | sort -u); do
    MANWIDTH=120 man -l "$WORK/tree/usr/share/man/man1/reeve.1" | grep -q "^ *reeve $verb\( \|$\)" ||
        fail "reeve(1) knows the verb '$verb'"
done
