/* test_config.c - the command line stands above the environment, that above the default; mistakes are refused. */
#include "testing.h"

#include <fcntl.h>

#include "config.h"

struct options {
    const char *data, *mode;
    int64_t port;
    bool loud;
};

static const struct option_row rows[] = {
    OPTION_TEXT(struct options, data, "--data", "TEST_DATA", "DIR", NULL, "folder"),
    OPTION_CHOICE(struct options, mode, "--mode", "TEST_MODE", "full|normal", "normal", "how"),
    OPTION_INT(struct options, port, "--port", "TEST_PORT", "N", "8080", 0, 65535, "port"),
    OPTION_FLAG(struct options, loud, "--loud", "say more"),
};

static const struct command_line command = {
    .usage = "test [OPTIONS] WORD [WORD]", .about = "", .rows = rows, .row_count = 4, .words_min = 1, .words_max = 2};

static struct options o;
static const char *words[2];
static int word_count;

/* The test's output must not hold what the parser has to say. */
static enum parse_result parse(char **argv)
{
    int argc = 0, null = open("/dev/null", O_WRONLY), out = dup(1), err = dup(2);
    while (argv[argc]) argc++;
    fflush(stdout);
    dup2(null, 1), dup2(null, 2);
    enum parse_result r = options_parse(&command, &o, argc, argv, words, &word_count);
    fflush(stdout);
    dup2(out, 1), dup2(err, 2);
    close(null), close(out), close(err);
    return r;
}

#define PARSE(...) parse((char *[]){"test", __VA_ARGS__, NULL})

static int clean(void **state)
{
    (void)state;
    unsetenv("TEST_DATA"), unsetenv("TEST_MODE"), unsetenv("TEST_PORT");
    return 0;
}

static void defaults_hold(void **state)
{
    (void)state;
    assert_int_equal(PARSE("word"), PARSE_OK);
    assert_null(o.data);
    assert_string_equal(o.mode, "normal");
    assert_int_equal(o.port, 8080);
    assert_false(o.loud);
    assert_int_equal(word_count, 1);
}

static void environment_then_command_line(void **state)
{
    (void)state;
    setenv("TEST_PORT", "9000", 1);
    setenv("TEST_DATA", "/from/env", 1);
    assert_int_equal(PARSE("word"), PARSE_OK);
    assert_int_equal(o.port, 9000);
    assert_string_equal(o.data, "/from/env");
    assert_int_equal(PARSE("--port", "1", "word", "--data=/from/flag", "--loud"), PARSE_OK);
    assert_int_equal(o.port, 1);
    assert_string_equal(o.data, "/from/flag");
    assert_true(o.loud);
}

static void words_and_negative_numbers(void **state)
{
    (void)state;
    assert_int_equal(PARSE("account", "-5"), PARSE_OK);
    assert_string_equal(words[1], "-5");
    assert_int_equal(PARSE("--", "--port"), PARSE_OK);
    assert_string_equal(words[0], "--port");
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--loud"), PARSE_WRONG);           /* a word is missing */
    assert_int_equal(PARSE("a", "b", "c"), PARSE_WRONG);      /* one too many */
    assert_int_equal(PARSE("a", "--por", "1"), PARSE_WRONG);  /* no such option */
    assert_int_equal(PARSE("a", "--port"), PARSE_WRONG);      /* no value */
    assert_int_equal(PARSE("a", "--port", "65536"), PARSE_WRONG);
    assert_int_equal(PARSE("a", "--port", "-1"), PARSE_WRONG);
    assert_int_equal(PARSE("a", "--port", "80x"), PARSE_WRONG);
    assert_int_equal(PARSE("a", "--port", ""), PARSE_WRONG);
    assert_int_equal(PARSE("a", "--port", "99999999999999999999"), PARSE_WRONG);
    assert_int_equal(PARSE("a", "--mode", "ful"), PARSE_WRONG);
    assert_int_equal(PARSE("a", "--mode", ""), PARSE_WRONG);
    assert_int_equal(PARSE("a", "--loud=yes"), PARSE_WRONG);
    setenv("TEST_PORT", "many", 1);
    assert_int_equal(PARSE("a"), PARSE_WRONG);
}

static void help_wins(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--port", "x", "--help"), PARSE_HELP);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, clean)
    const struct CMUnitTest tests[] = {
        TEST(defaults_hold), TEST(environment_then_command_line), TEST(words_and_negative_numbers),
        TEST(mistakes_are_refused), TEST(help_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
