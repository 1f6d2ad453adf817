/* A database that is lost, and `reeve recover`. SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "reconciler/engine/recover.h"
#include "tests/sim/world.h"

#define RECOVER_DIED 9
#define RECOVER_REFUSED 10

static const char *path_of(struct world *w, const char *name)
{
    return str_fmt(&w->arena, "%s/%s", w->dir, name).p;
}

static const char *state_of(struct world *w, const char *end)
{
    return str_fmt(&w->arena, "%s/%s/reeve.db%s", w->dir, w->side ? "second" : "var", end).p;
}

void world_keep_copy(struct world *w)
{
    const char *path = path_of(w, "older.db");

    MUST(sys_remove_all(path, err));
    MUST(db_copy(world_reader(w), path, err));
    w->has_copy = 1;
}

void world_lose_database(struct world *w, enum world_loss loss)
{
    static const char *const ends[] = { "", "-wal", "-shm" };

    db_close(TAKE(w->reader));
    for (size_t i = 0; i < N_ELEMENTS(ends); i++)
        (void)unlink(state_of(w, ends[i]));
    if (loss == WORLD_LOSES_SOME && w->has_copy)
        PRE(!rename(path_of(w, "older.db"), state_of(w, "")));
    w->has_copy = 0;
}

/* --- what is outside ----------------------------------------------------------------------------- */

static struct digest read_folder(struct world *w, const char *folder)
{
    struct dirent **list = NULL;
    int n = scandir(path_of(w, folder), &list, NULL, alphasort);
    struct sb all;

    sb_init(&all, &w->arena);
    for (int i = 0; i < n; i++) {
        struct str text = S("");

        if (list[i]->d_name[0] != '.')
            MUST(sys_read_file(&w->arena,
                               str_fmt(&w->arena, "%s/%s/%s", w->dir, folder, list[i]->d_name).p,
                               1u << 24, &text, err));
        sb_addf(&all, "%s\n%.*s\n", list[i]->d_name, STR_ARG(text));
        free(list[i]); /* scandir's */
    }
    free(list); /* the same */
    return hash_bytes(sb_str(&all));
}

/* --- recover ------------------------------------------------------------------------------------- */

struct digest world_digest(struct world *w)
{
    return read_folder(w, "world");
}

static void die_there(void *ctx, enum crash_point point)
{
    if (*(const enum crash_point *)ctx == point)
        _exit(RECOVER_DIED);
}

static void recover_in_child(struct world *w, enum crash_point dies_at)
{
    struct loop *loop = loop_sim_new(
        &(struct loop_sim_options){ .seed = w->seed, .wall_ms = w->wall_ms });
    const struct recover_options options = { .loop = loop,
                                             .daemon = w->daemon,
                                             .keeper = "/nowhere/keeper",
                                             .holder = "a simulated recover" };
    struct err err = ERR_INIT;
    struct value *report;
    int rc;

    crash_set_hook(die_there, &dies_at);
    rc = recover_run(&w->arena, &options, &report, &err);
    if (rc && rc != ERR_REFUSED)
        (void)fprintf(stderr, "recover: %s\n", err.text);
    _exit(rc == ERR_REFUSED ? RECOVER_REFUSED : rc != 0);
}

static int recover_once(struct world *w, enum crash_point dies_at)
{
    int has_file = sys_exists(state_of(w, "")), status = -1;
    pid_t pid = fork(); /* it dies without an end in order, and its lock with it */

    PRE(pid >= 0);
    if (!pid)
        recover_in_child(w, dies_at);
    PRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    if (WEXITSTATUS(status) == RECOVER_DIED) {
        w->passed[dies_at]++;
        w->died[dies_at]++;
    }
    if (!WEXITSTATUS(status)) {
        w->passed[CRASH_RECOVER_AFTER_MADE]++;
        w->passed[CRASH_RECOVER_BETWEEN_FILES] += has_file;
        w->passed[CRASH_RECOVER_AFTER_PLACED]++;
    }
    return WEXITSTATUS(status);
}

const char *world_recover(struct world *w, enum crash_point dies_at, int *ret_done)
{
    struct digest before = world_digest(w), after;
    int end = recover_once(w, dies_at);

    if (end == RECOVER_DIED) /* the new file may be in its place */
        end = recover_once(w, N_CRASH_POINTS) && dies_at != CRASH_RECOVER_AFTER_PLACED;
    after = world_digest(w);
    *ret_done = !end;
    w->was_recovered |= !end;
    if (end && end != RECOVER_REFUSED)
        return "recover failed";
    return digest_eq(&before, &after) ? NULL : "recover changed the world";
}
