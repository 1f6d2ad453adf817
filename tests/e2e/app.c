/*
 * app: the application that end-to-end tests deploy. SPDX-License-Identifier: Apache-2.0
 *
 * A tiny_http server on 127.0.0.1:PORT. Its version is the first line of the file `version` in the
 * working directory, else the variable VERSION, else "none".
 *
 *     PORT              where it listens
 *     APP_START_MS      listens after so long
 *     APP_EXIT          exits with this status at once (after APP_START_MS)
 *     APP_IDLE_MS       closes idle connections
 *     APP_TERM          graceful (default), abrupt, ignore
 *     APP_HEALTH        ok (default), fail, fail_after:MS, fail_when:PATH (there is one)
 *     APP_STATUS        status of ordinary answers
 *     APP_DELAY_MS      time before them
 *     APP_BURN_US       what each of them takes of a processor
 *     APP_WORD          /healthz says {"status":WORD}
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/tiny_http.h"

static int app_number(const char *name, int otherwise)
{
    const char *value = getenv(name);

    return value && *value ? atoi(value) : otherwise;
}

static const char *app_version(char *buffer, size_t n)
{
    const char *value = getenv("VERSION");
    FILE *f = fopen("version", "r");

    if (f && fgets(buffer, (int)n, f)) {
        buffer[strcspn(buffer, "\r\n")] = 0;
        value = buffer;
    }
    if (f)
        (void)fclose(f); /* it was only read */
    return value && *value ? value : "none";
}

static enum tiny_http_term app_term(void)
{
    const char *value = getenv("APP_TERM");

    if (value && !strcmp(value, "abrupt"))
        return TINY_HTTP_ABRUPT;
    return value && !strcmp(value, "ignore") ? TINY_HTTP_IGNORE : TINY_HTTP_GRACEFUL;
}

static int app_health(void)
{
    const char *value = getenv("APP_HEALTH");

    if (value && !strcmp(value, "fail"))
        return 0;
    if (value && !strncmp(value, "fail_after:", strlen("fail_after:")))
        return atoi(value + strlen("fail_after:"));
    return -1;
}

static const char *app_health_file(void)
{
    const char *value = getenv("APP_HEALTH");

    return value && !strncmp(value, "fail_when:", strlen("fail_when:"))
               ? value + strlen("fail_when:")
               : NULL;
}

int main(void)
{
    char version[128];
    struct tiny_http options = {
        .version = app_version(version, sizeof(version)),
        .idle_ms = app_number("APP_IDLE_MS", 0),
        .status = app_number("APP_STATUS", 0),
        .word = getenv("APP_WORD"),
        .delay_ms = app_number("APP_DELAY_MS", 0),
        .burn_us = app_number("APP_BURN_US", 0),
        .health_fail_ms = app_health(),
        .health_fail_file = app_health_file(),
        .term = app_term(),
    };
    int start_ms = app_number("APP_START_MS", 0);
    struct timespec delay = { start_ms / 1000, (long)(start_ms % 1000) * 1000000 };

    if (start_ms)
        (void)nanosleep(&delay, NULL); /* a signal may cut it short */
    if (getenv("APP_EXIT"))
        return app_number("APP_EXIT", 1);
    options.fd = tiny_http_listen((uint16_t)app_number("PORT", 0), NULL);
    if (options.fd < 0) {
        (void)fprintf(stderr, "app: cannot listen on port %d\n", app_number("PORT", 0));
        return 1;
    }
    (void)printf("app: version %s on port %d\n", options.version, app_number("PORT", 0));
    (void)fflush(stdout);
    tiny_http_serve(&options);
    return 0;
}
