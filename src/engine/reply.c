/* reply.c - see reply.h. */
#include "engine/reply.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "engine/prompt.h"

/* ---- before a parser runs ---------------------------------------------------------------------------------------- */

/* Is no bracket nested deeper than REPLY_DEPTH_MAX? Says nothing of whether it is JSON. */
static bool is_shallow(const char *text, size_t bytes)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > REPLY_DEPTH_MAX)
                return false;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return true;
}

json_t *json_parse_shallow(const char *text, size_t bytes)
{
    json_error_t found;
    return is_shallow(text, bytes) ? json_read(text, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &found) : NULL;
}

static void end(struct reply *r, enum reply_kind kind, const char *why)
{
    r->kind = kind;
    snprintf(r->why, sizeof r->why, "%s", why);
}

/* ---- where each value stands in the text ------------------------------------------------------------------------- */

struct range { size_t from, to; };

static size_t skip_string(const char *text, size_t bytes, size_t at)
{
    for (at++; at < bytes && text[at] != '"'; at++)
        at += text[at] == '\\';
    return at < bytes ? at + 1 : bytes;
}

/* The scalars of a valid JSON text, in their order; keys left out. malloc'd; *count of them. */
static struct range *scalars_of(const char *text, size_t bytes, size_t *count)
{
    size_t room = 64;
    struct range *at = malloc(room * sizeof *at);
    *count = 0;
    for (size_t i = 0; at && i < bytes;) {
        size_t from = i;
        if (text[i] == '"') {
            i = skip_string(text, bytes, i);
            size_t next = i + strspn(text + i, " \t\r\n");
            if (next < bytes && text[next] == ':')
                continue;
        } else if (strchr("{}[],: \t\r\n", text[i])) {
            i++;
            continue;
        } else {
            i += strcspn(text + i, "{}[],: \t\r\n\"");
        }
        if (*count == room) {
            struct range *more = realloc(at, 2 * room * sizeof *at);
            if (!more)
                break; /* the rest have no sureness */
            at = more;
            room *= 2;
        }
        at[(*count)++] = (struct range){from, i};
    }
    return at;
}

/* ---- log-probabilities ------------------------------------------------------------------------------------------- */

static size_t token_bytes(const json_t *token)
{
    const json_t *bytes = json_object_get(token, "bytes");
    return json_is_array(bytes) ? json_array_size(bytes) : json_string_length(json_object_get(token, "token"));
}

/* The tokens, if together they are the message's text; else NULL. */
static const json_t *tokens_of(const json_t *choice, size_t text_bytes)
{
    const json_t *tokens = json_object_get(json_object_get(choice, "logprobs"), "content"), *token;
    size_t i, sum = 0;
    json_array_foreach(tokens, i, token) {
        if (!json_is_number(json_object_get(token, "logprob")))
            return NULL;
        sum += token_bytes(token);
    }
    return json_is_array(tokens) && sum == text_bytes ? tokens : NULL;
}

/* sure[i]: the probability of the least likely token that touches ranges[i] (moved by `offset` within the message). */
static void read_sureness(const json_t *tokens, size_t offset, const struct range *ranges, size_t count, double *sure)
{
    size_t i, at = 0, first = 0;
    const json_t *token;
    json_array_foreach(tokens, i, token) {
        size_t to = at + token_bytes(token);
        double p = exp(fmin(json_number_value(json_object_get(token, "logprob")), 0));
        while (first < count && ranges[first].to + offset <= at)
            first++;
        for (size_t n = first; n < count && ranges[n].from + offset < to; n++)
            sure[n] = sure[n] < 0 ? p : fmin(sure[n], p);
        at = to;
    }
}

/* ---- the walk over the form -------------------------------------------------------------------------------------- */

struct walk {
    const struct field *fields;
    size_t field_count;
    const bool *asked;
    const char *mark;
    struct reply *reply;
    size_t room;
    const double *sure;
    size_t scalar, scalar_count; /* how many scalars were passed */
    const char *path[REPLY_DEPTH_MAX + 1];
    size_t depth;
    bool other_mark, known_key, list_full, failed;
};

