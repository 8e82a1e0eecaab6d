/* encoder.c - see encoder.h.
 *
 * One window runs through the layers in blocks of 64 tokens, so that a block's accumulators stay in the second-level cache:
 *     for each block:  quantise -> QKV product -> queries, keys, values (bf16 by head where that is fast, else f32)
 *     for each head:   scores = Q K^T -> softmax -> P V -> context (by oneDNN in bf16, else by a kernel of ours)
 *     for each block:  quantise -> output product + residual + norm -> quantise -> intermediate product + GELU
 *                      -> quantise -> output product + residual + norm
 * The four products of a layer are int8 (kernels.h says how activations and weights are quantised); attention, norms and
 * heads are not, because their share of the time is small and their share of the error was not.
 *
 * The span heads are folded when the model is opened: q[f].k[t] with q = Wq h_f + bq and k = Wk h_t + bk equals
 * h_t . (F h_f + g) + (e . h_f + c), with F = Wk^T Wq and so on, so the document's tokens need no projection at all. */
#include "engine/encoder.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/breaks.h"
#include "engine/kernels.h"
#include "engine/matmul.h"

enum {
    BLOCK = 64,             /* tokens of a product block */
    BLOCK_STEP = 4,         /* block sizes are multiples of it, or of a larger step (matmuls_row_step) */
    BLOCK_SIZES = BLOCK / BLOCK_STEP,
    CHANNELS = 3,           /* start, end, inside */
    EXTRAS = CHANNELS + 2,  /* per field: the three constant terms, the two null scores */
    FIELD_ROWS = ENCODER_MAX_FIELDS + KERNEL_QUERIES, /* kernels read past the last (kernels.h) */
    SPAN_ROWS = ENCODER_MAX_FIELDS * CHANNELS,
    LENGTHS = 10,
    NAME = 128,
};

/* Attention in bf16 is compiled for these lengths only; a window is padded to the next, and what was padded is masked out. */
static const size_t lengths[LENGTHS] = {32, 64, 96, 128, 192, 256, 320, 384, 448, 512};

struct dense { /* one int8 product */
    struct packed *weight;
    float *scale, *column_sum, *bias, *smooth; /* one allocation, at scale */
    size_t in, out;
    bool wide;
};

struct layer { struct dense products[PRODUCTS]; float *norms; struct norm after_attention, after_output; };

/* Compiled shapes, each made on first use. */
struct shapes {
    struct matmul *products[PRODUCTS][2 * BLOCK_SIZES]; /* by rows / BLOCK_STEP - 1 */
    struct matmul *attend[LENGTHS], *weigh[LENGTHS];
};
struct calls { /* a worker's own bindings of the same */
    struct matmul_call *products[PRODUCTS][2 * BLOCK_SIZES];
    struct matmul_call *attend[LENGTHS], *weigh[LENGTHS];
};

struct encoder {
    size_t hidden, layer_count, heads, head_size, intermediate, positions, vocabulary;
    const struct kernels *kernels;
    struct matmuls *matmuls;
    bool bfloat;                   /* attention in bf16 */
    float top;                     /* largest quantised activation: 255, or 127 without VNNI */
    size_t row_step;               /* rows of int8 products are multiples of it */
    const int8_t *words;           /* [vocabulary][hidden], in the mapped file */
    float *word_scale;             /* [vocabulary] */
    float *position, *type, *first_norm_values;
    struct norm first_norm;
    struct layer *layers;
    float *fold, *fold_bias;       /* [hidden][3 * hidden] in panels (kernels.h), [3 * hidden] */
    float *extras, *extras_bias;   /* [EXTRAS][hidden], [EXTRAS] */
    float *option, *option_bias;   /* [hidden], [1]; NULL without that head */
    pthread_mutex_t lock;          /* guards shapes and scratch; never held while a product runs */
    struct shapes shapes;
    char machine[128];
};

struct encoder_worker {
    struct encoder *encoder;
    struct matmul_thread *thread;
    struct calls calls;
    void *scratch;
    size_t scratch_bytes;
    float *x;                      /* [512 + KERNEL_QUERIES][hidden] the hidden states */
    float *context;                /* [512][hidden] */
    float *qkv;                    /* [512][3 * hidden] a row's queries, keys, values, of every head; or: */
    uint16_t *q, *k, *v;           /* [heads][512][head_size] the same in bf16 */
    float *attention;              /* scores of one head; after attention [BLOCK][intermediate] */
    uint16_t *weights;             /* [512][512] their softmax in bf16 */
    float *sums;                   /* [512] 1 / sum of each softmax row */
    float *head_context;           /* [512][head_size] */
    uint8_t *bytes;                /* [2 * BLOCK][intermediate] */
    int32_t *products;             /* [2 * BLOCK][intermediate] */
    struct quantised_row rows[BLOCK];
    float *field_states;           /* [FIELD_ROWS][hidden] */
    float *field_vectors;          /* [32][3 * hidden] */
    float *field_panels;           /* the same as the columns [hidden][3 * 32] of a matrix in panels */
    float *token_scores;           /* [512][3 * 32] */
    float *span;                   /* [3 * 32][512] */
    float null[ENCODER_MAX_FIELDS * 2];
    float option[ENCODER_MAX_OPTIONS];
};

