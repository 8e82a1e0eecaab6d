/* test_store.c - the verbs as the modules above use them, on real databases; and what must never happen to money. Every test
 * runs on SQLite and on PostgreSQL, but for those that are about one of them. */
#include "testing.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "store/store_web.h"
#include "store_place.h"

struct fixture {
    struct place place;
    struct store *store;
    char account[STORE_ID_CHARS + 1];
};

static struct store *open_store(const struct place *place, bool service)
{
    struct error e;
    struct store_options options = {.data_dir = place->folder, .url = place->url, .create = true, .service = service};
    struct store *store = store_open(&options, &e);
    if (!store) print_error("%s\n", e.message);
    return store;
}

static void make_account(struct store *store, int64_t credits, char *id)
{
    struct error e;
    struct store_account_create w = {.write = {.verb = STORE_ACCOUNT_CREATE}, .name = "acme", .credits = credits};
    assert_true(store_write_wait(store, &w.write, &e));
    memcpy(id, w.id, STORE_ID_CHARS + 1);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    place_make(&f->place);
    f->store = open_store(&f->place, true);
    assert_non_null(f->store);
    make_account(f->store, 10, f->account);
    *state = f;
    return f->store ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct error e = {.code = ERR_NONE};
    bool balanced = store_audit(f->store, &e); /* after every test: ledger, balances and holds agree */
    if (!balanced) print_error("audit: %s\n", e.message);
    store_close(f->store);
    place_remove(&f->place);
    free(f);
    return balanced ? 0 : -1;
}

static struct store_account account_of(struct fixture *f)
{
    struct store_account a;
    struct error e;
    assert_true(store_account_read(f->store, f->account, &a, &e));
    return a;
}

static const unsigned char hash_a[32] = {1}, hash_b[32] = {2};

static bool insert(struct fixture *f, char *id, bool running, const char *key, const unsigned char *hash,
                   struct store_job_insert *w, struct error *e)
{
    uuid_make(id);
    *w = (struct store_job_insert){.write = {.verb = STORE_JOB_INSERT},
                                   .id = id,
                                   .account_id = f->account,
                                   .running = running,
                                   .template = "{\"a\":null}",
                                   .text = "text\0with NUL",
                                   .text_bytes = 13,
                                   .idempotency_key = key,
                                   .body_hash = hash,
                                   .now_ms = clock_wall_ms()};
    return store_write_wait(f->store, &w->write, e);
}

static bool settle(struct fixture *f, const char *id, int attempt, bool success)
{
    struct error e;
    struct store_job_settle w = {.write = {.verb = STORE_JOB_SETTLE},
                                 .id = id,
                                 .attempt = attempt,
                                 .result = success ? "{\"data\":{\"a\":null}}" : NULL,
                                 .latency_ms = 7,
                                 .now_ms = clock_wall_ms()};
    error_set(&w.failure, ERR_ENGINE_UNAVAILABLE, "x", "broken");
    assert_true(store_write_wait(f->store, &w.write, &e));
    return w.applied;
}

/* ---- money -------------------------------------------------------------------------------------------------------- */

static void success_charges_one_and_failure_none(void **state)
{
    struct fixture *f = *state;
    struct store_job_insert w;
    struct error e;
    char id[37];
    assert_true(insert(f, id, true, NULL, NULL, &w, &e));
    assert_int_equal(w.credits_remaining, 9);
    assert_int_equal(account_of(f).held, 1);
    assert_int_equal(account_of(f).balance, 10);
    assert_true(settle(f, id, 1, true));
    assert_int_equal(account_of(f).held, 0);
    assert_int_equal(account_of(f).balance, 9);
    assert_true(insert(f, id, true, NULL, NULL, &w, &e));
    assert_true(settle(f, id, 1, false));
    assert_int_equal(account_of(f).held, 0);
    assert_int_equal(account_of(f).balance, 9);
}

static void settling_twice_charges_once(void **state)
{
    struct fixture *f = *state;
    struct store_job_insert w;
    struct error e;
    char id[37];
    assert_true(insert(f, id, true, NULL, NULL, &w, &e));
    assert_true(settle(f, id, 1, true));
    assert_false(settle(f, id, 1, true));
    assert_false(settle(f, id, 1, false));
    assert_int_equal(account_of(f).balance, 9);
}

