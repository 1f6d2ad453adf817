/* What a poll leaves in the state. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/source_task.h"

/* What is wrong with what was read, or else what its documents ask for and do not get. */
static struct str branch_error(struct source_task *s, const struct branch *b)
{
    const struct head *head = b->heads.newest;

    if (b->is_gone)
        return S("the branch is gone: what it held last goes on being wanted");
    if (head && head->messages.n_errors)
        return head_error(&s->round, &head->messages);
    if (head && head->refused.n_errors)
        return head_error(&s->round, &head->refused);
    return b->host_says[0] ? str_from_c(b->host_says) : STR_NONE;
}

/* A branch that this life has not seen yet says nothing about what a former one saw. */
static int branch_is_news(struct source_task *s, const struct branch *b, const struct rec_head *row,
                          int has_row)
{
    const struct head *head = b->heads.newest;
    struct str error = branch_error(s, b);

    if (b->is_ahead_over || b->is_tag_new)
        return 1;
    if (!head && !b->is_gone)
        return 0;
    return !has_row || (row->gone_ms == REC_NONE) == b->is_gone ||
           (head && !str_eq(row->commit_id, head->commit)) ||
           !str_eq(row->error.p ? row->error : S(""), error.p ? error : S(""));
}

static int source_write_head(struct source_task *s, struct tx *tx, struct branch *b,
                             struct err *err)
{
    struct rec_head row = { .source = s->name, .branch = b->name };
    const struct head *head = b->heads.newest;
    int rc = db_get(s->engine->db, &s->round, REC_head, &row, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    if (!branch_is_news(s, b, &row, !rc))
        return 0;
    if (head || rc) {
        row.commit_id = head ? head->commit : S("");
        row.tree_id = head ? head->tree : S("");
    }
    row.seen_ms = tx_time_ms(tx);
    row.gone_ms = b->is_gone ? tx_time_ms(tx) : REC_NONE;
    row.error = branch_error(s, b);
    if (source_ahead_note(s, tx, b, err) || source_tag_note(s, tx, b, err))
        return err->code;
    return tx_put(tx, REC_head, &row, err);
}

/* The kind of the event that has to be written; STR_NONE: none. */
static int source_find_news(struct source_task *s, struct str *ret_kind, struct err *err)
{
    struct rec_source row = { .name = s->name };
    int rc = db_get(s->engine->db, &s->round, REC_source, &row, err);

    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    *ret_kind = STR_NONE;
    if (rc || !str_eq(row.error.p ? row.error : S(""), str_from_c(s->error)))
        *ret_kind = s->error[0] ? S("source.failed") : S("source.moved");
    for (size_t i = 0; i < s->branches.n; i++) {
        const struct branch *b = &s->branches.p[i];
        struct rec_head head = { .source = s->name, .branch = b->name };

        rc = db_get(s->engine->db, &s->round, REC_head, &head, err);
        if (rc && rc != ERR_NOT_FOUND)
            return rc;
        if (!branch_is_news(s, b, &head, !rc))
            continue;
        *ret_kind = b->is_gone ? S("source.gone") : ret_kind->p ? *ret_kind : S("source.moved");
    }
    return 0;
}

int source_rows_note(struct source_task *s, struct err *err)
{
    struct rec_source row = { .name = s->name,
                              .url = value_get_text(s->config, S("url"), S("")),
                              .error = s->error[0] ? str_from_c(s->error) : STR_NONE };
    struct str kind;
    struct tx *tx;
    int rc = source_find_news(s, &kind, err);

    if (rc || !kind.p)
        return rc;
    row.config_digest = hash_bytes(row.url);
    if (engine_tx(s->engine, &(struct engine_event){ .kind = kind, .subject = s->name }, &tx, err))
        return err->code;
    rc = tx_put(tx, REC_source, &row, err);
    for (size_t i = 0; !rc && i < s->branches.n; i++)
        rc = source_write_head(s, tx, &s->branches.p[i], err);
    return tx_finish(tx, rc, err);
}
