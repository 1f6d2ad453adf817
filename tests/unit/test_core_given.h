/*
 * test_core_given: specs written as sentences. SPDX-License-Identifier: Apache-2.0
 *
 * A spec: resources parted by ';', words by spaces:
 *     api v1 port x2 needs=db uses=web recreate rolling=1 canary=1000,5000! hold ask stopped built release manual contract settings=s1
 *     api v1 starts=web after=seed lost=report long; job seed v1 built uses=web
 *     domain app a.example /=web /api=api /x=api+deny /y=api+ip
 *     database main engine=postgres needs=redis/jobs policy=delete moved=old drift=storage:report
 *     forget database/main
 * A service refers to an object with db=database/main.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reconciler/core/identity.h"
#include "reconciler/core/plan.h"
#include "specs/digest.h"
#include "specs/json_io.h"

/* --- specs --------------------------------------------------------------------------------------- */

static inline const struct value *given_json(struct arena *a, const char *json)
{
    struct value *v;
    struct err err = ERR_INIT;

    if (json_parse(a, str_from_c(json), 1u << 20, &v, &err))
        fail_msg("%s in %s", err.text, json);
    return v;
}

static inline void given_need(struct arena *a, struct spec_resource *r, struct str service)
{
    struct str *slot = vec_push(a, &r->needs);

    *slot = str_fmt(a, "service/%.*s", STR_ARG(service));
}

static inline struct value *given_member(struct arena *a, struct value *map, struct str key)
{
    struct value *v = value_map(a);

    value_set(a, map, key, v);
    return v;
}

static inline struct value *given_rollout(struct arena *a, struct value *service)
{
    struct value *rollout = given_member(a, service, S("rollout"));

    value_set_text(a, rollout, S("strategy"), S("blue_green"));
    value_set_int(a, rollout, S("bake_time_ms"), 60000);
    value_set_int(a, rollout, S("min_healthy_time_ms"), 10000);
    value_set_int(a, rollout, S("healthy_deadline_ms"), 180000);
    value_set_int(a, rollout, S("keep_previous_ms"), 600000);
    return rollout;
}

struct given_service {
    struct value *v, *rollout, *environment, *depends;
    struct spec_resource *r;
};

static inline int given_word_prefix(struct str word, const char *prefix, struct str *ret)
{
    if (!str_starts(word, str_from_c(prefix)))
        return 0;
    *ret = str_slice(word, strlen(prefix), word.n);
    return 1;
}

/* Shares of 10000, parted by commas; `!` behind one that a person ends. */
static inline void given_canary(struct arena *a, struct value *rollout, struct str shares)
{
    struct value *list = value_list(a), *canary = value_map(a);
    struct str one;

    while (str_next(&shares, ',', &one)) {
        struct value *step = value_map(a);
        int is_manual = one.p[one.n - 1] == '!';
        int64_t share = 0;

        assert_int_equal(str_to_i64(str_slice(one, 0, one.n - (size_t)is_manual), &share), 0);
        value_set_int(a, step, S("weight"), share);
        value_set_int(a, step, S("pause_ms"), 30000);
        if (is_manual)
            value_set(a, step, S("manual"), value_bool(a, 1));
        value_add(a, list, step);
    }
    value_set(a, canary, S("steps"), list);
    value_set(a, rollout, S("canary"), canary);
    value_set_text(a, rollout, S("strategy"), S("canary"));
}

