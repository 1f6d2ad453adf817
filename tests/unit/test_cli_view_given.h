/* A state with an environment that waits for an approval, and what is asked of it. SPDX-License-Identifier: Apache-2.0
 *
 * Each test has one of its own (setup, teardown); `expect` is of a text in the arena of a world `w`.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/view.h"
#include "specs/digest.h"
#include "specs/json_io.h"
#include "state/tx.h"

#define T0 1732099031000

struct world {
    struct arena arena;
    char dir[32];
    struct db *db;
    struct tx *tx;
    int64_t time_ms;
    struct view view;
    struct digest plan, revision, key;
};

static inline struct digest some(unsigned char byte)
{
    struct digest d;

    memset(d.b, byte, sizeof(d.b));
    return d;
}

static inline void begin(struct world *w, const char *kind, const char *subject, const char *cause)
{
    struct err err = ERR_INIT;
    const struct tx_head head = { .time_ms = w->time_ms += 1000,
                                  .mono_ms = 1,
                                  .epoch = 1,
                                  .actor = S("local:ann(1000)"),
                                  .cause = str_from_c(cause),
                                  .kind = str_from_c(kind),
                                  .subject = str_from_c(subject),
                                  .env = S("e1") };

    assert_int_equal(db_batch_begin(w->db, &err), 0);
    assert_int_equal(tx_begin(w->db, &head, &w->tx, &err), 0);
}

static inline void put(struct world *w, enum record record, const void *rec)
{
    struct err err = ERR_INIT;

    if (tx_put(w->tx, record, rec, &err))
        fail_msg("%s", err.text);
}

static inline struct digest put_document(struct world *w, const char *kind, const char *json)
{
    struct value *v;
    struct err err = ERR_INIT;
    struct digest d;

    assert_int_equal(json_parse(&w->arena, str_from_c(json), 1 << 20, &v, &err), 0);
    d = digest_value(&w->arena, str_from_c(kind), v);
    if (tx_document(w->tx, str_from_c(kind), &d, json_format(&w->arena, v), &err))
        fail_msg("%s", err.text);
    return d;
}

static inline int64_t commit(struct world *w)
{
    struct err err = ERR_INIT;
    int64_t seq = tx_seq(w->tx);

    if (tx_commit(w->tx, &err) || db_batch_commit(w->db, &err))
        fail_msg("%s", err.text);
    return seq;
}

static inline void given_environment(struct world *w)
{
    begin(w, "environment.accepted", "staging", "");
    put(w, REC_source,
        &(struct rec_source){ .name = S("acme"), .url = S("file:///x"), .config_digest = some(1) });
    put(w, REC_head,
        &(struct rec_head){ S("acme"), S("develop"), S("8f31c2a0"), S("tree"), T0, REC_NONE,
                            STR_NONE });
    put(w, REC_environment,
        &(struct rec_environment){ .uid = S("e1"),
                                   .name = S("staging"),
                                   .source = S("acme"),
                                   .branch = S("develop"),
                                   .commit_id = S("8f31c2a0"),
                                   .live_rev = w->revision,
                                   .route_gen = 3,
                                   .sync = S("waiting"),
                                   .health = S("healthy"),
                                   .reason = S("approval: manual"),
                                   .deleted_ms = REC_NONE });
    (void)commit(w);
}

static inline void given_revision(struct world *w)
{
    struct rec_revision rev = { S("e1"), w->revision, 7, { { 0 } }, 1, 1, S("8f31c2a0") };

    begin(w, "revision.seen", "revision", "commit:8f31c2a0");
    rev.doc = put_document(w, "revision", "{\"a\":1}");
    put(w, REC_revision, &rev);
    put(w, REC_revision_commit,
        &(struct rec_revision_commit){ S("e1"), w->revision, S("8f31c2a0"), S("ann"), S("add x"),
                                       1 });
    put(w, REC_set,
        &(struct rec_set){ .env = S("e1"),
                           .service = S("api"),
                           .set_key = w->key,
                           .colour = S("blue"),
                           .state = S("live"),
                           .replicas = 1,
                           .desired = some(9),
                           .revision = w->revision,
                           .proven_seq = REC_NONE,
                           .since_ms = T0,
                           .keep_ms = REC_NONE });
    put(w, REC_instance,
        &(struct rec_instance){ S("e1"), S("api"), w->key, 1, S("p1"), S("127.0.0.1:2000"),
                                S("ready"), 0, STR_NONE });
    (void)commit(w);
}

static inline void given_plan(struct world *w)
{
    struct rec_plan plan = { .id = w->plan,
                             .env = S("e1"),
                             .target = w->revision,
                             .cause = S("commit"),
                             .state = S("waiting"),
                             .reason = S("approval: manual"),
                             .actor = S(""),
                             .started_seq = REC_NONE,
                             .ended_seq = REC_NONE,
                             .expires_ms = REC_NONE };

    begin(w, "plan.stored", "plan", "plan:5c5c5c5c5c5c");
    plan.made_seq = tx_seq(w->tx);
    plan.doc = put_document(w, "plan", "{\"core\":{},\"lines\":[]}");
    put(w, REC_plan, &plan);
    put(w, REC_operation,
        &(struct rec_operation){ .uid = S("o1"),
                                 .plan = w->plan,
                                 .env = S("e1"),
                                 .kind = S("instance"),
                                 .name = S("api@01.1"),
                                 .provider = S("local"),
                                 .action = S("create"),
                                 .phase = S("SETTLED"),
                                 .outcome = STR_NONE,
                                 .key = S("k"),
                                 .owner = S("o"),
                                 .expected = S("{}"),
                                 .provider_id = STR_NONE,
                                 .token = STR_NONE,
                                 .not_before_ms = REC_NONE,
                                 .poll_at_ms = REC_NONE,
                                 .message = S("no free port") });
    (void)commit(w);
}

static inline void given_resource(struct world *w, const char *status)
{
    struct rec_resource r = { .env = S("e1"),
                              .kind = S("service"),
                              .name = S("api"),
                              .incarnation = 1,
                              .provider = S("local"),
                              .owner = S("rv1x"),
                              .outputs = S("{}"),
                              .protect = S(""),
                              .drift = S("{}"),
                              .reason = S("") };
    struct err err = ERR_INIT;

    begin(w, "resource.changed", "service/api", "");
    r.status = str_from_c(status);
    r.desired = put_document(w, "desired", "{\"replicas\":1}");
    if (tx_put_resource(w->tx, &r, &err))
        fail_msg("%s", err.text);
    (void)commit(w);
}

static inline int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    const struct db_birth birth = { .time_ms = T0, .installation = S("0193-install") };
    struct err err = ERR_INIT;
    char path[64];

    arena_init(&w->arena, 0);
    strcpy(w->dir, "/tmp/rv-view-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(path, sizeof(path), "%s/reeve.db", w->dir);
    if (db_create(path, &birth, &w->db, &err))
        fail_msg("%s", err.text);
    w->time_ms = T0;
    w->plan = some(0x5c);
    w->revision = some(0xaa);
    w->key = some(0x01);
    w->view = (struct view){ w->db, &w->arena, T0 + 60000, NULL };
    given_environment(w);
    given_revision(w);
    given_plan(w);
    given_resource(w, "creating");
    given_resource(w, "ready");
    *state = w;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;

    db_close(w->db);
    (void)sys_remove_all(w->dir, &err);
    arena_fini(&w->arena);
    free(w);
    return 0;
}

static inline struct str at(const struct value *v, const char *path)
{
    const struct value *found = value_at(v, str_from_c(path));

    return value_is(found, VALUE_TEXT) ? found->u.text : S("(absent)");
}

#define expect(str, text) assert_string_equal(str_to_c(&w->arena, (str)), text)