static void another_attempt_cannot_settle(void **state)
{
    struct fixture *f = *state;
    struct store_job_insert w;
    struct error e;
    char id[37];
    assert_true(insert(f, id, true, NULL, NULL, &w, &e));
    assert_false(settle(f, id, 2, true));
    assert_int_equal(account_of(f).held, 1);
}

static void grants_may_not_take_what_is_held(void **state)
{
    struct fixture *f = *state;
    struct store_job_insert w;
    struct error e;
    char id[37];
    assert_true(insert(f, id, true, NULL, NULL, &w, &e));
    struct store_credits_grant g = {.write = {.verb = STORE_CREDITS_GRANT}, .account_id = f->account, .amount = -10};
    assert_false(store_write_wait(f->store, &g.write, &e));
    assert_int_equal(e.code, ERR_INVALID_VALUE);
    g.amount = -9;
    assert_true(store_write_wait(f->store, &g.write, &e));
    assert_int_equal(g.balance, 1);
    assert_false(insert(f, id, true, NULL, NULL, &w, &e));
    assert_int_equal(e.code, ERR_NO_CREDITS);
    assert_non_null(strstr(e.message, "/billing/"));
}

static void ledger_cannot_be_changed(void **state)
{
    struct fixture *f = *state;
    assert_true(place_refuses(&f->place, "UPDATE ledger SET amount = 1000000"));
    assert_true(place_refuses(&f->place, "DELETE FROM ledger"));
    assert_true(place_refuses(&f->place, "UPDATE accounts SET held = balance + 1"));
    assert_false(place_refuses(&f->place, "UPDATE accounts SET name = 'changed'"));
}

struct racer {
    struct store_job_insert w;
    char id[37];
    _Atomic int *left, *created, *refused;
};

static void raced(struct store_write *write)
{
    struct racer *r = (struct racer *)write;
    if (write->ok) atomic_fetch_add(r->created, 1);
    else if (write->error.code == ERR_NO_CREDITS) atomic_fetch_add(r->refused, 1);
    atomic_fetch_sub(r->left, 1);
}

static void make_racer(struct racer *r, const char *account, _Atomic int *left, _Atomic int *created, _Atomic int *refused)
{
    *r = (struct racer){.left = left, .created = created, .refused = refused};
    uuid_make(r->id);
    r->w = (struct store_job_insert){.write = {.verb = STORE_JOB_INSERT, .done = raced},
                                     .id = r->id,
                                     .account_id = account,
                                     .running = true,
                                     .template = "{}",
                                     .text = "x",
                                     .text_bytes = 1,
                                     .now_ms = clock_wall_ms()};
}

struct race {
    struct fixture *f;
    struct racer *racers;
    int from, to;
};

static void *race_main(void *arg)
{
    struct race *race = arg;
    for (int i = race->from; i < race->to; i++) store_post(race->f->store, &race->racers[i].w.write);
    return NULL;
}

/* 200 threads on 50 credits: exactly 50 holds. */
static void holds_never_exceed_credits(void **state)
{
    enum { THREADS = 200, CREDITS = 50 };
    struct fixture *f = *state;
    _Atomic int left = THREADS, created = 0, refused = 0;
    struct racer *racers = calloc(THREADS, sizeof *racers);
    struct race races[THREADS];
    pthread_t threads[THREADS];
    make_account(f->store, CREDITS, f->account);
    for (int i = 0; i < THREADS; i++) {
        make_racer(&racers[i], f->account, &left, &created, &refused);
        races[i] = (struct race){.f = f, .racers = racers, .from = i, .to = i + 1};
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, race_main, &races[i]), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    while (atomic_load(&left)) usleep(1000);
    assert_int_equal(created, CREDITS);
    assert_int_equal(refused, THREADS - CREDITS);
    assert_int_equal(account_of(f).held, CREDITS);
    free(racers);
}

/* ---- batches ------------------------------------------------------------------------------------------------------ */

static void a_failing_write_spoils_no_other(void **state)
{
    enum { WRITES = 60 };
    struct fixture *f = *state;
    _Atomic int left = WRITES, ok = 0, failed = 0;
    struct racer racers[WRITES]; /* every third asks for an account that is not there */
    for (int i = 0; i < WRITES; i++) {
        make_racer(&racers[i], i % 3 ? f->account : "nobody", &left, &ok, &failed);
    }
    struct race race = {.f = f, .racers = racers, .from = 0, .to = WRITES};
    race_main(&race);
    while (atomic_load(&left)) usleep(1000);
    assert_int_equal(ok, 10); /* the account's credits; the other good ones meet 402 */
    assert_int_equal(failed, 30);
    for (int i = 0; i < WRITES; i += 3) assert_int_equal(racers[i].w.write.error.code, ERR_NOT_FOUND);
    struct store_counters counters;
    store_count(f->store, &counters);
    assert_true(counters.batches < counters.writes); /* they did share commits */
}

