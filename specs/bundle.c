/* SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "specs/schema.h"
#include "specs/yaml_read.h"

/* A Daemon document has no name: there is one. */
#define BUNDLE_DAEMON_KEY S("daemon")

/* --- one file ------------------------------------------------------------------------------------ */

static void bundle_document(struct arena *a, enum bundle_kind kind, const struct value *written,
                            struct bundle_file *ret)
{
    struct str word = value_get_text(written, S("kind"), STR_NONE);
    int is_daemon = str_eq_c(word, "Daemon");
    struct value *document;
    const struct value **slot;

    if (word.p && is_daemon != (kind == BUNDLE_DAEMON)) {
        spec_message_add(&ret->messages, SPEC_ERROR, written->place, S("kind"), STR_NONE,
                         is_daemon
                             ? "a Daemon document does not belong in a repository"
                             : "only a Daemon document belongs in the daemon's configuration");
        return;
    }
    document = schema_check(a, SCHEMA_DOCUMENT, written, &ret->messages);
    slot = document ? vec_push(a, &ret->documents) : NULL; /* NULL: said already */
    if (slot)
        *slot = document;
}

/* What was written is needed until it was checked. */
static int bundle_read_one(struct arena *a, enum bundle_kind kind, const struct spec_file *file,
                           size_t max_messages, struct bundle_file *ret, struct err *err)
{
    AUTO_ARENA struct arena scratch;
    struct bundle_file read = { .path = str_copy(a, file->path) };
    struct spec_file *named = arena_new(a, struct spec_file); /* places borrow its path */
    struct value *documents = NULL;
    int rc;

    arena_init(&scratch, 0);
    if (!named)
        return arena_status(a, err);
    *named = (struct spec_file){ read.path, file->text };
    spec_messages_init(&read.messages, a);
    read.messages.max = max_messages;
    rc = yaml_read(&scratch, named, &documents, &read.messages, err);
    if (rc)
        return err_wrap(err, "read '%.*s'", STR_ARG(file->path));
    if (!value_count(documents) && !read.messages.n_errors)
        spec_message_add(&read.messages, SPEC_ERROR, (struct value_place){ &named->path, 1, 1 },
                         S("yaml"), STR_NONE, "no document");
    for (size_t i = 0; i < value_count(documents); i++)
        bundle_document(a, kind, value_item(documents, i), &read);
    if (arena_status(a, err))
        return ERR_NOMEM;
    *ret = read;
    return 0;
}

int bundle_read_file(struct arena *a, enum bundle_kind kind, const struct spec_file *file,
                     struct bundle_file *ret, struct err *err)
{
    return bundle_read_one(a, kind, file, SPEC_MESSAGES_MAX, ret, err);
}

static void bundle_copy_file(struct arena *a, const struct bundle_file *read,
                             struct bundle_file *ret)
{
    *ret = (struct bundle_file){ .path = str_copy(a, read->path) };
    spec_messages_init(&ret->messages, a);
    ret->documents.p = arena_new_n(a, const struct value *, read->documents.n);
    for (size_t i = 0; ret->documents.p && i < read->documents.n; i++)
        ret->documents.p[ret->documents.n++] = value_copy(a, read->documents.p[i]);
}

/* The first copy says how large the second one is. */
int bundle_keep_file(struct arena *a, const struct bundle_file *read, struct bundle_file *ret,
                     struct err *err)
{
    AUTO_ARENA struct arena scratch;
    struct bundle_file kept;

    arena_init(&scratch, 0);
    bundle_copy_file(&scratch, read, &kept);
    if (arena_status(&scratch, err))
        return ERR_NOMEM;
    arena_reserve(a, scratch.used_bytes);
    bundle_copy_file(a, read, &kept);
    if (arena_status(a, err))
        return ERR_NOMEM;
    *ret = kept;
    return 0;
}

/* --- all of them --------------------------------------------------------------------------------- */

/* A published document is not written to any more; maps have values of no type. */
static void bundle_put(struct map *map, struct str key, const struct value *document)
{
    union {
        const struct value *in;
        void *out;
    } value = { .in = document };

    map_replace(map, key, value.out);
}

