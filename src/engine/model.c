/* model.c - see model.h. One row per key: its name, what it fills, its default and its bounds. */
#include "engine/model.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define REFUSE(e, ...) error_set((e), ERR_ENGINE_UNAVAILABLE, "", __VA_ARGS__)

static const struct { const char *key; size_t at; long standard, least, most; } counts[] = {
    {"hidden_size", offsetof(struct model, hidden), 384, 16, 4096},
    {"num_hidden_layers", offsetof(struct model, layers), 6, 1, 48},
    {"num_attention_heads", offsetof(struct model, heads), 12, 1, 64},
    {"intermediate_size", offsetof(struct model, intermediate), 1536, 16, 16384},
    {"max_position_embeddings", offsetof(struct model, positions), 512, 32, 4096},
    {"vocab_size", offsetof(struct model, vocabulary), 30522, 104, 1 << 20},
    {"head_dim", offsetof(struct model, head_dim), 192, 1, 4096},
    {"key_parts", offsetof(struct model, key_parts), 2, 1, 16},
    {"key_pieces", offsetof(struct model, key_pieces), 24, 1, 128},
    {"description_pieces", offsetof(struct model, description_pieces), 32, 0, 128},
    {"option_pieces", offsetof(struct model, option_pieces), 8, 1, 64},
    {"fields_per_pass", offsetof(struct model, fields_per_pass), 24, 1, 32},
    {"head_pieces", offsetof(struct model, head_pieces), 480, 16, 480},
    {"window", offsetof(struct model, window), 512, 448, 512},
    {"overlap", offsetof(struct model, overlap), 128, 0, 256},
    {"max_span", offsetof(struct model, max_span), 60, 1, 512},
    {"top_starts", offsetof(struct model, top_starts), 8, 1, 64},
};

static const struct { const char *key; size_t at; double standard, least, most; } numbers[] = {
    {"layer_norm_eps", offsetof(struct model, norm_epsilon), 1e-12, 0, 1},
    {"inside_weight", offsetof(struct model, inside_weight), 0.3, 0, 10},
    {"yield_margin", offsetof(struct model, yield_margin), 0, 0, 1000},
    {"record_start", offsetof(struct model, record_start), 0.5, 0, 1},
    {"list_candidate", offsetof(struct model, list_candidate), 0.3, 0, 1},
    {"list_threshold", offsetof(struct model, list_threshold), 0.5, 0, 1},
    {"null_bias", offsetof(struct model, null_bias), 0, -100, 100},
};

static const struct { const char *key; size_t at; } calibrations[] = {
    {"value", offsetof(struct model, value)},
    {"null", offsetof(struct model, null)},
    {"list", offsetof(struct model, list)},
    {"enum", offsetof(struct model, choice)},
    {"cell", offsetof(struct model, cell)},
};

static const char *const product_names[PRODUCTS] = {"qkv", "attention_output", "intermediate", "output"};

#define LENGTH(table) (sizeof(table) / sizeof *(table))

static bool read_counts(struct model *m, const json_t *config, const char *path, struct error *e)
{
    for (size_t i = 0; i < LENGTH(counts); i++) {
        const json_t *value = json_object_get(config, counts[i].key);
        json_int_t count = value ? json_integer_value(value) : counts[i].standard;
        if (value && (!json_is_integer(value) || count < counts[i].least || count > counts[i].most))
            return REFUSE(e, "%s of %s must be a whole number from %ld to %ld.", counts[i].key, path, counts[i].least,
                          counts[i].most);
        *(size_t *)((char *)m + counts[i].at) = (size_t)count;
    }
    return true;
}

static bool read_numbers(struct model *m, const json_t *config, const char *path, struct error *e)
{
    for (size_t i = 0; i < LENGTH(numbers); i++) {
        const json_t *value = json_object_get(config, numbers[i].key);
        double number = value ? json_number_value(value) : numbers[i].standard;
        if (value && (!json_is_number(value) || number < numbers[i].least || number > numbers[i].most))
            return REFUSE(e, "%s of %s must be a number from %g to %g.", numbers[i].key, path, numbers[i].least,
                          numbers[i].most);
        *(double *)((char *)m + numbers[i].at) = number;
    }
    return true;
}

