/* What a Daemon document says and nothing acts on. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "specs/schema_path.h"

struct uncarried {
    struct str path, word;
    enum spec_severity severity;
    const char *without;
};

static const struct uncarried rows[] = {
#define UNCARRIED(path, word, severity, without)                                                   \
    { S_INIT(path), S_INIT(word), SPEC_##severity, without },
#include "specs/uncarried_daemon.def"
#undef UNCARRIED
};

struct uncarried_check {
    enum daemon_use use;
    struct spec_messages *m;
};

static void say(const struct uncarried_check *c, enum spec_severity severity,
                struct value_place place, const struct schema_path *path, struct str text)
{
    struct arena *a = c->m->arena;
    int is_refused = severity == SPEC_ERROR;

    spec_message_add(
        c->m, c->use == DAEMON_SERVED ? severity : SPEC_WARNING, place, S("unsupported"),
        is_refused && c->use == DAEMON_READ ? S("reeve serve does not start with it") : STR_NONE,
        "%.*s%.*s", STR_ARG(schema_path_text(a, path)), STR_ARG(text));
}

static int is_asked(const struct uncarried *row, const struct value *v)
{
    if (row->word.n)
        return value_is(v, VALUE_TEXT) && str_eq(v->u.text, row->word);
    return value_count(v) || !(value_is(v, VALUE_LIST) || value_is(v, VALUE_MAP));
}

/* `rest` of the row's path below `v`. */
static void look(const struct uncarried_check *c, const struct uncarried *row, struct str rest,
                 const struct value *v, struct value_place place, const struct schema_path *path)
{
    struct str part;
    int is_any;

    if (!str_next(&rest, '.', &part)) {
        if (is_asked(row, v))
            say(c, row->severity, place, path,
                str_fmt(c->m->arena, "not in this version: %s", row->without));
        return;
    }
    is_any = str_eq_c(part, "*");
    for (size_t i = 0; is_any && value_is(v, VALUE_LIST) && i < value_count(v); i++)
        look(c, row, rest, value_item(v, i), value_item(v, i)->place, path);
    for (size_t i = 0; value_is(v, VALUE_MAP) && i < value_count(v); i++) {
        const struct value_entry *e = &v->u.map.entries[i];
        struct schema_path inner = { path, e->key };

        if (is_any || str_eq(e->key, part))
            look(c, row, rest, e->value, e->key_place, &inner);
    }
}

/* "haproxy, null, process" */
static struct str words_of(struct arena *a, const struct value *list)
{
    struct sb b;

    sb_init(&b, a);
    for (size_t i = 0; i < value_count(list); i++)
        sb_addf(&b, "%s%.*s", i ? ", " : "", STR_ARG(value_item(list, i)->u.text));
    return sb_str(&b);
}

static int has_word(const struct value *list, struct str word)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (str_eq(value_item(list, i)->u.text, word))
            return 1;
    return 0;
}

/* A rule gives it: then it needs a driver. Anchors ask a provider of objects without one. */
static int is_given(const struct value *daemon, struct str provider)
{
    const struct value *rules = value_get(daemon, S("environments"));

    for (size_t i = 0; i < value_count(rules); i++) {
        const struct value *kinds = value_get(value_item(rules, i), S("providers"));

        for (size_t k = 0; k < value_count(kinds); k++) {
            const struct value *names = kinds->u.map.entries[k].value;

            if (value_is(names, VALUE_TEXT) ? str_eq(names->u.text, provider)
                                            : has_word(names, provider))
                return 1;
        }
    }
    return 0;
}

static void look_at_drivers(const struct uncarried_check *c, const struct value *daemon,
                            const struct value *built_in)
{
    const struct value *providers = value_get(daemon, S("providers"));

    for (size_t i = 0; i < value_count(providers); i++) {
        const struct value_entry *e = &providers->u.map.entries[i];
        const struct value *driver = value_get(e->value, S("driver"));
        struct schema_path all = { NULL, S("providers") }, path = { &all, e->key };

        if (driver && !has_word(built_in, driver->u.text) &&
            (!str_eq_c(driver->u.text, "s3") || is_given(daemon, e->key)))
            say(c, SPEC_ERROR, driver->place, &path,
                str_fmt(c->m->arena, "there is no driver '%.*s' in this program: there are %.*s",
                        STR_ARG(driver->u.text), STR_ARG(words_of(c->m->arena, built_in))));
    }
}

void daemon_uncarried(const struct value *daemon, const struct value *built_in, enum daemon_use use,
                      struct spec_messages *m)
{
    const struct uncarried_check c = { use, m };

    look_at_drivers(&c, daemon, built_in);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        look(&c, &rows[i], rows[i].path, daemon, (struct value_place){ 0 }, NULL);
}

/* "sources.*.forge" is sources.forge. */
static int is_field(const struct uncarried *row, struct str field)
{
    struct str rest = row->path, part, name;

    while (str_next(&rest, '.', &part))
        if (!str_eq_c(part, "*") && (!str_next(&field, '.', &name) || !str_eq(name, part)))
            return 0;
    return !field.n;
}

void daemon_uncarried_explain(struct sb *b, struct str field)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (is_field(&rows[i], field))
            sb_addf(b, "  not in this version%s%.*s: %s%s\n", rows[i].word.n ? ", " : "",
                    STR_ARG(rows[i].word), rows[i].without,
                    rows[i].severity == SPEC_ERROR ? "; reeve serve does not start with it" : "");
}
