/* The engine as a whole, with the stub and with the shipped model: every task is answered once, whatever runs beside it. */
#include "testing.h"

#include <pthread.h>
#include <sodium.h>

#include "engine/engine.h"

static const char model[] = "models/refractr-mini"; /* unit tests run in the repository's root */
static const char text[] = "Invoice #2847\nDate: 2026-01-15\nTotal: \xE2\x82\xAC" "1,249.00";

enum { TASKS = 60 };

struct counter { pthread_mutex_t lock; pthread_cond_t changed; int done, failed; char *first; bool same; };

static void count(void *argument, struct engine_answer *answer)
{
    struct counter *c = argument;
    char *data = answer->ok ? json_dumps(answer->data, JSON_COMPACT) : NULL;
    pthread_mutex_lock(&c->lock);
    c->done++;
    c->failed += !answer->ok;
    c->same = c->same && data && (!c->first || !strcmp(c->first, data));
    if (!c->first)
        c->first = data;
    else
        free(data);
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    engine_answer_clear(answer);
}

static struct template_plan *plan_of(const char *template)
{
    struct error e;
    json_t *json = json_loads(template, 0, NULL);
    struct template_plan *plan = template_compile(json, &e);
    json_decref(json);
    assert_non_null(plan);
    return plan;
}

/* Submits TASKS tasks at once and closes the engine over them: all must be answered, all alike. */
static char *run_many(const struct engine_options *options, const char *document, size_t bytes, const char *template)
{
    struct error e = {0};
    struct engine *engine = engine_open(options, &e);
    if (!engine)
        print_error("%s\n", e.message);
    assert_non_null(engine);
    struct template_plan *plan = plan_of(template);
    struct counter c = {.same = true};
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.changed, NULL);
    struct engine_task task = {document, bytes, plan, false, count, &c};
    for (int i = 0; i < TASKS; i++)
        assert_true(engine_submit(engine, &task, &e));
    engine_close(engine);
    assert_int_equal(c.done, TASKS);
    assert_int_equal(c.failed, 0);
    assert_true(c.same);
    pthread_cond_destroy(&c.changed);
    pthread_mutex_destroy(&c.lock);
    template_free(plan);
    return c.first;
}

static void the_stub_answers_nulls(void **state)
{
    (void)state;
    struct engine_options options = {.stub = true, .threads = 3};
    char *data = run_many(&options, text, sizeof text - 1, "{\"a\": null, \"b\": []}");
    assert_string_equal(data, "{\"a\":null,\"b\":[]}");
    free(data);
}

static void a_delay_holds_back_all_alike(void **state)
{
    (void)state;
    struct engine_options options = {.stub = true, .threads = 1, .stub_delay_ms = 50};
    char *data = run_many(&options, text, sizeof text - 1, "{\"a\": null}"); /* one after the other would take 3 s */
    assert_string_equal(data, "{\"a\":null}");
    free(data);
}

static void many_tasks_get_the_answer_of_one(void **state)
{
    (void)state;
    struct engine_options options = {.model_dir = model, .threads = 3};
    char *data = run_many(&options, text, sizeof text - 1, "{\"invoice_number\": null, \"date\": null, \"total_amount\": null}");
    assert_string_equal(data, "{\"invoice_number\":\"2847\",\"date\":\"2026-01-15\",\"total_amount\":\"\xE2\x82\xAC" "1,249.00\"}");
    free(data);
}

static void a_missing_model_is_named(void **state)
{
    (void)state;
    struct error e = {0};
    struct engine_options options = {.model_dir = "/nowhere"};
    assert_null(engine_open(&options, &e));
    assert_int_equal(e.code, ERR_ENGINE_UNAVAILABLE);
    assert_non_null(strstr(e.message, "/nowhere"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stub_answers_nulls),
        cmocka_unit_test(a_delay_holds_back_all_alike),
        cmocka_unit_test(many_tasks_get_the_answer_of_one),
        cmocka_unit_test(a_missing_model_is_named),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
