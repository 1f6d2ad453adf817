/*
 * process: artifacts, releases and instances on this machine, each under a keeper of its own.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     DIRECTORY/run/<owner label>/     identity, keeper, log, home, secrets and working copy of one resource
 *               artifacts/<K>/         tree/, manifest, artifact.json: sealed, shared by key
 *               exports/<K>/           the source, put there by the reconciler
 *               ports/<N>              a link whose text says whose the port is
 *               gone/<owner label>/    what an instance printed last, for a while after it
 *
 * What the files of this driver share; nothing outside includes it.
 *
 * Memory   a call's arena; what is answered is copied into the host's.
 * Thread   many calls at once, one a resource.
 */
#pragma once

#include "base/vec.h"
#include "providers/keeper_client.h"
#include "providers/kit_groups.h"

#define PROCESS_POLL_MS 100
#define PROCESS_TAIL_BYTES 4000          /* of output, in a message */
#define PROCESS_QUOTA_BYTES (10LL << 30) /* where the configuration says nothing */
#define PROCESS_MEMORY_BYTES (4LL << 30) /* of a build or a release, the same */
#define PROCESS_PROCESSES 1024           /* of anything, the same */
#define PROCESS_PORT_REST_MS (24 * 3600 * 1000LL)
#define PROCESS_GONE_MS                                                                            \
    (3 * 24 * 3600 * 1000LL)             /* what a gone instance printed, where it says nothing */
#define PROCESS_GONE_BYTES (256LL << 20) /* of all that are gone */
#define PROCESS_GONE_MAX 1000            /* of them */
#define PROCESS_GONE_LOOK_MS (10 * 60000LL) /* looked for no oftener, but where one is added */

struct process {
    struct arena arena;
    struct str directory, runs, artifacts, exports, ports, gone, keeper;
    struct str launcher, site;  /* beside the keeper */
    const struct value *covers; /* paths that isolated code does not see */
    const struct value *groups; /* where control groups are made (kit_groups.h) */
    int64_t port_from, port_to, quota_bytes, memory_bytes, processes;
    int may_write;
    int grant; /* who gives users (kit_users.h); 0: nobody */
};

struct process_call {
    const struct process *self;
    const struct rv_host *h;
    const struct rv_op *op;
    struct rv_result *ret;
    struct arena arena;
    struct keeper_place place;
    struct keeper_view view;
    const struct value *desired; /* a map, empty when there is none */
    struct str want;             /* digest of desired less its label, hex */
    int users;                   /* of class uid, once they were needed; else -1 */
};

/* One type of resource. Each function fills c->ret; read finds the view in c->view, and it is not KEEPER_NONE. */
typedef void process_fn(struct process_call *c);
struct process_type {
    const char *name;
    process_fn *read;
    process_fn *apply; /* everything but delete */
    process_fn *resume;
    int (*forget)(
        struct process_call *c); /* before the directory goes; 0, or the verdict answered */
};
extern const struct process_type process_artifact, process_release, process_verify, process_job,
    process_instance;

/* gone: the newest part of what an instance printed, out of its directory, and the removal of those that are too old or too many. */
void process_gone_keep(struct process_call *c);
void process_gone_sweep(struct process_call *c);
void process_gone_look(struct process_call *c); /* sweeps once in a while */

/* Repeats itself until it is done. */
void process_delete(struct process_call *c, const struct process_type *type);

/* call: what every type does. 0, or the verdict that stands in c->ret. */
int process_look(struct process_call *c);
int process_take(struct process_call *c, struct keeper_hold *ret); /* take, sweep, identified */
int process_sweep(
    struct process_call *c); /* with the lock held: nothing that a dead keeper left lives */
