/* tokenizer.c - see tokenizer.h. One pass over the text: every code point is looked up in the generated table
 * (unicode_tables.h) and either ends the word being gathered, joins it, or stands as a word of its own; a finished word is
 * cut greedily into the longest pieces of the vocabulary. Nothing of the text is copied but the word at hand. */
#include "engine/tokenizer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/text.h"
#include "engine/unicode_tables.h"

enum {
    MAX_WORD_CHARS = 100,  /* longer words are [UNK], as in BERT's own tokenizer */
    MAX_VOCABULARY = 1 << 20,
    HANGUL_FIRST = 0xAC00, HANGUL_LAST = 0xD7A3, HANGUL_L = 0x1100, HANGUL_V = 0x1161, HANGUL_T = 0x11A7,
    HANGUL_V_COUNT = 21, HANGUL_T_COUNT = 28,
    SMALL = 0x250, /* code points below it take their class from an array */
};

static const char *const special_names[] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};
enum { SPECIALS = sizeof special_names / sizeof special_names[0], UNKNOWN = 0 };

struct slot { uint32_t hash; int32_t id; }; /* id -1: empty */

struct tokenizer {
    char *bytes;           /* the vocabulary file */
    const char **names;    /* [count] into bytes */
    uint32_t *lengths;     /* [count] */
    size_t count;
    struct slot *slots;    /* open addressing, power of two */
    uint32_t mask;
    size_t longest;        /* bytes of the longest piece, "##" not counted */
    int32_t special_ids[SPECIALS];
    unsigned char small_class[SMALL];
};

struct word { /* the normalised word being gathered */
    char bytes[MAX_WORD_CHARS * 4];
    uint16_t at[MAX_WORD_CHARS + 1]; /* byte offset of each character */
    uint32_t source[MAX_WORD_CHARS]; /* the code point each came from */
    size_t chars;                    /* may pass MAX_WORD_CHARS: then only counted */
    uint32_t first, last;            /* source of the first and last character */
};

/* FNV-1a, folded by one multiplication at the end so that the low bits are good. */
static uint32_t hash_more(uint32_t hash, const char *s, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ (unsigned char)s[i]) * 16777619u;
    return hash;
}

static const uint32_t hash_start = 2166136261u;

static int32_t find_piece(const struct tokenizer *t, uint32_t hash, bool inner, const char *s, size_t bytes)
{
    for (uint32_t i = (hash ^ hash >> 15) & t->mask;; i = (i + 1) & t->mask) {
        struct slot slot = t->slots[i];
        if (slot.id < 0)
            return -1;
        size_t prefix = inner ? 2 : 0;
        if (slot.hash == hash && t->lengths[slot.id] == bytes + prefix && !memcmp(t->names[slot.id] + prefix, s, bytes) &&
            (!inner || !memcmp(t->names[slot.id], "##", 2)))
            return slot.id;
    }
}

static int32_t find_name(const struct tokenizer *t, const char *name)
{
    return find_piece(t, hash_more(hash_start, name, strlen(name)), false, name, strlen(name));
}

static enum code_class class_of(uint32_t code)
{
    size_t low = 0, high = sizeof code_ranges / sizeof code_ranges[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > code_ranges[middle].last)
            low = middle + 1;
        else if (code < code_ranges[middle].first)
            high = middle;
        else
            return (enum code_class)code_ranges[middle].kind;
    }
    return CODE_KEEP;
}

static const struct code_map *map_of(uint32_t code)
{
    size_t low = 0, high = sizeof code_maps / sizeof code_maps[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > code_maps[middle].code)
            low = middle + 1;
        else if (code < code_maps[middle].code)
            high = middle;
        else
            return &code_maps[middle];
    }
    return NULL;
}

/* ---- opening -------------------------------------------------------------------------------------------------------- */

static char *read_whole(const char *path, size_t *bytes, struct error *e)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Cannot open the vocabulary %s: %s.", path, strerror(errno));
        return NULL;
    }
    enum { MOST = 16 << 20 };
    struct stat about;
    size_t size = fstat(fileno(file), &about) == 0 && about.st_size < MOST ? (size_t)about.st_size : 0;
    char *data = malloc(size + 1);
    *bytes = data ? fread(data, 1, size, file) : 0;
    bool whole = data && *bytes == size && fgetc(file) == EOF && !ferror(file);
    fclose(file);
    if (!whole) {
        error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Cannot read the vocabulary %s whole (at most %d MB are).", path, MOST >> 20);
        free(data);
        return NULL;
    }
    data[*bytes] = '\0';
    return data;
}

