/* A repository that keeps the heads of the history: in memory, as the worker tells of it. SPDX-License-Identifier: Apache-2.0 */
#include "base/guard.h"
#include "reconciler/engine/git_worker.h"
#include "specs/json_io.h"
#include "state/anchor.h"
#include "tests/sim/world.h"

#define PLACE_ANSWER_MS 40
#define PLACE_LINES_TOLD 60 /* those of its newest file */

static struct str place_commit(struct world *w, size_t n)
{
    struct digest d = hash_bytes(str_fmt(&w->arena, "%zu", n));

    return n ? str_slice(digest_hex(&w->arena, &d), 0, 40) : S("");
}

static int place_has(struct world *w, struct str commit)
{
    for (size_t n = 1; n <= w->place.n; n++)
        if (str_eq(place_commit(w, n), commit))
            return 1;
    return 0;
}

static void place_refuse(struct arena *a, struct value *answer, const char *code)
{
    struct value *error = value_map(a);

    value_set_text(a, error, S("code"), str_from_c(code));
    value_set_text(a, error, S("text"), S("simulated"));
    value_set(a, answer, S("error"), error);
}

static void place_read(struct world *w, struct arena *a, const struct value *request,
                       struct value *answer)
{
    struct str known = value_get_text(request, S("known"), STR_NONE);
    struct sb text;

    if (known.p && !place_has(w, known)) {
        place_refuse(a, answer, "CONFLICT");
        return;
    }
    if (!w->place.n)
        return;
    sb_init(&text, a);
    for (size_t i = w->place.n > PLACE_LINES_TOLD ? w->place.n - PLACE_LINES_TOLD : 0;
         i < w->place.n; i++)
        sb_addf(&text, "%.*s\n", STR_ARG(w->place.p[i]));
    value_set_text(a, answer, S("tip"), place_commit(w, w->place.n));
    value_set_text(a, answer, S("text"), sb_str(&text));
}

static void place_push(struct world *w, struct arena *a, const struct value *request,
                       struct value *answer)
{
    struct str tip = value_get_text(request, S("tip"), S("")), *slot;

    if (!str_eq(tip, place_commit(w, w->place.n))) {
        place_refuse(a, answer, "STALE");
        return;
    }
    slot = vec_push(&w->arena, &w->place);
    PRE(slot != NULL);
    *slot = str_copy(&w->arena, value_get_text(request, S("line"), S("")));
    value_set_text(a, answer, S("commit"), place_commit(w, w->place.n));
}

int world_place_exec(void *ctx, const struct exec_request *in, struct arena *a,
                     struct exec_result *ret, int64_t *ret_delay_ms)
{
    struct value *request = NULL, *answer = value_map(a);
    struct world *w = ctx;
    struct str op;

    *ret_delay_ms = PLACE_ANSWER_MS;
    MUST(json_parse(a, in->input, GIT_WORKER_REQUEST_MAX, &request, err));
    op = value_get_text(request, S("op"), S(""));
    if (w->is_git_down)
        place_refuse(a, answer, "UNREACHABLE");
    else if (str_eq_c(op, "anchor_read"))
        place_read(w, a, request, answer);
    else if (str_eq_c(op, "anchor_push"))
        place_push(w, a, request, answer);
    else
        return ERR_NOT_FOUND;
    ret->out = json_format(a, answer);
    return 0;
}

const char *world_place_fault(struct world *w)
{
    struct str why, key = { w->engine ? w->engine->seal.key : "", SEAL_KEY_BYTES };
    struct anchor_line line;

    for (size_t i = 0; w->engine && i < w->place.n; i++) {
        PRE(!anchor_parse(w->place.p[i], &line));
        MUST(anchor_judge(world_reader(w), &w->arena, key, &line, &why, err));
        if (why.p)
            return why.p;
    }
    return NULL;
}
