/* What an admin brings in a file while the git host is down. SPDX-License-Identifier: Apache-2.0
 *
 * The bytes that were signed are the bytes that the worker reads: they are copied before they are looked at. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/command_write.h"
#include "reconciler/engine/env_task.h"
#include "specs/json_io.h"

static int check_asked(struct command_call *c, struct command_found *f, struct err *err)
{
    f->bundle.source = engine_source(c->engine, c->in.source);
    if (!c->in.is_admin)
        return err_set(err, ERR_REFUSED, "%.*s may look but not change anything",
                       STR_ARG(c->in.actor));
    if (c->engine->stale.p)
        return engine_refuse_stale(c->engine, err);
    if (command_check_reason(c, "bundle", err))
        return err->code;
    if (!c->in.signature.n)
        return err_set(err, ERR_REFUSED, "a bundle has to be signed: FILE.sig");
    if (c->in.bundle.n < 2 || c->in.bundle.p[0] != '/')
        return err_set(err, ERR_USAGE, "'%.*s' is no absolute path", STR_ARG(c->in.bundle));
    if (!f->bundle.source)
        return err_set(err, ERR_NOT_FOUND, "there is no source '%.*s'", STR_ARG(c->in.source));
    if (!f->bundle.source->source->ops->import)
        return err_set(err, ERR_REFUSED, "source '%.*s' takes no bundles", STR_ARG(c->in.source));
    return 0;
}

static int read_all(struct command_call *c, int fd, size_t n, struct str *ret, struct err *err)
{
    char *p = arena_alloc(&c->arena, n + 1);
    size_t got = 0;

    while (p && got < n) {
        ssize_t one = read(fd, p + got, n - got);

        if (one < 0 && errno == EINTR)
            continue;
        if (one < 0)
            return err_sys(err, "read the bundle");
        if (!one)
            break;
        got += (size_t)one;
    }
    *ret = (struct str){ p, got };
    return arena_status(&c->arena, err);
}

/* A regular file, whoever named it. */
static int read_bundle(struct command_call *c, struct str *ret, struct err *err)
{
    const char *path = str_to_c(&c->arena, c->in.bundle);
    AUTO_CLOSE int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    struct stat st;

    if (fd < 0 || fstat(fd, &st))
        return err_sys(err, "open '%s' as the daemon's user", path ? path : "");
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_REFUSED, "'%s' is no file", path);
    if (st.st_size > (off_t)SOURCE_BUNDLE_MAX)
        return err_set(err, ERR_LIMIT,
                       "'%s' has more than %zu bytes: make it of what is new, git bundle create "
                       "FILE OLD..BRANCH",
                       path, SOURCE_BUNDLE_MAX);
    return read_all(c, fd, (size_t)st.st_size, ret, err);
}

int command_bundle_read(struct command_call *c, struct command_found *f, struct err *err)
{
    struct digest d;

    if (check_asked(c, f, err) || read_bundle(c, &f->bundle.text, err))
        return err->code;
    d = hash_bytes(f->bundle.text);
    f->bundle.digest = digest_hex(&c->arena, &d);
    return arena_status(&c->arena, err);
}

int command_bundle_keep(struct command_call *c, struct command_found *f, struct err *err)
{
    const char *path = sign_files_path(&f->sign, &c->arena, "bundle");

    return path ? sys_write_file(path, 0600, f->bundle.text, err) : arena_status(&c->arena, err);
}

int command_bundle_import(struct command_call *c, struct command_found *f, struct err *err)
{
    struct command_bundle *b = &f->bundle;
    struct str *names = arena_new_n(&c->arena, struct str, b->source->branches.n + 1);
    struct str path = str_fmt(&c->arena, "%s/bundle", f->sign.dir);

    if (command_sign_judge(c, f, err))
        return err->code;
    if (!names || !path.p)
        return arena_status(&c->arena, err);
    for (size_t i = 0; i < b->source->branches.n; i++)
        names[i] = b->source->branches.p[i].name;
    b->request = (struct source_import){ path, names, b->source->branches.n };
    b->source->source->ops->import(b->source->source, &c->task, &c->arena, &b->request, &b->call);
    return 0;
}

static int put_ahead(struct command_call *c, struct tx *tx, const struct source_head *head,
                     struct err *err)
{
    const struct rec_meta row = {
        .k = source_ahead_key(&c->arena, c->in.source, head->name),
        .v = str_fmt(&c->arena, "%.*s %.*s", STR_ARG(head->commit), STR_ARG(head->tree)),
    };

    return tx_put(tx, REC_meta, &row, err);
}

int command_write_bundle(struct command_call *c, struct command_found *f, struct tx *tx,
                         struct err *err)
{
    struct command_bundle *b = &f->bundle;
    struct value *heads = value_map(&c->arena);
    struct sb said;

    sb_init(&said, &c->arena);
    if (b->source->source->ops->fetch_parse(&c->arena, &b->call, &b->heads, err))
        return err->code;
    for (size_t i = 0; i < b->heads.heads.n; i++) {
        const struct source_head *head = &b->heads.heads.p[i];

        if (put_ahead(c, tx, head, err))
            return err->code;
        value_set_text(&c->arena, heads, head->name, head->commit);
        sb_addf(&said, "%sbranch '%.*s' goes on to %.12s", i ? ", " : "", STR_ARG(head->name),
                head->commit.p);
    }
    tx_note(tx, S("bundle"), json_format(&c->arena, value_text(&c->arena, b->digest)));
    tx_note(tx, S("heads"), json_format(&c->arena, heads));
    f->state = S("taken");
    f->message = sb_str(&said);
    return arena_status(&c->arena, err);
}

void command_bundle_act(struct command_call *c, struct command_found *f)
{
    struct source_task *s = f->bundle.source;

    for (size_t i = 0; i < f->bundle.heads.heads.n; i++)
        source_ahead_set(s, &f->bundle.heads.heads.p[i]);
    f->rounds = value_map(&c->arena);
    value_set_int(&c->arena, f->rounds, s->name, source_task_fetch_now(s));
}
