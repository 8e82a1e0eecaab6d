/* matmul.c - see matmul.h. */
#include "engine/matmul.h"

#include <dlfcn.h>
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/kernels_bytes.h"

enum { DIMENSIONS = 2, PACK_ROWS = 64, LIBRARY_ROW_STEP = 16, OWN_ROW_STEP = 4 };

struct matmuls {
    dnnl_engine_t engine;
    char version[64];
    bool fast_bfloat, seven_bits, own_bytes;
};

struct packed {
    int8_t *panels;                /* ours, or NULL and: */
    dnnl_memory_t memory;
    dnnl_primitive_desc_t pattern; /* owns the layout's description */
};

struct matmul {
    struct matmul_shape own;       /* a product of ours; else m is 0 and: */
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_engine_t engine;
    size_t scratch;
};

struct matmul_thread { dnnl_stream_t stream; dnnl_engine_t engine; };

enum { ARG_A, ARG_B, ARG_C, ARG_SCRATCH, ARGS };

struct matmul_call {
    const struct matmul *matmul;
    dnnl_stream_t stream;
    dnnl_exec_arg_t args[ARGS];
};

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t layout_t;
#else
typedef const dnnl_memory_desc_t *layout_t;
#endif

static bool refuse(struct error *e, const char *what, dnnl_status_t status)
{
    return error_set(e, ERR_ENGINE_UNAVAILABLE, "", "oneDNN cannot %s on this machine (status %d).", what, (int)status);
}

/* ---- the library ---------------------------------------------------------------------------------------------------- */

static bool has_vnni(dnnl_cpu_isa_t isa)
{
    switch ((unsigned)isa) {
    case dnnl_cpu_isa_avx512_core_vnni:
    case dnnl_cpu_isa_avx512_core_bf16:
    case dnnl_cpu_isa_avx512_core_amx:
    case dnnl_cpu_isa_avx2_vnni:
#if DNNL_VERSION_MAJOR >= 3
    case dnnl_cpu_isa_avx512_core_fp16:
    case dnnl_cpu_isa_avx512_core_amx_fp16:
    case dnnl_cpu_isa_avx2_vnni_2:
#endif
        return true;
    default:
        return false;
    }
}

static bool has_bfloat(dnnl_cpu_isa_t isa)
{
    switch ((unsigned)isa) {
    case dnnl_cpu_isa_avx512_core_bf16:
    case dnnl_cpu_isa_avx512_core_amx:
#if DNNL_VERSION_MAJOR >= 3
    case dnnl_cpu_isa_avx512_core_fp16:
    case dnnl_cpu_isa_avx512_core_amx_fp16:
#endif
        return true;
    default:
        return false;
    }
}

struct matmuls *matmuls_open(bool library_only, struct error *e)
{
    struct matmuls *m = calloc(1, sizeof *m);
    if (!m) {
        error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory starting oneDNN.");
        return NULL;
    }
    dnnl_status_t status = dnnl_engine_create(&m->engine, dnnl_cpu, 0);
    if (status != dnnl_success) {
        refuse(e, "start", status);
        free(m);
        return NULL;
    }
    const dnnl_version_t *v = dnnl_version();
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
#if defined(__x86_64__)
    m->fast_bfloat = has_bfloat(isa);
    m->seven_bits = !has_vnni(isa);
    m->own_bytes = !library_only && isa == dnnl_cpu_isa_avx2;
#endif
    snprintf(m->version, sizeof m->version, "oneDNN %d.%d.%d, isa 0x%x%s%s", v->major, v->minor, v->patch, (unsigned)isa,
             m->fast_bfloat ? ", bf16" : "", m->seven_bits ? ", 7 bit" : "");
    return m;
}

void matmuls_close(struct matmuls *m)
{
    if (!m)
        return;
    dnnl_engine_destroy(m->engine);
    free(m);
}

const char *matmuls_version(const struct matmuls *m)
{
    return m->version;
}

bool matmuls_fast_bfloat(const struct matmuls *m)
{
    return m->fast_bfloat;
}

bool matmuls_seven_bits(const struct matmuls *m)
{
    return m->seven_bits;
}

size_t matmuls_row_step(const struct matmuls *m)
{
    return m->own_bytes ? OWN_ROW_STEP : LIBRARY_ROW_STEP;
}

/* ---- descriptions: everything that differs between the two APIs ------------------------------------------------------ */

struct matrices { dnnl_data_type_t a, b, c; };

static struct matrices types_of(enum matmul_kind kind)
{
    static const struct matrices types[] = {
        [MATMUL_BYTES] = {dnnl_u8, dnnl_s8, dnnl_s32},
        [MATMUL_BFLOAT] = {dnnl_bf16, dnnl_bf16, dnnl_f32},
    };
    return types[kind];
}

