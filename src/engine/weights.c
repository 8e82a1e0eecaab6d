/* weights.c - see weights.h. */
#include "engine/weights.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"

enum { MAX_HEADER = 1 << 20, MAX_DIMENSIONS = 2, HEADER_LENGTH = 8 };

static const struct { const char *name; enum weight_type type; size_t bytes; } types[] = {
    {"F32", WEIGHT_F32, 4}, {"F16", WEIGHT_F16, 2}, {"I8", WEIGHT_I8, 1},
};
enum { TYPES = sizeof types / sizeof types[0] };

struct weights {
    const unsigned char *file; /* mapped, read-only */
    size_t bytes;
    size_t data;               /* where the header ends and tensors begin */
    json_t *header;
    char sha256[2 * crypto_hash_sha256_BYTES + 1];
    char path[512];
};

#define REFUSE(e, ...) error_set((e), ERR_ENGINE_UNAVAILABLE, "", __VA_ARGS__)

static bool map_file(struct weights *w, const char *path, struct error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info)) {
        bool refused = REFUSE(e, "Cannot open the weights %s: %s.", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return refused;
    }
    w->bytes = (size_t)info.st_size;
    void *map = w->bytes > HEADER_LENGTH ? mmap(NULL, w->bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED)
        return REFUSE(e, "Cannot map the weights %s (%zu bytes): %s.", path, w->bytes,
                      w->bytes > HEADER_LENGTH ? strerror(errno) : "too short to be a safetensors file");
    w->file = map;
    return true;
}

static bool check_sum(struct weights *w, const char *expected, struct error *e)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, w->file, w->bytes);
    sodium_bin2hex(w->sha256, sizeof w->sha256, hash, sizeof hash);
    if (expected && strcmp(expected, w->sha256))
        return REFUSE(e, "The weights %s have SHA-256 %.16s..., but config.json says %.16s...: the file is damaged or of "
                      "another version; put the matching pair in place.", w->path, w->sha256, expected);
    return true;
}

/* One entry of the header: {"dtype", "shape", "data_offsets"}; its bytes must be what its shape needs and lie in the file. */
static bool check_tensor(const struct weights *w, const char *name, const json_t *tensor, struct error *e)
{
    const char *dtype = json_string_value(json_object_get(tensor, "dtype"));
    const json_t *shape = json_object_get(tensor, "shape"), *offsets = json_object_get(tensor, "data_offsets");
    size_t bytes = 0, dimensions = json_array_size(shape), room = w->bytes - w->data;
    for (size_t i = 0; dtype && i < TYPES; i++)
        bytes = strcmp(dtype, types[i].name) ? bytes : types[i].bytes;
    if (bytes == 0)
        return REFUSE(e, "Tensor %.80s of %s has type %.16s; F32, F16 and I8 are read.", name, w->path, dtype ? dtype : "none");
    if (!json_is_array(shape) || dimensions > MAX_DIMENSIONS || json_array_size(offsets) != 2)
        return REFUSE(e, "Tensor %.80s of %s has a shape or place that cannot be read.", name, w->path);
    for (size_t i = 0; i < dimensions; i++) {
        json_int_t size = json_integer_value(json_array_get(shape, i));
        if (size <= 0 || (uint64_t)size > room || bytes > room / (size_t)size)
            return REFUSE(e, "Tensor %.80s of %s does not fit into the file.", name, w->path);
        bytes *= (size_t)size;
    }
    json_int_t first = json_integer_value(json_array_get(offsets, 0)), end = json_integer_value(json_array_get(offsets, 1));
    if (first < 0 || end < first || (uint64_t)end > room || (size_t)(end - first) != bytes)
        return REFUSE(e, "Tensor %.80s of %s lies at %lld..%lld, which is not its %zu bytes within the file's %zu.", name,
                      w->path, (long long)first, (long long)end, bytes, room);
    return true;
}

