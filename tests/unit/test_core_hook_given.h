/* Hooks as forges send them, and what is heard of one. SPDX-License-Identifier: Apache-2.0
 *
 * Memory   the hook's arena, which the test ends.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/core/hook.h"

#define SECRET "it is a secret"
#define NOW_MS INT64_C(1700000000000)

struct given {
    struct arena arena;
    struct value *headers;
    struct hook_request in;
};

static inline void set(struct given *g, const char *name, const char *text)
{
    value_set_text(&g->arena, g->headers, str_from_c(name), str_copy(&g->arena, str_from_c(text)));
}

static inline const char *hex_of(struct given *g, struct str text)
{
    struct digest d = hash_hmac(S(SECRET), text);

    return str_to_c(&g->arena, digest_hex(&g->arena, &d));
}

static inline const char *joined(struct given *g, const char *first, const char *second)
{
    return str_to_c(&g->arena, str_fmt(&g->arena, "%s%s", first, second));
}

/* As the forge itself would send it; Gitea sends what GitHub does, too. */
static inline void sign(struct given *g, const char *event)
{
    const char *hex = hex_of(g, g->in.body);

    switch (g->in.type) {
    case HOOK_GITHUB:
        set(g, "x-github-event", event);
        set(g, "x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958");
        set(g, "x-hub-signature-256", joined(g, "sha256=", hex));
        break;
    case HOOK_GITEA:
        set(g, "x-gitea-event", event);
        set(g, "x-gitea-delivery", "f6266f16-1bf3-46a5-9ea4-602e06ead473");
        set(g, "x-gitea-signature", hex);
        set(g, "x-github-event", event);
        set(g, "x-hub-signature-256", joined(g, "sha256=", hex));
        break;
    case HOOK_GITLAB:
        set(g, "x-gitlab-event", event);
        set(g, "x-gitlab-token", SECRET);
        break;
    case HOOK_BITBUCKET:
        set(g, "x-event-key", event);
        set(g, "x-hub-signature", joined(g, "sha256=", hex));
        break;
    default:
        hex = hex_of(
            g, str_fmt(&g->arena, "%lld.%.*s", (long long)(NOW_MS / 1000), STR_ARG(g->in.body)));
        set(g, "x-reeve-signature", joined(g, "t=1700000000,v1=", hex));
    }
}

static inline void given_hook(struct given *g, enum hook_type type, const char *event,
                              struct str body)
{
    arena_init(&g->arena, 0);
    g->headers = value_map(&g->arena);
    g->in = (struct hook_request){ .type = type,
                                   .headers = g->headers,
                                   .body = body,
                                   .secret = S(SECRET),
                                   .now_ms = NOW_MS,
                                   .is_tls = 1 };
    sign(g, event);
}

/* "push acme/app refs/heads/main" */
static inline const char *told(struct given *g, const struct hook_decision *d)
{
    struct sb b;

    sb_init(&b, &g->arena);
    sb_add(&b, d->verdict == HOOK_LOOK ? d->word : S("nothing"));
    if (d->repository.p) {
        sb_add_char(&b, ' ');
        sb_add(&b, d->repository);
    }
    for (size_t i = 0; i < d->refs.n; i++) {
        sb_add_char(&b, ' ');
        sb_add(&b, d->refs.p[i]);
    }
    return str_to_c(&g->arena, sb_str(&b));
}
