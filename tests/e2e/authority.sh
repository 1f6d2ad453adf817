#!/bin/bash
# authority: what a committer without rights can write. SPDX-License-Identifier: Apache-2.0
#
# A table of commits, each pushed to a real repository that a running daemon follows. Each is refused: the
# sentence names the place of what was asked, and the rule or the line of the grammar that refuses it. Nothing is
# planned for it or waits for a person, and what serves goes on. AUTHORITY=TEXT runs the rows alone whose
# sentence has the text.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/committers.sh"

# backup DESTINATION [FIELDS]: of a database, for prod
backup()
{
    printf 'databases: {main: {}}\nbackups: {main: {destination: {type: s3, %s}, database: main, schedule: "0 3 * * *", retention: {daily: 1}%s}}\n' "$1" "${2:-}" >>.reeve/prod.yaml
}

refused()
{
    judged is_refused "$@"
}

waits()
{
    judged is_waiting_for "$@"
}

# What became laxer and where stands in the plan.
weakens()
{
    judged is_weakening "$@"
}

is_weakening()
{
    is_waiting_for "$1" "class weaken" && [[ $(reeve plan prod 2>/dev/null) == *"weaken]"*"laxer: $2"* ]]
}

# A document of an environment NAME APPLICATION LINE instead of prod's.
stage()
{
    rm -f .reeve/prod.yaml
    printf 'apiVersion: reeve/v1\nkind: Environment\nname: %s\napplication: %s\n%s\n' "$1" "$2" "${3:-}" >.reeve/new.yaml
}

