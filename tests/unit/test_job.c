/* test_job.c - jobs from submit to reply, with a real store and an engine that only waits. */
#include "testing.h"

#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "fake_engine.h"
#include "job/job.h"
#include "store/store.h"

struct fixture {
    char folder[256];
    struct store *store;
    struct engine *engine;
    struct jobs *jobs;
    struct caller caller;
    struct jobs_options options;
};

/* What a reply said, kept; `replies` must end at exactly one. */
struct told {
    pthread_mutex_t lock;
    pthread_cond_t said;
    int replies;
    enum error_code code; /* ERR_NONE: view */
    enum job_state state;
    char id[JOB_ID_CHARS + 1];
    char *data;
    int charged;
    int64_t credits_remaining;
    bool replayed;
};

static void keep_reply(void *arg, const struct job_view *view, const struct error *e)
{
    struct told *t = arg;
    pthread_mutex_lock(&t->lock);
    t->replies++;
    t->code = e ? e->code : ERR_NONE;
    if (view) {
        memcpy(t->id, view->id, sizeof t->id);
        t->state = view->state;
        t->charged = view->credits_charged;
        t->credits_remaining = view->credits_remaining;
        t->replayed = view->replayed;
        if (view->data) t->data = json_dumps(view->data, JSON_COMPACT);
        if (view->state == JOB_FAILED && !e) t->code = view->error.code;
    }
    pthread_cond_signal(&t->said);
    pthread_mutex_unlock(&t->lock);
}

static void told_init(struct told *t)
{
    *t = (struct told){.replies = 0};
    pthread_mutex_init(&t->lock, NULL);
    cond_init_monotonic(&t->said);
}

static void told_wait(struct told *t)
{
    int64_t until = clock_monotonic_ns() + 20 * NS_PER_S;
    pthread_mutex_lock(&t->lock);
    while (t->replies == 0) assert_true(cond_wait_until(&t->said, &t->lock, until));
    pthread_mutex_unlock(&t->lock);
}

static void told_clear(struct told *t)
{
    assert_int_equal(t->replies, 1);
    free(t->data);
    pthread_cond_destroy(&t->said);
    pthread_mutex_destroy(&t->lock);
}

static void submit(struct fixture *f, struct told *t, bool wait, const char *key, const char *text)
{
    struct error e;
    json_t *template = json_pack("{s:n, s:[]}", "a", "list");
    struct job_request r = {.caller = f->caller,
                            .template = template,
                            .plan = template_compile(template, &e),
                            .text = strdup(text),
                            .text_bytes = strlen(text),
                            .wait = wait,
                            .idempotency_key = key,
                            .arrived_ns = clock_monotonic_ns()};
    assert_non_null(r.plan);
    crypto_hash_sha256(r.body_hash, (const unsigned char *)text, strlen(text));
    told_init(t);
    job_submit(f->jobs, &r, keep_reply, t);
    json_decref(template);
}

static void submit_and_wait(struct fixture *f, struct told *t, const char *key, const char *text)
{
    submit(f, t, true, key, text);
    told_wait(t);
}

static void get(struct fixture *f, struct told *t, const char *id)
{
    told_init(t);
    job_get(f->jobs, &f->caller, id, keep_reply, t);
    told_wait(t);
}

static void make_account(struct fixture *f, int64_t credits)
{
    struct error e;
    struct store_account_create w = {.write = {.verb = STORE_ACCOUNT_CREATE}, .name = "acme", .credits = credits};
    assert_true(store_write_wait(f->store, &w.write, &e));
    memcpy(f->caller.account_id, w.id, sizeof w.id);
}

static struct store_account account_of(struct fixture *f)
{
    struct store_account a;
    struct error e;
    assert_true(store_account_read(f->store, f->caller.account_id, &a, &e));
    return a;
}

static void open_all(struct fixture *f)
{
    struct error e;
    struct store_options store = {.data_dir = f->folder, .create = true, .service = true};
    struct engine_options engine = {.stub = true};
    f->store = store_open(&store, &e);
    f->engine = engine_open(&engine, &e);
    f->jobs = jobs_open(f->store, f->engine, &f->options, &e);
    assert_non_null(f->jobs);
}

static void close_all(struct fixture *f)
{
    assert_true(jobs_drain(f->jobs, 20000));
    jobs_close(f->jobs);
    engine_close(f->engine);
    f->jobs = NULL;
}

