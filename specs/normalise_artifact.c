/* What is run: what it is built from, or an image, and what it may use. SPDX-License-Identifier: Apache-2.0 */
#include "specs/digest.h"
#include "specs/refs.h"
#include "specs/rule.h"

/* The id of one path at the commit. */
static void add_tree(struct normalise *n, struct value *trees, const struct value *path,
                     struct value_place place)
{
    struct str name = path ? path->u.text : S(".");
    const struct str *id = n->in->trees ? map_find(n->in->trees, name) : NULL;

    if (path && path->place.line)
        place = path->place;
    if (n->in->trees && !id)
        normalise_complain(n, place, "path", STR_NONE, "'%.*s' is not in the repository",
                           STR_ARG(name));
    value_set_text(n->arena, trees, name, id ? *id : S(""));
}

static struct value *source_trees(struct normalise *n, const struct value *source)
{
    const struct value *watch = value_get(source, S("watch"));
    struct value *trees = value_map(n->arena);

    if (!watch)
        add_tree(n, trees, value_get(source, S("context")), source->place);
    for (size_t i = 0; i < value_count(watch); i++)
        add_tree(n, trees, value_item(watch, i), source->place);
    if (value_get(source, S("dockerfile")))
        add_tree(n, trees, value_get(source, S("dockerfile")), source->place);
    return trees;
}

/* Off leaves nothing. What it brought is part of what was built. */
static void set_network(struct normalise *n, struct value *build, const struct value *source)
{
    const struct value *asked = value_get(source, S("network"));

    if (!value_get_bool(source, S("network"), 0))
        return;
    rule_check_network(n, asked);
    value_set(n->arena, build, S("network"), value_bool(n->arena, 1));
}

/* `command` is what is meant where nothing is said. */
static void set_builder(struct normalise *n, struct value *build, const struct value *source)
{
    const struct value *dockerfile = value_get(source, S("dockerfile"));
    struct str builder = value_get_text(source, S("builder"), S("command"));

    if (dockerfile && !str_eq_c(builder, "dockerfile"))
        normalise_complain(n, dockerfile->place, "conflict", STR_NONE,
                           "a dockerfile goes with builder dockerfile, not with %.*s",
                           STR_ARG(builder));
    if (str_eq_c(builder, "command"))
        return;
    value_set_text(n->arena, build, S("builder"), builder);
    normalise_take(n, build, source, S("dockerfile"));
}

/* By their names, and in the key by where they lie: what was built with a secret of another place is another
 * artifact, and another version makes nothing anew. */
static struct value *build_secrets(struct normalise *n, struct value *keyed,
                                   const struct value *source)
{
    const struct value *names = value_get(source, S("secrets"));
    struct value *pinned = value_map(n->arena), *places = value_map(n->arena);

    for (size_t i = 0; i < value_count(names); i++) {
        struct str name = value_item(names, i)->u.text;
        struct value *reference = refs_secret_named(n, value_item(names, i), "build");
        struct value *place = map_find(&n->used_secrets, name);

        if (reference)
            value_set(n->arena, pinned, name, reference);
        if (place)
            value_set(n->arena, places, name, place);
    }
    if (value_count(places))
        value_set(n->arena, keyed, S("secrets"), places);
    return pinned;
}

/* `build` and the artifact key, which is the digest of it, without its timeout and the versions of secrets, and of
 * who builds: what one provider has built lies with no other. */
static void set_build(struct normalise *n, struct value *desired, const struct value *source,
                      struct spec_resource *of)
{
    struct value *build = value_map(n->arena), *keyed = value_map(n->arena), *environment;
    const struct value *argv = value_get(source, S("build"));
    struct value *secrets;
    struct digest key;

    environment = refs_variables(n, value_get(source, S("environment")), REFS_BUILD, of);
    normalise_take(n, build, source, S("context"));
    value_set(n->arena, build, S("trees"), source_trees(n, source));
    value_set(n->arena, build, S("argv"),
              argv ? value_copy_content(n->arena, argv) : value_list(n->arena));
    value_set(n->arena, build, S("environment"), environment ? environment : value_map(n->arena));
    set_builder(n, build, source);
    set_network(n, build, source);
    value_set(n->arena, keyed, S("build"), build);
    value_set_text(n->arena, keyed, S("builder"), of->provider);
    secrets = build_secrets(n, keyed, source);
    key = digest_value(n->arena, S("artifact"), keyed);
    normalise_take(n, build, source, S("timeout_ms"));
    if (value_count(secrets))
        value_set(n->arena, build, S("secrets"), secrets);
    value_set_text(n->arena, desired, S("artifact"), digest_hex(n->arena, &key));
    value_set(n->arena, desired, S("build"), build);
}

static void set_image(struct normalise *n, struct value *desired, const struct value *written,
                      const struct spec_resource *of)
{
    const struct value *image = value_get(written, S("image"));
    const struct value *source = value_get(written, S("source"));
    const struct value *wait = value_get(written, S("image_wait_ms"));

    if (wait && !image)
        normalise_complain(n, wait->place, "conflict", STR_NONE, "image_wait goes with an image");
    if (!image)
        return;
    if (source)
        normalise_complain(n, image->place, "conflict", STR_NONE,
                           "image and source (%.*s:%u:%u) exclude each other",
                           STR_ARG(value_file(source->place)), source->place.line,
                           source->place.column);
    rule_check_image(n, image);
    rule_check_cost(n, str_fmt(n->arena, "image '%.*s'", STR_ARG(image->u.text)), of->provider,
                    image->place);
    normalise_take(n, desired, written, S("image"));
    normalise_take(n, desired, written, S("image_wait_ms"));
}

void normalise_artifact(struct normalise *n, struct value *desired, const struct value *written,
                        struct spec_resource *of)
{
    if (value_get(written, S("source")))
        set_build(n, desired, value_get(written, S("source")), of);
    set_image(n, desired, written, of);
}

/* The daemon's word, and part of what is approved; none leaves nothing. */
static void set_isolation(struct normalise *n, struct value *desired)
{
    struct str class = value_get_text(n->in->rule, S("isolation"), S("none"));

    if (!str_eq_c(class, "none"))
        value_set_text(n->arena, desired, S("isolation"), class);
}

static void set_limits(struct normalise *n, struct value *desired, const struct value *service,
                       struct spec_resource *of)
{
    const struct value *limits = value_at(service, S("resources.limits"));
    struct value *places = value_map(n->arena);

    if (!value_count(limits))
        return;
    for (size_t i = 0; i < value_count(limits); i++) {
        const struct value_entry *e = &limits->u.map.entries[i];

        value_set_text(n->arena, places, str_copy(n->arena, e->key),
                       str_fmt(n->arena, "%.*s:%u:%u", STR_ARG(value_file(e->key_place)),
                               e->key_place.line, e->key_place.column));
    }
    value_set(n->arena, desired, S("limits"), value_copy_content(n->arena, limits));
    of->limits_at = places;
}

void normalise_resources(struct normalise *n, struct value *desired, const struct value *written,
                         struct spec_resource *of)
{
    const struct value *reserved = value_at(written, S("resources.reservations"));

    set_isolation(n, desired);
    set_limits(n, desired, written, of);
    if (value_count(reserved))
        value_set(n->arena, desired, S("reservations"), value_copy_content(n->arena, reserved));
}