static double take_sureness(struct walk *w)
{
    double sure = w->sure && w->scalar < w->scalar_count ? w->sure[w->scalar] : -1;
    w->scalar++;
    return sure;
}

static void pass_over(struct walk *w, const json_t *value)
{
    const char *key;
    size_t i;
    json_t *member;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, member)
            pass_over(w, member);
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, member)
            pass_over(w, member);
    } else {
        w->scalar++;
    }
}

static const struct field *field_at(const struct walk *w, int parent)
{
    for (size_t i = 0; i < w->field_count; i++) {
        const struct field *f = &w->fields[i];
        size_t k = 0;
        if (f->parent != parent || f->depth != w->depth)
            continue;
        while (k < f->depth && !strcmp(f->path[k], w->path[k]))
            k++;
        if (k == f->depth && w->asked[parent < 0 ? i : (size_t)parent])
            return f;
    }
    return NULL;
}

static void say(struct walk *w, const struct field *field, size_t row, json_t *value)
{
    struct reply *r = w->reply;
    if (w->mark && json_is_string(value) && !strcmp(json_string_value(value), w->mark))
        value = json_null(); /* the mark is ours and stands in no document */
    struct said said = {(uint32_t)(field - w->fields), (int32_t)row, value, take_sureness(w)};
    if (r->count == REPLY_SAID_MAX) {
        w->list_full = true;
        return;
    }
    if (r->count == w->room) {
        size_t room = w->room ? 2 * w->room : 64;
        struct said *more = realloc(r->said, room * sizeof *more);
        if (!more) {
            w->failed = true;
            return;
        }
        r->said = more;
        w->room = room;
    }
    r->said[r->count++] = said;
}

static bool is_scalar(const json_t *value) { return value && !json_is_object(value) && !json_is_array(value); }
static bool is_list(const struct field *f) { return f->kind == FIELD_LIST || f->kind == FIELD_ENUM_LIST; }

static void walk_record(struct walk *w, const struct field *records, size_t row, json_t *value)
{
    const char *key;
    json_t *member;
    if (!json_is_object(value)) {
        pass_over(w, value);
        return;
    }
    json_object_foreach(value, key, member) {
        w->path[w->depth++] = key;
        const struct field *field = field_at(w, (int)(records - w->fields));
        if (field && is_scalar(member))
            say(w, field, row, member);
        else
            pass_over(w, member);
        w->depth--;
    }
}

static void walk_list(struct walk *w, const struct field *field, json_t *array)
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item) {
        if (field && field->kind == FIELD_RECORDS)
            walk_record(w, field, i, item);
        else if (field && is_scalar(item) && (is_list(field) || i == 0))
            say(w, field, i, item);
        else
            pass_over(w, item);
    }
    w->list_full = w->list_full || (field && json_array_size(array) >= PROMPT_LIST_MAX);
}

static void walk_object(struct walk *w, json_t *object);

static void walk_member(struct walk *w, json_t *value)
{
    const struct field *field = field_at(w, -1);
    bool check = w->depth == 1 && !strcmp(w->path[0], PROMPT_CHECK_KEY);
    w->known_key = w->known_key || field != NULL;
    if (check && w->mark && json_is_string(value)) {
        w->reply->marked = !strcmp(json_string_value(value), w->mark);
        w->other_mark = !w->reply->marked;
    }
    if (json_is_object(value) && (!field || field->kind == FIELD_RECORDS) && w->depth < REPLY_DEPTH_MAX) {
        if (field)
            walk_record(w, field, 0, value);
        else
            walk_object(w, value);
    } else if (json_is_array(value)) {
        walk_list(w, field, value);
    } else if (field && field->kind != FIELD_RECORDS && is_scalar(value) && !(is_list(field) && json_is_null(value))) {
        say(w, field, 0, value);
    } else {
        pass_over(w, value);
    }
}