static bool split_lines(struct tokenizer *t, size_t bytes, const char *path, struct error *e)
{
    size_t lines = 0;
    for (size_t i = 0; i < bytes; i++)
        lines += t->bytes[i] == '\n';
    lines += bytes > 0 && t->bytes[bytes - 1] != '\n';
    if (lines == 0 || lines > MAX_VOCABULARY)
        return error_set(e, ERR_ENGINE_UNAVAILABLE, "", "The vocabulary %s has %zu lines; 1 to %d are allowed.", path, lines,
                         MAX_VOCABULARY);
    t->names = calloc(lines, sizeof *t->names);
    t->lengths = calloc(lines, sizeof *t->lengths);
    if (!t->names || !t->lengths)
        return error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory reading the vocabulary.");
    char *at = t->bytes;
    for (; t->count < lines; t->count++) {
        char *end = memchr(at, '\n', (size_t)(t->bytes + bytes - at));
        size_t length = end ? (size_t)(end - at) : (size_t)(t->bytes + bytes - at);
        char *next = at + length + 1;
        while (length && (at[length - 1] == '\r' || at[length - 1] == ' '))
            length--;
        t->names[t->count] = at;
        t->lengths[t->count] = (uint32_t)length;
        at = next;
    }
    return true;
}

static bool build_slots(struct tokenizer *t)
{
    size_t size = 64;
    while (size < t->count * 2)
        size *= 2;
    t->slots = malloc(size * sizeof *t->slots);
    if (!t->slots)
        return false;
    for (size_t i = 0; i < size; i++)
        t->slots[i].id = -1;
    t->mask = (uint32_t)size - 1;
    for (size_t id = 0; id < t->count; id++) {
        bool inner = t->lengths[id] > 2 && !memcmp(t->names[id], "##", 2);
        /* An inner piece is hashed without its "##" but from another start, so one hash serves prefix search. */
        uint32_t hash = hash_more(inner ? hash_start + 1 : hash_start, t->names[id] + (inner ? 2 : 0),
                                  t->lengths[id] - (inner ? 2u : 0u));
        uint32_t i = (hash ^ hash >> 15) & t->mask;
        while (t->slots[i].id >= 0)
            i = (i + 1) & t->mask;
        t->slots[i] = (struct slot){hash, (int32_t)id};
        if (t->lengths[id] > t->longest)
            t->longest = t->lengths[id];
    }
    return true;
}

struct tokenizer *tokenizer_open(const char *path, struct error *e)
{
    struct tokenizer *t = calloc(1, sizeof *t);
    size_t bytes = 0;
    if (!t) {
        error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory opening the vocabulary.");
        return NULL;
    }
    t->bytes = read_whole(path, &bytes, e);
    bool ok = t->bytes && split_lines(t, bytes, path, e);
    if (ok && !build_slots(t))
        ok = error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory opening the vocabulary.");
    for (size_t i = 0; ok && i < SPECIALS; i++) {
        t->special_ids[i] = find_name(t, special_names[i]);
        if (t->special_ids[i] < 0)
            ok = error_set(e, ERR_ENGINE_UNAVAILABLE, "", "The vocabulary %s lacks the piece %s.", path, special_names[i]);
    }
    for (uint32_t code = 0; code < SMALL; code++)
        t->small_class[code] = (unsigned char)class_of(code);
    if (ok)
        return t;
    tokenizer_close(t);
    return NULL;
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t)
        return;
    free(t->bytes);
    free(t->names);
    free(t->lengths);
    free(t->slots);
    free(t);
}

size_t tokenizer_vocabulary(const struct tokenizer *t)
{
    return t->count;
}

/* ---- encoding ------------------------------------------------------------------------------------------------------- */

bool pieces_reserve(struct pieces *pieces, size_t room)
{
    if (room <= pieces->room)
        return true;
    struct piece *at = realloc(pieces->at, room * sizeof *at);
    if (!at)
        return false;
    pieces->at = at;
    pieces->room = room;
    return true;
}

static bool push(struct pieces *out, int32_t id, uint32_t start, uint32_t end)
{
    if (out->count == out->room && !pieces_reserve(out, out->room ? out->room * 2 : 256))
        return false;
    out->at[out->count++] = (struct piece){id, start, end};
    return true;
}

void pieces_free(struct pieces *pieces)
{
    free(pieces->at);
    *pieces = (struct pieces){0};
}