static void restart(struct fixture *f)
{
    close_all(f);
    store_close(f->store);
    open_all(f);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->options = (struct jobs_options){.queue_limit = 1000, .retention_s = 60, .deadline_ms = 10000, .engine_slots = 4};
    snprintf(f->folder, sizeof f->folder, "%s", make_folder());
    atomic_store(&fake_fail, 0);
    atomic_store(&fake_delay_us, 0);
    atomic_store(&fake_ran, 0);
    atomic_store(&fake_now, 0);
    atomic_store(&fake_peak, 0);
    fake_on_run = NULL;
    open_all(f);
    make_account(f, 50);
    *state = f;
    return 0;
}

/* After every test nothing is held any more and the ledger agrees. */
static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct error e = {.code = ERR_NONE};
    if (f->jobs) close_all(f);
    bool ok = store_audit(f->store, &e) && account_of(f).held == 0;
    if (!ok) print_error("held %lld %s\n", (long long)account_of(f).held, e.message);
    store_close(f->store);
    remove_folder(f->folder);
    free(f);
    return ok ? 0 : -1;
}

static void answer_has_the_template_and_costs_one(void **state)
{
    struct fixture *f = *state;
    struct told t, polled;
    submit_and_wait(f, &t, NULL, "text");
    assert_int_equal(t.code, ERR_NONE);
    assert_int_equal(t.state, JOB_SUCCESS);
    assert_string_equal(t.data, "{\"a\":null,\"list\":[]}");
    assert_int_equal(t.charged, 1);
    assert_int_equal(t.credits_remaining, 49);
    get(f, &polled, t.id);
    assert_string_equal(polled.data, t.data);
    assert_int_equal(polled.charged, 1);
    told_clear(&polled);
    told_clear(&t);
}

static void without_wait_the_job_is_pending_and_then_done(void **state)
{
    struct fixture *f = *state;
    struct told t, polled;
    atomic_store(&fake_delay_us, 200000);
    submit(f, &t, false, NULL, "text");
    told_wait(&t);
    assert_int_equal(t.state, JOB_PENDING);
    assert_int_equal(t.charged, 0);
    for (int i = 0;; i++) {
        get(f, &polled, t.id);
        if (polled.state == JOB_SUCCESS) break;
        assert_true(polled.state == JOB_PENDING || polled.state == JOB_RUNNING);
        assert_in_range(i, 0, 200);
        told_clear(&polled);
        usleep(50000);
    }
    told_clear(&polled);
    told_clear(&t);
    assert_int_equal(account_of(f).balance, 49);
}

static void a_failure_is_not_charged_and_frees_its_key(void **state)
{
    struct fixture *f = *state;
    struct told t, polled, again;
    atomic_store(&fake_fail, 1);
    submit_and_wait(f, &t, "k", "text");
    assert_int_equal(t.code, ERR_ENGINE_UNAVAILABLE);
    get(f, &polled, t.id);
    assert_int_equal(polled.state, JOB_FAILED);
    assert_int_equal(polled.code, ERR_ENGINE_UNAVAILABLE);
    atomic_store(&fake_fail, 0);
    submit_and_wait(f, &again, "k", "another text");
    assert_int_equal(again.state, JOB_SUCCESS);
    assert_false(again.replayed);
    assert_int_equal(account_of(f).balance, 49);
    told_clear(&t);
    told_clear(&polled);
    told_clear(&again);
}

struct client {
    struct fixture *f;
    struct told told;
    const char *key;
    pthread_t thread;
};

static void *client_main(void *arg)
{
    struct client *c = arg;
    submit_and_wait(c->f, &c->told, c->key, "text");
    return NULL;
}

static void run_clients(struct fixture *f, struct client *clients, int count, const char *key)
{
    for (int i = 0; i < count; i++) {
        clients[i] = (struct client){.f = f, .key = key};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, client_main, &clients[i]), 0);
    }
    for (int i = 0; i < count; i++) pthread_join(clients[i].thread, NULL);
}

static void two_hundred_clients_on_fifty_credits(void **state)
{
    enum { CLIENTS = 200 };
    struct fixture *f = *state;
    struct client *clients = calloc(CLIENTS, sizeof *clients);
    int answered = 0, refused = 0;
    run_clients(f, clients, CLIENTS, NULL);
    for (int i = 0; i < CLIENTS; i++) {
        answered += clients[i].told.code == ERR_NONE && clients[i].told.charged == 1;
        refused += clients[i].told.code == ERR_NO_CREDITS;
        told_clear(&clients[i].told);
    }
    free(clients);
    assert_int_equal(answered, 50);
    assert_int_equal(refused, 150);
    assert_int_equal(account_of(f).balance, 0);
}

