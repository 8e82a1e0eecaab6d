/* error.c - the table of codes and the one way an error is filled. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct error_row {
    const char *code, *type;
    int status;
};

static const struct error_row rows[ERR_COUNT] = {
    [ERR_NONE] = {"none", "none", 200},
#define X(symbol, code_, type_, status_) [symbol] = {code_, type_, status_},
    ERROR_TABLE(X)
#undef X
};

static const struct error_row *row_of(enum error_code code)
{
    return &rows[(unsigned)code < ERR_COUNT ? code : ERR_INTERNAL];
}

bool error_set(struct error *e, enum error_code code, const char *param, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    *e = (struct error){.code = code};
    snprintf(e->param, sizeof e->param, "%s", param ? param : "");
    vsnprintf(e->message, sizeof e->message, format, args);
    va_end(args);
    return false;
}

const char *error_code_name(enum error_code code) { return row_of(code)->code; }

const char *error_type_name(enum error_code code) { return row_of(code)->type; }

int error_http_status(enum error_code code) { return row_of(code)->status; }

enum error_code error_code_parse(const char *name)
{
    for (int i = 1; i < ERR_COUNT; i++) {
        if (!strcmp(rows[i].code, name)) return (enum error_code)i;
    }
    return ERR_INTERNAL;
}
