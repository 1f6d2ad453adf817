/*
 * openapi: the routes as an OpenAPI 3.1 document, and as a page. SPDX-License-Identifier: Apache-2.0
 *
 * Both are made of the table of routes, shapes.def and errcodes.def, and of nothing else.
 *
 * Memory   in the arena given; out of it, the arena remembers.
 * Thread   any.
 */
#pragma once

#include "specs/value.h"

struct value *openapi_document(struct arena *a);
/* docs/routes.md */
struct str openapi_page(struct arena *a);
