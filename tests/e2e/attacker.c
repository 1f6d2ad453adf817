/*
 * attacker: what hostile code of a repository tries, as a service, a build and a release. SPDX-License-Identifier: Apache-2.0
 *
 *     attacker              tries everything, a line each: "NAME: kept out" or "NAME: GOT IN, how"
 *     attacker serve        fills its home and tries the same, then serves on PORT as a healthy application would
 *     attacker wait         serves only, on a port that it would share: the neighbour whose things are wanted
 *     attacker count        says how many things are tried without `serve`
 *
 *     ATTACK_SEEK           a text that stands in the neighbour's environment
 *     ATTACK_PATHS          files and directories that shall not be there, by ':'
 *     ATTACK_SOCKETS        sockets that shall not answer, by ':'
 *     ATTACK_PIDS           numbers of processes as the machine counts them, by ':'
 *     ATTACK_PORT           where the neighbour listens
 *     ATTACK_EDGE           where the proxy listens; a build has no network
 *
 * All of it is bounded: a machine that contains nothing survives too.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/tiny_http.h"

#define ATTACK_FORKS 3000
#define ATTACK_FILL_BYTES (600LL << 20)

static char attack_how[256];

static int got_in(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int got_in(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(attack_how, sizeof(attack_how), fmt, ap);
    va_end(ap);
    return 1;
}

/* Each part of a list by ':'; the first one that got in ends it. */
static int each(const char *variable, int (*attack)(const char *part))
{
    char text[4096], *rest = text, *part;
    const char *value = getenv(variable);

    (void)snprintf(text, sizeof(text), "%s", value ? value : "");
    while ((part = strsep(&rest, ":")))
        if (*part && attack(part))
            return 1;
    return 0;
}

/* --- other processes ----------------------------------------------------------------------------- */

static int file_holds(const char *path, const char *wanted)
{
    static char text[1 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

    if (fd >= 0)
        (void)close(fd);
    return n > 0 && memmem(text, (size_t)n, wanted, strlen(wanted)) != NULL;
}

static int environ_of(const char *pid)
{
    char path[320];

    (void)snprintf(path, sizeof(path), "/proc/%s/environ", pid);
    return file_holds(path, getenv("ATTACK_SEEK")) ? got_in("%s", path) : 0;
}

static int read_environ(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int found = 0;

    while (proc && !found && (entry = readdir(proc)))
        if (atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid())
            found = environ_of(entry->d_name);
    if (proc)
        (void)closedir(proc);
    return found;
}

static int see_command(const char *pid)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
    return file_holds(path, "keeper") || file_holds(path, "reeve") ? got_in("%s", path) : 0;
}

static int see_processes(void)
{
    return each("ATTACK_PIDS", see_command);
}

static int trace(const char *pid)
{
    return ptrace(PTRACE_SEIZE, atoi(pid), 0, 0) ? 0 : got_in("process %s", pid);
}

static int trace_processes(void)
{
    return each("ATTACK_PIDS", trace);
}

static int signal_one(const char *pid)
{
    if (atoi(pid) <= 1 || atoi(pid) == getpid() || kill(atoi(pid), 0))
        return 0;
    return file_holds("/proc/self/status", "NStgid") && see_command(pid) ? got_in("process %s", pid)
                                                                         : 0;
}

/* With 0 for a signal: one that would arrive is enough. */
static int kill_keeper(void)
{
    return each("ATTACK_PIDS", signal_one);
}

/* --- files --------------------------------------------------------------------------------------- */

static int open_path(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char byte;

    if (fd < 0)
        return 0;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && read(fd, &byte, 1) == 1)
        return got_in("%s", path);
    (void)close(fd);
    return 0;
}

static int read_state(void)
{
    return each("ATTACK_PATHS", open_path);
}

static int reach(const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    rc = connect(fd, (struct sockaddr *)&at, sizeof(at));
    (void)close(fd);
    return rc ? 0 : got_in("%s", path);
}

static int reach_sockets(void)
{
    return each("ATTACK_SOCKETS", reach);
}

static int uncover_one(const char *path)
{
    char dir[1024], *slash;

    (void)snprintf(dir, sizeof(dir), "%s", path);
    while ((slash = strrchr(dir, '/')) && slash > dir) {
        *slash = 0;
        if (!umount2(dir, MNT_DETACH))
            return got_in("%s could be unmounted", dir);
    }
    return 0;
}

/* A namespace of one's own gives rights; what lies on a cover must not come off with them. */
static int uncover(void)
{
    int status = 0;
    pid_t pid;

    if (each("ATTACK_PATHS", uncover_one))
        return 1;
    pid = fork();
    if (pid == 0)
        _exit(!unshare(CLONE_NEWUSER | CLONE_NEWNS) && each("ATTACK_PATHS", uncover_one));
    (void)waitpid(pid, &status, 0);
    return status ? got_in("from a namespace of its own") : 0;
}

/* In one of its own it would have rights again, and each takes one of those that the daemon's user may have. */
static int make_namespace(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit(!unshare(CLONE_NEWUSER));
    (void)waitpid(pid, &status, 0);
    return status ? got_in("a user namespace") : 0;
}

static int write_outside(void)
{
    static const char *const places[] = { "/etc", "/usr/local", "/var/lib", "/opt",
                                          "/proc/sys/kernel" };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char path[64];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/attacker", places[i]);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
            return got_in("%s", path);
    }
    if (open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC) >= 0)
        return got_in("core_pattern");
    return 0;
}

