/* text.c - see text.h. */
#include "engine/text.h"

#include <ctype.h>
#include <string.h>

size_t utf8_read(const char *s, size_t bytes, uint32_t *code)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)s;
    size_t length = p[0] < 0x80 ? 1 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (length == 1) {
        *code = p[0];
        return 1;
    }
    *code = REPLACEMENT_CHARACTER;
    if (p[0] < 0xC2 || p[0] > 0xF4 || length > bytes)
        return 1;
    uint32_t value = p[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 1;
        value = value << 6 | (p[i] & 0x3F);
    }
    if (value < smallest[length] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
        return 1;
    *code = value;
    return length;
}

size_t utf8_write(char *s, uint32_t code)
{
    if (code < 0x80) {
        s[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        s[i] = (char)(0x80 | (code & 0x3F));
    s[0] = (char)(lead[length] | code);
    return length;
}

size_t utf8_count(const char *s, size_t bytes)
{
    size_t count = 0;
    uint32_t code;
    for (size_t at = 0; at < bytes; count++)
        at += utf8_read(s + at, bytes - at, &code);
    return count;
}

bool code_is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static bool is_separator(char c)
{
    return c == '_' || c == '-' || c == '.' || c == '/' || c == ' ';
}

size_t key_words(const char *key, char *out, size_t size)
{
    size_t length = 0;
    bool gap = false;
    for (const char *c = key; *c && length + 2 < size; c++) {
        bool hump = c > key && isupper((unsigned char)*c) && (islower((unsigned char)c[-1]) || isdigit((unsigned char)c[-1]));
        if (is_separator(*c)) {
            gap = length > 0;
            continue;
        }
        if (gap || hump)
            out[length++] = ' ';
        gap = false;
        out[length++] = (char)tolower((unsigned char)*c);
    }
    if (length == 0) {
        length = strlen(key) < size ? strlen(key) : size - 1;
        memcpy(out, key, length);
    }
    out[length] = '\0';
    return length;
}