a_committer_without_rights()
{
    local plans
    local A=.reeve/app.yaml P=.reeve/prod.yaml E=.reeve/new.yaml

    given_world
    write_authority
    given_base
    plans=$(started)

    # names and branches
    refused 'a new environment that no rule names' shop develop 'stage qa shop' \
        "$E:3:7: error: environment 'qa' of source 'shop' matches none of the rules at $RULES [refused-environment]"
    refused 'the same with the name of a rule in another case' shop develop 'stage Stage-1 shop' \
        "$E:3:7: error: name: 'Stage-1' is not a name"
    refused 'production on develop' shop develop 'stage prod shop "trigger: {branch: develop}"' \
        "$E:5:19: error: environment 'prod' is bound to branch 'main' by the rule at $RULE [refused-branch]"
    refused 'production moves itself to develop' shop main 'prod s/main/develop/' \
        "$P:5:19: error: environment 'prod' is bound to branch 'main' by the rule at $RULE [refused-branch]"
    refused 'production from another source' evil develop 'stage prod evil' \
        "$E:3:7: error: environment 'prod' belongs to branch 'main' of source 'shop' ($P:3:7) [refused-name]"
    refused 'another source, on a branch without a rule' evil main 'stage prod evil "trigger: {branch: main}"' \
        "$E:5:19: error: environment 'prod' is bound to branch 'develop'"
    refused 'another source, a name without a rule' evil main 'stage stage-1 evil' \
        "$E:3:7: error: environment 'stage-1' of source 'evil' matches none of the rules at $RULES [refused-environment]"
    refused 'a tag instead of a branch' shop main 'prod "s/branch: main/tag: v1/"' \
        "$P:5:16: error: environment 'prod' is bound to branch 'main' by the rule at $RULE [refused-branch]"
    refused 'a branch with ..' shop main 'prod "s/branch: main/branch: main..develop/"' \
        "$P:5:19: error: trigger.branch: 'main..develop' is not a branch name [type]"
    refused 'a branch spelled as a ref' shop main 'prod "s/branch: main/branch: refs\/heads\/main/"' \
        "$P:5:19: error: environment 'prod' is bound to branch 'main' by the rule at $RULE [refused-branch]"
    refused 'a name with ../' shop main 'prod "s/^name: prod/name: ..\/prod/"' \
        "$P:3:7: error: name: '../prod' is not a name"
    refused 'a name with a line end' shop main 'prod "s/^name: prod/name: \"prod\\\\nx\"/"' \
        "$P:3:7: error: name: "
    refused 'a name with an escape' shop main 'prod "s/^name: prod/name: \"prod\\\\e[2J\"/"' \
        "$P:3:7: error: name: "
    refused 'a name with letters that look alike' shop main 'prod "s/^name: prod/name: prоd/"' \
        "$P:3:7: error: name: "
    refused 'two documents of one name' shop main 'cp .reeve/prod.yaml .reeve/z.yaml' \
        ".reeve/z.yaml:3:7: error: environment 'prod' is also at $P:3:7 [duplicate]"
    refused 'the daemon'"'"'s own document' shop main 'printf "apiVersion: reeve/v1\nkind: Daemon\n" >.reeve/d.yaml' \
        ".reeve/d.yaml:1:1: error: a Daemon document does not belong in a repository [kind]"

    refused 'a preview, to be an environment of its own' shop main \
        'printf "apiVersion: reeve/v1\nkind: Preview\nname: pr\n" >.reeve/pr.yaml' \
        ".reeve/pr.yaml:1:1: error: 'application' is missing [required]"

    # hosts
    refused_later 'the host of another environment, sent on from' evil main \
        'evil_shop "[evil.example.test], redirect_from: [$HOST]"' \
        ".reeve/new.yaml:7:3: error: host '$HOST' belongs to environment 'prod' of source 'shop' ($A:15:3) [refused-host]"
    refused_later 'the host of another environment' evil main \
        'evil_shop "[$HOST]"; sed -i 6G .reeve/new.yaml' \
        ".reeve/new.yaml:8:3: error: host '$HOST' belongs to environment 'prod' of source 'shop' ($A:15:3) [refused-host]"
    refused 'a host of somebody else' shop main 'app s/$HOST/evil.example.com/' \
        "$A:15:17: error: host 'evil.example.com' is not allowed by the rule at $RULE [refused-domain]"
    refused 'the same beside its own' shop main 'app "s/\[$HOST\]/[$HOST, evil.example.com]/"' \
        "$A:15:36: error: host 'evil.example.com' is not allowed by the rule at $RULE [refused-domain]"
    refused 'a host above its own' shop main 'app s/$HOST/example.test/' \
        "$A:15:17: error: host 'example.test' is not allowed by the rule at $RULE [refused-domain]"
    refused 'two labels where one is allowed' shop main 'app s/$HOST/a.b.$HOST/' \
        "$A:15:17: error: host 'a.b.$HOST' is not allowed by the rule at $RULE [refused-domain]"
    refused 'a host that only ends alike' shop main 'app s/$HOST/evil$HOST/' \
        "$A:15:17: error: host 'evil$HOST' is not allowed by the rule at $RULE [refused-domain]"
    refused 'a host in capitals' shop main 'app s/$HOST/EVIL.EXAMPLE.COM/' \
        "$A:15:17: error: host 'evil.example.com' is not allowed by the rule at $RULE [refused-domain]"
    refused 'a host with a final dot' shop main 'app s/$HOST/$HOST./' \
        "$A:15:17: error: domains.app.hosts: '$HOST.' is not a host name"
    refused 'a host of every name' shop main 'app "s/$HOST/\"*.$HOST\"/"' \
        "$A:15:17: error: domains.app.hosts: \"*.$HOST\" is not a host name"
    refused 'a host in other letters' shop main 'app s/$HOST/shоp.example.test/' \
        "$A:15:17: error: domains.app.hosts: "
    refused 'the same as a name that it becomes' shop main 'app s/$HOST/xn--shp-ulc.example.test/' \
        "$A:15:17: error: host 'xn--shp-ulc.example.test' is not allowed by the rule at $RULE [refused-domain]"
    refused 'a host with a port' shop main 'app "s/$HOST/\"$HOST:8080\"/"' \
        "$A:15:17: error: domains.app.hosts: "
    refused 'a host by interpolation' shop main 'app "s/$HOST/\"\\\${env}.example.com\"/"' \
        "$A:15:17: error: host 'prod.example.com' is not allowed by the rule at $RULE [refused-domain]"
    refused 'a host that the environment puts over the application'"'"'s' shop main \
        'echo "domains: {app: {hosts: [evil.example.com]}}" >>.reeve/prod.yaml' \
        "$P:7:25: error: host 'evil.example.com' is not allowed by the rule at $RULE [refused-domain]"

    refused 'a host of somebody else that it sends on from' shop main \
        'app "s/hosts: .$HOST.,/&\ redirect_from: [evil.example.com],/"' \
        "$A:15:53: error: host 'evil.example.com' is not allowed by the rule at $RULE [refused-domain]"

    # secrets
    refused 'a secret of another environment' shop main 'app "s/\\\${env}/other/"' \
        "$A:13:12: error: secret 'session': files:shop/other/session is not allowed by the rule at $RULE [refused-secret]"
    refused 'a path that only begins alike' shop main 'app "s/\\\${env}/\\\${env}uction/"' \
        "$A:13:12: error: secret 'session': files:shop/production/session is not allowed by the rule at $RULE [refused-secret]"
    refused 'a path with ..' shop main 'app "s/\\\${env}/\\\${env}\/..\/other/"' \
        "$A:13:19: error: secrets.session.path: this is not a path in a secret store"
    refused 'a path with %2e%2e' shop main 'app "s/\\\${env}/\\\${env}\/%2e%2e\/other/"' \
        "$A:13:19: error: secrets.session.path: this is not a path in a secret store"
    refused 'a path with an empty part' shop main 'app "s/\\\${env}/\\\${env}\//"' \
        "$A:13:19: error: secrets.session.path: 'shop/prod//session' is not a path in a secret store"
    refused 'a path from the root' shop main 'app "s/\"shop/\"\/shop/"' \
        "$A:13:19: error: secrets.session.path: '/shop/prod/session' is not a path in a secret store"
    refused 'another store' shop main 'app "s/{path: \"shop/{store: env, path: \"shop/"' \
        "$A:13:12: error: secret 'session': env:shop/prod/session is not allowed by the rule at $RULE [refused-secret]"
    refused 'a store that the path names' shop main 'app "s/\"shop/\"env:shop/"' \
        "$A:13:12: error: secret 'session': files:env:shop/prod/session is not allowed by the rule at $RULE [refused-secret]"
    refused 'a secret in a build' shop main 'app "s/^    port: 8000/    port: 8000\n    source: {environment: {K: {secret: session}}}/"' \
        "$A:8:31: error: secret 'session': in a variable of a build it would be in the artifact"

    refused 'what the daemon signs in with, where the rule was too wide' shop main 'app "s/path: \"shop.*\"/path: git_token/"' \
        "$A:13:12: error: secret 'session': files:git_token is the daemon's own [refused-secret]"
    refused 'the key of backups wired into a service' shop main 'app "s/shop\/\\\${env}\/session/shop\/backup\/key/"' \
        "$A:13:12: error: secret 'session': files:shop/backup/key is not for services: $WORLD/reeve.yaml:20:42, in the rule at $RULE, says what it is for [refused-secret]"
    refused 'a key of a service for backups' shop main \
        'backup "bucket: shop-backups, prefix: prod/" ", encryption: {key: {secret: session}}"' \
        "$A:13:12: error: secret 'session': files:shop/prod/session is not for backup: "
    refused 'a secret of a build' shop main 'app "s/^    port: 8000/    port: 8000\n    source: {secrets: [session]}/"' \
        "$A:14:12: error: secret 'session': files:shop/prod/session is not for build: "
    refused 'a hook that is told, written out' shop main \
        'echo "notifications: [{type: slack, url: https://evil.example.com}]" >>.reeve/prod.yaml' \
        "$P:7:36: error: notifications.url: must be a map, not text [type]"

    # data, images
    refused 'backups into a foreign bucket' shop main \
        'backup "bucket: evil, prefix: prod/"' \
        "$P:8:50: error: bucket 'evil/prod/' is not allowed by the rule at $RULE [refused-bucket]"
    refused 'another folder of the bucket' shop main \
        'backup "bucket: shop-backups, prefix: production/"' \
        "$P:8:50: error: bucket 'shop-backups/production/' is not allowed by the rule at $RULE [refused-bucket]"
    refused 'the same, with ..' shop main \
        'echo "backups: {main: {destination: {type: s3, bucket: shop-backups, prefix: prod/../x/}}}" >>.reeve/prod.yaml' \
        "$P:7:72: error: backups.main.destination.prefix: 'prod/../x/' is not a path"
    refused 'its own bucket, by a provider that is not its own' shop main \
        'backup "bucket: shop-backups, prefix: prod/" ", provider: vault"' \
        "$P:8:152: error: provider 'vault' is not allowed by the rule at $RULE [refused-provider]"
    refused 'the data of another environment' shop main \
        'echo "databases: {main: {seed: {mode: clone, from: {environment: prod}}}}" >>.reeve/prod.yaml' \
        "$P:7:60: error: the data of environment 'prod' is not allowed here by the rule at $RULE [refused-seed]"
    refused 'the same, every morning' shop main \
        'echo "databases: {main: {refresh: {from: {environment: prod}, schedule: \"0 6 * * *\"}}}" >>.reeve/prod.yaml' \
        "$P:7:50: error: the data of environment 'prod' is not allowed here by the rule at $RULE [refused-seed]"
    refused 'an image of another registry' shop main 'app "s/^    port: 8000/    port: 8000\n    image: evil.example.com\/shop:1/"' \
        "$A:8:12: error: image 'evil.example.com/shop:1' is not allowed by the rule at $RULE [refused-registry]"
    refused 'a folder of the registry that begins alike' shop main 'app "s/^    port: 8000/    port: 8000\n    image: registry.example.test\/shopping\/x/"' \
        "$A:8:12: error: image 'registry.example.test/shopping/x' is not allowed by the rule at $RULE [refused-registry]"
    refused 'a lowered trailer' shop main \
        'app "s/^    port: 8000/    port: 8000\n    release: {command: [\"true\"], schema_change: contract}/"' \
        "$A:8:49: error: the commit says 'Schema-Change: none', which may only raise 'contract' [refused-trailer]" \
        $'a migration\n\nSchema-Change: none'
    refused 'a trailer that says nothing known' shop main \
        'app "s/^    port: 8000/    port: 8000\n    release: {command: [\"true\"], schema_change: contract}/"' \
        "$A:8:14: error: the commit says 'Schema-Change: contract, none' [refused-trailer]" \
        $'a migration\n\nSchema-Change: contract\nSchema-Change: none'

    # providers, ceilings, variables
    refused 'a provider that the rule does not give' shop main 'app "s/^    port: 8000/    port: 8000\n    provider: vault/"' \
        "$A:8:15: error: provider 'vault' is not allowed by the rule at $RULE [refused-provider]"
    refused 'its own provider in capitals' shop main 'app "s/^    port: 8000/    port: 8000\n    provider: LOCAL/"' \
        "$A:8:15: error: services.web.provider: 'LOCAL' is not a name"
    refused 'the edge as a provider of services' shop main 'app "s/^    port: 8000/    port: 8000\n    provider: edge/"' \
        "$A:8:15: error: provider 'edge' is not allowed by the rule at $RULE [refused-provider]"
    refused 'more instances than the ceiling' shop main 'app s/replicas:.1/replicas:\ 3/' \
        "$A:8:15: error: 3 replicas, at most 2 are allowed by the rule at $RULE [refused-ceiling]"
    refused 'the same, by an anchor and a merge key' shop main \
        'app "s/^services:/services:\n  far: \&far {replicas: 9, enabled: false, command: [x]}/; s/^    replicas: 1/    <<: *far\n    enabled: true/"' \
        "$A:5:24: error: 9 replicas, at most 2 are allowed by the rule at $RULE [refused-ceiling]"
    refused 'the same, put over by the environment' shop main \
        'echo "services: {web: {replicas: 1000}}" >>.reeve/prod.yaml' \
        "$P:7:28: error: 1000 replicas, at most 2 are allowed by the rule at $RULE [refused-ceiling]"
    refused 'its own ceiling' shop main 'prod "\$ a ceiling: {replicas: 9}"' "$P:7:1: error: unknown field 'ceiling'"
    refused 'its own budget' shop main 'prod "\$ a budget: {deletes: 100%}"' "$P:7:1: error: unknown field 'budget'"
    refused 'a number that overflows' shop main 'app "s/replicas: 1/replicas: 18446744073709551617/"' \
        "$A:8:15: error: services.web.replicas: "
    refused 'its instances as root' shop main 'app "s/^    port: 8000/    port: 8000\n    user: root/"' \
        "$A:8:11: error: provider 'local' (driver process) does not carry a user inside a container [unsupported]"
    refused 'LD_PRELOAD' shop main 'app "s/VERSION: \"v1\"/LD_PRELOAD: \/tmp\/x.so/"' \
        "$A:9:19: error: services.web.environment: 'LD_PRELOAD' is not a variable that may be set"
    refused 'PATH' shop main 'app "s/VERSION: \"v1\"/PATH: \/tmp/"' \
        "$A:9:19: error: services.web.environment: 'PATH' is not a variable that may be set"
    refused 'NODE_OPTIONS' shop main 'app "s/VERSION: \"v1\"/NODE_OPTIONS: --require=x/"' \
        "$A:9:19: error: services.web.environment: 'NODE_OPTIONS' is not a variable that may be set"
    refused 'PYTHONPATH' shop main 'app "s/VERSION: \"v1\"/PYTHONPATH: \/tmp/"' \
        "$A:9:19: error: services.web.environment: 'PYTHONPATH' is not a variable that may be set"
    refused 'a variable of the daemon' shop main 'app "s/VERSION: \"v1\"/REEVE_SECRET_GIT_TOKEN: x/"' \
        "$A:9:19: error: services.web.environment: 'REEVE_SECRET_GIT_TOKEN' is not a variable that may be set"
    refused 'a variable that holds another one' shop main 'app "s/VERSION: \"v1\"/\"A=1\\\\nLD_PRELOAD\": x/"' \
        "$A:9:19: error: services.web.environment: "
    refused 'the code of another folder' shop main 'app "s/^    port: 8000/    port: 8000\n    source: {context: ..\/..\/etc}/"' \
        "$A:8:23: error: services.web.source.context: '../../etc' is not a relative path in the repository"
    refused 'the files of the machine' shop main 'app "s/^    port: 8000/    port: 8000\n    source: {context: \/etc}/"' \
        "$A:8:23: error: services.web.source.context: '/etc' is not a relative path in the repository"

    # policy
    refused 'a rule waived that nobody lets be waived' shop main \
        'echo "waive: [{rule: secret-literal, reason: x}]" >>.reeve/prod.yaml; app "s/VERSION: \"v1\"/API_KEY: abc/"' \
        "$P:7:16: error: rule 'secret-literal' may not be waived: it is not among floor.waivable of the rule at $RULE [refused-waiver]"
    refused 'the rule waived that keeps its code apart' shop main \
        'echo "waive: [{rule: isolation-none, reason: x}]" >>.reeve/prod.yaml' \
        "$P:7:16: error: rule 'isolation-none' cannot be waived [waiver]"
    refused 'a secret written out' shop main 'app "s/VERSION: \"v1\"/API_KEY: abc/"' \
        "$A:9:28: error: the value of API_KEY is written out [secret-literal]"
    refused 'a freeze that no clock has' shop main 'prod "s/16:00/26:00/"' \
        "$P:6:108: error: approval.freeze.from: \"26:00\" is not a time of the day"
    weakens 'the freeze is removed' shop main 'prod "s/, freeze: .*/}/"' "approval.freeze without {days: [$OTHER_DAY], from: 16:00, to: 18:00"
    weakens 'the freeze is shortened' shop main 'prod "s/18:00/16:01/"' "approval.freeze without {days: [$OTHER_DAY], from: 16:00, to: 18:00"
    waits 'approval: auto where the floor says manual' shop main 'prod s/manual/auto/' "$P:6:20: approval.policy: \"auto\" is laxer than the floor of the rule at $RULE, which holds"
    weakens 'more classes pass without a person' shop main 'prod "s/destroy, //"' "approval.require_for without destroy  $P:6:11"
    weakens 'approvals last longer' shop main 'prod s/8h/24h/' "approval.expires from 8h to 1d  $P:6:11"
    waits 'who made it may approve it' shop main 'prod "s/policy: manual/policy: manual, allow_self: true, approvers: [user:eve]/"' "by user:eve and by user:$(id -un)"
    weakens 'what is watched after a switch is not watched' shop main 'app "s/, abort_if: {error_rate: 2%}//"' "rollout.abort_if.error_rate from 2% to none, rollout.abort_if.min_requests from 20 to none  $A:5:3"
    weakens 'the service without its check' shop main 'app /healthcheck/d' "healthcheck.readiness is gone  $A:5:3"
    weakens 'its check takes any answer' shop main 'app "s/path: \/healthz/path: \/healthz, expect_status: [200, 404, 500]/"' \
        "healthcheck.readiness.http.expect_status also 404, 500  $A:5:3"
    weakens 'its check takes a connection for an answer' shop main 'app "s/http: {path: \/healthz}/tcp: true/"' \
        "healthcheck.readiness.http is gone  $A:5:3"
    waits 'the service itself is left out' shop main 'prod "\$ a services: {web: {enabled: false}}"; app "/^domains/,\$ d"' "class budget"
    waits 'a branch that is moved to another history' shop main 'git update-ref -d HEAD; app "s/replicas: 1/replicas: 2/"' "rewound: commit"

    expect_equal "plans that were started meanwhile" "$(started)" "$plans"
    expect_serves v1
    say "refused, or waiting for a person: $N commits; plans started: 0"
}

