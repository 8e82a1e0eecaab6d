/* common.h - what account, key, credits and backup share: they open the store beside a running service, or without one. */
#ifndef REFRACTR_CLI_COMMON_H
#define REFRACTR_CLI_COMMON_H

#include <jansson.h>

#include "cli/cli.h"
#include "config.h"
#include "store/store.h"

/* One verb of a command: `refractr key create`. */
struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the verb */
    const char *help;
};
int run_subcommand(const char *command, const struct subcommand *table, int count, int argc, char **argv);

/* Where the store is: the first member, `where`, of every such command's options. */
struct cli_where {
    const char *data, *store;
};
#define OPTIONS_WHERE(type)                                                                        \
    OPTION_TEXT(type, where.data, "--data", "REFRACTR_DATA", "DIR", NULL, "data folder"),          \
        OPTION_TEXT(type, where.store, "--store", "REFRACTR_STORE", "URL", NULL,                   \
                    "postgresql://...: this database instead of the data folder's")

/* NULL: the reason was printed and `*exit_code` set. */
struct store *cli_open_store(const struct cli_where *where, bool create, int *exit_code);
struct store_options cli_store_options(const struct cli_where *where);
int cli_fail(const struct error *e); /* prints the error; its exit code */
int cli_print(json_t *object);       /* one line on stdout; takes the reference; EXIT_OK, or EXIT_FAILED */
/* A new key on an account, printed nowhere but returned: `key` gets KEY_CHARS + 1 bytes. */
bool cli_make_key(struct store *store, const char *account_id, const char *name, char *key, int64_t *key_id,
                  struct error *e);
/* 1 to STORE_NAME_CHARS bytes of UTF-8? Otherwise the reason was printed. */
bool cli_name_ok(const char *name);
/* ISO 8601, or null for 0 */
json_t *cli_time(int64_t wall_ms);

#endif
