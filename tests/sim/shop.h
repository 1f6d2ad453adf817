/*
 * shop: the application of the histories, and how its developers change it. SPDX-License-Identifier: Apache-2.0
 *
 *     web -> api -> worker      one group when they change together; web and api have a port
 *     blog                      a group of its own, with a port
 *     cron                      no port, recreated
 *
 * Each of them may become a canary, or roll.
 *
 * A version stands in each service's environment, so that what runs says what it was made from.
 *
 * Thread   one.
 */
#pragma once

#include "base/str.h"

enum shop_name { SHOP_WEB, SHOP_API, SHOP_WORKER, SHOP_BLOG, SHOP_CRON, N_SHOP };

enum shop_strategy { SHOP_AS_EVER, SHOP_CANARY, SHOP_ROLLING, N_SHOP_STRATEGIES };

struct shop_service {
    int present, version, replicas;
    int bad;      /* 1: never gets healthy; 2: only at first; services with a port alone */
    int built;    /* version of what it is built from; 0: no build */
    int released; /* with a release command */
    int is_left;  /* auto_revert: false */
    int pauses;   /* auto_promote: false */
    enum shop_strategy strategy;
};

struct shop {
    int n_envs; /* prod alone, or stage too */
    int keep_s; /* keep_previous of every service */
    struct shop_service services[N_SHOP];
    int is_manual[2];     /* approval of prod, stage */
    const char *trigger;  /* of prod: ", debounce: 15s"; NULL: nothing */
    const char *asks;     /* more of it: ", freeze: [..]"; NULL: nothing */
    const char *more;     /* more of the application, whole lines; NULL: nothing */
    int blog_path;        /* where the blog is routed: a change of routes alone */
    enum shop_name front; /* who has "/" */
    const char
        *web; /* the name that web has since, its own again or "site"; NULL: never another one */
    const char *domain;   /* the same of app and "front" */
    int jobs;             /* bit n: the nth of them, every minute */
    int has_more;         /* one route more to web */
    int comment;          /* a commit that changes nothing */
    int is_broken;        /* no YAML at all */
    const char *range;    /* of the blog's replicas: "{min: 2, max: 5}"; NULL: a number */
    int storage;          /* of a database that api uses; 0: there is none */
    const char *data;     /* of the application: databases and redis; NULL: none */
    const char *uses;     /* what api is given of them; NULL: nothing */
    const char *settings; /* of each environment; NULL: none */
};

#define SHOP_ENVS 2
#define SHOP_ALLOWED "both" /* the job that may run beside itself */
extern const char *const shop_envs[SHOP_ENVS];
extern const char *const shop_names[N_SHOP];

void shop_init(struct shop *s);
/* What one commit changes, drawn from *random. */
void shop_change(struct shop *s, uint64_t *random);
/* A newer version of each that is bad, which is not. */
void shop_mend(struct shop *s);
int shop_has_port(enum shop_name service);
const char *shop_name_now(const struct shop *s, enum shop_name service);
int shop_is_bad(const struct shop *s);
/* .reeve/app.yaml */
struct str shop_text(struct arena *a, const struct shop *s);

/* splitmix64: one number below `n`. */
int shop_draw(uint64_t *random, int n);
