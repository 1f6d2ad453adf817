/*
 * kit: what every driver of this tree needs: text across the ABI, answers, JSON bodies.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Memory   kit_answer() and kit_give() copy into host.alloc; when the host has none the answer
 *          becomes RV_RETRY. kit_parse() uses the arena given.
 * Thread   any.
 */
#pragma once

#include "providers/api/driver.h"
#include "specs/json_io.h"

#define KIT_BODY_MAX (4u << 20) /* bytes of one JSON body */

static inline struct str kit_str(struct rv_str s)
{
    return (struct str){ s.p, s.n };
}

static inline struct rv_str kit_rv(struct str s) /* borrows */
{
    return (struct rv_str){ s.p, s.n };
}

/* A copy that lives until the host frees the call's memory; {NULL, 0} when there is none. */
struct rv_str kit_give(const struct rv_host *h, struct str s);
struct rv_str kit_give_json(const struct rv_host *h, struct arena *scratch, const struct value *v);

/* Fill verdict, acted and message; what else `ret` holds stays. Returns the verdict. */
int kit_answer(const struct rv_host *h, struct rv_result *ret, enum rv_verdict verdict,
               enum rv_acted acted, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The same from one of our own errors: its class decides the verdict. */
int kit_answer_err(const struct rv_host *h, struct rv_result *ret, enum rv_acted acted,
                   const struct err *err);
/* What a host call answered becomes the driver's answer. */
int kit_answer_host(const struct rv_host *h, struct rv_result *ret, int verdict,
                    enum rv_acted acted, const char *what);

/* A body that is a JSON map; "" is an empty one. 0, or RV_USER is answered. */
int kit_parse(const struct rv_host *h, struct arena *a, struct rv_str body, const char *what,
              const struct value **ret, struct rv_result *answer);

/* One page of rv_driver.list, at most KIT_PAGE_MAX items. */
#define KIT_PAGE_MAX 256
struct kit_item {
    struct str type, id, owner, name;
    uint64_t epoch;
    const struct value *label;       /* NULL: it carries none */
    struct rv_str observed, outputs; /* JSON */
};
struct value *kit_item_value(struct arena *a, const struct kit_item *item);
/* {items} and, where more follow, the token. */
void kit_answer_page(const struct rv_host *h, struct arena *a, struct value *items,
                     struct str token, struct rv_result *ret);

/* A verdict's word ("done", "user"...) and back; -1 for an unknown word. */
const char *kit_verdict_name(uint32_t verdict);
int kit_verdict_from_name(struct str name);
const char *kit_action_name(uint32_t action);
