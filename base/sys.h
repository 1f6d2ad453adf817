/*
 * sys: the seams to the machine: clocks, randomness, files. SPDX-License-Identifier: Apache-2.0
 *
 * Pure folders do not link this. Paths are NUL-terminated.
 *
 * Memory   what is read lives in the arena you pass.
 * Thread   any.
 * Fails    ERR_IO, ERR_FULL, ERR_NOT_FOUND, ERR_LIMIT, ERR_LOCKED.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

#define SYS_FILES_MAX 65536

int64_t sys_wall_ms(void); /* CLOCK_REALTIME */
int64_t sys_mono_ms(void); /* CLOCK_MONOTONIC */
int64_t sys_boot_ms(void); /* CLOCK_BOOTTIME */
/* The kernel's boot id, 36 characters. */
int sys_boot_id(struct arena *a, struct str *ret, struct err *err);

void sys_random(void *p, size_t n);
/* Time-ordered UUID (version 7) as 36 characters; `time_ms` from the caller's clock. */
struct str sys_uuid7(struct arena *a, int64_t time_ms);

int sys_read_file(struct arena *a, const char *path, size_t limit_bytes, struct str *ret,
                  struct err *err);
/* Whole or not at all: temporary file beside it, fsync, rename, fsync of the directory. */
int sys_write_file(const char *path, mode_t mode, struct str bytes, struct err *err);
int sys_fsync_dir(const char *path, struct err *err);
int sys_mkdir_all(const char *path, mode_t mode, struct err *err);
/* A directory and all below it; symbolic links are removed, never followed. Absent is success. */
int sys_remove_all(const char *path, struct err *err);
int sys_exists(const char *path);

/* Take an exclusive flock and write `holder` into the file. ERR_LOCKED names the present holder. */
int sys_lock_file(const char *path, struct str holder, int *ret_fd, struct err *err);

/* Lift the soft limit of open descriptors as far as we may, SYS_FILES_MAX at most. Children are given back what
 * we were started with, by `sys_restore_files` between fork and exec: a program that selects needs it. */
void sys_raise_files(void);
void sys_restore_files(void);

/* Bytes free for unprivileged writers where `path` lies, and the size of the file system. */
int sys_disk_free(const char *path, int64_t *ret_free, int64_t *ret_size, struct err *err);
