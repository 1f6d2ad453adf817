/*
 * runtime: the proxy's runtime API. SPDX-License-Identifier: Apache-2.0
 *
 * One command a connection, made of checked words; whatever else is refused before anything is
 * sent. The parsers are pure.
 *
 * Fails    RV_RETRY: nobody answers; RV_USER: not a word; RV_CANCELLED.
 * Limits   HAPROXY_ANSWER_MAX bytes an answer, 5 s a command.
 */
#pragma once

#include "providers/haproxy/call.h"
#include "providers/haproxy/maps.h"

#define HAPROXY_ANSWER_MAX (16u << 20)
#define HAPROXY_COMMAND_WORDS_MAX 8

struct haproxy_command {
    struct str words[HAPROXY_COMMAND_WORDS_MAX]; /* ends with an absent one */
};

/* Send one command; the answer without its empty lines at the end. */
int haproxy_ask(struct haproxy_call *c, const struct haproxy_command *command, struct str *ret);
#define HAPROXY_ASK(c, ret, ...)                                                                   \
    haproxy_ask((c), &(struct haproxy_command){ .words = { __VA_ARGS__ } }, (ret))
/* A command that answers nothing when it worked: anything else is RV_RETRY with that sentence. */
int haproxy_tell(struct haproxy_call *c, const struct haproxy_command *command);
#define HAPROXY_TELL(c, ...)                                                                       \
    haproxy_tell((c), &(struct haproxy_command){ .words = { __VA_ARGS__ } })

/* Requests whose way was being looked up have found it when this returns: all later ones see what the
 * proxy was told before. */
int haproxy_settle(struct haproxy_call *c);
/* 0: the proxy answers. One that is about to fail at its start listens, but does not. */
int haproxy_runs(struct haproxy_call *c);

struct haproxy_stat { /* one row of `show stat` */
    struct str name;  /* BACKEND, or the server */
    struct str backend, address, status;
    int64_t current, queued, requests, responses_5xx, errors_connect, errors_response, retries,
        redispatches, aborted_client;
};
struct haproxy_stats {
    VEC(struct haproxy_stat) rows;
};

/* -1: not a table of `show stat`. */
int haproxy_stats_parse(struct arena *a, struct str text, struct haproxy_stats *ret);
const struct haproxy_stat *haproxy_stats_find(const struct haproxy_stats *s, struct str name);
/* `show map`: sorted by key; -1: not such a list. */
int haproxy_map_parse(struct arena *a, struct str text, struct haproxy_map *ret);
/* One "Name: value" line of `show info`; STR_NONE when it is not there. */
struct str haproxy_info_find(struct str text, struct str name);

int haproxy_read_stats(struct haproxy_call *c, struct str backend, struct haproxy_stats *ret);
/* The servers of all backends. */
int haproxy_read_servers(struct haproxy_call *c, struct haproxy_stats *ret);
int haproxy_read_map(struct haproxy_call *c, enum haproxy_map_id id, struct haproxy_map *ret);
