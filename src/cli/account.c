/* account.c - refractr account create|list */
#include "access/access.h"
#include "cli/common.h"

struct create_options {
    const char *data, *key_name;
    int64_t credits;
};

static const struct option_row create_rows[] = {
    OPTION_DATA(struct create_options),
    OPTION_INT(struct create_options, credits, "--credits", NULL, "N", "0", 0, 1000000000000, "credits to begin with"),
    OPTION_TEXT(struct create_options, key_name, "--key-name", NULL, "NAME", "default", "name of the first key"),
};

static const struct command_line create_command = {
    .usage = "refractr account create NAME [--credits N] [--data DIR]",
    .about = "Makes an account and its first API key. Prints one JSON object; the key is shown this once.",
    .rows = create_rows,
    .row_count = sizeof create_rows / sizeof create_rows[0],
    .words_min = 1,
    .words_max = 1,
};

static int create(int argc, char **argv)
{
    struct create_options o;
    const char *name;
    int code;
    enum parse_result parsed = options_parse(&create_command, &o, argc, argv, &name, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    if (!cli_name_ok(name) || !cli_name_ok(o.key_name)) return EXIT_USAGE;
    struct store *store = cli_open_store(o.data, true, &code);
    if (!store) return code;
    struct error e;
    struct store_account_create w = {.write = {.verb = STORE_ACCOUNT_CREATE}, .name = name, .credits = o.credits};
    char key[KEY_CHARS + 1];
    int64_t key_id;
    bool ok = store_write_wait(store, &w.write, &e) && cli_make_key(store, w.id, o.key_name, key, &key_id, &e);
    store_close(store);
    if (!ok) return cli_fail(&e);
    return cli_print(json_pack("{s:s, s:s, s:I, s:I, s:s}", "account_id", w.id, "name", name, "credits",
                               (json_int_t)o.credits, "key_id", (json_int_t)key_id, "api_key", key));
}

struct list_options {
    const char *data;
};
static const struct option_row list_rows[] = {OPTION_DATA(struct list_options)};
static const struct command_line list_command = {
    .usage = "refractr account list [--data DIR]",
    .about = "Prints one JSON object per account and line.",
    .rows = list_rows,
    .row_count = 1,
};

static bool print_account(void *arg, const struct store_account *a)
{
    int *code = arg;
    *code = cli_print(json_pack("{s:s, s:s, s:I, s:I, s:o}", "account_id", a->id, "name", a->name, "credits",
                                (json_int_t)(a->balance - a->held), "held", (json_int_t)a->held, "created",
                                cli_time(a->created_ms)));
    return *code == EXIT_OK;
}

static int list(int argc, char **argv)
{
    struct list_options o;
    int code = EXIT_OK;
    enum parse_result parsed = options_parse(&list_command, &o, argc, argv, NULL, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    struct store *store = cli_open_store(o.data, false, &code);
    if (!store) return code;
    struct error e;
    bool ok = store_accounts(store, print_account, &code, &e);
    store_close(store);
    return ok ? code : cli_fail(&e);
}

int cmd_account(int argc, char **argv)
{
    static const struct subcommand table[] = {
        {"create", create, "make an account and its first key"},
        {"list", list, "all accounts with their credits"},
    };
    return run_subcommand("account", table, 2, argc, argv);
}
