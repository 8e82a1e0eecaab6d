/* test_account.c - tries and how they are counted, tokens, sessions and what ends them, passwords. */
#include "testing.h"

#include <sodium.h>

#include "account/account.h"
#include "account/throttle.h"
#include "base/clock.h"
#include "base/log.h"

/* ---- throttle -------------------------------------------------------------------------------------------------------- */

static bool count(struct throttle *t, const char *kind, const char *name, int limit)
{
    struct error e;
    return throttle_count(t, kind, name, limit, 60, &e);
}

static void tries_are_counted_by_kind_and_name(void **state)
{
    (void)state;
    struct throttle *t = throttle_open();
    struct error e = {0};
    assert_true(count(t, "signin", "ada", 2) && count(t, "signin", "ada", 2));
    assert_false(throttle_count(t, "signin", "ada", 2, 60, &e));
    assert_int_equal(e.code, ERR_RATE_LIMITED);
    assert_in_range(e.retry_after_s, 59, 60);
    assert_true(count(t, "signin", "bob", 2));
    assert_true(count(t, "signup", "ada", 2));
    assert_true(count(t, "signina", "da", 2)); /* not the same as "signin", "ada" */
    throttle_forgive(t, "signin", "ada");
    assert_true(count(t, "signin", "ada", 2));
    assert_false(count(t, "signin", "ada", 2));
    throttle_forgive(t, "signin", "nobody");
    throttle_close(t);
}

static void a_refused_try_does_not_prolong_the_window(void **state)
{
    (void)state;
    struct throttle *t = throttle_open();
    struct error e;
    assert_true(throttle_count(t, "k", "n", 1, 1, &e));
    int64_t end = clock_monotonic_ns() + NS_PER_S;
    while (clock_monotonic_ns() < end) {
        if (throttle_count(t, "k", "n", 1, 1, &e)) break;
        usleep(20000);
    }
    assert_true(clock_monotonic_ns() >= end - 100 * NS_PER_MS);
    usleep(50000);
    assert_true(throttle_count(t, "k", "n", 2, 1, &e));
    throttle_close(t);
}

/* A full table forgets the window that began first, not the name that came first. */
static void a_full_table_forgets_the_oldest_window(void **state)
{
    (void)state;
    struct throttle *t = throttle_open();
    struct error e;
    char name[24];
    assert_true(throttle_count(t, "k", "early", 1, 1, &e));
    assert_true(count(t, "k", "second", 1));
    for (int i = 0; i < THROTTLE_NAMES_MAX - 2; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_true(count(t, "k", name, 1));
    }
    usleep(1100000);
    assert_true(count(t, "k", "early", 1)); /* its window ended; the new one is the youngest */
    assert_true(count(t, "k", "one more", 1));
    assert_false(count(t, "k", "early", 1));
    assert_true(count(t, "k", "second", 1)); /* forgotten */
    throttle_close(t);
}

static void a_client_is_its_network(void **state)
{
    (void)state;
    static const struct { const char *address, *network; } cases[] = {
        {"192.0.2.7", "192.0.2.7"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
        {"2001:db8:1:2:ffff::1", "2001:db8:1:2::"},
        {"2001:db8:1:3::1", "2001:db8:1:3::"},
        {"fe80::1%eth0", "fe80::"},
        {"::1", "::"},
        {"unknown", "unknown"},
        {"", ""},
    };
    char network[THROTTLE_NETWORK_CHARS + 1], long_name[200];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        throttle_network(cases[i].address, network);
        assert_string_equal(network, cases[i].network);
    }
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    throttle_network(long_name, network);
    assert_int_equal(strlen(network), THROTTLE_NETWORK_CHARS);
}

/* ---- tokens ---------------------------------------------------------------------------------------------------------- */

