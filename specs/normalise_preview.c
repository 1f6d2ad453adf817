/* Environments that a Preview makes. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "specs/normalise.h"

#define PREVIEW_TTL_MS (72 * 3600 * (int64_t)1000)

const struct value *normalise_overrides(struct normalise *n)
{
    const struct value *preview;
    struct value *whole;

    if (!n->in->preview.p)
        return normalise_document(n, &n->bundle->environments, "environment", n->in->environment,
                                  (struct value_place){ 0 });
    preview = normalise_document(n, &n->bundle->previews, "preview", n->in->preview,
                                 (struct value_place){ 0 });
    whole = preview ? value_copy(n->arena, value_get(preview, S("template"))) : NULL;
    if (!value_is(whole, VALUE_MAP))
        return NULL; /* said already */
    value_set(n->arena, whole, S("application"),
              value_copy(n->arena, value_get(preview, S("application"))));
    return whole;
}

void normalise_name(struct normalise *n, struct schema_fill *fill, const struct value *overrides)
{
    const struct value_entry *name = value_entry(overrides, S("name"));
    struct value *only = value_map(n->arena);
    const struct value *filled;
    int64_t unused;

    n->environment = n->in->environment;
    fill->environment = n->environment;
    if (!n->in->preview.p || !name)
        return;
    value_set_placed(n->arena, only, S("name"), name->key_place, name->value);
    fill->environment = S("");
    filled = schema_fill(fill, SCHEMA_TEMPLATE, only, S("template"));
    n->environment = str_copy(n->arena, value_get_text(filled, S("name"), S("")));
    fill->environment = n->environment;
    name->value->u.text = scalar_read(SCALAR_NAME, n->environment, &unused)
                              ? S("preview") /* said already */
                              : n->environment;
}

/* What it says of all its environments. */
struct value *normalise_preview_policy(struct normalise *n)
{
    static const struct {
        struct str name;
        enum schema_object object;
    } parts[] = { { S_INIT("source"), SCHEMA_PREVIEW_SOURCE },
                  { S_INIT("idle"), SCHEMA_IDLE },
                  { S_INIT("quota"), SCHEMA_QUOTA },
                  { S_INIT("teardown"), SCHEMA_TEARDOWN },
                  { S_INIT("status"), SCHEMA_PREVIEW_STATUS } };
    const struct schema_fill fill = { .arena = n->arena,
                                      .m = n->m,
                                      .names = SCHEMA_NAMES_OF_UNITS };
    const struct value *preview = map_find(&n->bundle->previews, n->in->preview);
    struct value *policy = value_map(n->arena);

    value_set_text(n->arena, policy, S("name"), n->in->preview);
    value_set_int(n->arena, policy, S("ttl_ms"), value_get_int(preview, S("ttl"), PREVIEW_TTL_MS));
    for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
        const struct value *written = value_get(preview, parts[i].name);

        if (written || !str_eq_c(parts[i].name, "idle"))
            value_set(n->arena, policy, parts[i].name,
                      schema_fill(&fill, parts[i].object, written, parts[i].name));
    }
    return policy;
}

int normalise_preview_name(struct arena *a, const struct bundle *b,
                           const struct normalise_input *in, struct str *ret,
                           struct spec_messages *m, struct err *err)
{
    struct normalise n = { .arena = a, .in = in, .m = m, .bundle = b, .environment = S("") };
    struct schema_fill fill = { .arena = a, .m = m, .number = in->number, .slug = in->slug };
    const struct value *overrides = normalise_overrides(&n);

    fill.branch = in->branch;
    if (overrides)
        normalise_name(&n, &fill, overrides);
    if (arena_status(a, err))
        return ERR_NOMEM;
    *ret = n.environment.p ? n.environment : S("");
    return 0;
}
