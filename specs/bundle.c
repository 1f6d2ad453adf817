/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/schema.h"
#include "specs/yaml_read.h"

/* A Daemon document has no name: there is one. */
#define BUNDLE_DAEMON_KEY S("daemon")

struct bundle_reader {
    struct arena *a;
    enum bundle_kind kind;
    struct bundle *bundle;
    struct spec_messages *m;
};

static void bundle_put(struct bundle_reader *r, struct map *map, struct str key, const char *what,
                       struct value_place place, struct value *document)
{
    const struct value *first = map_find(map, key), *name = value_get(first, S("name"));
    const struct value_place *at = name ? &name->place : first ? &first->place : NULL;

    if (!key.p)
        return; /* said already */
    if (at) {
        spec_message_add(r->m, SPEC_ERROR, place, S("duplicate"), STR_NONE,
                         "%s '%.*s' is also at %.*s:%u:%u", what, STR_ARG(key), STR_ARG(at->file),
                         at->line, at->column);
        return;
    }
    map_put(map, key, document);
}

static void bundle_document(struct bundle_reader *r, const struct value *written)
{
    struct str kind = value_get_text(written, S("kind"), STR_NONE);
    int is_daemon = str_eq_c(kind, "Daemon");
    const struct value *name = value_get(written, S("name"));
    struct value_place place = name ? name->place : written->place;
    struct value *document;

    if (kind.p && is_daemon != (r->kind == BUNDLE_DAEMON)) {
        spec_message_add(r->m, SPEC_ERROR, written->place, S("kind"), STR_NONE,
                         is_daemon
                             ? "a Daemon document does not belong in a repository"
                             : "only a Daemon document belongs in the daemon's configuration");
        return;
    }
    document = schema_check(r->a, SCHEMA_DOCUMENT, written, r->m);
    if (!document)
        return; /* said already */
    if (is_daemon)
        bundle_put(r, &r->bundle->daemons, BUNDLE_DAEMON_KEY, "the configuration", place, document);
    else
        bundle_put(
            r, str_eq_c(kind, "Application") ? &r->bundle->applications : &r->bundle->environments,
            value_get_text(document, S("name"), STR_NONE),
            str_eq_c(kind, "Application") ? "application" : "environment", place, document);
}

/* What was written is needed until it was checked. */
static int bundle_file(struct bundle_reader *r, const struct spec_file *file, struct err *err)
{
    AUTO_ARENA struct arena scratch;
    struct spec_file named = { str_copy(r->a, file->path), file->text };
    struct value *documents = NULL;
    size_t errors_before = r->m->n_errors;
    int rc;

    arena_init(&scratch, 0);
    rc = yaml_read(&scratch, &named, &documents, r->m, err);
    if (rc)
        return err_wrap(err, "read '%.*s'", STR_ARG(file->path));
    if (!value_count(documents) && r->m->n_errors == errors_before)
        spec_message_add(r->m, SPEC_ERROR, (struct value_place){ named.path, 1, 1 }, S("yaml"),
                         STR_NONE, "no document");
    for (size_t i = 0; i < value_count(documents); i++)
        bundle_document(r, value_item(documents, i));
    return arena_status(r->a, err);
}

int bundle_read(struct arena *a, enum bundle_kind kind, const struct spec_file *files,
                size_t n_files, struct bundle *ret, struct spec_messages *m, struct err *err)
{
    struct bundle bundle;
    struct bundle_reader r = { .a = a, .kind = kind, .bundle = &bundle, .m = m };
    int rc = 0;

    map_init(&bundle.applications, a);
    map_init(&bundle.environments, a);
    map_init(&bundle.previews, a);
    map_init(&bundle.daemons, a);
    for (size_t i = 0; i < n_files && !rc; i++)
        rc = bundle_file(&r, &files[i], err);
    if (!rc)
        *ret = bundle;
    return rc;
}
