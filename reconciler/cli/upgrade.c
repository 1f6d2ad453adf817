/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/upgrade.h"

#include <signal.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/log.h"
#include "base/sys.h"

#define UPGRADE_WORDS_MAX 4096 /* of what the new program complains about */

extern char **environ;

enum { UPGRADE_CHECK, UPGRADE_OVER };

/* clang-format off */
static const struct task_state upgrade_states[] = {
    /*                  name     successors        on error        deadline_ms */
    [UPGRADE_CHECK] = { "CHECK", TO(UPGRADE_OVER), UPGRADE_OVER,   0 },
    [UPGRADE_OVER]  = { "OVER",  0,                NO_ERROR_EDGE,  0 },
};
/* clang-format on */

static void upgrade_judge(struct upgrade *u, const struct task *t)
{
    if (t->cancelled)
        return;
    if (!t->rc && !u->result.status && !u->result.signal) {
        u->granted(u->ctx);
        return;
    }
    LOG(LOG_ERROR, "not upgraded: the program that is installed would not start, this one goes on",
        LOG_C("program", u->argv[0]),
        t->rc ? (struct log_field)LOG_C("err", t->err.text)
              : (struct log_field)LOG_S("err", u->result.err_tail));
}

static enum task_verdict upgrade_step(struct task *t)
{
    struct upgrade *u = container_of(t, struct upgrade, task);

    switch (t->state) {
    case UPGRADE_CHECK:
        wait_exec_start(t, &u->request, &u->arena, &u->result);
        return task_then(t, UPGRADE_OVER);
    case UPGRADE_OVER:
        upgrade_judge(u, t);
        t->rc = 0;
        return task_done(t);
    }
    UNREACHABLE();
}

static void upgrade_ended(struct task *t, void *ctx)
{
    struct upgrade *u = container_of(t, struct upgrade, task);

    (void)ctx;
    u->is_asked = 0;
    arena_wipe(&u->arena);
}

void upgrade_start(struct upgrade *u, struct loop *loop, const char *self, const char *config,
                   loop_fn *granted, void *ctx)
{
    if (u->is_asked)
        return;
    u->is_asked = 1;
    u->granted = granted;
    u->ctx = ctx;
    u->argv[0] = self;
    u->argv[1] = "check";
    u->argv[2] = "--config";
    u->argv[3] = config;
    u->argv[4] = "--quiet";
    u->request = (struct exec_request){ .argv = u->argv,
                                        .env = (const char *const *)environ,
                                        .out_max = UPGRADE_WORDS_MAX,
                                        .err_max = UPGRADE_WORDS_MAX,
                                        .timeout_ms = UPGRADE_CHECK_MS };
    u->result = (struct exec_result){ 0 };
    arena_init(&u->arena, 0);
    task_start(&u->task, loop, "upgrade", upgrade_states, N_ELEMENTS(upgrade_states), UPGRADE_CHECK,
               upgrade_step, upgrade_ended, NULL);
}

int upgrade_become(const char *self, char **argv, const struct http_given *doors, struct err *err)
{
    sigset_t none;
    int rc = service_hand(doors, err);

    if (rc)
        return rc;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL); /* a mask is inherited */
    sys_restore_files();
    (void)execv(self, argv);
    (void)err_sys(err, "become '%s'", self);
    sys_raise_files();
    return err->code;
}
