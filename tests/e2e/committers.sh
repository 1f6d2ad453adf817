# committers: two repositories under rules, and what the daemon says of a commit. SPDX-License-Identifier: Apache-2.0
#
# Sourced behind lib.sh. `shop` and `evil` have branches main and develop; prod is shop's main. The lines of the specs are
# counted on. AUTHORITY=TEXT judges the commits alone whose sentence has the text.

N=0
RULE= # where the rule of prod stands
OTHER_DAY=$(date -u -d '+3 days' +%a)
OTHER_DAY=${OTHER_DAY,,}

write_authority()
{
    mkdir -p "$WORLD/secrets/shop/prod" "$WORLD/secrets/shop/other"
    echo key >"$WORLD/secrets/shop/prod/session"
    echo other >"$WORLD/secrets/shop/other/session"
    echo token >"$WORLD/secrets/git_token"
    chmod -R go= "$WORLD/secrets"
    cat >"$WORLD/reeve.yaml" <<END
apiVersion: reeve/v1
kind: Daemon
user: "$(id -un)"
state: {file: var/reeve.db}
socket: var/reeve.sock
sources:
  shop: {url: "file://$WORLD/repo", branches: [main, develop], poll: 30s, credentials: {secret: git_token}}
  evil: {url: "file://$WORLD/evil", branches: [main, develop], poll: 30s}
providers:
  local: {driver: process, directory: var/services, ports: $((FIRST + 40))-$((FIRST + 99))}
  vault: {driver: process, directory: var/vault, ports: $((FIRST + 100))-$((FIRST + 159))}
  nothing: {driver: "null"}
  edge: {driver: haproxy, directory: var/edge, http: "127.0.0.1:$HTTP", internal: $((FIRST + 1))-$((FIRST + 30))}
secrets: {default: files, stores: {files: {type: file, directory: secrets}, env: {type: env}}}
auth: {same_user: allow}
environments:
  - match: {source: shop, name: prod}
    branch: main
    providers: {services: [local], domains: edge, databases: nothing, backups: nothing}
    secrets: [{path: "files:shop/prod"}, {path: "files:shop/backup", for: backup}, {path: "files:git_token"}]
    registries: [registry.example.test/shop]
    buckets: [shop-backups/prod/]
    seed_from: [stage-1]
    domains: [$HOST, "*.$HOST"]
    isolation: none
    ceiling: {replicas: 2}
    floor: {approval: manual, approvers: [user:$(id -un)], allow_self: false}
  - match: {source: shop, name: "stage-*"}
    branch: develop
    providers: {services: [local], domains: edge}
    domains: ["*.example.test"]
    isolation: none
  - match: {source: evil, name: "evil-*"}
    branch: main
    providers: {services: [local], domains: edge}
    domains: ["*.example.test"]
    isolation: none
  - match: {source: evil, name: prod}
    branch: develop
    providers: {services: [local], domains: edge}
    domains: ["*.example.test"]
    isolation: none
log: {level: info, format: text}
END
    RULE=$WORLD/reeve.yaml:$(grep -n 'name: prod}' "$WORLD/reeve.yaml" | head -n 1 | cut -d : -f 1):5
    RULES=$WORLD/reeve.yaml:$(grep -n 'match:' "$WORLD/reeve.yaml" | head -n 1 | cut -d : -f 1):3
}

# What serves; every row changes one thing of it. The lines are counted on.
write_base()
{
    rm -rf .reeve
    mkdir .reeve
    cat >.reeve/app.yaml <<END
apiVersion: reeve/v1
kind: Application
name: shop
services:
  web:
    command: ["$APP"]
    port: 8000
    replicas: 1
    environment: {VERSION: "v1", KEY: {secret: session}}
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 2}}
    rollout: {min_healthy_time: 0s, bake_time: 200ms, keep_previous: 0s, abort_if: {error_rate: 2%}}
secrets:
  session: {path: "shop/\${env}/session"}
domains:
  app: {hosts: [$HOST], routes: {/: {service: web}}}
END
    cat >.reeve/prod.yaml <<END
apiVersion: reeve/v1
kind: Environment
name: prod
application: shop
trigger: {branch: main}
approval: {policy: manual, require_for: [destroy, weaken, data], expires: 8h}
END
    sed -i "\$ s/}\$/, freeze: [{days: [$OTHER_DAY], from: \"16:00\", to: \"18:00\"}]}/" .reeve/prod.yaml
}

