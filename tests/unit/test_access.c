/* test_access.c - keys, the cache in front of them, sliding windows. */
#include "testing.h"

#include <sodium.h>

#include "access/access.h"
#include "access/rate.h"
#include "base/clock.h"
#include "store/store.h"

struct fixture {
    char folder[256];
    struct store *store;
    struct access *access;
    char account[STORE_ID_CHARS + 1], key[KEY_CHARS + 1], header[KEY_CHARS + 16];
    int64_t key_id;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error e;
    snprintf(f->folder, sizeof f->folder, "%s", make_folder());
    struct store_options options = {.data_dir = f->folder, .create = true, .service = true};
    struct access_options limits = {.extract_per_minute = 3, .poll_per_minute = 6000};
    f->store = store_open(&options, &e);
    f->access = access_open(f->store, &limits, &e);
    struct store_account_create account = {.write = {.verb = STORE_ACCOUNT_CREATE}, .name = "a"};
    struct store_key_create key = {
        .write = {.verb = STORE_KEY_CREATE}, .account_id = account.id, .name = "k", .prefix = "dm_"};
    access_key_generate(f->key, key.hash);
    if (!store_write_wait(f->store, &account.write, &e) || !store_write_wait(f->store, &key.write, &e)) return -1;
    f->key_id = key.key_id;
    memcpy(f->account, account.id, sizeof f->account);
    snprintf(f->header, sizeof f->header, "Bearer %s", f->key);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    access_close(f->access);
    store_close(f->store);
    remove_folder(f->folder);
    free(f);
    return 0;
}

static enum error_code ask(struct fixture *f, const char *authorization)
{
    struct caller caller;
    struct error e = {.code = ERR_NONE};
    if (!access_authenticate(f->access, authorization, &caller, &e)) return e.code;
    assert_string_equal(caller.account_id, f->account);
    assert_int_equal(caller.key_id, f->key_id);
    return ERR_NONE;
}

static void keys_are_well_formed_and_differ(void **state)
{
    char a[KEY_CHARS + 1], b[KEY_CHARS + 1];
    unsigned char hash_a[32], hash_b[32];
    (void)state;
    access_key_generate(a, hash_a);
    access_key_generate(b, hash_b);
    assert_true(access_key_well_formed(a));
    assert_int_equal(strlen(a), KEY_CHARS);
    assert_memory_equal(a, "dm_", 3);
    assert_string_not_equal(a, b);
    assert_memory_not_equal(hash_a, hash_b, 32);
}

/* Any one character changed is told from an unknown key. */
static void mistyped_keys_are_malformed(void **state)
{
    char key[KEY_CHARS + 2];
    unsigned char hash[32];
    (void)state;
    for (int i = 3; i < KEY_CHARS; i++) {
        access_key_generate(key, hash);
        key[i] = key[i] == 'x' ? 'y' : 'x';
        assert_false(access_key_well_formed(key));
    }
    access_key_generate(key, hash);
    key[KEY_CHARS] = 'x';
    key[KEY_CHARS + 1] = '\0';
    assert_false(access_key_well_formed(key));
    assert_false(access_key_well_formed(""));
    assert_false(access_key_well_formed("dm_"));
}

static void each_way_to_fail_has_its_code(void **state)
{
    struct fixture *f = *state;
    char other[KEY_CHARS + 1], header[KEY_CHARS + 16];
    unsigned char hash[32];
    access_key_generate(other, hash);
    snprintf(header, sizeof header, "bearer  %s", f->key);
    assert_int_equal(ask(f, f->header), ERR_NONE);
    assert_int_equal(ask(f, header), ERR_NONE); /* the scheme's case and more spaces do not matter (RFC 9110) */
    assert_int_equal(ask(f, NULL), ERR_KEY_MISSING);
    assert_int_equal(ask(f, ""), ERR_KEY_MISSING);
    assert_int_equal(ask(f, "Basic abc"), ERR_KEY_MALFORMED);
    assert_int_equal(ask(f, "B"), ERR_KEY_MALFORMED);
    assert_int_equal(ask(f, "Bearer"), ERR_KEY_MALFORMED);
    assert_int_equal(ask(f, "Bearer dm_short"), ERR_KEY_MALFORMED);
    snprintf(header, sizeof header, "Bearer %s", other);
    assert_int_equal(ask(f, header), ERR_KEY_INVALID);
}

static void revoke_key(struct fixture *f, int64_t at_ms)
{
    struct error e;
    struct store_key_revoke w = {.write = {.verb = STORE_KEY_REVOKE}, .key_id = f->key_id, .at_ms = at_ms};
    assert_true(store_write_wait(f->store, &w.write, &e));
}

