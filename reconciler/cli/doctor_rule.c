/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/doctor_rule.h"

#include "base/guard.h"
#include "specs/json_io.h"
#include "specs/scalar.h"

/* clang-format off */
static const struct rule_line {
    struct str path;
    const char *allows, *absent; /* with it; without it */
} rule_lines[] = {
    { S_INIT("branch"), "its document counts at this branch alone", "" },
    { S_INIT("providers.services"), "who may run its services; the first runs those that name none", "it has no services" },
    { S_INIT("providers.domains"), "who serves its domains", "it has no domains" },
    { S_INIT("providers.databases"), "who may keep its databases", "it has no databases" },
    { S_INIT("providers.redis"), "who may keep its redis", "it has no redis" },
    { S_INIT("providers.backups"), "who may keep its backups", "it has no backups" },
    { S_INIT("providers.dns"), "who may keep its records in DNS", "it has no records in DNS" },
    { S_INIT("secrets"), "the paths it may read, with all that is below them, each for what it says", "it reads no secrets" },
    { S_INIT("domains"), "the hosts it may have; '*.' is one label", "it has no hosts" },
    { S_INIT("registries"), "where its images may come from", "no image is allowed" },
    { S_INIT("buckets"), "where its backups may be kept", "no bucket is allowed" },
    { S_INIT("seed_from"), "whose data it may copy", "it copies no data" },
    { S_INIT("isolation"), "what keeps its code apart", "" },
    { S_INIT("build_network"), "whether its builds may ask for the network", "its builds have no network" },
    { S_INIT("ceiling.replicas"), "instances of one service, at most", "its instances are not limited" },
    { S_INIT("ceiling.cpus"), "thousandths of processors of its services together, at most", "its processors are not limited together" },
    { S_INIT("ceiling.memory"), "bytes of memory of its services together, at most", "its memory is not limited together" },
    { S_INIT("ceiling.storage"), "bytes of its databases together, at most", "its storage is not limited" },
    { S_INIT("ceiling.creates"), "instances that commits may make in an hour", "its instances are not counted by the hour" },
    { S_INIT("ceiling.monthly_cost"), "what it may cost in a month, at most; an unknown price is over it", "its price is not limited" },
    { S_INIT("budget.deletes"), "more than this share of its services and domains is deleted with a person's word alone, whoever starts it; in hundredths of a percent", "any number may be deleted" },
    { S_INIT("budget.replaces"), "the same of those that are stopped before they are made anew", "any number may be replaced" },
    { S_INIT("floor.approval"), "the stricter of this and its own approval.policy holds", "its own policy holds" },
    { S_INIT("floor.approvers"), "one of these approves, whoever else its own list names", "its own approvers decide" },
    { S_INIT("floor.min_approvals"), "so many approve, or more where it says so", "its own number holds" },
    { S_INIT("floor.allow_self"), "whether who made a change may approve it", "its own word holds" },
    { S_INIT("floor.freeze"), "no commit is applied then", "its own freezes alone hold" },
    { S_INIT("floor.auto_if"), "such plans need nobody, where its own auto_if says so too", "manual is manual" },
    { S_INIT("floor.signed"), "whether approvals are signed", "they need not be" },
    { S_INIT("floor.signatures"), "which of its commits must be signed", "its commits need not be signed" },
    { S_INIT("floor.checks"), "what must have succeeded on the exact commit", "no check is asked for" },
    { S_INIT("floor.anchor"), "nothing is applied while the history cannot be anchored", "it does not wait for anchors" },
    { S_INIT("floor.waivable"), "rules it may waive", "it waives no rule" },
};
/* clang-format on */

static struct value *line_value(struct arena *a, const struct value *rule,
                                const struct rule_line *line)
{
    const struct value *v = value_at(rule, line->path);
    struct value *one = value_map(a);

    value_set_text(a, one, S("line"), line->path);
    if (v)
        value_set(a, one, S("value"), value_copy_content(a, v));
    value_set_text(a, one, S("allows"), str_from_c(v ? line->allows : line->absent));
    return one;
}

static struct str place_text(struct arena *a, struct value_place at)
{
    return str_fmt(a, "%.*s:%u:%u", STR_ARG(value_file(at)), at.line, at.column);
}

/* What a rule says of the name, when it comes from this source. */
static struct value *explain_rule(struct cli *c, struct str source, struct str name)
{
    struct arena *a = c->arena;
    size_t index;
    const struct value *rule = daemon_rule(c->daemon, source, S("environment"), name, &index);
    struct value *one = value_map(a), *lines = value_list(a);

    if (!rule)
        return NULL;
    value_set_text(a, one, S("source"), source);
    value_set_text(a, one, S("rule"), place_text(a, rule->place));
    value_set_int(a, one, S("number"), (int64_t)index + 1);
    value_set(a, one, S("match"), value_copy_content(a, value_get(rule, S("match"))));
    for (size_t i = 0; i < N_ELEMENTS(rule_lines); i++)
        value_add(a, lines, line_value(a, rule, &rule_lines[i]));
    value_set(a, one, S("lines"), lines);
    return one;
}

