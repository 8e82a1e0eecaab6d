/* find_model.h - where the model lies. Used by local.c. */
#ifndef REFRACTR_ENGINE_FIND_MODEL_H
#define REFRACTR_ENGINE_FIND_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* The first folder that holds a config.json: `given` (then no other is tried), REFRACTR_MODEL (likewise), <data>/model where
 * data is given, beside the binary
 * in ../models/refractr-mini and models/refractr-mini, ../share/refractr/models/refractr-mini. The error names all. */
bool find_model(const char *given, const char *data, char *folder, size_t size, struct error *e) __attribute__((warn_unused_result));

#endif
