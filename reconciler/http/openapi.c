/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/openapi.h"

#include <ctype.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/http/routes_parts.h"
#include "reconciler/http/shapes.h"

#define FIRST (sizeof(API)) /* of the words behind it */
#define DESCRIPTION                                                                                \
    "All that the command line can do. On the daemon's unix socket who asks is known by the "      \
    "connection, elsewhere by a token or a session. Names of members never change their meaning; " \
    "answers may get more of them, what is asked with may have no others."

static void set_c(struct arena *a, struct value *map, const char *key, const char *text)
{
    value_set_text(a, map, str_from_c(key), str_from_c(text));
}

static struct value *set_map(struct arena *a, struct value *map, const char *key)
{
    struct value *v = value_map(a);

    value_set(a, map, str_from_c(key), v);
    return v;
}

static struct value *reference(struct arena *a, const char *kind, struct str name)
{
    struct value *v = value_map(a);

    value_set_text(a, v, S("$ref"), str_fmt(a, "#/components/%s/%.*s", kind, STR_ARG(name)));
    return v;
}

static void set_content(struct arena *a, struct value *map, const char *type, const char *shape)
{
    value_set(a, set_map(a, set_map(a, map, "content"), type), S("schema"),
              shapes_type_json(a, str_from_c(shape)));
}

/* An answer says it besides its body. */
static void set_header(struct arena *a, struct value *response, const char *name, const char *text)
{
    struct value *one = set_map(a, set_map(a, response, "headers"), name);

    set_c(a, one, "description", text);
    value_set(a, one, S("schema"), shapes_type_json(a, S("text")));
}

/* --- errors -------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *text;
    int status;
} errors[] = {
#define ERR(name, class, http_status, exit_status, text) { #name, text, http_status },
#include "base/errcodes.def"
#undef ERR
};

static struct str error_name(struct arena *a, int status)
{
    return str_fmt(a, "E%d", status);
}

/* Each status once, with the codes that have it. */
static void set_errors(struct arena *a, struct value *responses)
{
    for (size_t i = 0; i < N_ELEMENTS(errors); i++) {
        struct value *one;
        struct sb b;

        if (errors[i].status < 400 || value_get(responses, error_name(a, errors[i].status)))
            continue;
        sb_init(&b, a);
        for (size_t k = i; k < N_ELEMENTS(errors); k++)
            if (errors[k].status == errors[i].status)
                sb_addf(&b, "%s%s: %s", b.n ? "; " : "", errors[k].name, errors[k].text);
        one = value_map(a);
        value_set_text(a, one, S("description"), sb_str(&b));
        set_content(a, one, "application/problem+json", "problem");
        if (errors[i].status == 429)
            set_header(a, one, "Retry-After", "seconds until somebody is heard again");
        value_set(a, responses, error_name(a, errors[i].status), one);
    }
}

static void refer_to_errors(struct arena *a, struct value *responses)
{
    for (size_t i = 0; i < N_ELEMENTS(errors); i++)
        if (errors[i].status >= 400)
            value_set(a, responses, str_fmt(a, "%d", errors[i].status),
                      reference(a, "responses", error_name(a, errors[i].status)));
}

/* --- a route ------------------------------------------------------------------------------------- */

static int is_parameter(struct str word)
{
    return word.n && isupper((unsigned char)word.p[0]);
}

static struct str lower(struct arena *a, struct str text)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < text.n; i++)
        sb_add_char(&b, (char)tolower((unsigned char)text.p[i]));
    return sb_str(&b);
}

/* "/api/v1/plans/{id}" */
static struct str path_of(struct arena *a, const struct route *route)
{
    struct str rest = str_from_c(route->path), word;
    struct sb b;

    sb_init(&b, a);
    (void)str_next(&rest, '/', &word); /* before the first one */
    while (str_next(&rest, '/', &word))
        sb_addf(&b, is_parameter(word) ? "/{%.*s}" : "/%.*s", STR_ARG(lower(a, word)));
    return sb_str(&b);
}

/* "get_environment_plans": what a parameter follows is one of its kind. */
static struct str id_of(struct arena *a, const struct route *route)
{
    struct str rest = str_from_c(route->path + FIRST), word;
    struct sb b;

