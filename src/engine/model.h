/* model.h - config.json: what the weights are and how their answers are read. Every key has a default that fits the first
 * format, so old and new models run side by side. Read once at open by local.c; immutable after. */
#ifndef REFRACTR_ENGINE_MODEL_H
#define REFRACTR_ENGINE_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { MODEL_TEXT = 80, MODEL_SHA256 = 65 };

enum product_name { PRODUCT_QKV, PRODUCT_ATTENTION, PRODUCT_INTERMEDIATE, PRODUCT_OUTPUT, PRODUCTS };

struct calibration { double slope, offset; }; /* confidence = sigmoid(slope * x + offset); x: eval/calibrate.py */

struct model {
    int format;
    char name[MODEL_TEXT], version[MODEL_TEXT];
    char sha256[MODEL_SHA256];  /* "" when config.json names none */
    /* shape */
    size_t hidden, layers, heads, intermediate, positions, vocabulary, head_dim;
    double norm_epsilon;
    bool has_options;           /* the option head exists: enums and booleans are asked for as such */
    bool wide[PRODUCTS];        /* the input of this product is quantised in two planes */
    /* what a window looks like */
    size_t key_parts;
    char key_separator[MODEL_TEXT];
    size_t key_pieces, description_pieces, option_pieces;
    size_t fields_per_pass, head_pieces, window, overlap;
    /* how scores are read */
    size_t max_span, top_starts;
    double inside_weight, list_candidate, list_threshold, null_bias;
    double yield_margin;        /* a value may give its place to a surer one at this loss of margin; 0: never */
    bool breaks;                /* line ends, empty lines and wide gaps are pieces of the document (breaks.h) */
    bool tables;                /* records are read from a table's columns where there is one */
    double record_start;        /* probability from which a record begins at a piece */
    struct calibration value, null, list, choice, cell;
};

/* Fills `model` from the file; errors name the key at fault. */
bool model_read(struct model *model, const char *path, struct error *e) __attribute__((warn_unused_result));

#endif
