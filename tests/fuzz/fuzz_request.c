/* fuzz: what a connection brings is one stream of strict requests, however it is cut, or is refused. SPDX-License-Identifier: Apache-2.0
 *
 * The first byte of the input says how many bytes come at once, and the second how many are read; the rest is what comes. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/http/hosts.h"
#include "reconciler/http/intake.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MAX 65536
#define READ_MAX 4096

struct heard {
    struct arena arena;
    struct sb handed_on, heads; /* heads: what was claimed */
    int refused;
};

static void check_path(struct str path)
{
    struct str part;

    POST(str_starts(path, S("/")));
    for (size_t i = 0; i < path.n; i++)
        POST((unsigned char)path.p[i] >= ' ' && path.p[i] != 0x7f && path.p[i] != '\\');
    while (str_next(&path, '/', &part))
        POST(!str_eq_c(part, "..") && !str_eq_c(part, "."));
}

static void check_head(const struct head *head)
{
    struct hosts_request in = { .method = head->method,
                                .host = value_get_text(head->headers, S("host"), S("")),
                                .origin = value_get_text(head->headers, S("origin"), STR_NONE) };
    struct err err = ERR_INIT;

    POST(framing_is_token(head->method) && head->method.n <= HEAD_METHOD_MAX);
    POST(head->framing.n_hosts == 1 && head->framing.length >= 0 && !head->framing.is_coded);
    POST(head->framing.n_lengths + head->framing.n_encodings <= 1);
    POST(value_count(head->headers) <= HEAD_HEADERS_MAX);
    POST(value_count(head->query) <= HEAD_QUERY_MAX);
    check_path(head->path);
    if (!framing_check(&head->framing, BODY_MAX, &err))
        POST(head->framing.length <= BODY_MAX);
    if (!hosts_check(NULL, &in, &err))
        POST(in.host.n >= sizeof("[::1]") - 1);
}

static void claim(struct intake *i, struct heard *h)
{
    struct err err = ERR_INIT;
    struct arena a = { 0 };
    struct head head;
    int rc = intake_claim(i, &a, &head, &err);

    if (!rc)
        check_head(&head);
    if (rc != -1)
        sb_addf(&h->heads, "%d %.*s %.*s\n", rc, STR_ARG(head.method), STR_ARG(head.path));
    h->refused |= rc != -1 && rc != 0;
    arena_fini(&a);
}

/* 0: nothing more was handed on. */
static size_t take(struct intake *i, struct heard *h, size_t n)
{
    char bytes[READ_MAX];
    size_t got = intake_take(i, bytes, n);

    POST(got <= n);
    sb_add(&h->handed_on, (struct str){ bytes, got });
    claim(i, h);
    return got;
}

static void hear(struct str what, size_t n_come, size_t n_read, struct heard *ret)
{
    struct intake i = { 0 };
    struct err err = ERR_INIT;

    *ret = (struct heard){ 0 };
    arena_init(&ret->arena, 256u << 20);
    sb_init(&ret->handed_on, &ret->arena);
    sb_init(&ret->heads, &ret->arena);
    for (size_t n; !ret->refused;) {
        char *room = intake_room(&i, &n);

        if (room) {
            n = n < n_come ? n : n_come;
            n = n < what.n ? n : what.n;
            memcpy(room, what.p, n);
            what = str_slice(what, n, what.n);
            intake_came(&i, n);
        } else {
            n = 0;
        }
        while (take(&i, ret, n_read))
            n = 1;
        ret->refused |= intake_check(&i, &err) != 0;
        if (!room)
            intake_next(&i);
        if (room && !n && !what.n)
            break;
    }
    intake_fini(&i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str what = { (const char *)data + 2, size < 2 ? 0 : size - 2 };
    struct heard whole, cut;

    if (size < 2)
        return 0;
    hear(what, HEAD_MAX, READ_MAX, &whole);
    hear(what, (size_t)data[0] + 1, (size_t)data[1] + 1, &cut);
    POST(str_eq(sb_str(&whole.heads), sb_str(&cut.heads)) && whole.refused == cut.refused);
    POST(str_eq(sb_str(&whole.handed_on), sb_str(&cut.handed_on)));
    arena_fini(&whole.arena);
    arena_fini(&cut.arena);
    return 0;
}
