/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/null/null.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/guard.h"
#include "base/sys.h"

#define NULL_SLOTS_MIN 64
#define NULL_FILE_MAX (8u << 20)

static size_t null_hash(struct str s)
{
    uint64_t h = 1469598103934665603u; /* FNV-1a */

    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    return (size_t)h;
}

struct null_object *null_store_find(const struct null_store *s, struct str owner)
{
    struct null_object *o = s->n_slots ? s->slots[null_hash(owner) % s->n_slots] : NULL;

    while (o && !str_eq(o->owner, owner))
        o = o->next;
    return o;
}

static int null_store_grow(struct null_store *s)
{
    size_t wanted = s->n_slots ? s->n_slots * 2 : NULL_SLOTS_MIN;
    struct null_object **slots = alloc_zero(wanted * sizeof(struct null_object *));

    if (!slots)
        return -1;
    for (size_t i = 0; i < s->n_slots; i++) {
        struct null_object *o = s->slots[i];

        while (o) {
            struct null_object *next = o->next;
            size_t at = null_hash(o->owner) % wanted;

            o->next = slots[at];
            slots[at] = o;
            o = next;
        }
    }
    alloc_free(s->slots);
    s->slots = slots;
    s->n_slots = wanted;
    return 0;
}

static void null_object_drop(struct str *member)
{
    alloc_free((void *)(uintptr_t)member->p);
    *member = (struct str){ 0 };
}

int null_object_set(struct null_object *o, struct str *member, struct str text)
{
    char *p = alloc_zero(text.n + 1);

    if (!p)
        return -1;
    if (member != &o->observed && member != &o->outputs) {
        null_object_drop(&o->observed);
        null_object_drop(&o->outputs);
    }
    if (text.n)
        memcpy(p, text.p, text.n);
    null_object_drop(member);
    *member = (struct str){ p, text.n };
    return 0;
}

static void null_object_free(struct null_object *o)
{
    struct str *texts[] = { &o->owner,   &o->type,     &o->name,   &o->key,
                            &o->desired, &o->observed, &o->outputs };

    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        null_object_drop(texts[i]);
    alloc_free(o);
}

struct null_object *null_store_put(struct null_store *s, struct str owner)
{
    struct null_object *o = null_store_find(s, owner);
    size_t at;

    if (o)
        return o;
    if (s->n >= s->n_slots && null_store_grow(s))
        return NULL;
    o = alloc_zero(sizeof(*o));
    if (!o || null_object_set(o, &o->owner, owner)) {
        alloc_free(o);
        return NULL;
    }
    o->number = ++s->next_number;
    at = null_hash(owner) % s->n_slots;
    o->next = s->slots[at];
    s->slots[at] = o;
    s->n++;
    return o;
}

static void null_store_unlink(struct null_store *s, struct str owner)
{
    struct null_object **at = s->n_slots ? &s->slots[null_hash(owner) % s->n_slots] : NULL;

    while (at && *at && !str_eq((*at)->owner, owner))
        at = &(*at)->next;
    if (at && *at) {
        struct null_object *o = *at;

        *at = o->next;
        s->n--;
        null_object_free(o);
    }
}

void null_store_fini(struct null_store *s)
{
    for (size_t i = 0; i < s->n_slots; i++)
        while (s->slots[i]) {
            struct null_object *o = s->slots[i];

            s->slots[i] = o->next;
            null_object_free(o);
        }
    alloc_free(s->slots);
    *s = (struct null_store){ 0 };
}

/* --- files: one an object; they outlive the process, not the machine's power --- */

static int null_path(const struct null_store *s, struct str owner, const char *end, char *path,
                     size_t max, struct err *err)
{
    int n = snprintf(path, max, "%.*s/%.*s%s", STR_ARG(s->directory), STR_ARG(owner), end);

    if (!owner.n || str_find_char(owner, '/') != STR_NPOS || owner.p[0] == '.' || n < 0 ||
        (size_t)n >= max)
        return err_set(err, ERR_INVALID, "owner label '%.*s' is no name of a file", STR_ARG(owner));
    return 0;
}

static int null_store_parse(struct arena *a, const char *path, struct value **ret, struct err *err)
{
    struct str text;

    return sys_read_file(a, path, NULL_FILE_MAX, &text, err) ||
                   json_parse(a, text, NULL_FILE_MAX, ret, err)
               ? err->code
               : 0;
}

int null_store_recall(struct null_store *s, struct null_object *o, struct err *err)
{
    AUTO_ARENA struct arena a = { 0 };
    struct str desired;
    struct value *v;
    char path[512], *p;

    if (o->desired.p)
        return 0;
    arena_init(&a, 0);
    if (null_path(s, o->owner, ".json", path, sizeof(path), err) ||
        null_store_parse(&a, path, &v, err))
        return err->code;
    desired = value_get_text(v, S("desired"), S(""));
    p = alloc_zero(desired.n + 1);
    if (!p)
        return err_set(err, ERR_NOMEM, "out of memory");
    memcpy(p, desired.p, desired.n);
    o->desired = (struct str){ p, desired.n };
    return 0;
}

void null_store_unlearn(const struct null_store *s, struct null_object *o)
{
    if (s->directory.n)
        null_object_drop(&o->desired);
}

