/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/core/judge.h"

#include "base/guard.h"

typedef int judge_fn(const struct value *desired, const struct value *observed);

/* It has a place, somebody lives in it and there is a command to run, else a message says why not;
 * whether it is any good is for the ready gate to say. */
static int judge_instance(const struct value *desired, const struct value *observed)
{
    struct str state = value_get_text(observed, S("state"), S("lost"));

    if (value_get(desired,
                  S("draining"))) /* it was told; one that is not there any more needs not be */
        return 1;
    if (value_get(desired, S("frozen"))) /* one that is not there any more rests, too */
        return value_get_bool(desired, S("frozen"), 0) || str_eq_c(state, "running");
    return !str_eq_c(state, "lost") && !value_get(observed, S("message"));
}

/* What a death between file and proxy left is there, but it is not up. */
static int judge_backend(const struct value *desired, const struct value *observed)
{
    const struct value *wanted = value_get(desired, S("servers")),
                       *seen = value_get(observed, S("servers"));

    for (size_t i = 0; i < value_count(wanted); i++)
        if (!value_is(value_item(wanted, i), VALUE_TEXT) ||
            !str_eq_c(value_get_text(seen, value_item(wanted, i)->u.text, S("")), "UP"))
            return 0;
    return value_count(wanted) == value_count(seen); /* what went must be gone */
}

static int judge_generation(const struct value *desired, const struct value *observed)
{
    return value_get_int(desired, S("generation"), -1) ==
           value_get_int(observed, S("generation"), -2);
}

/* A driver that can tell says which of them would be served. */
static int judge_routes(const struct value *desired, const struct value *observed)
{
    const struct value *seen = value_get(observed, S("routes"));

    return judge_generation(desired, observed) &&
           (!seen || value_eq(seen, value_get(desired, S("routes"))));
}

static int judge_release(const struct value *desired, const struct value *observed)
{
    (void)desired;
    return value_get_int(observed, S("exit"), -1) == 0;
}

static int judge_artifact(const struct value *desired, const struct value *observed)
{
    (void)desired;
    return str_eq_c(value_get_text(observed, S("state"), S("")), "built");
}

static const struct {
    const char *kind;
    judge_fn *fn;
    int is_deployed; /* made of what a commit says: it can be wrong by itself */
} judge_rows[] = {
    { "artifact", judge_artifact, 1 }, { "instance", judge_instance, 1 },
    { "release", judge_release, 1 },   { "backend", judge_backend, 0 },
    { "verify", judge_release, 1 },    { "routes", judge_routes, 0 },
    { "switch", judge_generation, 0 },
};

int judge_is_as_asked(struct str kind, const struct value *desired, const struct value *observed)
{
    for (size_t i = 0; i < N_ELEMENTS(judge_rows); i++)
        if (str_eq_c(kind, judge_rows[i].kind))
            return judge_rows[i].fn(desired, observed);
    return 1;
}

int judge_is_at_fault(struct str kind, enum rv_verdict verdict, enum rv_acted acted)
{
    for (size_t i = 0; i < N_ELEMENTS(judge_rows); i++)
        if (str_eq_c(kind, judge_rows[i].kind))
            return judge_rows[i].is_deployed && verdict == RV_USER && acted != RV_ACTED_NO;
    return 0;
}
