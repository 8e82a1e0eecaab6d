/* doctor_machine.c - the model and the upstreams and whether they answer, the limits of this process, the clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/doctor.h"
#include "engine/engine.h"
#include "engine/find_model.h"
#include "engine/model.h"

enum { PATH_CHARS = 4096, URL_CHARS = 2000, SPARE_DESCRIPTORS = 128, MEMORY_LEAST_MIB = 256 /* the service takes 75, a password's hash 64 */, SKEW_MS = 60000 };

#define CLOCK_FLOOR_MS INT64_C(1767225600000) /* 2026-01-01: this program is younger */

/* ---- model ----------------------------------------------------------------------------------------------------------- */

/* One question whose answer is known. */
static bool answers(struct engine *engine, struct error *e)
{
    static const char text[] = "Invoice 2847 of 15 January 2026\nTotal: 120 EUR";
    struct engine_answer answer = {0};
    json_t *template = json_pack("{s:n}", "total");
    struct template_plan *plan = template ? template_compile(template, e) : NULL;
    json_decref(template);
    bool ran = plan && engine_extract(engine, text, sizeof text - 1, plan, false, &answer);
    const char *total = ran ? json_string_value(json_object_get(answer.data, "total")) : NULL;
    bool right = total && strstr(total, "120");
    if (ran && !right) error_set(e, ERR_ENGINE_UNAVAILABLE, "", "asked for the total of \"%s\", it says %.40s", text, total ? total : "nothing");
    else if (plan && !ran) *e = answer.error;
    engine_answer_clear(&answer);
    template_free(plan);
    return right;
}

static bool uses_upstreams(const struct serve_options *o) { return strcmp(o->engine, "embedded") != 0; }

void check_model(struct examination *x)
{
    if (!strcmp(x->options->engine, "remote")) return; /* none is loaded */
    static const char again[] = "put the model's folder there again (make install), or name another with --model";
    char folder[PATH_CHARS], config[PATH_CHARS + 16];
    struct model model;
    struct error e = {0};
    if (!find_model(x->options->model, x->data, folder, sizeof folder, &e)) {
        found(x, FAULT, again, "%s", e.message);
        return;
    }
    (void)snprintf(config, sizeof config, "%s/config.json", folder);
    struct engine_options options = {.model_dir = folder, .threads = 1};
    struct engine *engine = model_read(&model, config, &e) ? engine_open(&options, &e) : NULL;
    if (!engine) {
        found(x, FAULT, again, "%s", e.message);
        return;
    }
    if (!model.sha256[0])
        found(x, WARNING, "use a model whose config.json has sha256", "%s names no checksum: damage to the weights would not be seen", config);
    if (answers(engine, &e)) found(x, FINE, NULL, "%s in %s answers", engine_model_name(engine), folder);
    else found(x, FAULT, again, "the model in %s does not answer as it should: %s", folder, e.message);
    engine_close(engine);
}

/* ---- upstreams ------------------------------------------------------------------------------------------------------- */

/* Opens a pool of this one and asks it what the model is asked; the pool itself asks first whether the server is right. */
static void check_upstream(struct examination *x, const char *url)
{
    const struct serve_options *o = x->options;
    struct error e = {0};
    struct engine_options options = {.kind = ENGINE_REMOTE,
                                     .upstream = {.urls = url,
                                                  .model = o->upstream_model,
                                                  .key_file = o->upstream_key,
                                                  .prompt = o->upstream_prompt,
                                                  .concurrency = 1,
                                                  .timeout_ms = (int)o->upstream_timeout,
                                                  .context = (int)o->upstream_context}};
    int64_t start = clock_monotonic_ns();
    struct engine *engine = engine_open(&options, &e);
    if (engine && answers(engine, &e))
        found(x, FINE, NULL, "%s answers, in %lld ms", url, (long long)((clock_monotonic_ns() - start) / NS_PER_MS));
    else
        found(x, FAULT, "start it, mend it, or take it out of --upstream", "%s does not answer as it should: %s", url, e.message);
    engine_close(engine);
}