static int become_root(void)
{
    if (file_holds("/proc/self/status", "CapEff:\t0000000000000000") &&
        file_holds("/proc/self/status", "NoNewPrivs:\t1"))
        return 0;
    return got_in("it has capabilities, or may gain some");
}

/* Left for whoever cleans up; judged by the test afterwards. */
static int leave_links(void)
{
    const char *home = getenv("HOME"), *victim = getenv("ATTACK_VICTIM");
    char path[1024];

    if (!home || !victim)
        return 0;
    (void)snprintf(path, sizeof(path), "%s/link", home);
    (void)!symlink(victim, path);
    (void)snprintf(path, sizeof(path), "%s/deep", home);
    (void)mkdir(path, 0);
    (void)chmod(path, 0700);
    (void)snprintf(path, sizeof(path), "%s/deep/link", home);
    (void)!symlink("../../../../../../../../", path);
    (void)snprintf(path, sizeof(path), "%s/deep", home);
    (void)chmod(path, 0);
    return 0;
}

/* --- the network --------------------------------------------------------------------------------- */

static int shared_port(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 64) ? -1 : fd;
}

static int answers(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

    rc = connect(fd, (struct sockaddr *)&at, sizeof(at));
    (void)close(fd);
    return !rc;
}

/* Where the neighbour does not answer, the port is another network's. */
static int take_port(void)
{
    const char *port = getenv("ATTACK_PORT");
    int fd = port && answers(atoi(port)) ? shared_port(atoi(port)) : -1;

    if (fd < 0)
        return 0;
    (void)close(fd);
    return got_in("port %s is shared", port);
}

static int use_network(void)
{
    const char *port = getenv("ATTACK_EDGE");

    return port && answers(atoi(port)) ? got_in("port %s", port) : 0;
}

/* --- what there is of the machine ---------------------------------------------------------------- */

static int fork_without_end(void)
{
    int n = 0, status;
    pid_t pid = 0;

    for (; n < ATTACK_FORKS && (pid = fork()) >= 0; n++)
        if (pid == 0) {
            (void)pause();
            _exit(0);
        }
    (void)signal(SIGTERM, SIG_IGN);
    (void)kill(0, SIGTERM);
    (void)signal(SIGTERM, SIG_DFL);
    while (waitpid(-1, &status, 0) > 0)
        ;
    return n == ATTACK_FORKS ? got_in("%d processes", n) : 0;
}

static int fill(const char *dir)
{
    static char block[1 << 20];
    char path[1024];
    long long n = 0;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/attacker.fill", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    (void)signal(SIGXFSZ, SIG_IGN);
    while (fd >= 0 && n < ATTACK_FILL_BYTES && write(fd, block, sizeof(block)) == sizeof(block))
        n += (long long)sizeof(block);
    (void)unlink(path);
    if (fd >= 0)
        (void)close(fd);
    return n >= ATTACK_FILL_BYTES ? got_in("%lld MiB in %s", n >> 20, dir) : 0;
}

static int fill_memory(void)
{
    return fill("/tmp") || fill("/dev/shm") || fill("/var/tmp");
}

/* A quota ends it, and refuses what it writes when it is there again; then it makes room, and is
 * started a third time. */
static int fill_home(void)
{
    static char block[1 << 20];
    const struct timespec rest = { 0, 20000000 };
    long long n = 0;
    int is_back, fd;

    if (chdir(getenv("HOME")) || !access("refused", F_OK))
        return 0;
    is_back = !access("fill", F_OK);
    fd = open("fill", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (is_back && write(fd, "x", 1) == 1)
        return got_in("it may write on");
    if (is_back) {
        (void)close(creat("refused", 0600));
        (void)unlink("fill");
        (void)close(fd); /* what is open still counts */
        (void)pause();   /* until that is seen */
    }
    for (; n < ATTACK_FILL_BYTES && write(fd, block, sizeof(block)) > 0; n += 1 << 20)
        (void)nanosleep(&rest, NULL);
    return got_in("%lld MiB", n >> 20);
}

/* --- all of it ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*attack)(void);
} attacks[] = {
    { "environ of others", read_environ },
    { "/proc of others", see_processes },
    { "ptrace", trace_processes },
    { "kill the keeper", kill_keeper },
    { "files of the daemon", read_state },
    { "sockets", reach_sockets },
    { "take the cover away", uncover },
    { "namespace of its own", make_namespace },
    { "write outside", write_outside },
    { "capabilities", become_root },
    { "links for a cleanup", leave_links },
    { "neighbour's port", take_port },
    { "network", use_network },
    { "fork without end", fork_without_end },
    { "fill /tmp", fill_memory },
};

static int serve(int is_shared)
{
    struct tiny_http options = { .version = "attacker", .health_fail_ms = -1 };
    int port = atoi(getenv("PORT") ? getenv("PORT") : "0");

    options.fd = is_shared ? shared_port(port) : tiny_http_listen((uint16_t)port, NULL);
    if (options.fd < 0)
        return 1;
    tiny_http_serve(&options);
    return 0;
}

static void tell(const char *name, int is_in)
{
    (void)printf("attack: %s: %s%s\n", name, is_in ? "GOT IN, " : "kept out",
                 is_in ? attack_how : "");
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    size_t n = sizeof(attacks) / sizeof(attacks[0]);

    if (!strcmp(what, "count"))
        return printf("%zu\n", n) < 0;
    if (!strcmp(what, "wait"))
        return serve(1);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (*what)
        tell("fill the home", fill_home());
    for (size_t i = 0; i < n; i++)
        tell(attacks[i].name, attacks[i].attack());
    return *what ? serve(0) : 0;
}