static const float never = -60; /* as a logit */

#define REFUSE(e, ...) error_set((e), ERR_ENGINE_UNAVAILABLE, "", __VA_ARGS__)

static void *aligned(size_t bytes)
{
    size_t size = (bytes + KERNEL_ALIGN - 1) / KERNEL_ALIGN * KERNEL_ALIGN;
    void *memory = aligned_alloc(KERNEL_ALIGN, size ? size : KERNEL_ALIGN);
    if (memory)
        memset(memory, 0, size);
    return memory;
}

static size_t rounded(size_t n, size_t step)
{
    return (n + step - 1) / step * step;
}

static size_t length_index(size_t tokens)
{
    size_t i = 0;
    while (i + 1 < LENGTHS && lengths[i] < tokens)
        i++;
    return i;
}

/* Long windows take their queries in two halves, so that a head's scores stay in the cache. */
static size_t query_rows(size_t length)
{
    return length > 256 ? length / 2 : length;
}

/* ---- opening: int8 products ------------------------------------------------------------------------------------------- */

/* Copies part `part` of a product (the QKV product has three parts of equal size) into its place. */
static bool read_part(struct dense *d, const struct weights *w, const char *name, size_t part, size_t parts, int8_t *rows,
                      struct error *e)
{
    char full[NAME + 16];
    size_t out = d->out / parts;
    snprintf(full, sizeof full, "%s.weight", name);
    const int8_t *weight = weights_find(w, full, WEIGHT_I8, out, d->in, e);
    snprintf(full, sizeof full, "%s.weight.scale", name);
    float *scale = weight ? weights_floats(w, full, out, 0, e) : NULL;
    snprintf(full, sizeof full, "%s.bias", name);
    float *bias = scale ? weights_floats(w, full, out, 0, e) : NULL;
    for (size_t i = 0; bias && i < out; i++) {
        int32_t sum = 0;
        for (size_t j = 0; j < d->in; j++)
            sum += weight[i * d->in + j];
        d->column_sum[part * out + i] = (float)sum;
        d->scale[part * out + i] = scale[i];
        d->bias[part * out + i] = bias[i];
    }
    if (bias)
        memcpy(rows + part * out * d->in, weight, out * d->in);
    free(scale);
    free(bias);
    return bias != NULL;
}

/* The input's smoothing factors ("<name>.smooth"), all ones where the file has none. */
static bool read_smooth(struct dense *d, const struct weights *w, const char *name, struct error *e)
{
    char full[NAME + 16];
    snprintf(full, sizeof full, "%s.smooth", name);
    for (size_t i = 0; i < d->in; i++)
        d->smooth[i] = 1;
    if (!weights_has(w, full))
        return true;
    float *smooth = weights_floats(w, full, d->in, 0, e);
    if (smooth)
        memcpy(d->smooth, smooth, d->in * sizeof *smooth);
    free(smooth);
    return smooth != NULL;
}

static bool open_dense(struct encoder *encoder, struct dense *d, const struct weights *w, const char *const *names,
                       size_t parts, struct error *e)
{
    d->scale = aligned((3 * d->out + d->in) * sizeof(float));
    int8_t *rows = malloc(d->out * d->in);
    bool ok = d->scale && rows;
    if (!ok) {
        REFUSE(e, "Out of memory reading the weights.");
    } else {
        d->column_sum = d->scale + d->out;
        d->bias = d->scale + 2 * d->out;
        d->smooth = d->scale + 3 * d->out;
        ok = read_smooth(d, w, names[0], e);
    }
    for (size_t part = 0; ok && part < parts; part++)
        ok = read_part(d, w, names[part], part, parts, rows, e);
    if (ok) {
        d->weight = packed_open(encoder->matmuls, rows, d->out, d->in, e);
        ok = d->weight != NULL;
    }
    free(rows);
    return ok;
}

static bool read_norm(struct norm *norm, float *values, const struct weights *w, const char *name, size_t n, double epsilon,
                      struct error *e)
{
    char full[NAME + 16];
    snprintf(full, sizeof full, "%s.weight", name);
    float *gain = weights_floats(w, full, n, 0, e);
    snprintf(full, sizeof full, "%s.bias", name);
    float *bias = gain ? weights_floats(w, full, n, 0, e) : NULL;
    if (bias) {
        memcpy(values, gain, n * sizeof *gain);
        memcpy(values + n, bias, n * sizeof *bias);
    }
    *norm = (struct norm){values, values + n, (float)epsilon};
    free(gain);
    free(bias);
    return bias != NULL;
}

/* Queries are scaled here, once, instead of every score: by 1 / sqrt(head size), and for a softmax to base 2. */
static void scale_queries(struct dense *qkv, size_t hidden, size_t head_size)
{
    float factor = 1.44269504f / sqrtf((float)head_size);
    for (size_t i = 0; i < hidden; i++) {
        qkv->scale[i] *= factor;
        qkv->bias[i] *= factor;
    }
}