void check_upstreams(struct examination *x)
{
    char url[URL_CHARS + 1];
    const char *at = x->options->upstream;
    if (!uses_upstreams(x->options)) return;
    if (!at) {
        found(x, FAULT, "name them: --upstream URL,URL", "--engine %s needs model servers, and none is named", x->options->engine);
        return;
    }
    for (; *at; at += strspn(at, ",")) {
        size_t n = strcspn(at, ",");
        (void)snprintf(url, sizeof url, "%.*s", (int)(n < URL_CHARS ? n : URL_CHARS), at);
        if (n) check_upstream(x, url);
        at += n;
    }
}

/* ---- limits ---------------------------------------------------------------------------------------------------------- */

/* The memory this process may use: the machine's, or less by its control group. */
static int64_t memory_mib(void)
{
    static const char *const limits[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    int64_t bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        long long limit;
        FILE *file = fopen(limits[i], "re");
        if (file && fscanf(file, "%lld", &limit) == 1 && limit > 0 && limit < bytes) bytes = limit;
        if (file) (void)fclose(file);
    }
    return bytes >> 20;
}

void check_limits(struct examination *x)
{
    struct rlimit files = {0}, space = {0};
    int64_t wanted = x->options->connections + SPARE_DESCRIPTORS, memory = memory_mib();
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int before = x->counts[WARNING] + x->counts[FAULT];
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < (rlim_t)wanted)
        found(x, FAULT, "raise it (LimitNOFILE= in the unit, ulimit -n), or lower --connections",
              "%llu open files are allowed, %lld connections need %lld", (unsigned long long)files.rlim_max,
              (long long)x->options->connections, (long long)wanted);
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
        found(x, WARNING, "limit memory by the control group instead (MemoryMax= in the unit)",
              "addresses are limited to %llu MiB (ulimit -v), of which most are never memory", (unsigned long long)(space.rlim_cur >> 20));
    if (memory < MEMORY_LEAST_MIB)
        found(x, FAULT, "give it more memory", "%lld MiB of memory, %d are needed", (long long)memory, MEMORY_LEAST_MIB);
    if (x->options->threads > cores)
        found(x, WARNING, "let --threads be 0, one per core", "%lld engine threads on %ld cores wait for each other",
              (long long)x->options->threads, cores);
#ifdef __x86_64__
    if (!__builtin_cpu_supports("avx2")) found(x, WARNING, "a processor with AVX2", "the processor has no AVX2: extraction is slow");
#endif
    if (before == x->counts[WARNING] + x->counts[FAULT])
        found(x, FINE, NULL, "%ld cores, %lld MiB of memory, %llu open files", cores, (long long)memory, (unsigned long long)files.rlim_max);
}

/* ---- clock ----------------------------------------------------------------------------------------------------------- */

/* When the store was last written, 0 when it never was. */
static int64_t last_write_ms(const char *data)
{
    static const char *const names[] = {"refractr.db", "refractr.db-wal"};
    int64_t last = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[PATH_CHARS];
        struct stat info;
        if (snprintf(path, sizeof path, "%s/%s", data, names[i]) >= (int)sizeof path || stat(path, &info) < 0) continue;
        int64_t at = (int64_t)info.st_mtim.tv_sec * 1000;
        if (at > last) last = at;
    }
    return last;
}

void check_clock(struct examination *x)
{
    static const char set[] = "set the clock and keep it right: timedatectl set-ntp true";
    struct timex state = {0};
    char iso[CLOCK_ISO_CHARS + 1];
    int64_t now = clock_wall_ms(), written = last_write_ms(x->data);
    bool synchronized = adjtimex(&state) >= 0 && !(state.status & STA_UNSYNC);
    clock_iso8601(now, iso);
    if (now < CLOCK_FLOOR_MS)
        found(x, FAULT, set, "it says %s, which is before this program was made", iso);
    else if (written > now + SKEW_MS)
        found(x, FAULT, set, "it says %s, but the store was written %lld s later: sessions, jobs and keys would live too long", iso,
              (long long)((written - now) / 1000));
    else if (!synchronized)
        found(x, WARNING, set, "it says %s; nothing on this machine keeps it right", iso);
    else
        found(x, FINE, NULL, "it says %s and is kept right", iso);
}
