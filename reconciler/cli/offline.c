/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/offline.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/guard.h"
#include "base/sys.h"
#include "providers/registry.h"
#include "reconciler/cli/messages.h"
#include "reconciler/cli/verbs.h"
#include "reconciler/core/graph.h"
#include "reconciler/engine/try_plan.h"
#include "reconciler/engine/zones.h"
#include "specs/zone_check.h"

#define SPEC_DIR ".reeve"
#define DEPTH_MAX 16

struct offline {
    struct cli *c;
    struct arena *work;   /* of the environment that is looked at */
    struct str root;      /* of the work tree */
    struct str spec_path; /* below it */
    VEC(struct spec_file) files;
    struct bundle bundle;
    struct spec_messages messages;
    int is_asked; /* the messages are the answer, in any format */
    const struct value
        *rule;     /* of the configuration, where one was named; else everything is allowed */
    struct db *db; /* NULL: nothing is recorded */
};

/* --- files --------------------------------------------------------------------------------------- */

static struct str join(struct arena *a, struct str dir, struct str name)
{
    return dir.n ? str_fmt(a, "%.*s/%.*s", STR_ARG(dir), STR_ARG(name)) : str_copy(a, name);
}

static int add_file(struct offline *o, struct str path, struct err *err)
{
    struct arena *a = o->c->arena;
    struct spec_file *slot = vec_push(a, &o->files);

    if (!slot)
        return arena_status(a, err);
    if (o->files.n > OFFLINE_FILES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d files of specs", OFFLINE_FILES_MAX);
    slot->path = path;
    return sys_read_file(a, str_to_c(a, join(a, o->root, path)), OFFLINE_FILE_BYTES_MAX,
                         &slot->text, err);
}

static int is_yaml(const char *name)
{
    return str_ends(str_from_c(name), S(".yaml")) || str_ends(str_from_c(name), S(".yml"));
}

static int add_directory(struct offline *o, struct str path, int depth, struct err *err);

static int add_entry(struct offline *o, struct str dir, const char *name, int depth,
                     struct err *err)
{
    struct arena *a = o->c->arena;
    struct str path = join(a, dir, str_from_c(name));
    struct stat st;

    if (lstat(str_to_c(a, join(a, o->root, path)), &st))
        return err_sys(err, "look at '%.*s'", STR_ARG(path));
    if (S_ISDIR(st.st_mode))
        return add_directory(o, path, depth + 1, err);
    if (!is_yaml(name))
        return 0;
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "'%.*s' is not a plain file", STR_ARG(path));
    return add_file(o, path, err);
}

