/* fuzz_model_config.c - any bytes as a model's config.json: refused with an error, or a model whose every number is within
 * its bounds and with which a template can be asked in windows that fit. */
#include "engine/ask.h"
#include "engine/model.h"
#include "fuzz.h"

static const char template_text[] =
    "{\"buyer\": {\"name\": null, \"phoneNumber\": \"string\"}, \"total\": \"number\", \"paid\": \"boolean\", \"due\": \"date\","
    " \"level\": [\"low\", \"high\"], \"tags\": [[\"red\", \"green\"]], \"items\": [{\"name\": null, \"count\": \"integer\"}],"
    " \"note\": {\"$type\": \"string\", \"$description\": \"what the seller promised, in his own words\"}}";

enum { TOKENS = 3000 };

static void ask(const struct model *model)
{
    static struct tokenizer *tokenizer;
    static struct template_plan *template;
    static struct pieces scratch;
    static struct arena arena;
    static struct piece document[TOKENS];
    struct error e = {0};
    if (!tokenizer) {
        json_t *json = json_loads(template_text, 0, NULL);
        template = template_compile(json, &e);
        json_decref(json);
        tokenizer = tokenizer_open("models/refractr-mini/vocab.txt", &e);
        must(template && tokenizer);
    }
    size_t count;
    const struct field *fields = template_fields(template, &count);
    struct plan plan = {0};
    if (!plan_make(&plan, model, tokenizer, fields, count, TOKENS, &arena, &scratch, &e)) must(e.message[0]);
    for (size_t i = 0; i < plan.windows; i++) {
        static struct window window;
        const struct pass *pass;
        size_t at;
        plan_window(&plan, model, document, TOKENS, i, &window, &pass, &at);
        must(at < TOKENS && pass->head < model->window);
    }
    json_decref(plan.warnings);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {0};
    struct model model;
    bool ok = model_read(&model, as_file(data, size), &e);
    must(ok == (e.code == ERR_NONE));
    if (!ok) return 0;
    must((model.format == 1 || model.format == 2) && model.hidden % model.heads == 0);
    must(model.window <= model.positions && model.head_pieces + 32 <= model.window);
    must(model.list_threshold >= 0 && model.list_threshold <= 1);
    ask(&model);
    return 0;
}