static void walk_object(struct walk *w, json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        w->path[w->depth++] = key;
        walk_member(w, value);
        w->depth--;
    }
}

/* ---- the two layers ---------------------------------------------------------------------------------------------- */

/* The form within the message: behind a model's thoughts, from the first { to the last }. */
static bool form_of(const char *text, size_t bytes, struct range *form)
{
    static const char thoughts_end[] = "</think>";
    const char *thoughts = memmem(text, bytes, thoughts_end, sizeof thoughts_end - 1);
    const char *from = thoughts ? thoughts + sizeof thoughts_end - 1 : text;
    from = memchr(from, '{', bytes - (size_t)(from - text));
    const char *to = memrchr(text, '}', bytes);
    if (!from || !to || to < from)
        return false;
    *form = (struct range){(size_t)(from - text), (size_t)(to - text) + 1};
    return true;
}

static void read_form(struct reply *r, const char *text, struct range form, const json_t *tokens, struct walk *w)
{
    const char *json = text + form.from;
    size_t bytes = form.to - form.from, count = 0;
    struct range *ranges = tokens ? scalars_of(json, bytes, &count) : NULL;
    double *sure = ranges ? malloc((count + 1) * sizeof *sure) : NULL;
    for (size_t i = 0; sure && i < count; i++)
        sure[i] = -1;
    if (sure)
        read_sureness(tokens, form.from, ranges, count, sure);
    w->sure = sure;
    w->scalar_count = count;
    walk_object(w, r->root);
    free(sure);
    free(ranges);
    if (w->failed)
        end(r, REPLY_WRONG, "out of memory");
    else if (w->other_mark)
        end(r, REPLY_OTHERS, "the answer to another request");
    else if (!w->known_key)
        end(r, REPLY_WRONG, "another form than was asked for");
    else if (w->list_full)
        end(r, REPLY_CUT, "a list is as long as it may be");
}

static void read_message(struct reply *r, const json_t *choice, struct walk *w)
{
    const json_t *message = json_object_get(choice, "message"), *content = json_object_get(message, "content");
    const char *finish = json_string_value(json_object_get(choice, "finish_reason")), *text = json_string_value(content);
    size_t bytes = json_string_length(content);
    struct range form;
    if (finish && !strcmp(finish, "length")) {
        end(r, REPLY_CUT, "the model ran out of tokens");
    } else if ((finish && !strcmp(finish, "content_filter")) || json_is_string(json_object_get(message, "refusal"))) {
        end(r, REPLY_REFUSED, "the model refused");
    } else if (!text || bytes > REPLY_TEXT_MAX) {
        end(r, REPLY_WRONG, text ? "an answer too long to be one" : "no text in the answer");
    } else if (!form_of(text, bytes, &form)) {
        end(r, REPLY_REFUSED, "no JSON in the answer");
    } else {
        r->root = json_parse_shallow(text + form.from, form.to - form.from);
        if (json_is_object(r->root))
            read_form(r, text, form, tokens_of(choice, bytes), w);
        else
            end(r, REPLY_WRONG, "broken JSON in the answer");
    }
}

void reply_parse(const char *body, size_t bytes, const struct template_plan *plan, const bool *asked, const char *mark,
                 struct reply *reply)
{
    struct walk w = {.asked = asked, .mark = mark, .reply = reply};
    *reply = (struct reply){.kind = REPLY_OK};
    w.fields = template_fields(plan, &w.field_count);
    json_t *envelope = bytes <= REPLY_BYTES_MAX ? json_parse_shallow(body, bytes) : NULL;
    const json_t *choice = json_array_get(json_object_get(envelope, "choices"), 0);
    if (json_is_object(choice))
        read_message(reply, choice, &w);
    else
        end(reply, REPLY_WRONG, envelope ? "no completion in the answer" : "the answer is not JSON");
    json_decref(envelope);
}

void reply_free(struct reply *reply)
{
    free(reply->said);
    json_decref(reply->root);
    *reply = (struct reply){.kind = REPLY_WRONG};
}
