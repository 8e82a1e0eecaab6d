/* main.c - the program's commands. Everything else is in the module each command calls. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", cmd_serve, "serve the API"},
    {"extract", cmd_extract, "extract from files or stdin, no service needed"},
    {"account", cmd_account, "create and list accounts"},
    {"key", cmd_key, "create, list and revoke API keys"},
    {"credits", cmd_credits, "grant and show credits"},
    {"backup", cmd_backup, "copy the database to a file, also beside a running service"},
    {"restore", cmd_restore, "make such a copy the database of a new data folder"},
    {"migrate", cmd_migrate, "bring the store's schema to this program's"},
    {"bench", cmd_bench, "measure the engine on this machine"},
    {"doctor", cmd_doctor, "look for what is wrong and say what to do"},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(FILE *out)
{
    fputs("refractr turns text into the JSON you asked for.\n\nusage: refractr COMMAND [OPTIONS]\n\n", out);
    for (int i = 0; i < COMMANDS; i++) fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
    fputs("\n`refractr COMMAND --help` says more; `refractr --version` names the version.\n", out);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a peer that went away is an error of one write, not the end of the process */
    if (argc < 2) return usage(stderr), EXIT_USAGE;
    if (!strcmp(argv[1], "--version")) return puts("refractr " REFRACTR_VERSION), EXIT_OK;
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) return usage(stdout), EXIT_OK;
    for (int i = 0; i < COMMANDS; i++) {
        if (!strcmp(argv[1], commands[i].name) ) return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "refractr: no command '%s'; `refractr --help` lists them\n", argv[1]);
    return EXIT_USAGE;
}
