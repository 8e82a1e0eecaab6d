/* test_base.c - errors, clock, identifiers, log lines. */
#include "testing.h"

#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/uuid.h"
#include "base/worker.h"

static void error_fills_and_returns_false(void **state)
{
    struct error e;
    (void)state;
    assert_false(error_set(&e, ERR_DOCUMENT_TOO_LONG, "document_text", "limit %d, found %d", 50000, 50001));
    assert_string_equal(e.message, "limit 50000, found 50001");
    assert_string_equal(e.param, "document_text");
    assert_int_equal(error_http_status(e.code), 400);
    assert_string_equal(error_code_name(e.code), "document_too_long");
    assert_string_equal(error_type_name(ERR_TIMEOUT), "timeout_error");
    assert_int_equal(e.retry_after_s, 0);
}

static void error_message_is_cut_not_overrun(void **state)
{
    struct error e;
    char long_text[2000];
    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    error_set(&e, ERR_INTERNAL, long_text, "%s", long_text);
    assert_int_equal(strlen(e.message), sizeof e.message - 1);
    assert_int_equal(strlen(e.param), sizeof e.param - 1);
}

static void error_codes_read_back(void **state)
{
    (void)state;
    for (int i = 1; i < ERR_COUNT; i++) assert_int_equal(error_code_parse(error_code_name((enum error_code)i)), i);
    assert_int_equal(error_code_parse("no such code"), ERR_INTERNAL);
}

static void clock_writes_iso(void **state)
{
    char iso[CLOCK_ISO_CHARS + 1];
    (void)state;
    clock_iso8601(0, iso);
    assert_string_equal(iso, "1970-01-01T00:00:00.000Z");
    clock_iso8601(INT64_C(1768473000123), iso);
    assert_string_equal(iso, "2026-01-15T10:30:00.123Z");
}

static void uuids_differ_and_sort_by_time(void **state)
{
    char a[UUID_CHARS + 1], b[UUID_CHARS + 1];
    (void)state;
    uuid_make(a);
    usleep(2000);
    uuid_make(b);
    assert_true(uuid_well_formed(a) && uuid_well_formed(b));
    assert_int_equal(a[14], '7');
    assert_true(strchr("89ab", a[19]) != NULL);
    assert_true(strcmp(a, b) < 0);
}

static void uuid_form_is_checked(void **state)
{
    (void)state;
    assert_true(uuid_well_formed("01A20a8f-6fe2-7193-8138-88e638168d38"));
    assert_false(uuid_well_formed(""));
    assert_false(uuid_well_formed("01a20a8f-6fe2-7193-8138-88e638168d3"));
    assert_false(uuid_well_formed("01a20a8f-6fe2-7193-8138-88e638168d388"));
    assert_false(uuid_well_formed("01a20a8f-6fe2-7193-8138-88e638168d3g"));
    assert_false(uuid_well_formed("01a20a8f06fe2-7193-8138-88e638168d38"));
}

/* What the calls inside wrote to stderr. */
#define CAPTURE(out, size, calls)                                    \
    do {                                                             \
        int pipe_ends[2], kept = dup(STDERR_FILENO);                 \
        assert_int_equal(pipe(pipe_ends), 0);                        \
        dup2(pipe_ends[1], STDERR_FILENO);                           \
        calls;                                                       \
        dup2(kept, STDERR_FILENO);                                   \
        close(kept);                                                 \
        close(pipe_ends[1]);                                         \
        ssize_t got = read(pipe_ends[0], (out), (size) - 1);         \
        (out)[got > 0 ? got : 0] = '\0';                             \
        close(pipe_ends[0]);                                         \
    } while (0)

static void log_line_is_json_whatever_it_holds(void **state)
{
    char out[8192];
    (void)state;
    CAPTURE(out, sizeof out,
            log_info("req-1", "it \"works\"\n\t\\", LOG_STR("s", "\x01\x7f\""), LOG_INT("i", -5), LOG_REAL("r", 0.5),
                     LOG_STR("none", NULL)));
    json_t *line = json_loads(out, 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "msg")), "it \"works\"\n\t\\");
    assert_string_equal(json_string_value(json_object_get(line, "s")), "\x01\x7f\"");
    assert_string_equal(json_string_value(json_object_get(line, "request_id")), "req-1");
    assert_string_equal(json_string_value(json_object_get(line, "level")), "info");
    assert_int_equal(json_integer_value(json_object_get(line, "i")), -5);
    assert_true(json_is_null(json_object_get(line, "none")));
    assert_int_equal(out[strlen(out) - 1], '\n');
    json_decref(line);
}

static void log_line_too_long_stays_json(void **state)
{
    char out[8192], huge[LOG_LINE_MAX + 100];
    (void)state;
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    CAPTURE(out, sizeof out, log_warn(NULL, "m", LOG_INT("before", 1), LOG_STR("huge", huge)));
    json_t *line = json_loads(out, 0, NULL);
    assert_non_null(line);
    assert_int_equal(json_integer_value(json_object_get(line, "before")), 1);
    assert_null(json_object_get(line, "huge"));
    json_decref(line);
}

static void log_threshold_holds(void **state)
{
    char out[512];
    enum log_level level;
    (void)state;
    assert_true(log_level_parse("error", &level));
    assert_false(log_level_parse("loud", &level));
    log_set_level(level);
    CAPTURE(out, sizeof out, log_warn(NULL, "quiet"); log_error(NULL, "loud"));
    log_set_level(LOG_INFO);
    assert_null(strstr(out, "quiet"));
    assert_non_null(strstr(out, "loud"));
}

static void count(void *arg) { ++*(int *)arg; }

static void worker_refuses_once_stopped(void **state)
{
    int ran = 0;
    struct worker *worker = worker_open(2);
    (void)state;
    assert_non_null(worker);
    assert_true(worker_post(worker, count, &ran));
    worker_stop(worker);
    assert_int_equal(ran, 1);
    assert_false(worker_post(worker, count, &ran)); /* whoever still holds it is told so */
    worker_close(worker);
    assert_int_equal(ran, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_fills_and_returns_false), cmocka_unit_test(error_message_is_cut_not_overrun),
        cmocka_unit_test(error_codes_read_back),         cmocka_unit_test(clock_writes_iso),
        cmocka_unit_test(uuids_differ_and_sort_by_time), cmocka_unit_test(uuid_form_is_checked),
        cmocka_unit_test(log_line_is_json_whatever_it_holds), cmocka_unit_test(log_line_too_long_stays_json),
        cmocka_unit_test(log_threshold_holds), cmocka_unit_test(worker_refuses_once_stopped),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
