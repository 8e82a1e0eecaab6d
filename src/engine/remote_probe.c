/* remote_probe.c - see remote_probe.h. */
#include "engine/remote_probe.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum {
    CONTEXT_UNTOLD = 4096,
    CONTEXT_LEAST = 512,
    ANSWER_LEAST = 256,
    ANSWER_MOST = 4096,
    LOOK_MS = 5000,
    LISTING_BYTES = 1024 * 1024,
    CANARY_TOKENS = 200,
};

int remote_answer_tokens(size_t context)
{
    size_t quarter = context / 4;
    return quarter < ANSWER_LEAST ? ANSWER_LEAST : quarter > ANSWER_MOST ? ANSWER_MOST : (int)quarter;
}

/* ---- one question ------------------------------------------------------------------------------------------------ */

/* A 4xx that says the prompt does not fit; servers have no common code for it. */
static bool says_too_long(const struct http_answer *a)
{
    if (a->status == 413)
        return true;
    return a->status == 400 && a->bytes && (strcasestr(a->bytes, "context length") || strcasestr(a->bytes, "context size") ||
                                            strcasestr(a->bytes, "exceed_context"));
}

static enum outcome outcome_of_status(long status)
{
    if (status == 429)
        return OUTCOME_BUSY;
    return status == 400 || status == 413 || status == 422 ? OUTCOME_NEUTRAL : OUTCOME_FAILED;
}

static enum outcome outcome_of_reply(const struct reply *reply)
{
    static const enum outcome outcomes[] = {
        [REPLY_OK] = OUTCOME_OK, [REPLY_CUT] = OUTCOME_OK, [REPLY_REFUSED] = OUTCOME_BAD, [REPLY_WRONG] = OUTCOME_BAD,
        [REPLY_OTHERS] = OUTCOME_FAILED};
    return outcomes[reply->kind];
}

static void take_answer(const struct http_answer *a, const struct asking *asking, const char *mark, struct told *told)
{
    struct reply *reply = &told->reply;
    if (a->status != 200) {
        told->outcome = outcome_of_status(a->status);
        told->too_long = says_too_long(a);
        told->pause_s = a->retry_after_s;
        return;
    }
    reply_parse(a->bytes ? a->bytes : "", a->size, asking->plan, asking->asked, mark, reply);
    if (reply->kind == REPLY_OK && asking->traits->marks && !reply->marked)
        reply->kind = REPLY_OTHERS;
    if (reply->kind == REPLY_OTHERS)
        log_error(NULL, "upstream: the answer to another request", LOG_STR("url", asking->url));
    told->outcome = outcome_of_reply(reply);
    told->too_long = reply->kind == REPLY_CUT;
    snprintf(told->why, sizeof told->why, "%s", reply->why);
}

void remote_ask(struct http *http, const struct remote_settings *settings, const struct asking *asking, struct told *told)
{
    struct prompt prompt = {.model = asking->traits->model,
                            .plan = asking->plan,
                            .asked = asking->asked,
                            .text = asking->text,
                            .bytes = asking->bytes,
                            .max_tokens = asking->max_tokens,
                            .guided_json = asking->traits->guided_json};
    *told = (struct told){.outcome = OUTCOME_NEUTRAL, .pause_s = -1, .reply.kind = REPLY_WRONG};
    bool known = prompt_family_parse(settings->prompt, prompt.model, &prompt.family);
    prompt_mark(prompt.text, prompt.bytes, prompt.mark);
    char *body = known ? prompt_body(&prompt) : NULL;
    if (!body) {
        snprintf(told->why, sizeof told->why, "out of memory for the request");
        return;
    }
    struct http_answer answer;
    struct http_request request = {.base = asking->url,
                                   .path = "/v1/chat/completions",
                                   .key = settings->key,
                                   .body = body,
                                   .timeout_ms = settings->timeout_ms,
                                   .bytes_max = REPLY_BYTES_MAX,
                                   .stop = asking->stop};
    bool came = http_do(http, &request, &answer);
    snprintf(told->why, sizeof told->why, "%s", answer.why);
    if (came)
        take_answer(&answer, asking, prompt.family == PROMPT_CHAT ? prompt.mark : NULL, told);
    else
        told->outcome = OUTCOME_FAILED;
    http_answer_clear(&answer);
    free(body);
}

/* ---- what is it, what can it hold -------------------------------------------------------------------------------- */

/* The JSON at `path`; NULL: there is none. `status` is 0 when nothing came. */
static json_t *get_json(struct http *http, const struct remote_settings *s, const char *url, const char *path,
                        const atomic_bool *stop, long *status, char why[UPSTREAM_WHY_CHARS])
{
    struct http_answer answer;
    struct http_request request = {.base = url,
                                   .path = path,
                                   .key = s->key,
                                   .timeout_ms = s->timeout_ms < LOOK_MS ? s->timeout_ms : LOOK_MS,
                                   .bytes_max = LISTING_BYTES,
                                   .stop = stop};
    bool came = http_do(http, &request, &answer);
    json_t *root = came && answer.status == 200 ? json_parse_shallow(answer.bytes ? answer.bytes : "", answer.size) : NULL;
    *status = answer.status;
    snprintf(why, UPSTREAM_WHY_CHARS, "%s of %s", answer.why, path);
    http_answer_clear(&answer);
    return root;
}

