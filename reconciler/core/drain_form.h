/*
 * drain_form: a line that an instance printed, as receivers of logs read it. SPDX-License-Identifier: Apache-2.0
 *
 * Syslog is RFC 5424, in frames whose octets are counted (RFC 6587, 5425), or one a datagram:
 *
 *     <14>1 2026-01-02T03:04:05.678Z HOST SERVICE INSTANCE - [reeve@32473 env="prod" service="web" ..] TEXT
 *
 * JSON is one object a line (NDJSON), its members in the order of the alphabet. Instances have one pipe for both of their
 * streams, so a line has no severity of its own: info; what we say ourselves is a warning. 32473 is the number that RFC 5612
 * gives to whom none was given.
 *
 * What is not UTF-8 is '?'; in syslog controls are `\u{..}`, since receivers write them into files that people read on terminals.
 *
 * Memory   in the builder's arena.
 * Thread   any. Pure.
 * Limits   DRAIN_FRAME_MAX a frame of syslog, DRAIN_TEXT_MAX a text: what is longer is cut and says so.
 */
#pragma once

#include "base/str.h"

#define DRAIN_FRAME_MAX 8192u /* what receivers take by default (rsyslog; RFC 5425 asks for it) */
#define DRAIN_TEXT_MAX 32768u

struct drain_line {
    struct str host; /* of this machine */
    struct str env, service, instance, set, colour, revision,
        commit;      /* "" or STR_NONE: not known */
    struct str text; /* without its line end */
    int64_t time_ms;
    int64_t
        lost; /* lines that were lost before this one, which says so; 0: an instance printed it */
};

enum drain_framing { DRAIN_COUNTED, DRAIN_BARE };

void drain_form_syslog(struct sb *b, const struct drain_line *line, enum drain_framing framing);
void drain_form_json(struct sb *b, const struct drain_line *line);

/* What the receiver is told of lines that it did not get. */
struct str drain_form_lost(struct arena *a, int64_t n_lines);
