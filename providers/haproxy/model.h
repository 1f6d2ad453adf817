/*
 * model: what the edge serves, and for whom. SPDX-License-Identifier: Apache-2.0
 *
 * One record an owned thing. The records are comments of the rendered file (`# rv {...}`), so that
 * owners are found there after everything else is lost; slots and maps are rendered from them. A
 * comment is `# rv TYPE ID OWNER {"name", "body"}`, that of the edge itself `# rv edge - - {..}`.
 *
 *     backend   body {label, slots: ["127.0.0.1:9001", ""]}                 id "b7"
 *     routes    body {label, environment, generation, routes: [{route, host, path, port, backend, canary}]}
 *                                                                           id "ENV/7"
 *     switch    body {label, environment, generation}                       id "ENV"
 *     address   body {label}                                                id "21003", the port
 *
 * Memory   in the model's arena; bodies are immutable and replaced whole.
 * Limits   HAPROXY_RECORD_MAX bytes a record that is written.
 * Pure     no files, no proxy.
 */
#pragma once

#include "base/vec.h"
#include "providers/haproxy/conf.h"

#define HAPROXY_SHARE_ALL 10000 /* of the requests of a route */
#define HAPROXY_RECORD_MAX (512u << 10)

struct haproxy_record {
    struct str type, id, owner, name;
    const struct value *body; /* changed by haproxy_model_set() alone */
    struct str text;          /* its comment as it stands in the file; STR_NONE: body is newer */
};

struct haproxy_model {
    struct arena *arena;
    struct haproxy_conf conf;        /* http, internal, pool and trusted as rendered */
    uint64_t epoch;                  /* the newest that changed anything */
    int64_t next_backend, next_port; /* where the search for a free one begins: reuse is late */
    VEC(struct haproxy_record) records;
};

void haproxy_model_init(struct haproxy_model *m, struct arena *a, const struct haproxy_conf *conf);

#define HAPROXY_MODEL_END                                                                          \
    "# the end" /* the last line: of a file that was cut half would be believed */

/* Records of a rendered file. ERR_CORRUPT: it is cut, or names the line. `conf` gives what the file does not. */
int haproxy_model_parse(struct arena *a, struct str text, const struct haproxy_conf *conf,
                        struct haproxy_model *ret, struct err *err);
/* Only the id and the body, unread, of an owner's record in a rendered file; STR_NONE: it has none. */
struct haproxy_glance {
    struct str id, json;
};
struct haproxy_glance haproxy_model_glance(struct str text, struct str type, struct str owner);

/* 0: every record can be read again when it is written; else ERR_LIMIT names the first that is too large. */
int haproxy_model_check(struct haproxy_model *m, struct err *err);

/* The comment of one record, or of the model's own numbers when r is NULL; no line end. */
struct str haproxy_model_comment(struct haproxy_model *m, const struct haproxy_record *r);

struct haproxy_record *haproxy_model_find(const struct haproxy_model *m, struct str type,
                                          struct str id);
/* The only record of this owner, and how many there are. */
struct haproxy_record *haproxy_model_find_owner(const struct haproxy_model *m, struct str type,
                                                struct str owner, size_t *ret_n);
struct haproxy_record *haproxy_model_add(struct haproxy_model *m, struct str type, struct str id,
                                         struct str owner, struct str name);
void haproxy_model_set(struct haproxy_record *r, const struct value *body);
void haproxy_model_remove(struct haproxy_model *m, struct haproxy_record *r);

/* A free backend ("b7") or port, after the one given last; STR_NONE when there is none. */
struct str haproxy_model_take_backend(struct haproxy_model *m);
struct str haproxy_model_take_port(struct haproxy_model *m);
size_t haproxy_model_count(const struct haproxy_model *m, struct str type);
