/* The pure parts of the edge: words, keys, answers of the proxy, maps. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/guard.h"
#include "providers/haproxy/render.h"
#include "providers/haproxy/runtime.h"
#include "providers/haproxy/words.h"
#include "specs/json_io.h"

struct word_row {
    const char *sentence;
    int (*is)(struct str s);
    const char *text;
    int want;
};

static const struct word_row word_rows[] = {
    { "a key of the maps is a word", haproxy_word_is, "7:env-1:app.test/a_b~c/", 1 },
    { "a semicolon is refused", haproxy_word_is, "a;b", 0 },
    { "a space is refused", haproxy_word_is, "a b", 0 },
    { "a line end is refused", haproxy_word_is, "a\n", 0 },
    { "nothing is no word", haproxy_word_is, "", 0 },
    { "a quote is refused", haproxy_word_is, "a\"b", 0 },
    { "a dollar is refused", haproxy_word_is, "$(x)", 0 },
    { "an environment is a uid", haproxy_environment_is, "0190b2f27d3c7c", 1 },
    { "a colon splits no environment", haproxy_environment_is, "a:b", 0 },
    { "a host has labels", haproxy_host_is, "app.example-1.com", 1 },
    { "a host is lower case", haproxy_host_is, "App.com", 0 },
    { "a final dot is not written", haproxy_host_is, "app.com.", 0 },
    { "no label is empty", haproxy_host_is, "app..com", 0 },
    { "no label begins with a hyphen", haproxy_host_is, "-a.com", 0 },
    { "a host has no port", haproxy_host_is, "app.com:80", 0 },
    { "the root is a path", haproxy_path_is, "/", 1 },
    { "a path may end with a slash", haproxy_path_is, "/api/", 1 },
    { "a path begins with a slash", haproxy_path_is, "api", 0 },
    { "an empty segment is refused", haproxy_path_is, "/a//b", 0 },
    { "two final slashes are refused", haproxy_path_is, "/a//", 0 },
    { "a dot segment is refused", haproxy_path_is, "/a/../b", 0 },
    { "a name may begin with dots", haproxy_path_is, "/..a/.well-known", 1 },
    { "a percent sign is refused", haproxy_path_is, "/%2e", 0 },
    { "a server is IPv4:PORT", haproxy_server_is, "127.0.0.1:9001", 1 },
    { "a server has no name", haproxy_server_is, "localhost:9001", 0 },
    { "a server has a port", haproxy_server_is, "127.0.0.1", 0 },
    { "an octet ends at 255", haproxy_server_is, "127.0.0.256:1", 0 },
    { "an octet is not octal", haproxy_server_is, "127.0.0.01:1", 0 },
    { "four octets", haproxy_server_is, "127.0.1:80", 0 },
    { "a port ends at 65535", haproxy_server_is, "127.0.0.1:65536", 0 },
    { "bind takes any address", haproxy_bind_is, "*:80", 1 },
    { "bind takes IPv6", haproxy_bind_is, "[::1]:8080", 1 },
    { "bind takes nothing more", haproxy_bind_is, "127.0.0.1:80 ssl", 0 },
};

static void test_word(void **state)
{
    const struct word_row *row = *state;

    assert_int_equal(row->is(str_from_c(row->text)), row->want);
}

static void test_route_key(void **state)
{
    AUTO_ARENA struct arena a;

    (void)state;
    arena_init(&a, 0);
    assert_true(str_eq_c(haproxy_route_key(&a, S("a.test"), S("/"), 0), "a.test/"));
    assert_true(str_eq_c(haproxy_route_key(&a, S("a.test"), S("/api"), 0), "a.test/api/"));
    assert_true(str_eq_c(haproxy_route_key(&a, S("a.test"), S("/api/"), 0), "a.test/api/"));
    assert_true(str_eq_c(haproxy_route_key(&a, S(""), S("/"), 21003), ":21003/"));
}

static void test_range(void **state)
{
    int64_t first = 0, last = 0;

    (void)state;
    assert_int_equal(haproxy_range_parse(S("21000-21255"), &first, &last), 0);
    assert_int_equal(first, 21000);
    assert_int_equal(last, 21255);
    assert_int_equal(haproxy_range_parse(S("21000"), &first, &last), 0);
    assert_int_equal(last, 21000);
    assert_int_equal(haproxy_range_parse(S("5-4"), &first, &last), -1);
    assert_int_equal(haproxy_range_parse(S("1-2-3"), &first, &last), -1);
    assert_int_equal(haproxy_range_parse(S("0-4"), &first, &last), -1);
    assert_int_equal(haproxy_range_parse(S(""), &first, &last), -1);
}

static void test_stats_are_read_by_column_name(void **state)
{
    static const char text[] =
        "# pxname,svname,qcur,scur,econ,eresp,wretr,wredis,status,hrsp_5xx,req_tot,cli_abrt,addr,\n"
        "b1,s0,0,3,,,1,2,no check,4,,5,127.0.0.1:9002,\n"
        "b1,BACKEND,6,7,8,9,10,11,UP,12,13,14,,\n";
    AUTO_ARENA struct arena a;
    struct haproxy_stats stats;
    const struct haproxy_stat *row;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(haproxy_stats_parse(&a, str_from_c(text), &stats), 0);
    assert_int_equal(stats.rows.n, 2);
    row = haproxy_stats_find(&stats, S("s0"));
    assert_non_null(row);
    assert_true(str_eq_c(row->address, "127.0.0.1:9002"));
    assert_true(str_eq_c(row->status, "no check"));
    assert_int_equal(row->current, 3);
    assert_int_equal(row->errors_connect, 0);
    row = haproxy_stats_find(&stats, S("BACKEND"));
    assert_non_null(row);
    assert_int_equal(row->queued + row->current, 13);
    assert_int_equal(row->errors_connect, 8);
    assert_int_equal(row->errors_response, 9);
    assert_int_equal(row->retries, 10);
    assert_int_equal(row->redispatches, 11);
    assert_int_equal(row->responses_5xx, 12);
    assert_int_equal(row->requests, 13);
    assert_int_equal(row->aborted_client, 14);
    assert_int_equal(haproxy_stats_parse(&a, S("No such proxy."), &stats), -1);
    assert_int_equal(haproxy_stats_parse(&a, S("# pxname,svname\nb1,s0\n"), &stats), -1);
}

static void test_map_answer(void **state)
{
    AUTO_ARENA struct arena a;
    struct haproxy_map map;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(haproxy_map_parse(&a, S("0x55 b 2\n0x7f a 1\n\n"), &map), 0);
    assert_true(str_eq_c(haproxy_map_text(&a, &map), "a 1\nb 2\n"));
    assert_int_equal(haproxy_map_parse(&a, S(""), &map), 0);
    assert_int_equal(map.entries.n, 0);
    assert_int_equal(haproxy_map_parse(&a, S("Unknown map identifier."), &map), -1);
}

static void test_info_line(void **state)
{
    (void)state;
    assert_true(
        str_eq_c(haproxy_info_find(S("Name: HAProxy\nPid: 42\nUptime: 0\n"), S("Pid")), "42"));
    assert_null(haproxy_info_find(S("Name: HAProxy\n"), S("Pid")).p);
}

/* --- maps --- */

