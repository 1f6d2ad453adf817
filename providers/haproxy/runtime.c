/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/haproxy/runtime.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/guard.h"
#include "providers/haproxy/render.h"
#include "providers/haproxy/words.h"

#define RUNTIME_TIMEOUT_MS 5000
#define RUNTIME_COLUMNS_MAX 256

static int runtime_connect(struct haproxy_call *c, int *ret_fd)
{
    struct str address = str_fmt(c->arena, "unix:%.*s/" HAPROXY_SOCKET_FILE,
                                 STR_ARG(c->conf->directory));

    return c->h->connect(c->h->ctx, kit_rv(address), ret_fd);
}

static int runtime_line(struct haproxy_call *c, const struct haproxy_command *command,
                        struct str *ret)
{
    struct sb b;

    sb_init(&b, c->arena);
    for (size_t i = 0; i < HAPROXY_COMMAND_WORDS_MAX && command->words[i].p; i++) {
        if (!haproxy_word_is(command->words[i]))
            return haproxy_fail(c, RV_USER, "'%.*s' may not stand in a command of the proxy",
                                STR_ARG(str_slice(command->words[i], 0, 200)));
        if (i)
            sb_add_char(&b, ' ');
        sb_add(&b, command->words[i]);
    }
    sb_add_char(&b, '\n');
    *ret = sb_str(&b);
    return 0;
}

static int runtime_wait(struct haproxy_call *c, int fd, uint32_t events)
{
    int verdict = c->h->wait_fd(c->h->ctx, fd, events, RUNTIME_TIMEOUT_MS);

    if (verdict == RV_CANCELLED)
        return haproxy_fail(c, RV_CANCELLED, "cancelled");
    return verdict ? haproxy_fail(c, RV_RETRY, "the proxy does not answer") : 0;
}

