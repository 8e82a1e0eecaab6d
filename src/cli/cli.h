/* cli.h - the commands of `refractr`, one function each. main.c holds the table; every command parses its own options
 * (config.h helps), prints results on stdout, what went wrong on stderr, and returns an exit code. */
#ifndef REFRACTR_CLI_CLI_H
#define REFRACTR_CLI_CLI_H

enum exit_code { /* documented in docs/refractr.1 */
    EXIT_OK = 0,
    EXIT_FAILED = 1,        /* it was tried and did not work */
    EXIT_USAGE = 2,         /* the command line is wrong */
    EXIT_UNAVAILABLE = 3,   /* something needed is not there: data folder, model, account, port */
};

int cmd_serve(int argc, char **argv);
int cmd_extract(int argc, char **argv);
int cmd_account(int argc, char **argv);
int cmd_key(int argc, char **argv);
int cmd_credits(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_migrate(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

#endif
