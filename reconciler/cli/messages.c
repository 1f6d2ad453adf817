/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/messages.h"

#include "specs/policy_rules.h"

/* --- text and JSON ------------------------------------------------------------------------------- */

static struct str text_of_file(const struct messages *in, struct str path)
{
    for (size_t i = 0; i < in->n_files; i++)
        if (str_eq(in->files[i].path, path))
            return in->files[i].text;
    return STR_NONE;
}

static void write_text(struct cli *c, const struct messages *in)
{
    struct spec_lines lines = { 0 };
    struct str file = STR_NONE, text = STR_NONE, shown;
    struct sb b;

    sb_init(&b, c->arena);
    for (size_t i = 0; i < in->list->list.n; i++) {
        struct spec_message m = in->list->list.p[i];

        if (!str_eq(value_file(m.place), file)) {
            file = value_file(m.place);
            text = text_of_file(in, file);
        }
        shown = in->path(in->ctx, value_file(m.place));
        m.place.file = &shown;
        spec_message_format(&b, &m, text.p ? spec_line(&lines, text, m.place.line) : STR_NONE,
                            c->colour);
    }
    cli_write(c, &b);
}

static struct value *as_json(struct cli *c, const struct messages *in)
{
    struct arena *a = c->arena;
    struct value *list = value_list(a);

    for (size_t i = 0; i < in->list->list.n; i++) {
        const struct spec_message *m = &in->list->list.p[i];

        value_add(a, list, spec_message_value(a, m, in->path(in->ctx, value_file(m->place))));
    }
    return list;
}

/* --- SARIF --------------------------------------------------------------------------------------- */

static struct value *with_text(struct arena *a, struct str text)
{
    struct value *v = value_map(a);

    value_set_text(a, v, S("text"), text);
    return v;
}

/* RFC 3986: a relative reference, or file:// and an absolute path. */
static struct str uri_of(struct arena *a, struct str path)
{
    static const struct str plain = S_INIT("/._~-");
    struct sb b;

    sb_init(&b, a);
    if (str_starts(path, S("/")))
        sb_add_c(&b, "file://");
    for (size_t i = 0; i < path.n; i++) {
        char ch = path.p[i];

        if ((ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z') ||
            str_find_char(plain, ch) != STR_NPOS)
            sb_add_char(&b, ch);
        else
            sb_addf(&b, "%%%02X", (unsigned char)ch);
    }
    return sb_str(&b);
}

static struct value *location_of(struct cli *c, const struct messages *in,
                                 const struct spec_message *m)
{
    struct arena *a = c->arena;
    struct value *location = value_map(a), *physical = value_map(a), *region = value_map(a);
    struct value *artifact = value_map(a), *list = value_list(a);

    value_set_text(a, artifact, S("uri"), uri_of(a, in->path(in->ctx, value_file(m->place))));
    value_set(a, physical, S("artifactLocation"), artifact);
    if (m->place.line) {
        value_set_int(a, region, S("startLine"), m->place.line);
        value_set_int(a, region, S("startColumn"), m->place.column ? m->place.column : 1);
        value_set(a, physical, S("region"), region);
    }
    value_set(a, location, S("physicalLocation"), physical);
    value_add(a, list, location);
    return list;
}

static struct value *result_of(struct cli *c, const struct messages *in,
                               const struct spec_message *m)
{
    struct arena *a = c->arena;
    struct value *result = value_map(a);
    struct str text = m->hint.n ? str_fmt(a, "%.*s: %.*s", STR_ARG(m->text), STR_ARG(m->hint))
                                : m->text;

    value_set_text(a, result, S("ruleId"), m->rule);
    value_set_text(a, result, S("level"), str_from_c(spec_message_level(m)));
    value_set(a, result, S("message"), with_text(a, text));
    if (value_file(m->place).n)
        value_set(a, result, S("locations"), location_of(c, in, m));
    return result;
}

/* Rules of policy that a result names; the others are in brackets what their text says. */
static struct value *rules_of(struct arena *a, const struct spec_messages *m)
{
    struct value *list = value_list(a), *seen = value_map(a);

    for (size_t i = 0; i < m->list.n; i++) {
        const struct policy_rule *rule = policy_rules_find(m->list.p[i].rule);
        struct value *one = value_map(a);

        if (!rule || value_get(seen, m->list.p[i].rule))
            continue;
        value_set(a, seen, m->list.p[i].rule, value_null(a));
        value_set_text(a, one, S("id"), str_from_c(rule->id));
        value_set(a, one, S("shortDescription"), with_text(a, str_from_c(rule->text)));
        value_set(a, one, S("help"), with_text(a, str_from_c(rule->mend)));
        value_add(a, list, one);
    }
    return list;
}

static struct value *as_sarif(struct cli *c, const struct messages *in)
{
    struct arena *a = c->arena;
    struct value *sarif = value_map(a), *runs = value_list(a), *run = value_map(a);
    struct value *tool = value_map(a), *driver = value_map(a), *results = value_list(a);

    value_set_text(a, driver, S("name"), S("reeve"));
    value_set_text(a, driver, S("version"), S(REEVE_VERSION));
    value_set(a, driver, S("rules"), rules_of(a, in->list));
    value_set(a, tool, S("driver"), driver);
    for (size_t i = 0; i < in->list->list.n; i++)
        value_add(a, results, result_of(c, in, &in->list->list.p[i]));
    value_set(a, run, S("tool"), tool);
    value_set_text(a, run, S("columnKind"), S("unicodeCodePoints"));
    value_set(a, run, S("results"), results);
    value_add(a, runs, run);
    value_set_text(a, sarif, S("$schema"), S("https://json.schemastore.org/sarif-2.1.0.json"));
    value_set_text(a, sarif, S("version"), S("2.1.0"));
    value_set(a, sarif, S("runs"), runs);
    return sarif;
}

void messages_write(struct cli *c, const struct messages *in)
{
    spec_messages_sort(in->list);
    if (c->args.output == OUTPUT_TEXT)
        write_text(c, in);
    else
        cli_write_json(c, c->args.output == OUTPUT_SARIF ? as_sarif(c, in) : as_json(c, in));
}