static const char maps_conf[] = "{\"directory\":\"/d\",\"http\":\"127.0.0.1:8080\",\"internal\":"
                                "\"21000-21003\",\"pool\":{\"backends\":4,\"slots\":2}}";

static void given_model(struct arena *a, struct haproxy_model *m)
{
    struct haproxy_conf conf;
    struct value *body = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(json_parse(a, str_from_c(maps_conf), 4096, &body, &err), 0);
    assert_int_equal(haproxy_conf_read(a, body, &conf, &err), 0);
    haproxy_model_init(m, a, &conf);
}

static void given_record(struct haproxy_model *m, const char *type, const char *id,
                         const char *body)
{
    struct haproxy_record *r = haproxy_model_add(m, str_from_c(type), str_from_c(id), S("rv1x"),
                                                 S("name"));
    struct value *v = NULL;
    struct err err = ERR_INIT;

    assert_non_null(r);
    assert_int_equal(json_parse(m->arena, str_from_c(body), 65536, &v, &err), 0);
    r->body = v;
}

static void test_new_routes_change_nothing_before_the_switch(void **state)
{
    AUTO_ARENA struct arena a;
    struct haproxy_model m;
    struct haproxy_maps maps;

    (void)state;
    arena_init(&a, 0);
    given_model(&a, &m);
    given_record(&m, "routes", "e/1",
                 "{\"environment\":\"e\",\"generation\":1,\"routes\":["
                 "{\"route\":\"w\",\"host\":\"a.test\",\"path\":\"/\",\"backend\":\"b0\"},"
                 "{\"route\":\"o\",\"host\":\"a.test\",\"path\":\"/old\",\"backend\":\"b1\"}]}");
    given_record(&m, "routes", "e/2",
                 "{\"environment\":\"e\",\"generation\":2,\"routes\":["
                 "{\"route\":\"w\",\"host\":\"a.test\",\"path\":\"/\",\"backend\":\"b2\"},"
                 "{\"route\":\"n\",\"host\":\"a.test\",\"path\":\"/new\",\"backend\":\"b3\"},"
                 "{\"route\":\"i\",\"host\":\"\",\"port\":21003,\"backend\":\"b3\"}]}");
    given_record(&m, "switch", "e", "{\"environment\":\"e\",\"generation\":1}");
    haproxy_maps_make(&m, &maps);
    assert_string_equal(haproxy_map_text(&a, &maps.m[HAPROXY_MAP_R]).p,
                        ":21003/ e::21003/\na.test/ e:a.test/\na.test/new/ e:a.test/new/\n"
                        "a.test/old/ e:a.test/old/\n");
    assert_string_equal(haproxy_map_text(&a, &maps.m[HAPROXY_MAP_SETS]).p,
                        "1:e:a.test/ b0\n1:e:a.test/new/ b0\n1:e:a.test/old/ b1\n"
                        "2:e::21003/ b3\n2:e:a.test/ b2\n2:e:a.test/new/ b3\n2:e:a.test/old/ b2\n");
    assert_string_equal(haproxy_map_text(&a, &maps.m[HAPROXY_MAP_GEN]).p, "e 1\n");
    assert_string_equal(haproxy_map_text(&a, &maps.m[HAPROXY_MAP_PATHS]).p, "a.test 1\n");
}

