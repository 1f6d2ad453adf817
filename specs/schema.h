/*
 * schema: the grammar as a table, and what is done by walking it. SPDX-License-Identifier: Apache-2.0
 *
 * fields.def lists every object and field with type, limits, default and documentation. From the
 * same rows come schema_check() (written text to typed values, all errors at once), schema_merge()
 * (overrides), schema_fill() (defaults, interpolation, required fields) and schema_explain().
 *
 * Memory   in the arena given; schema_check() copies what it keeps, other results share parts with
 *          their inputs. Places borrow the name of their file.
 * Thread   any.
 * Fails    ERR_NOMEM through the arena; what is wrong with a spec is messages.
 */
#pragma once

#include "specs/scalar.h"
#include "specs/spec.h"

enum schema_object {
    SCHEMA_NO_OBJECT,
#define OBJECT(id, text) SCHEMA_##id,
#include "specs/fields.def"
    N_SCHEMA_OBJECTS
};

enum schema_type {
#define SCALAR(id, name, form, match, count) SCHEMA_TYPE_##id,
#include "specs/scalars.def"
#undef SCALAR
    SCHEMA_TYPE_OBJECT, /* `nested` */
    SCHEMA_TYPE_VALUE,  /* text, or a reference to something computed */
    SCHEMA_TYPE_LATER,  /* part of reeve/v1 that this version does not support */
};

enum schema_shape {
    SCHEMA_ONE,
    SCHEMA_LIST,
    SCHEMA_ONE_OR_LIST, /* one stands for a list of one */
    SCHEMA_MAP,         /* keys are of type `keys` */
};

enum schema_flags {
    SCHEMA_REQUIRED = 1,
    SCHEMA_EXPAND = 2,   /* ${env}, ${branch}; in previews ${number}, ${slug} */
    SCHEMA_PORT = 4,     /* ${port} as well, left for the driver */
    SCHEMA_PARTIAL = 8,  /* what is required may come from another document */
    SCHEMA_BY_WORD = 16, /* of variants: the word that chooses one may stand alone */
    SCHEMA_COMMIT = 32,  /* ${commit} and ${tag} as well */
};

struct schema_field {
    struct str name;
    const char *text; /* documentation */
    enum schema_type type;
    enum schema_shape shape;
    enum schema_object nested; /* of another type than OBJECT: a map of it may stand in its place */
    enum scalar_type keys;
    unsigned flags;
    int64_t min, max;          /* of a number; of a list: its length. max 0: no limit */
    const char *words, *later; /* "a|b": allowed; part of reeve/v1 but not supported */
    const char *unless;        /* "a|b": one of these stands in the place of a required one */
    const char *instead;       /* "a|b": in an override it stands in the place of these */
    const char *fallback;      /* as it would be written; "{}": an object made of defaults */
};

/* Which object a map is: by the word in its field `key`, or with key "" by the field `word` that it has. */
struct schema_variant {
    enum schema_object object;
    struct str key, word;
    enum schema_object nested; /* SCHEMA_NO_OBJECT: not supported by this version */
};

const struct schema_field *schema_fields(enum schema_object object, size_t *ret_n);
const struct schema_field *schema_field(enum schema_object object, struct str name);
const char *schema_object_name(enum schema_object object); /* "READINESS" */
const char *schema_object_text(enum schema_object object);
/* Whether it has to be there and is not. */
int schema_is_missing(const struct schema_field *f, const struct value *in);
/* Variants of an object, or NULL and 0 when it has fields of its own. */
const struct schema_variant *schema_variants(enum schema_object object, size_t *ret_n);
const struct schema_variant *schema_variant(enum schema_object object, const struct value *map);

/* A typed copy: durations in ms, sizes in bytes, percentages in basis points, numbers and booleans
 * as such, under the names of the grammar. What is wrong is said in `m`: a field becomes null, an
 * entry of a list or map is left out. */
struct value *schema_check(struct arena *a, enum schema_object object, const struct value *written,
                           struct spec_messages *m);

/* Checked `over` on top of checked `base`: objects and maps by key, all else whole. NULL is empty. */
struct value *schema_merge(struct arena *a, enum schema_object object, const struct value *base,
                           const struct value *over);

enum schema_names {
    SCHEMA_NAMES_KEPT,    /* as in the grammar */
    SCHEMA_NAMES_OF_UNITS /* durations are NAME_ms */
};

struct schema_fill {
    struct arena *arena;
    struct spec_messages *m;
    enum schema_names names;
    struct str environment, branch; /* for ${env} and ${branch} */
    struct str commit, tag;         /* p NULL: not known here, as the next two */
    struct str number, slug;        /* of a preview */
    struct str directory;           /* relative file paths are below it; p NULL: kept */
};

/* `checked` with every default, texts interpolated; says which required fields are missing.
 * `path` names the object in messages: "services.api". */
struct value *schema_fill(const struct schema_fill *f, enum schema_object object,
                          const struct value *checked, struct str path);

/* JSON Schema 2020-12 of one kind of document ("application" ...), or of all for "". What it refuses is refused
 * here; what needs more than one field, or more than one document, only we can say. NULL: no such kind. */
struct value *schema_json(struct arena *a, struct str kind);

/* docs/fields.md */
struct str schema_page(struct arena *a);

/* A man page as scdoc reads it: `head`, what can stand in `roots` and below, `tail`. */
struct schema_man {
    const char *head, *tail;
    enum schema_object roots[3]; /* SCHEMA_NO_OBJECT: fewer */
};
struct str schema_man(struct arena *a, const struct schema_man *man);

/* What `reeve explain services.healthcheck` prints. A path begins at Application, Environment or
 * Daemon, named or not; parts that name an entry of a map may be left out. STR_NONE when there is
 * no such field: *ret_hint then has the nearest name, or is STR_NONE. */
struct str schema_explain(struct arena *a, struct str path, struct str *ret_hint);
