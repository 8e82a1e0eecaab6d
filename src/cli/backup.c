/* backup.c - refractr backup FILE and refractr restore FILE: the data folder's database to a file and back. */
#include <sys/stat.h>

#include "base/clock.h"
#include "cli/common.h"

struct backup_options {
    struct cli_where where;
};

static const struct option_row rows[] = {OPTIONS_WHERE(struct backup_options)};
static const struct command_line backup_command = {
    .usage = "refractr backup FILE [--data DIR | --store URL]",
    .about = "Writes a checked copy of everything in the data folder to FILE, which must not exist, as it stood at one moment.\n"
             "The service may run meanwhile. Prints one JSON object. `refractr restore` puts the copy back.\n"
             "A PostgreSQL store is refused: its own pg_dump copies it.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .words_min = 1,
    .words_max = 1,
};
static const struct command_line restore_command = {
    .usage = "refractr restore FILE [--data DIR | --store URL]",
    .about = "Checks FILE, made by `refractr backup`, and makes it the database of the data folder, which must not have one yet;\n"
             "no service may use the folder. Prints one JSON object. Jobs that were unfinished run when the service starts.\n"
             "A PostgreSQL store is refused: its own pg_restore brings back what pg_dump copied.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .words_min = 1,
    .words_max = 1,
};

/* Says how large `file` is and how long it took since `began_ns`. */
static int tell(const char *what, const char *file, int64_t began_ns)
{
    struct stat info;
    json_int_t bytes = stat(file, &info) == 0 ? (json_int_t)info.st_size : 0;
    return cli_print(json_pack("{s:s, s:I, s:I}", what, file, "bytes", bytes, "milliseconds",
                               (json_int_t)((clock_monotonic_ns() - began_ns) / NS_PER_MS)));
}

int cmd_backup(int argc, char **argv)
{
    struct backup_options o = {0};
    const char *file;
    int code;
    enum parse_result parsed = options_parse(&backup_command, &o, argc, argv, &file, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    struct store *store = cli_open_store(&o.where, false, &code);
    if (!store) return code;
    struct error e;
    int64_t began_ns = clock_monotonic_ns();
    bool ok = store_backup(store, file, &e);
    store_close(store);
    return ok ? tell("backup", file, began_ns) : cli_fail(&e);
}

int cmd_restore(int argc, char **argv)
{
    struct backup_options o = {0};
    const char *file;
    enum parse_result parsed = options_parse(&restore_command, &o, argc, argv, &file, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    struct error e;
    int64_t began_ns = clock_monotonic_ns();
    struct store_options options = cli_store_options(&o.where);
    return store_restore(file, &options, &e) ? tell("restored", file, began_ns) : cli_fail(&e);
}