/* The same of a run that has ended, whose answer stands: to clear away what it left. 0, or -1: not now. */
int process_take_ended(struct process_call *c, struct keeper_hold *ret);
/* With the lock held: what a run that has ended had for a home. */
void process_clear_home(struct process_call *c);
/* Say hello to who lives there. 0: the view says whether it still does; else the verdict answered. */
int process_adopt(struct process_call *c);
int process_lock(struct process_call *c, struct str directory, int *ret_fd);
void process_answer_view(struct process_call *c, struct value *observed, struct value *outputs);
int process_fail(struct process_call *c, enum rv_verdict verdict, enum rv_acted acted,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int process_fail_err(struct process_call *c, enum rv_acted acted, const struct err *err);
/* A run that has ended: DONE for 0, else RV_USER with the end of its output. */
int process_judge_exit(struct process_call *c, const char *what);

/* list: every directory of RUNS. */
rv_call process_list;
/* One of them, by its owner label. */
void process_read_one(void *self, const struct rv_host *h, const struct rv_op *op, struct str owner,
                      struct rv_result *ret);

/* command: from a desired body to what a keeper runs. `port` 0: none. 0, or the verdict answered. */
int process_command(struct process_call *c, const struct value *argv, struct str dir, int64_t port,
                    struct keeper_want *ret);
int process_work_dir(struct process_call *c, struct str root, struct str *ret); /* root/context */
int process_artifact_dir(struct process_call *c,
                         struct str *ret);                 /* of desired.artifact, or home */
const char *process_artifact_tree(struct process_call *c); /* of desired.artifact, or NULL */
/* What run/OWNER remembers of what was asked, or NULL. */
const struct value *process_about_of(struct process_call *c, const char *owner);
/* Into `ret`, as desired.isolation says: what it sees of our directory is `tree`, as `how`, and its home. */
int process_isolate(struct process_call *c, const char *tree, enum launch_how how,
                    struct keeper_want *ret);

/* secrets: what a build sees as files, each by its name in the directory of $REEVE_SECRETS. They are there while its
 * keeper lives, which removes them; who takes its place does it again. */
int process_secrets_write(struct process_call *c); /* 0, or the verdict answered */
void process_secrets_remove(struct process_call *c);
void process_secrets_sweep(
    struct process_call *c); /* those of whoever died with them: nobody lives there */
struct str process_secrets_dir(struct process_call *c); /* STR_NONE: it was asked for none */
/* In what a build printed, once it has ended; its answer stands. */
void process_secrets_hide(struct process_call *c);
/* What of them a tree holds, as it is, or that it is too large to be kept, into `ret`: a sentence, or "". 0, or the
 * verdict answered. */
int process_secrets_find(struct process_call *c, const char *tree, struct str *ret);

/* assets: an instance that is asked for files of earlier versions runs in a working copy of its artifact, of hard
 * links, with those of each of desired.assets.of beside its own; and the copies of those that run get its own. */
int process_assets_make(struct process_call *c);        /* 0, or the verdict answered */
struct str process_assets_copy(struct process_call *c); /* STR_NONE: none is asked for */
int process_assets_use(const struct value *about,
                       struct str key); /* whether it was made with this artifact */

/* limits: the control groups of what is isolated: made, and into `about`, so that they are found again. */
int process_limits_set(struct process_call *c, struct launch *plan, struct value *about,
                       struct err *err);
/* Into those that are there: the same limits hold for what asks how it is. */
int process_limits_enter(struct process_call *c, const struct value *about, struct launch *plan,
                         struct err *err);
/* Before it runs anew, and when it goes. 0, or RV_RETRY that stands in c->ret: something still lives there. */
int process_limits_remove(struct process_call *c);
/* "killed: over its memory of 256M", or "": of what ran there last. *ret_n: how often. */
struct str process_limits_say(struct process_call *c, int64_t *ret_n);

/* users: what is an environment's own user's. The uid is the label's; 0: it has none. */
enum process_owner { PROCESS_OURS, PROCESS_THEIRS };
uint32_t process_users_uid(const struct process_call *c);
int process_users_take(struct process_call *c, struct err *err); /* into c->users */
/* A directory with all that is in it, while nothing foreign runs there. */
int process_users_own(struct process_call *c, const char *path, enum process_owner owner,
                      struct err *err);
/* What is in it becomes theirs, and the directory stays ours. */
int process_users_give(struct process_call *c, const char *path, struct err *err);
/* One that is theirs, as they; one that is ours or not there stays. */
int process_users_remove(struct process_call *c, const char *path, struct err *err);
int process_users_listen(struct process_call *c, int64_t port);
struct value *process_about(struct process_call *c, int64_t port);

/* probe: {command, timeout_ms} is run; facts get {exit, message}. 0, or the verdict answered. */
int process_probe(struct process_call *c, const struct value *probe, struct value *facts);

/* ports */
int process_port_take(struct process_call *c, int64_t preferred, int64_t *ret);
int process_port_release(struct process_call *c);

/* tree: directories of files. `cancelled` is asked in between. */
struct process_tree_sum {
    struct str manifest;
    int64_t bytes;
};
int process_tree_copy(struct process_call *c, const char *from, const char *to, struct err *err);
/* Links to what lies below `from`/`of`, at `at` below `to`, whose own stays. Nothing is followed in either, so what
 * would lead out of them is left out. */
int process_tree_link(struct process_call *c, const char *from, struct str of, const char *to,
                      struct str at, struct err *err);
/* The first file, link or name that holds one of `texts`: its path, and which; STR_NONE: none does. */
struct process_tree_found {
    struct str path;
    size_t text;
};
int process_tree_find(struct process_call *c, const char *root, const struct str *texts, size_t n,
                      struct process_tree_found *ret, struct err *err);
/* Take every write bit away and list what is there: mode, size, SHA-256 and name, sorted. */
int process_tree_seal(struct process_call *c, const char *root, struct process_tree_sum *ret,
                      struct err *err);