static bool open_layer(struct encoder *encoder, size_t index, const struct weights *w, const struct model *m, struct error *e)
{
    static const char *const parts[] = {"attention.self.query", "attention.self.key", "attention.self.value",
                                        "attention.output.dense", "intermediate.dense", "output.dense",
                                        "attention.output.LayerNorm", "output.LayerNorm"};
    static const size_t first[PRODUCTS] = {0, 3, 4, 5};
    struct layer *layer = &encoder->layers[index];
    size_t h = m->hidden, wide = m->intermediate;
    const size_t ins[PRODUCTS] = {h, h, h, wide}, outs[PRODUCTS] = {3 * h, h, wide, h};
    char names[8][NAME];
    const char *pointers[8];
    for (size_t i = 0; i < 8; i++) {
        snprintf(names[i], NAME, "enc.encoder.layer.%zu.%s", index, parts[i]);
        pointers[i] = names[i];
    }
    for (size_t i = 0; i < PRODUCTS; i++) {
        layer->products[i] = (struct dense){.in = ins[i], .out = outs[i], .wide = m->wide[i]};
        if (!open_dense(encoder, &layer->products[i], w, pointers + first[i], i == PRODUCT_QKV ? 3 : 1, e))
            return false;
    }
    scale_queries(&layer->products[PRODUCT_QKV], h, encoder->head_size);
    layer->norms = aligned(4 * h * sizeof(float));
    if (!layer->norms)
        return REFUSE(e, "Out of memory reading the weights.");
    return read_norm(&layer->after_attention, layer->norms, w, names[6], h, m->norm_epsilon, e) &&
           read_norm(&layer->after_output, layer->norms + 2 * h, w, names[7], h, m->norm_epsilon, e);
}

/* ---- opening: embeddings and heads ------------------------------------------------------------------------------------ */

static bool open_embeddings(struct encoder *encoder, const struct weights *w, const struct model *m, struct error *e)
{
    encoder->words = weights_find(w, "enc.embeddings.word_embeddings.weight", WEIGHT_I8, m->vocabulary, m->hidden, e);
    static const char scale[] = "enc.embeddings.word_embeddings.weight.scale";
    encoder->word_scale = encoder->words ? weights_floats(w, scale, m->vocabulary, 0, e) : NULL;
    if (!encoder->word_scale)
        return false;
    encoder->position = weights_floats(w, "enc.embeddings.position_embeddings.weight", m->positions, m->hidden, e);
    encoder->type = encoder->position ? weights_floats(w, "enc.embeddings.token_type_embeddings.weight", 2, m->hidden, e) : NULL;
    encoder->first_norm_values = aligned(2 * m->hidden * sizeof(float));
    if (!encoder->first_norm_values)
        return REFUSE(e, "Out of memory reading the weights.");
    return encoder->type && read_norm(&encoder->first_norm, encoder->first_norm_values, w, "enc.embeddings.LayerNorm", m->hidden,
                                      m->norm_epsilon, e);
}

struct heads { float *q, *q_bias, *k, *k_bias, *null, *null_bias, *start_bias, *start_bias_bias; };

static void to_panels(float *panels, const float *matrix, size_t rows, size_t columns)
{
    for (size_t first = 0; first < columns; first += KERNEL_LANES) {
        for (size_t i = 0; i < rows; i++, panels += KERNEL_LANES)
            memcpy(panels, matrix + i * columns + first, KERNEL_LANES * sizeof *panels);
    }
}

/* `folded` is zeros, of the size of the fold. */
static void fold_heads(struct encoder *encoder, const struct heads *heads, size_t d, float *folded)
{
    size_t h = encoder->hidden;
    float factor = 1 / sqrtf((float)d);
    for (size_t c = 0; c < CHANNELS; c++) {
        double constant = heads->start_bias_bias[c];
        float *extra = encoder->extras + c * h;
        memcpy(extra, heads->start_bias + c * h, h * sizeof *extra);
        for (size_t r = c * d; r < (c + 1) * d; r++) {
            const float *q = heads->q + r * h, *k = heads->k + r * h;
            float q_bias = heads->q_bias[r] * factor, k_bias = heads->k_bias[r] * factor;
            constant += (double)heads->q_bias[r] * k_bias;
            for (size_t j = 0; j < h; j++) {
                encoder->fold_bias[c * h + j] += q_bias * k[j];
                extra[j] += k_bias * q[j];
            }
            for (size_t i = 0; i < h; i++) {
                float *out = folded + i * CHANNELS * h + c * h, factor_i = q[i] * factor;
                for (size_t j = 0; j < h; j++)
                    out[j] += factor_i * k[j];
            }
        }
        encoder->extras_bias[c] = (float)constant;
    }
    to_panels(encoder->fold, folded, h, CHANNELS * h);
    memcpy(encoder->extras + CHANNELS * h, heads->null, 2 * h * sizeof(float));
    memcpy(encoder->extras_bias + CHANNELS, heads->null_bias, 2 * sizeof(float));
}