static inline void given_word(struct arena *a, struct given_service *s, struct str word)
{
    struct str rest;

    if (str_eq_c(word, "port")) {
        value_set_int(a, s->v, S("port"), 3000);
    } else if (str_eq_c(word, "recreate")) {
        value_set_text(a, s->rollout, S("strategy"), S("recreate"));
    } else if (given_word_prefix(word, "rolling=", &rest)) {
        int64_t n = 0;

        assert_int_equal(str_to_i64(rest, &n), 0);
        value_set_text(a, s->rollout, S("strategy"), S("rolling"));
        value_set_int(a, s->rollout, S("max_unavailable"), n);
    } else if (given_word_prefix(word, "canary=", &rest)) {
        given_canary(a, s->rollout, rest);
    } else if (str_eq_c(word, "hold")) {
        value_set(a, s->rollout, S("auto_revert"), value_bool(a, 0));
    } else if (str_eq_c(word, "ask")) {
        value_set(a, s->rollout, S("auto_promote"), value_bool(a, 0));
    } else if (str_eq_c(word, "stopped") || str_eq_c(word, "frozen")) {
        value_set_text(a, s->v, S("standby"), word);
    } else if (str_eq_c(word, "built")) {
        struct digest d = hash_bytes(s->r->name);

        value_set_text(a, s->v, S("artifact"), digest_hex(a, &d));
    } else if (str_eq_c(word, "network")) {
        value_set(a, s->v, S("build"), value_copy(a, given_json(a, "{\"network\":true}")));
    } else if (str_eq_c(word, "release")) {
        value_set(a, s->v, S("release"),
                  value_copy(a, given_json(a, "{\"command\":[\"migrate\"]}")));
    } else if (str_eq_c(word, "manual")) {
        value_set(a, s->v, S("release"),
                  value_copy(a, given_json(a, "{\"command\":[\"migrate\"],\"run\":\"manual\"}")));
    } else if (str_eq_c(word, "verify") || str_eq_c(word, "bake")) {
        struct value *verify = value_copy(a, given_json(a, "{\"command\":[\"smoke\"]}"));

        value_set_text(a, verify, S("when"), word.p[0] == 'b' ? word : S("before_switch"));
        value_set(a, s->v, S("verify"), verify);
    } else if (str_eq_c(word, "contract")) {
        value_set(a, s->v, S("release"),
                  value_copy(a, given_json(a, "{\"command\":[\"migrate\"],"
                                              "\"schema_change\":\"contract\"}")));
    } else if (given_word_prefix(word, "settings=", &rest)) {
        value_set_text(a, s->rollout, S("note"), rest);
    } else if (given_word_prefix(word, "moved=", &rest)) {
        s->r->moved_from = rest;
    } else if (given_word_prefix(word, "needs=", &rest)) {
        (void)given_member(a, s->depends, rest);
        given_need(a, s->r, rest);
    } else if (str_eq_c(word, "long")) {
        value_set(
            a, s->v, S("termination"),
            value_copy(a, given_json(a, "{\"drain_ms\":30000,\"long_lived\":{\"max_ms\":600000,"
                                        "\"notify\":true,\"spread_ms\":20000}}")));
    } else if (given_word_prefix(word, "lost=", &rest)) {
        struct value *modes = value_map(a);

        value_set_text(a, modes, S("replicas"), rest);
        s->r->drift = modes;
    } else if (given_word_prefix(word, "starts=", &rest)) {
        value_set_text(a, given_member(a, s->depends, rest), S("condition"), S("service_started"));
        given_need(a, s->r, rest);
    } else if (given_word_prefix(word, "after=", &rest)) {
        struct str *slot = vec_push(a, &s->r->needs);

        value_set_text(a, given_member(a, s->depends, rest), S("condition"),
                       S("service_completed_successfully"));
        *slot = str_fmt(a, "job/%.*s", STR_ARG(rest));
    } else if (given_word_prefix(word, "uses=", &rest)) {
        struct value *output = given_member(a, s->environment, str_fmt(a, "U_%.*s", STR_ARG(rest)));

        value_set_text(a, output, S("output"), str_fmt(a, "address/%.*s", STR_ARG(rest)));
        value_set_text(a, output, S("key"), S("internal_url"));
        given_need(a, s->r, rest);
    } else if (given_word_prefix(word, "db=", &rest)) {
        struct value *output = given_member(a, s->environment, S("DB"));
        struct str *slot = vec_push(a, &s->r->needs);

        value_set_text(a, output, S("output"), rest);
        value_set_text(a, output, S("key"), S("url"));
        value_set_text(a, output, S("version"), S("1"));
        *slot = rest;
    } else if (given_word_prefix(word, "between=", &rest)) {
        struct value *range = given_member(a, s->v, S("replicas"));
        int64_t min = 0, max = 0;

        assert_int_equal(str_to_i64(str_slice(rest, 0, 1), &min), 0);
        assert_int_equal(str_to_i64(str_slice(rest, 2, 1), &max), 0);
        value_set_int(a, range, S("min"), min);
        value_set_int(a, range, S("max"), max);
    } else if (word.p[0] == 'x') {
        int64_t n = 0;

        assert_int_equal(str_to_i64(str_slice(word, 1, word.n), &n), 0);
        value_set_int(a, s->v, S("replicas"), n);
    } else {
        struct value *command = value_list(a);

        value_add(a, command, value_text(a, word));
        value_set(a, s->v, S("command"), command);
    }
}

static inline void given_service(struct arena *a, struct spec_resource *r, struct str words)
{
    struct given_service s = { .v = value_map(a), .r = r };
    struct str word;

    s.rollout = given_rollout(a, s.v);
    s.environment = given_member(a, s.v, S("environment"));
    s.depends = given_member(a, s.v, S("depends_on"));
    value_set_int(a, s.v, S("replicas"), 1);
    value_set(a, s.v, S("termination"), value_copy(a, given_json(a, "{\"drain_ms\":30000}")));
    r->kind = S("service");
    r->provider = S("local");
    while (str_next(&words, ' ', &word))
        if (word.n && !r->name.p)
            r->name = word;
        else if (word.n)
            given_word(a, &s, word);
    r->desired = s.v;
}

