/* SPDX-License-Identifier: Apache-2.0 */
#include "specs/yaml_read.h"

#include <string.h>
#include <yaml.h>

#include "base/guard.h"
#include "specs/yaml_text.h"

#define YAML_MERGE_KEY S("<<")
#define YAML_SHOWN_MAX 34 /* of a tag or an alias */

struct yaml_anchor {
    struct value *value; /* NULL while its collection is open */
    size_t n_nodes;
};

struct yaml_frame { /* one open collection */
    struct value *value;
    struct yaml_anchor *anchor;
    struct str key; /* p NULL: the next scalar of a map is a key */
    struct value_place key_place;
    struct value *merge; /* list of what `<<` named */
    size_t nodes_before;
    int key_is_plain;
};

struct yaml_reader {
    struct arena *a;
    const struct spec_file *file;
    struct spec_messages *m;
    struct value *documents;
    struct map anchors;
    struct yaml_text text;
    struct yaml_frame frames[YAML_DEPTH_MAX];
    size_t depth, n_nodes;
    int stopped; /* a message says why the rest is not read */
};

static struct value_place yaml_place(const struct yaml_reader *r, yaml_mark_t mark)
{
    return (struct value_place){ &r->file->path, (uint32_t)mark.line + 1,
                                 (uint32_t)mark.column + 1 };
}

#define yaml_complain(r, mark, rule, ...)                                                          \
    spec_message_add((r)->m, SPEC_ERROR, yaml_place((r), (mark)), S(rule), STR_NONE, __VA_ARGS__)

#define yaml_stop(r, mark, rule, ...)                                                              \
    do {                                                                                           \
        yaml_complain((r), (mark), rule, __VA_ARGS__);                                             \
        (r)->stopped = 1;                                                                          \
    } while (0)

static void yaml_count(struct yaml_reader *r, size_t n, yaml_mark_t mark)
{
    r->n_nodes += n;
    if (r->n_nodes > YAML_NODES_MAX && !r->stopped)
        yaml_stop(r, mark, "limit", "more than %u values, those of aliases counted each time",
                  YAML_NODES_MAX);
}

/* Remember where a document or a named part begins. A later anchor of the same name replaces it. */
static struct yaml_anchor *yaml_name(struct yaml_reader *r, const yaml_char_t *name)
{
    struct yaml_anchor *anchor;

    if (!name)
        return NULL;
    anchor = arena_new(r->a, struct yaml_anchor);
    if (anchor)
        map_put(&r->anchors, str_copy(r->a, str_from_c((const char *)name)), anchor);
    return anchor;
}

static void yaml_finish(struct yaml_anchor *anchor, struct value *v, size_t n_nodes)
{
    if (!anchor)
        return;
    anchor->value = v;
    anchor->n_nodes = n_nodes;
}

/* Put a key in front of the value that follows. */
static void yaml_key(struct yaml_reader *r, struct yaml_frame *f, struct str key, int is_plain,
                     struct value_place place)
{
    if (!key.n) {
        spec_message_add(r->m, SPEC_ERROR, place, S("yaml"), STR_NONE, "a key is missing");
        r->stopped = 1;
        return;
    }
    f->key = key;
    f->key_place = place;
    f->key_is_plain = is_plain;
}

static int yaml_wants_key(const struct yaml_reader *r)
{
    const struct yaml_frame *f = r->depth ? &r->frames[r->depth - 1] : NULL;

    return f && value_is(f->value, VALUE_MAP) && !f->key.p;
}

static void yaml_merge_later(struct yaml_reader *r, struct yaml_frame *f, struct value *v)
{
    size_t n_maps = 0;

    for (size_t i = 0; i < (value_is(v, VALUE_LIST) ? value_count(v) : 0); i++)
        n_maps += (size_t)value_is(value_item(v, i), VALUE_MAP);
    if (f->merge || !(value_is(v, VALUE_MAP) || (value_count(v) && n_maps == value_count(v)))) {
        spec_message_add(r->m, SPEC_ERROR, f->key_place, S("yaml"), STR_NONE, "%s",
                         f->merge ? "'<<' stands twice in one map"
                                  : "'<<' takes a map or a list of maps");
        return;
    }
    f->merge = value_list(r->a);
    for (size_t i = 0; i < (n_maps ? n_maps : 1); i++)
        value_add(r->a, f->merge, n_maps ? v->u.list.items[i] : v);
}