static dnnl_status_t describe(dnnl_primitive_desc_t *out, dnnl_engine_t engine, const struct matmul_shape *s, layout_t packed)
{
    struct matrices t = types_of(s->kind);
    dnnl_dim_t m = (dnnl_dim_t)s->m, n = (dnnl_dim_t)s->n, k = (dnnl_dim_t)s->k;
    dnnl_dims_t a = {m, k}, b = {k, n}, c = {m, n};
    dnnl_dims_t a_strides = {(dnnl_dim_t)s->a_stride, 1}, c_strides = {(dnnl_dim_t)s->c_stride, 1};
    dnnl_dims_t b_strides = {(dnnl_dim_t)s->b_rows, (dnnl_dim_t)s->b_columns};
    bool any = s->b_rows == 0 && s->b_columns == 0 && !packed;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t da = NULL, db = NULL, dc = NULL;
    if (status == dnnl_success)
        status = dnnl_memory_desc_create_with_strides(&da, DIMENSIONS, a, t.a, a_strides);
    if (status == dnnl_success && !packed)
        status = any ? dnnl_memory_desc_create_with_tag(&db, DIMENSIONS, b, t.b, dnnl_format_tag_any)
                     : dnnl_memory_desc_create_with_strides(&db, DIMENSIONS, b, t.b, b_strides);
    if (status == dnnl_success)
        status = dnnl_memory_desc_create_with_strides(&dc, DIMENSIONS, c, t.c, c_strides);
    if (status == dnnl_success)
        status = dnnl_matmul_primitive_desc_create(out, engine, da, packed ? packed : db, NULL, dc, attributes);
    dnnl_memory_desc_destroy(da);
    dnnl_memory_desc_destroy(db);
    dnnl_memory_desc_destroy(dc);
#else
    dnnl_memory_desc_t da, db, dc;
    dnnl_matmul_desc_t desc;
    if (status == dnnl_success)
        status = dnnl_memory_desc_init_by_strides(&da, DIMENSIONS, a, t.a, a_strides);
    if (status == dnnl_success && !packed)
        status = any ? dnnl_memory_desc_init_by_tag(&db, DIMENSIONS, b, t.b, dnnl_format_tag_any)
                     : dnnl_memory_desc_init_by_strides(&db, DIMENSIONS, b, t.b, b_strides);
    if (status == dnnl_success)
        status = dnnl_memory_desc_init_by_strides(&dc, DIMENSIONS, c, t.c, c_strides);
    if (status == dnnl_success)
        status = dnnl_matmul_desc_init(&desc, &da, packed ? packed : &db, NULL, &dc);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(out, &desc, attributes, engine, NULL);
#endif
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

static layout_t layout_of(dnnl_primitive_desc_t desc, dnnl_query_t what)
{
    return dnnl_primitive_desc_query_md(desc, what, 0);
}

/* ---- packed weights -------------------------------------------------------------------------------------------------- */

static dnnl_status_t reorder(struct matmuls *m, dnnl_memory_t from, dnnl_memory_t to, layout_t from_layout, layout_t to_layout)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&desc, from_layout, m->engine, to_layout, m->engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&primitive, desc);
    if (status == dnnl_success)
        status = dnnl_stream_create(&stream, m->engine, dnnl_stream_default_flags);
    if (status == dnnl_success)
        status = dnnl_primitive_execute(primitive, stream, 2, args);
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    if (stream)
        dnnl_stream_destroy(stream);
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    return status;
}

struct packed *packed_open(struct matmuls *m, const int8_t *rows, size_t n, size_t k, struct error *e)
{
    struct packed *p = calloc(1, sizeof *p);
    if (!p) {
        error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory packing the weights.");
        return NULL;
    }
    if (m->own_bytes && bytes_suits(n, k)) {
        p->panels = aligned_alloc(BYTES_ALIGN, bytes_packed_size(n, k));
        if (p->panels && bytes_pack(p->panels, rows, n, k))
            return p;
        error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory packing the weights.");
        packed_close(p);
        return NULL;
    }
    struct matmul_shape any = {MATMUL_BYTES, PACK_ROWS, n, k, k, n, 0, 0}, plain = any;
    plain.b_rows = 1;
    plain.b_columns = k;
    dnnl_primitive_desc_t source = NULL;
    dnnl_memory_t given = NULL;
    dnnl_status_t status = describe(&p->pattern, m->engine, &any, NULL);
    if (status == dnnl_success)
        status = describe(&source, m->engine, &plain, NULL);
    if (status == dnnl_success)
        status = dnnl_memory_create(&given, layout_of(source, dnnl_query_weights_md), m->engine, (void *)(uintptr_t)rows);
    if (status == dnnl_success)
        status = dnnl_memory_create(&p->memory, layout_of(p->pattern, dnnl_query_weights_md), m->engine, DNNL_MEMORY_ALLOCATE);
    if (status == dnnl_success)
        status = reorder(m, given, p->memory, layout_of(source, dnnl_query_weights_md),
                         layout_of(p->pattern, dnnl_query_weights_md));
    if (given)
        dnnl_memory_destroy(given);
    if (source)
        dnnl_primitive_desc_destroy(source);
    if (status == dnnl_success)
        return p;
    refuse(e, "pack int8 weights", status);
    packed_close(p);
    return NULL;
}

