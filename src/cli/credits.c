/* credits.c - refractr credits grant|show. A grant counts at once, also beside a running service. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common.h"

struct credits_options {
    struct cli_where where;
    const char *note;
};

static const struct option_row grant_rows[] = {
    OPTIONS_WHERE(struct credits_options),
    OPTION_TEXT(struct credits_options, note, "--note", NULL, "TEXT", NULL, "why, kept in the ledger"),
};
static const struct command_line grant_command = {
    .usage = "refractr credits grant ACCOUNT N [--note TEXT] [--data DIR | --store URL]",
    .about = "Adds N credits to the account; a negative N takes free ones back. Prints the new balance.",
    .rows = grant_rows,
    .row_count = sizeof grant_rows / sizeof grant_rows[0],
    .words_min = 2,
    .words_max = 2,
};

static bool read_amount(const char *word, int64_t *amount)
{
    char *end;
    errno = 0;
    *amount = strtoll(word, &end, 10);
    return !errno && end != word && !*end && *amount != 0 && *amount >= -1000000000000 && *amount <= 1000000000000;
}

static int grant(int argc, char **argv)
{
    struct credits_options o = {0};
    const char *words[2];
    struct store_credits_grant w = {.write = {.verb = STORE_CREDITS_GRANT}};
    int code;
    enum parse_result parsed = options_parse(&grant_command, &o, argc, argv, words, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    if (!read_amount(words[1], &w.amount) || (o.note && strlen(o.note) > STORE_NOTE_CHARS)) {
        fprintf(stderr, "refractr: N must be a whole number other than 0, up to a million million, and a note may have %d "
                "bytes at most\n", STORE_NOTE_CHARS);
        return EXIT_USAGE;
    }
    struct store *store = cli_open_store(&o.where, false, &code);
    if (!store) return code;
    struct error e;
    w.account_id = words[0];
    w.note = o.note;
    bool ok = store_write_wait(store, &w.write, &e);
    store_close(store);
    if (!ok) return cli_fail(&e);
    return cli_print(json_pack("{s:s, s:I, s:I}", "account_id", words[0], "granted", (json_int_t)w.amount, "balance",
                               (json_int_t)w.balance));
}

static const struct option_row show_rows[] = {OPTIONS_WHERE(struct credits_options)};
static const struct command_line show_command = {
    .usage = "refractr credits show ACCOUNT [--data DIR | --store URL]",
    .about = "Prints one JSON object: credits to spend, credits held by jobs under way, their sum.",
    .rows = show_rows,
    .row_count = sizeof show_rows / sizeof show_rows[0],
    .words_min = 1,
    .words_max = 1,
};

static int show(int argc, char **argv)
{
    struct credits_options o = {0};
    const char *account;
    int code;
    enum parse_result parsed = options_parse(&show_command, &o, argc, argv, &account, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    struct store *store = cli_open_store(&o.where, false, &code);
    if (!store) return code;
    struct error e;
    struct store_account a;
    bool ok = store_account_read(store, account, &a, &e);
    store_close(store);
    if (!ok && e.code == ERR_NOT_FOUND) error_set(&e, ERR_NOT_FOUND, "account", "there is no account %.36s", account);
    if (!ok) return cli_fail(&e);
    return cli_print(json_pack("{s:s, s:I, s:I, s:I}", "account_id", a.id, "credits", (json_int_t)(a.balance - a.held),
                               "held", (json_int_t)a.held, "balance", (json_int_t)a.balance));
}

int cmd_credits(int argc, char **argv)
{
    static const struct subcommand table[] = {
        {"grant", grant, "add credits to an account"},
        {"show", show, "an account's credits"},
    };
    return run_subcommand("credits", table, 2, argc, argv);
}
