/* extract.c - refractr extract: documents from files, stdin or JSON lines through the engine, no service needed.
 *
 * Inputs become jobs in a ring: as many as keep every engine thread busy are under way, and answers are printed in the order
 * of the inputs. One thread reads and prints; the engine's threads only mark jobs as done. */
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/cli.h"
#include "config.h"
#include "engine/engine.h"
#include "engine/template.h"

enum {
    MOST_CHARS = 50000,             /* of a document, as in the API */
    MOST_BYTES = 4 * MOST_CHARS + 3 /* read of a document file: enough to tell that it is too long */,
    MOST_TEMPLATE = 1 << 20,
    RING = 64,                      /* jobs under way */
    BAR = 30,
};

struct extract_options {
    const char *template, *jsonl, *model, *data;
    int64_t threads;
    bool details;
};

static const struct option_row rows[] = {
    OPTION_TEXT(struct extract_options, template, "--template", NULL, "T", NULL, "template: a file or JSON itself"),
    OPTION_TEXT(struct extract_options, jsonl, "--jsonl", NULL, "FILE", NULL,
                "lines of {\"document_text\", \"template\"} (\"id\" is kept); - is stdin"),
    OPTION_FLAG(struct extract_options, details, "--details", "add where each value stands and how sure it is"),
    OPTION_TEXT(struct extract_options, model, "--model", "REFRACTR_MODEL", "DIR", NULL, "folder of the model"),
    OPTION_INT(struct extract_options, threads, "--threads", "REFRACTR_THREADS", "N", "0", 0, 256, "engine threads; 0: one per core"),
    OPTION_TEXT(struct extract_options, data, "--data", "REFRACTR_DATA", "DIR", NULL, "data folder; its model/ is tried first"),
};

static const struct command_line command = {
    .usage = "refractr extract --template T [FILE...] [OPTIONS]\n       refractr extract --jsonl FILE [OPTIONS]",
    .about = "Fills the template from each FILE, from stdin without one or where it is -. Prints JSON lines: the filled\n"
             "template; with several files {\"file\", \"extracted_data\"}; with --jsonl {\"status\", \"extracted_data\"} or\n"
             "{\"status\", \"error\"} for each line, in order.\n"
             "Exit codes: 0 all answered, 1 some inputs failed, 2 wrong usage, 3 no engine or model.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
};

struct job {
    char *text;                 /* owned */
    size_t bytes;
    struct template_plan *plan; /* owned when it came with a line, else the run's */
    const char *file;           /* or NULL */
    json_t *id;                 /* of a line, or NULL */
    struct engine_answer answer;
    bool done;                  /* guarded by run.lock */
    struct run *run;
};

struct run {
    struct extract_options options;
    const char **files;
    int file_count;
    FILE *lines;                /* --jsonl */
    off_t lines_bytes;          /* its size, 0 when unknown */
    struct template_plan *plan; /* --template */
    struct engine *engine;
    struct job ring[RING];
    size_t given, printed, failed;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool bar;
};

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

/* The whole of `file`, up to `most` bytes, with a NUL after it; NULL and `e` when it cannot be read or is longer. */
static char *read_all(FILE *file, const char *name, size_t most, size_t *bytes, struct error *e)
{
    char *data = malloc(most + 2);
    *bytes = data ? fread(data, 1, most + 1, file) : 0;
    if (data && !ferror(file) && *bytes <= most) {
        data[*bytes] = '\0';
        return data;
    }
    if (data && *bytes > most)
        error_set(e, ERR_DOCUMENT_TOO_LONG, "document_text", "%s is longer than %zu bytes.", name, most);
    else
        error_set(e, ERR_INVALID_VALUE, "", "Cannot read %s: %s.", name, data ? strerror(errno) : "out of memory");
    free(data);
    return NULL;
}

static char *read_path(const char *path, size_t most, size_t *bytes, struct error *e)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        error_set(e, ERR_INVALID_VALUE, "", "Cannot open %s: %s.", path, strerror(errno));
        return NULL;
    }
    char *data = read_all(file, path, most, bytes, e);
    fclose(file);
    return data;
}

