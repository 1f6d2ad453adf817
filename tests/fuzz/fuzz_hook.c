/* fuzz: whatever a forge is said to say, who has no secret is refused and what is taken names refs. SPDX-License-Identifier: Apache-2.0
 *
 * The input is "TYPE EVENT", lines "name: value" of more headers, an empty line and the body, which is signed here
 * as that forge signs, unless a header says otherwise. */
#include <stddef.h>
#include <stdint.h>

#include "base/guard.h"
#include "reconciler/core/hook.h"
#include "specs/json_io.h"
#include "tests/fuzz/fuzz.h"

#define SECRET S("of the forge and us")
#define NOW_S "1700000000"

static void set(struct arena *a, struct value *headers, const char *name, struct str text)
{
    value_set_text(a, headers, str_from_c(name), text);
}

static void sign(struct arena *a, const struct hook_request *in, struct str event,
                 struct value *headers)
{
    struct digest d = hash_hmac(SECRET, in->body);
    struct str hex = digest_hex(a, &d);

    switch (in->type) {
    case HOOK_GITHUB:
        set(a, headers, "x-github-event", event);
        set(a, headers, "x-hub-signature-256", str_fmt(a, "sha256=%.*s", STR_ARG(hex)));
        break;
    case HOOK_GITLAB:
        set(a, headers, "x-gitlab-event", event);
        set(a, headers, "x-gitlab-token", SECRET);
        break;
    case HOOK_GITEA:
        set(a, headers, "x-gitea-event", event);
        set(a, headers, "x-gitea-signature", hex);
        break;
    case HOOK_BITBUCKET:
        set(a, headers, "x-event-key", event);
        set(a, headers, "x-hub-signature", str_fmt(a, "sha256=%.*s", STR_ARG(hex)));
        break;
    default: {
        struct sb b;

        sb_init(&b, a);
        sb_add(&b, S(NOW_S "."));
        sb_add(&b, in->body);
        d = hash_hmac(SECRET, sb_str(&b));
        hex = digest_hex(a, &d);
        set(a, headers, "x-reeve-signature", str_fmt(a, "t=" NOW_S ",v1=%.*s", STR_ARG(hex)));
    }
    }
}

static void read_headers(struct arena *a, struct str *rest, struct value *headers)
{
    struct str line, name;

    while (str_next(rest, '\n', &line) && line.n)
        if (str_next(&line, ':', &name))
            value_set_text(a, headers, name, str_trim(line));
}

static void check_decision(const struct hook_decision *d)
{
    POST(d->id.n && d->id.n <= 64 && d->word.n && !digest_is_none(&d->digest));
    POST(d->refs.n <= HOOK_REFS_MAX && d->repository.n <= HOOK_NAME_MAX);
    for (size_t i = 0; i < d->refs.n; i++) {
        POST(str_starts(d->refs.p[i], S("refs/")));
        POST(str_find_char(d->refs.p[i], '\n') == STR_NPOS);
        (void)hook_names(d, S("refs/tags/v*"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { (const char *)data, size }, first, type;
    struct hook_request in = { .now_ms = INT64_C(1700000000000), .is_tls = 1 };
    struct hook_decision d;
    struct err err = ERR_INIT;
    struct value *headers;
    struct arena a;

    arena_init(&a, 64u << 20);
    headers = value_map(&a);
    in.headers = headers;
    if (size && str_next(&rest, '\n', &first) && str_next(&first, ' ', &type) &&
        !hook_type_parse(type, &in.type)) {
        struct value *more = value_map(&a);

        read_headers(&a, &rest, more);
        in.body = rest.p ? rest : S("");
        sign(&a, &in, first, headers);
        in.headers = value_merge(&a, headers, more);
        in.secret = S("of somebody else");
        POST(hook_decide(&a, &in, &d, &err) == ERR_UNKNOWN_ACTOR || value_count(more));
        in.secret = SECRET;
        if (!hook_decide(&a, &in, &d, &err))
            check_decision(&d);
    }
    arena_fini(&a);
    return 0;
}
