/* SPDX-License-Identifier: Apache-2.0 */
#include "state/body.h"

#include "specs/json_io.h"

#define BODY_NOTE_MAX_BYTES (1u << 20)

void body_init(struct body *b, struct arena *a)
{
    *b = (struct body){ .arena = a };
    sb_init(&b->text, a);
    sb_init(&b->notes, a);
    sb_init(&b->documents, a);
}

static struct body_entry *body_add(struct body *b, enum record record, enum body_kind kind,
                                   const void *rec)
{
    struct body_entry *e = vec_push(b->arena, &b->entries);

    if (!e)
        return NULL;
    *e = (struct body_entry){ .record = record, .kind = kind, .from = b->text.n };
    if (kind == BODY_ROW)
        rows_write(&b->text, tables_get(record), rec);
    else
        rows_write_key(&b->text, tables_get(record), rec);
    e->n = b->text.n - e->from;
    return e;
}

void body_add_row(struct body *b, enum record record, const void *rec)
{
    (void)body_add(b, record, BODY_ROW, rec); /* the arena remembers */
}

void body_add_gone(struct body *b, enum record record, const void *rec)
{
    const struct body_entry *gone = body_add(b, record, BODY_GONE, rec);
    struct str key;

    if (!gone || b->arena->failed)
        return;
    key = (struct str){ b->text.p + gone->from, gone->n - 1 }; /* less its brace */
    for (size_t i = 0; i < b->entries.n; i++) {
        struct body_entry *e = &b->entries.p[i];
        struct str row = { b->text.p + e->from, e->n };

        if (e->kind == BODY_ROW && e->record == record && str_starts(row, key) &&
            (row.p[key.n] == ',' || row.p[key.n] == '}'))
            e->kind = BODY_DROPPED;
    }
}

void body_add_document(struct body *b, const struct digest *digest)
{
    if (b->documents.n)
        sb_add_char(&b->documents, ',');
    sb_add_char(&b->documents, '"');
    sb_add(&b->documents, digest_hex(b->arena, digest));
    sb_add_char(&b->documents, '"');
}

int body_add_note(struct body *b, struct str name, struct str json, struct err *err)
{
    struct str *slot;
    struct value *v;
    int rc;

    for (size_t i = 0; i < b->note_names.n; i++)
        if (str_eq(b->note_names.p[i], name))
            return err_set(err, ERR_INVALID, "note '%.*s' is given twice", STR_ARG(name));
    rc = rows_is_text(name) ? json_parse(b->arena, json, BODY_NOTE_MAX_BYTES, &v, err)
                            : err_set(err, ERR_INVALID, "its name is not UTF-8 text");
    if (rc)
        return err_wrap(err, "note '%.*s'", STR_ARG(name));
    slot = vec_push(b->arena, &b->note_names);
    if (!slot)
        return arena_status(b->arena, err);
    *slot = str_copy(b->arena, name);
    if (b->notes.n)
        sb_add_char(&b->notes, ',');
    json_write_text(&b->notes, name);
    sb_add_char(&b->notes, ':');
    sb_add(&b->notes, json);
    return arena_status(b->arena, err);
}

/* "table":[row,row],"table":[row] of one kind of entry. */
static struct str body_tables(struct body *b, enum body_kind kind)
{
    struct sb text;

    sb_init(&text, b->arena);
    for (int record = 0; record < N_RECORDS; record++) {
        size_t n = 0;

        for (size_t i = 0; i < b->entries.n; i++) {
            const struct body_entry *e = &b->entries.p[i];

            if ((int)e->record != record || e->kind != kind)
                continue;
            if (n++) {
                sb_add_char(&text, ',');
            } else {
                sb_add_c(&text, text.n ? ",\"" : "\"");
                sb_add_c(&text, tables_get(e->record)->name);
                sb_add(&text, S("\":["));
            }
            sb_add(&text, (struct str){ b->text.p + e->from, e->n });
        }
        if (n)
            sb_add_char(&text, ']');
    }
    return sb_str(&text);
}

static void body_add_part(struct sb *text, struct str before, struct str inside, struct str after)
{
    if (!inside.n)
        return;
    if (text->n > 1)
        sb_add_char(text, ',');
    sb_add(text, before);
    sb_add(text, inside);
    sb_add(text, after);
}

struct str body_format(struct body *b)
{
    struct sb text;
    struct str gone = body_tables(b, BODY_GONE), rows = body_tables(b, BODY_ROW);

    sb_init(&text, b->arena);
    sb_add_char(&text, '{');
    body_add_part(&text, S("\"documents\":["), sb_str(&b->documents), S("]"));
    body_add_part(&text, S("\"gone\":{"), gone, S("}"));
    body_add_part(&text, S("\"notes\":{"), sb_str(&b->notes), S("}"));
    body_add_part(&text, S("\"rows\":{"), rows, S("}"));
    sb_add_char(&text, '}');
    return sb_str(&text);
}
