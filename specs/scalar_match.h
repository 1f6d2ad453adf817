/*
 * scalar_match: what the files of scalar share. SPDX-License-Identifier: Apache-2.0
 *
 * Each scalar_is_ says of a text whether it is of a form; 1 or 0.
 *
 * Thread   any.
 */
#pragma once

#include "specs/scalar.h"

int scalar_is_one_of(char c, const char *set);
int scalar_is_digit(char c);
int scalar_is_alnum(char c);

int scalar_is_header(struct str s);
int scalar_is_url_path(struct str s);
int scalar_is_file(struct str s);

int scalar_is_network(struct str s);
int scalar_is_host(struct str s);
int scalar_is_host_glob(struct str s);
int scalar_is_address(struct str s);
int scalar_is_port_range(struct str s);
int scalar_is_registry(struct str s);
int scalar_is_git_url(struct str s);
int scalar_is_vault_url(struct str s);
int scalar_is_web_url(struct str s);
int scalar_is_mail_url(struct str s);
int scalar_is_mail(struct str s);

/* --- scalar_number.c: 0, or -1; then *ret may be anything ----------------------------------------- */

/* Decimal digits without a sign and without zeros in front. */
int scalar_count(struct str s, int64_t *ret);
int scalar_int(struct str s, int64_t *ret);
int scalar_bool(struct str s, int64_t *ret);
int scalar_duration(struct str s, int64_t *ret);    /* ms */
int scalar_size(struct str s, int64_t *ret);        /* bytes */
int scalar_cpus(struct str s, int64_t *ret);        /* thousandths */
int scalar_time_of_day(struct str s, int64_t *ret); /* minutes */
int scalar_percent(struct str s, int64_t *ret);     /* basis points */
