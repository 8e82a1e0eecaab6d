/* test_store_nodes.c - what several processes share on PostgreSQL: leases, the line of waiting jobs, the rate's windows. Two
 * stores on one schema stand for two nodes. */
#include "testing.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "store/store_nodes.h"
#include "store_place.h"

enum { NODES = 2 };

struct fixture {
    struct place place;
    struct store *node[NODES];
    char account[3][STORE_ID_CHARS + 1];
};

static struct store *open_store(const struct place *place)
{
    struct error e;
    struct store_options options = {.url = place->url, .create = true};
    struct store *store = store_open(&options, &e);
    if (!store) print_error("%s\n", e.message);
    assert_non_null(store);
    return store;
}

static void beat(struct store *store)
{
    struct error e;
    bool rejoined;
    assert_true(store_node_beat(store, "test/1", "all", &rejoined, &e));
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error e;
    place_make(&f->place);
    for (int i = 0; i < NODES; i++) {
        f->node[i] = open_store(&f->place);
        beat(f->node[i]);
    }
    for (int i = 0; i < 3; i++) {
        struct store_account_create w = {.write = {.verb = STORE_ACCOUNT_CREATE}, .name = "acme", .credits = 1000};
        assert_true(store_write_wait(f->node[0], &w.write, &e));
        memcpy(f->account[i], w.id, sizeof w.id);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct error e = {.code = ERR_NONE};
    bool balanced = store_audit(f->node[0], &e);
    if (!balanced) print_error("audit: %s\n", e.message);
    for (int i = 0; i < NODES; i++) store_close(f->node[i]);
    place_remove(&f->place);
    free(f);
    return balanced ? 0 : -1;
}

static void insert(struct fixture *f, struct store *store, int account, bool running, char id[STORE_ID_CHARS + 1])
{
    struct error e;
    uuid_make(id);
    struct store_job_insert w = {.write = {.verb = STORE_JOB_INSERT},
                                 .id = id,
                                 .account_id = f->account[account],
                                 .running = running,
                                 .template = "{\"a\":null}",
                                 .text = "text",
                                 .text_bytes = 4,
                                 .now_ms = clock_wall_ms()};
    assert_true(store_write_wait(store, &w.write, &e));
}

static bool settle(struct store *store, const char *id, int attempt)
{
    struct error e;
    struct store_job_settle w = {.write = {.verb = STORE_JOB_SETTLE},
                                 .id = id,
                                 .attempt = attempt,
                                 .result = "{\"data\":null}",
                                 .latency_ms = 7,
                                 .now_ms = clock_wall_ms()};
    assert_true(store_write_wait(store, &w.write, &e));
    return w.applied;
}

static int recover(struct store *store)
{
    struct error e;
    struct store_jobs_recover w = {.write = {.verb = STORE_JOBS_RECOVER}, .max_attempts = 3, .now_ms = clock_wall_ms()};
    assert_true(store_write_wait(store, &w.write, &e));
    return w.requeued;
}

struct taken {
    int count, of_account[3], attempt;
    char id[64][STORE_ID_CHARS + 1];
    struct fixture *f;
};

static bool keep(void *arg, const struct store_pending_job *job)
{
    struct taken *t = arg;
    assert_memory_equal(job->text, "text", 4);
    for (int i = 0; i < 3; i++) t->of_account[i] += !strcmp(job->account_id, t->f->account[i]);
    t->attempt = job->attempt;
    memcpy(t->id[t->count++], job->id, sizeof job->id);
    return true;
}

static struct taken take(struct fixture *f, struct store *store, int limit, const char *after)
{
    struct error e;
    struct taken taken = {.f = f};
    struct store_take t = {.limit = limit, .visit = keep, .arg = &taken};
    snprintf(t.after, sizeof t.after, "%s", after);
    assert_true(store_jobs_take(store, &t, &e));
    assert_int_equal(t.taken, taken.count);
    return taken;
}

/* The lease of node `i` is over: nobody heard of it. */
static void let_die(struct fixture *f, int i)
{
    char sql[128];
    snprintf(sql, sizeof sql, "UPDATE nodes SET seen = seen - interval '1 hour' WHERE id = %d", i + 1);
    assert_false(place_refuses(&f->place, sql));
}

static void accounts_are_served_in_turn(void **state)
{
    struct fixture *f = *state;
    char id[37];
    for (int i = 0; i < 20; i++) insert(f, f->node[0], 0, false, id);
    insert(f, f->node[0], 1, false, id);
    insert(f, f->node[0], 2, false, id);
    struct taken first = take(f, f->node[1], 4, "");
    assert_int_equal(first.count, 4);
    assert_int_equal(first.of_account[0], 2);
    assert_int_equal(first.of_account[1], 1);
    assert_int_equal(first.of_account[2], 1);
    assert_int_equal(first.attempt, 1);
    for (int left = 18; left > 0; left -= 6) assert_int_equal(take(f, f->node[left / 6 % 2], 6, f->account[0]).count, 6);
    assert_int_equal(take(f, f->node[0], 6, "").count, 0);
}

static void the_line_goes_on_after_the_account_served_last(void **state)
{
    struct fixture *f = *state;
    char id[37];
    int served[3] = {0};
    for (int i = 0; i < 9; i++) insert(f, f->node[0], i % 3, false, id);
    struct error e;
    struct taken taken = {.f = f};
    struct store_take t = {.limit = 1, .visit = keep, .arg = &taken};
    for (int i = 0; i < 6; i++) assert_true(store_jobs_take(f->node[0], &t, &e));
    for (int i = 0; i < 3; i++) served[i] = taken.of_account[i];
    for (int i = 0; i < 3; i++) assert_int_equal(served[i], 2);
}

struct taker {
    struct fixture *f;
    struct store *store;
    pthread_t thread;
    int count;
};

static bool count_one(void *arg, const struct store_pending_job *job)
{
    (void)job;
    ++*(int *)arg;
    return true;
}

static void *take_all(void *arg)
{
    struct taker *taker = arg;
    struct error e;
    for (int empty = 0; empty < 3;) {
        struct store_take t = {.limit = 3, .visit = count_one, .arg = &taker->count};
        assert_true(store_jobs_take(taker->store, &t, &e));
        empty = t.taken ? 0 : empty + 1;
    }
    return NULL;
}

static void no_job_is_taken_twice(void **state)
{
    enum { JOBS = 120, TAKERS = 6 };
    struct fixture *f = *state;
    struct taker takers[TAKERS];
    char id[37];
    int total = 0;
    for (int i = 0; i < JOBS; i++) insert(f, f->node[0], i % 3, false, id);
    for (int i = 0; i < TAKERS; i++) {
        takers[i] = (struct taker){.f = f, .store = f->node[i % 2]};
        assert_int_equal(pthread_create(&takers[i].thread, NULL, take_all, &takers[i]), 0);
    }
    for (int i = 0; i < TAKERS; i++) pthread_join(takers[i].thread, NULL), total += takers[i].count;
    assert_int_equal(total, JOBS);
    assert_int_equal(place_number(&f->place, "SELECT count(*) FROM open_jobs WHERE state = 1 AND attempt = 1"), JOBS);
}

static void a_living_nodes_jobs_stay_and_a_dead_ones_run_elsewhere(void **state)
{
    struct fixture *f = *state;
    char id[37];
    insert(f, f->node[0], 0, true, id);
    assert_int_equal(recover(f->node[1]), 0);
    let_die(f, 0);
    assert_int_equal(recover(f->node[1]), 1);
    assert_false(settle(f->node[0], id, 1)); /* it woke up: the job is nobody's */
    assert_int_equal(take(f, f->node[1], 1, "").attempt, 2);
    assert_false(settle(f->node[0], id, 1));
    assert_true(settle(f->node[1], id, 2));
    assert_false(settle(f->node[1], id, 2));
    assert_int_equal(place_number(&f->place, "SELECT count(*) FROM ledger WHERE kind = 'usage'"), 1);
}

static void a_node_that_was_thought_dead_is_a_new_one(void **state)
{
    struct fixture *f = *state;
    struct error e;
    bool rejoined;
    char old[37], new[37];
    insert(f, f->node[0], 0, true, old);
    let_die(f, 0);
    assert_true(store_node_beat(f->node[0], "test/1", "all", &rejoined, &e));
    assert_true(rejoined);
    insert(f, f->node[0], 0, true, new);
    assert_int_equal(recover(f->node[1]), 1); /* `old` alone */
    assert_true(settle(f->node[0], new, 1));
    store_node_leave(f->node[0]);
    assert_int_equal(take(f, f->node[0], 1, "").count, 0); /* no node, no job */
    assert_int_equal(take(f, f->node[1], 1, "").count, 1);
}

/* As after a failover that lost the row of one node and gave its number to the next. */
static void a_number_that_is_anothers_now_keeps_nobody_alive(void **state)
{
    struct fixture *f = *state;
    struct error e;
    bool rejoined;
    assert_false(place_refuses(&f->place, "UPDATE nodes SET name = 'another' WHERE id = 1"));
    assert_true(store_node_beat(f->node[0], "test/1", "all", &rejoined, &e));
    assert_true(rejoined);
}

struct ended {
    int count;
    int64_t remaining;
    enum store_job_state state;
};

static void note_end(void *arg, const struct store_job *job, int64_t credits_remaining)
{
    struct ended *ended = arg;
    *ended = (struct ended){.count = ended->count + 1, .remaining = credits_remaining, .state = job->state};
    assert_string_equal(job->result, "{\"data\":null}");
}

static void only_what_has_ended_is_told(void **state)
{
    struct fixture *f = *state;
    struct error e;
    struct ended ended = {0};
    char done[37], open[37];
    insert(f, f->node[0], 0, true, done);
    insert(f, f->node[0], 0, true, open);
    const char *ids[] = {done, open};
    struct store_watch w = {.ids = ids, .count = 2, .visit = note_end, .arg = &ended};
    assert_true(store_jobs_watch(f->node[1], &w, &e));
    assert_int_equal(ended.count, 0);
    assert_true(settle(f->node[0], done, 1));
    assert_true(store_jobs_watch(f->node[1], &w, &e));
    assert_int_equal(ended.count, 1);
    assert_int_equal(ended.state, STORE_SUCCESS);
    assert_int_equal(ended.remaining, 998); /* one charged, one held */
}

struct asker {
    struct store *store;
    pthread_t thread;
    int granted;
};

static void *ask_often(void *arg)
{
    struct asker *asker = arg;
    struct error e;
    for (int i = 0; i < 20; i++) {
        struct store_permit p = {.key_id = 7, .bucket = 0, .blocks = 30, .window_ms = 60000};
        assert_true(store_permit_take(asker->store, &p, &e));
        asker->granted += p.granted;
        assert_in_range(p.in_use, 1, 30);
        assert_in_range(p.frees_in_ms, 1, 60000);
    }
    return NULL;
}

static void permits_are_never_more_than_the_window_holds(void **state)
{
    enum { ASKERS = 6 };
    struct fixture *f = *state;
    struct asker askers[ASKERS];
    struct error e;
    int granted = 0;
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.store = f->node[i % 2]};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]), 0);
    }
    for (int i = 0; i < ASKERS; i++) pthread_join(askers[i].thread, NULL), granted += askers[i].granted;
    assert_int_equal(granted, 30);
    struct store_permit p = {.key_id = 7, .bucket = 0, .blocks = 30, .window_ms = 1};
    usleep(2000);
    assert_true(store_permit_take(f->node[0], &p, &e)); /* all have left so short a window */
    assert_true(p.granted);
    assert_int_equal(p.in_use, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(accounts_are_served_in_turn),
        TEST(the_line_goes_on_after_the_account_served_last),
        TEST(no_job_is_taken_twice),
        TEST(a_living_nodes_jobs_stay_and_a_dead_ones_run_elsewhere),
        TEST(a_node_that_was_thought_dead_is_a_new_one),
        TEST(a_number_that_is_anothers_now_keeps_nobody_alive),
        TEST(only_what_has_ended_is_told),
        TEST(permits_are_never_more_than_the_window_holds),
    };
    if (sodium_init() < 0) return 1;
    return place_use_postgres() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
