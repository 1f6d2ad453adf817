/* http/page: which file an address is, and how it is sent. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "reconciler/http/page.h"

static void test_an_address_is_a_file_or_the_document(void **state)
{
    static const struct {
        const char *asked, *path;
    } rows[] = {
        { "/", "index.html" },
        { "/environments/prod", "index.html" },
        { "/plans/5c1e09d2", "index.html" },
        { "/app/app.js", "app.js" },
        { "/app/style.css", "style.css" },
        { "/app/vendor/preact.js", "vendor/preact.js" },
        { "/app/", NULL },
        { "/app/nothing.js", NULL },
        { "/app/../app.js", NULL },
        { "/app/vendor/README.md", NULL },
        { "/app/embed.sh", NULL },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        const struct page_file *file = page_find(str_from_c(rows[i].asked));

        if (!!file != !!rows[i].path || (file && strcmp(file->path, rows[i].path) != 0))
            fail_msg("%s is %s", rows[i].asked, file ? file->path : "nothing");
    }
}

static void test_what_a_browser_takes(void **state)
{
    static const struct {
        const char *accepted;
        int takes;
    } rows[] = {
        { "gzip, deflate, br", 1 },
        { "br, GZIP", 1 },
        { "gzip;q=0.5", 1 },
        { "gzip;q=1.0", 1 },
        { "deflate , gzip ", 1 },
        { "", 0 },
        { "identity", 0 },
        { "br", 0 },
        { "gzip;q=0", 0 },
        { "gzip; q=0.000", 0 },
        { "x-gzip", 0 },
        { "gzipped", 0 },
        { ",,;q=1", 0 },
        { "*", 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (page_takes(str_from_c(rows[i].accepted), S("gzip")) != rows[i].takes)
            fail_msg("'%s' is taken the wrong way", rows[i].accepted);
}

static void test_who_asks_for_a_page(void **state)
{
    static const struct {
        const char *accepted;
        int takes;
    } rows[] = {
        { "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 1 },
        { "application/json, Text/HTML;q=0.1", 1 },
        { "*/*", 0 },
        { "text/*", 0 },
        { "text/html;q=0", 0 },
        { "text/html5", 0 },
        { "application/x;a=text/html", 0 },
        { "", 0 },
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        if (page_takes(str_from_c(rows[i].accepted), S("text/html")) != rows[i].takes)
            fail_msg("'%s' is taken the wrong way", rows[i].accepted);
}

static void test_each_file_has_a_tag_of_its_own_and_is_smaller(void **state)
{
    (void)state;
    assert_true(page_n_files > 3);
    for (size_t i = 0; i < page_n_files; i++) {
        const struct page_file *f = &page_files[i];

        assert_int_equal(strlen(f->tag), 32);
        assert_memory_equal(f->gz.p, "\x1f\x8b", 2);
        assert_true(f->raw.n && f->gz.n);
        if (f->raw.n > 512)
            assert_true(f->gz.n < f->raw.n);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(f->tag, page_files[k].tag);
    }
}

/* Otherwise one file names the next, and a browser far away asks once more for each. */
static void test_the_document_names_each_script_once(void **state)
{
    const struct page_file *document = page_find(str_from_c("/"));
    char *text = strndup(document->raw.p, document->raw.n);

    (void)state;
    for (size_t i = 0; i < page_n_files; i++) {
        const char *path = page_files[i].path, *at, *end = path + strlen(path);
        const char *form = strcmp(path, "app.js") == 0
                               ? "<script type=\"module\" src=\"/app/%s\">"
                               : "<link rel=\"modulepreload\" href=\"/app/%s\">";
        char link[256];

        if (end - path < 3 || strcmp(end - 3, ".js") != 0)
            continue;
        snprintf(link, sizeof link, form, path);
        at = strstr(text, link);
        if (!at || strstr(at + 1, link))
            fail_msg("'%s' is not in the document, or twice", link);
    }
    for (const char *at = text; (at = strstr(at, "/app/")); at++) {
        struct str rest = str_from_c(at);

        rest.n = strcspn(at, "\"");
        if (!page_find(rest))
            fail_msg("the document names '%.*s', which is no file", (int)rest.n, rest.p);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_is_a_file_or_the_document),
        cmocka_unit_test(test_what_a_browser_takes),
        cmocka_unit_test(test_who_asks_for_a_page),
        cmocka_unit_test(test_each_file_has_a_tag_of_its_own_and_is_smaller),
        cmocka_unit_test(test_the_document_names_each_script_once),
    };

    return cmocka_run_group_tests_name("http/page", tests, NULL, NULL);
}