static void revoked_keys_stop_within_the_cache_time(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, f->header), ERR_NONE);
    revoke_key(f, clock_wall_ms());
    usleep(1100000);
    assert_int_equal(ask(f, f->header), ERR_KEY_INVALID);
}

static void forgetting_makes_a_revocation_immediate(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, f->header), ERR_NONE);
    revoke_key(f, clock_wall_ms());
    access_forget(f->access);
    assert_int_equal(ask(f, f->header), ERR_KEY_INVALID);
}

static void overlap_ends_on_time_even_when_cached(void **state)
{
    struct fixture *f = *state;
    revoke_key(f, clock_wall_ms() + 300);
    assert_int_equal(ask(f, f->header), ERR_NONE);
    usleep(350000);
    assert_int_equal(ask(f, f->header), ERR_KEY_INVALID);
}

static void limit_is_told_and_kept(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    struct rate_state rate;
    struct error e;
    assert_true(access_authenticate(f->access, f->header, &caller, &e));
    for (int i = 0; i < 3; i++) {
        assert_true(access_rate(f->access, &caller, RATE_EXTRACT, &rate, &e));
        assert_int_equal(rate.remaining, 2 - i);
        assert_int_equal(rate.limit, 3);
    }
    assert_false(access_rate(f->access, &caller, RATE_EXTRACT, &rate, &e));
    assert_int_equal(e.code, ERR_RATE_LIMITED);
    assert_in_range(e.retry_after_s, 59, 60);
    assert_true(access_rate(f->access, &caller, RATE_POLL, &rate, &e)); /* polling is counted apart */
}

/* ---- windows: whatever the arrivals, no 60 seconds hold more than the limit ----------------------------------------- */

static uint32_t noise;

static uint32_t next_random(void) { return noise = noise * 1664525u + 1013904223u; }

/* Gaps from bursts to long silences, so that windows fill, slide and empty. */
static int64_t random_gap_ns(void)
{
    static const int64_t scale[] = {1000, 1000000, 100000000, 5000000000, 70000000000};
    return (int64_t)(next_random() >> 8) % scale[(next_random() >> 16) % 5];
}

static void no_window_ever_holds_more_than_the_limit(void **state)
{
    enum { ARRIVALS = 20000, LIMIT = 100 };
    static int64_t admitted[ARRIVALS];
    (void)state;
    for (noise = 1; noise < 20; noise++) {
        uint32_t seed = noise;
        struct rate_table *table = rate_open();
        struct rate_state rate;
        struct error e;
        int64_t now = 0;
        int count = 0, refused = 0;
        for (int i = 0; i < ARRIVALS; i++) {
            now += i % 500 < 300 ? (int64_t)(next_random() >> 20) * 1000 : random_gap_ns();
            bool ok = rate_count(table, 7, RATE_EXTRACT, LIMIT, now, &rate, &e);
            /* exact both ways: refused only when the last 60 s hold the limit */
            bool full = count >= LIMIT && admitted[count - LIMIT] > now - 60 * NS_PER_S;
            assert_int_equal(ok, !full);
            if (ok) admitted[count++] = now;
            else refused++;
            if (!ok) assert_true(now + e.retry_after_s * NS_PER_S >= admitted[count - LIMIT] + 60 * NS_PER_S);
        }
        for (int i = LIMIT; i < count; i++) assert_true(admitted[i] - admitted[i - LIMIT] >= 60 * NS_PER_S);
        assert_true(refused > 0 && count > LIMIT);
        rate_close(table);
        noise = seed;
    }
}

static void keys_do_not_share_a_window(void **state)
{
    struct rate_table *table = rate_open();
    struct rate_state rate;
    struct error e;
    (void)state;
    for (int64_t key = 0; key < 1000; key++) {
        assert_true(rate_count(table, key, RATE_EXTRACT, 1, key, &rate, &e));
        assert_false(rate_count(table, key, RATE_EXTRACT, 1, key, &rate, &e));
    }
    assert_false(rate_count(table, 0, RATE_EXTRACT, 1, 59 * NS_PER_S, &rate, &e));
    assert_true(rate_count(table, 0, RATE_EXTRACT, 1, 60 * NS_PER_S, &rate, &e));
    rate_close(table);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_well_formed_and_differ),
        cmocka_unit_test(mistyped_keys_are_malformed),
        TEST(each_way_to_fail_has_its_code),
        TEST(revoked_keys_stop_within_the_cache_time),
        TEST(forgetting_makes_a_revocation_immediate),
        TEST(overlap_ends_on_time_even_when_cached),
        TEST(limit_is_told_and_kept),
        cmocka_unit_test(no_window_ever_holds_more_than_the_limit),
        cmocka_unit_test(keys_do_not_share_a_window),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
