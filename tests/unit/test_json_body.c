/* test_json_body.c - the API's JSON parser against JSONTestSuite, and the words it finds for what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"

static const char folder[] = "tests/data/jsontestsuite/test_parsing";
static const char transforms[] = "tests/data/jsontestsuite/test_transform";

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

/* What valid JSON with more than one reading becomes (TESTING.md): refused under this code, or read and written back so. */
static const struct {
    const char *name;
    enum error_code code;
    const char *written;
} transformed[] = {
    {"number_-9223372036854775808.json", ERR_NONE, "[-9223372036854775808]"},
    {"number_-9223372036854775809.json", ERR_INVALID_JSON, NULL},
    {"number_1.0.json", ERR_NONE, "[1.0]"},
    {"number_1.000000000000000005.json", ERR_NONE, "[1.0]"},
    {"number_1000000000000000.json", ERR_NONE, "[1000000000000000]"},
    {"number_10000000000000000999.json", ERR_INVALID_JSON, NULL},
    {"number_1e-999.json", ERR_NONE, "[0.0]"},
    {"number_1e6.json", ERR_NONE, "[1000000.0]"},
    {"number_9223372036854775807.json", ERR_NONE, "[9223372036854775807]"},
    {"number_9223372036854775808.json", ERR_INVALID_JSON, NULL},
    {"object_key_nfc_nfd.json", ERR_NONE, "{\"\xc3\xa9\":\"NFC\",\"e\xcc\x81\":\"NFD\"}"},
    {"object_key_nfd_nfc.json", ERR_NONE, "{\"e\xcc\x81\":\"NFD\",\"\xc3\xa9\":\"NFC\"}"},
    {"object_same_key_different_values.json", ERR_DUPLICATE_KEY, NULL},
    {"object_same_key_same_value.json", ERR_DUPLICATE_KEY, NULL},
    {"object_same_key_unclear_values.json", ERR_DUPLICATE_KEY, NULL},
    {"string_1_escaped_invalid_codepoint.json", ERR_INVALID_JSON, NULL},
    {"string_1_invalid_codepoint.json", ERR_INVALID_JSON, NULL},
    {"string_2_escaped_invalid_codepoints.json", ERR_INVALID_JSON, NULL},
    {"string_2_invalid_codepoints.json", ERR_INVALID_JSON, NULL},
    {"string_3_escaped_invalid_codepoints.json", ERR_INVALID_JSON, NULL},
    {"string_3_invalid_codepoints.json", ERR_INVALID_JSON, NULL},
    {"string_with_escaped_NULL.json", ERR_NONE, "[\"A\\u0000B\"]"},
};
enum { TRANSFORMED = sizeof transformed / sizeof transformed[0] };

static int count_files(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void transform_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < TRANSFORMED; i++) {
        char path[512];
        size_t size;
        struct error e = {0};
        (void)snprintf(path, sizeof path, "%s/%s", transforms, transformed[i].name);
        char *bytes = read_file(path, &size);
        json_t *value = json_body_parse(bytes, size, &e);
        char *written = value ? json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
        if (e.code != transformed[i].code || (written && strcmp(written, transformed[i].written)))
            fail_msg("%s: %s %s", transformed[i].name, e.code ? error_code_name(e.code) : "read as", written ? written : "");
        assert_true((written != NULL) == (transformed[i].written != NULL));
        free(written);
        json_decref(value);
        free(bytes);
    }
    assert_int_equal(count_files(transforms), TRANSFORMED);
}

/* ERR_NONE when the file's bytes are read. */
static enum error_code verdict(const char *name)
{
    char path[512];
    size_t size;
    struct error e = {0};
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    char *bytes = read_file(path, &size);
    json_t *value = json_body_parse(bytes, size, &e);
    assert_true((value != NULL) == (e.code == ERR_NONE));
    json_decref(value);
    free(bytes);
    return e.code;
}

static const struct {
    const char *name;
    enum error_code code;
} own_rules[] = {
    {"y_object_duplicated_key.json", ERR_DUPLICATE_KEY},
    {"y_object_duplicated_key_and_value.json", ERR_DUPLICATE_KEY},
    {"y_object_escaped_null_in_key.json", ERR_INVALID_VALUE},
};