static void write_rule(struct cli *c, struct render *r, struct str name, const struct value *one)
{
    const struct value *lines = value_get(one, S("lines"));
    struct sb *b = r->out;

    render_foreign(b, str_fmt(c->arena,
                              "'%.*s' of source '%.*s': rule %lld, at %.*s, is the first that "
                              "matches",
                              STR_ARG(name), STR_ARG(cli_text(one, "source")),
                              (long long)value_get_int(one, S("number"), 0),
                              STR_ARG(cli_text(one, "rule"))));
    sb_add_char(b, '\n');
    for (size_t i = 0; i < value_count(lines); i++) {
        const struct value *line = value_item(lines, i), *v = value_get(line, S("value"));

        sb_addf(b, "  %-20.*s  ", STR_ARG(cli_text(line, "line")));
        render_foreign(b, v ? json_format(c->arena, v) : S("-"));
        sb_add_c(b, "  ");
        render_text(r, TONE_DIM, cli_text(line, "allows"));
        sb_add_char(b, '\n');
    }
}

/* Whose the name is, as far as the state says. */
static struct value *find_owner(struct cli *c, struct str name)
{
    struct value *env = NULL, *owner = value_map(c->arena);
    struct err err = ERR_INIT;

    if (cli_get(c, cli_path(c, "environments", name, ""), NULL, &env, &err))
        return NULL; /* nobody's yet, or nothing is known */
    value_set_text(c->arena, owner, S("source"), cli_text(env, "source"));
    value_set_text(c->arena, owner, S("branch"), cli_text(env, "branch"));
    return owner;
}

/* Documents of this name that are passed over, as far as a daemon says. */
static struct value *find_elsewhere(struct cli *c, struct str name)
{
    struct value *list = value_list(c->arena), *status = NULL;
    const struct value *sources;
    struct err err = ERR_INIT;

    if (cli_get(c, S("/api/v1/status"), NULL, &status, &err))
        return list;
    sources = value_at(status, S("live.sources"));
    for (size_t i = 0; i < value_count(sources); i++) {
        const struct value_entry *source = &sources->u.map.entries[i];
        const struct value *places = value_get(source->value, S("elsewhere"));

        for (size_t j = 0; j < value_count(places); j++) {
            const struct value *place = value_item(places, j);
            struct value *one = value_map(c->arena);

            if (!str_eq(cli_text(place, "environment"), name))
                continue;
            value_set_text(c->arena, one, S("source"), source->key);
            value_set_text(c->arena, one, S("branch"), cli_text(place, "branch"));
            value_set_text(c->arena, one, S("place"), cli_text(place, "place"));
            value_add(c->arena, list, one);
        }
    }
    return list;
}

static void write_elsewhere(struct cli *c, struct sb *b, const struct value *list)
{
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *one = value_item(list, i);

        render_foreign(b, str_fmt(c->arena,
                                  "the document at %.*s of branch '%.*s' of source '%.*s' does not "
                                  "count: the name is bound to another branch",
                                  STR_ARG(cli_text(one, "place")), STR_ARG(cli_text(one, "branch")),
                                  STR_ARG(cli_text(one, "source"))));
        sb_add_char(b, '\n');
    }
}

static void write_all(struct cli *c, struct str name, const struct value *all)
{
    const struct value *rules = value_get(all, S("rules")), *owner = value_get(all, S("belongs"));
    struct sb b;
    struct render r = cli_render(c, &b);

    for (size_t i = 0; i < value_count(rules); i++)
        write_rule(c, &r, name, value_item(rules, i));
    if (owner)
        render_foreign(&b, str_fmt(c->arena, "it belongs to branch '%.*s' of source '%.*s'",
                                   STR_ARG(cli_text(owner, "branch")),
                                   STR_ARG(cli_text(owner, "source"))));
    if (owner)
        sb_add_char(&b, '\n');
    write_elsewhere(c, &b, value_get(all, S("elsewhere")));
    cli_write(c, &b);
}

int doctor_rule(struct cli *c, struct str name, struct err *err)
{
    struct value *all = value_map(c->arena), *rules = value_list(c->arena), *owner;
    const struct value *sources;
    int64_t unused;

    if (scalar_read(SCALAR_NAME, name, &unused))
        return err_set(err, ERR_USAGE, "'%.*s' is not %s", STR_ARG(name), scalar_form(SCALAR_NAME));
    if (config_need(c, err))
        return err->code;
    sources = value_get(c->daemon, S("sources"));
    for (size_t i = 0; i < value_count(sources); i++)
        value_add(c->arena, rules, explain_rule(c, sources->u.map.entries[i].key, name));
    if (!value_count(rules))
        return err_set(err, ERR_NOT_FOUND,
                       "no rule of '%s' matches '%.*s': it is denied, whatever source it is in",
                       c->config_path, STR_ARG(name));
    owner = find_owner(c, name);
    value_set_text(c->arena, all, S("name"), name);
    value_set(c->arena, all, S("rules"), rules);
    value_set(c->arena, all, S("belongs"), owner);
    value_set(c->arena, all, S("elsewhere"), find_elsewhere(c, name));
    if (!cli_wrote_json(c, all))
        write_all(c, name, all);
    return arena_status(c->arena, err);
}