static void test_records_survive_in_the_rendered_file(void **state)
{
    AUTO_ARENA struct arena a;
    struct haproxy_model m, again;
    struct err err = ERR_INIT;
    struct str text;
    size_t n_rules, n = 0;

    (void)state;
    arena_init(&a, 0);
    given_model(&a, &m);
    m.epoch = 7;
    given_record(&m, "backend", "b2",
                 "{\"slots\":[\"127.0.0.1:9001\",\"\"],\"label\":{\"env\":\"x\\ny\"}}");
    given_record(&m, "address", "21001", "{\"label\":{}}");
    text = haproxy_render(&m, &n_rules);
    assert_int_equal(str_find(text, S("backend b2\n    # rv backend b2 rv1x {")) != STR_NPOS, 1);
    assert_int_equal(
        str_find(text, S("    server s0 127.0.0.1:9001\n    server s1 127.0.0.1:1 disabled")) !=
            STR_NPOS,
        1);
    assert_int_equal(haproxy_model_parse(&a, text, &m.conf, &again, &err), 0);
    assert_int_equal(again.epoch, 7);
    assert_int_equal(again.conf.n_backends, 4);
    assert_non_null(haproxy_model_find_owner(&again, S("backend"), S("rv1x"), &n));
    assert_int_equal(n, 1);
    assert_true(str_eq(haproxy_render(&again, &n_rules), text));
    assert_true(str_eq_c(haproxy_model_glance(text, S("address"), S("rv1x")).id, "21001"));
    assert_null(haproxy_model_glance(text, S("switch"), S("rv1x")).id.p);
}

static void test_a_broken_record_is_corrupt(void **state)
{
    AUTO_ARENA struct arena a;
    struct haproxy_model m, again;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 0);
    given_model(&a, &m);
    assert_int_equal(
        haproxy_model_parse(&a, S("global\n# rv {\"type\":\n# the end\n"), &m.conf, &again, &err),
        ERR_CORRUPT);
    assert_int_equal(str_find(str_from_c(err.text), S("line 2")), 0);
    assert_int_equal(haproxy_model_parse(&a, S("global\n"), &m.conf, &again, &err), ERR_CORRUPT);
}

static void test_the_pool_is_taken_in_turn(void **state)
{
    AUTO_ARENA struct arena a;
    struct haproxy_model m;

    (void)state;
    arena_init(&a, 0);
    given_model(&a, &m);
    for (int i = 0; i < 4; i++) {
        char want[] = { 'b', (char)('0' + i), 0 };
        struct str id = haproxy_model_take_backend(&m);

        assert_true(str_eq_c(id, want));
        given_record(&m, "backend", id.p, "{}");
    }
    assert_null(haproxy_model_take_backend(&m).p);
    haproxy_model_remove(&m, haproxy_model_find(&m, S("backend"), S("b1")));
    haproxy_model_remove(&m, haproxy_model_find(&m, S("backend"), S("b2")));
    assert_true(str_eq_c(haproxy_model_take_backend(&m), "b1"));
    assert_true(str_eq_c(haproxy_model_take_backend(&m), "b2")); /* b1 was given last */
    assert_true(str_eq_c(haproxy_model_take_port(&m), "21000"));
    assert_true(str_eq_c(haproxy_model_take_port(&m), "21001"));
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMENTS(word_rows) + 16] = { 0 };
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_route_key),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_stats_are_read_by_column_name),
        cmocka_unit_test(test_map_answer),
        cmocka_unit_test(test_info_line),
        cmocka_unit_test(test_new_routes_change_nothing_before_the_switch),
        cmocka_unit_test(test_records_survive_in_the_rendered_file),
        cmocka_unit_test(test_a_broken_record_is_corrupt),
        cmocka_unit_test(test_the_pool_is_taken_in_turn),
    };
    size_t n = 0;

    for (; n < N_ELEMENTS(word_rows); n++)
        tests[n] = (struct CMUnitTest){ word_rows[n].sentence, test_word, NULL, NULL,
                                        (void *)(uintptr_t)&word_rows[n] };
    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        tests[n++] = others[i];
    return _cmocka_run_group_tests("haproxy words", tests, n, NULL, NULL);
}
