/* migrate.c - refractr migrate */
#include <stdio.h>

#include "cli/common.h"

struct migrate_options {
    struct cli_where where;
};

static const struct option_row rows[] = {OPTIONS_WHERE(struct migrate_options)};

static const struct command_line command = {
    .usage = "refractr migrate [--data DIR | --store URL]",
    .about = "Brings the store's schema to what this program needs; an empty PostgreSQL database gets its tables. Forward only.\n"
             "Several may be started at once: one does the work, the others wait for it. Prints one JSON object: the schema's\n"
             "version before and after.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
};

int cmd_migrate(int argc, char **argv)
{
    struct migrate_options o;
    struct error e;
    int from, to;
    enum parse_result parsed = options_parse(&command, &o, argc, argv, NULL, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    struct store_options options = cli_store_options(&o.where);
    if (store_migrate(&options, &from, &to, &e)) return cli_print(json_pack("{s:i, s:i}", "from", from, "to", to));
    fprintf(stderr, "refractr: %s\n", e.message);
    return EXIT_UNAVAILABLE;
}
