/*
 * hello: the web service of the quickstart. SPDX-License-Identifier: Apache-2.0
 *
 *     GET /          which version answers where, then the file `page.txt`; 500 when it cannot be read
 *     GET /healthz   ok
 *
 * Listens on 127.0.0.1:PORT; a thread a connection, a request a connection. SIGTERM: takes no new
 * connection, answers the requests that it has, ends.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX 4096
#define GRACE_MS 20000

static char version[64];
static const char *environment;
static atomic_int open_requests;
static volatile sig_atomic_t must_end;
static int listener;

static void end_asked(int signal)
{
    (void)signal;
    must_end = 1;
    (void)shutdown(listener, SHUT_RDWR); /* wakes whoever waits in accept */
}

static int read_text(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "r");
    size_t n;

    if (!f)
        return -1;
    n = fread(text, 1, size - 1, f);
    text[n] = 0;
    (void)fclose(f); /* it was only read */
    return 0;
}

static void answer(int fd, const char *status, const char *text)
{
    char out[2 * TEXT_MAX];
    int n = snprintf(out, sizeof(out),
                     "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\nX-App: hello %s\r\n\r\n%s",
                     status, strlen(text), version, text);

    for (int done = 0; done < n;) {
        ssize_t written = send(fd, out + done, (size_t)(n - done), MSG_NOSIGNAL);

        if (written <= 0)
            return; /* the client left */
        done += (int)written;
    }
}

static void answer_page(int fd)
{
    char page[TEXT_MAX / 2], text[TEXT_MAX];

    if (read_text("page.txt", page, sizeof(page))) {
        (void)snprintf(text, sizeof(text), "hello %s\npage.txt cannot be read\n", version);
        answer(fd, "500 Internal Server Error", text);
        return;
    }
    (void)snprintf(text, sizeof(text), "hello %s\n%s, %s", version, environment, page);
    answer(fd, "200 OK", text);
}

static void *serve_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char request[TEXT_MAX];
    size_t n = 0;

    while (n < sizeof(request) - 1) {
        ssize_t got = recv(fd, request + n, sizeof(request) - 1 - n, 0);

        if (got <= 0)
            break;
        n += (size_t)got;
        request[n] = 0;
        if (!strstr(request, "\r\n\r\n"))
            continue;
        if (!strncmp(request, "GET / ", strlen("GET / ")))
            answer_page(fd);
        else if (!strncmp(request, "GET /healthz ", strlen("GET /healthz ")))
            answer(fd, "200 OK", "ok\n");
        else
            answer(fd, "404 Not Found", "not found\n");
        break;
    }
    (void)close(fd);
    atomic_fetch_sub(&open_requests, 1);
    return NULL;
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) || listen(fd, 128)) {
        perror("listen");
        exit(1);
    }
    return fd;
}

static void accept_until_asked(void)
{
    while (!must_end) {
        int fd = accept(listener, NULL, NULL);
        pthread_t thread;

        if (fd < 0)
            continue; /* the end was asked for, or the client left */
        atomic_fetch_add(&open_requests, 1);
        if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd)) {
            serve_one((void *)(intptr_t)fd);
            continue;
        }
        (void)pthread_detach(thread); /* it was just made */
    }
}

int main(void)
{
    const struct sigaction action = { .sa_handler = end_asked };
    const struct timespec moment = { .tv_nsec = 1000000 };
    const char *port = getenv("PORT"), *name = getenv("ENVIRONMENT");

    listener = listen_on((uint16_t)atoi(port ? port : "8000"));
    environment = name ? name : "nowhere";
    if (read_text("VERSION", version, sizeof(version)))
        (void)snprintf(version, sizeof(version), "unknown");
    version[strcspn(version, "\n")] = 0;
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)printf("hello %s listens on 127.0.0.1:%s\n", version, port ? port : "8000");
    (void)fflush(stdout);

    accept_until_asked();
    (void)close(listener);
    for (int ms = 0; ms < GRACE_MS && atomic_load(&open_requests); ms++)
        (void)nanosleep(&moment, NULL);
    (void)puts("hello ends");
    return 0;
}
