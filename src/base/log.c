/* log.c - a line is built in a buffer on the stack and written at once. */
#include "base/log.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};
static _Atomic int threshold = LOG_INFO;

struct line {
    char text[LOG_LINE_MAX];
    size_t used;
    bool full;
};

void log_set_level(enum log_level level) { atomic_store(&threshold, (int)level); }

bool log_level_parse(const char *name, enum log_level *level)
{
    for (int i = LOG_DEBUG; i <= LOG_OFF; i++) {
        if (!strcmp(name, level_names[i])) return *level = (enum log_level)i, true;
    }
    return false;
}

static void put(struct line *line, const char *bytes, size_t count)
{
    if (line->used + count > sizeof line->text - 4) line->full = true; /* "\"}\n" always fits */
    if (line->full) return;
    memcpy(line->text + line->used, bytes, count);
    line->used += count;
}

static void put_string(struct line *line, const char *s)
{
    put(line, "\"", 1);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        char escaped[8];
        if (c == '"' || c == '\\') {
            snprintf(escaped, sizeof escaped, "\\%c", c);
            put(line, escaped, 2);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escaped, sizeof escaped, "\\u%04x", c);
            put(line, escaped, 6);
        } else {
            put(line, s, 1);
        }
    }
    put(line, "\"", 1);
}

static void put_value(struct line *line, const struct log_field *field)
{
    char number[40];
    if (field->kind == LOG_FIELD_STR) {
        if (field->string) put_string(line, field->string);
        else put(line, "null", 4);
        return;
    }
    if (field->kind == LOG_FIELD_INT) snprintf(number, sizeof number, "%lld", (long long)field->integer);
    else if (isfinite(field->real)) snprintf(number, sizeof number, "%.6g", field->real);
    else snprintf(number, sizeof number, "null");
    put(line, number, strlen(number));
}

static void put_field(struct line *line, const struct log_field *field)
{
    size_t before = line->used;
    put(line, ",", 1);
    put_string(line, field->name);
    put(line, ":", 1);
    put_value(line, field);
    if (line->full) line->used = before;
}

void log_event(enum log_level level, const char *request_id, const char *msg, const struct log_field *fields,
               size_t count)
{
    if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed)) return;
    struct line line = {.used = 0};
    char ts[CLOCK_ISO_CHARS + 1];
    clock_iso8601(clock_wall_ms(), ts);
    put(&line, "{\"ts\":", 6);
    put_string(&line, ts);
    put_field(&line, &LOG_STR("level", level_names[level]));
    put_field(&line, &LOG_STR("msg", msg));
    if (request_id && *request_id) put_field(&line, &LOG_STR("request_id", request_id));
    for (size_t i = 0; i < count; i++) {
        if (fields[i].name) put_field(&line, &fields[i]);
    }
    memcpy(line.text + line.used, "}\n", 2);
    /* Nothing can be done about a log that cannot be written. */
    if (write(STDERR_FILENO, line.text, line.used + 2) < 0) return;
}