void packed_close(struct packed *p)
{
    if (!p)
        return;
    if (p->memory)
        dnnl_memory_destroy(p->memory);
    if (p->pattern)
        dnnl_primitive_desc_destroy(p->pattern);
    free(p->panels);
    free(p);
}

/* ---- one shape ------------------------------------------------------------------------------------------------------- */

struct matmul *matmul_open(struct matmuls *m, const struct matmul_shape *shape, const struct packed *packed, struct error *e)
{
    struct matmul *out = calloc(1, sizeof *out);
    if (!out) {
        error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory preparing a product.");
        return NULL;
    }
    out->engine = m->engine;
    if (packed && packed->panels) {
        out->own = *shape;
        return out;
    }
    dnnl_status_t status =
        describe(&out->desc, m->engine, shape, packed ? layout_of(packed->pattern, dnnl_query_weights_md) : NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&out->primitive, out->desc);
    if (status != dnnl_success) {
        refuse(e, "prepare a matrix product", status);
        matmul_close(out);
        return NULL;
    }
    layout_t scratch = layout_of(out->desc, dnnl_query_scratchpad_md);
    out->scratch = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
    return out;
}

void matmul_close(struct matmul *matmul)
{
    if (!matmul)
        return;
    if (matmul->primitive)
        dnnl_primitive_destroy(matmul->primitive);
    if (matmul->desc)
        dnnl_primitive_desc_destroy(matmul->desc);
    free(matmul);
}

size_t matmul_scratch(const struct matmul *matmul)
{
    return matmul->scratch;
}

/* ---- one thread ------------------------------------------------------------------------------------------------------ */

struct matmul_thread *matmul_thread_open(struct matmuls *m, struct error *e)
{
    struct matmul_thread *thread = calloc(1, sizeof *thread);
    if (!thread) {
        error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory starting an engine thread.");
        return NULL;
    }
    thread->engine = m->engine;
    dnnl_status_t status = dnnl_stream_create(&thread->stream, m->engine, dnnl_stream_default_flags);
    if (status == dnnl_success)
        return thread;
    refuse(e, "create a stream", status);
    free(thread);
    return NULL;
}

void matmul_thread_close(struct matmul_thread *thread)
{
    if (!thread)
        return;
    dnnl_stream_destroy(thread->stream);
    free(thread);
}

void matmul_thread_start(void)
{
    /* Debian's oneDNN runs on OpenMP. Looked up at run time: a oneDNN built otherwise brings no OpenMP to link to. */
    union { void *found; void (*call)(int); } set_threads = {dlsym(RTLD_DEFAULT, "omp_set_num_threads")};
    if (set_threads.found)
        set_threads.call(1);
}

struct matmul_call *matmul_call_open(struct matmul_thread *thread, const struct matmul *matmul, struct error *e)
{
    static const dnnl_query_t what[ARGS] = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md, dnnl_query_scratchpad_md};
    static const int names[ARGS] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD};
    struct matmul_call *call = calloc(1, sizeof *call);
    if (!call) {
        error_set(e, ERR_ENGINE_UNAVAILABLE, "", "Out of memory preparing a product.");
        return NULL;
    }
    call->matmul = matmul;
    call->stream = thread->stream;
    for (int i = 0; matmul->desc && i < ARGS; i++) {
        call->args[i].arg = names[i];
        dnnl_status_t status = dnnl_memory_create(&call->args[i].memory, layout_of(matmul->desc, what[i]), thread->engine,
                                                  DNNL_MEMORY_NONE);
        if (status != dnnl_success) {
            refuse(e, "prepare a product's arguments", status);
            matmul_call_close(call);
            return NULL;
        }
    }
    return call;
}

void matmul_call_close(struct matmul_call *call)
{
    for (int i = 0; call && i < ARGS; i++) {
        if (call->args[i].memory)
            dnnl_memory_destroy(call->args[i].memory);
    }
    free(call);
}

bool matmul_run(struct matmul_call *call, const void *a, const void *b, const struct packed *packed, void *c, void *scratch)
{
    const struct matmul_shape *own = &call->matmul->own;
    if (own->m) {
        bytes_multiply(a, packed->panels, c, own->m, own->n, own->k);
        return true;
    }
    dnnl_exec_arg_t args[ARGS];
    memcpy(args, call->args, sizeof args);
    bool ok = dnnl_memory_set_data_handle(args[ARG_A].memory, (void *)(uintptr_t)a) == dnnl_success &&
              dnnl_memory_set_data_handle(args[ARG_C].memory, c) == dnnl_success &&
              dnnl_memory_set_data_handle(args[ARG_SCRATCH].memory, scratch) == dnnl_success;
    if (packed)
        args[ARG_B].memory = packed->memory;
    else
        ok = ok && dnnl_memory_set_data_handle(args[ARG_B].memory, (void *)(uintptr_t)b) == dnnl_success;
    return ok && dnnl_primitive_execute(call->matmul->primitive, call->stream, ARGS, args) == dnnl_success &&
           dnnl_stream_wait(call->stream) == dnnl_success;
}
