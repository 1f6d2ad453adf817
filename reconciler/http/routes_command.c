/* What a POST asks for. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/http/routes_parts.h"

int routes_command(const struct route_call *call, struct command *ret, struct err *err)
{
    struct str path = str_from_c(call->route->path);

    if (routes_check(call, SHAPES_QUERY, err) || routes_check(call, SHAPES_BODY, err))
        return err->code;
    *ret = (struct command){
        .verb = call->route->verb,
        .reason = value_get_text(call->body, S("reason"), S("")),
        .service = value_get_text(
            call->body, call->route->verb == COMMAND_RUN ? S("job") : S("service"), S("")),
        .as = value_get_text(call->body, S("as"), S("")),
        .source = value_get_text(call->body, S("source"), S("")),
        .branch = value_get_text(call->body, S("branch"), S("")),
        .resource = value_get_text(call->body, S("resource"), S("")),
        .id = value_get_text(call->body, call->route->verb == COMMAND_TEST ? S("to") : S("id"),
                             S("")),
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
    else if (str_starts(path, S(OPERATION)))
        ret->operation = call->param;
    return 0;
}

int routes_work(const struct route_call *call, struct login_call *c, struct err *err)
{
    /* With what else a provider sends a browser back is its own affair. */
    if (!(call->route->flags & ROUTE_PAGE) && routes_check(call, SHAPES_QUERY, err))
        return err->code;
    if (routes_check(call, SHAPES_BODY, err))
        return err->code;
    c->param = call->param;
    c->query = call->query;
    c->body = call->body;
    return call->route->work(c, err);
}