/* The longest piece that starts at character `from`; returns the character after it and its id, or from and -1. */
static size_t longest_piece(const struct tokenizer *t, const struct word *word, size_t from, int32_t *id)
{
    uint32_t hashes[MAX_WORD_CHARS + 1];
    const char *start = word->bytes + word->at[from];
    size_t last = from;
    hashes[from] = from ? hash_start + 1 : hash_start;
    while (last < word->chars && (size_t)(word->at[last + 1] - word->at[from]) <= t->longest) {
        hashes[last + 1] = hash_more(hashes[last], word->bytes + word->at[last], (size_t)(word->at[last + 1] - word->at[last]));
        last++;
    }
    for (; last > from; last--) {
        *id = find_piece(t, hashes[last], from > 0, start, (size_t)(word->at[last] - word->at[from]));
        if (*id >= 0)
            return last;
    }
    *id = -1;
    return from;
}

static bool end_word(const struct tokenizer *t, struct word *word, struct pieces *out)
{
    size_t before = out->count, from = 0;
    bool ok = true, known = word->chars <= MAX_WORD_CHARS;
    while (ok && known && from < word->chars) {
        int32_t id;
        size_t to = longest_piece(t, word, from, &id);
        known = id >= 0;
        if (known)
            ok = push(out, id, word->source[from], word->source[to - 1] + 1);
        from = to;
    }
    if (ok && !known) {
        out->count = before;
        ok = push(out, t->special_ids[UNKNOWN], word->first, word->last + 1);
    }
    word->chars = 0;
    return ok;
}

static void add_char(struct word *word, uint32_t code, uint32_t source)
{
    if (word->chars == 0) {
        word->first = source;
        word->at[0] = 0;
    }
    if (word->chars < MAX_WORD_CHARS) {
        size_t at = word->at[word->chars];
        word->source[word->chars] = source;
        word->at[word->chars + 1] = (uint16_t)(at + utf8_write(word->bytes + at, code));
    }
    word->chars++;
    word->last = source;
}

static void add_syllable(struct word *word, uint32_t code, uint32_t source)
{
    uint32_t index = code - HANGUL_FIRST, tail = index % HANGUL_T_COUNT;
    add_char(word, HANGUL_L + index / (HANGUL_V_COUNT * HANGUL_T_COUNT), source);
    add_char(word, HANGUL_V + index % (HANGUL_V_COUNT * HANGUL_T_COUNT) / HANGUL_T_COUNT, source);
    if (tail)
        add_char(word, HANGUL_T + tail, source);
}

static void add_code(struct word *word, uint32_t code, uint32_t source)
{
    if (code < 0x80) {
        add_char(word, code >= 'A' && code <= 'Z' ? code + 32 : code, source);
        return;
    }
    if (code >= HANGUL_FIRST && code <= HANGUL_LAST) {
        add_syllable(word, code, source);
        return;
    }
    const struct code_map *map = map_of(code);
    for (size_t i = 0; map && i < map->count; i++)
        add_char(word, code_sequence[map->first + i], source);
    if (!map)
        add_char(word, code, source);
}

/* One code point: joins the word, ends it, or both. */
static bool take(const struct tokenizer *t, struct word *word, uint32_t code, uint32_t source, struct pieces *out)
{
    enum code_class kind = code < SMALL ? (enum code_class)t->small_class[code] : class_of(code);
    if (kind == CODE_DROP)
        return true;
    if (kind == CODE_KEEP) {
        add_code(word, code, source);
        return true;
    }
    if (word->chars && !end_word(t, word, out))
        return false;
    if (kind == CODE_SPACE)
        return true;
    add_code(word, code, source);
    return end_word(t, word, out);
}

/* The special piece spelled out at s ("[SEP]"), as the library finds it in raw text; its length, or 0. */
static size_t special_at(const char *s, size_t bytes, size_t *which)
{
    for (size_t i = 0; i < SPECIALS; i++) {
        size_t length = strlen(special_names[i]);
        if (bytes >= length && !memcmp(s, special_names[i], length)) {
            *which = i;
            return length;
        }
    }
    return 0;
}

bool tokenizer_encode(const struct tokenizer *t, const char *text, size_t bytes, struct pieces *out)
{
    struct word word;
    word.chars = 0;
    uint32_t source = 0;
    for (size_t at = 0; at < bytes; source++) {
        uint32_t code;
        size_t which, special = text[at] == '[' ? special_at(text + at, bytes - at, &which) : 0;
        if (special) {
            if ((word.chars && !end_word(t, &word, out)) ||
                !push(out, t->special_ids[which], source, source + (uint32_t)special))
                return false;
            source += (uint32_t)special - 1;
            at += special;
            continue;
        }
        at += utf8_read(text + at, bytes - at, &code);
        if (!take(t, &word, code, source, out))
            return false;
    }
    return word.chars == 0 || end_word(t, &word, out);
}