static size_t tokens_in(const json_t *value)
{
    json_int_t n = json_integer_value(value);
    return n >= CONTEXT_LEAST && n <= INT32_MAX ? (size_t)n : 0;
}

/* The entry of the model that is to be asked: the one named, else the first. */
static const json_t *model_entry(const json_t *listing, const char *wanted)
{
    const json_t *data = json_object_get(listing, "data"), *entry;
    size_t i;
    json_array_foreach(data, i, entry) {
        const char *id = json_string_value(json_object_get(entry, "id"));
        if (id && (!wanted || !strcmp(id, wanted)))
            return entry;
    }
    return NULL;
}

static bool find_model_name(const struct remote_settings *s, const json_t *entry, struct upstream_traits *traits,
                            char why[UPSTREAM_WHY_CHARS])
{
    const char *name = s->model ? s->model : json_string_value(json_object_get(entry, "id"));
    if (name && strlen(name) <= UPSTREAM_MODEL_CHARS) {
        snprintf(traits->model, sizeof traits->model, "%s", name);
        return true;
    }
    snprintf(why, UPSTREAM_WHY_CHARS, "%s", name ? "the model's name is too long"
                                                 : "/v1/models lists no model; name one with --upstream-model");
    return false;
}

static bool discover(struct http *http, const struct remote_settings *s, const char *url, const atomic_bool *stop,
                     struct upstream_traits *traits, char why[UPSTREAM_WHY_CHARS])
{
    long status;
    json_t *listing = get_json(http, s, url, "/v1/models", stop, &status, why), *props = NULL;
    const json_t *entry = model_entry(listing, s->model);
    const char *owner = json_string_value(json_object_get(entry, "owned_by"));
    bool ok = (listing || (status == 404 && s->model)) && find_model_name(s, entry, traits, why);
    traits->guided_json = owner && !strcmp(owner, "vllm");
    traits->context = (size_t)s->context;
    if (ok && traits->context == 0)
        traits->context = tokens_in(json_object_get(entry, "max_model_len"));
    if (ok && traits->context == 0) { /* llama-server tells it there */
        char unused[UPSTREAM_WHY_CHARS];
        props = get_json(http, s, url, "/props", stop, &status, unused);
        traits->context = tokens_in(json_object_get(json_object_get(props, "default_generation_settings"), "n_ctx"));
    }
    if (traits->context == 0)
        traits->context = CONTEXT_UNTOLD;
    json_decref(props);
    json_decref(listing);
    return ok;
}

/* ---- the canary -------------------------------------------------------------------------------------------------- */

/* An invoice whose number is another each time: who answers it has read it. */
static bool sing(struct http *http, const struct remote_settings *s, const char *url, const atomic_bool *stop,
                 struct upstream_traits *traits, char why[UPSTREAM_WHY_CHARS])
{
    static const bool asked[] = {true};
    char number[16], text[160];
    snprintf(number, sizeof number, "RX-%u", 10000 + randombytes_uniform(90000));
    snprintf(text, sizeof text, "Harbour Lights Ltd.\nInvoice number: %s\nDate: 15 January 2026\nTotal: 318.50 EUR\n", number);
    int room = remote_answer_tokens(traits->context);
    struct asking asking = {.url = url,
                            .traits = traits,
                            .plan = s->canary,
                            .asked = asked,
                            .text = text,
                            .bytes = strlen(text),
                            .max_tokens = room < CANARY_TOKENS ? room : CANARY_TOKENS,
                            .stop = stop};
    struct told told;
    remote_ask(http, s, &asking, &told);
    const struct reply *reply = &told.reply;
    bool answered = told.outcome == OUTCOME_OK && reply->kind == REPLY_OK && reply->count == 1;
    const char *said = answered ? json_string_value(reply->said[0].value) : NULL;
    bool right = said && strstr(said, number);
    traits->marks = reply->marked;
    if (!right)
        snprintf(why, UPSTREAM_WHY_CHARS, "canary: %.120s", answered ? "a wrong answer" : told.why);
    reply_free(&told.reply);
    return right;
}

bool remote_probe(void *arg, const char *url, bool full, const atomic_bool *stop, struct upstream_traits *traits,
                  char why[UPSTREAM_WHY_CHARS])
{
    const struct remote_settings *s = arg;
    struct http *http = http_open();
    bool ok = false;
    long status = 0;
    if (!http) {
        snprintf(why, UPSTREAM_WHY_CHARS, "out of memory for a probe");
    } else if (full) {
        ok = discover(http, s, url, stop, traits, why) && sing(http, s, url, stop, traits, why);
    } else {
        json_decref(get_json(http, s, url, "/v1/models", stop, &status, why));
        ok = status == 200 || (status == 404 && s->model);
    }
    http_close(http);
    return ok;
}
