/* What is not as it was asked for, in words. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/engine/view_rows.h"

static const struct {
    const char *is, *words;
} drift_words[] = {
    { "found", "differs from what was asked for" },
    { "reported", "differs from what was asked for, and is only reported" },
    { "unstable", "differs again right after it was made as asked for, and is not fought" },
};

struct str view_drift_text(const struct view *v, const struct rec_resource *row)
{
    struct value *memory = NULL;
    struct err ignored = ERR_INIT; /* our own text */
    struct sb b;

    sb_init(&b, v->a);
    if (json_parse(v->a, row->drift, VIEW_JSON_MAX, &memory, &ignored))
        return S("");
    for (size_t i = 0; i < value_count(memory); i++) {
        const struct value_entry *e = &memory->u.map.entries[i];

        for (size_t w = 0; w < N_ELEMENTS(drift_words); w++)
            if (str_eq_c(value_get_text(e->value, S("is"), S("")), drift_words[w].is))
                sb_addf(&b, "%s%.*s %s", b.n ? "; " : "", STR_ARG(e->key), drift_words[w].words);
    }
    return sb_str(&b);
}

int view_add_drift(const struct view *v, const struct rec_environment *env, struct value *reasons,
                   struct err *err)
{
    struct rec_resource *rows;
    size_t n;
    int rc = DB_SELECT(v->db, v->a, resource,
                       "WHERE env = $1 AND valid_to IS NULL AND drift <> '{}' ORDER BY kind, name",
                       &rows, &n, err, DB_T(env->uid));

    for (size_t i = 0; !rc && i < n; i++) {
        struct str text = view_drift_text(v, &rows[i]);

        if (text.n)
            value_add(v->a, reasons,
                      value_text(v->a, str_fmt(v->a, "%.*s/%.*s: %.*s", STR_ARG(rows[i].kind),
                                               STR_ARG(rows[i].name), STR_ARG(text))));
    }
    return rc;
}