    sb_init(&b, a);
    sb_add(&b, lower(a, str_from_c(route->method)));
    while (str_next(&rest, '/', &word))
        if (!is_parameter(word))
            sb_addf(&b, "_%.*s",
                    STR_ARG(is_parameter(rest) ? str_slice(word, 0, word.n - 1) : word));
    return sb_str(&b);
}

static struct value *parameter(struct arena *a, struct str name, const char *in, const char *text)
{
    struct value *v = value_map(a);

    value_set_text(a, v, S("name"), name);
    set_c(a, v, "in", in);
    if (*text)
        set_c(a, v, "description", text);
    return v;
}

/* Of an answer that is made of what is there now. */
static int has_tag(const struct route *route)
{
    return str_eq_c(S("GET"), route->method) && !(route->flags & ROUTE_STREAM);
}

/* Of what is written with its answer; a token is said once. */
static int takes_key(const struct route *route)
{
    return str_eq_c(S("POST"), route->method) && !route->work && route->verb != COMMAND_TOKEN &&
           route->verb != COMMAND_TRY && route->verb != COMMAND_TEST;
}

static void add_header(struct arena *a, struct value *list, const char *name, const char *text)
{
    struct value *one = parameter(a, str_from_c(name), "header", text);

    value_set(a, one, S("schema"), shapes_type_json(a, S("text")));
    value_add(a, list, one);
}

static void set_parameters(struct arena *a, const struct route *route, struct value *operation)
{
    struct value *list = value_list(a), *one;
    struct str rest = str_from_c(route->path), word;
    const struct shape_member *members;
    size_t n = shapes_members(a, str_from_c(route->query), &members);

    while (str_next(&rest, '/', &word)) {
        if (!is_parameter(word))
            continue;
        one = parameter(a, lower(a, word), "path", "");
        value_set(a, one, S("required"), value_bool(a, 1));
        value_set(a, one, S("schema"), shapes_type_json(a, S("text")));
        value_add(a, list, one);
    }
    for (size_t i = 0; i < n; i++) {
        one = parameter(a, str_from_c(members[i].name), "query", members[i].text);
        if (members[i].is_must)
            value_set(a, one, S("required"), value_bool(a, 1));
        value_set(a, one, S("schema"), shapes_type_json(a, str_from_c(members[i].type)));
        value_add(a, list, one);
    }
    if (has_tag(route))
        add_header(a, list, "If-None-Match", "an ETag: 304 while the answer would be the same");
    if (takes_key(route))
        add_header(a, list, "Idempotency-Key", "with it the same is done once within a day");
    if (route->flags & ROUTE_STREAM)
        add_header(a, list, "Last-Event-ID", "a `seq`: goes on after it");
    if (value_count(list))
        value_set(a, operation, S("parameters"), list);
}

static struct value *role_list(struct arena *a, const struct route *route)
{
    static const struct {
        unsigned role;
        const char *name;
    } names[] = {
        { AUTH_VIEWER, "viewer" },     { AUTH_OPERATOR, "operator" }, { AUTH_APPROVER, "approver" },
        { AUTH_OVERRIDE, "override" }, { AUTH_ADMIN, "admin" },       { AUTH_SCRAPE, "scrape" },
    };
    struct value *list = value_list(a);

    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (route->roles & names[i].role)
            value_add(a, list, value_text(a, str_from_c(names[i].name)));
    return list;
}

/* About what it is: that decides who of limited scope may ask. */
static const char *scope_of(const struct route *route)
{
    static const char *const of_one[] = { ENV, PLAN, OPERATION };

    for (size_t i = 0; i < N_ELEMENTS(of_one); i++)
        if (str_starts(str_from_c(route->path), str_from_c(of_one[i])))
            return "environment";
    return route->flags & (ROUTE_LIST | ROUTE_OPEN) ? "any" : "all";
}

/* What changes something by a session shows that it was meant. */
static struct value *security_of(struct arena *a, const struct route *route)
{
    struct value *list = value_list(a), *token = value_map(a), *session = value_map(a);

    value_add(a, list, value_map(a)); /* who is connected to the socket */
    if (route->flags & ROUTE_OPEN)
        return list;
    value_set(a, token, S("token"), value_list(a));
    value_set(a, session, S("session"), value_list(a));
    if (!str_eq_c(S("GET"), route->method))
        value_set(a, session, S("csrf"), value_list(a));
    if (!(route->flags & ROUTE_PERSON))
        value_add(a, list, token);
    value_add(a, list, session);
    return list;
}

