/*
 * schema: the text of schema.sql, carried in the binary. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#define SCHEMA_APPLICATION_ID 0x52656576 /* "Reev" in the file's header */

const char *schema_sql(void);