static void tokens(void **state)
{
    (void)state;
    char one[TOKEN_CHARS + 1], two[TOKEN_CHARS + 1], csrf[TOKEN_CHARS + 1];
    token_make(one);
    token_make(two);
    assert_true(token_well_formed(one) && token_well_formed(two));
    assert_string_not_equal(one, two);
    token_csrf(one, csrf);
    assert_true(token_csrf_ok(one, csrf));
    assert_false(token_csrf_ok(two, csrf) || token_csrf_ok(one, NULL) || token_csrf_ok(one, "") || token_csrf_ok(one, one));
    for (int i = 0; i < TOKEN_CHARS; i++) {
        csrf[i] ^= 1;
        assert_false(token_csrf_ok(one, csrf));
        csrf[i] ^= 1;
    }
    one[TOKEN_CHARS - 1] = '=';
    assert_false(token_well_formed(one) || token_well_formed("") || token_well_formed(NULL) || token_well_formed("short"));
}

/* ---- sessions and passwords ------------------------------------------------------------------------------------------ */

#define EMAIL "ada@example.org"
#define PASSWORD "a horse, a boat"
#define CLIENT "192.0.2.1"

struct fixture {
    char folder[256];
    struct store *store;
    struct account *account;
    char cookie[TOKEN_CHARS + 1]; /* of the session that sign-up opened */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error e;
    log_set_level(LOG_OFF);
    snprintf(f->folder, sizeof f->folder, "%s", make_folder());
    struct store_options store = {.data_dir = f->folder, .create = true, .service = true};
    struct account_options account = {.signup = true, .signin_tries = 3};
    f->store = store_open(&store, &e);
    f->account = account_open(f->store, &account, &e);
    *state = f;
    return account_sign_up(f->account, EMAIL, PASSWORD, "Ada", CLIENT, f->cookie, &e) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    account_close(f->account);
    store_close(f->store);
    remove_folder(f->folder);
    free(f);
    return 0;
}

static enum error_code sign_in(struct fixture *f, const char *email, const char *password, const char *client, char *cookie)
{
    struct error e = {0};
    char unused[TOKEN_CHARS + 1];
    return account_sign_in(f->account, email, password, client, cookie ? cookie : unused, &e) ? ERR_NONE : e.code;
}

static bool lives(struct fixture *f, const char *cookie)
{
    struct store_session session;
    struct error e = {0};
    if (account_session(f->account, cookie, &session, &e)) return true;
    assert_int_equal(e.code, ERR_NOT_SIGNED_IN);
    return false;
}

static void a_session_is_its_cookie(void **state)
{
    struct fixture *f = *state;
    struct store_session session;
    struct error e;
    assert_true(account_session(f->account, f->cookie, &session, &e));
    assert_string_equal(session.email, EMAIL);
    assert_string_equal(session.account.name, "Ada");
    char near[TOKEN_CHARS + 1];
    memcpy(near, f->cookie, sizeof near);
    near[20] = near[20] == 'A' ? 'B' : 'A';
    assert_false(lives(f, near) || lives(f, "") || lives(f, "x"));
    assert_true(account_sign_out(f->account, session.id, &e));
    assert_false(lives(f, f->cookie));
}

static void a_session_ends_by_its_time(void **state)
{
    struct fixture *f = *state;
    struct store_session session;
    struct error e;
    assert_true(account_session(f->account, f->cookie, &session, &e));
    struct store_session_touch w = {.write = {.verb = STORE_SESSION_TOUCH},
                                    .session_id = session.id,
                                    .seen_ms = session.now_ms,
                                    .expires_ms = session.now_ms - 1};
    assert_true(store_write_wait(f->store, &w.write, &e));
    assert_false(lives(f, f->cookie));
}

