# root: a clean Debian, made once and copied for each test. SPDX-License-Identifier: Apache-2.0
#
#     given_made_root             minbase, what the package depends on, and systemd: $MADE
#     given_clean_root DIR        a copy of it
#
# Made by debootstrap out of the mirror that this machine's apt uses, and kept beside the build: a second run needs no
# network. Sourced after lib.sh. Needs root.
root_mirror()
{
    apt-get indextargets --no-release-info --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
        awk -v code="$1" '$2 == code && $3 == "main" { print $1; exit }'
}

# Names alone: which version there is, is for apt to say; the first of alternatives.
root_depends()
{
    dpkg-deb -f "$DEB" Depends | tr ',' '\n' | sed 's/^ *//; s/[ (|].*//' | sort -u | paste -s -d ,
}

root_make()
{
    local to=$1 code mirror packages=$2 proxy

    need debootstrap
    code=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mirror=$(root_mirror "$code")
    [ -n "$mirror" ] || skip "apt has no mirror of '$code' here"
    proxy=$(apt-config shell proxy Acquire::http::Proxy | sed "s/^proxy='\(.*\)'$/\1/")
    [ -z "$proxy" ] || export http_proxy=$proxy
    mkdir -p "$to.cache"
    rm -rf "$to.new"
    # shellcheck disable=SC2024
    if ! timeout 150 debootstrap --variant=minbase --cache-dir="$(realpath "$to.cache")" --include="$packages" "$code" \
        "$to.new" "$mirror" >"$WORK/debootstrap.log" 2>&1; then
        tail -n 5 "$WORK/debootstrap.log"
        rm -rf "$to.new"
        skip "debootstrap cannot make a clean root of $mirror here"
    fi
    rm -rf "$to.new"/var/cache/apt/archives/*.deb "$to.cache"
    mv "$to.new" "$to"
}

given_made_root()
{
    local packages

    [ "$(id -u)" -eq 0 ] || skip "a root of its own is made by root"
    packages=$(root_depends),systemd
    MADE=$RELEASE/clean-root-$(echo "$packages" | md5sum | cut -c 1-12)
    [ -d "$MADE" ] || root_make "$MADE" "$packages"
}

given_clean_root()
{
    given_made_root
    cp -a --reflink=auto "$MADE" "$1"
}

# A repository at /srv/repo of the root, whose one service is /srv/app; environments by name.
given_shop()
{
    local name repo=$ROOT/srv/repo

    mkdir -p "$repo/.reeve"
    cp "$APP" "$ROOT/srv/app"
    cat >"$repo/.reeve/shop.yaml" <<'END'
apiVersion: reeve/v1
kind: Application
name: shop
services:
  web:
    command: [/srv/app]
    port: 8000
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 1}}
    rollout: {strategy: blue_green, min_healthy_time: 100ms, bake_time: 100ms}
END
    for name; do
        printf -- '---\n{apiVersion: reeve/v1, kind: Environment, name: %s, application: shop, trigger: {branch: main}}\n' "$name"
    done >>"$repo/.reeve/shop.yaml"
    git -C "$repo" init -q -b main
    git -C "$repo" add -A
    git -C "$repo" -c user.name='A Developer' -c user.email=developer@example.test commit -q -m 'a shop'
}