# The plan of a commit waits for the end, though nobody has to approve it.
a_commit_waits_in_a_freeze()
{
    given_world
    write_authority
    sed -i "s/floor: {approval: manual, .*/floor: {freeze: [{from: \"00:00\", to: \"00:00\"}]}/" "$WORLD/reeve.yaml"
    cd "$WORLD/repo" || fail "cd"
    write_base
    prod 's/policy: manual/policy: auto/'
    commit base
    git init -q -b main "$WORLD/evil"
    start_daemon
    await 20 "it is frozen" sync_is frozen
    expect_has "until when" "$(reeve explain prod)" 'frozen until '
    expect_equal "plans that were started" "$(started)" 0
    reeve approve "$(plan_id)" --reason 'it would never end' --no-wait >/dev/null || fail approve
    refuses 5 'it needs override' approve "$(plan_id)" --reason 'in a hurry' --override
    expect_equal "plans that were started" "$(started)" 0
    stop_daemon
    cp "$WORLD/reeve.yaml" "$WORLD/frozen.yaml"
    sed -i "s/^auth: .*/auth: {same_user: allow, local: {admin: [user:$(id -un)], override: [user:$(id -un)]}}/" "$WORLD/reeve.yaml"
    app s/'"v1"'/'"v2"'/
    commit 'in a hurry'
    start_daemon
    await 20 "it is frozen" is_told_of "$(git rev-parse HEAD)" frozen
    reeve approve "$(plan_id)" --reason 'the shop is down' --override >/dev/null || fail override
    expect_serves v2
    stop_daemon
    cp "$WORLD/frozen.yaml" "$WORLD/reeve.yaml"
    app s/'"v2"'/'"v3"'/
    commit 'later'
    sed -i 's/, floor: {freeze.*//; /floor: {freeze/d' "$WORLD/reeve.yaml"
    start_daemon
    await 20 "what was applied under the freeze is laxer without it" is_told_of "$(git rev-parse HEAD)" waiting
    reeve approve "$(plan_id)" --reason 'it is over' >/dev/null || fail approve
    expect_serves v3
}

