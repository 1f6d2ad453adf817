/*
 * shapes: what goes in and out over the API, as data. SPDX-License-Identifier: Apache-2.0
 *
 * shapes.def lists every shape with its members. From its rows come the check of what is asked with, the
 * schemas of the OpenAPI document and docs/routes.md.
 *
 * Memory   in the arena given.
 * Thread   any.
 * Fails    ERR_USAGE: a member that is not known, is missing or of another type; ERR_NOMEM.
 */
#pragma once

#include "specs/value.h"

struct shape_member {
    const char *name, *type, *text;
    int is_must;
};

/* The shapes in the order of shapes.def; NULL: no more. */
const char *shapes_name(size_t i);
const char *shapes_text(struct str name); /* NULL: no such shape */
/* The shape that a list `[SHAPE]` is of, or the name itself. */
struct str shapes_inner(struct str name);
/* The members of a shape, those that it shares with others first. */
size_t shapes_members(struct arena *a, struct str name, const struct shape_member **ret);

/* A query is checked as text, a body as JSON. `what` names it in messages: "the body". NULL is empty. */
enum shapes_form { SHAPES_QUERY, SHAPES_BODY };
int shapes_check(struct arena *a, struct str name, enum shapes_form form, const struct value *v,
                 struct err *err);

/* JSON Schema 2020-12 of a type; shapes are "#/components/schemas/NAME". NULL: no such type. */
struct value *shapes_type_json(struct arena *a, struct str type);
/* The one of a shape. What is asked with has no other members; answers may get more. */
enum shapes_more { SHAPES_OPEN, SHAPES_CLOSED };
struct value *shapes_json(struct arena *a, struct str name, enum shapes_more more);
