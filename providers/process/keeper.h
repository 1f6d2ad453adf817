/*
 * keeper: what the files of the keeper program share. SPDX-License-Identifier: Apache-2.0
 *
 * keeper.c tells the story. libc alone; one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KEEPER_INPUT_MAX (8 << 20)
#define KEEPER_CLIENTS 8
#define KEEPER_LINE 512
#define KEEPER_NEVER_MS INT64_MAX

enum keeper_state { STARTING, RUNNING, WAITING, STOPPING, EXITED, STOPPED };

struct keeper_orders { /* what the instructions say; texts point into `text` */
    char *text;
    size_t n_text;
    char **argv, **env, **once; /* once: argv of one that takes over */
    const char *dir;
    int restart_always, stop_signal;
    int n_launch; /* of argv: what starts the program, isolated (providers/launch/launch.h); 0: we do */
    int64_t grace_ms, timeout_ms, log_bytes, log_keep_ms, leave_ms;
    uint64_t epoch;
};

struct keeper_client {
    int fd, orders_fd;
    size_t n;
    char line[KEEPER_LINE];
};

struct keeper {
    int dir, signals, listener, log, ready;
    int plan, users; /* for what starts the program; -1: none */
    int out[2];      /* the program's 1 and 2 */
    struct keeper_orders orders;
    uint64_t epoch; /* highest seen */
    enum keeper_state state;
    pid_t child;
    unsigned long long child_start, own_start;
    int64_t started_ms, backoff_ms;
    int64_t start_at_ms, kill_at_ms, timeout_at_ms, write_at_ms; /* KEEPER_NEVER_MS: not set */
    int start_again; /* after STOPPING: a restart was asked for */
    /* Beside the child while it is replaced: who comes, with its instructions, and who goes. */
    pid_t taking, leaving;
    struct keeper_orders next;
    int64_t take_until_ms, leave_until_ms;
    int exit, signal, timed_out, frozen;
    int64_t restarts, log_size;
    int64_t full;        /* how often it ended for what it wrote: by SIGXFSZ */
    int64_t log_turn_ms; /* when what is older goes; KEEPER_NEVER_MS: by its size alone */
    int64_t log_room, log_room_ms, log_lost; /* bytes that may come, since when, and did not */
    char boot[40], message[256];
    struct keeper_client clients[KEEPER_CLIENTS];
};

int64_t keeper_now_ms(void);

/* orders: -1 when they are none. */
int keeper_orders_read(int fd, struct keeper_orders *ret);
void keeper_orders_forget(struct keeper_orders *o);

/* files: state, log, log.1 */
size_t keeper_files_format(const struct keeper *k, const char *error, char *text, size_t max);
void keeper_files_state(struct keeper *k);
void keeper_files_enter(struct keeper *k, enum keeper_state state);
void keeper_files_log(struct keeper *k, const char *text, size_t n);
void keeper_files_output(struct keeper *k);
void keeper_files_turn(struct keeper *k);         /* nothing in them is older than log_keep_ms */
void keeper_files_say_lost(struct keeper *k);     /* what was over the rate until now */
void keeper_files_forget(const struct keeper *k); /* secrets/, which was for the program alone */

/* program */
unsigned long long keeper_program_stat(pid_t pid, char *ret_state, pid_t *ret_parent,
                                       pid_t *ret_session);
void keeper_program_start(struct keeper *k);
/* Only that; 0: no descriptor or process left. */
pid_t keeper_program_fork(struct keeper *k, const struct keeper_orders *o, char *const *argv);
void keeper_program_stop(struct keeper *k, int64_t grace_ms);
void keeper_program_reap(struct keeper *k);

/* hand: one program takes over from another */
int keeper_hand_begin(struct keeper *k, const struct keeper_orders *take_next); /* -1: not now */
void keeper_hand_ready(struct keeper *k, pid_t who);
void keeper_hand_ended(struct keeper *k, pid_t who);
void keeper_hand_give_up(struct keeper *k);
void keeper_hand_take_time(struct keeper *k, int64_t now_ms);

/* freeze: the program with all that it started; one that starts or stops is not frozen. -1: not now */
enum keeper_freeze { KEEPER_THAW, KEEPER_FREEZE };
int keeper_freeze_set(struct keeper *k, enum keeper_freeze freeze);

/* sock */
int keeper_sock_listen(struct keeper *k);
void keeper_sock_accept(struct keeper *k);
void keeper_sock_hear(struct keeper *k, struct keeper_client *c);
