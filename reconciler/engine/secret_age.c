/* Values that lie in the repository, sealed with age. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/secret_kind.h"

#include <sodium.h>

#include "base/guard.h"
#include "providers/kit.h"
#include "providers/spawn.h"
#include "reconciler/engine/git_answer.h"
#include "reconciler/engine/git_worker.h"
#include "specs/json_io.h"

#define AGE_SEALED_MAX (2 * SECRET_BYTES_MAX) /* armoured text is a third longer */
#define AGE_TIMEOUT_MS 10000u
#define AGE_ID_CHARS 40

static int age_run(const struct rv_str *argv, uint32_t n_argv, struct str input, size_t out_max,
                   struct arena *a, struct rv_exit *ret, struct err *err)
{
    const struct spawn_limits limits = { .out_max = out_max };
    const struct rv_exec in = { .size = sizeof(in),
                                .timeout_ms = AGE_TIMEOUT_MS,
                                .argv = argv,
                                .n_argv = n_argv,
                                .dir = kit_rv(S("/")),
                                .input = kit_rv(input) };

    *ret = (struct rv_exit){ .size = sizeof(*ret) };
    if (spawn_run(&in, &limits, a, ret, err)) {
        if (err->code == ERR_NOT_FOUND)
            err->code = ERR_UNREACHABLE; /* of the program: says nothing of the secret */
        return err->code;
    }
    return 0;
}

/* Its bytes travel as hex digits: what is sealed need not be text. */
static int age_from_hex(struct str hex, struct arena *a, struct str *ret, struct err *err)
{
    char *bytes = arena_alloc(a, hex.n / 2 + 1);
    size_t n;

    if (!bytes)
        return arena_status(a, err);
    if (sodium_hex2bin((unsigned char *)bytes, hex.n / 2, hex.p, hex.n, NULL, &n, NULL) ||
        n != hex.n / 2)
        return err_set(err, ERR_IO, "git: the worker's answer is not a blob");
    *ret = (struct str){ bytes, n };
    return 0;
}

/* From the mirror of one source. */
static int age_read_blob(struct secret_store *s, struct str source, struct str id, struct arena *a,
                         struct str *ret, struct err *err)
{
    const struct rv_str argv[] = { kit_rv(str_from_c(s->self)), kit_rv(S("git-worker")) };
    struct value *request = value_map(a), *answer;
    struct rv_exit end;

    value_set_text(a, request, S("op"), S("blob"));
    value_set_text(a, request, S("mirror"),
                   str_fmt(a, "%s/mirrors/%.*s.git", s->dir, STR_ARG(source)));
    value_set_text(a, request, S("id"), id);
    value_set_int(a, request, S("limit_bytes"), AGE_SEALED_MAX);
    if (age_run(argv, N_ELEMENTS(argv), json_format(a, request), GIT_WORKER_ANSWER_MAX, a, &end,
                err))
        return err->code;
    if (end.signal || end.status)
        return err_set(err, ERR_IO, "git: the worker ended with %d, signal %d", end.status,
                       end.signal);
    if (git_answer_parse(a, kit_str(end.out), &answer, err))
        return err->code;
    return age_from_hex(value_get_text(answer, S("hex"), S("")), a, ret, err);
}

/* A blob is its content: whichever repository has it. */
static int age_find_blob(struct secret_store *s, struct str id, struct arena *a, struct str *ret,
                         struct err *err)
{
    for (size_t i = 0; i < value_count(s->sources); i++) {
        int rc = age_read_blob(s, s->sources->u.map.entries[i].key, id, a, ret, err);

        if (rc != ERR_NOT_FOUND)
            return rc;
    }
    return err_set(err, ERR_NOT_FOUND, "no repository has blob %.*s any more", STR_ARG(id));
}

static int age_open(struct secret_store *s, const struct secret_ask *ask, struct str sealed,
                    struct arena *a, struct str *ret, struct err *err)
{
    struct str program = value_get_text(ask->store, S("program"), S(""));
    struct str identity = value_get_text(ask->store, S("identity"), STR_NONE);
    struct rv_str argv[] = {
        kit_rv(program), kit_rv(S("--decrypt")), kit_rv(S("--identity")), { 0 }
    };
    char path[PATH_MAX];
    struct rv_exit end;

    if (!identity.p) {
        if (secret_key_find(s->keys, "age", path, err))
            return err->code;
        identity = str_from_c(path);
    } else if (secret_key_check(identity.p, err)) {
        return err->code;
    }
    argv[3] = kit_rv(identity);
    if (age_run(argv, N_ELEMENTS(argv), sealed, SECRET_BYTES_MAX + 1, a, &end, err))
        return err->code;
    if (end.signal || end.status) /* its words are not shown */
        return err_set(err, ERR_REFUSED, "age cannot open it with identity '%.*s'",
                       STR_ARG(identity));
    if (end.out.n > SECRET_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "larger than %u bytes", SECRET_BYTES_MAX);
    *ret = secret_kind_line(kit_str(end.out));
    return 0;
}

int secret_age_get(struct secret_store *s, const struct secret_ask *ask, struct arena *a,
                   struct secret_got *ret, struct err *err)
{
    struct str id = ask->version.p ? ask->version : ask->blob, sealed;

    if (!id.p)
        return err_set(err, ERR_NOT_FOUND, "there is no file '%.*s' in the commit",
                       STR_ARG(ask->path));
    if (id.n != AGE_ID_CHARS)
        return err_set(err, ERR_NOT_FOUND, "version '%.*s' is no blob", STR_ARG(id));
    if (age_find_blob(s, id, a, &sealed, err) || age_open(s, ask, sealed, a, &ret->value, err))
        return err->code;
    ret->version = str_copy(a, id);
    return arena_status(a, err);
}
