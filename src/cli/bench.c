/* bench.c - refractr bench: how fast the engine is on this machine, as a table or as JSON.
 *
 * Everything is measured in one run on an otherwise idle machine; what the figures mean stands beside them in the table.
 * The service's own figures come from tools outside this program (`make bench`). */
#include <jansson.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "config.h"
#include "engine/encoder.h"
#include "engine/engine.h"
#include "engine/find_model.h"
#include "engine/model.h"
#include "engine/template.h"
#include "engine/weights.h"

enum { LENGTHS = 3, MAX_THREADS = 256, MAX_RUNS = 20000, LONG_CHARS = 50000, PATH = 4096 + 32, WARM_RUNS = 3 };

struct bench_options {
    const char *model, *data;
    int64_t tokens, threads, milliseconds;
    bool json, engine;
};

static const struct option_row rows[] = {
    OPTION_FLAG(struct bench_options, engine, "--engine", "measure the engine (what is measured without it, too)"),
    OPTION_FLAG(struct bench_options, json, "--json", "print one JSON object instead of a table"),
    OPTION_INT(struct bench_options, tokens, "--tokens", NULL, "N", "0", 0, 512, "only tokens per second at this length"),
    OPTION_INT(struct bench_options, threads, "--threads", NULL, "N", "0", 0, 256, "threads; 0: one per core"),
    OPTION_INT(struct bench_options, milliseconds, "--ms", NULL, "MS", "1500", 50, 60000, "time spent on each figure"),
    OPTION_TEXT(struct bench_options, model, "--model", "REFRACTR_MODEL", "DIR", NULL, "folder of the model"),
    OPTION_TEXT(struct bench_options, data, "--data", "REFRACTR_DATA", "DIR", NULL, "data folder; its model/ is tried first"),
};

static const struct command_line command = {
    .usage = "refractr bench [--engine] [--json] [OPTIONS]",
    .about = "Measures the engine on this machine: the two requests of the quick start, tokens per second at 64, 128 and 512\n"
             "tokens, the share of the machine's int8 peak, 50,000 characters with 10 keys, peak memory.\n"
             "Exit codes: 0 measured, 2 wrong usage, 3 no engine or model.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
};

static const size_t lengths[LENGTHS] = {64, 128, 512};

static const struct { const char *name, *text, *template; } requests[] = {
    {"invoice", "Invoice #2847\nDate: 2026-01-15\nTotal: \xE2\x82\xAC" "1,249.00",
     "{\"invoice_number\": null, \"date\": null, \"total_amount\": null}"},
    {"news", "BREAKING \xE2\x80\x94 Nvidia soars 12% to ~$187 after crushing Q4 earnings. Revenue hit $22.1B vs $20.4B expected.",
     "{\"company\": null, \"stock_move_pct\": null, \"revenue\": null}"},
};
enum { REQUESTS = sizeof requests / sizeof requests[0] };

static const char long_template[] =
    "{\"title\": null, \"date\": \"date\", \"total_amount\": \"number\", \"supplier\": null, \"customer\": null, \"items\": [],"
    " \"city\": null, \"contact\": {\"name\": null, \"email\": null, \"phone\": null}}";

/* One thread's share of a throughput measurement. */
struct lane {
    struct encoder_worker *worker;
    struct window *window;
    double seconds, elapsed;
    size_t runs;
    bool ok;
};

