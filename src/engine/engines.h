/* engines.h - what an engine is to engine.c: a table of verbs at the start of its own struct.
 *
 * Private to engine/. Each engine's struct begins with a struct engine, so that a pointer to one is a pointer to both. */
#ifndef REFRACTR_ENGINE_ENGINES_H
#define REFRACTR_ENGINE_ENGINES_H

#include "engine/engine.h"

struct engine_verbs { /* each as in engine.h */
    void (*close)(struct engine *engine);
    bool (*submit)(struct engine *engine, const struct engine_task *task, struct error *e);
    const char *(*name)(const struct engine *engine);
    int (*slots)(const struct engine *engine);
    void (*metrics)(struct engine *engine, FILE *out); /* or NULL */
};

struct engine { const struct engine_verbs *verbs; };

struct engine *local_open(const struct engine_options *options, struct error *e) __attribute__((warn_unused_result));
struct engine *remote_open(const struct engine_options *options, struct error *e) __attribute__((warn_unused_result));
struct engine *auto_open(const struct engine_options *options, struct error *e) __attribute__((warn_unused_result));

/* Asks the pool for a part of a template: asked[i] says whether field i is wanted (copied; records' members go with their
 * parent). The answer has the whole template's shape, with nulls for what was not asked, and no warning of what is inferred. */
bool remote_submit_part(struct engine *remote, const struct engine_task *task, const bool *asked, struct error *e)
    __attribute__((warn_unused_result));

#endif