/* 1 to 50,000 code points of UTF-8? */
static bool check_text(const char *text, size_t bytes, struct error *e)
{
    json_t *whole = json_stringn(text, bytes); /* NULL when it is not UTF-8 */
    size_t chars = 0;
    if (!whole)
        return error_set(e, ERR_INVALID_VALUE, "document_text", "The document is not valid UTF-8; convert it first (iconv).");
    json_decref(whole);
    for (size_t i = 0; i < bytes; i++)
        chars += ((unsigned char)text[i] & 0xC0) != 0x80;
    if (chars == 0)
        return error_set(e, ERR_DOCUMENT_EMPTY, "document_text", "The document is empty; 1 to %d characters are allowed.", MOST_CHARS);
    if (chars > MOST_CHARS)
        return error_set(e, ERR_DOCUMENT_TOO_LONG, "document_text", "The document has %zu characters; at most %d are allowed.", chars,
                         MOST_CHARS);
    return true;
}

static struct template_plan *load_template(const char *given, struct error *e)
{
    size_t bytes;
    json_error_t problem;
    bool inline_json = given[strspn(given, " \t\r\n")] == '{';
    char *data = inline_json ? NULL : read_path(given, MOST_TEMPLATE, &bytes, e);
    if (!inline_json && !data)
        return NULL;
    json_t *template = json_read(inline_json ? given : data, strlen(inline_json ? given : data), JSON_REJECT_DUPLICATES, &problem);
    free(data);
    struct template_plan *plan = template ? template_compile(template, e) : NULL;
    if (!template)
        error_set(e, ERR_INVALID_JSON, "template", "The template is not JSON: line %d, column %d: %s.", problem.line, problem.column,
                  problem.text);
    json_decref(template);
    return plan;
}

static bool take_line_members(struct job *job, json_t *line, struct error *e)
{
    json_t *text = json_object_get(line, "document_text"), *template = json_object_get(line, "template");
    if (!json_is_object(line))
        return error_set(e, ERR_WRONG_TYPE, "", "The line must be an object with document_text and template.");
    job->id = json_incref(json_object_get(line, "id"));
    if (!text)
        return error_set(e, ERR_MISSING_FIELD, "document_text", "document_text is missing.");
    if (!json_is_string(text))
        return error_set(e, ERR_WRONG_TYPE, "document_text", "document_text must be a string.");
    if (!template && !job->run->plan)
        return error_set(e, ERR_MISSING_FIELD, "template", "template is missing, and --template gives none.");
    if (!check_text(json_string_value(text), json_string_length(text), e))
        return false;
    job->bytes = json_string_length(text);
    job->text = malloc(job->bytes + 1);
    if (!job->text)
        return error_set(e, ERR_INTERNAL, "", "Out of memory.");
    memcpy(job->text, json_string_value(text), job->bytes + 1);
    job->plan = template ? template_compile(template, e) : job->run->plan;
    return job->plan != NULL;
}

/* Reads the next line into `job`. False at the end of input; a line that is wrong fails the job, not the run. */
static bool next_line(struct run *run, struct job *job, struct error *e)
{
    char *line = NULL;
    size_t room = 0;
    json_error_t problem;
    ssize_t length;
    do
        length = getline(&line, &room, run->lines);
    while (length > 0 && line[strspn(line, " \t\r\n")] == '\0');
    if (length > 0) {
        json_t *object = json_read(line, (size_t)length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &problem);
        if (!object)
            error_set(e, ERR_INVALID_JSON, "", "The line is not JSON: column %d: %s.", problem.column, problem.text);
        else
            (void)take_line_members(job, object, e);
        json_decref(object);
    }
    free(line);
    return length > 0;
}