static int runtime_send(struct haproxy_call *c, int fd, struct str line)
{
    while (line.n) {
        ssize_t n = send(fd, line.p, line.n, MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return haproxy_fail(c, RV_RETRY, "the proxy closed its socket");
        if (n > 0)
            line = str_slice(line, (size_t)n, line.n);
        else if (runtime_wait(c, fd, POLLOUT))
            return (int)c->ret->verdict;
    }
    return 0;
}

static int runtime_receive(struct haproxy_call *c, int fd, struct sb *b)
{
    char part[16384];

    for (;;) {
        ssize_t n = recv(fd, part, sizeof(part), 0);

        if (n == 0)
            return 0;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return haproxy_fail(c, RV_RETRY, "the proxy closed its socket");
        if (n > 0)
            sb_add(b, (struct str){ part, (size_t)n });
        else if (runtime_wait(c, fd, POLLIN))
            return (int)c->ret->verdict;
        if (b->n > HAPROXY_ANSWER_MAX)
            return haproxy_fail(c, RV_RETRY, "the proxy answers more than %u bytes",
                                HAPROXY_ANSWER_MAX);
    }
}

int haproxy_ask(struct haproxy_call *c, const struct haproxy_command *command, struct str *ret)
{
    AUTO_CLOSE int fd = -1;
    struct str line;
    struct sb answer;
    int rc = runtime_line(c, command, &line);

    if (rc)
        return rc;
    if ((rc = runtime_connect(c, &fd)))
        return haproxy_fail(c, rc == RV_CANCELLED ? RV_CANCELLED : RV_RETRY,
                            "no proxy listens at '%.*s/" HAPROXY_SOCKET_FILE "'",
                            STR_ARG(c->conf->directory));
    if ((rc = runtime_send(c, fd, line)))
        return rc;

    sb_init(&answer, c->arena);
    if ((rc = runtime_receive(c, fd, &answer)))
        return rc;
    *ret = str_trim(sb_str(&answer));
    return 0;
}

int haproxy_tell(struct haproxy_call *c, const struct haproxy_command *command)
{
    struct str answer;
    int rc;

    c->acted = RV_ACTED_MAYBE;
    rc = haproxy_ask(c, command, &answer);
    if (!rc && answer.n)
        return haproxy_fail(c, RV_RETRY, "the proxy answers '%.*s' to %.*s %.*s",
                            STR_ARG(str_slice(answer, 0, 200)), STR_ARG(command->words[0]),
                            STR_ARG(command->words[1]));
    return rc;
}

/* It answers this with all its threads halted, each between two steps; the rules are within one. */
int haproxy_settle(struct haproxy_call *c)
{
    struct str ignored; /* one of its own descriptors */

    return HAPROXY_ASK(c, &ignored, S("show"), S("fd"), S("0"));
}

int haproxy_runs(struct haproxy_call *c)
{
    struct str info;

    return HAPROXY_ASK(c, &info, S("show"), S("info"));
}

/* clang-format off */
static const struct runtime_column {
    const char *name;
    size_t text, number; /* where it goes; the other one is STR_NPOS */
} runtime_columns[] = {
    { "pxname",   offsetof(struct haproxy_stat, backend), STR_NPOS },
    { "svname",   offsetof(struct haproxy_stat, name),    STR_NPOS },
    { "addr",     offsetof(struct haproxy_stat, address), STR_NPOS },
    { "status",   offsetof(struct haproxy_stat, status),  STR_NPOS },
    { "scur",     STR_NPOS, offsetof(struct haproxy_stat, current) },
    { "qcur",     STR_NPOS, offsetof(struct haproxy_stat, queued) },
    { "req_tot",  STR_NPOS, offsetof(struct haproxy_stat, requests) },
    { "hrsp_5xx", STR_NPOS, offsetof(struct haproxy_stat, responses_5xx) },
    { "econ",     STR_NPOS, offsetof(struct haproxy_stat, errors_connect) },
    { "eresp",    STR_NPOS, offsetof(struct haproxy_stat, errors_response) },
    { "wretr",    STR_NPOS, offsetof(struct haproxy_stat, retries) },
    { "wredis",   STR_NPOS, offsetof(struct haproxy_stat, redispatches) },
    { "cli_abrt", STR_NPOS, offsetof(struct haproxy_stat, aborted_client) },
};
/* clang-format on */

struct runtime_header { /* what stands in each column; NULL: nothing that we read */
    const struct runtime_column *columns[RUNTIME_COLUMNS_MAX];
};

static int runtime_read_header(struct str line, struct runtime_header *ret)
{
    struct str name;
    size_t n_known = 0;

    *ret = (struct runtime_header){ 0 };
    for (size_t i = 0; i < RUNTIME_COLUMNS_MAX && str_next(&line, ',', &name); i++)
        for (size_t k = 0; k < N_ELEMENTS(runtime_columns); k++)
            if (str_eq_c(name, runtime_columns[k].name)) {
                ret->columns[i] = &runtime_columns[k];
                n_known++;
            }
    return n_known == N_ELEMENTS(runtime_columns) ? 0 : -1;
}

static void runtime_read_row(struct str line, const struct runtime_header *header,
                             struct haproxy_stat *ret)
{
    struct str field;

    for (size_t i = 0; i < RUNTIME_COLUMNS_MAX && str_next(&line, ',', &field); i++) {
        const struct runtime_column *column = header->columns[i];

        if (column && column->text != STR_NPOS)
            *(struct str *)(void *)((char *)ret + column->text) = field;
        else if (column && str_to_i64(field, (int64_t *)(void *)((char *)ret + column->number)))
            continue; /* an empty field is 0 */
    }
}

int haproxy_stats_parse(struct arena *a, struct str text, struct haproxy_stats *ret)
{
    struct runtime_header header;
    struct str line;

    *ret = (struct haproxy_stats){ 0 };
    if (!str_next(&text, '\n', &line) || !str_starts(line, S("# ")) ||
        runtime_read_header(str_slice(line, 2, line.n), &header))
        return -1;
    while (str_next(&text, '\n', &line)) {
        struct haproxy_stat *row = str_trim(line).n ? vec_push(a, &ret->rows) : NULL;

        if (row)
            runtime_read_row(line, &header, row);
    }
    return 0;
}

const struct haproxy_stat *haproxy_stats_find(const struct haproxy_stats *s, struct str name)
{
    for (size_t i = 0; i < s->rows.n; i++)
        if (str_eq(s->rows.p[i].name, name))
            return &s->rows.p[i];
    return NULL;
}

int haproxy_map_parse(struct arena *a, struct str text, struct haproxy_map *ret)
{
    struct str line;

    *ret = (struct haproxy_map){ 0 };
    while (str_next(&text, '\n', &line)) {
        struct str pointer, key, value = str_trim(line);
        struct haproxy_entry *e;

        if (!value.n)
            continue;
        if (!str_starts(value, S("0x")) || !str_next(&value, ' ', &pointer) ||
            !str_next(&value, ' ', &key) || !value.n)
            return -1;
        if ((e = vec_push(a, &ret->entries)))
            *e = (struct haproxy_entry){ .key = key, .value = value };
    }
    haproxy_map_sort(ret);
    return 0;
}

struct str haproxy_info_find(struct str text, struct str name)
{
    struct str line;

    while (str_next(&text, '\n', &line))
        if (str_starts(line, name) && str_starts(str_slice(line, name.n, line.n), S(": ")))
            return str_trim(str_slice(line, name.n + 2, line.n));
    return STR_NONE;
}

/* `types`: 2 backends, 4 servers, added. */
static int runtime_read_stats(struct haproxy_call *c, struct str backend, struct str types,
                              struct haproxy_stats *ret)
{
    struct str answer;
    int rc = HAPROXY_ASK(c, &answer, S("show"), S("stat"), backend, types, S("-1"));

    if (!rc && haproxy_stats_parse(c->arena, answer, ret))
        return haproxy_fail(c, RV_RETRY, "the proxy answers '%.*s' to show stat %.*s",
                            STR_ARG(str_slice(answer, 0, 200)), STR_ARG(backend));
    return rc;
}

int haproxy_read_stats(struct haproxy_call *c, struct str backend, struct haproxy_stats *ret)
{
    return runtime_read_stats(c, backend, S("6"), ret);
}

int haproxy_read_servers(struct haproxy_call *c, struct haproxy_stats *ret)
{
    return runtime_read_stats(c, S("-1"), S("4"), ret);
}

int haproxy_read_map(struct haproxy_call *c, enum haproxy_map_id id, struct haproxy_map *ret)
{
    struct str answer, file = str_from_c(haproxy_map_file(id));
    int rc = HAPROXY_ASK(c, &answer, S("show"), S("map"), file);

    if (!rc && haproxy_map_parse(c->arena, answer, ret))
        return haproxy_fail(c, RV_RETRY, "the proxy answers '%.*s' to show map %.*s",
                            STR_ARG(str_slice(answer, 0, 200)), STR_ARG(file));
    return rc;
}
