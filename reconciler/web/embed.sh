#!/bin/sh
# embed: the files of the page as one C file. SPDX-License-Identifier: Apache-2.0
#
#     embed.sh FOLDER OUT.c FILE..     FILE below FOLDER; writes OUT.c and, beside it, OUT.c.d/*
#
# Each file is there as it is and compressed, with a tag that is made of its bytes. Comments of scripts stay behind, but for
# the first, which says the licence; their lines are there, empty, so that a browser counts as the source does (uncomment.awk).
# What the assembler takes in (.incbin) needs no compiler's memory, and the same files give the same bytes.
set -eu
folder=${1:?} out=${2:?}
shift 2

type_of()
{
    case $1 in
    *.html) echo 'text/html; charset=utf-8' ;;
    *.css) echo 'text/css; charset=utf-8' ;;
    *.js) echo 'text/javascript; charset=utf-8' ;;
    *.svg) echo 'image/svg+xml' ;;
    *) echo "embed: no type for $1" >&2 && exit 1 ;;
    esac
}

shown()
{
    case $1 in
    *.js) awk -f "${0%/*}/uncomment.awk" "$1" ;;
    *) cat "$1" ;;
    esac
}

mkdir -p "$out.d"
{
    echo '/* Made by reconciler/web/embed.sh. SPDX-License-Identifier: Apache-2.0 */'
    echo '#include "reconciler/http/page.h"'
    n=0
    for file in "$@"; do
        shown "$folder/$file" >"$out.d/$n.raw"
        gzip -9nc "$out.d/$n.raw" >"$out.d/$n.gz"
        printf '\n__asm__(".pushsection .rodata\\n"\n'
        printf '        "page_raw_%d: .incbin \\"%s\\"\\n"\n' $n "$out.d/$n.raw"
        printf '        "page_gz_%d: .incbin \\"%s\\"\\n"\n' $n "$out.d/$n.gz"
        printf '        ".popsection\\n");\nextern const char page_raw_%d[], page_gz_%d[];\n' $n $n
        n=$((n + 1))
    done
    printf '\nconst struct page_file page_files[] = {\n'
    n=0
    for file in "$@"; do
        printf '    { "%s", "%s", "%.32s",\n      { page_raw_%d, %d }, { page_gz_%d, %d } },\n' "$file" "$(type_of "$file")" \
            "$(sha256sum "$out.d/$n.raw")" $n "$(wc -c <"$out.d/$n.raw")" $n "$(wc -c <"$out.d/$n.gz")"
        n=$((n + 1))
    done
    printf '};\nconst size_t page_n_files = %d;\n' $n
} >"$out.tmp"
mv "$out.tmp" "$out"
