#!/bin/bash
# hostile: repositories that mean harm, followed by a daemon. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

MEMORY_K=700000 # of a worker that is asked directly, address space

# A pack of two objects whose second, of the id given, is a delta that grows to so many bytes: each of its
# bytes copies 64 KiB of the first. Its index says so too.
delta_bomb()
{
    python3 - "$WORLD/repo/.git/objects/pack" "$1" "$2" <<'END'
import binascii, hashlib, struct, sys, zlib

folder, bomb, size = sys.argv[1], bytes.fromhex(sys.argv[2]), int(sys.argv[3])
base = bytes(65536)
base_id = hashlib.sha1(b"blob 65536\0" + base).digest()

def varint(n):
    out = bytearray()
    while True:
        out.append(n & 127 | (128 if n > 127 else 0))
        n >>= 7
        if not n:
            return bytes(out)

def header(kind, n):
    out = bytearray([kind << 4 | n & 15])
    n >>= 4
    while n:
        out[-1] |= 128
        out.append(n & 127)
        n >>= 7
    return bytes(out)

delta = varint(len(base)) + varint(size) + b"\x80" * (size // 65536)
objects = [(base_id, header(3, len(base)) + zlib.compress(base)),
           (bomb, header(7, len(delta)) + base_id + zlib.compress(delta))]
pack, places = b"PACK" + struct.pack(">II", 2, len(objects)), {}
for name, data in objects:
    places[name] = (len(pack), binascii.crc32(data))
    pack += data
pack += hashlib.sha1(pack).digest()
names = sorted(places)
index = b"\xfftOc" + struct.pack(">I", 2)
index += b"".join(struct.pack(">I", sum(n[0] <= i for n in names)) for i in range(256))
index += b"".join(names) + b"".join(struct.pack(">I", places[n][1]) for n in names)
index += b"".join(struct.pack(">I", places[n][0]) for n in names) + pack[-20:]
index += hashlib.sha1(index).digest()
stem = folder + "/pack-" + pack[-20:].hex()
open(stem + ".pack", "wb").write(pack)
open(stem + ".idx", "wb").write(index)
END
}

# commit_spec ID: the branch's next commit has this blob for its specs, whether it is there or not.
commit_spec()
{
    local tree

    tree=$(printf '100644 blob %s\tapp.yaml\n' "$1" | git -C "$WORLD/repo" mktree --missing)
    tree=$(printf '040000 tree %s\t.reeve\n' "$tree" | git -C "$WORLD/repo" mktree --missing)
    git -C "$WORLD/repo" update-ref refs/heads/main \
        "$(git -C "$WORLD/repo" commit-tree -p main -m 'means harm' "$tree")"
}

repair()
{
    git -C "$WORLD/repo" reset -q --hard "$GOOD"
    fetch_now
    await 30 "the source is well again" source_is_well
}

source_says()
{
    [[ $(reeve status -o json 2>/dev/null) == *"$1"* ]]
}

source_is_well()
{
    [[ $(reeve status -o json 2>/dev/null) != *'"error":"'[!\"]* ]]
}

# expect_refused SENTENCE PART: it is told, and what was there serves on.
expect_refused()
{
    fetch_now
    await 60 "$1 is told: $2" source_says "$2"
    expect_serves v1
    kill -0 "$DAEMON" || fail "the daemon ended"
}

# ask_worker SENTENCE REQUEST PART: within its memory, and with an answer.
ask_worker()
{
    local said

    said=$(ulimit -v $MEMORY_K && "$REEVE" git-worker <<<"$2")
    expect_equal "exit status of the worker for $1" $? 0
    expect_has "$1" "$said" "$3"
}

a_blob_that_inflates_is_no_spec()
{
    given_served poll=1d
    GOOD=$(head_commit)
    commit_spec "$(head -c 67108864 /dev/zero | git -C "$WORLD/repo" hash-object -w --stdin)"
    expect_refused "a spec of 64 MiB" "'.reeve/app.yaml' has 67108864 bytes, the limit is 1048576"
    ask_worker "it" "{\"op\":\"read\",\"mirror\":\"$WORLD/var/mirrors/shop.git\",\"commit\":\"$(head_commit)\",\"spec_path\":\".reeve\",\"paths\":[]}" '"LIMIT"'
    repair
}

a_delta_that_grows_is_the_sources_error()
{
    local id=00000000000000000000000000000000000b0b0b

    delta_bomb $id 8589934592
    commit_spec $id
    expect_refused "a delta of 8 GiB" 'git: fetch'
    ask_worker "it" "{\"op\":\"fetch\",\"mirror\":\"$WORLD/other.git\",\"url\":\"file://$WORLD/repo\",\"branches\":[\"main\"],\"spec_path\":\".reeve\"}" '"error"'
    repair
}

deltas_on_deltas_are_read()
{
    local deepest

    python3 - >"$WORLD/commits" <<'END'
for i in range(1500):
    text = "".join("line %d %d\n" % (j, i if j == 7 else 0) for j in range(200))
    print("commit refs/heads/deep\ncommitter A <a@b.c> %d +0000\ndata 1\nx" % (1700000000 + i))
    print("M 100644 inline .reeve/notes.yml.txt\ndata %d\n%s" % (len(text), text))
END
    git init -q "$WORLD/deep"
    git -C "$WORLD/deep" fast-import --quiet --depth=4000 <"$WORLD/commits" || fail "fast-import"
    deepest=$(git verify-pack -v "$WORLD"/deep/.git/objects/pack/*.idx | awk '$6 + 0 > n { n = $6 + 0 } END { print n }')
    [ "$deepest" -gt 500 ] || fail "the chain is $deepest deep"
    ask_worker "a chain of deltas" "{\"op\":\"fetch\",\"mirror\":\"$WORLD/deep.git\",\"url\":\"file://$WORLD/deep\",\"branches\":[\"deep\"],\"spec_path\":\".reeve\"}" '"heads":{"deep"'
}

a_flood_of_names_is_over_the_limit()
{
    local head

    head=$(head_commit)
    cp "$WORLD/repo/.git/packed-refs" "$WORLD/packed-refs" 2>/dev/null
    seq -f "$head refs/heads/flood-%06.0f" 200001 >"$WORLD/repo/.git/packed-refs"
    printf '%s refs/heads/main\n' "$head" >>"$WORLD/repo/.git/packed-refs"
    expect_refused "200,002 branches" 'the limit is 200000'
    rm "$WORLD/repo/.git/packed-refs"
    git -C "$WORLD/repo" update-ref refs/heads/main "$head"
    repair
}

a_mirror_does_not_grow_for_ever()
{
    stop_daemon
    sed -i 's/poll: [0-9a-z]*/&, mirror_bytes: 1M/' "$WORLD/reeve.yaml"
    start_daemon
    head -c 2000000 /dev/urandom >"$WORLD/repo/noise"
    commit 'much noise'
    expect_refused "a mirror over its limit" 'over its limit of 1048576 bytes'
}

run_cases a_blob_that_inflates_is_no_spec a_delta_that_grows_is_the_sources_error deltas_on_deltas_are_read \
    a_flood_of_names_is_over_the_limit a_mirror_does_not_grow_for_ever
