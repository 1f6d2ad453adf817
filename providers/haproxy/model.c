/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/model.h"

#include <inttypes.h>

#include "specs/json_io.h"

#define MODEL_READ_MAX (2 * HAPROXY_RECORD_MAX)
#define MODEL_MARK S("# rv ")

void haproxy_model_init(struct haproxy_model *m, struct arena *a, const struct haproxy_conf *conf)
{
    *m = (struct haproxy_model){ .arena = a, .conf = *conf, .next_port = conf->internal_first };
}

/* The edge record: what the running proxy was rendered for, and our numbers. */
static int model_read_edge(struct haproxy_model *m, const struct value *v, struct err *err)
{
    struct haproxy_conf rendered;
    struct value *body = value_copy(m->arena, value_get(v, S("conf")));

    value_set_text(m->arena, body, S("directory"), m->conf.directory);
    if (haproxy_conf_read(m->arena, body, &rendered, err))
        return err->code;
    rendered.installation = m->conf.installation;
    rendered.program = m->conf.program;
    rendered.keeper = m->conf.keeper;
    m->conf = rendered;
    m->epoch = (uint64_t)value_get_int(v, S("epoch"), 0);
    m->next_backend = value_get_int(v, S("next_backend"), 0);
    m->next_port = value_get_int(v, S("next_port"), rendered.internal_first);
    return 0;
}

struct model_comment {
    struct str type, id, owner, json;
};

/* 1: the line is a comment of ours. */
static int model_split(struct str line, struct model_comment *ret)
{
    line = str_trim(line);
    if (!str_starts(line, MODEL_MARK))
        return 0;
    line = str_slice(line, MODEL_MARK.n, line.n);
    *ret = (struct model_comment){ .json = STR_NONE };
    if (str_next(&line, ' ', &ret->type) && str_next(&line, ' ', &ret->id) &&
        str_next(&line, ' ', &ret->owner))
        ret->json = line;
    return 1;
}

static int model_read_record(struct haproxy_model *m, const struct model_comment *comment,
                             const struct value *v, struct err *err)
{
    struct haproxy_record *r = haproxy_model_add(m, comment->type, comment->id, comment->owner,
                                                 value_get_text(v, S("name"), S("")));

    if (!r)
        return arena_status(m->arena, err);
    r->body = value_get(v, S("body"));
    if (!r->type.n || !r->id.n || !r->body)
        return err_set(err, ERR_CORRUPT, "a record without type, id or body");
    return 0;
}

static int model_read_line(struct haproxy_model *m, struct str line, struct err *err)
{
    struct model_comment comment;
    struct value *v = NULL;
    int rc;

    if (!model_split(line, &comment))
        return 0;
    if (json_parse(m->arena, comment.json, MODEL_READ_MAX, &v, err))
        return err->code;
    if (str_eq(comment.type, S("edge")))
        return model_read_edge(m, v, err);
    if (!(rc = model_read_record(m, &comment, v, err)))
        m->records.p[m->records.n - 1].text = str_trim(line);
    return rc;
}

int haproxy_model_parse(struct arena *a, struct str text, const struct haproxy_conf *conf,
                        struct haproxy_model *ret, struct err *err)
{
    struct haproxy_model m;
    struct str rest = text, line;

    if (!str_ends(str_trim(text), S(HAPROXY_MODEL_END)))
        return err_set(err, ERR_CORRUPT, "it is cut: its last line is missing");
    haproxy_model_init(&m, a, conf);
    for (size_t n = 1; str_next(&rest, '\n', &line); n++) {
        if (model_read_line(&m, line, err)) {
            err->code = ERR_CORRUPT;
            return err_wrap(err, "line %zu", n);
        }
    }
    *ret = m;
    return arena_status(a, err);
}

struct haproxy_glance haproxy_model_glance(struct str text, struct str type, struct str owner)
{
    struct str line;

    while (str_next(&text, '\n', &line)) {
        struct model_comment comment;

        if (model_split(line, &comment) && str_eq(comment.owner, owner) &&
            str_eq(comment.type, type))
            return (struct haproxy_glance){ comment.id, comment.json };
    }
    return (struct haproxy_glance){ STR_NONE, STR_NONE };
}

static struct str model_edge_comment(struct haproxy_model *m)
{
    struct value *v = value_map(m->arena);