static struct value *operation_of(struct arena *a, const struct route *route)
{
    struct value *v = value_map(a), *tags = value_list(a), *responses, *good;
    struct str rest = str_from_c(route->path + FIRST), word;

    (void)str_next(&rest, '/', &word); /* each has one */
    value_add(a, tags, value_text(a, str_eq_c(word, "openapi.json") ? S("api") : word));
    value_set_text(a, v, S("operationId"), id_of(a, route));
    set_c(a, v, "summary", route->text);
    value_set(a, v, S("tags"), tags);
    value_set(a, v, S("x-roles"), role_list(a, route));
    set_c(a, v, "x-scope", scope_of(route));
    value_set(a, v, S("security"), security_of(a, route));
    set_parameters(a, route, v);
    if (route->body)
        set_content(a, set_map(a, v, "requestBody"), "application/json", route->body);
    responses = set_map(a, v, "responses");
    good = set_map(a, responses, "200");
    set_c(a, good, "description", shapes_text(shapes_inner(str_from_c(route->answer))));
    set_content(a, good, route->flags & ROUTE_STREAM ? "text/event-stream" : "application/json",
                route->answer);
    if (has_tag(route)) {
        set_header(a, good, "ETag", "of the answer, for If-None-Match");
        set_c(a, set_map(a, responses, "304"), "description", "It is as the ETag says.");
    }
    refer_to_errors(a, responses);
    return v;
}

/* --- the document -------------------------------------------------------------------------------- */

static void set_paths(struct arena *a, struct value *paths)
{
    size_t n;
    const struct route *routes = routes_get(&n);

    for (size_t i = 0; i < n; i++) {
        struct str path = path_of(a, &routes[i]);
        const struct value_entry *there = value_entry(paths, path);
        struct value *methods = there ? there->value : value_map(a);

        if (routes[i].flags & (ROUTE_PAGE | ROUTE_TEXT))
            continue;
        value_set(a, methods, lower(a, str_from_c(routes[i].method)), operation_of(a, &routes[i]));
        if (!there)
            value_set(a, paths, path, methods);
    }
}

/* What is asked with stands in requests; a shape that only a query has is a list of parameters there. */
static int is_of(const char *shape, const char *end)
{
    return str_ends(str_from_c(shape), str_from_c(end));
}

static void set_schemes(struct arena *a, struct value *schemes)
{
    static const struct {
        const char *id, *type, *scheme, *in, *name, *text;
    } rows[] = {
        { "token", "http", "bearer", NULL, NULL, "a token of `reeve token create`" },
        { "session", "apiKey", NULL, "cookie", "__Host-reeve", "of POST /api/v1/sign-in" },
        { "csrf", "apiKey", NULL, "header", "X-CSRF-Token", "`csrf` of GET /api/v1/me" },
    };

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct value *one = set_map(a, schemes, rows[i].id);

        set_c(a, one, "type", rows[i].type);
        if (rows[i].scheme)
            set_c(a, one, "scheme", rows[i].scheme);
        if (rows[i].in)
            set_c(a, one, "in", rows[i].in);
        if (rows[i].name)
            set_c(a, one, "name", rows[i].name);
        set_c(a, one, "description", rows[i].text);
    }
}

static void set_components(struct arena *a, struct value *components)
{
    struct value *schemas = set_map(a, components, "schemas");
    const char *name;

    for (size_t i = 0; (name = shapes_name(i)); i++)
        if (!is_of(name, "_query"))
            value_set(a, schemas, str_from_c(name),
                      shapes_json(a, str_from_c(name),
                                  is_of(name, "_body") ? SHAPES_CLOSED : SHAPES_OPEN));
    set_errors(a, set_map(a, components, "responses"));
    set_schemes(a, set_map(a, components, "securitySchemes"));
}

struct value *openapi_document(struct arena *a)
{
    struct value *v = value_map(a), *info, *servers = value_list(a), *server = value_map(a);

    set_c(a, v, "openapi", "3.1.0");
    info = set_map(a, v, "info");
    set_c(a, info, "title", "Reeve");
    set_c(a, info, "version", REEVE_VERSION);
    set_c(a, info, "description", DESCRIPTION);
    set_c(a, server, "url", "/");
    value_add(a, servers, server);
    value_set(a, v, S("servers"), servers);
    set_paths(a, set_map(a, v, "paths"));
    set_components(a, set_map(a, v, "components"));
    return v;
}
