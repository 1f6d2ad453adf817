/* base/log: what comes from outside stays inside of its field. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* Whose stream $JOURNAL_STREAM names while a record is written. */
enum journal { NO_JOURNAL, JOURNAL_IS_OURS, JOURNAL_IS_ANOTHER };

static void given_journal(enum journal journal)
{
    char stream[64];
    struct stat st;

    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    (void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
                   (unsigned long long)st.st_ino + (journal == JOURNAL_IS_ANOTHER));
    if (journal == NO_JOURNAL)
        (void)unsetenv("JOURNAL_STREAM");
    else
        (void)setenv("JOURNAL_STREAM", stream, 1);
    log_begin();
}

static void given_line(enum journal journal, enum log_level level, const struct log_field *fields,
                       char *ret, size_t size)
{
    int ends[2], kept = dup(STDERR_FILENO);
    ssize_t n;

    assert_int_equal(pipe(ends), 0);
    (void)dup2(ends[1], STDERR_FILENO);
    given_journal(journal);
    log_write(level, "m", fields);
    (void)dup2(kept, STDERR_FILENO);
    log_begin();
    (void)close(kept);
    (void)close(ends[1]);
    n = read(ends[0], ret, size - 1);
    (void)close(ends[0]);
    ret[n > 0 ? n : 0] = 0;
}

/* The line that these fields give. */
static void given_fields(const struct log_field *fields, char *ret, size_t size)
{
    given_line(NO_JOURNAL, LOG_INFO, fields, ret, size);
}

static void given_record(struct str text, char *ret, size_t size)
{
    const struct log_field fields[] = { LOG_S("k", text), { NULL, STR_NONE } };

    given_fields(fields, ret, size);
}