static enum error_code expected_of_valid(const char *name)
{
    for (size_t i = 0; i < sizeof own_rules / sizeof own_rules[0]; i++)
        if (!strcmp(own_rules[i].name, name)) return own_rules[i].code;
    return ERR_NONE;
}

/* What the standard leaves open and we read; all others are refused (README.md beside the cases). */
static const char *const open_and_read[] = {
    "i_number_real_underflow.json", "i_number_double_huge_neg_exp.json", "i_structure_500_nested_arrays.json",
};

static enum error_code expected_of_open(const char *name)
{
    for (size_t i = 0; i < sizeof open_and_read / sizeof open_and_read[0]; i++)
        if (!strcmp(open_and_read[i], name)) return ERR_NONE;
    return ERR_INVALID_JSON;
}

static enum error_code expected(const char *name)
{
    if (name[0] == 'y') return expected_of_valid(name);
    if (name[0] == 'i') return expected_of_open(name);
    return ERR_INVALID_JSON;
}

static void json_test_suite(void **state)
{
    (void)state;
    int seen[128] = {0}, right[128] = {0};
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') continue;
        int kind = entry->d_name[0] & 127;
        enum error_code found = verdict(entry->d_name);
        seen[kind]++;
        if (found == expected(entry->d_name))
            right[kind]++;
        else
            print_error("%s: %s\n", entry->d_name, found ? error_code_name(found) : "accepted");
    }
    closedir(dir);
    print_message("JSONTestSuite: y %d/%d accepted, n %d/%d refused, i %d/%d by policy\n", right['y'], seen['y'],
                  right['n'], seen['n'], right['i'], seen['i']);
    assert_int_equal(right['y'], 95);
    assert_int_equal(right['n'], 188);
    assert_int_equal(right['i'], 35);
}

static struct error refusal(const char *text)
{
    struct error e = {0};
    assert_null(json_body_parse(text, strlen(text), &e));
    return e;
}

static void malformed_json_is_told_with_its_place(void **state)
{
    (void)state;
    struct error e = refusal("{\n  \"a\": 1,\n  \"b\": tru\n}");
    assert_int_equal(e.code, ERR_INVALID_JSON);
    assert_non_null(strstr(e.message, "line 3, column"));
    assert_null(strstr(e.message, "near"));
}

static void empty_body_is_told_as_such(void **state)
{
    (void)state;
    assert_non_null(strstr(refusal("").message, "empty"));
}

static void duplicate_key_is_named(void **state)
{
    (void)state;
    struct error e = refusal("{\"ab\": 1, \"a key of more than twenty characters\": 2, \"a key of more than twenty characters\": 3}");
    assert_int_equal(e.code, ERR_DUPLICATE_KEY);
    assert_string_equal(e.param, "a key of more than twenty characters");
    assert_string_equal(refusal("{\"q\\\"\\\\\": 1, \"q\\\"\\\\\": 2}").param, "q\\\"\\\\");
    assert_string_equal(refusal("{\"\": 1, \"\": 2}").param, "");
    assert_int_equal(refusal("{\"\": 1, \"\": 2}").code, ERR_DUPLICATE_KEY);
}

static void long_duplicate_key_is_cut_between_characters(void **state)
{
    (void)state;
    char text[1000] = "{", key[400] = "\"";
    for (int i = 0; i < 100; i++) strcat(key, "\xe2\x82\xac");
    strcat(key, "\":1");
    strcat(text, key), strcat(text, ","), strcat(text, key), strcat(text, "}");
    struct error e = refusal(text);
    assert_int_equal(e.code, ERR_DUPLICATE_KEY);
    assert_int_equal(strlen(e.param) % 3, 0);
    assert_true(strlen(e.param) > 90);
}

static void nul_is_kept_in_values(void **state)
{
    (void)state;
    static const char text[] = "{\"a\": \"x\\u0000y\"}";
    struct error e = {0};
    json_t *value = json_body_parse(text, strlen(text), &e);
    assert_non_null(value);
    assert_int_equal(json_string_length(json_object_get(value, "a")), 3);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_test_suite),
        cmocka_unit_test(transform_cases),
        cmocka_unit_test(malformed_json_is_told_with_its_place),
        cmocka_unit_test(empty_body_is_told_as_such),
        cmocka_unit_test(duplicate_key_is_named),
        cmocka_unit_test(long_duplicate_key_is_cut_between_characters),
        cmocka_unit_test(nul_is_kept_in_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