struct signup {
    struct store_signup w;
    _Atomic int *left, *made, *refused;
};

static void signed_up(struct store_write *write)
{
    struct signup *s = (struct signup *)write;
    if (write->ok) atomic_fetch_add(s->made, 1);
    else if (!strcmp(write->error.param, "email")) atomic_fetch_add(s->refused, 1);
    atomic_fetch_sub(s->left, 1);
}

static void make_signup(struct signup *s, _Atomic int *left, _Atomic int *made, _Atomic int *refused)
{
    *s = (struct signup){.left = left, .made = made, .refused = refused};
    s->w = (struct store_signup){.write = {.verb = STORE_SIGNUP, .done = signed_up},
                                 .name = "acme",
                                 .email = "a@example.com",
                                 .password_hash = "x"};
}

static bool count_account(void *arg, const struct store_account *account)
{
    (void)account;
    ++*(int *)arg;
    return true;
}

/* A sign-up makes the account before it meets an address that is taken. */
static void a_write_that_fails_half_way_is_undone_alone(void **state)
{
    enum { WRITES = 40 }; /* sign-ups with one address and jobs, in turns */
    struct fixture *f = *state;
    _Atomic int left = WRITES, made = 0, taken = 0, created = 0, refused = 0;
    struct signup signups[WRITES / 2];
    struct racer racers[WRITES / 2];
    struct error e;
    int accounts = 0;
    for (int i = 0; i < WRITES / 2; i++) {
        make_signup(&signups[i], &left, &made, &taken);
        make_racer(&racers[i], f->account, &left, &created, &refused);
        store_post(f->store, &signups[i].w.write);
        store_post(f->store, &racers[i].w.write);
    }
    while (atomic_load(&left)) usleep(1000);
    assert_int_equal(made, 1);
    assert_int_equal(taken, WRITES / 2 - 1);
    assert_int_equal(created, 10); /* the account's credits */
    assert_int_equal(refused, 10);
    assert_true(store_accounts(f->store, count_account, &accounts, &e));
    assert_int_equal(accounts, 2);
}

static void what_was_told_is_there_after_reopening(void **state)
{
    struct fixture *f = *state;
    struct store_job_insert w;
    struct store_job job;
    struct error e;
    char id[37];
    assert_true(insert(f, id, true, NULL, NULL, &w, &e));
    assert_true(settle(f, id, 1, true));
    store_close(f->store);
    f->store = open_store(&f->place, true);
    assert_true(store_job_read(f->store, f->account, id, &job, &e));
    assert_int_equal(job.state, STORE_SUCCESS);
    assert_string_equal(job.result, "{\"data\":{\"a\":null}}");
    assert_int_equal(job.latency_ms, 7);
    assert_int_equal(job.credits_charged, 1);
    store_job_clear(&job);
}

static void one_service_per_folder_but_commands_beside_it(void **state)
{
    struct fixture *f = *state;
    struct error e;
    struct store_options second = {.data_dir = f->place.folder, .create = true, .service = true};
    assert_null(store_open(&second, &e));
    assert_non_null(strstr(e.message, "another refractr"));
    struct store *beside = open_store(&f->place, false);
    assert_non_null(beside);
    struct store_credits_grant g = {.write = {.verb = STORE_CREDITS_GRANT}, .account_id = f->account, .amount = 5};
    assert_true(store_write_wait(beside, &g.write, &e));
    store_close(beside);
    assert_int_equal(account_of(f).balance, 15);
}

/* ---- idempotency, recovery, retention ------------------------------------------------------------------------------- */

static void idempotency_key_finds_its_job(void **state)
{
    struct fixture *f = *state;
    struct store_job_insert w;
    struct error e;
    char first[37], other[37];
    assert_true(insert(f, first, true, "k", hash_a, &w, &e));
    assert_true(insert(f, other, true, "k", hash_a, &w, &e));
    assert_int_equal(w.outcome, INSERT_REPLAY);
    assert_string_equal(w.existing_id, first);
    assert_int_equal(w.existing_state, STORE_RUNNING);
    assert_true(insert(f, other, true, "k", hash_b, &w, &e));
    assert_int_equal(w.outcome, INSERT_MISMATCH);
    assert_int_equal(account_of(f).held, 1);
    assert_true(settle(f, first, 1, false)); /* a failed request stores nothing */
    assert_true(insert(f, other, true, "k", hash_b, &w, &e));
    assert_int_equal(w.outcome, INSERT_CREATED);
}

