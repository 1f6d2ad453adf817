/*
 * scalar_words: words that follow somebody else's rules. SPDX-License-Identifier: Apache-2.0
 *
 * Names of images, tags, zones, extensions and the like: 1 when the text is one.
 *
 * Thread   any.
 */
#pragma once

#include "base/str.h"

int scalar_is_image(struct str s);
int scalar_is_user(struct str s);
int scalar_is_path_glob(struct str s);
int scalar_is_ref_glob(struct str s);
int scalar_is_cron(struct str s);
int scalar_is_field_path(struct str s);
int scalar_is_resource_name(struct str s);
int scalar_is_version(struct str s);
int scalar_is_extension(struct str s);
int scalar_is_parameter(struct str s);
int scalar_is_scheme(struct str s);
