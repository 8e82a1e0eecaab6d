/* account.c - refractr account create|link|list */
#include "access/access.h"
#include "account/account.h"
#include "cli/common.h"

struct create_options {
    struct cli_where where;
    const char *key_name, *email, *public_url;
    int64_t credits;
};

#define OPTIONS_LINK(type)                                                                                            \
    OPTION_TEXT(type, email, "--email", NULL, "ADDRESS", NULL, "the person's address, to sign in with a password later"), \
        OPTION_TEXT(type, public_url, "--public-url", "REFRACTR_PUBLIC_URL", "URL", "http://127.0.0.1:8080",           \
                    "how the service is reached, for the sign-in link")

static const struct option_row create_rows[] = {
    OPTIONS_WHERE(struct create_options),
    OPTION_INT(struct create_options, credits, "--credits", NULL, "N", "0", 0, 1000000000000, "credits to begin with"),
    OPTION_TEXT(struct create_options, key_name, "--key-name", NULL, "NAME", "default", "name of the first key"),
    OPTIONS_LINK(struct create_options),
};

static const struct command_line create_command = {
    .usage = "refractr account create NAME [--credits N] [--data DIR | --store URL]",
    .about = "Makes an account, its first API key and a one-time sign-in link (24 h). Prints one JSON object; the key is shown\n"
             "this once.",
    .rows = create_rows,
    .row_count = sizeof create_rows / sizeof create_rows[0],
    .words_min = 1,
    .words_max = 1,
};

/* A one-time link as JSON; NULL: `e` says why. */
static json_t *make_link(struct store *store, const char *account_id, const struct create_options *o, struct error *e)
{
    char token[TOKEN_CHARS + 1];
    if (!account_make_link(store, account_id, o->email, token, e)) return NULL;
    json_t *link = json_sprintf("%s/signin/#token=%s", o->public_url, token);
    return link ? link : (error_set(e, ERR_INTERNAL, "", "out of memory"), NULL);
}

static int create(int argc, char **argv)
{
    struct create_options o;
    const char *name;
    int code;
    enum parse_result parsed = options_parse(&create_command, &o, argc, argv, &name, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    if (!cli_name_ok(name) || !cli_name_ok(o.key_name)) return EXIT_USAGE;
    struct store *store = cli_open_store(&o.where, true, &code);
    if (!store) return code;
    struct error e;
    struct store_account_create w = {.write = {.verb = STORE_ACCOUNT_CREATE}, .name = name, .credits = o.credits};
    char key[KEY_CHARS + 1];
    int64_t key_id;
    json_t *link = NULL;
    bool ok = store_write_wait(store, &w.write, &e) && (link = make_link(store, w.id, &o, &e)) &&
              cli_make_key(store, w.id, o.key_name, key, &key_id, &e);
    store_close(store);
    if (!ok) return json_decref(link), cli_fail(&e);
    return cli_print(json_pack("{s:s, s:s, s:I, s:I, s:s, s:o}", "account_id", w.id, "name", name, "credits",
                               (json_int_t)o.credits, "key_id", (json_int_t)key_id, "api_key", key, "signin_url", link));
}

static const struct option_row link_rows[] = {OPTIONS_WHERE(struct create_options), OPTIONS_LINK(struct create_options)};
static const struct command_line link_command = {
    .usage = "refractr account link ACCOUNT [--email ADDRESS] [--public-url URL] [--data DIR | --store URL]",
    .about = "Makes a one-time sign-in link for the account (its id); it lives 24 hours. Prints one JSON object.",
    .rows = link_rows,
    .row_count = sizeof link_rows / sizeof link_rows[0],
    .words_min = 1,
    .words_max = 1,
};

static int link_account(int argc, char **argv)
{
    struct create_options o;
    const char *account;
    int code;
    enum parse_result parsed = options_parse(&link_command, &o, argc, argv, &account, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    struct store *store = cli_open_store(&o.where, false, &code);
    if (!store) return code;
    struct error e;
    json_t *link = make_link(store, account, &o, &e);
    store_close(store);
    if (!link) return cli_fail(&e);
    return cli_print(json_pack("{s:s, s:o}", "account_id", account, "signin_url", link));
}

struct list_options {
    struct cli_where where;
};
static const struct option_row list_rows[] = {OPTIONS_WHERE(struct list_options)};
static const struct command_line list_command = {
    .usage = "refractr account list [--data DIR | --store URL]",
    .about = "Prints one JSON object per account and line.",
    .rows = list_rows,
    .row_count = sizeof list_rows / sizeof list_rows[0],
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
    struct store *store = cli_open_store(&o.where, false, &code);
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
        {"link", link_account, "make a one-time sign-in link"},
        {"list", list, "all accounts with their credits"},
    };
    return run_subcommand("account", table, 3, argc, argv);
}
