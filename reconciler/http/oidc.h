/*
 * oidc: people sign in at the provider of `auth.oidc`. SPDX-License-Identifier: Apache-2.0
 *
 * Authorization code with PKCE. A browser that begins gets a cookie with 256 random bits, of which state, nonce and
 * verifier are derived: nothing is kept here, and an answer counts in the browser alone that asked. What the
 * provider says is bounded (oidc_provider.h) and believed by its signature (jwt.h). Who is let in has a session as
 * after a password; what the provider says of their groups is written with it.
 *
 * Thread   POOL_SIGN.
 * Fails    ERR_NOT_FOUND: there is no auth.oidc; ERR_REFUSED: not this browser, or not to be believed; ERR_USAGE;
 *          as oidc_provider.h, login.h.
 */
#pragma once

#include "reconciler/http/login.h"

#define OIDC_COOKIE_S 600
#define OIDC_PATH_MAX 512
#define OIDC_SUBJECT_MAX 255
#define OIDC_GROUPS_MAX 200
#define OIDC_GROUP_BYTES_MAX 200

login_fn oidc_start, oidc_callback;

/* A path of ours, which no browser takes for another host. */
int oidc_is_path(struct str path);
/* It, as the page that says where to go next. */
struct str oidc_page(struct arena *a, struct str path);
