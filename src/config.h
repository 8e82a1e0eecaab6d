/* config.h - options as tables: one row per option with flag, environment variable, kind, limits, default and help.
 *
 * The command line stands above the environment, that above the default. Every command that takes options uses this:
 *
 *     struct opts { const char *data; int64_t credits; bool yes; } o;
 *     static const struct option_row rows[] = {
 *         OPTION_TEXT(struct opts, data, "--data", "REFRACTR_DATA", "DIR", NULL, "data folder"),
 *         OPTION_INT(struct opts, credits, "--credits", NULL, "N", "0", 0, 1000000, "credits to begin with"),
 *         OPTION_FLAG(struct opts, yes, "--yes", "do not ask"),
 *     };
 *     enum parse_result r = options_parse(&command, &o, argc, argv);                                                  */
#ifndef REFRACTR_CONFIG_H
#define REFRACTR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind { OPTION_KIND_TEXT, OPTION_KIND_INT, OPTION_KIND_FLAG };

struct option_row {
    const char *flag;      /* "--port" */
    const char *env;       /* or NULL */
    const char *unit;      /* shown after the flag: "N", "DIR", "ms" */
    const char *fallback;  /* default, as it would be written; NULL: none (text stays NULL, a number 0) */
    const char *help;
    enum option_kind kind;
    int64_t min, max;      /* of a number */
    const char *choices;   /* text: "full|normal", or NULL for any */
    size_t offset;         /* of the const char *, int64_t or bool in the command's struct */
};

#define OPTION_TEXT(type, member, flag, env, unit, fallback, help) \
    {flag, env, unit, fallback, help, OPTION_KIND_TEXT, 0, 0, NULL, offsetof(type, member)}
#define OPTION_CHOICE(type, member, flag, env, choices, fallback, help) \
    {flag, env, choices, fallback, help, OPTION_KIND_TEXT, 0, 0, choices, offsetof(type, member)}
#define OPTION_INT(type, member, flag, env, unit, fallback, min, max, help) \
    {flag, env, unit, fallback, help, OPTION_KIND_INT, min, max, NULL, offsetof(type, member)}
#define OPTION_FLAG(type, member, flag, help) \
    {flag, NULL, "", NULL, help, OPTION_KIND_FLAG, 0, 0, NULL, offsetof(type, member)}

struct command_line {
    const char *usage;     /* "refractr serve [OPTIONS]" */
    const char *about;     /* what it does: one paragraph, without the last line break */
    const struct option_row *rows;
    size_t row_count;
    int words_min, words_max; /* words that are not options */
};

enum parse_result { PARSE_OK, PARSE_HELP, PARSE_WRONG };

/* argv[0] is the command's own name. Fills `out` and `words` (words_max entries; `*word_count` of them). PARSE_HELP: help
 * was printed on stdout. PARSE_WRONG: the mistake was printed on stderr. Both end the command (EXIT_OK, EXIT_USAGE). */
enum parse_result options_parse(const struct command_line *command, void *out, int argc, char **argv, const char **words,
                                int *word_count);

/* The data folder when none is given: $XDG_DATA_HOME/refractr, ~/.local/share/refractr or /var/lib/refractr for root.
 * Static storage. */
const char *config_data_dir(const char *given);

/* The options of `refractr serve`. */
struct serve_options {
    const char *data, *store, *role, *host, *model, *durability, *log_level, *contact, *public_url, *packs, *stripe_key, *stripe_secret, *stripe_url;
    const char *webhook_retries;
    const char *engine, *upstream, *upstream_model, *upstream_key, *upstream_prompt;
    int64_t upstream_concurrency, upstream_timeout, upstream_context, auto_threshold;
    int64_t port, threads, queue, retention, rate, poll_rate, deadline_ms, idle_timeout, connections;
    int64_t signin_tries, demo_rate, low_credits;
    bool trust_proxy, signup, webhook_allow_private;
    bool stub_engine;
    int64_t engine_delay_ms;
};
extern const struct command_line serve_command;

#endif
