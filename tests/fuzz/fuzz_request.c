/* fuzz: the head of a request says one length and one host, or is refused. SPDX-License-Identifier: Apache-2.0
 *
 * The input is a path, with escapes, and lines "name: value". */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/http/framing.h"
#include "reconciler/http/hosts.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MAX 65536

/* It becomes no longer, and ends where it says. */
static void unescape(struct arena *a, struct str path)
{
    char *text = str_to_c(a, path);
    size_t before, n;

    if (!text)
        return;
    before = strlen(text);
    n = framing_unescape(text);
    POST(n <= before && strlen(text) == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { (const char *)data, size }, line, name;
    struct hosts_request in = { .method = S("POST"), .host = S(""), .origin = STR_NONE };
    struct framing framing = { 0 };
    struct err err = ERR_INIT;
    struct arena a;

    arena_init(&a, 64u << 20);
    if (size && str_next(&rest, '\n', &line))
        unescape(&a, line);
    while (size && str_next(&rest, '\n', &line)) {
        if (!str_next(&line, ':', &name))
            continue;
        line = str_trim(line.p ? line : S(""));
        framing_see(&framing, name, line);
        if (str_eq_c(name, "host"))
            in.host = line;
        if (str_eq_c(name, "origin"))
            in.origin = line;
    }
    if (!framing_check(&framing, BODY_MAX, &err))
        POST(framing.n_hosts == 1 && framing.n_lengths + framing.n_encodings <= 1 &&
             framing.length >= 0 && framing.length <= BODY_MAX && !framing.is_coded);
    if (!hosts_check(NULL, &in, &err))
        POST(in.host.n >= sizeof("[::1]") - 1);
    arena_fini(&a);
    return 0;
}
