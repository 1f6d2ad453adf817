/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/process/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/hash.h"
#include "base/sys.h"

#define ARTIFACT_FILE_MAX 4096
#define ARTIFACT_SPEC_MAX (1u << 20)

/* The key is the name of a directory. */
static struct str artifact_key(const struct process_call *c)
{
    struct str key = value_get_text(c->desired, S("key"), STR_NONE);

    if (!key.p)
        key = value_get_text(c->view.about, S("artifact"), S(""));
    for (size_t i = 0; i < key.n; i++) {
        char l = key.p[i];

        if (!((l >= 'a' && l <= 'z') || (l >= '0' && l <= '9') || (i && l == '-')))
            return S("");
    }
    return key.n <= 64 ? key : S("");
}

static const char *artifact_path(struct process_call *c, struct str below, const char *file)
{
    return str_fmt(&c->arena, "%.*s/%.*s%s", STR_ARG(below), STR_ARG(artifact_key(c)), file).p;
}

static const char *artifact_scratch(struct process_call *c, const char *file)
{
    return str_fmt(&c->arena, "%.*s/%.*s/scratch%s", STR_ARG(c->place.runs),
                   STR_ARG(c->place.owner), file)
        .p;
}

/* What artifacts/<K>/artifact.json says, or NULL: it is not there. */
static const struct value *artifact_outputs(struct process_call *c)
{
    struct err err = ERR_INIT;
    struct str text;
    struct value *v;

    if (!artifact_key(c).n ||
        sys_read_file(&c->arena, artifact_path(c, c->self->artifacts, "/artifact.json"),
                      ARTIFACT_FILE_MAX, &text, &err) ||
        json_parse(&c->arena, text, ARTIFACT_FILE_MAX, &v, &err))
        return NULL;
    return v;
}

static int artifact_has_ended(const struct keeper_view *v)
{
    return v->life == KEEPER_GONE &&
           (str_eq(v->state, S("exited")) || str_eq(v->state, S("stopped")));
}

/* What it made is refused, and why; STR_NONE: it is not. It stays for whoever asks for the same build again. */
static struct str artifact_refused(struct process_call *c)
{
    struct err err = ERR_INIT;
    struct str text;

    return sys_read_file(&c->arena, artifact_scratch(c, "/refused"), ARTIFACT_FILE_MAX, &text, &err)
               ? STR_NONE
               : text;
}

static void artifact_read(struct process_call *c)
{
    const struct value *outputs = artifact_outputs(c);
    struct value *seen = outputs ? value_copy(&c->arena, outputs) : value_map(&c->arena);
    struct str state = c->view.life == KEEPER_LIVES ? S("building")
                       : outputs                    ? S("built")
                       : artifact_has_ended(&c->view) &&
                               (c->view.exit || c->view.signal || artifact_refused(c).p)
                           ? S("failed")
                           : S("lost");

    value_set_text(&c->arena, seen, S("state"), state);
    if (str_eq(state, S("failed")) && c->view.exit >= 0)
        value_set_int(&c->arena, seen, S("exit"), c->view.exit);
    c->ret->verdict = RV_DONE;
    process_answer_view(c, seen, outputs ? value_copy(&c->arena, outputs) : value_map(&c->arena));
}

static void artifact_done(struct process_call *c, enum rv_acted acted)
{
    artifact_read(c);
    if (c->ret->verdict == RV_DONE)
        c->ret->acted = acted;
}

static void artifact_pending(struct process_call *c)
{
    (void)process_fail(c, RV_PENDING, RV_ACTED_YES, "building");
    c->ret->token = kit_give(c->h, c->place.owner);
    c->ret->again_ms = PROCESS_POLL_MS;
}

/* --- the end of a build --- */

static int artifact_write_sum(struct process_call *c, const struct process_tree_sum *sum,
                              struct err *err)
{
    struct value *v = value_map(&c->arena);
    struct digest d = hash_bytes(sum->manifest);