# What a commit says of the schema counts until it is applied, whatever lies on top of it.
a_trailer_counts_below_others()
{
    local plan

    given_world
    write_authority
    given_base
    app 's/^    port: 8000/    port: 8000\n    release: {command: ["true"]}/; s/"v1"/"v2"/'
    commit $'a migration\n\nSchema-Change: contract'
    app 's/"v2"/"v3"/'
    commit 'and more'
    fetch_now
    await 20 "it waits" is_told_of "$(git rev-parse HEAD)" waiting
    plan=$(reeve plan prod -o json)
    expect_has "the plan" "$plan" '"on_unknown":"park"'
    expect_has_not "the plan" "$plan" '"lane":"revert"'
    reeve approve "$(plan_id)" --reason 'both' >/dev/null || fail approve
    expect_serves v3
    app 's/"v3"/"v4"/; s/"true"/"true", "x"/'
    commit 'it was applied'
    fetch_now
    await 20 "it waits" is_told_of "$(git rev-parse HEAD)" waiting
    plan=$(reeve plan prod -o json)
    expect_has "the plan" "$plan" '"kind":"release"'
    expect_has_not "the plan" "$plan" '"on_unknown":"park"'
    expect_has "the plan" "$plan" '"lane":"revert"'
}

run_cases a_committer_without_rights a_commit_waits_in_a_freeze a_trailer_counts_below_others