static int no_dots(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int add_directory(struct offline *o, struct str path, int depth, struct err *err)
{
    struct arena *a = o->c->arena;
    struct dirent **entries = NULL;
    int n, rc = 0;

    if (depth > DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "directories of specs are nested deeper than %d", DEPTH_MAX);
    n = scandir(str_to_c(a, join(a, o->root, path)), &entries, no_dots, alphasort);
    if (n < 0)
        return err_sys(err, "read directory '%.*s'", STR_ARG(path));
    for (int i = 0; i < n; i++) {
        if (!rc)
            rc = add_entry(o, path, entries[i]->d_name, depth, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int is_directory(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* Where the tree begins, and where in it the specs lie. */
static void find_root(struct offline *o, const char *path)
{
    struct arena *a = o->c->arena;
    struct str text = str_from_c(path);

    while (text.n > 1 && text.p[text.n - 1] == '/')
        text.n--;
    if (is_directory(str_fmt(a, "%.*s/" SPEC_DIR, STR_ARG(text)).p)) {
        o->root = text;
        o->spec_path = S(SPEC_DIR);
    } else if (str_eq_c(text, SPEC_DIR)) {
        o->root = S(".");
        o->spec_path = S(SPEC_DIR);
    } else if (str_ends(text, S("/" SPEC_DIR))) {
        o->root = str_slice(text, 0, text.n - sizeof(SPEC_DIR));
        o->spec_path = S(SPEC_DIR);
    } else {
        o->root = text;
        o->spec_path = S("");
    }
}

static int is_daemon(struct str text)
{
    struct str line;

    while (str_next(&text, '\n', &line))
        if (str_starts(line, S("kind:")) &&
            str_starts(str_trim(str_slice(line, 5, SIZE_MAX)), S("Daemon")))
            return 1;
    return 0;
}

/* --- reading them -------------------------------------------------------------------------------- */

static int read_specs(struct offline *o, const char *path, struct err *err)
{
    struct arena *a = o->c->arena;
    const struct value *daemon = NULL;
    enum bundle_kind kind = BUNDLE_REPOSITORY;
    int rc;

    if (is_directory(path)) {
        find_root(o, path);
        rc = add_directory(o, o->spec_path, 0, err);
    } else {
        char *absolute = realpath(path, NULL);

        if (!absolute)
            return err_sys(err, "specs at '%s'", path);
        rc = add_file(o, str_copy(a, str_from_c(absolute)), err);
        free(absolute);
    }
    if (rc)
        return rc;
    if (!o->files.n)
        return err_set(err, ERR_NOT_FOUND, "no .yaml file below '%s'", path);
    if (o->files.n == 1 && is_daemon(o->files.p[0].text))
        kind = BUNDLE_DAEMON;
    rc = bundle_read(a, kind, o->files.p, o->files.n, &o->bundle, &o->messages, err);
    if (!rc && kind == BUNDLE_DAEMON && !o->messages.n_errors)
        rc = normalise_daemon(a, &o->bundle, &daemon, &o->messages, err);
    if (!rc && kind == BUNDLE_DAEMON && !o->messages.n_errors)
        zone_check(&o->messages, daemon, zones_is_there);
    if (!rc && daemon)
        daemon_uncarried(daemon, registry_drivers(a), DAEMON_READ, &o->messages);
    return rc;
}

/* What git and the secret stores would know. */
static int fill_world(struct offline *o, struct normalise_input *in, struct map *trees,
                      struct map *secrets, struct err *err)
{
    static struct str some_tree = S_INIT("0000000000000000000000000000000000000000");
    static struct str some_version = S_INIT("offline");
    struct arena *a = o->work;
    struct normalise_wants wants = { 0 };
    struct spec_messages ignored; /* the same ones come again */
    int rc;

    spec_messages_init(&ignored, a);
    map_init(trees, a);
    map_init(secrets, a);
    rc = normalise_wants(a, &o->bundle, in, &wants, &ignored, err);
    if (rc)
        return rc;
    if (o->db && try_plan_known(a, o->db, in->environment, trees, secrets, err))
        return err->code;
    for (size_t i = 0; i < wants.paths.n; i++)
        if (!map_has(trees, wants.paths.p[i]) &&
            sys_exists(str_to_c(a, join(a, o->root, wants.paths.p[i]))))
            map_put(trees, wants.paths.p[i], &some_tree);
    for (size_t i = 0; i < wants.secrets.n; i++)
        if (!map_has(secrets, wants.secrets.p[i]))
            map_put(secrets, wants.secrets.p[i], &some_version);
    in->trees = trees;
    in->secrets = secrets;
    return 0;
}

static int read_one(struct offline *o, struct normalise_input *in, struct environment_spec *ret,
                    struct err *err)
{
    struct map *trees = arena_new(o->work, struct map), *secrets = arena_new(o->work, struct map);
    struct graph graph;
    int rc = trees && secrets ? fill_world(o, in, trees, secrets, err) : arena_status(o->work, err);

    if (!rc)
        rc = normalise_environment(o->work, &o->bundle, in, ret, &o->messages, err);
    if (rc || o->messages.n_errors)
        return rc;
    return graph_make(o->work, ret, &graph, err); /* names a cycle */
}

static int read_environment(struct offline *o, struct str name, struct environment_spec *ret,
                            struct err *err)
{
    const struct value *document = map_find(&o->bundle.environments, name);
    const struct value *branch = value_at(document, S("trigger.branch"));
    struct normalise_input in = { .environment = name,
                                  .branch = value_is(branch, VALUE_TEXT) ? branch->u.text
                                                                         : S("main"),
                                  .zone_is_there = zones_is_there,
                                  .rule = o->rule,
                                  .spec_path = o->spec_path };

    return read_one(o, &in, ret, err);
}

/* One that it might make: of a pull request, where it makes any for these. */
static int read_preview(struct offline *o, struct str name, struct err *err)
{
    const struct value *document = map_find(&o->bundle.previews, name);
    struct normalise_input in = {
        .preview = name, .branch = S("main"), .slug = S("example"), .spec_path = o->spec_path
    };
    struct environment_spec unused;

    if (value_at(document, S("source.pull_requests")))
        in.number = S("1");
    return read_one(o, &in, &unused, err);
}

/* As one can open it from here. */
static struct str path_from_here(void *ctx, struct str path)
{
    const struct offline *o = ctx;

    return o->root.n && !str_eq_c(o->root, ".") ? join(o->c->arena, o->root, path) : path;
}

/* All messages; ERR_INVALID when one is an error. */
static int report_messages(struct offline *o, struct err *err)
{
    const struct messages in = { .list = &o->messages,
                                 .files = o->files.p,
                                 .n_files = o->files.n,
                                 .path = path_from_here,
                                 .ctx = o };

    if (o->c->args.output == OUTPUT_TEXT || o->is_asked)
        messages_write(o->c, &in);
    if (o->messages.n_errors)
        return err_set(err, ERR_INVALID, "%zu error%s in %zu file%s%s", o->messages.n_errors,
                       o->messages.n_errors == 1 ? "" : "s", o->files.n, o->files.n == 1 ? "" : "s",
                       o->messages.list.n >= o->messages.max ? ", not all of them shown" : "");
    return 0;
}

/* A file that is no YAML may hold what the others refer to: nothing is said of them then. */
static int is_read_whole(const struct offline *o)
{
    for (size_t i = 0; i < o->messages.list.n; i++)
        if (str_eq_c(o->messages.list.p[i].rule, "yaml"))
            return 0;
    return 1;
}

/* ", 2 environments" */
static const char *counted(const struct offline *o, const char *before, size_t n, const char *what)
{
    struct str text = str_fmt(o->c->arena, "%s%zu %s%s", before, n, what, n == 1 ? "" : "s");

    return text.p ? text.p : "";
}

/* What one takes the next one takes again: there may be thousands. */
static int read_all(struct offline *o, struct err *err)
{
    AUTO_ARENA struct arena work;
    int rc = 0;

    arena_init(&work, 0);
    o->work = &work;
    for (size_t i = 0; !rc && i < o->bundle.environments.n; i++) {
        struct environment_spec spec;

        rc = read_environment(o, o->bundle.environments.entries[i].key, &spec, err);
        arena_reset(&work);
    }
    for (size_t i = 0; !rc && i < o->bundle.previews.n; i++) {
        rc = read_preview(o, o->bundle.previews.entries[i].key, err);
        arena_reset(&work);
    }
    o->work = NULL;
    return rc;
}

int offline_validate(struct cli *c, const char *path, struct err *err)
{
    struct offline o = { .c = c, .is_asked = 1 };
    int rc;

    spec_messages_init(&o.messages, c->arena);
    o.messages.max = MESSAGES_MAX;
    rc = read_specs(&o, path, err);
    if (!rc && is_read_whole(&o))
        rc = read_all(&o, err);
    if (rc)
        return rc;
    rc = report_messages(&o, err);
    if (c->args.output == OUTPUT_TEXT && !rc)
        (void)fprintf(c->out, "%s%s%s: good\n", counted(&o, "", o.files.n, "file"),
                      counted(&o, ", ", o.bundle.environments.n, "environment"),
                      o.bundle.previews.n ? counted(&o, ", ", o.bundle.previews.n, "preview") : "");
    return rc;
}

/* --- a plan without a world ---------------------------------------------------------------------- */

static int pick_environment(const struct offline *o, struct str *env, struct err *err)
{
    const struct map *envs = &o->bundle.environments;

    if (env->p && map_has(envs, *env))
        return 0;
    if (env->p)
        return err_set(err, ERR_NOT_FOUND, "no environment '%.*s' in these specs", STR_ARG(*env));
    if (envs->n != 1)
        return err_set(err, ERR_USAGE, "which of the %zu environments? reeve plan -f PATH ENV",
                       envs->n);
    *env = envs->entries[0].key;
    return 0;
}

/* What the state file remembers; without --recorded nothing is recorded. */
static int open_recorded(struct offline *o, struct err *err)
{
    struct str file;
    int rc = 0;

    if (!o->c->args.recorded)
        return 0;
    file = value_get_text(value_get(o->c->daemon, S("state")), S("file"), S(""));
    rc = config_drop(o->c, err);
    return rc ? rc : db_open(str_to_c(o->c->arena, file), DB_READ, &o->db, err);
}

/* Of the first source that may have an environment of this name. */
static int find_rule(struct offline *o, struct str env, struct err *err)
{
    const struct value *sources;

    if (!o->c->args.config && !o->c->args.recorded)
        return 0;
    if (config_need(o->c, err))
        return err->code;
    sources = value_get(o->c->daemon, S("sources"));
    for (size_t i = 0; !o->rule && i < value_count(sources); i++)
        o->rule = daemon_rule(o->c->daemon, sources->u.map.entries[i].key, S("environment"), env,
                              NULL);
    return o->rule ? 0
                   : err_set(err, ERR_REFUSED, "no rule of '%s' matches environment '%.*s'",
                             o->c->config_path, STR_ARG(env));
}

static int print_plan(struct offline *o, const struct environment_spec *spec, int *ret_changes,
                      struct err *err)
{
    const struct try_plan in = { o->db, spec->name, o->c->daemon, o->rule, spec, sys_wall_ms() };
    struct value *answer;

    if (o->rule)
        cli_note(o->c, "judged by the rule at %.*s:%u:%u%s", STR_ARG(value_file(o->rule->place)),
                 o->rule->place.line, o->rule->place.column,
                 o->db ? "; code and secrets are taken to be as they are recorded" : "");
    if (try_plan_value(o->c->arena, &in, S("offline"), &answer, err))
        return err->code;
    *ret_changes = value_count(value_at(answer, S("document.core.items"))) > 0;
    if (cli_wrote_json(o->c, answer))
        return 0;
    return cli_show_plan(o->c, answer, err);
}

static int plan_environment(struct offline *o, struct str env, int *ret_changes, struct err *err)
{
    struct environment_spec spec;
    int rc = open_recorded(o, err);

    if (!rc)
        rc = read_environment(o, env, &spec, err);
    if (!rc)
        rc = report_messages(o, err);
    if (!rc)
        rc = print_plan(o, &spec, ret_changes, err);
    db_close(o->db);
    return rc;
}

int offline_plan(struct cli *c, const char *path, struct str env, int *ret_changes, struct err *err)
{
    struct offline o = { .c = c, .work = c->arena };
    int rc;

    spec_messages_init(&o.messages, c->arena);
    o.messages.max = MESSAGES_MAX;
    rc = read_specs(&o, path, err);
    if (!rc && o.messages.n_errors)
        return report_messages(&o, err);
    if (!rc)
        rc = pick_environment(&o, &env, err);
    if (!rc)
        rc = find_rule(&o, env, err);
    return rc ? rc : plan_environment(&o, env, ret_changes, err);
}

int verb_validate(struct cli *c, struct err *err)
{
    struct str path = cli_arg(c, 0);

    return offline_validate(c, path.p ? str_to_c(c->arena, path) : ".", err);
}
