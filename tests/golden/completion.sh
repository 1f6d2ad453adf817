#!/bin/bash
# completion: what bash makes of the words that were typed so far; the others are read where their shell is there. SPDX-License-Identifier: Apache-2.0
set -u
failed=0
source <("$REEVE" completion bash) || exit 1

# SENTENCE 'WORDS TYPED' 'WORDS THAT MAY FOLLOW': as bash calls it, the last word being unfinished.
row()
{
    local got

    read -r -a COMP_WORDS <<<"$2"
    [[ $2 != *' ' ]] || COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _reeve
    got=$(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ')
    [ "$got" = "$3 " ] && echo "  $1" && return
    printf 'FAILED: %s: %s\n' "$1" "'$got', not '$3 '"
    failed=1
}

row "a verb" 'reeve stat' 'status'
row "several" 'reeve re' 'rebind recover reject resume retry'
row "what is hidden is not offered" 'reeve git-w' ''
row "an option of the verb" 'reeve hold --rea' '--reason'
row "and of no other" 'reeve status --rea' ''
row "options that all have" 'reeve status --conf' '--config'
row "before the verb" 'reeve --conf' '--config'
row "the words of a verb" 'reeve token ' 'create list revoke'
row "one of them" 'reeve audit ver' 'verify'
row "the words of an option" 'reeve token create --role s' 'scrape'
row "a file is no verb" 'reeve --config x.yaml hold --rea' '--reason'
row "how it is written" 'reeve status -o j' 'json jsonl'
row "shells" 'reeve completion z' 'zsh'

for shell in zsh fish; do
    "$REEVE" completion "$shell" >/dev/null || failed=1
    if command -v "$shell" >/dev/null; then
        "$REEVE" completion "$shell" | "$shell" -n /dev/stdin || { echo "FAILED: $shell does not read it"; failed=1; }
    else
        echo "  $shell is not there: what it reads is not tried"
    fi
done
"$REEVE" completion csh 2>/dev/null && { echo "FAILED: csh is none of them"; failed=1; }
exit $failed