static bool open_heads(struct encoder *encoder, const struct weights *w, const struct model *m, struct error *e)
{
    size_t h = m->hidden, d = m->head_dim;
    struct heads heads = {0};
    struct { float **at; const char *name; size_t rows, columns; } wanted[] = {
        {&heads.q, "q.weight", CHANNELS * d, h},     {&heads.q_bias, "q.bias", CHANNELS * d, 0},
        {&heads.k, "k.weight", CHANNELS * d, h},     {&heads.k_bias, "k.bias", CHANNELS * d, 0},
        {&heads.null, "null.weight", 2, h},          {&heads.null_bias, "null.bias", 2, 0},
        {&heads.start_bias, "qb.weight", CHANNELS, h}, {&heads.start_bias_bias, "qb.bias", CHANNELS, 0},
    };
    enum { WANTED = sizeof wanted / sizeof *wanted };
    bool ok = true;
    for (size_t i = 0; ok && i < WANTED; i++)
        ok = (*wanted[i].at = weights_floats(w, wanted[i].name, wanted[i].rows, wanted[i].columns, e)) != NULL;
    if (ok && m->has_options) {
        encoder->option = weights_floats(w, "opt.weight", 1, h, e);
        encoder->option_bias = encoder->option ? weights_floats(w, "opt.bias", 1, 0, e) : NULL;
        ok = encoder->option_bias != NULL;
    }
    encoder->fold = aligned(CHANNELS * h * h * sizeof(float));
    encoder->fold_bias = aligned(CHANNELS * h * sizeof(float));
    encoder->extras = aligned(EXTRAS * h * sizeof(float));
    encoder->extras_bias = aligned(EXTRAS * sizeof(float));
    float *folded = aligned(CHANNELS * h * h * sizeof(float));
    if (ok && !(folded && encoder->fold && encoder->fold_bias && encoder->extras && encoder->extras_bias))
        ok = REFUSE(e, "Out of memory reading the weights.");
    if (ok)
        fold_heads(encoder, &heads, d, folded);
    free(folded);
    for (size_t i = 0; i < WANTED; i++)
        free(*wanted[i].at);
    return ok;
}

struct encoder *encoder_open(const struct weights *weights, const struct model *m, struct error *e)
{
    struct encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder) {
        REFUSE(e, "Out of memory opening the model.");
        return NULL;
    }
    encoder->hidden = m->hidden;
    encoder->layer_count = m->layers;
    encoder->heads = m->heads;
    encoder->head_size = m->hidden / m->heads;
    encoder->intermediate = m->intermediate;
    encoder->positions = m->positions;
    encoder->vocabulary = m->vocabulary;
    encoder->kernels = kernels_choose();
    pthread_mutex_init(&encoder->lock, NULL);
    matmul_thread_start();
    encoder->matmuls = matmuls_open(false, e);
    encoder->layers = calloc(m->layers, sizeof *encoder->layers);
    bool ok = encoder->matmuls && (encoder->layers || REFUSE(e, "Out of memory opening the model."));
    if (ok) {
        encoder->bfloat = matmuls_fast_bfloat(encoder->matmuls);
        encoder->top = matmuls_seven_bits(encoder->matmuls) ? 127 : 255;
        encoder->row_step = matmuls_row_step(encoder->matmuls);
        snprintf(encoder->machine, sizeof encoder->machine, "%s, %s kernels", matmuls_version(encoder->matmuls),
                 encoder->kernels->name);
    }
    ok = ok && open_embeddings(encoder, weights, m, e);
    for (size_t i = 0; ok && i < m->layers; i++)
        ok = open_layer(encoder, i, weights, m, e);
    if (ok && open_heads(encoder, weights, m, e))
        return encoder;
    encoder_close(encoder);
    return NULL;
}

static void close_shapes(struct shapes *shapes)
{
    struct matmul **all = (struct matmul **)(void *)shapes;
    for (size_t i = 0; i < sizeof *shapes / sizeof *all; i++)
        matmul_close(all[i]);
}

void encoder_close(struct encoder *encoder)
{
    if (!encoder)
        return;
    for (size_t i = 0; encoder->layers && i < encoder->layer_count; i++) {
        for (size_t j = 0; j < PRODUCTS; j++) {
            packed_close(encoder->layers[i].products[j].weight);
            free(encoder->layers[i].products[j].scale);
        }
        free(encoder->layers[i].norms);
    }
    close_shapes(&encoder->shapes);
    matmuls_close(encoder->matmuls);
    float *owned[] = {encoder->word_scale, encoder->position, encoder->type, encoder->first_norm_values, encoder->fold,
                      encoder->fold_bias, encoder->extras, encoder->extras_bias, encoder->option, encoder->option_bias};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    free(encoder->layers);
    pthread_mutex_destroy(&encoder->lock);
    free(encoder);
}

const char *encoder_machine(const struct encoder *encoder)
{
    return encoder->machine;
}

/* ---- workers and shapes ----------------------------------------------------------------------------------------------- */

void encoder_thread_start(void)
{
    matmul_thread_start();
}