struct bench {
    struct bench_options options;
    int threads;
    struct model model;
    struct weights *weights;
    struct encoder *encoder;
    struct engine *engine;
    json_t *out;
    struct error error;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- tokens per second ---------------------------------------------------------------------------------------------------- */

/* A window of `tokens` made-up pieces with three fields, the same for every program that is compared (eval/bench_onnx.py). */
static void fill_window(struct window *w, size_t tokens)
{
    enum { HEAD = 10 };
    *w = (struct window){.length = tokens, .head = HEAD, .tokens = tokens - HEAD - 1, .fields = 3, .markers = {1, 4, 7}};
    for (size_t i = 0; i < tokens; i++)
        w->ids[i] = (int32_t)(i * 7919 % 30000 + 200);
}

static void *run_lane(void *argument)
{
    struct lane *lane = argument;
    struct scores scores;
    struct error e;
    encoder_thread_start();
    lane->ok = true;
    for (int i = 0; lane->ok && i < WARM_RUNS; i++)
        lane->ok = encoder_run(lane->worker, lane->window, &scores, &e);
    double start = now();
    while (lane->ok && lane->elapsed < lane->seconds) {
        lane->ok = encoder_run(lane->worker, lane->window, &scores, &e);
        lane->runs++;
        lane->elapsed = now() - start;
    }
    return NULL;
}

static bool tokens_per_second(struct bench *b, size_t tokens, int threads, double *rate)
{
    struct lane lanes[MAX_THREADS] = {0};
    pthread_t ids[MAX_THREADS];
    struct window *window = malloc(sizeof *window);
    int started = 0;
    bool ok = window != NULL;
    if (ok)
        fill_window(window, tokens);
    for (int i = 0; ok && i < threads; i++) {
        lanes[i] = (struct lane){.window = window, .seconds = (double)b->options.milliseconds / 1e3};
        lanes[i].worker = encoder_worker_open(b->encoder, &b->error);
        ok = lanes[i].worker && pthread_create(&ids[i], NULL, run_lane, &lanes[i]) == 0;
        started += ok;
    }
    *rate = 0;
    for (int i = 0; i < started; i++) {
        pthread_join(ids[i], NULL);
        ok = ok && lanes[i].ok;
        *rate += (double)(lanes[i].runs * tokens) / lanes[i].elapsed;
    }
    for (int i = 0; i < threads; i++)
        encoder_worker_close(lanes[i].worker);
    free(window);
    return ok;
}

/* Operations of the int8 products, two per multiply-add, that one token needs. */
static double operations(const struct model *m)
{
    double h = (double)m->hidden;
    return 2 * (double)m->layers * (4 * h * h + 2 * h * (double)m->intermediate);
}

static bool measure_tokens(struct bench *b)
{
    double peak;
    json_t *all = json_object();
    if (!encoder_peak((double)b->options.milliseconds / 1e3, &peak, &b->error))
        return false;
    json_object_set_new(b->out, "int8_peak_gops", json_real(peak / 1e9));
    json_object_set_new(b->out, "tokens_per_second", all);
    for (size_t i = 0; i < LENGTHS; i++) {
        double one, every;
        char name[16];
        if (!tokens_per_second(b, lengths[i], 1, &one) || !tokens_per_second(b, lengths[i], b->threads, &every))
            return false;
        snprintf(name, sizeof name, "%zu", lengths[i]);
        json_object_set_new(all, name, json_pack("{s:f, s:f, s:f}", "one_thread", one, "all_threads", every, "share_of_peak",
                                                 one * operations(&b->model) / peak));
    }
    return true;
}

/* ---- requests --------------------------------------------------------------------------------------------------------------- */

/* Runs one request for the time given; the median in seconds. */
static bool measure_request(struct bench *b, const char *text, const char *template, double *median)
{
    json_t *json = json_loads(template, 0, NULL);
    struct template_plan *plan = template_compile(json, &b->error);
    double *times = calloc(MAX_RUNS, sizeof *times), end = now() + (double)b->options.milliseconds / 1e3;
    size_t runs = 0;
    bool ok = plan && times;
    for (int i = 0; ok && (i < WARM_RUNS || (runs < MAX_RUNS && (runs == 0 || now() < end))); i++) {
        struct engine_answer answer;
        double start = now();
        ok = engine_extract(b->engine, text, strlen(text), plan, false, &answer);
        if (ok && i >= WARM_RUNS - 1)
            times[runs++] = now() - start;
        if (!ok)
            b->error = answer.error;
        engine_answer_clear(&answer);
    }
    if (ok) {
        qsort(times, runs, sizeof *times, by_value);
        *median = times[runs / 2];
    }
    free(times);
    template_free(plan);
    json_decref(json);
    return ok;
}

/* 50,000 characters of an invoice's lines, each with numbers of its own. */
static char *long_text(void)
{
    char *text = malloc(LONG_CHARS + 128);
    size_t length = 0;
    for (unsigned i = 1; text && length < LONG_CHARS; i++)
        length += (size_t)snprintf(text + length, 128, "Item %u: %u boxes of grade %c paper, delivered to Hall %u, %u.%02u EUR.\n",
                                   i, i % 17 + 1, (char)('A' + i % 5), i % 9 + 1, i * 7 % 900 + 10, i * 13 % 100);
    if (text)
        text[LONG_CHARS] = '\0';
    return text;
}

static bool measure_requests(struct bench *b)
{
    double seconds;
    json_t *all = json_object();
    json_object_set_new(b->out, "quick_start_ms", all);
    for (size_t i = 0; i < REQUESTS; i++) {
        if (!measure_request(b, requests[i].text, requests[i].template, &seconds))
            return false;
        json_object_set_new(all, requests[i].name, json_real(seconds * 1e3));
    }
    char *text = long_text();
    bool ok = text && measure_request(b, text, long_template, &seconds);
    free(text);
    if (ok)
        json_object_set_new(b->out, "long_document_s", json_real(seconds));
    return ok;
}

/* ---- the machine, the table ------------------------------------------------------------------------------------------------- */

static void name_machine(struct bench *b)
{
    char line[256], cpu[200] = "unknown";
    FILE *info = fopen("/proc/cpuinfo", "r");
    while (info && fgets(line, sizeof line, info)) {
        if (sscanf(line, "model name : %199[^\n]", cpu) == 1)
            break;
    }
    if (info)
        fclose(info);
    struct utsname system;
    uname(&system);
    json_object_set_new(b->out, "cpu", json_string(cpu));
    json_object_set_new(b->out, "architecture", json_string(system.machine));
    json_object_set_new(b->out, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    json_object_set_new(b->out, "threads", json_integer(b->threads));
}

static void name_engine(struct bench *b, const char *folder)
{
    json_object_set_new(b->out, "engine", json_string(encoder_machine(b->encoder)));
    json_object_set_new(b->out, "model", json_sprintf("%s %s", b->model.name, b->model.version));
    json_object_set_new(b->out, "model_dir", json_string(folder));
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void print_table(const json_t *out)
{
    const char *key;
    json_t *value;
    printf("%s, %lld cores, %lld threads; %s; %s\n\n", json_string_value(json_object_get(out, "cpu")),
           (long long)json_integer_value(json_object_get(out, "cores")), (long long)json_integer_value(json_object_get(out, "threads")),
           json_string_value(json_object_get(out, "engine")), json_string_value(json_object_get(out, "model")));
    json_object_foreach(json_object_get(out, "quick_start_ms"), key, value)
        printf("%-34s %10.2f ms    median of a request, goal under 10\n", key, json_number_value(value));
    if (json_object_get(out, "int8_peak_gops"))
        printf("%-34s %10.0f GOP/s best int8 product on one thread\n", "int8 peak", number(out, "int8_peak_gops"));
    json_object_foreach(json_object_get(out, "tokens_per_second"), key, value)
        printf("%-4s tokens                        %10.0f /s    one thread (%.0f %% of the peak); all threads %.0f /s\n", key,
               number(value, "one_thread"), 100 * number(value, "share_of_peak"), number(value, "all_threads"));
    if (json_object_get(out, "long_document_s"))
        printf("%-34s %10.2f s     goal under 2\n", "50,000 characters, 10 keys", number(out, "long_document_s"));
    if (json_object_get(out, "peak_memory_mb"))
        printf("%-34s %10.0f MB    resident, goal under 200\n", "peak memory", number(out, "peak_memory_mb"));
}

/* ---- the command ------------------------------------------------------------------------------------------------------------ */

static bool open_encoder(struct bench *b, char folder[PATH])
{
    char path[PATH + 32];
    if (!find_model(b->options.model, b->options.data, folder, PATH, &b->error))
        return false;
    snprintf(path, sizeof path, "%s/config.json", folder);
    if (!model_read(&b->model, path, &b->error))
        return false;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    b->weights = weights_open(path, b->model.sha256[0] ? b->model.sha256 : NULL, &b->error);
    b->encoder = b->weights ? encoder_open(b->weights, &b->model, &b->error) : NULL;
    if (b->encoder)
        weights_forget(b->weights);
    return b->encoder != NULL;
}

static void close_encoder(struct bench *b)
{
    encoder_close(b->encoder);
    weights_close(b->weights);
    b->encoder = NULL;
    b->weights = NULL;
}

/* Requests run first and alone, so that the peak memory is the engine's. */
static bool measure_all(struct bench *b, const char *folder)
{
    struct rusage usage;
    struct engine_options options = {.model_dir = folder, .threads = b->threads};
    b->engine = engine_open(&options, &b->error);
    bool ok = b->engine && measure_requests(b);
    if (b->engine)
        engine_close(b->engine);
    if (ok && getrusage(RUSAGE_SELF, &usage) == 0)
        json_object_set_new(b->out, "peak_memory_mb", json_real((double)usage.ru_maxrss / 1024));
    return ok;
}

static bool measure_one_length(struct bench *b)
{
    double rate;
    if (!tokens_per_second(b, (size_t)b->options.tokens, b->threads, &rate))
        return false;
    json_object_set_new(b->out, "tokens", json_integer(b->options.tokens));
    json_object_set_new(b->out, "rate", json_real(rate));
    return true;
}

static bool run_bench(struct bench *b)
{
    char folder[PATH];
    bool one = b->options.tokens > 0;
    name_machine(b);
    if (!find_model(b->options.model, b->options.data, folder, sizeof folder, &b->error))
        return false;
    bool ok = (one || measure_all(b, folder)) && open_encoder(b, folder);
    if (ok)
        name_engine(b, folder);
    ok = ok && (one ? measure_one_length(b) : measure_tokens(b));
    close_encoder(b);
    return ok;
}

int cmd_bench(int argc, char **argv)
{
    struct bench b = {0};
    enum parse_result parsed = options_parse(&command, &b.options, argc, argv, NULL, NULL);
    if (parsed != PARSE_OK)
        return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    if (b.options.tokens && b.options.tokens < 32) {
        fputs("refractr bench: --tokens takes 32 to 512\n", stderr);
        return EXIT_USAGE;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    b.threads = b.options.threads ? (int)b.options.threads : cores > 0 && cores <= MAX_THREADS ? (int)cores : 1;
    b.out = json_object();
    bool ok = b.out && sodium_init() >= 0 && run_bench(&b);
    if (!ok)
        fprintf(stderr, "refractr: %s\n", b.error.message);
    else if (b.options.json || b.options.tokens)
        ok = json_dumpf(b.out, stdout, JSON_INDENT(1)) == 0 && putchar('\n') != EOF;
    else
        print_table(b.out);
    json_decref(b.out);
    return ok ? EXIT_OK : EXIT_UNAVAILABLE;
}