static bool next_file(struct run *run, struct job *job, struct error *e)
{
    size_t index = run->given;
    if (index >= (size_t)(run->file_count ? run->file_count : 1))
        return false;
    job->file = run->file_count ? run->files[index] : NULL;
    if (!job->file || strcmp(job->file, "-") == 0)
        job->text = read_all(stdin, "stdin", MOST_BYTES, &job->bytes, e);
    else
        job->text = read_path(job->file, MOST_BYTES, &job->bytes, e);
    job->plan = run->plan;
    if (job->text)
        (void)check_text(job->text, job->bytes, e);
    return true;
}

/* ---- running ------------------------------------------------------------------------------------------------------------ */

static void mark_done(void *argument, struct engine_answer *answer)
{
    struct job *job = argument;
    pthread_mutex_lock(&job->run->lock);
    job->answer = *answer;
    job->done = true;
    pthread_cond_signal(&job->run->done);
    pthread_mutex_unlock(&job->run->lock);
}

/* Puts the next input under way; false when there is none. */
static bool start_next(struct run *run)
{
    struct job *job = &run->ring[run->given % RING];
    struct error error = {0};
    *job = (struct job){.run = run};
    if (!(run->lines ? next_line(run, job, &error) : next_file(run, job, &error)))
        return false;
    run->given++;
    struct engine_task task = {job->text, job->bytes, job->plan, run->options.details, mark_done, job};
    if (error.code == ERR_NONE && engine_submit(run->engine, &task, &error))
        return true;
    struct engine_answer answer = {.ok = false, .error = error};
    mark_done(job, &answer);
    return true;
}

static json_t *error_object(const struct error *e)
{
    return json_pack("{s:s, s:s, s:s, s:s?}", "type", error_type_name(e->code), "code", error_code_name(e->code), "message",
                     e->message, "param", e->param[0] ? e->param : NULL);
}

/* The line printed for a job; NULL: nothing but a message on stderr. */
static json_t *line_of(const struct run *run, struct job *job)
{
    struct engine_answer *a = &job->answer;
    bool api = run->lines != NULL, named = run->file_count > 1;
    if (a->ok && !api && !named && !run->options.details)
        return json_incref(a->data);
    json_t *line = json_object();
    if (api && job->id)
        json_object_set(line, "id", job->id);
    if (named)
        json_object_set_new(line, "file", json_string(job->file));
    if (api)
        json_object_set_new(line, "status", json_string(a->ok ? "success" : "failed"));
    if (!a->ok) {
        json_object_set_new(line, "error", error_object(&a->error));
        return line;
    }
    json_object_set(line, "extracted_data", a->data);
    if (a->fields && api)
        json_object_set_new(line, "metadata", json_pack("{s:O}", "fields", a->fields));
    else if (a->fields)
        json_object_set(line, "fields", a->fields);
    if (a->warnings)
        json_object_set(line, "warnings", a->warnings);
    return line;
}

static bool print_job(struct run *run, struct job *job)
{
    bool alone = !run->lines && run->file_count <= 1, ok = true;
    if (!job->answer.ok) {
        run->failed++;
        if (!run->lines)
            fprintf(stderr, "refractr: %s%s%s\n", job->file ? job->file : "", job->file ? ": " : "", job->answer.error.message);
    }
    if (job->answer.ok || !alone) {
        json_t *line = line_of(run, job);
        ok = line && json_dumpf(line, stdout, JSON_OUTSIDE) == 0 && putchar('\n') != EOF;
        json_decref(line);
    }
    engine_answer_clear(&job->answer);
    if (job->plan != run->plan)
        template_free(job->plan);
    json_decref(job->id);
    free(job->text);
    return ok;
}

static void draw_bar(const struct run *run, bool last)
{
    if (!run->bar)
        return;
    double share = 0;
    if (!run->lines)
        share = (double)run->printed / run->file_count;
    else if (run->lines_bytes > 0)
        share = (double)ftello(run->lines) / (double)run->lines_bytes;
    int full = (int)(share * BAR);
    fprintf(stderr, "\r[%.*s%*s] %zu done%s", full, "##############################", BAR - full, "", run->printed, last ? "\n" : "");
    fflush(stderr);
}