    value_set(m->arena, v, S("conf"), haproxy_conf_pool(m->arena, &m->conf));
    value_set_int(m->arena, v, S("epoch"), (int64_t)m->epoch);
    value_set_text(m->arena, v, S("installation"), m->conf.installation);
    value_set_int(m->arena, v, S("next_backend"), m->next_backend);
    value_set_int(m->arena, v, S("next_port"), m->next_port);
    return str_fmt(m->arena, "# rv edge - - %.*s", STR_ARG(json_format(m->arena, v)));
}

struct str haproxy_model_comment(struct haproxy_model *m, const struct haproxy_record *r)
{
    struct value *v;

    if (!r)
        return model_edge_comment(m);
    if (r->text.p)
        return r->text;
    v = value_map(m->arena);
    value_set_text(m->arena, v, S("name"), r->name);
    value_set(m->arena, v, S("body"), value_copy(m->arena, r->body));
    return str_fmt(m->arena, "# rv %.*s %.*s %.*s %.*s", STR_ARG(r->type), STR_ARG(r->id),
                   STR_ARG(r->owner), STR_ARG(json_format(m->arena, v)));
}

int haproxy_model_check(struct haproxy_model *m, struct err *err)
{
    for (size_t i = 0; i < m->records.n; i++) {
        const struct haproxy_record *r = &m->records.p[i];
        size_t n = haproxy_model_comment(m, r).n;

        if (n > HAPROXY_RECORD_MAX)
            return err_set(err, ERR_LIMIT,
                           "%.*s '%.*s' take %zu bytes in the edge's file, at most %u",
                           STR_ARG(r->type), STR_ARG(r->id), n, HAPROXY_RECORD_MAX);
    }
    return 0;
}

struct haproxy_record *haproxy_model_find(const struct haproxy_model *m, struct str type,
                                          struct str id)
{
    for (size_t i = 0; i < m->records.n; i++)
        if (str_eq(m->records.p[i].id, id) && str_eq(m->records.p[i].type, type))
            return &m->records.p[i];
    return NULL;
}

struct haproxy_record *haproxy_model_find_owner(const struct haproxy_model *m, struct str type,
                                                struct str owner, size_t *ret_n)
{
    struct haproxy_record *found = NULL;
    size_t n = 0;

    for (size_t i = 0; i < m->records.n; i++)
        if (str_eq(m->records.p[i].owner, owner) && str_eq(m->records.p[i].type, type) && !n++)
            found = &m->records.p[i];
    *ret_n = n;
    return found;
}

struct haproxy_record *haproxy_model_add(struct haproxy_model *m, struct str type, struct str id,
                                         struct str owner, struct str name)
{
    struct haproxy_record *r = vec_push(m->arena, &m->records);

    if (r)
        *r = (struct haproxy_record){ .type = type, .id = id, .owner = owner, .name = name };
    return r;
}

void haproxy_model_set(struct haproxy_record *r, const struct value *body)
{
    r->body = body;
    r->text = STR_NONE;
}

void haproxy_model_remove(struct haproxy_model *m, struct haproxy_record *r)
{
    for (size_t i = (size_t)(r - m->records.p) + 1; i < m->records.n; i++)
        m->records.p[i - 1] = m->records.p[i];
    m->records.n--;
}

struct str haproxy_model_take_backend(struct haproxy_model *m)
{
    for (int64_t i = 0; i < m->conf.n_backends; i++) {
        int64_t n = (m->next_backend + i) % m->conf.n_backends;
        struct str id = str_fmt(m->arena, "b%" PRId64, n);

        if (!haproxy_model_find(m, S("backend"), id)) {
            m->next_backend = n + 1;
            return id;
        }
    }
    return STR_NONE;
}

struct str haproxy_model_take_port(struct haproxy_model *m)
{
    int64_t first = m->conf.internal_first, n = m->conf.internal_last - first + 1;

    for (int64_t i = 0; first && i < n; i++) {
        int64_t port = first + (m->next_port - first + i) % n;
        struct str id = str_fmt(m->arena, "%" PRId64, port);

        if (!haproxy_model_find(m, S("address"), id)) {
            m->next_port = port + 1;
            return id;
        }
    }
    return STR_NONE;
}

size_t haproxy_model_count(const struct haproxy_model *m, struct str type)
{
    size_t n = 0;

    for (size_t i = 0; i < m->records.n; i++)
        n += (size_t)str_eq(m->records.p[i].type, type);
    return n;
}
