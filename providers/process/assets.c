/* Working copies that hold files of earlier versions too. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/sys.h"
#include "providers/process/process.h"

struct assets_version {
    struct str artifact, below; /* where they lie in it */
};

struct assets {
    struct assets_version own;
    VEC(struct assets_version) earlier;
};

struct str process_assets_copy(struct process_call *c)
{
    return value_get(c->desired, S("assets"))
               ? str_fmt(&c->arena, "%.*s/%.*s/tree", STR_ARG(c->place.runs),
                         STR_ARG(c->place.owner))
               : STR_NONE;
}

int process_assets_use(const struct value *about, struct str key)
{
    const struct value *of = value_at(about, S("assets.of"));

    for (size_t i = 0; i < value_count(of); i++)
        if (str_eq(value_get_text(value_item(of, i), S("artifact"), S("")), key))
            return 1;
    return 0;
}

static const char *assets_tree(struct process_call *c, struct str artifact)
{
    return str_fmt(&c->arena, "%.*s/%.*s/tree", STR_ARG(c->self->artifacts), STR_ARG(artifact)).p;
}

/* "." and "" are left out, because a path is made part by part. */
static struct str assets_below(struct arena *a, struct str context, struct str path)
{
    struct str rest = str_fmt(a, "%.*s/%.*s", STR_ARG(context), STR_ARG(path)), part;
    struct sb b;

    sb_init(&b, a);
    while (str_next(&rest, '/', &part))
        if (part.n && !str_eq(part, S(".")))
            sb_addf(&b, "%s%.*s", b.n ? "/" : "", STR_ARG(part));
    return sb_str(&b);
}

static struct assets_version assets_version_of(struct process_call *c, const struct value *v,
                                               struct str path)
{
    return (struct assets_version){
        .artifact = value_get_text(v, S("artifact"), S("")),
        .below = assets_below(&c->arena, value_get_text(v, S("context"), S(".")), path),
    };
}

/* Once each. */
static void assets_add(struct process_call *c, struct assets *x, struct assets_version v)
{
    struct assets_version *slot;

    if (!v.artifact.n || v.artifact.p[0] == '.' || str_find_char(v.artifact, '/') != STR_NPOS ||
        str_eq(v.artifact, x->own.artifact))
        return;
    for (size_t i = 0; i < x->earlier.n; i++)
        if (str_eq(x->earlier.p[i].artifact, v.artifact))
            return;
    slot = vec_push(&c->arena, &x->earlier);
    if (slot)
        *slot = v;
}

/* One of the same service, that is not us. */
static int assets_is_beside(struct process_call *c, const char *owner, const struct value *about)
{
    const struct str env = S("label.env_uid");

    return !str_eq_c(c->place.owner, owner) &&
           str_eq_c(value_get_text(about, S("type"), S("")), "instance") &&
           str_eq(value_get_text(about, S("service"), S("")),
                  value_get_text(c->desired, S("service"), S("?"))) &&
           value_at(about, env) && value_at(c->desired, env) &&
           str_eq(value_at(about, env)->u.text, value_at(c->desired, env)->u.text);
}

/* A page of what runs may ask us, also when nobody remembers it; and one of ours may ask what runs, so it gets what is
 * ours. One that goes away meanwhile needs nothing. */
static void assets_meet(struct process_call *c, struct assets *x, const char *owner,
                        const struct value *about)
{
    struct str path = value_at(about, S("assets.path"))
                          ? value_at(about, S("assets.path"))->u.text
                          : value_at(c->desired, S("assets.path"))->u.text;
    struct assets_version v = assets_version_of(c, about, path);
    const char *copy = str_fmt(&c->arena, "%.*s/%s/tree", STR_ARG(c->self->runs), owner).p;
    struct err ignored = ERR_INIT;

    assets_add(c, x, v);
    if (value_get(about, S("assets")) && copy && !str_eq(v.artifact, x->own.artifact))
        (void)process_tree_link(c, assets_tree(c, x->own.artifact), x->own.below, copy, v.below,
                                &ignored);
}

static void assets_meet_all(struct process_call *c, struct assets *x)
{
    DIR *dir = opendir(str_to_c(&c->arena, c->self->runs));
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        const struct value *about = entry->d_name[0] == '.' ? NULL
                                                            : process_about_of(c, entry->d_name);

        if (about && assets_is_beside(c, entry->d_name, about))
            assets_meet(c, x, entry->d_name, about);
    }
    if (dir)
        (void)closedir(dir); /* only read */
}

/* Its own first, then the newest of the others: nothing is replaced. Until it has its name nobody else adds to it. */
static int assets_fill(struct process_call *c, const struct assets *x, const char *copy,
                       struct err *err)
{
    const char *fresh = str_fmt(&c->arena, "%s.new", copy).p;

    if (arena_status(&c->arena, err) || sys_remove_all(copy, err) || sys_remove_all(fresh, err) ||
        sys_mkdir_all(fresh, 0755, err) ||
        (chmod(fresh, 0755) && err_sys(err, "open '%s'", fresh)) ||
        process_tree_link(c, assets_tree(c, x->own.artifact), S(""), fresh, S(""), err))
        return err->code;
    for (size_t i = 0; i < x->earlier.n; i++) {
        struct err gone = ERR_INIT; /* one that is removed meanwhile is left out */

        if (process_tree_link(c, assets_tree(c, x->earlier.p[i].artifact), x->earlier.p[i].below,
                              fresh, x->own.below, &gone) &&
            gone.code != ERR_NOT_FOUND) {
            *err = gone;
            return err->code;
        }
    }
    return rename(fresh, copy) ? err_sys(err, "rename '%s'", fresh) : 0;
}

int process_assets_make(struct process_call *c)
{
    const struct value *asked = value_get(c->desired, S("assets")), *of = value_get(asked, S("of"));
    struct str path = value_get_text(asked, S("path"), S("."));
    struct assets x = { .own = assets_version_of(c, c->desired, path) };
    size_t retain = (size_t)value_get_int(asked, S("retain"), 0);
    struct err err = ERR_INIT;

    if (!asked)
        return 0;
    if (!x.own.artifact.n || str_find_char(x.own.artifact, '/') != STR_NPOS ||
        x.own.artifact.p[0] == '.' || !sys_exists(assets_tree(c, x.own.artifact)))
        return process_fail(c, RV_USER, RV_ACTED_NO, "artifact '%.*s' is not here",
                            STR_ARG(x.own.artifact));
    for (size_t i = 0; i < value_count(of) && x.earlier.n < retain; i++)
        assets_add(c, &x,
                   assets_version_of(c, value_item(of, i),
                                     value_get_text(value_item(of, i), S("path"), path)));
    assets_meet_all(c, &x);
    if (arena_status(&c->arena, &err) ||
        assets_fill(c, &x, str_to_c(&c->arena, process_assets_copy(c)), &err))
        return process_fail_err(c, RV_ACTED_YES, &err);
    return 0;
}