static void wait_for(struct run *run, struct job *job)
{
    pthread_mutex_lock(&run->lock);
    while (!job->done)
        pthread_cond_wait(&run->done, &run->lock);
    pthread_mutex_unlock(&run->lock);
}

/* All inputs, in order. False: stdout failed. */
static bool run_all(struct run *run)
{
    bool more = true, ok = true;
    while (more || run->printed < run->given) {
        while (more && run->given - run->printed < RING)
            more = start_next(run);
        if (run->printed == run->given)
            break;
        struct job *job = &run->ring[run->printed % RING];
        wait_for(run, job);
        ok = print_job(run, job) && ok;
        run->printed++;
        if (run->lines)
            ok = fflush(stdout) == 0 && ok;
        draw_bar(run, false);
    }
    draw_bar(run, true);
    return fflush(stdout) == 0 && ok;
}

/* ---- the command --------------------------------------------------------------------------------------------------------- */

static bool open_lines(struct run *run)
{
    struct stat info;
    if (!run->options.jsonl)
        return true;
    run->lines = strcmp(run->options.jsonl, "-") ? fopen(run->options.jsonl, "rb") : stdin;
    if (!run->lines) {
        fprintf(stderr, "refractr: cannot open %s: %s\n", run->options.jsonl, strerror(errno));
        return false;
    }
    run->lines_bytes = fstat(fileno(run->lines), &info) == 0 && S_ISREG(info.st_mode) ? info.st_size : 0;
    return true;
}

static bool usage_ok(const struct run *run)
{
    const char *wrong = NULL;
    if (!run->options.template && !run->options.jsonl)
        wrong = "--template is needed (a file, or JSON such as '{\"total\": null}'), or --jsonl";
    else if (run->options.jsonl && run->file_count)
        wrong = "--jsonl brings the documents itself: leave the files out";
    if (wrong)
        fprintf(stderr, "refractr extract: %s; see `refractr extract --help`\n", wrong);
    return !wrong;
}

static int execute(struct run *run)
{
    struct error e = {0};
    if (!usage_ok(run))
        return EXIT_USAGE;
    run->plan = run->options.template ? load_template(run->options.template, &e) : NULL;
    if (run->options.template && !run->plan) {
        fprintf(stderr, "refractr: %s\n", e.message);
        return EXIT_USAGE;
    }
    if (!open_lines(run))
        return EXIT_USAGE;
    struct engine_options options = {.model_dir = run->options.model, .data_dir = run->options.data, .threads = (int)run->options.threads};
    run->engine = sodium_init() >= 0 ? engine_open(&options, &e) : NULL;
    if (!run->engine) {
        fprintf(stderr, "refractr: %s\n", e.message);
        return EXIT_UNAVAILABLE;
    }
    run->bar = isatty(STDERR_FILENO) && (run->lines || run->file_count > 1);
    bool ok = run_all(run);
    engine_close(run->engine);
    if (!ok)
        fputs("refractr: cannot write to stdout\n", stderr);
    return ok && run->failed == 0 ? EXIT_OK : EXIT_FAILED;
}

int cmd_extract(int argc, char **argv)
{
    struct command_line line = command;
    struct run *run = calloc(1, sizeof *run);
    line.words_max = argc;
    if (run)
        run->files = calloc((size_t)argc + 1, sizeof *run->files);
    if (!run || !run->files) {
        free(run);
        fputs("refractr: out of memory\n", stderr);
        return EXIT_FAILED;
    }
    enum parse_result parsed = options_parse(&line, &run->options, argc, argv, run->files, &run->file_count);
    int code = parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    if (parsed == PARSE_OK) {
        pthread_mutex_init(&run->lock, NULL);
        pthread_cond_init(&run->done, NULL);
        code = execute(run);
        if (run->lines && run->lines != stdin)
            fclose(run->lines);
        template_free(run->plan);
        pthread_cond_destroy(&run->done);
        pthread_mutex_destroy(&run->lock);
    }
    free(run->files);
    free(run);
    return code;
}
