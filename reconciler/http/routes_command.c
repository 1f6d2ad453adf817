/* What a POST asks for. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/http/routes_parts.h"

static const struct {
    const char *name;
    int field;
    enum value_kind kind;
} field_rows[] = {
    { "reason", ROUTE_FIELD_REASON, VALUE_TEXT },
    { "service", ROUTE_FIELD_SERVICE, VALUE_TEXT },
    { "job", ROUTE_FIELD_JOB, VALUE_TEXT },
    { "until_ms", ROUTE_FIELD_UNTIL_MS, VALUE_INT },
    { "revision", ROUTE_FIELD_REVISION, VALUE_INT },
    { "as", ROUTE_FIELD_AS, VALUE_TEXT },
    { "signature", ROUTE_FIELD_SIGNATURE, VALUE_TEXT },
    { "source", ROUTE_FIELD_BINDING, VALUE_TEXT },
    { "branch", ROUTE_FIELD_BINDING, VALUE_TEXT },
    { "resource", ROUTE_FIELD_RESOURCE, VALUE_TEXT },
    { "id", ROUTE_FIELD_RESOURCE, VALUE_TEXT },
    { "bundle", ROUTE_FIELD_BUNDLE, VALUE_TEXT },
    { "ref", ROUTE_FIELD_REF, VALUE_TEXT },
    { "break_glass", ROUTE_FIELD_BREAK_GLASS, VALUE_BOOL },
    { "override", ROUTE_FIELD_OVERRIDE, VALUE_BOOL },
};

/* A member we do not know is an error: it was meant to do something. */
static int check_body(const struct route_call *call, struct err *err)
{
    if (call->body && !value_is(call->body, VALUE_MAP))
        return err_set(err, ERR_USAGE, "the body must be an object");
    for (size_t i = 0; i < value_count(call->body); i++) {
        const struct value_entry *e = &call->body->u.map.entries[i];
        size_t j = 0;

        while (j < N_ELEMENTS(field_rows) &&
               !(str_eq_c(e->key, field_rows[j].name) && call->route->fields & field_rows[j].field))
            j++;
        if (j == N_ELEMENTS(field_rows))
            return err_set(err, ERR_USAGE, "the body has no member '%.*s' here", STR_ARG(e->key));
        if (e->value->kind != field_rows[j].kind)
            return err_set(err, ERR_USAGE, "'%.*s' is not %s", STR_ARG(e->key),
                           field_rows[j].kind == VALUE_INT    ? "a number"
                           : field_rows[j].kind == VALUE_BOOL ? "true or false"
                                                              : "text");
    }
    return 0;
}

int routes_command(const struct route_call *call, struct command *ret, struct err *err)
{
    struct str path = str_from_c(call->route->path);
    int rc = check_body(call, err);

    if (rc)
        return rc;
    *ret = (struct command){
        .verb = call->route->verb,
        .reason = value_get_text(call->body, S("reason"), S("")),
        .service = value_get_text(
            call->body, call->route->fields & ROUTE_FIELD_JOB ? S("job") : S("service"), S("")),
        .as = value_get_text(call->body, S("as"), S("")),
        .source = value_get_text(call->body, S("source"), S("")),
        .branch = value_get_text(call->body, S("branch"), S("")),
        .resource = value_get_text(call->body, S("resource"), S("")),
        .id = value_get_text(call->body, S("id"), S("")),
        .signature = value_get_text(call->body, S("signature"), S("")),
        .ref = value_get_text(call->body, S("ref"), S("")),
        .bundle = value_get_text(call->body, S("bundle"), S("")),
        .overrides = value_get_bool(call->body, S("override"), 0),
        .revision = value_get_int(call->body, S("revision"), 0),
        .until_ms = value_get_int(call->body, S("until_ms"), 0)
    };
    if (str_starts(path, S(ENV)))
        ret->env = call->param;
    else if (str_starts(path, S(PLAN)))
        ret->plan = call->param;
    else if (str_starts(path, S(API "/sources")))
        ret->source = call->param;
    else
        ret->operation = call->param;
    return 0;
}
