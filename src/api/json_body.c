/* json_body.c - the one place where request bytes become JSON.
 *
 * jansson is strict (RFC 8259, UTF-8 without surrogates, depth <= 2048); what it finds is put into the client's words:
 * where (line, column), what, and for a duplicate key which. Policy for what RFC 8259 leaves open: numbers that fit
 * neither int64 nor a finite double, lone surrogates, a byte order mark and other encodings than UTF-8 are refused. */
#include <string.h>

#include "api/internal.h"
#include "base/json.h"

/* The key's token ends at `end`; its text without quotes, as the client wrote it. */
static void key_before(const char *bytes, size_t end, char *key, size_t size)
{
    key[0] = 0;
    if (end < 2 || bytes[end - 1] != '"') return;
    size_t start = end - 1;
    while (start > 0) {
        size_t slashes = 0;
        start--;
        if (bytes[start] != '"') continue;
        while (slashes < start && bytes[start - 1 - slashes] == '\\') slashes++;
        if (slashes % 2 == 0) break;
    }
    size_t n = end - 1 - (start + 1);
    if (n >= size) {
        n = size - 1;
        while (n > 0 && ((unsigned char)bytes[start + 1 + n] & 0xc0) == 0x80) n--; /* never half a character */
    }
    memcpy(key, bytes + start + 1, n);
    key[n] = 0;
}

static bool refuse_key(const char *bytes, size_t size, const json_error_t *found, bool duplicate, struct error *e)
{
    char key[100];
    size_t end = found->position > 0 && (size_t)found->position <= size ? (size_t)found->position : 0;
    key_before(bytes, end, key, sizeof key);
    if (!duplicate)
        return error_set(e, ERR_INVALID_VALUE, key, "The key \"%s\" (line %d, column %d) holds a NUL (\\u0000), which keys "
                         "may not.", key, found->line, found->column);
    return error_set(e, ERR_DUPLICATE_KEY, key, "The key \"%s\" appears twice in the same object (line %d, column %d).",
                     key, found->line, found->column);
}

/* jansson adds "near '...'" with up to 20 bytes of the input; the place is told by line and column. */
static void cut_near(char *text)
{
    char *near = strstr(text, " near '");
    if (near) *near = 0;
}

/* jansson 2.14 loses a NUL byte that follows a number ("[1<NUL>]" is read as [1]); JSON has no place for one. */
static bool has_nul(const char *bytes, size_t size, struct error *e)
{
    const char *nul = memchr(bytes, 0, size);
    if (!nul) return false;
    int line = 1, column = 1;
    for (const char *at = bytes; at < nul; at++) {
        if (*at == '\n')
            line++, column = 1;
        else if (((unsigned char)*at & 0xc0) != 0x80)
            column++;
    }
    error_set(e, ERR_INVALID_JSON, "", "The body is not valid JSON: a NUL byte at line %d, column %d.", line, column);
    return true;
}

json_t *json_body_parse(const char *bytes, size_t size, struct error *e)
{
    json_error_t found;
    if (has_nul(bytes, size, e)) return NULL;
    json_t *value = json_read(bytes, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &found);
    if (value) return value;
    enum json_error_code code = json_error_code(&found);
    if (code == json_error_out_of_memory) {
        error_set(e, ERR_INTERNAL, "", "There is no memory for this request. Try again.");
    } else if (code == json_error_duplicate_key || code == json_error_null_byte_in_key) {
        refuse_key(bytes, size, &found, code == json_error_duplicate_key, e);
    } else if (size == 0) {
        error_set(e, ERR_INVALID_JSON, "", "The body is empty; it must be a JSON object.");
    } else {
        cut_near(found.text);
        error_set(e, ERR_INVALID_JSON, "", "The body is not valid JSON: %s at line %d, column %d.", found.text, found.line,
                  found.column);
    }
    return NULL;
}
