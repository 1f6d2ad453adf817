/*
 * gauge: measures for the benchmarks, and the same work without Reeve. SPDX-License-Identifier: Apache-2.0
 *
 *     gauge run PROGRAM [ARGUMENT..]    "WALL CPU RSS": milliseconds, milliseconds, KiB; its children count
 *     gauge query FILE SQL              the first column of the first row
 *     gauge commits FILE ROWS           "WALL CPU" of writing rows as events are: 64 a commit, on disk
 *     gauge ask SOCKET TIMES COMMAND    milliseconds of one question to a proxy
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROW_BYTES 600
#define ROWS_A_COMMIT 64

static double now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static double cpu_ms(const struct rusage *use)
{
    return (double)(use->ru_utime.tv_sec + use->ru_stime.tv_sec) * 1e3 +
           (double)(use->ru_utime.tv_usec + use->ru_stime.tv_usec) / 1e3;
}

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "gauge: %s: %s\n", what, why);
    exit(1);
}

/* --- programs ------------------------------------------------------------------------------------ */

static int run(char **argv)
{
    double began_ms = now_ms();
    struct rusage use;
    int status;
    pid_t pid = fork();

    if (!pid) {
        (void)dup2(STDERR_FILENO, STDOUT_FILENO); /* ours says the figures alone */
        (void)execvp(argv[0], argv);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &use) < 0)
        die(argv[0], "cannot be started");
    (void)printf("%.1f %.1f %ld\n", now_ms() - began_ms, cpu_ms(&use), use.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* --- rows ---------------------------------------------------------------------------------------- */

static sqlite3 *open_file(const char *path)
{
    sqlite3 *db;

    if (sqlite3_open(path, &db))
        die(path, sqlite3_errmsg(db));
    (void)sqlite3_busy_timeout(db, 5000); /* its only failure is a NULL handle */
    return db;
}

static int query(const char *path, const char *sql)
{
    sqlite3 *db = open_file(path);
    sqlite3_stmt *s;

    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL))
        die(sql, sqlite3_errmsg(db));
    if (sqlite3_step(s) == SQLITE_ROW)
        (void)printf("%s\n", (const char *)sqlite3_column_text(s, 0));
    (void)sqlite3_finalize(s); /* says again what step said */
    (void)sqlite3_close(db);
    return 0;
}

static void must(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL))
        die(sql, sqlite3_errmsg(db));
}

static int commits(const char *path, int n_rows)
{
    static const char body[ROW_BYTES];
    sqlite3 *db = open_file(path);
    double began_ms = now_ms();
    struct rusage use;
    sqlite3_stmt *s;

    must(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (seq INTEGER "
             "PRIMARY KEY, "
             "body BLOB)");
    if (sqlite3_prepare_v2(db, "INSERT INTO t (body) VALUES (?)", -1, &s, NULL))
        die("insert", sqlite3_errmsg(db));
    for (int i = 0; i < n_rows; i++) {
        if (i % ROWS_A_COMMIT == 0)
            must(db, i ? "COMMIT; BEGIN" : "BEGIN");
        (void)sqlite3_bind_blob(s, 1, body, sizeof(body), SQLITE_STATIC);
        if (sqlite3_step(s) != SQLITE_DONE || sqlite3_reset(s))
            die("insert", sqlite3_errmsg(db));
    }
    must(db, "COMMIT");
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
    (void)getrusage(RUSAGE_SELF, &use); /* cannot fail for ourselves */
    (void)printf("%.1f %.1f\n", now_ms() - began_ms, cpu_ms(&use));
    return 0;
}

/* --- the proxy ----------------------------------------------------------------------------------- */

static void ask_once(const char *path, const char *command)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char part[4096];

    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path); /* a temporary directory: short */
    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)) ||
        write(fd, command, strlen(command)) < 0 || write(fd, "\n", 1) != 1)
        die(path, "nobody answers");
    while (read(fd, part, sizeof(part)) > 0)
        continue;
    (void)close(fd); /* all was read */
}

static int ask(const char *path, int times, const char *command)
{
    double began_ms = now_ms();

    for (int i = 0; i < times; i++)
        ask_once(path, command);
    (void)printf("%.3f\n", (now_ms() - began_ms) / times);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "run"))
        return run(argv + 2);
    if (argc == 4 && !strcmp(argv[1], "query"))
        return query(argv[2], argv[3]);
    if (argc == 4 && !strcmp(argv[1], "commits"))
        return commits(argv[2], atoi(argv[3]));
    if (argc == 5 && !strcmp(argv[1], "ask"))
        return ask(argv[2], atoi(argv[3]), argv[4]);
    die("usage", "run | query | commits | ask");
}
