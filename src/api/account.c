/* account.c - GET /api/v1/account/: whose key is this, what is left, what are the limits. */
#include "api/internal.h"
#include "engine/template.h"
#include "store/store.h"

static json_t *limits_json(const struct api_options *o)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "requests_per_minute", o->requests_per_minute, "polls_per_minute",
                     o->polls_per_minute, "document_chars", DOCUMENT_MAX_CHARS, "template_fields", TEMPLATE_MAX_FIELDS,
                     "template_depth", TEMPLATE_MAX_DEPTH, "body_bytes", REQUEST_BODY_MAX);
}

void handle_account(void *context, struct request *r)
{
    struct api *api = context;
    struct store_account a;
    struct error e = {0};
    if (!store_account_read(api->options.store, visit_of(r)->caller.account_id, &a, &e)) {
        request_fail(r, &e, NULL);
        return;
    }
    json_t *credits = json_pack("{s:I, s:I}", "available", (json_int_t)(a.balance - a.held), "held", (json_int_t)a.held);
    request_reply_json(r, 200, json_pack("{s:s, s:s, s:o, s:o}", "account_id", a.id, "name", a.name, "credits", credits,
                                         "limits", limits_json(&api->options)));
}