static void bundle_add(struct map *map, struct str key, const char *what,
                       const struct value *document, struct spec_messages *m)
{
    const struct value *first = map_find(map, key), *name = value_get(document, S("name"));
    const struct value *first_name = value_get(first, S("name"));
    const struct value_place *at = first_name ? &first_name->place : first ? &first->place : NULL;

    if (!key.p)
        return; /* said already */
    if (!at) {
        bundle_put(map, key, document);
        return;
    }
    spec_message_add(m, SPEC_ERROR, name ? name->place : document->place, S("duplicate"), STR_NONE,
                     "%s '%.*s' is also at %.*s:%u:%u", what, STR_ARG(key),
                     STR_ARG(value_file(*at)), at->line, at->column);
}

static void bundle_add_document(struct bundle *b, const struct value *document,
                                struct spec_messages *m)
{
    struct str kind = value_get_text(document, S("kind"), STR_NONE);
    struct str name = value_get_text(document, S("name"), STR_NONE);

    if (str_eq_c(kind, "Application"))
        bundle_add(&b->applications, name, "application", document, m);
    else if (str_eq_c(kind, "Environment"))
        bundle_add(&b->environments, name, "environment", document, m);
    else if (str_eq_c(kind, "Preview"))
        bundle_add(&b->previews, name, "preview", document, m);
    else
        bundle_add(&b->daemons, BUNDLE_DAEMON_KEY, "the configuration", document, m);
}

static void bundle_init(struct bundle *b, struct arena *a)
{
    map_init(&b->applications, a);
    map_init(&b->environments, a);
    map_init(&b->previews, a);
    map_init(&b->daemons, a);
}

int bundle_join(struct arena *a, const struct bundle_file *const *files, size_t n_files,
                struct bundle *ret, struct spec_messages *m, struct err *err)
{
    struct bundle bundle;

    bundle_init(&bundle, a);
    for (size_t i = 0; i < n_files; i++) {
        spec_messages_join(m, &files[i]->messages);
        for (size_t j = 0; j < files[i]->documents.n; j++)
            bundle_add_document(&bundle, files[i]->documents.p[j], m);
    }
    if (arena_status(a, err))
        return ERR_NOMEM;
    *ret = bundle;
    return 0;
}

int bundle_is_alike(const struct bundle_file *one, const struct bundle_file *other)
{
    static const struct str members[] = { S_INIT("kind"), S_INIT("name") };
    size_t n = one->documents.n;

    if (n != other->documents.n || one->messages.list.n || other->messages.list.n)
        return 0;
    for (size_t i = 0; i < n * N_ELEMENTS(members); i++) {
        struct str member = members[i % N_ELEMENTS(members)];

        if (!str_eq(value_get_text(one->documents.p[i / N_ELEMENTS(members)], member, S("")),
                    value_get_text(other->documents.p[i / N_ELEMENTS(members)], member, S(""))))
            return 0;
    }
    return 1;
}

static void bundle_update_document(struct bundle *b, const struct value *document)
{
    struct str name = value_get_text(document, S("name"), STR_NONE);

    if (str_eq_c(value_get_text(document, S("kind"), STR_NONE), "Application"))
        bundle_put(&b->applications, name, document);
    else if (str_eq_c(value_get_text(document, S("kind"), STR_NONE), "Preview"))
        bundle_put(&b->previews, name, document);
    else
        bundle_put(&b->environments, name, document);
}

int bundle_update(struct arena *a, const struct bundle *before,
                  const struct bundle_file *const *files, size_t n_files, struct bundle *ret,
                  struct err *err)
{
    struct bundle bundle;

    bundle_init(&bundle, a);
    map_copy(&bundle.applications, &before->applications);
    map_copy(&bundle.environments, &before->environments);
    map_copy(&bundle.previews, &before->previews);
    for (size_t i = 0; i < n_files; i++)
        for (size_t j = 0; j < files[i]->documents.n; j++)
            bundle_update_document(&bundle, files[i]->documents.p[j]);
    if (arena_status(a, err))
        return ERR_NOMEM;
    *ret = bundle;
    return 0;
}

int bundle_read(struct arena *a, enum bundle_kind kind, const struct spec_file *files,
                size_t n_files, struct bundle *ret, struct spec_messages *m, struct err *err)
{
    struct bundle_file *read = arena_new_n(a, struct bundle_file, n_files);
    const struct bundle_file **list = arena_new_n(a, const struct bundle_file *, n_files);

    if (!read || !list)
        return arena_status(a, err);
    for (size_t i = 0; i < n_files; i++) {
        if (bundle_read_one(a, kind, &files[i], m->max, &read[i], err))
            return err->code;
        list[i] = &read[i];
    }
    return bundle_join(a, list, n_files, ret, m, err);
}