static void one_idempotency_key_from_many_clients_is_one_job(void **state)
{
    enum { CLIENTS = 100 };
    struct fixture *f = *state;
    struct client *clients = calloc(CLIENTS, sizeof *clients);
    struct told after, other;
    int fresh = 0, waiting = 0, replayed = 0;
    atomic_store(&fake_delay_us, 20000);
    run_clients(f, clients, CLIENTS, "once");
    for (int i = 0; i < CLIENTS; i++) {
        struct told *t = &clients[i].told;
        waiting += t->code == ERR_IN_PROGRESS;
        replayed += t->code == ERR_NONE && t->replayed;
        fresh += t->code == ERR_NONE && !t->replayed;
        told_clear(t);
    }
    free(clients);
    assert_int_equal(fresh, 1);
    assert_int_equal(fresh + waiting + replayed, CLIENTS);
    assert_int_equal(atomic_load(&fake_ran), 1);
    submit_and_wait(f, &after, "once", "text");
    assert_true(after.replayed);
    assert_string_equal(after.data, "{\"a\":null,\"list\":[]}");
    submit_and_wait(f, &other, "once", "other text");
    assert_int_equal(other.code, ERR_IDEMPOTENCY_MISMATCH);
    told_clear(&after);
    told_clear(&other);
    assert_int_equal(account_of(f).balance, 49);
}

static void replay_of_a_pending_job_names_it(void **state)
{
    struct fixture *f = *state;
    struct told first, second;
    atomic_store(&fake_delay_us, 300000);
    submit(f, &first, false, "k", "text");
    told_wait(&first);
    submit(f, &second, false, "k", "text");
    told_wait(&second);
    assert_int_equal(second.code, ERR_NONE);
    assert_true(second.replayed);
    assert_string_equal(first.id, second.id);
    told_clear(&first);
    told_clear(&second);
}

static void after_the_deadline_the_job_goes_on_and_is_charged_once(void **state)
{
    struct fixture *f = *state;
    struct told t, polled;
    f->options.deadline_ms = 100;
    restart(f);
    atomic_store(&fake_delay_us, 500000);
    int64_t began = clock_monotonic_ns();
    submit_and_wait(f, &t, NULL, "text");
    assert_in_range((clock_monotonic_ns() - began) / NS_PER_MS, 95, 400);
    assert_int_equal(t.code, ERR_TIMEOUT);
    assert_int_equal(strlen(t.id), JOB_ID_CHARS);
    assert_int_equal(account_of(f).held, 1);
    close_all(f); /* drains */
    assert_int_equal(account_of(f).balance, 49);
    store_close(f->store);
    open_all(f);
    get(f, &polled, t.id);
    assert_int_equal(polled.state, JOB_SUCCESS);
    told_clear(&polled);
    told_clear(&t);
}

static void a_full_queue_refuses_and_recovers(void **state)
{
    struct fixture *f = *state;
    struct told first[3], refused, later;
    f->options.queue_limit = 3;
    restart(f);
    atomic_store(&fake_delay_us, 200000);
    for (int i = 0; i < 3; i++) submit(f, &first[i], true, NULL, "text");
    submit_and_wait(f, &refused, NULL, "text");
    assert_int_equal(refused.code, ERR_QUEUE_FULL);
    for (int i = 0; i < 3; i++) told_wait(&first[i]), assert_int_equal(first[i].state, JOB_SUCCESS);
    usleep(20000); /* the reply comes a moment before the place is free */
    submit_and_wait(f, &later, NULL, "text");
    assert_int_equal(later.state, JOB_SUCCESS);
    for (int i = 0; i < 3; i++) told_clear(&first[i]);
    told_clear(&refused);
    told_clear(&later);
}

/* ---- fairness ------------------------------------------------------------------------------------------------------- */

static _Atomic int started, single_started_after;

static void note_single(const struct engine_task *task)
{
    int n = atomic_fetch_add(&started, 1);
    if (!strcmp(task->text, "single")) atomic_store(&single_started_after, n);
}

