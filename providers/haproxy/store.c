/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/guard.h"
#include "base/hash.h"
#include "base/sys.h"
#include "providers/haproxy/frontend.h"
#include "providers/haproxy/render.h"

#define STORE_FILE_MAX (64u << 20)
#define STORE_MAP_MAX                                                                              \
    (12u << 20) /* what the proxy says of one adds to it; the rest is ours to read */
#define STORE_LOCK_MS 15000
#define STORE_LOCK_STEP_MS 2
#define STORE_CHECK_MS 10000

static char *store_path(struct haproxy_call *c, const char *file)
{
    return str_to_c(c->arena, str_fmt(c->arena, "%.*s/%s", STR_ARG(c->conf->directory), file));
}

static int store_lock(struct haproxy_call *c, int *ret_fd)
{
    const char *path = store_path(c, "lock");
    AUTO_CLOSE int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    int64_t give_up_ms = c->h->now_ms(c->h->ctx) + STORE_LOCK_MS;

    if (fd < 0)
        return haproxy_fail(c, RV_RETRY, "open '%s': %s", path ? path : "lock", strerror(errno));
    while (flock(fd, LOCK_EX | LOCK_NB)) {
        if (c->h->wait_fd(c->h->ctx, -1, 0, STORE_LOCK_STEP_MS) == RV_CANCELLED)
            return haproxy_fail(c, RV_CANCELLED, "cancelled");
        if (c->h->now_ms(c->h->ctx) > give_up_ms)
            return haproxy_fail(c, RV_WAIT, "'%s' is held by another change of the edge", path);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* The file is written before a proxy is started from it, and never removed. */
static int store_is_lost(struct haproxy_call *c)
{
    const char *keeper = store_path(c, "run/edge/spec.json");

    return keeper && sys_exists(keeper);
}

static int store_load(struct haproxy_call *c, struct haproxy_store *s)
{
    const char *path = store_path(c, HAPROXY_CONFIG_FILE);
    struct err err = ERR_INIT;

    if (sys_read_file(c->arena, path, STORE_FILE_MAX, &s->text, &err)) {
        if (err.code != ERR_NOT_FOUND)
            return haproxy_fail_err(c, &err);
        if (!c->may_write && store_is_lost(c)) /* who changes it asks the proxy first */
            return haproxy_fail(c, RV_RETRY,
                                "'%s' is gone, but a proxy was started from it: what it serves is "
                                "not known",
                                path);
        s->is_new = 1;
        haproxy_model_init(&s->model, c->arena, c->conf);
        return 0;
    }
    if (haproxy_model_parse(c->arena, s->text, c->conf, &s->model, &err)) {
        (void)err_wrap(&err, "read '%s'", path);
        return haproxy_fail_err(c, &err);
    }
    return 0;
}

int haproxy_store_is_there(struct haproxy_call *c)
{
    const char *path = store_path(c, HAPROXY_CONFIG_FILE);

    return path && sys_exists(path);
}

struct haproxy_glance haproxy_store_glance(struct haproxy_call *c)
{
    struct err ignored = ERR_INIT; /* unreadable: found nothing, and opening will say why */
    struct str text;

    if (sys_read_file(c->arena, store_path(c, HAPROXY_CONFIG_FILE), STORE_FILE_MAX, &text,
                      &ignored))
        return (struct haproxy_glance){ STR_NONE, STR_NONE };
    return haproxy_model_glance(text, kit_str(c->op->type), kit_str(c->op->owner));
}

int haproxy_store_open(struct haproxy_call *c, struct haproxy_store *ret)
{
    const char *directory = str_to_c(c->arena, c->conf->directory);
    struct err err = ERR_INIT;
    int rc;

    if (c->may_write && sys_mkdir_all(directory, 0700, &err))
        return haproxy_fail_err(c, &err);
    if (c->may_write && (rc = store_lock(c, &ret->lock)))
        return rc;
    return store_load(c, ret);
}

static int store_write(struct haproxy_call *c, const char *file, struct str text)
{
    struct err err = ERR_INIT;

    return sys_write_file(store_path(c, file), 0600, text, &err) ? haproxy_fail_err(c, &err) : 0;
}

/* Only what is not there yet. */
static int store_write_new(struct haproxy_call *c, const char *file, struct str text)
{
    struct err ignored = ERR_INIT; /* absent or unreadable: written */
    struct str now;

    if (!sys_read_file(c->arena, store_path(c, file), STORE_FILE_MAX, &now, &ignored) &&
        str_eq(now, text))
        return 0;
    return store_write(c, file, text);
}

/* What passes are signed with: made once, and never told to anybody but the proxy. */
static int store_write_key(struct haproxy_call *c)
{
    const char *path = store_path(c, HAPROXY_KEYS_FILE);
    struct str text;
    struct digest d;
    int rc;

    if (path && sys_exists(path))
        return 0;
    sys_random(d.b, sizeof(d.b));
    text = str_fmt(c->arena, "pass %.*s\n", STR_ARG(digest_hex(c->arena, &d)));
    rc = store_write(c, HAPROXY_KEYS_FILE, text);
    explicit_bzero(&d, sizeof(d));
    return rc;
}

static int store_write_maps(struct haproxy_call *c, const struct haproxy_maps *maps)
{
    int rc = store_write_key(c);

    if (!rc)
        rc = store_write_new(c, HAPROXY_LUA_FILE, str_from_c(haproxy_frontend_lua));
    for (size_t i = 0; !rc && i < N_HAPROXY_MAPS; i++)
        rc = store_write_new(c, haproxy_map_file((enum haproxy_map_id)i),
                             haproxy_map_text(c->arena, &maps->m[i]));
    return rc;
}

/* What is written can be read again, and what the proxy has can be asked of it. */
static int store_check_size(struct haproxy_call *c, struct haproxy_store *s, struct str text,
                            const struct haproxy_maps *maps)
{
    struct err err = ERR_INIT;

    if (haproxy_model_check(&s->model, &err))
        return haproxy_fail(c, RV_USER, "%s", err.text);
    if (text.n > STORE_FILE_MAX)
        return haproxy_fail(c, RV_USER, "the edge is full: its file takes %zu bytes, at most %u",
                            text.n, STORE_FILE_MAX);
    for (size_t i = 0; i < N_HAPROXY_MAPS; i++) {
        size_t n = haproxy_map_size(&maps->m[i]);

        if (n > STORE_MAP_MAX)
            return haproxy_fail(c, RV_USER, "the edge is full: its %s takes %zu bytes, at most %u",
                                haproxy_map_file((enum haproxy_map_id)i), n, STORE_MAP_MAX);
    }
    return 0;
}

/* A file with new rules is shown to the proxy's own parser before it takes the place of the old. */
static int store_check(struct haproxy_call *c, struct str text)
{
    const struct rv_str argv[] = { kit_rv(c->conf->program), kit_rv(S("-c")), kit_rv(S("-f")),
                                   kit_rv(S(HAPROXY_OFFER_FILE)) };
    const struct rv_exec check = { .size = sizeof(check),
                                   .timeout_ms = STORE_CHECK_MS,
                                   .n_argv = N_ELEMENTS(argv),
                                   .argv = argv,
                                   .dir = kit_rv(c->conf->directory) };
    struct rv_exit exit = { .size = sizeof(exit) };
    int rc = store_write(c, HAPROXY_OFFER_FILE, text);

    if (rc)
        return rc;
    if ((rc = c->h->exec(c->h->ctx, &check, &exit)))
        return haproxy_fail(c, (enum rv_verdict)rc, "cannot run '%.*s'", STR_ARG(c->conf->program));
    if (exit.status || exit.signal)
        return haproxy_fail(c, RV_USER, "the proxy refuses its configuration: %.*s",
                            STR_ARG(str_trim(kit_str(exit.err_tail))));
    return 0;
}

int haproxy_store_offer(struct haproxy_call *c, struct haproxy_store *s)
{
    struct err err = ERR_INIT;
    size_t n_rules = 0;
    struct str text = haproxy_render(&s->model, &n_rules);
    struct haproxy_maps maps;
    int rc;

    haproxy_maps_make(&s->model, &maps);
    if (arena_status(c->arena, &err))
        return haproxy_fail_err(c, &err);
    rc = store_write_maps(c, &maps);
    return rc ? rc : store_check(c, text);
}

int haproxy_store_save(struct haproxy_call *c, struct haproxy_store *s)
{
    struct err err = ERR_INIT;
    size_t n_rules = 0;
    struct haproxy_maps maps;
    struct str text;
    int rc;

    text = haproxy_render(&s->model, &n_rules);
    haproxy_maps_make(&s->model, &maps);
    if (arena_status(c->arena, &err))
        return haproxy_fail_err(c, &err);
    if ((rc = store_check_size(c, s, text, &maps)))
        return rc;

    if (!str_eq(str_slice(text, 0, n_rules), str_slice(s->text, 0, n_rules)) &&
        ((rc = store_write_maps(c, &maps)) || (rc = store_check(c, text))))
        return rc;
    if (!str_eq(text, s->text)) {
        c->acted = RV_ACTED_MAYBE;
        if ((rc = store_write(c, HAPROXY_CONFIG_FILE, text)))
            return rc;
        s->text = text;
    }
    if ((rc = store_write_maps(c, &maps)))
        return rc;
    return arena_status(c->arena, &err) ? haproxy_fail_err(c, &err) : 0;
}

void haproxy_store_close(struct haproxy_store *s)
{
    guard_close(&s->lock);
}
