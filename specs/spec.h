/*
 * spec: the documents of one commit, and one environment made of them. SPDX-License-Identifier: Apache-2.0
 *
 * bundle_read() parses and checks every file against the field table; normalise_environment() merges
 * Application and Environment, applies defaults, resolves references and answers a list of
 * resources in canonical form. Pure: the same input gives the same bytes.
 *
 * Memory   everything lives in the arena given; a normalised Daemon and messages borrow from the
 *          bundle and the files' paths, an environment's resources do not.
 * Fails    only ERR_NOMEM; what is wrong with the specs is messages.
 */
#pragma once

#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"
#include "specs/value.h"

enum spec_severity { SPEC_ERROR, SPEC_WARNING };

struct spec_message { /* printed as file:line:col: error: text [rule] */
    enum spec_severity severity;
    struct value_place place;
    struct str text, rule, hint; /* hint: "did you mean ..." or how to mend it; STR_NONE */
};

#define SPEC_MESSAGES_MAX 1000u

struct spec_messages {
    struct arena *arena;
    VEC(struct spec_message) list;
    size_t n_errors;
    size_t max; /* SPEC_MESSAGES_MAX unless somebody wants more; further ones are counted only */
    uint32_t *slots; /* index + 1 by hash, to find the same one again; internal */
    size_t n_slots;
};

/* The same message at the same place is kept once. All of it is copied but the rule, which is a constant. */
void spec_messages_init(struct spec_messages *m, struct arena *a);
void spec_message_add(struct spec_messages *m, enum spec_severity severity,
                      struct value_place place, struct str rule, struct str hint, const char *fmt,
                      ...) __attribute__((format(printf, 6, 7)));
/* Those of another list behind these: of other places; they are borrowed. */
void spec_messages_join(struct spec_messages *m, const struct spec_messages *more);
/* Sorted by file, line, column; one line each, hints indented below. `line` (of its place, or STR_NONE)
 * gives the caret. */
void spec_messages_sort(struct spec_messages *m);
void spec_message_format(struct sb *b, const struct spec_message *m, struct str line, int colour);
const char *spec_message_level(const struct spec_message *m); /* error, warning */
/* {severity, file, line, column, text, rule, hint?}; `file`: as who asks calls it. */
struct value *spec_message_value(struct arena *a, const struct spec_message *m, struct str file);

/* The line of a text; quickly where the next one asked for is the same or below. `l` begins as zeroes. */
struct spec_lines {
    struct str text, rest, line;
    uint32_t n;
};
struct str spec_line(struct spec_lines *l, struct str text, uint32_t n);

struct spec_file {
    struct str path; /* from the root of the tree: ".reeve/app.yaml" */
    struct str text;
};

struct bundle {
    struct map applications; /* name -> const struct value *: checked, defaults not yet applied */
    struct map environments;
    struct map previews;
    struct map daemons;
};

/* Documents of kind Daemon are an error unless `with_daemon`. Names that occur twice name both places. */
enum bundle_kind { BUNDLE_REPOSITORY, BUNDLE_DAEMON };
int bundle_read(struct arena *a, enum bundle_kind kind, const struct spec_file *files,
                size_t n_files, struct bundle *ret, struct spec_messages *m, struct err *err);

/* The same in two steps, for who keeps files that did not change: each by itself, then all of them in
 * their order. The bundle and the messages borrow from the files. */
struct bundle_file {
    struct str path;
    VEC(const struct value *) documents; /* checked */
    struct spec_messages messages;
};
int bundle_read_file(struct arena *a, enum bundle_kind kind, const struct spec_file *file,
                     struct bundle_file *ret, struct err *err);
/* A copy of one without messages, in no more memory than it takes: `a` is new. */
int bundle_keep_file(struct arena *a, const struct bundle_file *read, struct bundle_file *ret,
                     struct err *err);
/* 1 when both hold documents of the same kinds and names in the same order, and nothing is said of either. */
int bundle_is_alike(const struct bundle_file *one, const struct bundle_file *other);
/* The bundle of a set of files, of which `files` are alike but other ones than when it was `before`. */
int bundle_update(struct arena *a, const struct bundle *before,
                  const struct bundle_file *const *files, size_t n_files, struct bundle *ret,
                  struct err *err);
int bundle_join(struct arena *a, const struct bundle_file *const *files, size_t n_files,
                struct bundle *ret, struct spec_messages *m, struct err *err);

/* none expand contract irreversible: 0 to 3; -1: another word. */
int spec_schema_change(struct str word);