static void test_foreign_text_is_escaped(void **state)
{
    static const struct {
        const char *sentence, *in, *out;
    } rows[] = {
        { "plain text stays", "api 200", "\"api 200\"" },
        { "letters of every script stay", "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5",
          "\"gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\"" },
        { "quotes and line ends are escaped", "a\"b\\\n", "\"a\\\"b\\\\\\u000a\"" },
        { "an escape sequence too", "\033[2J", "\"\\u001b[2J\"" },
        { "DEL and C1 controls too", "\x7f\xc2\x9b", "\"\\u007f\\u009b\"" },
        { "bidi and zero width too", "\xe2\x80\xae\xe2\x80\x8b", "\"\\u202e\\u200b\"" },
        { "the marks that turn Arabic around, and soft hyphens", "\xd8\x9c\xc2\xad",
          "\"\\u061c\\u00ad\"" },
        { "letters of flags that are written unseen", "\xf3\xa0\x81\xa1", "\"\\udb40\\udc61\"" },
        { "what is no UTF-8 is said to be none", "a\xff\xc0\x9b", "\"a\\ufffd\\ufffd\\ufffd\"" },
        { "a cut character too", "\xe6\x97", "\"\\ufffd\\ufffd\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[512];

        print_message("  %s\n", rows[i].sentence);
        given_record(str_from_c(rows[i].in), line, sizeof(line));
        if (!strstr(line, rows[i].out))
            assert_string_equal(line, rows[i].out);
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    }
}

static void test_a_record_says_what_its_thread_works_for(void **state)
{
    const struct log_field work[] = {
        LOG_C("req", "17"), LOG_C("env", "prod"), LOG_C("op", ""), { NULL, STR_NONE }
    };
    const struct {
        const char *sentence;
        const struct log_field *work;
        const char *name, *has, *has_not;
    } rows[] = {
        { "all of it", work, "k", "\"req\":\"17\",\"env\":\"prod\",\"k\":\"v\"", "\"op\"" },
        { "what the record says itself counts", work, "env", "\"req\":\"17\",\"env\":\"v\"",
          "prod" },
        { "nothing", NULL, "k", "\"k\":\"v\"", "req" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct log_field fields[] = { LOG_C(rows[i].name, "v"), { NULL, STR_NONE } };
        char line[512];

        print_message("  %s\n", rows[i].sentence);
        log_about(rows[i].work);
        given_fields(fields, line, sizeof(line));
        log_about(NULL);
        if (!strstr(line, rows[i].has) || strstr(line, rows[i].has_not))
            assert_string_equal(line, rows[i].has);
    }
}

static void test_a_long_text_is_cut_and_its_record_ends(void **state)
{
    static char text[20000];
    char line[10000];

    (void)state;
    memset(text, '\xe6', sizeof(text));
    given_record((struct str){ text, sizeof(text) }, line, sizeof(line));
    assert_string_equal(line + strlen(line) - 3, "\"}\n");
}

/* Each text is cut for itself: what stands behind it is said, and the record ends. */
static void test_long_texts_leave_room_for_each_other(void **state)
{
    static char text[20000];
    const struct str long_text = { text, sizeof(text) };
    const struct log_field fields[] = { LOG_S("a", long_text), LOG_S("b", long_text),
                                        LOG_C("env", "prod"),  LOG_S("c", long_text),
                                        LOG_C("last", "said"), { NULL, STR_NONE } };
    static const char fills[] = { 'x', '\n', '"', '\xff' };
    char line[10000];

    (void)state;
    for (size_t i = 0; i < sizeof(fills); i++) {
        memset(text, fills[i], sizeof(text));
        given_fields(fields, line, sizeof(line));
        assert_non_null(strstr(line, ",\"env\":\"prod\",\"c\":\""));
        assert_string_equal(line + strlen(line) - 17, "\",\"last\":\"said\"}\n");
    }
}

static void test_too_many_fields_end_too(void **state)
{
    static char text[20000];
    struct log_field fields[33] = { { NULL, STR_NONE } };
    char line[10000];

    (void)state;
    memset(text, '\n', sizeof(text));
    for (size_t i = 0; i < 32; i++)
        fields[i] = (struct log_field)LOG_S("k", ((struct str){ text, sizeof(text) }));
    given_fields(fields, line, sizeof(line));
    assert_string_equal(line + strlen(line) - 3, "\"}\n");
}

static void test_who_reads_is_the_journal(void **state)
{
    static const struct {
        const char *sentence, *stream;
        uint64_t device, inode;
        int is_journal;
    } rows[] = {
        { "device and inode", "9:128404586", 9, 128404586, 1 },
        { "the largest ones", "18446744073709551615:18446744073709551615", UINT64_MAX, UINT64_MAX,
          1 },
        { "no systemd", NULL, 9, 128404586, 0 },
        { "nothing", "", 0, 0, 0 },
        { "another device", "8:128404586", 9, 128404586, 0 },
        { "another inode", "9:12840458", 9, 128404586, 0 },
        { "turned round", "128404586:9", 9, 128404586, 0 },
        { "one number", "9", 9, 0, 0 },
        { "more behind it", "9:128404586:1", 9, 128404586, 0 },
        { "another way to write it", "09:128404586", 9, 128404586, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("  %s\n", rows[i].sentence);
        assert_int_equal(log_is_journal(rows[i].stream, rows[i].device, rows[i].inode),
                         rows[i].is_journal);
    }
}

/* sd-daemon(3): 3 error, 4 warning, 6 informational, 7 debug. */
static void test_the_journal_is_told_how_grave_a_line_is(void **state)
{
    static const struct {
        const char *sentence;
        enum journal journal;
        enum log_format format;
        enum log_level level;
        const char *begins, *has;
    } rows[] = {
        { "an error", JOURNAL_IS_OURS, LOG_JSON, LOG_ERROR, "<3>{\"ts\":", "\"error\"" },
        { "a warning", JOURNAL_IS_OURS, LOG_JSON, LOG_WARN, "<4>{\"ts\":", "\"warn\"" },
        { "a change", JOURNAL_IS_OURS, LOG_JSON, LOG_INFO, "<6>{\"ts\":", "\"info\"" },
        { "a move", JOURNAL_IS_OURS, LOG_JSON, LOG_DEBUG, "<7>{\"ts\":", "\"debug\"" },
        { "an error as text", JOURNAL_IS_OURS, LOG_TEXT, LOG_ERROR, "<3>2", " error m" },
        { "not the journal", NO_JOURNAL, LOG_JSON, LOG_ERROR, "{\"ts\":", "\"error\"" },
        { "nor as text", NO_JOURNAL, LOG_TEXT, LOG_ERROR, "2", " error m" },
        { "the journal of whoever started us, and not ours", JOURNAL_IS_ANOTHER, LOG_JSON,
          LOG_ERROR, "{\"ts\":", "\"error\"" },
    };
    static const struct log_field none[] = { { NULL, STR_NONE } };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[512];

        print_message("  %s\n", rows[i].sentence);
        log_setup(LOG_DEBUG, rows[i].format);
        given_line(rows[i].journal, rows[i].level, none, line, sizeof(line));
        log_setup(LOG_INFO, LOG_JSON);
        if (strncmp(line, rows[i].begins, strlen(rows[i].begins)) || !strstr(line, rows[i].has))
            assert_string_equal(line, rows[i].begins);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_text_is_escaped),
        cmocka_unit_test(test_a_record_says_what_its_thread_works_for),
        cmocka_unit_test(test_a_long_text_is_cut_and_its_record_ends),
        cmocka_unit_test(test_long_texts_leave_room_for_each_other),
        cmocka_unit_test(test_too_many_fields_end_too),
        cmocka_unit_test(test_who_reads_is_the_journal),
        cmocka_unit_test(test_the_journal_is_told_how_grave_a_line_is),
    };

    return cmocka_run_group_tests_name("sys log", tests, NULL, NULL);
}