static void yaml_put(struct yaml_reader *r, struct yaml_frame *f, struct value *v)
{
    const struct value_entry *first = value_entry(f->value, f->key);

    if (f->key_is_plain && str_eq(f->key, YAML_MERGE_KEY))
        yaml_merge_later(r, f, v);
    else if (first)
        spec_message_add(r->m, SPEC_ERROR, f->key_place, S("duplicate"), STR_NONE,
                         "duplicate key '%.*s', first at line %u, column %u", STR_ARG(f->key),
                         first->key_place.line, first->key_place.column);
    else
        value_set_placed(r->a, f->value, f->key, f->key_place, v);
    f->key = STR_NONE;
}

/* A finished value goes where it belongs. */
static void yaml_add(struct yaml_reader *r, struct value *v, yaml_mark_t mark)
{
    struct yaml_frame *f = r->depth ? &r->frames[r->depth - 1] : NULL;

    if (!f)
        value_add(r->a, r->documents, v);
    else if (value_is(f->value, VALUE_LIST))
        value_add(r->a, f->value, v);
    else if (f->key.p)
        yaml_put(r, f, v);
    else if (value_is(v, VALUE_TEXT)) /* an alias */
        yaml_key(r, f, v->u.text, 0, v->place);
    else
        yaml_stop(r, mark, "yaml", "a key must be text");
}

/* A password that begins with '!' or '*' is taken for one of these, too: no more of it is told. */
static struct str yaml_shown(struct yaml_reader *r, const char *sign, struct str name)
{
    return name.n > YAML_SHOWN_MAX ? S("") : str_fmt(r->a, " '%s%.*s'", sign, STR_ARG(name));
}

static void yaml_tag(struct yaml_reader *r, const yaml_char_t *tag, const char *allowed,
                     yaml_mark_t mark)
{
    if (tag && strcmp((const char *)tag, "!") && strcmp((const char *)tag, allowed))
        yaml_complain(r, mark, "yaml", "the tag%.*s is not supported",
                      STR_ARG(yaml_shown(r, "", str_from_c((const char *)tag))));
}

static void yaml_scalar(struct yaml_reader *r, const yaml_event_t *e)
{
    struct str text = { (const char *)e->data.scalar.value, e->data.scalar.length };
    int is_plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !e->data.scalar.tag;
    struct value *v = NULL;

    yaml_count(r, 1, e->start_mark);
    yaml_tag(r, e->data.scalar.tag, YAML_STR_TAG, e->start_mark);
    text = str_copy(r->a, text);
    if (yaml_wants_key(r) && !e->data.scalar.anchor) {
        yaml_key(r, &r->frames[r->depth - 1], text, is_plain, yaml_place(r, e->start_mark));
        return;
    }
    v = text.p ? value_text(r->a, text) : NULL;
    if (!v) {
        r->stopped = 1; /* the arena remembers */
        return;
    }
    v->place = yaml_place(r, e->start_mark);
    v->plain = is_plain;
    yaml_finish(yaml_name(r, e->data.scalar.anchor), v, 1);
    yaml_add(r, v, e->start_mark);
}

static void yaml_alias(struct yaml_reader *r, const yaml_event_t *e)
{
    struct str name = str_from_c((const char *)e->data.alias.anchor);
    const struct yaml_anchor *anchor = map_find(&r->anchors, name);

    if (!anchor || !anchor->value) {
        yaml_stop(r, e->start_mark, "yaml", "the alias%.*s %s", STR_ARG(yaml_shown(r, "*", name)),
                  anchor ? "stands inside its own anchor" : "has no anchor before it");
        return;
    }
    yaml_count(r, anchor->n_nodes, e->start_mark);
    yaml_add(r, anchor->value, e->start_mark);
}

static void yaml_open(struct yaml_reader *r, struct value *v, const yaml_char_t *anchor,
                      yaml_mark_t mark)
{
    if (r->depth == YAML_DEPTH_MAX) {
        yaml_stop(r, mark, "limit", "nested deeper than %u", YAML_DEPTH_MAX);
        return;
    }
    if (yaml_wants_key(r)) {
        yaml_stop(r, mark, "yaml", "a key must be text");
        return;
    }
    yaml_count(r, 1, mark);
    if (!v) {
        r->stopped = 1; /* the arena remembers */
        return;
    }
    v->place = yaml_place(r, mark);
    r->frames[r->depth++] = (struct yaml_frame){ .value = v,
                                                 .anchor = yaml_name(r, anchor),
                                                 .nodes_before = r->n_nodes - 1 };
}

