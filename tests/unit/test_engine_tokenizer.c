/* The tokenizer against the pieces of the library the model was trained behind (tests/engine/make_tokenizer_cases.py). */
#include "testing.h"

#include <jansson.h>

#include "engine/tokenizer.h"

static const char vocabulary[] = "models/refractr-mini/vocab.txt"; /* unit tests run in the repository's root */

static void pieces_equal_the_library(void **state)
{
    (void)state;
    struct error e = {0};
    struct tokenizer *tokenizer = tokenizer_open(vocabulary, &e);
    assert_non_null(tokenizer);
    json_t *cases = json_load_file("tests/data/tokenizer.json", JSON_ALLOW_NUL, NULL), *item;
    struct pieces pieces = {0};
    size_t index;
    assert_true(json_array_size(cases) > 200);
    json_array_foreach(cases, index, item) {
        json_t *text = json_object_get(item, "text"), *expected = json_object_get(item, "pieces");
        pieces.count = 0;
        assert_true(tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text), &pieces));
        assert_int_equal(pieces.count, json_array_size(expected));
        for (size_t i = 0; i < pieces.count; i++) {
            json_t *piece = json_array_get(expected, i);
            assert_int_equal(pieces.at[i].id, json_integer_value(json_array_get(piece, 0)));
            assert_int_equal(pieces.at[i].start, json_integer_value(json_array_get(piece, 1)));
            assert_int_equal(pieces.at[i].end, json_integer_value(json_array_get(piece, 2)));
        }
    }
    pieces_free(&pieces);
    json_decref(cases);
    tokenizer_close(tokenizer);
}

static void a_bad_vocabulary_is_refused_by_name(void **state)
{
    (void)state;
    struct error e = {0};
    assert_null(tokenizer_open("/nowhere/vocab.txt", &e));
    assert_non_null(strstr(e.message, "/nowhere/vocab.txt"));
    const char *folder = make_folder();
    char path[300];
    snprintf(path, sizeof path, "%s/vocab.txt", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("[PAD]\n[UNK]\nword\n", file);
    fclose(file);
    assert_null(tokenizer_open(path, &e));
    assert_int_equal(e.code, ERR_ENGINE_UNAVAILABLE);
    assert_non_null(strstr(e.message, "lacks the piece"));
    unlink(path);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_equal_the_library),
        cmocka_unit_test(a_bad_vocabulary_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
