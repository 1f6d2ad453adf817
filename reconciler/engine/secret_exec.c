/* A store that is a program of this machine. SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/engine/secret_kind.h"

#include "base/guard.h"
#include "providers/kit.h"
#include "providers/spawn.h"

#define EXEC_NOT_FOUND 3 /* exit status: there is no such secret */
#define EXEC_ARGS_MAX 64

/* Its own words may hold what it was asked for: they are shown nowhere. */
static int exec_judge(const struct rv_exit *end, const char *program, struct err *err)
{
    if (end->signal)
        return err_set(err, ERR_UNREACHABLE, "'%s' ended by signal %d", program, end->signal);
    if (end->status == EXEC_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "'%s' knows no such secret", program);
    if (end->status)
        return err_set(err, ERR_UNREACHABLE, "'%s' ended with %d", program, end->status);
    if (end->out.n > SECRET_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "larger than %u bytes", SECRET_BYTES_MAX);
    return 0;
}

int secret_exec_get(struct secret_store *s, const struct secret_ask *ask, struct arena *a,
                    struct secret_got *ret, struct err *err)
{
    static const struct spawn_limits limits = { .out_max = SECRET_BYTES_MAX + 1 };
    static const struct rv_str env[] = { { "PATH=/usr/local/bin:/usr/bin:/bin", 33 },
                                         { "LC_ALL=C.UTF-8", 14 } };
    const struct value *command = value_get(ask->store, S("command"));
    struct rv_str argv[EXEC_ARGS_MAX + 1];
    struct rv_exec in = { .size = sizeof(in),
                          .timeout_ms = (uint32_t)value_get_int(ask->store, S("timeout"), 0),
                          .argv = argv,
                          .env = env,
                          .n_env = N_ELEMENTS(env),
                          .dir = kit_rv(S("/")) };
    struct rv_exit end = { .size = sizeof(end) };

    (void)s; /* the program is all there is */
    if (str_starts(ask->path, S("-")))
        return err_set(err, ERR_REFUSED, "'%s' would take the path for an option",
                       value_item(command, 0)->u.text.p);
    for (size_t i = 0; i < value_count(command) && i < EXEC_ARGS_MAX; i++)
        argv[in.n_argv++] = kit_rv(value_item(command, i)->u.text);
    argv[in.n_argv++] = kit_rv(ask->path);
    if (spawn_run(&in, &limits, a, &end, err)) {
        if (err->code == ERR_NOT_FOUND) /* of the program: says nothing of the secret */
            err->code = ERR_UNREACHABLE;
        return err->code;
    }
    if (exec_judge(&end, argv[0].p, err))
        return err->code;
    ret->value = secret_kind_line(kit_str(end.out));
    return 0;
}