static bool read_text(char *out, size_t size, const json_t *config, const char *key, const char *standard, const char *path,
                      struct error *e)
{
    const json_t *value = json_object_get(config, key);
    const char *text = value ? json_string_value(value) : standard;
    if (!text || strlen(text) >= size)
        return REFUSE(e, "%s of %s must be a string of at most %zu bytes.", key, path, size - 1);
    snprintf(out, size, "%s", text);
    return true;
}

static bool read_calibrations(struct model *m, const json_t *config, const char *path, struct error *e)
{
    const json_t *all = json_object_get(config, "calibration");
    for (size_t i = 0; i < LENGTH(calibrations); i++) {
        const json_t *pair = json_object_get(all, calibrations[i].key);
        struct calibration *out = (struct calibration *)((char *)m + calibrations[i].at);
        *out = (struct calibration){1, 0};
        if (!pair)
            continue;
        const json_t *slope = json_array_get(pair, 0), *offset = json_array_get(pair, 1);
        if (!json_is_number(slope) || !json_is_number(offset))
            return REFUSE(e, "calibration.%s of %s must be [slope, offset].", calibrations[i].key, path);
        *out = (struct calibration){json_number_value(slope), json_number_value(offset)};
    }
    return true;
}

static bool read_wide(struct model *m, const json_t *config, const char *path, struct error *e)
{
    const json_t *names = json_object_get(config, "wide_activations");
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        size_t which = 0;
        while (which < PRODUCTS && (!name || strcmp(name, product_names[which])))
            which++;
        if (which == PRODUCTS)
            return REFUSE(e, "wide_activations of %s names \"%.40s\"; qkv, attention_output, intermediate and output are known.",
                          path, name ? name : "");
        m->wide[which] = true;
    }
    return true;
}

static bool check(const struct model *m, const char *path, struct error *e)
{
    if (m->hidden % m->heads || m->hidden % 16 || m->intermediate % 16 || m->hidden / m->heads % 32)
        return REFUSE(e, "hidden_size and intermediate_size of %s must be multiples of 16, hidden_size / num_attention_heads of 32.", path);
    if (m->window > m->positions)
        return REFUSE(e, "window of %s is %zu, more than max_position_embeddings, %zu.", path, m->window, m->positions);
    if (m->window < m->head_pieces + 32)
        return REFUSE(e, "head_pieces of %s is %zu, which leaves no room for the document in a window of %zu.", path,
                      m->head_pieces, m->window);
    return true;
}

bool model_read(struct model *m, const char *path, struct error *e)
{
    json_error_t problem;
    json_t *config = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
    *m = (struct model){0};
    if (!json_is_object(config)) {
        json_decref(config);
        return REFUSE(e, "Cannot read the model's configuration %s: %.160s.", path, config ? "not an object" : problem.text);
    }
    json_t *format = json_object_get(config, "format");
    m->format = format ? (int)json_integer_value(format) : 1;
    m->has_options = json_is_true(json_object_get(config, "enum"));
    m->breaks = json_is_true(json_object_get(config, "breaks"));
    m->tables = json_is_true(json_object_get(config, "tables"));
    bool ok = m->format == 1 || m->format == 2 ||
              REFUSE(e, "format of %s is %d; this program reads 1 and 2.", path, m->format);
    ok = ok && read_counts(m, config, path, e) && read_numbers(m, config, path, e) && read_calibrations(m, config, path, e) &&
         read_wide(m, config, path, e) && read_text(m->name, sizeof m->name, config, "name", "prototype", path, e) &&
         read_text(m->version, sizeof m->version, config, "version", "0", path, e) &&
         read_text(m->sha256, sizeof m->sha256, config, "sha256", "", path, e) &&
         read_text(m->key_separator, sizeof m->key_separator, config, "key_separator", " ", path, e) && check(m, path, e);
    json_decref(config);
    return ok;
}
