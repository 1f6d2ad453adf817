/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test_ports.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/sys.h"
#include "tests/support/tiny_http.h"

/* As in tests/e2e/lib.sh. */
#define PORTS_FIRST 10000
#define PORTS_BLOCKS 130
#define PORTS_BLOCKS_LEAST 30
#define PORTS_IN_BLOCK 160
#define PORTS_PATH "/tmp/reeve-test-ports.%u"

static unsigned ports_block; /* its first port, 0 until one is held */
static int ports_lock;
static pid_t ports_owner; /* a child that ends does not give it back */

static void ports_path(unsigned block, char ret[64])
{
    (void)snprintf(ret, 64, PORTS_PATH, block); /* fits */
}

static void ports_give_back(void)
{
    char path[64];

    ports_path(ports_block, path);
    if (getpid() == ports_owner)
        (void)unlink(path); /* the lock ends with us; an old file is found free */
}

static int ports_hold(unsigned block)
{
    struct stat held, there;
    char path[64];
    AUTO_CLOSE int fd = -1;

    ports_path(block, path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &held) || stat(path, &there) ||
        held.st_ino != there.st_ino) /* its last holder removed it */
        return 0;
    ports_lock = TAKE_FD(fd);
    ports_block = block;
    ports_owner = getpid();
    (void)atexit(ports_give_back); /* a file that stays costs nothing */
    return 1;
}

/* Below what the kernel gives to whoever asks for any port, as long as there is enough of that. */
static unsigned ports_n_blocks(void)
{
    FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
    unsigned low, n = PORTS_BLOCKS;

    if (f && fscanf(f, "%u", &low) == 1 &&
        low >= PORTS_FIRST + PORTS_BLOCKS_LEAST * PORTS_IN_BLOCK &&
        low < PORTS_FIRST + PORTS_BLOCKS * PORTS_IN_BLOCK)
        n = (low - PORTS_FIRST) / PORTS_IN_BLOCK;
    if (f)
        (void)fclose(f); /* it was only read */
    return n;
}

static int ports_take_block(void)
{
    unsigned n_blocks = ports_n_blocks();

    for (int tries = 0; !ports_block && tries < PORTS_BLOCKS * 8; tries++) {
        uint16_t random;

        sys_random(&random, sizeof(random));
        (void)ports_hold(PORTS_FIRST + (unsigned)random % n_blocks * PORTS_IN_BLOCK);
    }
    return ports_block != 0;
}

/* Another program of this machine may listen there, with no word to us. */
static int ports_are_free(unsigned first, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        int fd = tiny_http_listen((uint16_t)(first + i), NULL);

        if (fd < 0)
            return 0;
        (void)close(fd); /* only its number is wanted */
    }
    return 1;
}

uint16_t test_ports(unsigned n)
{
    static unsigned next;

    if (!ports_take_block())
        return 0;
    for (unsigned tries = 0; tries < PORTS_IN_BLOCK; tries++) {
        unsigned at = next + n <= PORTS_IN_BLOCK ? next : 0;

        next = at + n;
        if (ports_are_free(ports_block + at, n))
            return (uint16_t)(ports_block + at);
    }
    return 0;
}
