/* A safetensors file is believed only after its header, places, types, shapes and checksum agree. */
#include "testing.h"

#include "engine/weights.h"

static char path[300];

/* Writes a file of this header, padded to 8 bytes as writers of the format do, and `data` bytes of zeros, and opens it. */
static struct weights *open_file(const char *header, size_t data, const char *sha256, struct error *e)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    uint64_t text = strlen(header), length = (text + 7) / 8 * 8;
    for (int i = 0; i < 8; i++)
        fputc((int)(length >> (8 * i) & 0xFF), file);
    fputs(header, file);
    for (uint64_t i = text; i < length; i++)
        fputc(' ', file);
    for (size_t i = 0; i < data; i++)
        fputc(0, file);
    assert_int_equal(fclose(file), 0);
    *e = (struct error){0};
    return weights_open(path, sha256, e);
}

static void check_refused(const char *header, size_t data, const char *sha256, const char *words)
{
    struct error e;
    assert_null(open_file(header, data, sha256, &e));
    if (!strstr(e.message, words))
        print_error("%s\n", e.message);
    assert_int_equal(e.code, ERR_ENGINE_UNAVAILABLE);
    assert_non_null(strstr(e.message, words));
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    const char *fine = "{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}}";
    check_refused("{", 8, NULL, "not JSON");
    check_refused("[]", 8, NULL, "not an object");
    check_refused(fine, 7, NULL, "does not fit");
    check_refused(fine, 8, "00", "SHA-256");
    check_refused("{\"a\": {\"dtype\": \"F64\", \"shape\": [1], \"data_offsets\": [0, 8]}}", 8, NULL, "F64");
    check_refused("{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [4, 8]}}", 8, NULL, "which is not its 8 bytes");
    check_refused("{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [8, 16]}}", 8, NULL, "which is not");
    check_refused("{\"a\": {\"dtype\": \"F32\", \"shape\": [-2], \"data_offsets\": [0, 8]}}", 8, NULL, "does not fit");
    check_refused("{\"a\": {\"dtype\": \"I8\", \"shape\": [4611686018427387904, 4], \"data_offsets\": [0, 8]}}", 8, NULL, "does not fit");
    check_refused("{\"a\": {\"dtype\": \"F32\", \"shape\": [1, 1, 1], \"data_offsets\": [0, 4]}}", 8, NULL, "cannot be read");
    struct error e = {0};
    assert_null(weights_open("/nowhere/model.safetensors", NULL, &e));
    assert_non_null(strstr(e.message, "/nowhere/model.safetensors"));
}

static void tensors_are_found_by_name_type_and_shape(void **state)
{
    (void)state;
    struct error e;
    struct weights *w = open_file("{\"a\": {\"dtype\": \"F32\", \"shape\": [2, 3], \"data_offsets\": [0, 24]}}", 24, NULL, &e);
    assert_non_null(w);
    assert_true(weights_has(w, "a"));
    assert_false(weights_has(w, "b"));
    float *values = weights_floats(w, "a", 2, 3, &e);
    assert_non_null(values);
    assert_true(values[5] == 0);
    free(values);
    assert_null(weights_find(w, "b", WEIGHT_F32, 2, 3, &e));
    assert_non_null(strstr(e.message, "lack the tensor b"));
    assert_null(weights_find(w, "a", WEIGHT_F32, 3, 2, &e));
    assert_non_null(strstr(e.message, "F32 2x3; F32 3x2 is needed"));
    assert_null(weights_find(w, "a", WEIGHT_I8, 2, 3, &e));
    assert_non_null(strstr(e.message, "quantize.py"));
    weights_close(w);
}

static void halves_become_floats(void **state)
{
    (void)state;
    static const struct { uint16_t half; float value; } cases[] = {
        {0x0000, 0}, {0x3C00, 1}, {0xBC00, -1}, {0x3555, 0.333251953125f}, {0x7BFF, 65504}, {0x0001, 0x1p-24f}, {0x83FF, -1023 * 0x1p-24f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(half_to_float(cases[i].half) == cases[i].value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(tensors_are_found_by_name_type_and_shape),
        cmocka_unit_test(halves_become_floats),
    };
    const char *folder = make_folder();
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    remove_folder(folder);
    return failed;
}
