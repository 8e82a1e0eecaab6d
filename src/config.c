/* config.c - the rows of `serve`, and the one parser for all commands. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define S struct serve_options
static const struct option_row serve_rows[] = {
    OPTION_TEXT(S, data, "--data", "REFRACTR_DATA", "DIR", NULL, "data folder (made when missing)"),
    OPTION_TEXT(S, store, "--store", "REFRACTR_STORE", "URL", NULL,
                "postgresql://...: keep everything there, shared by any number of nodes"),
    OPTION_CHOICE(S, role, "--role", "REFRACTR_ROLE", "api|worker|all", "all",
                  "of this node (with --store): answer requests, work on jobs, or both"),
    OPTION_TEXT(S, host, "--host", "REFRACTR_HOST", "ADDRESS", "127.0.0.1", "address to listen on"),
    OPTION_INT(S, port, "--port", "REFRACTR_PORT", "N", "8080", 0, 65535, "port; 0: any free one, told in the log"),
    OPTION_TEXT(S, model, "--model", "REFRACTR_MODEL", "DIR", NULL, "model folder; default: looked for beside the program"),
    OPTION_INT(S, threads, "--threads", "REFRACTR_THREADS", "N", "0", 0, 1024, "engine threads; 0: one per core"),
    OPTION_CHOICE(S, engine, "--engine", "REFRACTR_ENGINE", "embedded|remote|auto", "embedded",
                  "who answers; auto: the model embedded here, then the upstreams for what it is unsure of"),
    OPTION_TEXT(S, upstream, "--upstream", "REFRACTR_UPSTREAM", "URL[,URL...]", NULL,
                "OpenAI-compatible servers for remote and auto, as http://gpu1:8000; 16 at most"),
    OPTION_TEXT(S, upstream_model, "--upstream-model", "REFRACTR_UPSTREAM_MODEL", "NAME", NULL,
                "model to ask for; default: the first that the server lists"),
    OPTION_TEXT(S, upstream_key, "--upstream-key-file", "REFRACTR_UPSTREAM_KEY_FILE", "FILE", NULL,
                "holds the key the upstreams ask for (Authorization: Bearer)"),
    OPTION_CHOICE(S, upstream_prompt, "--upstream-prompt", "REFRACTR_UPSTREAM_PROMPT", "auto|chat|nuextract", "auto",
                  "how the model is asked; auto: by its name"),
    OPTION_INT(S, upstream_concurrency, "--upstream-concurrency", "REFRACTR_UPSTREAM_CONCURRENCY", "N", "8", 1, 64,
               "requests at once to each upstream"),
    OPTION_INT(S, upstream_timeout, "--upstream-timeout-ms", "REFRACTR_UPSTREAM_TIMEOUT_MS", "ms", "30000", 100, 600000,
               "an upstream's answer is waited for so long"),
    OPTION_INT(S, upstream_context, "--upstream-context", "REFRACTR_UPSTREAM_CONTEXT", "tokens", "0", 0, 10000000,
               "the model's window; 0: what the server says, else 4096"),
    OPTION_INT(S, auto_threshold, "--auto-threshold", "REFRACTR_AUTO_THRESHOLD", "percent", "60", 0, 100,
               "auto: fields less sure than this are asked of the upstreams"),
    OPTION_INT(S, queue, "--queue-limit", "REFRACTR_QUEUE_LIMIT", "N", "1000", 1, 1000000, "jobs accepted and not finished; more: 503"),
    OPTION_INT(S, retention, "--retention", "REFRACTR_RETENTION", "s", "86400", 1, 31536000,
               "how long a finished job can be polled"),
    OPTION_CHOICE(S, durability, "--durability", "REFRACTR_DURABILITY", "full|normal", "normal",
                  "full: every answer survives a power loss; normal: but for the last 0.1 s"),
    OPTION_INT(S, rate, "--rate-limit", "REFRACTR_RATE_LIMIT", "N", "100", 1, 1000000, "extractions a minute per key"),
    OPTION_INT(S, poll_rate, "--poll-limit", "REFRACTR_POLL_LIMIT", "N", "6000", 1, 1000000, "polls a minute per key"),
    OPTION_INT(S, deadline_ms, "--deadline-ms", "REFRACTR_DEADLINE_MS", "ms", "30000", 1, 3600000,
               "a waiting request is answered 504 after this"),
    OPTION_INT(S, idle_timeout, "--idle-timeout", "REFRACTR_IDLE_TIMEOUT", "s", "30", 1, 3600,
               "a silent connection is closed after this"),
    OPTION_INT(S, connections, "--connections", "REFRACTR_CONNECTIONS", "N", "4096", 1, 65000, "open connections at most"),
    OPTION_CHOICE(S, log_level, "--log-level", "REFRACTR_LOG_LEVEL", "debug|info|warn|error|off", "info", "log threshold"),
    OPTION_TEXT(S, contact, "--contact", "REFRACTR_CONTACT", "ADDRESS", "the operator of this service",
                "whom to ask for a key or credits"),
    OPTION_TEXT(S, public_url, "--public-url", "REFRACTR_PUBLIC_URL", "URL", NULL,
                "how the world reaches the service; https makes cookies Secure"),
    OPTION_FLAG(S, trust_proxy, "--trust-proxy", "believe X-Forwarded-For and X-Forwarded-Proto of the proxy before us"),
    OPTION_FLAG(S, signup, "--signup", "anybody may make an account (without credits) on the pages"),
    OPTION_INT(S, signin_tries, "--signin-tries", "REFRACTR_SIGNIN_TRIES", "N", "10", 1, 100000,
               "failed sign-ins per address in 15 minutes"),
    OPTION_INT(S, demo_rate, "--demo-limit", "REFRACTR_DEMO_LIMIT", "N", "30", 1, 1000000,
               "examples a minute per visitor on the front page"),
    OPTION_INT(S, low_credits, "--low-credits", "REFRACTR_LOW_CREDITS", "N", "50", 0, 1000000000,
               "the dashboard warns an account with fewer"),
    OPTION_TEXT(S, packs, "--packs", "REFRACTR_PACKS", "FILE", NULL, "credit packs on sale, JSON; default: a built-in table"),
    OPTION_TEXT(S, stripe_key, "--stripe-key-file", "REFRACTR_STRIPE_KEY_FILE", "FILE", NULL,
                "Stripe's secret key; none: credits are granted by the operator"),
    OPTION_TEXT(S, stripe_secret, "--stripe-webhook-secret-file", "REFRACTR_STRIPE_WEBHOOK_SECRET_FILE", "FILE", NULL,
                "signing secret of the events Stripe sends to /stripe/webhook"),
    OPTION_TEXT(S, stripe_url, "--stripe-base-url", NULL, "URL", NULL, "for tests: another Stripe"),
    OPTION_FLAG(S, webhook_allow_private, "--webhook-allow-private", "webhooks may go to http and to private addresses"),
    OPTION_TEXT(S, webhook_retries, "--webhook-retries", "REFRACTR_WEBHOOK_RETRIES", "s,s,...", NULL,
                "waits before each retry; default: 5,300,1800,7200,18000,36000,36000"),
    OPTION_FLAG(S, stub_engine, "--stub-engine", "for tests: no model, every answer empty"),
    OPTION_INT(S, engine_delay_ms, "--stub-delay-ms", NULL, "ms", "0", 0, 600000, "for tests: every job takes this longer"),
};
#undef S

const struct command_line serve_command = {
    .usage = "refractr serve [OPTIONS]",
    .about = "Serves the API. SIGTERM or SIGINT stops it: no new requests, up to 30 s for what runs; a second one ends it at\n"
             "once (jobs are durable and run again at the next start).",
    .rows = serve_rows,
    .row_count = sizeof serve_rows / sizeof serve_rows[0],
};

static void print_row(const struct option_row *row)
{
    char left[64];
    snprintf(left, sizeof left, "%s %s", row->flag, row->unit);
    printf("  %-40s %s", left, row->help);
    if (row->fallback) printf(" [%s]", row->fallback);
    if (row->env) printf(" ($%s)", row->env);
    putchar('\n');
}

static void print_help(const struct command_line *command)
{
    printf("usage: %s\n\n%s\n", command->usage, command->about);
    if (command->row_count) puts("\noptions:  [default] ($ENVIRONMENT)");
    for (size_t i = 0; i < command->row_count; i++) print_row(&command->rows[i]);
}

static bool choice_ok(const char *choices, const char *value)
{
    size_t n = strlen(value);
    for (const char *p = choices; p; p = strchr(p, '|')) {
        if (*p == '|') p++;
        if (n > 0 && !strncmp(p, value, n) && (p[n] == '|' || p[n] == '\0')) return true;
    }
    return false;
}

/* `source` is the flag or the environment variable the value came by. */
static bool put_value(const struct option_row *row, void *out, const char *value, const char *source)
{
    void *at = (char *)out + row->offset;
    if (row->kind == OPTION_KIND_TEXT) {
        if (row->choices && !choice_ok(row->choices, value)) {
            fprintf(stderr, "refractr: %s must be one of %s, not '%s'\n", source, row->choices, value);
            return false;
        }
        *(const char **)at = value;
        return true;
    }
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno || end == value || *end || number < row->min || number > row->max) {
        fprintf(stderr, "refractr: %s must be a whole number from %lld to %lld, not '%s'\n", source, (long long)row->min,
                (long long)row->max, value);
        return false;
    }
    *(int64_t *)at = number;
    return true;
}

