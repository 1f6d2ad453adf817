/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/edge_want.h"

#include "base/sys.h"
#include "providers/haproxy/render.h"

#define EDGE_ARGV 4
#define EDGE_GRACE_MS 5000
#define EDGE_LOG_TAIL 8192
#define EDGE_CONNECT "edge_connect.so" /* beside the keeper */

/* Does all that is served fit this configuration? */
static int edge_fits(const struct haproxy_model *m, const struct haproxy_conf *conf)
{
    for (size_t i = 0; i < m->records.n; i++) {
        const struct haproxy_record *r = &m->records.p[i];
        const struct value *slots = value_get(r->body, S("slots"));
        int64_t n = 0;

        if (str_eq(r->type, S("backend")) &&
            (str_to_i64(str_slice(r->id, 1, r->id.n), &n) || n >= conf->n_backends))
            return 0;
        for (size_t k = (size_t)conf->n_slots; k < value_count(slots); k++)
            if (value_item(slots, k)->u.text.n)
                return 0;
        if (str_eq(r->type, S("address")) &&
            (str_to_i64(r->id, &n) || n < conf->internal_first || n > conf->internal_last))
            return 0;
    }
    return 1;
}

/* What makes its connections begin with a request; without it the proxy serves all the same. */
static void edge_preload(struct haproxy_call *c, struct keeper_want *want)
{
    struct str beside = c->conf->keeper, file;
    struct str *env = arena_new(c->arena, struct str);

    while (beside.n && beside.p[beside.n - 1] != '/')
        beside.n--;
    file = str_fmt(c->arena, "%.*s" EDGE_CONNECT, STR_ARG(beside));
    if (!env || !file.p)
        return; /* the arena remembers */
    if (!sys_exists(file.p)) {
        c->h->log(c->h->ctx, 2,
                  kit_rv(S(EDGE_CONNECT " is not beside the keeper: requests to applications that "
                                        "close idle connections may be lost")));
        return;
    }
    *env = str_fmt(c->arena, "LD_PRELOAD=%.*s", STR_ARG(file));
    want->env = env;
    want->n_env = 1;
}

struct keeper_place haproxy_edge_place(struct haproxy_call *c)
{
    return (struct keeper_place){
        .program = c->conf->keeper,
        .runs = str_fmt(c->arena, "%.*s/run", STR_ARG(c->conf->directory)),
        .owner = S("edge"),
    };
}

struct keeper_want haproxy_edge_want(struct haproxy_call *c, uint64_t epoch)
{
    struct str *argv = arena_new_n(c->arena, struct str, EDGE_ARGV);
    struct value *about = value_map(c->arena);
    struct keeper_want want;

    value_set_text(c->arena, about, S("installation"), c->conf->installation);
    value_set_text(c->arena, about, S("type"), S("edge"));
    if (argv) {
        argv[0] = c->conf->program;
        argv[1] = S("-db");
        argv[2] = S("-f");
        argv[3] = S(HAPROXY_CONFIG_FILE);
    }
    want = (struct keeper_want){
        .key = S("edge"),
        .epoch = epoch,
        .about = about,
        .argv = argv,
        .n_argv = argv ? EDGE_ARGV : 0,
        .dir = c->conf->directory,
        .restart = KEEPER_ALWAYS,
        .stop_signal = S("USR1"),
        .grace_ms = EDGE_GRACE_MS,
    };
    edge_preload(c, &want);
    return want;
}

void haproxy_edge_take_conf(struct haproxy_call *c, struct haproxy_store *s)
{
    if (!edge_fits(&s->model, c->conf)) {
        c->h->log(c->h->ctx, 2,
                  kit_rv(S("what the edge serves does not fit its configuration: "
                           "it goes on with the previous one")));
        return;
    }
    s->model.conf = *c->conf;
    if (s->model.next_port < c->conf->internal_first || s->model.next_port > c->conf->internal_last)
        s->model.next_port = c->conf->internal_first;
}

struct str haproxy_edge_complaint(struct haproxy_call *c, const struct keeper_place *place)
{
    struct str rest = keeper_log_tail(c->arena, place, EDGE_LOG_TAIL), line, found = STR_NONE;

    while (str_next(&rest, '\n', &line)) {
        size_t at = str_find(line, S("cannot bind"));

        if (at != STR_NPOS)
            found = str_trim(str_slice(line, at, line.n));
        else if (str_starts(line, S("[ALERT]")) &&
                 (!found.n || !str_starts(found, S("cannot bind"))))
            found = str_trim(line);
    }
    return found;
}
