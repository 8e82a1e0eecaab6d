/* The breaker, and the pool with scripted probes. */
#include "testing.h"

#include <pthread.h>
#include <sodium.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/upstream.h"

enum { UPSTREAMS = 3, WAIT_MS = 5000 };
static const char *const urls[UPSTREAMS] = {"http://a", "http://b", "http://c"};

static struct { _Atomic int right[UPSTREAMS], full[UPSTREAMS], slow_ms; } script;

static void nap(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

static bool scripted_probe(void *arg, const char *url, bool full, const atomic_bool *stop, struct upstream_traits *traits, char why[UPSTREAM_WHY_CHARS])
{
    int i = url[7] - 'a';
    (void)arg, (void)stop;
    nap(script.slow_ms);
    script.full[i] += full;
    snprintf(traits->model, sizeof traits->model, "model-%c", url[7]);
    traits->context = (size_t)(i + 1) * 1000;
    snprintf(why, UPSTREAM_WHY_CHARS, "told to fail");
    return script.right[i];
}

static struct pool *open_pool(int count, int concurrency, const int *right)
{
    struct error e;
    memset(&script, 0, sizeof script);
    for (int i = 0; i < count; i++)
        script.right[i] = right[i];
    struct pool_options options = {.urls = urls, .count = count, .concurrency = concurrency, .probe = scripted_probe};
    struct pool *pool = pool_open(&options, &e);
    assert_non_null(pool);
    return pool;
}

static void wait_until_probed(int count)
{
    int64_t end = clock_monotonic_ns() + WAIT_MS * NS_PER_MS;
    for (int i = 0; i < count; i++)
        while (!script.full[i] && clock_monotonic_ns() < end)
            nap(1);
    nap(20); /* for the keeper to note it */
}

static void failures_open_the_breaker_and_bad_answers_only_raise_doubt(void **state)
{
    (void)state;
    struct breaker b = {0};
    assert_int_equal(breaker_note(&b, OUTCOME_FAILED), BREAKER_FINE);
    assert_int_equal(breaker_note(&b, OUTCOME_FAILED), BREAKER_FINE);
    assert_int_equal(breaker_note(&b, OUTCOME_OK), BREAKER_FINE);
    assert_int_equal(breaker_note(&b, OUTCOME_FAILED), BREAKER_FINE);
    assert_int_equal(breaker_note(&b, OUTCOME_NEUTRAL), BREAKER_FINE);
    assert_int_equal(breaker_note(&b, OUTCOME_FAILED), BREAKER_FINE);
    assert_int_equal(breaker_note(&b, OUTCOME_FAILED), BREAKER_OPEN);
    b = (struct breaker){0};
    for (int i = 0; i < 100; i++)
        assert_int_equal(breaker_note(&b, OUTCOME_BAD), i % 3 == 2 ? BREAKER_PROBE : BREAKER_FINE);
    b = (struct breaker){0};
    for (int i = 0; i < 14; i++)
        assert_int_equal(breaker_note(&b, i % 2 ? OUTCOME_OK : OUTCOME_FAILED), BREAKER_FINE);
    assert_int_equal(breaker_note(&b, OUTCOME_FAILED), BREAKER_OPEN); /* the 8th of 16 */
}

static void waits_double_up_to_a_minute(void **state)
{
    (void)state;
    const int expected[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (int i = 0; i < 8; i++)
        assert_int_equal(breaker_wait_ms(i), expected[i]);
    assert_int_equal(breaker_wait_ms(1000000), 60000);
}

static void the_least_loaded_that_is_up_is_taken(void **state)
{
    (void)state;
    int retry, taken[UPSTREAMS] = {0};
    struct lease leases[4];
    struct pool *pool = open_pool(3, 2, (int[]){1, 0, 1});
    wait_until_probed(3);
    for (int i = 0; i < 4; i++) {
        assert_true(pool_take(pool, 0, &leases[i], &retry));
        taken[leases[i].index]++;
    }
    assert_int_equal(taken[0], 2);
    assert_int_equal(taken[1], 0);
    assert_int_equal(taken[2], 2);
    assert_string_equal(leases[0].traits.model, leases[0].index ? "model-c" : "model-a");
    assert_int_equal(pool_context(pool, &retry), 1000);
    for (int i = 0; i < 4; i++)
        pool_give(pool, &leases[i], OUTCOME_OK, -1, "");
    assert_true(pool_take(pool, 1u << 0, &leases[0], &retry));
    assert_int_equal(leases[0].index, 2);
    pool_give(pool, &leases[0], OUTCOME_OK, -1, "");
    assert_true(pool_take(pool, 5, &leases[0], &retry)); /* all are to be avoided: one of them all the same */
    pool_give(pool, &leases[0], OUTCOME_OK, -1, "");
    pool_close(pool);
}

static void nothing_is_taken_while_all_are_down_until_a_canary_is_right_again(void **state)
{
    (void)state;
    int retry = 0;
    struct lease lease;
    struct pool *pool = open_pool(1, 8, (int[]){1});
    for (int i = 0; i < 3; i++) {
        assert_true(pool_take(pool, 0, &lease, &retry)); /* the first waits for the first probe */
        pool_give(pool, &lease, OUTCOME_FAILED, -1, "");
    }
    assert_false(pool_take(pool, 0, &lease, &retry));
    assert_in_range(retry, 1, 2);
    assert_int_equal(pool_context(pool, &retry), 0);
    int64_t end = clock_monotonic_ns() + WAIT_MS * NS_PER_MS;
    while (!pool_take(pool, 0, &lease, &retry)) {
        assert_true(clock_monotonic_ns() < end);
        nap(10);
    }
    assert_int_equal(script.full[0], 2);
    pool_give(pool, &lease, OUTCOME_OK, -1, "");
    pool_close(pool);
}

static void doubt_is_settled_by_a_canary_while_traffic_goes_on(void **state)
{
    (void)state;
    int retry;
    struct lease lease;
    struct pool *pool = open_pool(1, 8, (int[]){1});
    for (int i = 0; i < 3; i++) {
        assert_true(pool_take(pool, 0, &lease, &retry));
        pool_give(pool, &lease, OUTCOME_BAD, -1, "");
    }
    assert_true(pool_take(pool, 0, &lease, &retry));
    pool_give(pool, &lease, OUTCOME_OK, -1, "");
    int64_t end = clock_monotonic_ns() + WAIT_MS * NS_PER_MS;
    while (script.full[0] < 2 && clock_monotonic_ns() < end)
        nap(1);
    assert_int_equal(script.full[0], 2);
    script.right[0] = 0;
    for (int i = 0; i < 3; i++) {
        assert_true(pool_take(pool, 0, &lease, &retry));
        pool_give(pool, &lease, OUTCOME_BAD, -1, "");
    }
    while (pool_take(pool, 0, &lease, &retry)) { /* the canary is wrong this time */
        assert_true(clock_monotonic_ns() < end);
        pool_give(pool, &lease, OUTCOME_OK, -1, "");
        nap(1);
    }
    pool_close(pool);
}

static void a_busy_upstream_rests(void **state)
{
    (void)state;
    int retry;
    struct lease lease;
    struct pool *pool = open_pool(1, 8, (int[]){1});
    assert_true(pool_take(pool, 0, &lease, &retry));
    pool_give(pool, &lease, OUTCOME_BUSY, 1, "");
    int64_t before = clock_monotonic_ns();
    assert_true(pool_take(pool, 0, &lease, &retry));
    assert_true(clock_monotonic_ns() - before > 900 * NS_PER_MS);
    pool_give(pool, &lease, OUTCOME_OK, -1, "");
    pool_close(pool);
}

static void retries_have_a_budget(void **state)
{
    (void)state;
    int retry, allowed = 0;
    struct lease lease;
    struct pool *pool = open_pool(1, 8, (int[]){1});
    while (pool_may_retry(pool))
        allowed++;
    assert_int_equal(allowed, 10);
    for (int i = 0; i < 5; i++) {
        assert_true(pool_take(pool, 0, &lease, &retry));
        pool_give(pool, &lease, OUTCOME_OK, -1, "");
    }
    assert_true(pool_may_retry(pool));
    assert_false(pool_may_retry(pool));
    pool_close(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_open_the_breaker_and_bad_answers_only_raise_doubt),
        cmocka_unit_test(waits_double_up_to_a_minute),
        cmocka_unit_test(the_least_loaded_that_is_up_is_taken),
        cmocka_unit_test(nothing_is_taken_while_all_are_down_until_a_canary_is_right_again),
        cmocka_unit_test(doubt_is_settled_by_a_canary_while_traffic_goes_on),
        cmocka_unit_test(a_busy_upstream_rests),
        cmocka_unit_test(retries_have_a_budget),
    };
    log_set_level(LOG_OFF);
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