static bool put_defaults(const struct command_line *command, void *out)
{
    for (size_t i = 0; i < command->row_count; i++) {
        const struct option_row *row = &command->rows[i];
        const char *env = row->env ? getenv(row->env) : NULL;
        void *at = (char *)out + row->offset;
        if (row->kind == OPTION_KIND_TEXT) *(const char **)at = NULL;
        else if (row->kind == OPTION_KIND_INT) *(int64_t *)at = 0;
        else *(bool *)at = false;
        if (row->fallback && !put_value(row, out, row->fallback, row->flag)) return false;
        if (env && *env && !put_value(row, out, env, row->env)) return false;
    }
    return true;
}

static const struct option_row *find_row(const struct command_line *command, const char *arg, const char **value)
{
    size_t n = strcspn(arg, "=");
    for (size_t i = 0; i < command->row_count; i++) {
        if (strlen(command->rows[i].flag) != n || strncmp(command->rows[i].flag, arg, n) != 0) continue;
        *value = arg[n] == '=' ? arg + n + 1 : NULL;
        return &command->rows[i];
    }
    return NULL;
}

static bool wrong(const struct command_line *command, const char *what, const char *arg)
{
    fprintf(stderr, "refractr: %s%s\nusage: %s  (--help says more)\n", what, arg, command->usage);
    return false;
}

