/* key.c - refractr key create|list|revoke. A running service notices a revocation within a second or two. */
#include <stdio.h>
#include <string.h>

#include "access/access.h"
#include "base/clock.h"
#include "cli/common.h"

struct key_options {
    struct cli_where where;
    const char *name;
    int64_t overlap;
};

static const struct option_row create_rows[] = {
    OPTIONS_WHERE(struct key_options),
    OPTION_TEXT(struct key_options, name, "--name", NULL, "NAME", "default", "the key's name, shown in lists"),
};
static const struct command_line create_command = {
    .usage = "refractr key create ACCOUNT [--name NAME] [--data DIR | --store URL]",
    .about = "Makes another API key for the account (its id). Prints one JSON object; the key is shown this once.",
    .rows = create_rows,
    .row_count = sizeof create_rows / sizeof create_rows[0],
    .words_min = 1,
    .words_max = 1,
};

static int create(int argc, char **argv)
{
    struct key_options o = {0};
    const char *account;
    int code;
    enum parse_result parsed = options_parse(&create_command, &o, argc, argv, &account, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    if (!cli_name_ok(o.name)) return EXIT_USAGE;
    struct store *store = cli_open_store(&o.where, false, &code);
    if (!store) return code;
    struct error e;
    char key[KEY_CHARS + 1];
    int64_t id;
    bool ok = cli_make_key(store, account, o.name, key, &id, &e);
    store_close(store);
    if (!ok) return cli_fail(&e);
    return cli_print(json_pack("{s:s, s:I, s:s, s:s}", "account_id", account, "key_id", (json_int_t)id, "name", o.name,
                               "api_key", key));
}

static const struct option_row list_rows[] = {OPTIONS_WHERE(struct key_options)};
static const struct command_line list_command = {
    .usage = "refractr key list [ACCOUNT] [--data DIR | --store URL]",
    .about = "Prints one JSON object per key and line, of one account or of all. Keys themselves are not stored.",
    .rows = list_rows,
    .row_count = sizeof list_rows / sizeof list_rows[0],
    .words_max = 1,
};

static bool print_key(void *arg, const struct store_key *k)
{
    int *code = arg;
    *code = cli_print(json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:o}", "key_id", (json_int_t)k->id, "account_id",
                                k->account_id, "name", k->name, "prefix", k->prefix, "created", cli_time(k->created_ms),
                                "last_used", cli_time(k->last_used_ms), "revoked", cli_time(k->revoked_ms)));
    return *code == EXIT_OK;
}

static int list(int argc, char **argv)
{
    struct key_options o = {0};
    const char *account = NULL;
    int code = EXIT_OK;
    enum parse_result parsed = options_parse(&list_command, &o, argc, argv, &account, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    struct store *store = cli_open_store(&o.where, false, &code);
    if (!store) return code;
    struct error e;
    bool ok = store_keys(store, account, print_key, &code, &e);
    store_close(store);
    return ok ? code : cli_fail(&e);
}

static const struct option_row revoke_rows[] = {
    OPTIONS_WHERE(struct key_options),
    OPTION_INT(struct key_options, overlap, "--overlap", NULL, "s", "0", 0, 2592000, "let it work this much longer"),
};
static const struct command_line revoke_command = {
    .usage = "refractr key revoke KEY_ID|PREFIX [--overlap S] [--data DIR | --store URL]",
    .about = "Ends a key, named by its id or its visible start (`refractr key list` shows both).",
    .rows = revoke_rows,
    .row_count = sizeof revoke_rows / sizeof revoke_rows[0],
    .words_min = 1,
    .words_max = 1,
};

struct search {
    const char *wanted;
    int64_t id;
    int found;
};

static bool match_key(void *arg, const struct store_key *k)
{
    struct search *search = arg;
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)k->id);
    /* A whole key may be given as well: its start is compared. */
    if (strcmp(id, search->wanted) != 0 && strncmp(k->prefix, search->wanted, strlen(k->prefix)) != 0) return true;
    search->id = k->id;
    search->found++;
    return true;
}

static bool revoke_in(struct store *store, const char *wanted, int64_t at_ms, int64_t *id, struct error *e)
{
    struct search search = {.wanted = wanted};
    if (!store_keys(store, NULL, match_key, &search, e)) return false;
    if (search.found == 0) return error_set(e, ERR_NOT_FOUND, "key", "there is no key %.20s", wanted);
    if (search.found > 1) {
        return error_set(e, ERR_INVALID_VALUE, "key", "%d keys begin with %.20s; name one by its id", search.found, wanted);
    }
    struct store_key_revoke w = {.write = {.verb = STORE_KEY_REVOKE}, .key_id = search.id, .at_ms = at_ms};
    *id = search.id;
    return store_write_wait(store, &w.write, e);
}

static int revoke(int argc, char **argv)
{
    struct key_options o = {0};
    const char *wanted;
    int code;
    enum parse_result parsed = options_parse(&revoke_command, &o, argc, argv, &wanted, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    struct store *store = cli_open_store(&o.where, false, &code);
    if (!store) return code;
    struct error e;
    int64_t id = 0, at = clock_wall_ms() + o.overlap * 1000;
    bool ok = revoke_in(store, wanted, at, &id, &e);
    store_close(store);
    if (!ok) return cli_fail(&e);
    return cli_print(json_pack("{s:I, s:o}", "key_id", (json_int_t)id, "revoked", cli_time(at)));
}

int cmd_key(int argc, char **argv)
{
    static const struct subcommand table[] = {
        {"create", create, "make another key for an account"},
        {"list", list, "keys with name, start, last use"},
        {"revoke", revoke, "end a key"},
    };
    return run_subcommand("key", table, 3, argc, argv);
}