struct encoder_worker *encoder_worker_open(struct encoder *encoder, struct error *e)
{
    struct encoder_worker *w = aligned(sizeof *w);
    if (!w) {
        REFUSE(e, "Out of memory starting an engine thread.");
        return NULL;
    }
    w->encoder = encoder;
    size_t n = ENCODER_MAX_TOKENS, h = encoder->hidden, heads = encoder->bfloat ? n * h * sizeof(uint16_t) : 0;
    size_t widest = encoder->intermediate > 3 * h ? encoder->intermediate : 3 * h;
    size_t square = encoder->bfloat ? n * n : 0, middle = BLOCK * widest * sizeof(float);
    size_t scores = encoder->bfloat ? square * sizeof(float) : kernels_attention_bytes(n, encoder->head_size);
    struct { void **at; size_t bytes; } buffers[] = {
        {(void **)&w->x, (n + KERNEL_QUERIES) * h * sizeof(float)},
        {(void **)&w->context, n * h * sizeof(float)},
        {(void **)&w->qkv, encoder->bfloat ? 0 : 3 * n * h * sizeof(float)},
        {(void **)&w->q, heads},
        {(void **)&w->k, heads},
        {(void **)&w->v, heads},
        {(void **)&w->attention, scores > middle ? scores : middle},
        {(void **)&w->weights, square * sizeof(uint16_t)},
        {(void **)&w->sums, n * sizeof(float)},
        {(void **)&w->head_context, n * encoder->head_size * sizeof(float)},
        {(void **)&w->bytes, 2 * BLOCK * widest},
        {(void **)&w->products, 2 * BLOCK * widest * sizeof(int32_t)},
        {(void **)&w->field_states, FIELD_ROWS * h * sizeof(float)},
        {(void **)&w->field_vectors, SPAN_ROWS * h * sizeof(float)},
        {(void **)&w->field_panels, SPAN_ROWS * h * sizeof(float)},
        {(void **)&w->token_scores, SPAN_ROWS * n * sizeof(float)},
        {(void **)&w->span, SPAN_ROWS * n * sizeof(float)},
    };
    bool ok = true;
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        ok = (*buffers[i].at = aligned(buffers[i].bytes)) != NULL && ok;
    if (!ok)
        REFUSE(e, "Out of memory starting an engine thread.");
    w->thread = ok ? matmul_thread_open(encoder->matmuls, e) : NULL;
    if (w->thread)
        return w;
    encoder_worker_close(w);
    return NULL;
}

void encoder_worker_close(struct encoder_worker *w)
{
    if (!w)
        return;
    struct matmul_call **calls = (struct matmul_call **)(void *)&w->calls;
    for (size_t i = 0; i < sizeof w->calls / sizeof *calls; i++)
        matmul_call_close(calls[i]);
    matmul_thread_close(w->thread);
    void *owned[] = {w->x, w->context, w->qkv, w->q, w->k, w->v, w->attention, w->weights, w->sums, w->head_context, w->bytes,
                     w->products, w->field_states, w->field_vectors, w->field_panels, w->token_scores, w->span,
                     w->scratch};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    free(w);
}

/* Makes sure that *call exists: compiles the shape if no thread has yet, then binds it to this worker. */
static bool ready(struct encoder_worker *w, struct matmul_call **call, struct matmul **matmul, const struct matmul_shape *shape,
                  const struct packed *packed, struct error *e)
{
    if (*call)
        return true;
    pthread_mutex_lock(&w->encoder->lock);
    if (!*matmul)
        *matmul = matmul_open(w->encoder->matmuls, shape, packed, e);
    const struct matmul *found = *matmul;
    pthread_mutex_unlock(&w->encoder->lock);
    if (!found)
        return false;
    size_t scratch = matmul_scratch(found);
    if (scratch > w->scratch_bytes) {
        free(w->scratch);
        w->scratch_bytes = scratch;
        w->scratch = aligned(scratch);
        if (!w->scratch) {
            w->scratch_bytes = 0;
            return REFUSE(e, "Out of memory preparing a product.");
        }
    }
    *call = matmul_call_open(w->thread, found, e);
    return *call != NULL;
}

static bool run(struct encoder_worker *w, struct matmul_call *call, const void *a, const void *b, const struct packed *packed,
                void *c, struct error *e)
{
    return matmul_run(call, a, b, packed, c, w->scratch) || REFUSE(e, "A matrix product failed in oneDNN.");
}

/* ---- one window ------------------------------------------------------------------------------------------------------- */

/* Quantises `count` rows of x and multiplies them; afterwards product_of tells what each accumulator row stands for. */
static bool multiply(struct encoder_worker *w, size_t layer, enum product_name which, const float *x, size_t count, struct error *e)
{
    struct encoder *encoder = w->encoder;
    const struct dense *d = &encoder->layers[layer].products[which];
    size_t rows = rounded(count, encoder->row_step), all = d->wide ? 2 * rows : rows, index = all / BLOCK_STEP - 1;
    for (size_t i = 0; i < count; i++)
        w->rows[i] = encoder->kernels->quantise(x + i * d->in, d->smooth, d->in, encoder->top, w->bytes + i * d->in,
                                                d->wide ? w->bytes + (rows + i) * d->in : NULL);
    struct matmul_shape shape = {MATMUL_BYTES, all, d->out, d->in, d->in, d->out, 0, 0};
    struct matmul_call **call = &w->calls.products[which][index];
    return ready(w, call, &encoder->shapes.products[which][index], &shape, d->weight, e) &&
           run(w, *call, w->bytes, NULL, d->weight, w->products, e);
}