static void a_flood_delays_another_account_by_little(void **state)
{
    enum { FLOOD = 300 };
    struct fixture *f = *state, other = *f;
    struct told *flood = calloc(FLOOD, sizeof *flood), single;
    make_account(f, FLOOD);
    make_account(&other, 1);
    atomic_store(&started, 0);
    fake_on_run = note_single;
    atomic_store(&fake_delay_us, 2000);
    for (int i = 0; i < FLOOD; i++) submit(f, &flood[i], true, NULL, "flood");
    submit_and_wait(&other, &single, NULL, "single");
    assert_int_equal(single.state, JOB_SUCCESS);
    assert_true(atomic_load(&single_started_after) < FLOOD / 2);
    for (int i = 0; i < FLOOD; i++) told_wait(&flood[i]), told_clear(&flood[i]);
    told_clear(&single);
    free(flood);
    assert_true(atomic_load(&fake_peak) <= 4 + 32 + 1); /* slots and those let past the queue */
    assert_int_equal(account_of(&other).held, 0);
}

/* ---- restart -------------------------------------------------------------------------------------------------------- */

/* What a killed process leaves: rows in pending and running. */
static void leave_job(struct fixture *f, bool running, char id[37])
{
    struct error e;
    snprintf(id, 37, "01a20a8f-6fe2-7193-8138-%012d", running);
    struct store_job_insert w = {.write = {.verb = STORE_JOB_INSERT},
                                 .id = id,
                                 .account_id = f->caller.account_id,
                                 .running = running,
                                 .template = "{\"a\":null,\"list\":[]}",
                                 .text = "text",
                                 .text_bytes = 4,
                                 .now_ms = clock_wall_ms()};
    assert_true(store_write_wait(f->store, &w.write, &e));
}

static void jobs_of_a_killed_process_run_again(void **state)
{
    struct fixture *f = *state;
    struct told t;
    char ids[2][37];
    close_all(f);
    for (int i = 0; i < 2; i++) leave_job(f, i, ids[i]);
    assert_int_equal(account_of(f).held, 2);
    store_close(f->store);
    open_all(f);
    restart(f);   /* drains */
    for (int i = 0; i < 2; i++) {
        get(f, &t, ids[i]);
        assert_int_equal(t.state, JOB_SUCCESS);
        assert_string_equal(t.data, "{\"a\":null,\"list\":[]}");
        told_clear(&t);
    }
    assert_int_equal(account_of(f).balance, 48);
    assert_int_equal(atomic_load(&fake_ran), 2);
}

static void shutdown_answers_all_and_refuses_new_ones(void **state)
{
    enum { CLIENTS = 20 };
    struct fixture *f = *state;
    struct told waiting[CLIENTS], late;
    atomic_store(&fake_delay_us, 20000);
    for (int i = 0; i < CLIENTS; i++) submit(f, &waiting[i], true, NULL, "text");
    jobs_stop_intake(f->jobs);
    submit_and_wait(f, &late, NULL, "text");
    assert_int_equal(late.code, ERR_SHUTTING_DOWN);
    close_all(f);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(waiting[i].state, JOB_SUCCESS);
        told_clear(&waiting[i]);
    }
    told_clear(&late);
    assert_int_equal(account_of(f).balance, 50 - CLIENTS);
}

static void another_account_gets_404(void **state)
{
    struct fixture *f = *state, other = *f;
    struct told t, polled;
    submit_and_wait(f, &t, NULL, "text");
    make_account(&other, 1);
    get(&other, &polled, t.id);
    assert_int_equal(polled.code, ERR_JOB_NOT_FOUND);
    told_clear(&t);
    told_clear(&polled);
}

static void finished_jobs_are_gone_after_the_retention(void **state)
{
    struct fixture *f = *state;
    struct told t, polled;
    f->options.retention_s = 1;
    restart(f);
    submit_and_wait(f, &t, NULL, "text");
    get(f, &polled, t.id);
    assert_int_equal(polled.state, JOB_SUCCESS);
    told_clear(&polled);
    usleep(1100000);
    get(f, &polled, t.id);
    assert_int_equal(polled.code, ERR_JOB_NOT_FOUND);
    told_clear(&polled);
    told_clear(&t);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(answer_has_the_template_and_costs_one),
        TEST(without_wait_the_job_is_pending_and_then_done),
        TEST(a_failure_is_not_charged_and_frees_its_key),
        TEST(two_hundred_clients_on_fifty_credits),
        TEST(one_idempotency_key_from_many_clients_is_one_job),
        TEST(replay_of_a_pending_job_names_it),
        TEST(after_the_deadline_the_job_goes_on_and_is_charged_once),
        TEST(a_full_queue_refuses_and_recovers),
        TEST(a_flood_delays_another_account_by_little),
        TEST(jobs_of_a_killed_process_run_again),
        TEST(shutdown_answers_all_and_refuses_new_ones),
        TEST(another_account_gets_404),
        TEST(finished_jobs_are_gone_after_the_retention),
    };
    log_set_level(LOG_WARN);
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
