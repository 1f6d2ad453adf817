/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/inventory.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "inventory: %s: %s\n", what, why);
    exit(3);
}

void inventory_path(char *ret, const char *format, ...)
{
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(ret, INVENTORY_PATH_MAX, format, ap);
    va_end(ap);
    if (n < 0 || n >= INVENTORY_PATH_MAX)
        die(ret, "too long");
}

void inventory_wrong(struct inventory *in, const char *format, ...)
{
    va_list ap;

    in->n_wrong++;
    va_start(ap, format);
    (void)vprintf(format, ap); /* a lost sentence still leaves the exit status */
    va_end(ap);
    (void)putchar('\n');
}

struct thing *inventory_find(struct inventory *in, const char *kind, const char *owner)
{
    for (size_t i = 0; i < in->n_things; i++)
        if (!strcmp(in->things[i].kind, kind) && !strcmp(in->things[i].owner, owner))
            return &in->things[i];
    return NULL;
}

size_t inventory_count(const struct inventory *in, const char *kind)
{
    size_t n = 0;

    for (size_t i = 0; i < in->n_things; i++)
        n += !strcmp(in->things[i].kind, kind);
    return n;
}

/* --- rows ---------------------------------------------------------------------------------------- */

static void copy_column(sqlite3_stmt *s, int column, char *to, size_t size)
{
    const unsigned char *text = sqlite3_column_text(s, column);

    (void)snprintf(to, size, "%s", text ? (const char *)text : ""); /* our names are short */
}

static void note_thing(struct inventory *in, sqlite3_stmt *s)
{
    struct thing *t = &in->things[in->n_things];

    if (in->n_things == INVENTORY_ROWS_MAX)
        die("resources", "too many");
    copy_column(s, 0, t->kind, sizeof(t->kind));
    copy_column(s, 1, t->name, sizeof(t->name));
    copy_column(s, 2, t->owner, sizeof(t->owner));
    copy_column(s, 3, t->id, sizeof(t->id));
    copy_column(s, 4, t->address, sizeof(t->address));
    in->n_things++;
}

static void note_wrong(struct inventory *in, sqlite3_stmt *s)
{
    char text[INVENTORY_TEXT_MAX];

    copy_column(s, 0, text, sizeof(text));
    inventory_wrong(in, "%s", text);
}

typedef void row_fn(struct inventory *in, sqlite3_stmt *s);

/* clang-format off */
struct query {
    row_fn *fn;
    const char *sql;
};

static const struct query last_operation = {
    note_wrong, "SELECT action || ' ' || kind || ' ' || phase FROM operations ORDER BY uid DESC LIMIT 1"
};

static const struct query queries[] = {
    { note_thing,
      "SELECT kind, name, owner, provider_id, coalesce(outputs ->> '$.address', '') FROM resources "
      "WHERE valid_to IS NULL AND status NOT IN ('gone', 'failed') AND provider_id IS NOT NULL" },
    { note_wrong,
      "SELECT 'operation open: ' || action || ' ' || kind || '/' || name || ' ' || phase FROM operations "
      "WHERE outcome IS NULL" },
    { note_wrong,
      "SELECT 'operation parked: ' || action || ' ' || kind || '/' || name FROM operations "
      "WHERE outcome = 'parked'" },
    { note_wrong,
      "SELECT 'operation done twice: ' || action || ' ' || kind || '/' || name FROM operations "
      "WHERE key <> '' AND outcome = 'done' GROUP BY key HAVING count(*) > 1" },
    { note_wrong,
      "SELECT 'item done twice: ' || kind || '/' || name FROM operations WHERE outcome = 'done' "
      "GROUP BY plan, item HAVING count(*) > 1" },
    { note_wrong, "SELECT 'run of ' || job || ' is ' || state FROM job_runs WHERE state IN ('waiting', 'running')" },
    { note_wrong, "SELECT 'something is left of a run of ' || job FROM job_runs WHERE is_left" },
    { note_wrong, "SELECT 'gate open: ' || need FROM gates WHERE verdict IS NULL" },
    { note_wrong, "SELECT 'plan applying' FROM plans WHERE state = 'applying'" },
    { note_wrong, "SELECT 'set of ' || service || ' is ' || state FROM sets WHERE state <> 'live'" },
    { note_wrong,
      "SELECT 'service ' || service || ' has ' || count(*) || ' live sets' FROM sets WHERE state = 'live' "
      "GROUP BY env, service HAVING count(*) > 1" },
    { note_wrong,
      "SELECT 'instance of no set: ' || service || '.' || ordinal FROM instances i WHERE NOT EXISTS "
      "(SELECT 1 FROM sets s WHERE s.env = i.env AND s.service = i.service AND s.set_key = i.set_key)" },
    { note_wrong,
      "SELECT 'instances and resources differ: ' || n || ' and ' || m FROM (SELECT (SELECT count(*) FROM "
      "instances) n, (SELECT count(*) FROM resources WHERE valid_to IS NULL AND kind = 'instance' AND "
      "status = 'ready') m) WHERE n <> m" },
    { note_wrong,
      "SELECT 'restarted: ' || service || '.' || ordinal FROM instances WHERE restarts > 0" },
    { note_wrong,
      "SELECT 'resource ' || kind || '/' || name || ' is ' || status FROM resources WHERE valid_to IS NULL "
      "AND status NOT IN ('ready', 'gone')" },
    { note_wrong,
      "SELECT 'routes of a generation that is gone: ' || route_gen FROM routes r WHERE NOT EXISTS (SELECT 1 "
      "FROM resources WHERE valid_to IS NULL AND kind = 'routes' AND status = 'ready' AND env = r.env AND "
      "name = 'G' || r.route_gen)" },
};
/* clang-format on */

static void read_rows(struct inventory *in, const struct query *asked, size_t n)
{
    char path[INVENTORY_PATH_MAX];
    sqlite3 *db;

    inventory_path(path, "%s/reeve.db", in->dir);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL))
        die(path, sqlite3_errmsg(db));
    for (size_t i = 0; i < n; i++) {
        sqlite3_stmt *s;
        int rc;

        if (sqlite3_prepare_v2(db, asked[i].sql, -1, &s, NULL))
            die(asked[i].sql, sqlite3_errmsg(db));
        while ((rc = sqlite3_step(s)) == SQLITE_ROW)
            asked[i].fn(in, s);
        if (rc != SQLITE_DONE)
            die(asked[i].sql, sqlite3_errmsg(db));
        (void)sqlite3_finalize(s); /* says again what step said */
    }
    (void)sqlite3_close(db); /* no statement is open */
}

int main(int argc, char **argv)
{
    static struct inventory in;

    if (argc != 2 && (argc != 3 || strcmp(argv[2], "last")))
        die("usage", "inventory DIRECTORY_OF_THE_STATE [last]");
    in.dir = argv[1];
    if (argc == 3) {
        read_rows(&in, &last_operation, 1);
        return 0;
    }
    read_rows(&in, queries, sizeof(queries) / sizeof(*queries));
    inventory_compare_services(&in);
    inventory_compare_edge(&in);
    return in.n_wrong ? 1 : 0;
}