/* 1: this machine has that time zone. */
typedef int spec_zone_is_there(struct str name);

/* What normalising needs to know of the world. */
struct normalise_input {
    struct str environment; /* name; of a preview it is computed */
    struct str branch;
    struct str commit, tag; /* of images alone; p NULL: not known */
    struct str preview, number,
        slug; /* the Preview's name, p NULL: none; number p NULL: of a branch */
    const struct map *
        trees; /* path ("." or "apps/api") -> struct str *: tree or blob id at the commit less the spec path; absent: no such path */
    const struct map *
        secrets; /* name -> struct that begins with a struct str: version; absent: could not be resolved */
    const struct map
        *unread; /* name -> struct str *: why it is not among them; NULL: nobody says */
    const struct map *
        outputs; /* "kind/name#key" -> struct that begins with a struct str: version; NULL, absent: "1" */
    spec_zone_is_there *zone_is_there; /* NULL: not asked */
    const struct value *rule; /* the daemon's rule for this environment (checked), NULL offline */
    struct str spec_path;     /* ".reeve" */
    struct str schema_change; /* what the commit's trailer says; "" or p NULL: nothing */
};

struct spec_resource { /* service/api, domain/app, database/main, dns/acme.dev */
    struct str kind, name;
    const struct value *desired; /* canonical, see docs/specs.md "Normalised form" */
    struct digest digest;        /* digest_value("desired", desired) */
    struct str provider;
    struct value_place place;
    const struct value
        *limits_at;        /* {memory: FILE:LINE:COLUMN ..} of a commit's limits; NULL: none */
    VEC(struct str) needs; /* resources it depends on, "service/db" */
    const struct value *
        drift; /* {path: mode}, "" is the default: enforce report ignore keep; NULL: nothing said */
    struct str moved_from; /* the name it had; p NULL: this one */
    struct str
        gone; /* of an older revision: a secret whose version is gone, and that has another now */
};

struct environment_spec {
    struct str name, application, branch;
    const struct value *
        policy; /* approval, reconcile: merged with the rule's floor, defaults applied; `asked`: without it */
    struct value_place policy_place; /* of `approval`, else of the document's name */
    struct str schema_change;        /* of its releases, at least; "": as they say themselves */
    struct str
        below; /* what was written and is laxer than that floor, with its place; "" for nothing */
    VEC(struct spec_resource) resources; /* sorted by kind/name */
    VEC(struct str) forget;      /* "kind/name" that leave our hands without being destroyed */
    struct digest revision;      /* digest("revision", {kind/name: hex of desired digest}) */
    const struct value *secrets; /* of what is referred to: {name: {store, path, key ...}} */
};

/* What must be looked up before: paths of the tree, and secrets that a resource refers to. */
struct normalise_wants {
    VEC(struct str) paths;
    VEC(struct str) secrets;
    const struct value *secret_refs; /* {name: {store, path, key}} */
    int is_of_commit;                /* every commit is another revision */
};
int normalise_wants(struct arena *a, const struct bundle *b, const struct normalise_input *in,
                    struct normalise_wants *ret, struct spec_messages *m, struct err *err);
/* The name of the environment that a preview makes; "" and a message when it has none. */
int normalise_preview_name(struct arena *a, const struct bundle *b,
                           const struct normalise_input *in, struct str *ret,
                           struct spec_messages *m, struct err *err);
int normalise_environment(struct arena *a, const struct bundle *b, const struct normalise_input *in,
                          struct environment_spec *ret, struct spec_messages *m, struct err *err);

/* The Daemon document with every default applied: canonical value tree, docs/specs.md "Daemon". */
int normalise_daemon(struct arena *a, const struct bundle *b, const struct value **ret,
                     struct spec_messages *m, struct err *err);
/* What of it nothing acts on in this version, each at its place: for who serves it errors where a daemon
 * that went on without would break a promise, else warnings. `built_in`: names of drivers. */
enum daemon_use { DAEMON_READ, DAEMON_SERVED };
void daemon_uncarried(const struct value *daemon, const struct value *built_in, enum daemon_use use,
                      struct spec_messages *m);
/* What of one of its fields, such as sources.forge, nothing acts on: a line each. */
void daemon_uncarried_explain(struct sb *b, struct str field);
/* The first rule that matches, with its index (ret_index may be NULL); NULL: denied. */
const struct value *daemon_rule(const struct value *daemon, struct str source, struct str kind,
                                struct str name, size_t *ret_index);
