/* A new database, of what is in the world. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "reconciler/cli/memory.h"
#include "reconciler/cli/programs.h"
#include "reconciler/cli/verbs.h"
#include "reconciler/engine/recover.h"

static void write_each(struct cli *c, const struct value *list, const char *what)
{
    for (size_t i = 0; i < value_count(list); i++)
        (void)fprintf(c->out, "  %s: %.*s\n", what,
                      STR_ARG(render_safe(c->arena, value_item(list, i)->u.text)));
}

static void write_recovered(struct cli *c, const struct value *v)
{
    const struct value *envs = value_get(v, S("environments"));

    (void)fprintf(c->out, "a new database: %.*s\n",
                  STR_ARG(render_safe(c->arena, cli_text(v, "because"))));
    if (value_get(v, S("aside")))
        (void)fprintf(c->out, "  the old one is kept as %.*s\n",
                      STR_ARG(render_safe(c->arena, cli_text(v, "aside"))));
    if (value_get(v, S("copy")))
        (void)fprintf(c->out, "  what no label knows is from %.*s\n",
                      STR_ARG(render_safe(c->arena, cli_text(v, "copy"))));
    write_each(c, value_get(v, S("unreadable")), "a copy cannot be read");
    write_each(c, value_get(v, S("doubles")),
               "two things carry one label, one of them was left out");
    write_each(c, value_get(v, S("missing")),
               "not looked for, because the configuration does not name it: provider");
    for (size_t i = 0; i < value_count(envs); i++) {
        const struct value *e = value_item(envs, i);

        (void)fprintf(c->out, "  %.*s: held; %lld instances in %lld live and %lld other sets\n",
                      STR_ARG(render_safe(c->arena, cli_text(e, "name"))),
                      (long long)value_get_int(e, S("instances"), 0),
                      (long long)value_get_int(e, S("live_sets"), 0),
                      (long long)value_get_int(e, S("other_sets"), 0));
    }
    (void)fprintf(c->out, "start the daemon, look at each plan, then: reeve resume ENV\n");
}

int verb_recover(struct cli *c, struct err *err)
{
    struct recover_options options = { 0 };
    const char *self;
    struct value *report;
    int rc = config_need(c, err);

    if (!rc)
        rc = config_drop(c, err);
    if (!rc)
        rc = memory_shut(err); /* it opens copies with their key */
    if (!rc)
        rc = programs_find_self(c->arena, &self, err);
    if (!rc)
        rc = programs_find_keeper(c->arena, self, &options.keeper, err);
    if (!rc)
        rc = loop_uv_new(&(struct loop_options){ 0 }, &options.loop, err);
    if (rc)
        return rc;
    options.daemon = c->daemon;
    options.holder = str_fmt(c->arena, "reeve recover, pid %d", (int)getpid()).p;
    rc = recover_run(c->arena, &options, &report, err);
    loop_free(options.loop);
    if (!rc && !cli_wrote_json(c, report))
        write_recovered(c, report);
    return rc;
}
