/* doctor.h - what the checks of `refractr doctor` share: what they look at and where they put what they found.
 *
 * A check is a function in the table of doctor.c. It calls `found` at least once unless an earlier check has already found
 * why it cannot look, or the options leave nothing to look at. Looking changes nothing, but that opening the store of an
 * older version brings it up to date, as every command does. Whatever makes `serve` need one more thing adds its check. */
#ifndef REFRACTR_CLI_DOCTOR_H
#define REFRACTR_CLI_DOCTOR_H

#include <stdbool.h>

#include "config.h"

enum verdict { FINE, WARNING, FAULT };

struct examination {
    const struct serve_options *options; /* as `serve` would run with */
    const char *data;                    /* the data folder */
    const char *check;                   /* name of the check that looks */
    bool data_usable;                    /* the folder is there and ours */
    int counts[FAULT + 1];
};

/* Prints one finding. `remedy`: what to do about it, NULL when it is FINE. */
void found(struct examination *x, enum verdict verdict, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* doctor_data.c: the data folder and what lies in it */
void check_folder(struct examination *x);
void check_disk(struct examination *x);
void check_store(struct examination *x);
void check_port(struct examination *x); /* free, or in use by the service of this folder */

/* doctor_machine.c: what the program meets on this machine */
void check_model(struct examination *x);
void check_upstreams(struct examination *x);
void check_limits(struct examination *x);
void check_clock(struct examination *x);

#endif