static bool read_header(struct weights *w, struct error *e)
{
    uint64_t length = 0;
    for (size_t i = 0; i < HEADER_LENGTH; i++)
        length |= (uint64_t)w->file[i] << (8 * i);
    if (length > MAX_HEADER || length > w->bytes - HEADER_LENGTH)
        return REFUSE(e, "The weights %s are not a safetensors file (header of %llu bytes).", w->path,
                      (unsigned long long)length);
    w->data = HEADER_LENGTH + (size_t)length;
    json_error_t problem;
    w->header = json_read((const char *)w->file + HEADER_LENGTH, (size_t)length, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(w->header))
        return REFUSE(e, "The header of %s is not JSON: %.120s.", w->path, w->header ? "not an object" : problem.text);
    const char *name;
    json_t *tensor;
    json_object_foreach(w->header, name, tensor) {
        if (strcmp(name, "__metadata__") && !check_tensor(w, name, tensor, e))
            return false;
    }
    return true;
}

struct weights *weights_open(const char *path, const char *sha256, struct error *e)
{
    struct weights *w = calloc(1, sizeof *w);
    if (!w) {
        REFUSE(e, "Out of memory opening the weights.");
        return NULL;
    }
    size_t length = strlen(path), shown = length < sizeof w->path ? length : sizeof w->path - 1;
    memcpy(w->path, path, shown);
    if (map_file(w, path, e) && check_sum(w, sha256, e) && read_header(w, e))
        return w;
    weights_close(w);
    return NULL;
}

void weights_close(struct weights *w)
{
    if (!w)
        return;
    if (w->file)
        munmap((void *)(uintptr_t)w->file, w->bytes);
    json_decref(w->header);
    free(w);
}

const char *weights_sha256(const struct weights *w)
{
    return w->sha256;
}

bool weights_has(const struct weights *w, const char *name)
{
    return json_object_get(w->header, name) != NULL;
}

const void *weights_find(const struct weights *w, const char *name, enum weight_type type, size_t rows, size_t columns,
                         struct error *e)
{
    const json_t *tensor = json_object_get(w->header, name);
    if (!tensor) {
        REFUSE(e, "The weights %s lack the tensor %s.", w->path, name);
        return NULL;
    }
    const json_t *shape = json_object_get(tensor, "shape");
    const char *dtype = json_string_value(json_object_get(tensor, "dtype"));
    size_t found[2] = {(size_t)json_integer_value(json_array_get(shape, 0)), (size_t)json_integer_value(json_array_get(shape, 1))};
    size_t first = (size_t)json_integer_value(json_array_get(json_object_get(tensor, "data_offsets"), 0));
    if (strcmp(dtype, types[type].name) || json_array_size(shape) != (columns ? 2u : 1u) || found[0] != rows ||
        (columns && found[1] != columns)) {
        REFUSE(e, "Tensor %s of %s is %s %zux%zu; %s %zux%zu is needed%s.", name, w->path, dtype, found[0], found[1],
               types[type].name, rows, columns, type == WEIGHT_I8 ? " (train/quantize.py makes it)" : "");
        return NULL;
    }
    const unsigned char *at = w->file + w->data + first;
    if ((uintptr_t)at % types[type].bytes) {
        REFUSE(e, "Tensor %s of %s is not aligned to its type; write the file again with train/quantize.py.", name, w->path);
        return NULL;
    }
    return at;
}

float half_to_float(uint16_t half)
{
    union { uint32_t bits; float value; } out;
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 0x1F, fraction = half & 0x3FF;
    if (exponent == 0) { /* zero and subnormals: exact as fraction * 2^-24 */
        out.value = (float)fraction * 0x1p-24f;
        out.bits |= sign;
    } else {
        out.bits = sign | (exponent == 31 ? 0x7F800000u : (exponent + 112) << 23) | fraction << 13;
    }
    return out.value;
}

float *weights_floats(const struct weights *w, const char *name, size_t rows, size_t columns, struct error *e)
{
    const char *dtype = json_string_value(json_object_get(json_object_get(w->header, name), "dtype"));
    enum weight_type type = dtype && !strcmp(dtype, "F16") ? WEIGHT_F16 : WEIGHT_F32;
    const void *data = weights_find(w, name, type, rows, columns, e);
    size_t count = rows * (columns ? columns : 1);
    float *out = data ? malloc(count * sizeof *out) : NULL;
    if (data && !out)
        REFUSE(e, "Out of memory reading the weights.");
    for (size_t i = 0; out && i < count; i++)
        out[i] = type == WEIGHT_F16 ? half_to_float(((const uint16_t *)data)[i]) : ((const float *)data)[i];
    return out;
}

void weights_forget(const struct weights *w)
{
    madvise((void *)(uintptr_t)w->file, w->bytes, MADV_DONTNEED);
}