static struct product product_of(const struct encoder_worker *w, const struct dense *d, size_t row, size_t count)
{
    const int32_t *high = w->products + row * d->out;
    const int32_t *low = d->wide ? high + rounded(count, w->encoder->row_step) * d->out : NULL;
    return (struct product){high, low, d->wide ? w->encoder->top + 1 : 1, w->rows[row]};
}

static struct linear linear_of(const struct dense *d)
{
    return (struct linear){d->scale, d->column_sum, d->bias};
}

static void embed(struct encoder_worker *w, const struct window *window)
{
    const struct encoder *encoder = w->encoder;
    size_t h = encoder->hidden;
    for (size_t i = 0; i < window->length; i++) {
        float *x = w->x + i * h;
        memcpy(x, encoder->position + i * h, h * sizeof *x);
        size_t id = (size_t)window->ids[i];
        encoder->kernels->add_bytes(x, encoder->words + id * h, encoder->word_scale[id], h);
        encoder->kernels->add(x, encoder->type + (i < window->head ? 0 : h), h);
        encoder->kernels->norm(x, h, &encoder->first_norm);
    }
}

/* Writes one token's queries, keys and values to their heads in bf16. */
static void write_heads(struct encoder_worker *w, size_t token, size_t rows, struct product product, struct linear linear)
{
    const struct encoder *encoder = w->encoder;
    uint16_t *const parts[] = {w->q, w->k, w->v};
    for (size_t part = 0; part < 3; part++) {
        for (size_t head = 0; head < encoder->heads; head++) {
            size_t size = encoder->head_size;
            encoder->kernels->to_bfloat(parts[part] + (head * rows + token) * size, &product, size, &linear);
            product.high += size;
            product.low = product.low ? product.low + size : NULL;
            linear = (struct linear){linear.scale + size, linear.column_sum + size, linear.bias + size};
        }
    }
}

