/* text.h - UTF-8 and the words of a key. Shared by the engine's files.
 *
 * Every function takes valid UTF-8 (api/ and the command line check it before) and never reads past its length. */
#ifndef REFRACTR_ENGINE_TEXT_H
#define REFRACTR_ENGINE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REPLACEMENT_CHARACTER = 0xFFFD };

/* Reads one code point of s[0..bytes); returns its length in bytes (>= 1 while bytes > 0). Broken UTF-8 reads as U+FFFD. */
size_t utf8_read(const char *s, size_t bytes, uint32_t *code);
/* Writes one code point (<= 4 bytes, no NUL at the end); returns its length. */
size_t utf8_write(char *s, uint32_t code);
/* Code points in s[0..bytes). */
size_t utf8_count(const char *s, size_t bytes);

/* White space of Unicode (White_Space), the kind a value is stripped of. */
bool code_is_space(uint32_t code);

/* The words of one key: split at _ - . / and at aB, lower-cased in ASCII, single spaces between, none around
 * ("phoneNumber" -> "phone number"). A key of nothing but separators stays as it is ("___"). Other letters pass through:
 * the tokenizer lower-cases them. Returns the length; writes at most `size` bytes with the NUL. out must hold
 * 2 * strlen(key) + 1 bytes to be whole. */
size_t key_words(const char *key, char *out, size_t size);

#endif
