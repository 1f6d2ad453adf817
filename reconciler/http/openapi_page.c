/* docs/routes.md. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/openapi.h"
#include "reconciler/http/routes.h"
#include "reconciler/http/shapes.h"

#define HEAD                                                                                       \
    "# Routes\n\n"                                                                                 \
    "Made of the table of routes (`reconciler/http/routes.c`) and of "                             \
    "`reconciler/http/shapes.def`; "                                                               \
    "`pages update` writes it.\nWho may ask, errors and limits: [api.md](api.md). The same as an " \
    "OpenAPI 3.1 document: `GET /api/v1/openapi.json`, or\n`reeve schema api`.\n\n"                \
    "Types: `ms` is an instant in milliseconds since 1970, `digest` 64 hex digits, `[..]` a "      \
    "list, "                                                                                       \
    "`{..}` a map by name; `map` and\n`any` hold what a driver, a spec or a person put there. "    \
    "What "                                                                                        \
    "has a `?` is absent where there is nothing to say.\n\n"

/* A `|` would end the cell. */
static void add_cell(struct sb *b, const char *text)
{
    struct str rest = str_from_c(text), part;

    for (int i = 0; str_next(&rest, '|', &part); i++)
        sb_addf(b, "%s%.*s", i ? "\\|" : "", STR_ARG(part));
}

static void add_shape_link(struct sb *b, const char *shape)
{
    const struct str inner = shapes_inner(str_from_c(shape ? shape : ""));
    const int is_list = inner.n && inner.p != shape;

    if (inner.n)
        sb_addf(b, "%s[%.*s](#%.*s)", is_list ? "list of " : "", STR_ARG(inner), STR_ARG(inner));
}

static void add_routes(struct sb *b)
{
    size_t n;
    const struct route *routes = routes_get(&n);

    sb_add_c(b, "| method and path | role | asked with | answer | what |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++) {
        const struct route *r = &routes[i];

        sb_addf(b, "| %s `%s` | %s | ", r->method, r->path,
                r->flags & ROUTE_OPEN ? "anybody" : auth_role_names(r->roles));
        add_shape_link(b, r->query ? r->query : r->body);
        sb_add_c(b, " | ");
        if (r->flags & ROUTE_PAGE)
            sb_add_c(b, "a page");
        if (r->flags & ROUTE_TEXT)
            sb_add_c(b, "a text");
        add_shape_link(b, r->answer);
        sb_addf(b, " | %s |\n", r->text);
    }
}

static void add_shape(struct arena *a, struct sb *b, const char *name)
{
    const struct shape_member *members;
    size_t n = shapes_members(a, str_from_c(name), &members);

    sb_addf(b, "\n### %s\n\n%s\n\n| member | type | what |\n|---|---|---|\n", name,
            shapes_text(str_from_c(name)));
    for (size_t i = 0; i < n; i++) {
        sb_addf(b, "| `%s`%s | `", members[i].name, members[i].is_must ? "" : " ?");
        add_cell(b, members[i].type);
        sb_addf(b, "` | %s |\n", members[i].text);
    }
}

struct str openapi_page(struct arena *a)
{
    struct sb b;
    const char *name;

    sb_init(&b, a);
    sb_add_c(&b, HEAD);
    add_routes(&b);
    sb_add_c(&b, "\n## Shapes\n");
    for (size_t i = 0; (name = shapes_name(i)); i++)
        add_shape(a, &b, name);
    return sb_str(&b);
}