static bool make_heads(struct encoder_worker *w, size_t layer, size_t first, size_t count, size_t tokens, struct error *e)
{
    const struct encoder *encoder = w->encoder;
    const struct dense *d = &encoder->layers[layer].products[PRODUCT_QKV];
    struct linear linear = linear_of(d);
    size_t rows = lengths[length_index(tokens)];
    if (!multiply(w, layer, PRODUCT_QKV, w->x + first * encoder->hidden, count, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct product product = product_of(w, d, i, count);
        if (encoder->bfloat)
            write_heads(w, first + i, rows, product, linear);
        else
            encoder->kernels->to_float(w->qkv + (first + i) * d->out, &product, d->out, &linear);
    }
    return true;
}

static void attend_float(struct encoder_worker *w, size_t tokens)
{
    const struct encoder *encoder = w->encoder;
    size_t size = encoder->head_size, h = encoder->hidden;
    for (size_t head = 0; head < encoder->heads; head++) {
        const float *first = w->qkv + head * size;
        struct attention one = {first, first + h, first + 2 * h, tokens, size, 3 * h, w->attention};
        encoder->kernels->attend(w->context + head * size, encoder->hidden, &one);
    }
}

/* Padded tokens' values get no weight, but zero times a stale infinity would still spoil a sum: clear them. */
static void clear_padding(struct encoder_worker *w, size_t tokens)
{
    size_t rows = lengths[length_index(tokens)], size = w->encoder->head_size;
    uint16_t *const parts[] = {w->q, w->k, w->v};
    for (size_t part = 0; part < 3; part++) {
        for (size_t head = 0; head < w->encoder->heads; head++)
            memset(parts[part] + (head * rows + tokens) * size, 0, (rows - tokens) * size * sizeof(uint16_t));
    }
}

static bool attend_rows(struct encoder_worker *w, size_t head, size_t first, size_t tokens, size_t index, struct error *e)
{
    const struct encoder *encoder = w->encoder;
    size_t size = encoder->head_size, length = lengths[index];
    const uint16_t *q = w->q + (head * length + first) * size;
    const uint16_t *k = w->k + head * length * size, *v = w->v + head * length * size;
    size_t rows = query_rows(length), real = tokens - first < rows ? tokens - first : rows;
    if (!run(w, w->calls.attend[index], q, k, NULL, w->attention, e))
        return false;
    for (size_t i = 0; i < real; i++)
        w->sums[i] = encoder->kernels->softmax_bfloat(w->weights + i * length, w->attention + i * length, tokens, length);
    if (!run(w, w->calls.weigh[index], w->weights, v, NULL, w->head_context, e))
        return false;
    for (size_t i = 0; i < real; i++)
        encoder->kernels->scale(w->context + (first + i) * encoder->hidden + head * size, w->head_context + i * size, size,
                                w->sums[i]);
    return true;
}

static bool attend_bfloat(struct encoder_worker *w, size_t tokens, struct error *e)
{
    struct encoder *encoder = w->encoder;
    size_t index = length_index(tokens), length = lengths[index], rows = query_rows(length), size = encoder->head_size;
    struct matmul_shape scores = {MATMUL_BFLOAT, rows, length, size, size, length, 1, size};
    struct matmul_shape weigh = {MATMUL_BFLOAT, rows, size, length, length, size, size, 1};
    bool ok = ready(w, &w->calls.attend[index], &encoder->shapes.attend[index], &scores, NULL, e) &&
              ready(w, &w->calls.weigh[index], &encoder->shapes.weigh[index], &weigh, NULL, e);
    for (size_t head = 0; ok && head < encoder->heads; head++) {
        for (size_t first = 0; ok && first < tokens; first += rows)
            ok = attend_rows(w, head, first, tokens, index, e);
    }
    return ok;
}

static bool attend(struct encoder_worker *w, size_t tokens, struct error *e)
{
    if (w->encoder->bfloat)
        return attend_bfloat(w, tokens, e);
    attend_float(w, tokens);
    return true;
}

/* Everything of a layer after attention, for one block of tokens. */
static bool finish_block(struct encoder_worker *w, size_t layer, size_t first, size_t count, struct error *e)
{
    const struct encoder *encoder = w->encoder;
    const struct kernels *kernels = encoder->kernels;
    const struct layer *l = &encoder->layers[layer];
    size_t h = encoder->hidden, wide = encoder->intermediate;
    float *x = w->x + first * h, *middle = w->attention;
    if (!multiply(w, layer, PRODUCT_ATTENTION, w->context + first * h, count, e))
        return false;
    struct linear linear = linear_of(&l->products[PRODUCT_ATTENTION]);
    for (size_t i = 0; i < count; i++) {
        struct product product = product_of(w, &l->products[PRODUCT_ATTENTION], i, count);
        kernels->add_norm(x + i * h, &product, h, &linear, &l->after_attention);
    }
    if (!multiply(w, layer, PRODUCT_INTERMEDIATE, x, count, e))
        return false;
    linear = linear_of(&l->products[PRODUCT_INTERMEDIATE]);
    for (size_t i = 0; i < count; i++) {
        struct product product = product_of(w, &l->products[PRODUCT_INTERMEDIATE], i, count);
        kernels->gelu(middle + i * wide, &product, wide, &linear);
    }
    if (!multiply(w, layer, PRODUCT_OUTPUT, middle, count, e))
        return false;
    linear = linear_of(&l->products[PRODUCT_OUTPUT]);
    for (size_t i = 0; i < count; i++) {
        struct product product = product_of(w, &l->products[PRODUCT_OUTPUT], i, count);
        kernels->add_norm(x + i * h, &product, h, &linear, &l->after_output);
    }
    return true;
}

static bool run_layer(struct encoder_worker *w, size_t layer, size_t tokens, struct error *e)
{
    bool ok = true;
    for (size_t first = 0; ok && first < tokens; first += BLOCK)
        ok = make_heads(w, layer, first, tokens - first < BLOCK ? tokens - first : BLOCK, tokens, e);
    ok = ok && attend(w, tokens, e);
    for (size_t first = 0; ok && first < tokens; first += BLOCK)
        ok = finish_block(w, layer, first, tokens - first < BLOCK ? tokens - first : BLOCK, e);
    return ok;
}

/* ---- the heads -------------------------------------------------------------------------------------------------------- */

static float dot(const float *a, const float *b, size_t n)
{
    float sums[8] = {0}, sum = 0;
    for (size_t i = 0; i < n; i += 8) {
        for (size_t j = 0; j < 8; j++)
            sums[j] += a[i + j] * b[i + j];
    }
    for (size_t j = 0; j < 8; j++)
        sum += sums[j];
    return sum;
}

/* Turns every field's three vectors into columns of a matrix in panels. */
static void make_field_panels(struct encoder_worker *w, size_t fields)
{
    const struct encoder *encoder = w->encoder;
    size_t h = encoder->hidden;
    for (size_t column = 0; column < fields * CHANNELS; column++) {
        const float *vector = w->field_vectors + column * h, *bias = encoder->fold_bias + column % CHANNELS * h;
        float *panel = w->field_panels + column / KERNEL_LANES * KERNEL_LANES * h + column % KERNEL_LANES;
        for (size_t i = 0; i < h; i++)
            panel[i * KERNEL_LANES] = vector[i] + bias[i];
    }
}

static void score_spans(struct encoder_worker *w, const struct window *window, struct scores *out)
{
    const struct encoder *encoder = w->encoder;
    size_t h = encoder->hidden, stride = ENCODER_MAX_TOKENS, columns = rounded(window->fields * CHANNELS, KERNEL_LANES);
    for (size_t f = 0; f < window->fields; f++)
        memcpy(w->field_states + f * h, w->x + window->markers[f] * h, h * sizeof(float));
    encoder->kernels->multiply(w->field_vectors, w->field_states, window->fields, encoder->fold, CHANNELS * h / KERNEL_LANES, h);
    make_field_panels(w, window->fields);
    encoder->kernels->multiply(w->token_scores, w->x + window->head * h, window->tokens, w->field_panels, columns / KERNEL_LANES,
                               h);
    for (size_t f = 0; f < window->fields; f++) {
        const float *state = w->field_states + f * h;
        for (size_t c = 0; c < CHANNELS; c++) {
            float constant = dot(state, encoder->extras + c * h, h) + encoder->extras_bias[c];
            float *row = w->span + (CHANNELS * f + c) * stride;
            for (size_t t = 0; t < window->tokens; t++)
                row[t] = w->token_scores[t * columns + CHANNELS * f + c] + constant;
        }
        for (size_t c = 0; c < 2; c++)
            w->null[2 * f + c] = dot(state, encoder->extras + (CHANNELS + c) * h, h) + encoder->extras_bias[CHANNELS + c];
    }
    *out = (struct scores){w->span, stride, w->null, w->option};
}

/* No value begins or ends with a break. */
static void silence_breaks(struct encoder_worker *w, const struct window *window)
{
    for (size_t t = 0; t < window->tokens; t++) {
        if (!is_break(window->ids[window->head + t]))
            continue;
        for (size_t f = 0; f < window->fields; f++) {
            float *start = w->span + CHANNELS * f * ENCODER_MAX_TOKENS + t;
            start[0] = start[ENCODER_MAX_TOKENS] = never;
        }
    }
}

static bool check_window(const struct encoder *encoder, const struct window *window, struct error *e)
{
    size_t most = encoder->positions < ENCODER_MAX_TOKENS ? encoder->positions : ENCODER_MAX_TOKENS;
    bool ok = window->length > 0 && window->length <= most && window->head <= window->length && window->fields > 0 &&
              window->tokens <= window->length - window->head && window->fields <= ENCODER_MAX_FIELDS &&
              window->option_count <= ENCODER_MAX_OPTIONS && (window->option_count == 0 || encoder->option);
    for (size_t i = 0; ok && i < window->length; i++)
        ok = window->ids[i] >= 0 && (size_t)window->ids[i] < encoder->vocabulary;
    for (size_t i = 0; ok && i < window->fields; i++)
        ok = window->markers[i] < window->length;
    for (size_t i = 0; ok && i < window->option_count; i++)
        ok = window->options[i] < window->length;
    return ok || error_set(e, ERR_INTERNAL, "", "The engine was handed a window that does not fit its model.");
}

bool encoder_run(struct encoder_worker *w, const struct window *window, struct scores *scores, struct error *e)
{
    const struct encoder *encoder = w->encoder;
    if (!check_window(encoder, window, e))
        return false;
    embed(w, window);
    if (encoder->bfloat)
        clear_padding(w, window->length);
    for (size_t layer = 0; layer < encoder->layer_count; layer++) {
        if (!run_layer(w, layer, window->length, e))
            return false;
    }
    for (size_t i = 0; i < window->option_count; i++)
        w->option[i] = dot(w->x + window->options[i] * encoder->hidden, encoder->option, encoder->hidden) +
                       encoder->option_bias[0];
    score_spans(w, window, scores);
    silence_breaks(w, window);
    return true;
}

/* ---- the yardstick ---------------------------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The best rate of one product shape within `seconds`, if it is better than *rate. */
static bool measure(struct matmuls *matmuls, struct matmul_thread *thread, size_t m, size_t n, size_t k, double seconds,
                    double *rate, struct error *e)
{
    struct matmul_shape shape = {MATMUL_BYTES, m, n, k, k, n, 0, 0};
    int8_t *b = aligned(n * k);
    uint8_t *a = aligned(m * k);
    int32_t *c = aligned(m * n * sizeof *c);
    for (size_t i = 0; b && i < n * k; i++)
        b[i] = (int8_t)(i * 2654435761U >> 24); /* full range: none of the shortcuts that small weights allow */
    struct packed *packed = a && b && c ? packed_open(matmuls, b, n, k, e) : NULL;
    struct matmul *matmul = packed ? matmul_open(matmuls, &shape, packed, e) : NULL;
    struct matmul_call *call = matmul ? matmul_call_open(thread, matmul, e) : NULL;
    void *scratch = call ? aligned(matmul_scratch(matmul)) : NULL;
    bool ok = scratch != NULL;
    size_t turns = 1 + (size_t)(2e9 / (2.0 * (double)m * (double)n * (double)k));
    for (double end = now() + seconds; ok && now() < end;) {
        double start = now();
        for (size_t i = 0; ok && i < turns; i++)
            ok = matmul_run(call, a, NULL, packed, c, scratch);
        double found = 2.0 * (double)m * (double)n * (double)k * (double)turns / (now() - start);
        *rate = found > *rate ? found : *rate;
    }
    matmul_call_close(call);
    matmul_close(matmul);
    packed_close(packed);
    free(scratch);
    free(a);
    free(b);
    free(c);
    return ok;
}

static bool measure_library(bool library_only, double seconds, double *rate, struct error *e)
{
    static const size_t sizes[][3] = {{64, 1536, 384}, {128, 1024, 1024}, {256, 1024, 1024}, {1024, 1024, 1024}};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    struct matmuls *matmuls = matmuls_open(library_only, e);
    struct matmul_thread *thread = matmuls ? matmul_thread_open(matmuls, e) : NULL;
    bool ok = thread != NULL;
    for (size_t i = 0; ok && i < SIZES; i++)
        ok = measure(matmuls, thread, sizes[i][0], sizes[i][1], sizes[i][2], seconds / SIZES, rate, e);
    matmul_thread_close(thread);
    matmuls_close(matmuls);
    return ok;
}

bool encoder_peak(double seconds, double *rate, struct error *e)
{
    *rate = 0;
    matmul_thread_start();
    return measure_library(true, seconds / 2, rate, e) && measure_library(false, seconds / 2, rate, e);
}
