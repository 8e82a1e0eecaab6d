/* log.h - one JSON line per event on stderr: ts, level, msg, request_id, then the event's own fields.
 *
 *     log_info(request_id, "listening", LOG_STR("host", host), LOG_INT("port", port));
 *
 * Never put document text, keys, cookies or header values into a field: identifiers, sizes, times and codes only.
 * Lines are written by one write(2) each, so threads never mix. Any thread may call. */
#ifndef REFRACTR_BASE_LOG_H
#define REFRACTR_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

struct log_field {
    const char *name;
    enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_REAL } kind;
    const char *string; /* NULL is written as null */
    int64_t integer;
    double real;
};

#define LOG_STR(n, v) ((struct log_field){.name = (n), .kind = LOG_FIELD_STR, .string = (v)})
#define LOG_INT(n, v) ((struct log_field){.name = (n), .kind = LOG_FIELD_INT, .integer = (v)})
#define LOG_REAL(n, v) ((struct log_field){.name = (n), .kind = LOG_FIELD_REAL, .real = (v)})

enum { LOG_LINE_MAX = 4096 }; /* a longer line is cut at a whole field */

void log_set_level(enum log_level level);
/* "debug", "info", "warn", "error", "off" */
bool log_level_parse(const char *name, enum log_level *level) __attribute__((warn_unused_result));

void log_event(enum log_level level, const char *request_id, const char *msg, const struct log_field *fields,
               size_t count);

/* The first, empty field lets a call name no field at all in standard C. */
#define LOG_EVENT(level, request_id, ...) LOG_EVENT_(level, request_id, __VA_ARGS__, {0})
#define LOG_EVENT_(level, request_id, msg, ...)                                                         \
    log_event(level, request_id, msg, (const struct log_field[]){__VA_ARGS__},                          \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_debug(...) LOG_EVENT(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) LOG_EVENT(LOG_INFO, __VA_ARGS__)
#define log_warn(...) LOG_EVENT(LOG_WARN, __VA_ARGS__)
#define log_error(...) LOG_EVENT(LOG_ERROR, __VA_ARGS__)

#endif
