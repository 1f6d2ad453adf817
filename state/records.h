/*
 * records: one plain struct a table, made of tables.def. SPDX-License-Identifier: Apache-2.0
 *
 * struct rec_environment, struct rec_plan ... and enum record { REC_environment, REC_plan ... }.
 * The only header of state that reconciler/core may include.
 *
 * Memory   text is borrowed from the arena it was read into.
 */
#pragma once

#include <stdint.h>

#include "base/hash.h"
#include "base/str.h"

#define REC_NONE INT64_MIN /* null in an INT_NULL column */

#define REC_TYPE_TEXT struct str
#define REC_TYPE_TEXT_NULL struct str
#define REC_TYPE_INT int64_t
#define REC_TYPE_INT_NULL int64_t
#define REC_TYPE_DIGEST struct digest
#define REC_TYPE_DIGEST_NULL struct digest

enum record {
#define TABLE(record, table, class) REC_##record,
#define COL(record, column, type, role)
#define END_TABLE(record)
#include "state/tables.def"
#undef TABLE
#undef COL
#undef END_TABLE
    N_RECORDS
};

#define TABLE(record, table, class) struct rec_##record {
#define COL(record, column, type, role) REC_TYPE_##type column;
#define END_TABLE(record)                                                                          \
    }                                                                                              \
    ;
#include "state/tables.def"
#undef TABLE
#undef COL
#undef END_TABLE