static void idempotency_keys_are_per_account_and_for_a_day(void **state)
{
    struct fixture *f = *state, g = *f;
    struct store_job_insert w;
    struct error e;
    char a[37], b[37];
    assert_true(insert(f, a, true, "k", hash_a, &w, &e));
    assert_true(settle(f, a, 1, true));
    make_account(f->store, 1, g.account);
    assert_true(insert(&g, b, true, "k", hash_b, &w, &e));
    assert_int_equal(w.outcome, INSERT_CREATED);
    uuid_make(b);
    w = (struct store_job_insert){.write = {.verb = STORE_JOB_INSERT},
                                  .id = b,
                                  .account_id = f->account,
                                  .running = true,
                                  .template = "{}",
                                  .text = "x",
                                  .text_bytes = 1,
                                  .idempotency_key = "k",
                                  .body_hash = hash_b,
                                  .now_ms = clock_wall_ms() + MS_PER_DAY};
    assert_true(store_write_wait(f->store, &w.write, &e));
    assert_int_equal(w.outcome, INSERT_CREATED);
}

static bool count_pending(void *arg, const struct store_pending_job *job)
{
    assert_int_equal(job->text_bytes, 13);
    assert_memory_equal(job->text, "text\0with NUL", 13);
    assert_string_equal(job->template, "{\"a\":null}");
    *(int *)arg += 1;
    return true;
}

static int recover(struct fixture *f, int *given_up)
{
    struct error e;
    int pending = 0;
    struct store_jobs_recover w = {
        .write = {.verb = STORE_JOBS_RECOVER}, .max_attempts = 3, .now_ms = clock_wall_ms()};
    assert_true(store_write_wait(f->store, &w.write, &e));
    assert_true(store_pending_jobs(f->store, count_pending, &pending, &e));
    *given_up = w.given_up;
    return pending;
}

static bool claim(struct fixture *f, const char *id, int attempt)
{
    struct error e;
    struct store_job_claim w = {.write = {.verb = STORE_JOB_CLAIM}, .id = id, .attempt = attempt};
    assert_true(store_write_wait(f->store, &w.write, &e));
    return w.applied;
}

static void interrupted_jobs_run_again_three_times_at_most(void **state)
{
    struct fixture *f = *state;
    struct store_job_insert w;
    struct store_job job;
    struct error e;
    char running[37], waiting[37];
    int given_up;
    assert_true(insert(f, running, true, NULL, NULL, &w, &e));
    assert_true(insert(f, waiting, false, NULL, NULL, &w, &e));
    for (int attempt = 1; attempt <= 2; attempt++) {
        assert_int_equal(recover(f, &given_up), 2);
        assert_int_equal(given_up, 0);
        assert_false(settle(f, running, attempt, true)); /* what the dead process had in hand comes too late */
        assert_true(claim(f, running, attempt));
        assert_false(claim(f, running, attempt));
    }
    assert_int_equal(recover(f, &given_up), 1);
    assert_int_equal(given_up, 1);
    assert_int_equal(account_of(f).held, 1); /* of the one that waits */
    assert_int_equal(account_of(f).balance, 10);
    assert_true(store_job_read(f->store, f->account, running, &job, &e));
    assert_int_equal(job.state, STORE_FAILED);
    assert_int_equal(job.error.code, ERR_INTERNAL);
    store_job_clear(&job);
}

static void document_text_goes_with_the_end_of_its_job(void **state)
{
    struct fixture *f = *state;
    struct store_job_insert w;
    struct error e;
    char id[37];
    const char *documents = f->place.url ? "SELECT count(*) FROM open_jobs" : "SELECT count(*) FROM documents";
    assert_true(insert(f, id, true, NULL, NULL, &w, &e));
    assert_int_equal(place_number(&f->place, documents), 1);
    assert_true(settle(f, id, 1, true));
    assert_int_equal(place_number(&f->place, documents), 0);
}

static int sweep(struct fixture *f, int64_t before_ms, int64_t keys_before_ms)
{
    struct error e;
    struct store_jobs_sweep w = {
        .write = {.verb = STORE_JOBS_SWEEP}, .before_ms = before_ms, .keys_before_ms = keys_before_ms, .limit = 100};
    assert_true(store_write_wait(f->store, &w.write, &e));
    return w.deleted;
}

