-- schema: every table of the state file, version 3. SPDX-License-Identifier: Apache-2.0
--
-- Tables and columns are those of tables.def, in its order; a test compares the two. documents,
-- events and event_bodies stand here alone. Digests are 32 bytes, times end in _ms, places
-- in the history in _seq.
--
-- There are no foreign keys: many callers share one commit, and a deferred violation of one of them
-- would fail them all. Replay of the events proves what foreign keys would.
--
-- WITHOUT ROWID where rows are short and found by their key alone.

CREATE TABLE meta (
    k TEXT NOT NULL PRIMARY KEY,
    v TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    kind TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;

-- The history

CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    cause TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    env TEXT CHECK (env <> ''),
    body_hash BLOB NOT NULL CHECK (length(body_hash) = 32),
    prev_hash BLOB NOT NULL CHECK (length(prev_hash) = 32),
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX events_of_env ON events (env, seq) WHERE env IS NOT NULL;
CREATE INDEX events_snapshots ON events (seq) WHERE kind = 'snapshot';

CREATE TABLE event_bodies (
    seq INTEGER NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

CREATE TRIGGER events_stay BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
CREATE TRIGGER events_stand BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_chain BEFORE INSERT ON events
WHEN NEW.seq <> coalesce((SELECT max(seq) FROM events), 0) + 1
BEGIN SELECT RAISE(ABORT, 'events follow one another'); END;
CREATE TRIGGER event_bodies_stand BEFORE UPDATE ON event_bodies
BEGIN SELECT RAISE(ABORT, 'event bodies are never changed'); END;

-- What was asked for

CREATE TABLE sources (
    name TEXT NOT NULL PRIMARY KEY,
    url TEXT NOT NULL,
    config_digest BLOB NOT NULL,
    error TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE source_heads (
    source TEXT NOT NULL,
    branch TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    tree_id TEXT NOT NULL,
    seen_ms INTEGER NOT NULL,
    gone_ms INTEGER,
    error TEXT,
    PRIMARY KEY (source, branch)
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    source TEXT NOT NULL,
    delivery TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    body_hash BLOB NOT NULL,
    word TEXT NOT NULL,
    PRIMARY KEY (source, delivery)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_body ON deliveries (source, body_hash);
CREATE INDEX deliveries_age ON deliveries (at_ms);

CREATE TABLE environments (
    uid TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    branch TEXT NOT NULL,
    commit_id TEXT,
    tree_id TEXT,
    apply_seq INTEGER NOT NULL,
    live_rev BLOB,
    proven_rev BLOB,
    route_gen INTEGER NOT NULL,
    sync TEXT NOT NULL,
    health TEXT NOT NULL,
    reason TEXT NOT NULL,
    ask TEXT,
    ask_revision BLOB,
    ask_actor TEXT,
    ask_overrides INTEGER NOT NULL,
    deleted_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX environments_name ON environments (name) WHERE deleted_ms IS NULL;

CREATE TABLE hosts (
    host TEXT NOT NULL PRIMARY KEY,
    env TEXT NOT NULL,
    place TEXT NOT NULL,
    since_seq INTEGER NOT NULL
) STRICT;

CREATE TABLE revisions (
    env TEXT NOT NULL,
    digest BLOB NOT NULL,
    n INTEGER NOT NULL,
    doc BLOB NOT NULL,
    made_seq INTEGER NOT NULL,
    proven_seq INTEGER,
    commit_id TEXT,
    PRIMARY KEY (env, digest)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX revisions_n ON revisions (env, n);

CREATE TABLE revision_commits (
    env TEXT NOT NULL,
    digest BLOB NOT NULL,
    commit_id TEXT NOT NULL,
    author TEXT NOT NULL,
    summary TEXT NOT NULL,
    seen_seq INTEGER NOT NULL,
    PRIMARY KEY (env, digest, commit_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifacts (
    key BLOB NOT NULL,
    made_for TEXT NOT NULL,
    output_digest BLOB,
    state TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    PRIMARY KEY (key, made_for)
) STRICT, WITHOUT ROWID;
CREATE INDEX artifacts_of_env ON artifacts (made_for);

CREATE TABLE releases (
    env TEXT NOT NULL,
    key BLOB NOT NULL,
    service TEXT NOT NULL,
    state TEXT NOT NULL,
    done_seq INTEGER NOT NULL,
    PRIMARY KEY (env, key)
) STRICT, WITHOUT ROWID;

-- What there is: valid from valid_from until before valid_to

CREATE TABLE resources (
    env TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to INTEGER,
    incarnation INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    provider TEXT NOT NULL,
    provider_id TEXT,
    owner TEXT NOT NULL,
    desired BLOB,
    observed BLOB,
    outputs TEXT NOT NULL,
    status TEXT NOT NULL,
    protect TEXT NOT NULL,
    drift TEXT NOT NULL,
    reason TEXT NOT NULL,
    was TEXT,
    PRIMARY KEY (env, kind, name, valid_from)
) STRICT;
CREATE UNIQUE INDEX resources_now ON resources (env, kind, name) WHERE valid_to IS NULL;
CREATE UNIQUE INDEX resources_id ON resources (provider, provider_id)
    WHERE valid_to IS NULL AND provider_id IS NOT NULL AND status <> 'gone';

-- What we do about it

CREATE TABLE plans (
    id BLOB NOT NULL PRIMARY KEY,
    env TEXT NOT NULL,
    base_seq INTEGER NOT NULL,
    target BLOB NOT NULL,
    doc BLOB NOT NULL,
    cause TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    made_seq INTEGER NOT NULL,
    started_seq INTEGER,
    ended_seq INTEGER,
    expires_ms INTEGER,
    superseded_by BLOB,
    needs TEXT,
    authors_to TEXT
) STRICT;
CREATE INDEX plans_of_env ON plans (env, made_seq);
-- few of them: what is over stays, and is many
CREATE INDEX plans_standing ON plans (env, made_seq)
    WHERE state IN ('open', 'waiting', 'approved', 'rejected', 'applying');
-- beside one that waits for a person another one repairs
CREATE UNIQUE INDEX plans_applying ON plans (env)
    WHERE state = 'applying' AND cause NOT IN ('repair', 'drift');

CREATE TABLE plan_reads (
    plan BLOB NOT NULL,
    subject TEXT NOT NULL,
    path TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (plan, subject, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX plan_reads_subject ON plan_reads (subject);

CREATE TABLE plan_authors (
    plan BLOB NOT NULL,
    mail TEXT NOT NULL,
    name TEXT NOT NULL,
    is_signer INTEGER NOT NULL,
    commit_id TEXT NOT NULL,
    PRIMARY KEY (plan, mail)
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
    plan BLOB NOT NULL,
    actor TEXT NOT NULL,
    verdict TEXT NOT NULL,
    class TEXT NOT NULL,
    reason TEXT NOT NULL,
    principals TEXT NOT NULL,
    at_seq INTEGER NOT NULL,
    person TEXT NOT NULL,
    signature TEXT,
    until_ms INTEGER,
    PRIMARY KEY (plan, actor)
) STRICT, WITHOUT ROWID;

CREATE TABLE operations (
    uid TEXT NOT NULL PRIMARY KEY,
    plan BLOB NOT NULL,
    item INTEGER NOT NULL,
    step INTEGER NOT NULL,
    env TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    provider TEXT NOT NULL,
    action TEXT NOT NULL,
    phase TEXT NOT NULL,
    outcome TEXT,
    key TEXT NOT NULL,
    owner TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    deaths INTEGER NOT NULL,
    expected TEXT NOT NULL,
    desired BLOB,
    provider_id TEXT,
    token TEXT,
    intent_ms INTEGER NOT NULL,
    not_before_ms INTEGER,
    poll_at_ms INTEGER,
    deadline_ms INTEGER NOT NULL,
    verdict TEXT,
    acted TEXT,
    message TEXT
) STRICT;
CREATE INDEX operations_of_plan ON operations (plan, item);
CREATE INDEX operations_of_env ON operations (env, intent_ms);
CREATE INDEX operations_switched ON operations (plan, item) WHERE kind = 'switch' AND outcome = 'done';
CREATE INDEX operations_generations ON operations (plan, name) WHERE kind = 'routes' AND action = 'create';
CREATE UNIQUE INDEX operations_open ON operations (env, kind, name) WHERE outcome IS NULL;
CREATE INDEX operations_parked ON operations (env, kind, name) WHERE outcome = 'parked';

CREATE TABLE rollouts (
    uid TEXT NOT NULL PRIMARY KEY,
    plan BLOB NOT NULL,
    env TEXT NOT NULL,
    grp TEXT NOT NULL,
    group_digest BLOB NOT NULL,
    from_rev BLOB,
    to_rev BLOB NOT NULL,
    state TEXT NOT NULL,
    step INTEGER NOT NULL,
    culprit TEXT,
    reason TEXT,
    lost INTEGER NOT NULL,
    at_fault INTEGER NOT NULL,
    counters TEXT NOT NULL,
    began_seq INTEGER NOT NULL,
    ended_seq INTEGER
) STRICT;
CREATE INDEX rollouts_of_plan ON rollouts (plan);
CREATE INDEX rollouts_of_env ON rollouts (env, began_seq);

CREATE TABLE gates (
    operation TEXT NOT NULL PRIMARY KEY,
    need TEXT NOT NULL,
    have TEXT NOT NULL,
    baseline TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    length_ms INTEGER NOT NULL,
    verdict TEXT,
    advanced_by TEXT
) STRICT;
CREATE INDEX gates_open ON gates (operation) WHERE verdict IS NULL;

CREATE TABLE samples (
    gate TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    subject TEXT NOT NULL,
    ok INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (gate, at_ms, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE sets (
    env TEXT NOT NULL,
    service TEXT NOT NULL,
    set_key BLOB NOT NULL,
    colour TEXT NOT NULL,
    state TEXT NOT NULL,
    backend TEXT,
    replicas INTEGER NOT NULL,
    desired BLOB NOT NULL,
    group_digest BLOB,
    revision BLOB NOT NULL,
    proven_seq INTEGER,
    since_ms INTEGER NOT NULL,
    keep_ms INTEGER,
    kept_by BLOB,
    PRIMARY KEY (env, service, set_key)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX sets_live ON sets (env, service) WHERE state = 'live';
CREATE UNIQUE INDEX sets_previous ON sets (env, service) WHERE state = 'previous';

CREATE TABLE instances (
    env TEXT NOT NULL,
    service TEXT NOT NULL,
    set_key BLOB NOT NULL,
    ordinal INTEGER NOT NULL,
    provider_id TEXT NOT NULL,
    address TEXT NOT NULL,
    state TEXT NOT NULL,
    restarts INTEGER NOT NULL,
    exit TEXT,
    PRIMARY KEY (env, service, set_key, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE routes (
    env TEXT NOT NULL,
    route_gen INTEGER NOT NULL,
    route TEXT NOT NULL,
    backend TEXT NOT NULL,
    weight INTEGER NOT NULL,
    canary TEXT,
    rules TEXT,
    PRIMARY KEY (env, route_gen, route)
) STRICT, WITHOUT ROWID;

-- What holds it back

CREATE TABLE quarantine (
    env TEXT NOT NULL,
    group_digest BLOB NOT NULL,
    culprit TEXT NOT NULL,
    reason TEXT NOT NULL,
    rollout TEXT,
    until_ms INTEGER,
    lifted_by TEXT,
    PRIMARY KEY (env, group_digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE holds (
    uid TEXT NOT NULL PRIMARY KEY,
    env TEXT NOT NULL,
    service TEXT,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    until_ms INTEGER,
    ended_seq INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_open ON holds (env) WHERE ended_seq IS NULL;

CREATE TABLE secret_versions (
    env TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    seen_ms INTEGER NOT NULL,
    gone_ms INTEGER,
    PRIMARY KEY (env, name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE spec_cache (
    blob_id TEXT NOT NULL,
    path TEXT NOT NULL,
    grammar TEXT NOT NULL,
    doc TEXT NOT NULL,
    messages TEXT NOT NULL,
    PRIMARY KEY (blob_id, path, grammar)
) STRICT;

CREATE TABLE replica (
    id TEXT NOT NULL PRIMARY KEY,
    url TEXT NOT NULL,
    state TEXT NOT NULL,
    heard_ms INTEGER NOT NULL,
    head_seq INTEGER NOT NULL,
    head_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE job_runs (
    env TEXT NOT NULL,
    job TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    cause TEXT NOT NULL,
    actor TEXT NOT NULL,
    state TEXT NOT NULL,
    provider TEXT NOT NULL,
    owner TEXT NOT NULL,
    revision BLOB NOT NULL,
    began_ms INTEGER,
    ended_ms INTEGER,
    exit INTEGER,
    message TEXT,
    is_left INTEGER NOT NULL,
    PRIMARY KEY (env, job, at_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_runs_open ON job_runs (env) WHERE state IN ('waiting', 'running') OR is_left = 1;

CREATE TABLE anchors (
    seq INTEGER NOT NULL,
    place TEXT NOT NULL,
    hash BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    proof TEXT,
    PRIMARY KEY (seq, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    uid TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    target TEXT NOT NULL,
    terminal INTEGER NOT NULL,
    body TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    next_ms INTEGER NOT NULL,
    done_seq INTEGER,
    env TEXT NOT NULL DEFAULT '',
    word TEXT NOT NULL DEFAULT '',
    made_ms INTEGER NOT NULL DEFAULT 0,
    done_ms INTEGER,
    outcome TEXT,
    error TEXT,
    digest TEXT
) STRICT;
CREATE INDEX outbox_due ON outbox (next_ms) WHERE done_seq IS NULL;
CREATE UNIQUE INDEX outbox_terminal ON outbox (subject, target) WHERE terminal = 1;
CREATE INDEX outbox_waiting ON outbox (target, uid) WHERE done_seq IS NULL;
CREATE INDEX outbox_done ON outbox (target, done_ms) WHERE done_seq IS NOT NULL;
CREATE INDEX outbox_of_env ON outbox (env, uid);

-- Who may come in

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    roles TEXT NOT NULL,
    scope TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_ms INTEGER,
    revoked_ms INTEGER,
    revoked_by TEXT,
    epoch INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE token_uses (
    id TEXT NOT NULL PRIMARY KEY,
    used_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE people (
    name TEXT NOT NULL PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    groups TEXT NOT NULL,
    first_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE passwords (
    person TEXT NOT NULL PRIMARY KEY,
    hash TEXT NOT NULL,
    changed_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    hash BLOB NOT NULL PRIMARY KEY,
    person TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    groups TEXT NOT NULL,
    address TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_person ON sessions (person, made_ms);

CREATE TABLE lockouts (
    hash BLOB NOT NULL PRIMARY KEY,
    person TEXT NOT NULL,
    place TEXT NOT NULL,
    n_failures INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX lockouts_last ON lockouts (last_ms);

CREATE TABLE replies (
    key BLOB NOT NULL PRIMARY KEY,
    body BLOB NOT NULL,
    answer TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX replies_at ON replies (at_ms);
