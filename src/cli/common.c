#include "cli/common.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "access/access.h"
#include "base/clock.h"
#include "base/json.h"

int run_subcommand(const char *command, const struct subcommand *table, int count, int argc, char **argv)
{
    bool help = argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
    for (int i = 0; argc > 1 && i < count; i++) {
        if (!strcmp(argv[1], table[i].name)) return table[i].run(argc - 1, argv + 1);
    }
    FILE *out = help ? stdout : stderr;
    if (argc > 1 && !help) fprintf(out, "refractr %s: no such verb: %s\n", command, argv[1]);
    fprintf(out, "usage: refractr %s VERB [OPTIONS]\n\n", command);
    for (int i = 0; i < count; i++) fprintf(out, "  %-8s %s\n", table[i].name, table[i].help);
    fprintf(out, "\n`refractr %s VERB --help` says more.\n", command);
    return help ? EXIT_OK : EXIT_USAGE;
}

struct store_options cli_store_options(const struct cli_where *where)
{
    return (struct store_options){
        .data_dir = config_data_dir(where->data), .url = where->store, .durability = DURABILITY_FULL};
}

struct store *cli_open_store(const struct cli_where *where, bool create, int *exit_code)
{
    struct error e;
    struct store_options options = cli_store_options(where);
    options.create = create;
    struct store *store = sodium_init() < 0 ? NULL : store_open(&options, &e);
    if (store) return store;
    fprintf(stderr, "refractr: %s\n", e.message);
    *exit_code = EXIT_UNAVAILABLE;
    return NULL;
}

int cli_fail(const struct error *e)
{
    fprintf(stderr, "refractr: %s\n", e->message);
    return e->code == ERR_NOT_FOUND ? EXIT_UNAVAILABLE : EXIT_FAILED;
}

int cli_print(json_t *object)
{
    bool ok = object && json_dumpf(object, stdout, JSON_OUTSIDE) == 0 && putchar('\n') != EOF && fflush(stdout) == 0;
    json_decref(object);
    if (!ok) fputs("refractr: cannot write the result\n", stderr);
    return ok ? EXIT_OK : EXIT_FAILED;
}

bool cli_make_key(struct store *store, const char *account_id, const char *name, char *key, int64_t *key_id,
                  struct error *e)
{
    char prefix[KEY_PREFIX_CHARS + 1];
    struct store_key_create w = {
        .write = {.verb = STORE_KEY_CREATE}, .account_id = account_id, .name = name, .prefix = prefix};
    access_key_generate(key, w.hash);
    memcpy(prefix, key, KEY_PREFIX_CHARS);
    prefix[KEY_PREFIX_CHARS] = '\0';
    if (!store_write_wait(store, &w.write, e)) return false;
    *key_id = w.key_id;
    return true;
}

json_t *cli_time(int64_t wall_ms)
{
    char iso[CLOCK_ISO_CHARS + 1];
    if (wall_ms == 0) return json_null();
    clock_iso8601(wall_ms, iso);
    return json_string(iso);
}

bool cli_name_ok(const char *name)
{
    json_t *text = json_string(name); /* NULL when it is not UTF-8 */
    bool ok = text && *name && strlen(name) <= STORE_NAME_CHARS;
    json_decref(text);
    if (!ok) fprintf(stderr, "refractr: a name must have 1 to %d bytes of UTF-8\n", STORE_NAME_CHARS);
    return ok;
}