static void use_prolongs_a_session_once_an_hour(void **state)
{
    struct fixture *f = *state;
    struct store_session session;
    struct error e;
    assert_true(account_session(f->account, f->cookie, &session, &e));
    int64_t seen = session.now_ms - 2 * INT64_C(3600000);
    struct store_session_touch w = {.write = {.verb = STORE_SESSION_TOUCH},
                                    .session_id = session.id,
                                    .seen_ms = seen,
                                    .expires_ms = session.now_ms + 60000};
    assert_true(store_write_wait(f->store, &w.write, &e));
    assert_true(lives(f, f->cookie)); /* posts the touch */
    for (int i = 0; i < 500 && session.seen_ms <= seen; i++) {
        usleep(10000);
        assert_true(account_session(f->account, f->cookie, &session, &e));
    }
    assert_in_range(session.seen_ms, session.now_ms - 60000, session.now_ms);
}

static void signing_in_makes_a_new_session(void **state)
{
    struct fixture *f = *state;
    char cookie[TOKEN_CHARS + 1];
    assert_int_equal(sign_in(f, "  ADA@example.org ", PASSWORD, CLIENT, cookie), ERR_NONE);
    assert_string_not_equal(cookie, f->cookie);
    assert_true(lives(f, cookie) && lives(f, f->cookie));
    static const char *const wrong[] = {"", "a horse, a boa", "a horse, a boat ", "A horse, a boat"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char client[16];
        snprintf(client, sizeof client, "192.0.2.%zu", 10 + i);
        assert_int_equal(sign_in(f, EMAIL, wrong[i], client, NULL), i < 3 ? ERR_INVALID_CREDENTIALS : ERR_RATE_LIMITED);
    }
    static const char *const malformed[] = {"", "ada", "@example.org", "ada@", "a@b@c", "a b@example.org", "a\n@example.org"};
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        assert_int_equal(sign_in(f, malformed[i], PASSWORD, CLIENT, NULL), ERR_INVALID_VALUE);
}

/* Three tries per address from anywhere, fifteen per client whatever the address; the right password forgives its own try. */
static void guessing_is_stopped(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++) assert_int_equal(sign_in(f, EMAIL, PASSWORD, CLIENT, NULL), ERR_NONE);
    for (int i = 0; i < 3; i++) {
        char client[32];
        snprintf(client, sizeof client, "2001:db8:%d::1", i);
        assert_int_equal(sign_in(f, EMAIL, "wrong", client, NULL), ERR_INVALID_CREDENTIALS);
    }
    assert_int_equal(sign_in(f, EMAIL, PASSWORD, "203.0.113.5", NULL), ERR_RATE_LIMITED);
    int refused = 0;
    for (int i = 0; i < 17; i++) { /* each from another address of one network, for another person */
        char client[48], email[32];
        snprintf(client, sizeof client, "2001:db8:f:f::%d", i + 1);
        snprintf(email, sizeof email, "%d@example.org", i);
        refused += sign_in(f, email, "wrong", client, NULL) == ERR_RATE_LIMITED;
    }
    assert_int_equal(refused, 2);
}

static bool set_password(struct fixture *f, const char *cookie, const char *password, const char *current, char *fresh,
                         struct error *e)
{
    struct store_session session;
    assert_true(account_session(f->account, cookie, &session, e));
    return account_set_password(f->account, &session, password, current, NULL, CLIENT, fresh, e);
}

static void a_new_password_ends_every_session(void **state)
{
    struct fixture *f = *state;
    struct error e;
    char other[TOKEN_CHARS + 1], fresh[TOKEN_CHARS + 1];
    assert_int_equal(sign_in(f, EMAIL, PASSWORD, CLIENT, other), ERR_NONE);
    assert_false(set_password(f, other, "another boat", "wrong", fresh, &e));
    assert_string_equal(e.param, "current_password");
    assert_true(lives(f, f->cookie));
    assert_true(set_password(f, other, "another boat", PASSWORD, fresh, &e));
    assert_true(lives(f, fresh));
    assert_false(lives(f, other) || lives(f, f->cookie));
    assert_int_equal(sign_in(f, EMAIL, PASSWORD, CLIENT, NULL), ERR_INVALID_CREDENTIALS);
    assert_int_equal(sign_in(f, EMAIL, "another boat", CLIENT, NULL), ERR_NONE);
}