static inline void given_job(struct arena *a, struct spec_resource *r, struct str words)
{
    static const struct str own[] = { S_INIT("command"), S_INIT("environment"),
                                      S_INIT("artifact") };
    struct value *v = value_map(a);

    given_service(a, r, words);
    r->kind = S("job");
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (value_get(r->desired, own[i]))
            value_set(a, v, own[i], value_copy(a, value_get(r->desired, own[i])));
    r->desired = v;
}

static inline void given_domain(struct arena *a, struct spec_resource *r, struct str words)
{
    struct value *v = value_map(a), *hosts = value_list(a), *routes = value_map(a);
    struct str word;

    r->kind = S("domain");
    r->provider = S("edge");
    while (str_next(&words, ' ', &word)) {
        size_t at = str_find_char(word, '=');

        if (!word.n)
            continue;
        if (!r->name.p) {
            r->name = word;
        } else if (given_word_prefix(word, "moved=", &r->moved_from)) {
            continue;
        } else if (at == STR_NPOS) {
            value_add(a, hosts, value_text(a, word));
        } else {
            struct str rest = str_slice(word, at + 1, word.n), service;
            struct value *route = given_member(a, routes, str_slice(word, 0, at));

            (void)str_next(&rest, '+', &service); /* there is one */
            value_set_text(a, route, S("service"), service);
            if (rest.p && str_eq_c(rest, "deny"))
                value_set(a, route, S("deny"), value_bool(a, 1));
            else if (rest.p)
                value_set_text(a, given_member(a, route, S("access")), S("type"), rest);
            given_need(a, r, service);
        }
    }
    value_set(a, v, S("hosts"), hosts);
    value_set(a, v, S("routes"), routes);
    r->desired = v;
}

static inline void given_object_word(struct arena *a, struct spec_resource *r, struct value *v,
                                     struct str word)
{
    size_t at = str_find_char(word, '=');
    struct str key = str_slice(word, 0, at), rest = str_slice(word, at + 1, word.n);

    if (str_eq_c(key, "needs")) {
        struct str *slot = vec_push(a, &r->needs);

        *slot = rest;
        value_set_text(a, v, S("of"), rest);
    } else if (str_eq_c(key, "moved")) {
        r->moved_from = rest;
    } else if (str_eq_c(key, "by")) {
        r->provider = rest;
    } else if (str_eq_c(key, "drift")) {
        struct value *modes = value_map(a);
        size_t colon = str_find_char(rest, ':');

        value_set_text(a, modes, str_slice(rest, 0, colon), str_slice(rest, colon + 1, rest.n));
        r->drift = modes;
    } else {
        value_set_text(a, v, str_eq_c(key, "policy") ? S("deletion_policy") : key, rest);
    }
}

static inline void given_object(struct arena *a, struct spec_resource *r, struct str words)
{
    struct value *v = value_map(a);
    struct str word;

    r->provider = S("stores");
    while (str_next(&words, ' ', &word))
        if (word.n && !r->kind.p)
            r->kind = word;
        else if (word.n && !r->name.p)
            r->name = word;
        else if (word.n)
            given_object_word(a, r, v, word);
    r->desired = v;
}

static inline int given_is_object(struct str words)
{
    return str_starts(words, S("database ")) || str_starts(words, S("redis ")) ||
           str_starts(words, S("backup ")) || str_starts(words, S("dns "));
}

static inline int given_compare(const void *x, const void *y)
{
    const struct spec_resource *a = x, *b = y;
    int order = str_cmp(a->kind, b->kind);

    return order ? order : str_cmp(a->name, b->name);
}

static inline struct environment_spec given_spec(struct arena *a, const char *text)
{
    static const struct str app = S_INIT("app.yaml");
    struct environment_spec spec = { .name = S("test"), .application = S("shop") };
    struct str rest = str_copy(a, str_from_c(text)), one;

    spec.policy = given_json(a, "{\"approval\":{\"policy\":\"auto\"}}");
    while (str_next(&rest, ';', &one)) {
        struct spec_resource *r;

        one = str_trim(one);
        if (!one.n)
            continue;
        if (str_starts(one, S("forget "))) {
            struct str *slot = vec_push(a, &spec.forget);

            *slot = str_slice(one, 7, one.n);
            continue;
        }
        r = vec_push(a, &spec.resources);
        if (given_is_object(one))
            given_object(a, r, one);
        else if (str_starts(one, S("job ")))
            given_job(a, r, str_slice(one, 4, one.n));
        else if (str_starts(one, S("domain ")))
            given_domain(a, r, str_slice(one, 7, one.n));
        else
            given_service(a, r, one);
        r->digest = digest_value(a, S("desired"), r->desired);
        r->place = (struct value_place){ &app, (uint32_t)spec.resources.n, 1 };
    }
    if (spec.resources.n)
        qsort(spec.resources.p, spec.resources.n, sizeof(spec.resources.p[0]), given_compare);
    return spec;
}