static void sweep_takes_old_finished_jobs_only(void **state)
{
    struct fixture *f = *state;
    struct store_job_insert w;
    struct error e;
    char done[37], keyed[37], running[37];
    int64_t future = clock_wall_ms() + 1000;
    assert_true(insert(f, done, true, NULL, NULL, &w, &e));
    assert_true(settle(f, done, 1, true));
    assert_true(insert(f, keyed, true, "k", hash_a, &w, &e));
    assert_true(settle(f, keyed, 1, true));
    assert_true(insert(f, running, true, NULL, NULL, &w, &e));
    assert_int_equal(sweep(f, 1, 1), 0);
    assert_int_equal(sweep(f, future, 1), 1);      /* `keyed` is still promised to its key */
    assert_int_equal(sweep(f, future, future), 1);
    assert_int_equal(sweep(f, future, future), 0); /* `running` stays */
    assert_true(settle(f, running, 1, true));
}

static void other_accounts_see_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_job_insert w;
    struct store_job job;
    struct error e;
    char id[37], other[37];
    assert_true(insert(f, id, true, NULL, NULL, &w, &e));
    make_account(f->store, 0, other);
    assert_false(store_job_read(f->store, other, id, &job, &e));
    assert_int_equal(e.code, ERR_JOB_NOT_FOUND);
}

/* What a service writes without a pause is copied back into the database in good time. The log's file never shrinks while it
 * is in use: its length is the most that was ever in it. */
static void the_log_is_kept_short(void **state)
{
    struct fixture *f = *state;
    struct store_job_insert w;
    struct error e;
    struct stat log;
    char id[37], path[300];
    size_t bytes = 1 << 20, most = 130 << 20;
    char *text = calloc(1, bytes);
    assert_non_null(text);
    snprintf(path, sizeof path, "%s/refractr.db-wal", f->place.folder);
    for (size_t written = 0; written < 2 * most; written += bytes) {
        uuid_make(id);
        w = (struct store_job_insert){.write = {.verb = STORE_JOB_INSERT}, .id = id, .account_id = f->account, .running = true,
                                      .template = "{}", .text = text, .text_bytes = bytes, .now_ms = clock_wall_ms()};
        assert_true(store_write_wait(f->store, &w.write, &e));
        assert_true(settle(f, id, 1, false));
        assert_int_equal(stat(path, &log), 0);
        assert_true(log.st_size < (off_t)most);
    }
    free(text);
}

static void missing_database_is_named(void **state)
{
    struct error e;
    struct store_options options = {.data_dir = "/nonexistent/place", .create = false};
    (void)state;
    assert_null(store_open(&options, &e));
    assert_non_null(strstr(e.message, "/nonexistent/place"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define SHARED_TESTS                                          \
    TEST(success_charges_one_and_failure_none),               \
    TEST(settling_twice_charges_once),                        \
    TEST(another_attempt_cannot_settle),                      \
    TEST(grants_may_not_take_what_is_held),                   \
    TEST(ledger_cannot_be_changed),                           \
    TEST(holds_never_exceed_credits),                         \
    TEST(a_failing_write_spoils_no_other),                    \
    TEST(a_write_that_fails_half_way_is_undone_alone),        \
    TEST(what_was_told_is_there_after_reopening),             \
    TEST(idempotency_key_finds_its_job),                      \
    TEST(idempotency_keys_are_per_account_and_for_a_day),     \
    TEST(interrupted_jobs_run_again_three_times_at_most),     \
    TEST(document_text_goes_with_the_end_of_its_job),         \
    TEST(sweep_takes_old_finished_jobs_only),                 \
    TEST(other_accounts_see_nothing)

int main(void)
{
    const struct CMUnitTest on_sqlite[] = {
        SHARED_TESTS,
        TEST(one_service_per_folder_but_commands_beside_it),
        TEST(the_log_is_kept_short),
        cmocka_unit_test(missing_database_is_named),
    };
    const struct CMUnitTest on_postgres[] = {SHARED_TESTS};
    if (sodium_init() < 0) return 1;
    int failed = cmocka_run_group_tests_name("SQLite", on_sqlite, NULL, NULL);
    if (!place_use_postgres()) return failed;
    return failed + cmocka_run_group_tests_name("PostgreSQL", on_postgres, NULL, NULL);
}
