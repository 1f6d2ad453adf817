/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/fill.h"

#include "providers/kit.h"
#include "reconciler/engine/op_outputs.h"
#include "specs/json_io.h"
#include "specs/reference.h"
#include "state/resources.h"

int fill_output(const struct fill *f, struct str of, struct str key, const struct value **ret,
                struct err *err)
{
    struct rec_resource r;
    struct value *outputs;
    size_t slash = str_find_char(of, '/');
    int rc;

    if (slash == STR_NPOS)
        return err_set(err, ERR_INVALID, "output of '%.*s'", STR_ARG(of));
    rc = resources_now(f->db, f->a, f->env, str_slice(of, 0, slash), str_slice(of, slash + 1, of.n),
                       &r, err);
    if (rc)
        return rc;
    if (json_parse(f->a, r.outputs, KIT_BODY_MAX, &outputs, err))
        return err->code;
    *ret = value_get(outputs, key);
    if (!*ret)
        return err_set(err, ERR_NOT_FOUND, "'%.*s' has no output '%.*s'", STR_ARG(of),
                       STR_ARG(key));
    return 0;
}

static int fill_map(const struct fill *f, const struct value *v, struct value **ret,
                    struct err *err)
{
    struct value *map = value_map(f->a);

    for (size_t i = 0; i < value_count(v); i++) {
        struct value *filled;

        if (fill_value(f, v->u.map.entries[i].value, &filled, err))
            return err->code;
        value_set(f->a, map, v->u.map.entries[i].key, filled);
    }
    *ret = map;
    return 0;
}

/* {"join": [..], "with": ","}: outputs are joined here; a secret among them keeps the join for the driver. */
static int fill_join(const struct fill *f, const struct value *v, struct value **ret,
                     struct err *err)
{
    struct value *parts;
    struct sb text;

    if (fill_value(f, value_get(v, S("join")), &parts, err))
        return err->code;
    sb_init(&text, f->a);
    for (size_t i = 0; i < value_count(parts); i++) {
        const struct value *part = value_item(parts, i);

        if (part->kind != VALUE_TEXT) {
            struct value *map = value_map(f->a);

            value_set(f->a, map, S("join"), parts);
            value_set_text(f->a, map, S("with"), value_get_text(v, S("with"), S("")));
            *ret = map;
            return 0;
        }
        if (i)
            sb_add(&text, value_get_text(v, S("with"), S("")));
        sb_add(&text, part->u.text);
    }
    *ret = value_text(f->a, sb_str(&text));
    return 0;
}

static int fill_list(const struct fill *f, const struct value *v, struct value **ret,
                     struct err *err)
{
    struct value *list = value_list(f->a);

    for (size_t i = 0; i < value_count(v); i++) {
        struct value *filled;

        if (fill_value(f, value_item(v, i), &filled, err))
            return err->code;
        value_add(f->a, list, filled);
    }
    *ret = list;
    return 0;
}

static struct value *fill_ref(const struct fill *f, struct str ref)
{
    struct value *map = value_map(f->a);

    value_set_text(f->a, map, S("secret"), ref);
    return map;
}

/* A copy with every output filled in, and secrets as the reference that host.secret() takes. */
int fill_value(const struct fill *f, const struct value *v, struct value **ret, struct err *err)
{
    const struct value *output;

    switch (reference_of(v)) {
    case REFERENCE_OUTPUT:
        if (op_outputs_ref(f->a, v).p) {
            *ret = fill_ref(f, op_outputs_ref(f->a, v));
            return 0;
        }
        if (fill_output(f, value_get_text(v, S("output"), S("")),
                        value_get_text(v, S("key"), S("")), &output, err))
            return err->code;
        *ret = value_copy(f->a, output);
        return 0;
    case REFERENCE_JOIN:
        return fill_join(f, v, ret, err);
    case REFERENCE_SECRET:
        *ret = fill_ref(f,
                        str_fmt(f->a, "%.*s@%.*s", STR_ARG(value_get_text(v, S("secret"), S(""))),
                                STR_ARG(value_get_text(v, S("version"), S("")))));
        return 0;
    case REFERENCE_NONE:
        break;
    }
    if (v->kind == VALUE_LIST)
        return fill_list(f, v, ret, err);
    if (v->kind == VALUE_MAP)
        return fill_map(f, v, ret, err);
    *ret = value_copy(f->a, v);
    return 0;
}