/* Keys of the map itself win, then those of earlier maps. */
static void yaml_merge(struct yaml_reader *r, struct yaml_frame *f)
{
    for (size_t i = 0; i < value_count(f->merge); i++) {
        const struct value *from = value_item(f->merge, i);

        for (size_t j = 0; j < value_count(from); j++) {
            const struct value_entry *e = &from->u.map.entries[j];

            if (!value_entry(f->value, e->key))
                value_set_placed(r->a, f->value, e->key, e->key_place, e->value);
        }
    }
}

static void yaml_close(struct yaml_reader *r, yaml_mark_t mark)
{
    struct yaml_frame *f;

    PRE(r->depth > 0);
    f = &r->frames[--r->depth];
    if (f->merge)
        yaml_merge(r, f);
    yaml_finish(f->anchor, f->value, r->n_nodes - f->nodes_before);
    yaml_add(r, f->value, mark);
}

static void yaml_event(struct yaml_reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        map_init(&r->anchors, r->a);
        break;
    case YAML_SCALAR_EVENT:
        yaml_scalar(r, e);
        break;
    case YAML_ALIAS_EVENT:
        yaml_alias(r, e);
        break;
    case YAML_SEQUENCE_START_EVENT:
        yaml_tag(r, e->data.sequence_start.tag, YAML_SEQ_TAG, e->start_mark);
        yaml_open(r, value_list(r->a), e->data.sequence_start.anchor, e->start_mark);
        break;
    case YAML_MAPPING_START_EVENT:
        yaml_tag(r, e->data.mapping_start.tag, YAML_MAP_TAG, e->start_mark);
        yaml_open(r, value_map(r->a), e->data.mapping_start.anchor, e->start_mark);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        yaml_close(r, e->start_mark);
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
}

/* libyaml's own words; a reader problem has an offset instead of a mark. */
static void yaml_syntax(struct yaml_reader *r, const yaml_parser_t *p)
{
    const char *problem = p->problem ? p->problem : "cannot be read";
    struct value_place place = yaml_place(r, p->problem_mark);
    const struct value *inner = r->depth ? r->frames[r->depth - 1].value : NULL;

    if (p->error == YAML_READER_ERROR)
        place = yaml_text_place(&r->text, &r->file->path, p->problem_offset);
    else if (yaml_text_is_tab(&r->text, place))
        problem = "a tab: indent with spaces";
    if (inner)
        spec_message_add(r->m, SPEC_ERROR, place, S("yaml"), STR_NONE,
                         "%s, in the %s that begins at line %u, column %u", problem,
                         value_is(inner, VALUE_LIST) ? "list" : "map", inner->place.line,
                         inner->place.column);
    else
        spec_message_add(r->m, SPEC_ERROR, place, S("yaml"), STR_NONE, "%s", problem);
    r->stopped = 1;
}

static int yaml_run(struct yaml_reader *r, yaml_parser_t *p, struct err *err)
{
    yaml_event_t e;
    int is_last = 0;

    while (!is_last && !r->stopped) {
        struct value_place tab;

        if (!yaml_parser_parse(p, &e)) {
            if (p->error == YAML_MEMORY_ERROR)
                return err_set(err, ERR_NOMEM, "yaml: out of memory");
            yaml_syntax(r, p);
            return 0;
        }
        if (yaml_text_tab_before(&r->text, &r->file->path, e.start_mark.index, e.end_mark.index,
                                 &tab))
            spec_message_add(r->m, SPEC_ERROR, tab, S("yaml"), STR_NONE, "a tab: use spaces");
        yaml_event(r, &e);
        is_last = e.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
    }
    return 0;
}

int yaml_read(struct arena *a, const struct spec_file *file, struct value **ret_documents,
              struct spec_messages *m, struct err *err)
{
    struct yaml_reader r = { .a = a, .m = m, .file = file, .documents = value_list(a) };
    yaml_parser_t p;
    int rc = 0;

    yaml_text_init(&r.text, file->text);
    if (!yaml_text_check(&r.text, &file->path, YAML_BYTES_MAX, m)) {
        if (!yaml_parser_initialize(&p))
            return err_set(err, ERR_NOMEM, "yaml: out of memory");
        yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&p, (const unsigned char *)r.text.bytes.p, r.text.bytes.n);
        rc = yaml_run(&r, &p, err);
        yaml_parser_delete(&p);
    }
    if (!rc)
        rc = arena_status(a, err);
    if (!rc)
        *ret_documents = r.documents;
    return rc;
}