given_base()
{
    local branch

    git init -q -b main "$WORLD/evil"
    cd "$WORLD/evil" || fail "cd"
    mkdir .reeve
    printf 'apiVersion: reeve/v1\nkind: Application\nname: evil\n' >.reeve/app.yaml
    git add -A
    git commit -q -m base
    git tag base
    git branch develop
    cd "$WORLD/repo" || fail "cd"
    write_base
    git add -A
    git commit -q -m base
    git tag base
    git branch develop
    start_daemon
    await 20 "the first plan waits" sync_is waiting
    reeve approve "$(plan_id)" --reason 'the first one' >/dev/null || fail "approve"
    await_converged
    expect_serves v1
}

# What the daemon says of sources and environments, and of what waits.
told()
{
    reeve status -o json 2>/dev/null | sed 's/\\"/"/g'
}

# The branch stands at this commit, and it or prod says why it is refused.
is_refused()
{
    local answer

    answer=$(told)
    [[ $answer == *"\"commit\":\"$1\",\"error\":\"$2"* ||
        ($answer == *"\"commit\":\"$1\""* && $answer == *"the specs of commit ${1:0:12} are refused: $2"*) ]]
}

is_waiting_for()
{
    local answer

    answer=$(told)
    [[ $answer == *"\"commit\":\"$1\""* && $answer == *"\"reason\":\""*"$2"*'"sync":"waiting"'* ]]
}

started()
{
    reeve history -n 1000 -o json 2>/dev/null | grep -o '"kind":"plan.started"' | wc -l
}

said()
{
    told | grep -o '"\(error\|reason\)":"[^}]*' | cut -c 1-500
}

# judged HOW SENTENCE SOURCE BRANCH EDIT SAID [MESSAGE]: EDIT is shell, in the work tree of what serves.
judged()
{
    local repo=$WORLD/repo commit end

    [[ $2 == *"${AUTHORITY:-}"* ]] || return 0
    [ "$3" = shop ] || repo=$WORLD/$3
    cd "$repo" || fail "cd"
    git checkout -q "$4" || fail "$2: no branch $4"
    rm -rf .reeve
    git checkout -q base -- . || fail "$2: no base"
    eval "$5" || fail "$2: the edit failed"
    git add -A
    git commit -q --allow-empty -m "${7:-$2}"
    commit=$(git rev-parse HEAD)
    fetch_now
    now
    end=$((NOW + 20000))
    until "$1" "$commit" "$6"; do
        now
        [ $NOW -lt $end ] || fail "$2: not said: $6, but: $(said)"
        sleep $LOOK_S
    done
    N=$((N + 1))
    say "$(printf '%3d  %s\n       %s' "$N" "$2" "${6//$WORLD\//}")"
}

# An environment of its own, whose rule allows the host; what it is planned for is refused.
refused_later()
{
    judged is_explained_there "$@"
}

is_explained_there()
{
    [[ $(told) == *"\"commit\":\"$1\""* && $(reeve explain evil-shop 2>/dev/null) == *"$2"* ]]
}

evil_shop()
{
    rm .reeve/app.yaml
    cat >.reeve/new.yaml <<END
apiVersion: reeve/v1
kind: Application
name: evil
services:
  web: {command: ["$APP"], port: 8000, rollout: {min_healthy_time: 0s, bake_time: 100ms}}
domains:
  app: {hosts: $1, routes: {/: {service: web}}}
---
apiVersion: reeve/v1
kind: Environment
name: evil-shop
application: evil
reconcile: {interval: 1s}
END
}

app()
{
    sed -i "$1" .reeve/app.yaml
}

prod()
{
    sed -i "$1" .reeve/prod.yaml
}

is_told_of()
{
    local answer

    answer=$(told)
    [[ $answer == *"\"commit\":\"$1\""* && $(reeve plan prod -o json 2>/dev/null) == *"\"commit\":\"$1\""* ]] && sync_is "$2"
}

refuses()
{
    local status=$1 text=$2 out rc

    shift 2
    out=$(reeve "$@" 2>&1)
    rc=$?
    expect_equal "$*: exit status" $rc "$status"
    expect_has "$*" "$out" "$text"
}