/* One option at argv[*i], its value perhaps in the next word. */
static bool put_option(const struct command_line *command, void *out, int argc, char **argv, int *i)
{
    const char *value;
    const struct option_row *row = find_row(command, argv[*i], &value);
    if (!row) return wrong(command, "unknown option ", argv[*i]);
    if (row->kind == OPTION_KIND_FLAG) {
        if (value) return wrong(command, "takes no value: ", row->flag);
        *(bool *)((char *)out + row->offset) = true;
        return true;
    }
    if (!value && *i + 1 >= argc) return wrong(command, "a value must follow ", row->flag);
    if (!value) value = argv[++*i];
    return put_value(row, out, value, row->flag);
}

enum parse_result options_parse(const struct command_line *command, void *out, int argc, char **argv, const char **words,
                                int *word_count)
{
    int count = 0;
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return print_help(command), PARSE_HELP;
    }
    if (!put_defaults(command, out)) return PARSE_WRONG;
    for (int i = 1; i < argc; i++) {
        if (!only_words && !strcmp(argv[i], "--")) {
            only_words = true;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1] == '-') {
            if (!put_option(command, out, argc, argv, &i)) return PARSE_WRONG;
        } else if (count < command->words_max) {
            words[count++] = argv[i];
        } else {
            return wrong(command, "one word too many: ", argv[i]), PARSE_WRONG;
        }
    }
    if (count < command->words_min) return wrong(command, "something is missing", ""), PARSE_WRONG;
    if (word_count) *word_count = count;
    return PARSE_OK;
}

const char *config_data_dir(const char *given)
{
    static char path[4096];
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (given) return given;
    if (geteuid() == 0) return "/var/lib/refractr";
    if (xdg && *xdg) snprintf(path, sizeof path, "%s/refractr", xdg);
    else snprintf(path, sizeof path, "%s/.local/share/refractr", home && *home ? home : ".");
    return path;
}
