/* fuzz_weights.c - any bytes as a safetensors file: refused, or every tensor it names lies in it to its last byte. */
#include "engine/weights.c"

#include "fuzz.h"

static void read_tensor(const struct weights *w, const char *name)
{
    const json_t *tensor = json_object_get(w->header, name), *shape = json_object_get(tensor, "shape");
    size_t rows = (size_t)json_integer_value(json_array_get(shape, 0));
    size_t columns = json_array_size(shape) == 2 ? (size_t)json_integer_value(json_array_get(shape, 1)) : 0;
    struct error e = {0};
    for (int type = WEIGHT_F32; type <= WEIGHT_I8; type++) {
        const unsigned char *at = weights_find(w, name, (enum weight_type)type, rows, columns, &e);
        must(at != NULL || e.message[0]);
        if (at) must(at >= w->file + w->data && rows * (columns ? columns : 1) * types[type].bytes <= (size_t)(w->file + w->bytes - at));
    }
    free(weights_floats(w, name, rows, columns, &e));
    must(weights_find(w, name, WEIGHT_F32, rows + 1, columns, &e) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {0};
    struct weights *w = weights_open(as_file(data, size), NULL, &e);
    must((w != NULL) == (e.code == ERR_NONE));
    if (!w) return 0;
    const char *name;
    json_t *tensor;
    json_object_foreach(w->header, name, tensor)
        if (strcmp(name, "__metadata__")) read_tensor(w, name);
    weights_close(w);
    return 0;
}
