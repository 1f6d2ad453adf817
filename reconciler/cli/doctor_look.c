/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/cli/doctor_look.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#define KEY_MODE_OTHERS 077

struct look {
    struct arena *a;
    doctor_found *found;
    void *ctx;
};

static void look_at_descriptors(const struct look *l)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files))
        return; /* nothing is known of it */
    l->found(l->ctx, files.rlim_max < DOCTOR_FILES_MIN ? FINDING_WARN : FINDING_GOOD,
             str_fmt(l->a, "%llu descriptors may be open", (unsigned long long)files.rlim_max),
             str_fmt(l->a,
                     "at least %d, or connections and children are refused: LimitNOFILE= of the "
                     "unit, ulimit -n",
                     DOCTOR_FILES_MIN));
}

/* What the kernel was told of it. */
static void look_at_clock(const struct look *l)
{
    struct timex t = { 0 };

    if (adjtimex(&t) < 0)
        return;
    if (t.status & STA_UNSYNC)
        l->found(l->ctx, FINDING_WARN, S("nothing keeps the clock"),
                 S("approvals, tokens and certificates expire by it: apt install chrony"));
    else
        l->found(l->ctx, FINDING_GOOD, S("the clock is kept"), S(""));
}

static int64_t take_number(struct str *rest)
{
    size_t n = 0;
    int64_t number = 0;

    while (n < rest->n && rest->p[n] >= '0' && rest->p[n] <= '9')
        n++;
    (void)str_to_i64(str_slice(*rest, 0, n), &number); /* more digits than that: 0 */
    *rest = str_slice(*rest, n, rest->n);
    return number;
}

int doctor_is_older(struct str line, struct str min)
{
    int64_t major, wanted = take_number(&min);

    while (line.n && (line.p[0] < '0' || line.p[0] > '9'))
        line = str_slice(line, 1, line.n);
    major = take_number(&line);
    if (!line.n || line.p[0] != '.')
        return 0;
    line = str_slice(line, 1, line.n);
    min = str_slice(min, 1, min.n);
    return major < wanted || (major == wanted && take_number(&line) < take_number(&min));
}

static void look_at_file(const struct look *l, const struct value *tls, struct str name,
                         mode_t others)
{
    struct str path = value_get_text(tls, name, S(""));
    const char *file = str_to_c(l->a, path);
    struct stat st;

    if (!file || access(file, R_OK) || stat(file, &st)) {
        l->found(
            l->ctx, FINDING_BAD,
            str_fmt(l->a, "tls.%.*s: '%.*s': %s", STR_ARG(name), STR_ARG(path), strerror(errno)),
            S("reeve serve does not start without it: put it there, readable for 'user:'"));
        return;
    }
    if (st.st_mode & others)
        l->found(l->ctx, FINDING_WARN,
                 str_fmt(l->a, "tls.%.*s: others may read '%.*s'", STR_ARG(name), STR_ARG(path)),
                 str_fmt(l->a, "chmod 600 %.*s", STR_ARG(path)));
}

void doctor_look(struct arena *a, const struct value *daemon, doctor_found *found, void *ctx)
{
    const struct look l = { a, found, ctx };
    const struct value *tls = value_get(daemon, S("tls"));

    look_at_descriptors(&l);
    look_at_clock(&l);
    if (!tls)
        return;
    look_at_file(&l, tls, S("certificate"), 0);
    look_at_file(&l, tls, S("key"), KEY_MODE_OTHERS);
}
