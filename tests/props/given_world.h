/*
 * given_world: generated specs and the worlds they lead to. SPDX-License-Identifier: Apache-2.0
 *
 * A spec is a sentence of test_core_given.h, made by chance: services that need only those after them
 * in the alphabet, domains, replicas, strategies. A world is what a few of them leave behind, played
 * with failures, so that it holds warm sets, leftovers and quarantined groups too.
 */
#pragma once

#include "tests/unit/test_core_play.h"

#define GIVEN_SERVICES 6
#define GIVEN_WORDS_MAX 2048

struct chance {
    uint64_t state;
};

static inline uint64_t chance_next(struct chance *c)
{
    uint64_t z = (c->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline int chance_of(struct chance *c, int percent)
{
    return (int)(chance_next(c) % 100) < percent;
}

/* All that has to be done before an item. */
static inline void mark_before(const struct plan *p, size_t item, unsigned char *marks)
{
    for (size_t i = 0; i < p->items.p[item].needs.n; i++) {
        size_t need = p->items.p[item].needs.p[i];

        if (!marks[need]) {
            marks[need] = 1;
            mark_before(p, need, marks);
        }
    }
}

/* Databases a, b ..., what backs them up, a redis and a name. Engines differ by name alone: what cannot be changed
 * in place and is protected never converges. */
static inline void given_objects(struct sb *b, struct chance *c, int n)
{
    static const char *const modes[] = { "enforce", "report", "ignore", "keep" };

    for (int i = 0; i < n; i++) {
        sb_addf(b, "database %c storage=%d version=%d%s", 'a' + i, (int)(chance_next(c) % 3),
                14 + (int)(chance_next(c) % 2), chance_of(c, 30) ? " policy=delete" : "");
        if (chance_of(c, 20))
            sb_addf(b, " drift=storage:%s", modes[chance_next(c) % 4]);
        if (chance_of(c, 20))
            sb_addf(b, " moved=%c", 'a' + n + (int)(chance_next(c) % 2));
        sb_add_c(b, ";");
        if (chance_of(c, 30))
            sb_addf(b, "backup %c days=%d needs=database/%c;", 'a' + i, (int)(chance_next(c) % 3),
                    'a' + i);
    }
    if (n && chance_of(c, 40))
        sb_addf(b, "redis jobs memory=%d policy=delete;", (int)(chance_next(c) % 2));
    if (n && chance_of(c, 40))
        sb_addf(b, "dns host ip=%d%s;", (int)(chance_next(c) % 2),
                chance_of(c, 30) ? " by=others" : "");
    if (chance_of(c, 10))
        sb_add_c(b, "forget database/d;");
}

static inline const char *given_words(struct arena *a, struct chance *c)
{
    struct sb b;
    int has_port[GIVEN_SERVICES], is_there[GIVEN_SERVICES];
    int objects = chance_of(c, 60) ? 1 + (int)(chance_next(c) % 3) : 0;

    sb_init(&b, a);
    for (int i = 0; i < GIVEN_SERVICES; i++) {
        is_there[i] = chance_of(c, 75);
        has_port[i] = is_there[i] && chance_of(c, 70);
    }
    for (int i = 0; i < GIVEN_SERVICES; i++) {
        int runs, standby;

        if (!is_there[i])
            continue;
        sb_addf(&b, "%c v%d x%d settings=%d", 'a' + i, (int)(chance_next(c) % 3),
                1 + (int)(chance_next(c) % 3), (int)(chance_next(c) % 2));
        sb_add_c(&b, has_port[i] ? " port" : "");
        sb_add_c(&b, chance_of(c, 15)   ? " recreate"
                     : chance_of(c, 20) ? " rolling=1"
                     : chance_of(c, 10) ? " rolling=2"
                     : chance_of(c, 10) ? " canary=1000,5000"
                     : chance_of(c, 10) ? " canary=2000"
                                        : "");
        runs = (int)(chance_next(c) % 100);
        sb_add_c(&b, runs < 20 ? " release" : runs < 30 ? " verify" : runs < 40 ? " bake" : "");
        sb_add_c(&b, chance_of(c, 20) ? " built" : "");
        standby = (int)(chance_next(c) % 100);
        sb_add_c(&b, standby < 20 ? " stopped" : standby < 40 ? " frozen" : "");
        if (objects && chance_of(c, 40))
            sb_addf(&b, " db=database/%c", 'a' + (int)(chance_next(c) % (uint64_t)objects));
        for (int j = i + 1; j < GIVEN_SERVICES; j++)
            if (is_there[j] && chance_of(c, 20))
                sb_addf(&b, " %s=%c", has_port[j] && chance_of(c, 50) ? "uses" : "needs", 'a' + j);
        sb_add_c(&b, ";");
    }
    for (int d = 0; d < 2; d++) {
        if (!chance_of(c, 60))
            continue;
        sb_addf(&b, "domain d%d h%d.example", d, d);
        for (int i = 0; i < GIVEN_SERVICES; i++)
            if (has_port[i] && chance_of(c, 50))
                sb_addf(&b, " /%c%d=%c", 'a' + (int)(chance_next(c) % 3), i, 'a' + i);
        sb_add_c(&b, ";");
    }
    given_objects(&b, c, objects);
    return sb_str(&b).p;
}

/* A group that went back by its own fault must not come again by itself. */
static inline void given_quarantine(struct world *w, const struct play *p)
{
    for (size_t g = 0; g < p->plan->groups.n; g++)
        if (p->s.groups[g] == GROUP_REVERTED && p->plan->groups.p[g].services.n)
            *vec_push(w->a, &w->quarantines) = (struct rec_quarantine){
                .env = S("u1"),
                .group_digest = p->plan->groups.p[g].digest,
                .culprit = p->plan->groups.p[g].services.p[0],
                .reason = S("not ready"),
            };
}

/* Somebody else changed it, took it away, or it cannot be read. */
static inline void given_drift(struct world *w, struct chance *c, struct recorded *r)
{
    if (chance_of(c, 15) && r->seen)
        r->seen = object_with(w->a, r->seen, S("storage"), value_text(w->a, S("77")));
    if (chance_of(c, 5)) {
        r->is_lost = r->state == OBJECT_READY;
        r->seen = NULL;
    }
    if (chance_of(c, 5))
        r->seen = NULL;
    if (chance_of(c, 5))
        r->memory = given_json(w->a, "{\"storage\":{\"is\":\"unstable\"}}");
    if (chance_of(c, 5) && r->protect.n)
        r->protect = S("forget");
}

/* What a few specs, carried out with failures, leave behind; the words of the last one, or NULL. */
static inline const char *given_history(struct world *w, struct chance *c, int quarantines)
{
    size_t n = chance_next(c) % 4;
    const char *words = NULL;

    for (size_t i = 0; i < n; i++) {
        struct environment_spec spec = given_spec(w->a, words = given_words(w->a, c));
        struct plan plan = world_plan(w, &spec, PLAN_CAUSE_COMMIT);
        struct play p = { .w = w,
                          .plan = &plan,
                          .odds = { .fail = chance_of(c, 50) ? 60 : 0, .die = 20, .park = 10 },
                          .about = "history",
                          .seed = chance_next(c) };

        (void)play_run(&p);
        if (quarantines)
            given_quarantine(w, &p);
    }
    for (size_t i = 0; i < w->instances.n; i++)
        if (chance_of(c, 5))
            w->instances.p[i].health = INSTANCE_LOST;
    for (size_t i = 0; i < w->recorded.n; i++)
        if (object_is_kind(w->recorded.p[i].kind))
            given_drift(w, c, &w->recorded.p[i]);
    return words;
}
