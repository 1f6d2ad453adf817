# heads: the head of the history is brought elsewhere, or it is said that it is not. SPDX-License-Identifier: Apache-2.0
#
# Sourced behind lib.sh by the test of each kind of place, which defines `brought`: prints the newest event that is anchored there.
# PLACE_SAID is how status calls the place.
PLACE_SAID=

n_made()
{
    reeve history -n 1000 -o json | grep -o '"kind":"anchor.made"' | wc -l
}

n_failed()
{
    reeve history -n 1000 -o json | grep -o '"kind":"anchor.failed"' | wc -l
}

something_happens()
{
    reeve hold prod --reason "$1" >/dev/null || fail "hold is refused"
    reeve resume prod >/dev/null || fail "resume is refused"
}

# The newest event that is no event of anchors is in the place.
is_anchored()
{
    local newest there

    newest=$(reeve history -n 20 -o json | grep -o '"kind":"[^"]*"[^{}]*"seq":[0-9]*' | grep -v '"kind":"anchor' | head -n 1 | grep -o '[0-9]*$')
    there=$(brought)
    [ -n "$newest" ] && [ -n "$there" ] && [ "$there" -ge "$newest" ]
}

await_anchored()
{
    await 60 "what happened is anchored" is_anchored
}

# Status says that it is not anchored, and why.
says()
{
    reeve status | grep "the head of the history is not anchored at $PLACE_SAID" | grep -q "$1"
}

has_failed()
{
    [ "$(n_failed)" -ge "$1" ]
}

# Status says why, and the history has the Nth failure. N WHY
await_told()
{
    await 90 "status says why: $2" says "$2"
    await 60 "the history says so: $2" has_failed "$1"
}

# It was told once: the history has N failures.
await_over()
{
    await_anchored
    await 30 "status says nothing of it" eval '! says .'
    expect_equal "told once" "$(n_failed)" "$1"
}

waits_for_an_anchor()
{
    explained prod | grep -q 'waits for an anchor'
}

# As the machine was before something was anchored, with its keys and all; the daemon is down.
put_back()
{
    stop_daemon
    cp -a "$WORLD/var" "$WORLD/var.then"
    start_daemon
    something_happens 'this will not have happened'
    await_anchored
    stop_daemon
    mv "$WORLD/var" "$WORLD/var.now"
    mv "$WORLD/var.then" "$WORLD/var"
    rm -rf "$WORLD/var/services" "$WORLD/var/edge"
    cp -a "$WORLD/var.now/services" "$WORLD/var.now/edge" "$WORLD/var"
}

# As it is now.
put_forward()
{
    rm -rf "$WORLD/var"
    mv "$WORLD/var.now" "$WORLD/var"
}