static void passwords_that_are_refused(void **state)
{
    struct fixture *f = *state;
    struct error e;
    char fresh[TOKEN_CHARS + 1], long_one[PASSWORD_MAX + 2];
    memset(long_one, 'x', sizeof long_one);
    long_one[PASSWORD_MAX + 1] = '\0';
    const char *const refused[] = {"", "1234567", "12345678", "password", "qwertyuiop", "trustno1", long_one};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_false(set_password(f, f->cookie, refused[i], PASSWORD, fresh, &e));
        assert_int_equal(e.code, ERR_INVALID_VALUE);
        assert_string_equal(e.param, "password");
    }
    long_one[PASSWORD_MAX] = '\0';
    assert_true(set_password(f, f->cookie, long_one, PASSWORD, fresh, &e));
    long_one[PASSWORD_MAX - 1] = 'y'; /* every byte counts */
    assert_int_equal(sign_in(f, EMAIL, long_one, CLIENT, NULL), ERR_INVALID_CREDENTIALS);
    assert_true(set_password(f, fresh, "пароль из слов", memset(long_one, 'x', PASSWORD_MAX), f->cookie, &e));
    assert_int_equal(sign_in(f, EMAIL, "пароль из слов", CLIENT, NULL), ERR_NONE);
}

static void a_link_works_once_and_not_for_ever(void **state)
{
    struct fixture *f = *state;
    struct store_session session;
    struct error e = {0};
    char token[TOKEN_CHARS + 1], cookie[TOKEN_CHARS + 1];
    assert_true(account_session(f->account, f->cookie, &session, &e));
    assert_true(account_make_link(f->store, session.account.id, NULL, token, &e));
    assert_true(account_use_link(f->account, token, CLIENT, cookie, &e) && lives(f, cookie));
    assert_false(account_use_link(f->account, token, CLIENT, cookie, &e));
    assert_int_equal(e.code, ERR_INVALID_CREDENTIALS);
    token_make(token);
    struct store_link_create w = {.write = {.verb = STORE_LINK_CREATE},
                                  .account_id = session.account.id,
                                  .expires_ms = clock_wall_ms() - 1};
    token_hash(token, w.hash);
    assert_true(store_write_wait(f->store, &w.write, &e));
    assert_false(account_use_link(f->account, token, CLIENT, cookie, &e));
    enum error_code last = ERR_NONE;
    for (int i = 0; i < 16; i++) {
        assert_false(account_use_link(f->account, "guess", "2001:db8::1", cookie, &e));
        last = e.code;
    }
    assert_int_equal(last, ERR_RATE_LIMITED);
}

static void sign_up_can_be_closed(void **state)
{
    struct fixture *f = *state;
    struct error e = {0};
    struct account_options closed = {.signup = false};
    char cookie[TOKEN_CHARS + 1];
    assert_false(account_sign_up(f->account, EMAIL, PASSWORD, "Second", CLIENT, cookie, &e));
    assert_string_equal(e.param, "email");
    struct account *account = account_open(f->store, &closed, &e);
    assert_false(account_sign_up(account, "b@example.org", PASSWORD, "B", CLIENT, cookie, &e));
    assert_int_equal(e.code, ERR_SIGNUP_CLOSED);
    account_close(account);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tries_are_counted_by_kind_and_name),
        cmocka_unit_test(a_refused_try_does_not_prolong_the_window),
        cmocka_unit_test(a_full_table_forgets_the_oldest_window),
        cmocka_unit_test(a_client_is_its_network),
        cmocka_unit_test(tokens),
        cmocka_unit_test_setup_teardown(a_session_is_its_cookie, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_session_ends_by_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(use_prolongs_a_session_once_an_hour, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signing_in_makes_a_new_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(guessing_is_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_password_ends_every_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(passwords_that_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_link_works_once_and_not_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sign_up_can_be_closed, set_up, tear_down),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