int null_store_keep(struct null_store *s, struct null_object *o, struct err *err)
{
    char path[512], temp[512];
    AUTO_ARENA struct arena a = { 0 };
    struct value *v;
    struct str text;

    if (!s->directory.n)
        return 0;
    if (null_store_recall(s, o, err))
        return err->code;
    arena_init(&a, 0);
    v = value_map(&a);
    value_set_text(&a, v, S("owner"), o->owner);
    value_set_text(&a, v, S("type"), o->type);
    value_set_text(&a, v, S("name"), o->name);
    value_set_text(&a, v, S("key"), o->key);
    value_set_text(&a, v, S("desired"), o->desired);
    value_set_int(&a, v, S("epoch"), (int64_t)o->epoch);
    value_set_int(&a, v, S("number"), o->number);
    value_set_int(&a, v, S("pending"), o->pending);
    value_set_int(&a, v, S("deleting"), o->deleting);
    text = json_format(&a, v);
    if (arena_status(&a, err) || null_path(s, o->owner, ".json", path, sizeof(path), err) ||
        null_path(s, o->owner, ".new", temp, sizeof(temp), err))
        return err->code;
    {
        AUTO_CLOSE int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n)
            return err_sys(err, "write '%s'", temp);
    }
    return rename(temp, path) ? err_sys(err, "rename '%s'", temp) : 0;
}

int null_store_drop(struct null_store *s, struct str owner, struct err *err)
{
    char path[512];

    if (s->directory.n) {
        if (null_path(s, owner, ".json", path, sizeof(path), err))
            return err->code;
        if (unlink(path) && errno != ENOENT)
            return err_sys(err, "remove '%s'", path);
    }
    null_store_unlink(s, owner);
    return 0;
}

int null_store_rename(struct null_store *s, struct null_object *o, struct str owner,
                      struct err *err)
{
    char from[512], to[512];
    struct null_object **at = &s->slots[null_hash(o->owner) % s->n_slots];
    size_t slot;

    if (s->directory.n) {
        if (null_path(s, o->owner, ".json", from, sizeof(from), err) ||
            null_path(s, owner, ".json", to, sizeof(to), err))
            return err->code;
        if (rename(from, to))
            return err_sys(err, "rename '%s'", from);
    }
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    if (null_object_set(o, &o->owner, owner))
        return err_set(err, ERR_NOMEM, "out of memory");
    slot = null_hash(o->owner) % s->n_slots;
    o->next = s->slots[slot];
    s->slots[slot] = o;
    return null_store_keep(s, o, err);
}

const struct value *null_store_drift(const struct null_store *s, struct arena *a, struct str owner)
{
    char path[512];
    struct err ignored = ERR_INIT; /* a test's own file */
    struct value *v;
    struct str text;

    if (!s->directory.n || null_path(s, owner, ".drift", path, sizeof(path), &ignored) ||
        access(path, R_OK) || sys_read_file(a, path, NULL_FILE_MAX, &text, &ignored) ||
        json_parse(a, text, NULL_FILE_MAX, &v, &ignored))
        return NULL;
    return v;
}

int null_store_mend(const struct null_store *s, const struct null_object *o, struct err *err)
{
    char path[512];
    AUTO_ARENA struct arena a = { 0 };
    const struct value *drift;

    if (!s->directory.n)
        return 0;
    arena_init(&a, 0);
    drift = null_store_drift(s, &a, o->owner);
    if (!drift || value_get_bool(drift, S("stays"), 0))
        return 0;
    if (null_path(s, o->owner, ".drift", path, sizeof(path), err))
        return err->code;
    return unlink(path) && errno != ENOENT ? err_sys(err, "remove '%s'", path) : 0;
}

static int null_store_read_one(struct null_store *s, const char *name, struct err *err)
{
    AUTO_ARENA struct arena a = { 0 };
    struct null_object *o;
    struct value *v;

    arena_init(&a, 0);
    if (null_store_parse(&a, str_fmt(&a, "%.*s/%s", STR_ARG(s->directory), name).p, &v, err))
        return err->code;
    o = null_store_put(s, value_get_text(v, S("owner"), S("")));
    if (!o || null_object_set(o, &o->type, value_get_text(v, S("type"), S(""))) ||
        null_object_set(o, &o->name, value_get_text(v, S("name"), S(""))) ||
        null_object_set(o, &o->key, value_get_text(v, S("key"), S(""))))
        return err_set(err, ERR_NOMEM, "out of memory");
    o->epoch = (uint64_t)value_get_int(v, S("epoch"), 0);
    o->number = value_get_int(v, S("number"), 0);
    o->pending = value_get_int(v, S("pending"), 0);
    o->deleting = (int)value_get_int(v, S("deleting"), 0);
    if (o->number > s->next_number)
        s->next_number = o->number;
    return 0;
}

int null_store_load(struct null_store *s, struct err *err)
{
    AUTO_ARENA struct arena a = { 0 };
    struct dirent *entry;
    int rc = 0;
    DIR *dir;

    if (s->loaded || !s->directory.n)
        return 0;
    arena_init(&a, 0);
    if (sys_mkdir_all(str_to_c(&a, s->directory), 0700, err))
        return err->code;
    dir = opendir(str_to_c(&a, s->directory));
    if (!dir)
        return err_sys(err, "list '%.*s'", STR_ARG(s->directory));
    while (!rc && (entry = readdir(dir)))
        if (str_ends(str_from_c(entry->d_name), S(".json")))
            rc = null_store_read_one(s, entry->d_name, err);
    (void)closedir(dir); /* only read */
    s->loaded = !rc;
    return rc;
}