    value_set_text(&c->arena, v, S("key"), artifact_key(c));
    value_set_text(&c->arena, v, S("digest"), digest_hex(&c->arena, &d));
    value_set_int(&c->arena, v, S("bytes"), sum->bytes);
    if (sys_write_file(artifact_scratch(c, "/manifest"), 0444, sum->manifest, err) ||
        sys_write_file(artifact_scratch(c, "/artifact.json"), 0444, json_format(&c->arena, v), err))
        return err->code;
    return 0;
}

/* Everything of the scratch directory is on the disk before its name changes. */
static int artifact_publish(struct process_call *c, struct err *err)
{
    const char *to = artifact_path(c, c->self->artifacts, "");
    AUTO_CLOSE int fd = open(artifact_scratch(c, ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE int lock = -1;

    if (fd < 0 || syncfs(fd))
        return err_sys(err, "sync '%s'", artifact_scratch(c, ""));
    if (process_lock(c, c->self->artifacts, &lock))
        return err_set(err, ERR_IO, "the artifacts are locked");
    if (artifact_outputs(c)) /* somebody else built the same key meanwhile */
        return sys_remove_all(artifact_scratch(c, ""), err);
    if (rename(artifact_scratch(c, ""), to))
        return err_sys(err, "publish '%s'", to);
    return sys_fsync_dir(str_to_c(&c->arena, c->self->artifacts), err);
}

/* What it was built of and with is not needed any more. The source goes where it was put for this operation, as
 * `export` says: who builds the key again gets it again. */
static void artifact_clear_beside(struct process_call *c)
{
    struct err ignored = ERR_INIT; /* what stays goes with the resource */

    process_clear_home(c);
    process_secrets_remove(c);
    process_secrets_hide(c);
    if (artifact_key(c).n && value_get(c->desired, S("export")))
        (void)sys_remove_all(artifact_path(c, c->self->exports, ""), &ignored);
}

static void artifact_clear(struct process_call *c)
{
    struct err ignored = ERR_INIT; /* what stays goes with the resource */

    artifact_clear_beside(c);
    (void)process_users_remove(c, artifact_scratch(c, "/tree"), &ignored);
    (void)sys_remove_all(artifact_scratch(c, ""), &ignored);
}

/* The same key gives the same answer. */
static void artifact_refuse(struct process_call *c, struct str why)
{
    struct err err = ERR_INIT;

    if (sys_write_file(artifact_scratch(c, "/refused"), 0400, why, &err) ||
        sys_remove_all(artifact_scratch(c, "/tree"), &err)) {
        (void)process_fail_err(c, RV_ACTED_YES, &err);
        return;
    }
    artifact_clear_beside(c);
    (void)process_fail(c, RV_USER, RV_ACTED_YES, "%.*s", STR_ARG(why));
}

/* Whose it was is ours now, and holds none of what it was given. 0, or the verdict answered. */
static int artifact_check(struct process_call *c)
{
    const char *tree = artifact_scratch(c, "/tree");
    struct err err = ERR_INIT;
    struct str why = artifact_refused(c);

    if (!why.p && process_users_own(c, tree, PROCESS_OURS, &err))
        return process_fail_err(c, RV_ACTED_YES, &err);
    if (!why.p && process_secrets_find(c, tree, &why))
        return (int)c->ret->verdict;
    if (why.n)
        artifact_refuse(c, why);
    return why.n ? (int)c->ret->verdict : 0;
}

/* Seal what was built; the lock of our directory is held. Dying in between repeats it. */
static void artifact_finish(struct process_call *c)
{
    struct process_tree_sum sum;
    struct err err = ERR_INIT;
    int is_there = artifact_outputs(c) != NULL;

    if (!is_there && artifact_check(c))
        return;
    if (!is_there && (process_tree_seal(c, artifact_scratch(c, "/tree"), &sum, &err) ||
                      artifact_write_sum(c, &sum, &err) || artifact_publish(c, &err))) {
        if (err.code == ERR_LIMIT) /* so it is whenever it is asked for */
            artifact_refuse(c, str_from_c(err.text));
        else
            (void)process_fail_err(c, RV_ACTED_YES, &err);
        return;
    }
    artifact_clear(c);
    artifact_done(c, RV_ACTED_YES);
}

static void artifact_resume(struct process_call *c)
{
    AUTO_HOLD struct keeper_hold hold = KEEPER_HOLD_NONE;

    if (c->view.life == KEEPER_LIVES) {
        artifact_pending(c);
    } else if (artifact_outputs(c)) {
        if (!process_take_ended(c, &hold))
            artifact_clear(c); /* who published it may have died before */
        artifact_done(c, RV_ACTED_YES);
    } else if (!artifact_has_ended(&c->view)) {
        process_secrets_remove(c);
        (void)process_fail(c, RV_RETRY, RV_ACTED_MAYBE, "build: its keeper died, it starts again");
    } else if (process_judge_exit(c, "build")) {
        if (!process_take_ended(c, &hold))
            artifact_clear(c);
    } else if (!keeper_take(c->h, &c->arena, &c->place, c->op->epoch, &hold, c->ret)) {
        artifact_finish(c);
    }
}

/* --- the beginning --- */

static int artifact_prepare(struct process_call *c)
{
    const char *from = artifact_path(c, c->self->exports, "");
    const char *scratch = artifact_scratch(c, ""), *tree = artifact_scratch(c, "/tree");
    struct err err = ERR_INIT;

    if (!from || !scratch || !tree)
        return process_fail(c, RV_RETRY, RV_ACTED_YES, "out of memory");
    if (!sys_exists(from))
        return process_fail(c, RV_RETRY, RV_ACTED_YES,
                            "the source of artifact '%.*s' is not exported",
                            STR_ARG(artifact_key(c)));
    process_clear_home(c); /* of a build that died: what is built again begins with nothing */
    if (process_users_remove(c, tree, &err) || sys_remove_all(scratch, &err) ||
        sys_mkdir_all(scratch, 0700, &err) || process_tree_copy(c, from, tree, &err))
        return process_fail_err(c, RV_ACTED_YES, &err);
    return 0;
}

static void artifact_note(struct process_call *c, struct keeper_hold *hold)
{
    struct keeper_want want = { .key = kit_str(c->op->key),
                                .epoch = c->op->epoch,
                                .about = process_about(c, 0) };

    if (keeper_note(c->h, &c->arena, &c->place, &want, hold, c->ret))
        return;
    artifact_clear(c);
    artifact_done(c, RV_ACTED_YES);
}

static void artifact_build(struct process_call *c, struct keeper_hold *hold)
{
    const struct value *argv = value_get(c->desired, S("argv"));
    struct keeper_want want = { .key = kit_str(c->op->key),
                                .epoch = c->op->epoch,
                                .about = process_about(c, 0) };
    struct str dir;

    if (artifact_prepare(c))
        return;
    if (!value_count(argv)) { /* nothing to run */
        if (!keeper_note(c->h, &c->arena, &c->place, &want, hold, c->ret))
            artifact_finish(c);
        return;
    }
    if (process_work_dir(c, str_from_c(artifact_scratch(c, "/tree")), &dir) ||
        process_command(c, argv, dir, 0, &want) || process_secrets_write(c) ||
        process_isolate(c, artifact_scratch(c, "/tree"), LAUNCH_WRITE, &want)) {
        c->ret->acted = RV_ACTED_YES; /* there is a directory */
    } else if (!keeper_start(c->h, &c->arena, &c->place, &want, hold, &c->view, c->ret)) {
        artifact_pending(c);
    }
    if (hold->lock >= 0) /* no keeper has them */
        process_secrets_remove(c);
}

static void artifact_apply(struct process_call *c)
{
    AUTO_HOLD struct keeper_hold hold = KEEPER_HOLD_NONE;
    AUTO_CLOSE int lock = -1;

    if (!artifact_key(c).n) {
        (void)process_fail(c, RV_USER, RV_ACTED_NO, "an artifact needs a key of [a-z0-9-]");
    } else if (process_adopt(c)) {
        ;
    } else if (c->view.life == KEEPER_LIVES) {
        artifact_pending(c);
    } else if (artifact_has_ended(&c->view) && str_eq(c->view.key, kit_str(c->op->key))) {
        artifact_resume(c); /* the same key is the same build */
    } else if (!process_take(c, &hold) && !process_lock(c, c->self->artifacts, &lock)) {
        if (artifact_outputs(c)) {
            artifact_note(c, &hold); /* under the lock: who deletes sees that we refer to it */
        } else {
            guard_close(&lock);
            artifact_build(c, &hold);
        }
    }
}

/* --- delete --- */

const struct value *process_about_of(struct process_call *c, const char *owner)
{
    const char *path = str_fmt(&c->arena, "%.*s/%s/spec.json", STR_ARG(c->self->runs), owner).p;
    struct err err = ERR_INIT;
    struct value *v;
    struct str text;

    if (!path || sys_read_file(&c->arena, path, ARTIFACT_SPEC_MAX, &text, &err) ||
        json_parse(&c->arena, text, ARTIFACT_SPEC_MAX, &v, &err))
        return NULL;
    return value_get(v, S("about"));
}

/* A command that runs once needs it until it has ended. */
static int artifact_has_done(struct process_call *c, struct str type, const char *owner)
{
    static const char *const once[] = { "release", "verify", "job" };
    const struct keeper_place place = { c->self->keeper, c->self->runs, str_from_c(owner) };
    struct rv_result unused = { .size = sizeof(unused) };
    struct keeper_view view;
    int is_once = 0;

    for (size_t i = 0; i < N_ELEMENTS(once); i++)
        is_once |= str_eq_c(type, once[i]);
    return is_once && !keeper_look(c->h, &c->arena, &place, &view, &unused) &&
           view.life != KEEPER_LIVES;
}

/* Who else refers to this key: another artifact before anybody else; "" nobody. */
static struct str artifact_user(struct process_call *c, struct str key, struct str *ret_type)
{
    DIR *dir = opendir(str_to_c(&c->arena, c->self->runs));
    struct str user = S("");
    struct dirent *entry;

    *ret_type = S("");
    while (dir && !str_eq(*ret_type, S("artifact")) && (entry = readdir(dir))) {
        const struct value *about;

        if (entry->d_name[0] == '.' || str_eq_c(c->place.owner, entry->d_name))
            continue;
        about = process_about_of(c, entry->d_name);
        if (!str_eq(value_get_text(about, S("artifact"), S("")), key) &&
            !process_assets_use(about, key))
            continue;
        if (artifact_has_done(c, value_get_text(about, S("type"), S("")), entry->d_name))
            continue;
        user = str_copy(&c->arena, str_from_c(entry->d_name));
        *ret_type = value_get_text(about, S("type"), S(""));
    }
    if (dir)
        (void)closedir(dir); /* only read */
    return user;
}

/* The tree goes with the last who refers to it; never below somebody who runs in it. */
static int artifact_forget(struct process_call *c)
{
    struct str key = artifact_key(c), owner, type;
    AUTO_CLOSE int lock = -1;
    struct err err = ERR_INIT;
    const char *path, *gone;

    if (sys_remove_all(artifact_scratch(c, ""), &err))
        return process_fail_err(c, RV_ACTED_YES, &err);
    if (!key.n)
        return 0;
    if (process_lock(c, c->self->artifacts, &lock))
        return (int)c->ret->verdict;
    owner = artifact_user(c, key, &type);
    if (owner.n)
        return str_eq(type, S("artifact"))
                   ? 0
                   : process_fail(c, RV_WAIT, RV_ACTED_NO, "%.*s '%.*s' still uses the artifact",
                                  STR_ARG(type), STR_ARG(owner));
    path = artifact_path(c, c->self->artifacts, "");
    gone = str_fmt(&c->arena, "%.*s/.gone-%.*s", STR_ARG(c->self->artifacts), STR_ARG(key)).p;
    if (sys_remove_all(gone, &err) ||
        (rename(path, gone) && errno != ENOENT && err_sys(&err, "remove '%s'", path)) ||
        sys_remove_all(gone, &err))
        return process_fail_err(c, RV_ACTED_YES, &err);
    return 0;
}

const struct process_type process_artifact = {
    .name = "artifact",
    .read = artifact_read,
    .apply = artifact_apply,
    .resume = artifact_resume,
    .forget = artifact_forget,
};
