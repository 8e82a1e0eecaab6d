/* prompt.h - a template and a piece of a document as the body of POST /v1/chat/completions.
 *
 * The document is data. It stands between two lines with a mark made from its own hash, so that it cannot hold the line that
 * would end it; and what a server's tokenizer would take for the end of a message (<|im_end|>, </s>, [/INST], ...) is broken
 * by a space behind the < or [. The answer is asked for as a JSON schema made from the template: whatever the document says,
 * the model can only fill in the form, and whatever the model says is checked again (reply.h, ground.h).
 *
 * Every leaf but a choice and a boolean is asked for as the document's own words; what they mean is read here (values.h).
 * Pure functions. Called by remote.c. */
#ifndef REFRACTR_ENGINE_PROMPT_H
#define REFRACTR_ENGINE_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/template.h"

enum prompt_family {
    PROMPT_CHAT,      /* instructions in words: any chat model */
    PROMPT_NUEXTRACT, /* "# Template:", "# Context:": what NuExtract was trained on; no words beside */
};

enum {
    PROMPT_MARK_CHARS = 12,
    PROMPT_LIST_MAX = 100,  /* items that the schema lets a list have */
    PROMPT_FIXED_TOKENS = 300, /* of a prompt without template and document */
};
#define PROMPT_CHECK_KEY "$check" /* first member of the form; no key of a template begins with $ */

struct prompt {
    enum prompt_family family;
    const char *model;
    const struct template_plan *plan;
    const bool *asked;     /* [fields]; members of records go with their parent */
    const char *text;      /* the piece of the document */
    size_t bytes;
    int max_tokens;
    bool guided_json;      /* vLLM's own way to say it, beside response_format */
    char mark[PROMPT_MARK_CHARS + 1]; /* by prompt_mark */
};

/* A mark that text[0..bytes) does not hold; the same text gives the same mark. */
void prompt_mark(const char *text, size_t bytes, char mark[PROMPT_MARK_CHARS + 1]);
/* malloc'd; NULL: out of memory. */
char *prompt_body(const struct prompt *prompt) __attribute__((warn_unused_result));
/* What field i takes of a prompt, in bytes: an upper estimate. */
size_t prompt_field_bytes(const struct field *field);
/* "chat", "nuextract"; "auto": by the model's name. False: no such family. */
bool prompt_family_parse(const char *name, const char *model, enum prompt_family *family) __attribute__((warn_unused_result));

#endif
