/* error.h - the one error value that travels up through every module to the client.
 *
 * A function that can fail for a reason the caller must tell somebody returns bool (true = done) and fills a
 * struct error. `code` indexes one table (error.c) that holds type, HTTP status and the anchor in /docs/; the
 * message is written where the fault is found and names the field, the limit and the value found. */
#ifndef REFRACTR_BASE_ERROR_H
#define REFRACTR_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

/* X(symbol, "code", "type", http status): codes are part of the API and never change meaning. */
#define ERROR_TABLE(X) \
    X(ERR_INVALID_JSON, "invalid_json", "invalid_request_error", 400) \
    X(ERR_DUPLICATE_KEY, "duplicate_key", "invalid_request_error", 400) \
    X(ERR_MISSING_FIELD, "missing_field", "invalid_request_error", 400) \
    X(ERR_WRONG_TYPE, "wrong_type", "invalid_request_error", 400) \
    X(ERR_UNKNOWN_FIELD, "unknown_field", "invalid_request_error", 400) \
    X(ERR_INVALID_VALUE, "invalid_value", "invalid_request_error", 400) \
    X(ERR_DOCUMENT_EMPTY, "document_empty", "invalid_request_error", 400) \
    X(ERR_DOCUMENT_TOO_LONG, "document_too_long", "invalid_request_error", 400) \
    X(ERR_TEMPLATE_INVALID, "template_invalid", "invalid_request_error", 400) \
    X(ERR_TEMPLATE_TOO_COMPLEX, "template_too_complex", "invalid_request_error", 400) \
    X(ERR_MALFORMED_REQUEST, "malformed_request", "invalid_request_error", 400) \
    X(ERR_SIGNATURE, "signature_invalid", "invalid_request_error", 400) \
    X(ERR_IDEMPOTENCY_MISMATCH, "idempotency_key_reused", "invalid_request_error", 400) \
    X(ERR_KEY_MISSING, "api_key_missing", "authentication_error", 401) \
    X(ERR_KEY_MALFORMED, "api_key_malformed", "authentication_error", 401) \
    X(ERR_KEY_INVALID, "api_key_invalid", "authentication_error", 401) \
    X(ERR_INVALID_CREDENTIALS, "invalid_credentials", "authentication_error", 401) \
    X(ERR_NOT_SIGNED_IN, "not_signed_in", "authentication_error", 401) \
    X(ERR_NO_CREDITS, "insufficient_credits", "payment_required", 402) \
    X(ERR_FORBIDDEN, "forbidden", "permission_error", 403) \
    X(ERR_CSRF, "csrf_token_invalid", "permission_error", 403) \
    X(ERR_SIGNUP_CLOSED, "signup_closed", "permission_error", 403) \
    X(ERR_NOT_FOUND, "not_found", "not_found_error", 404) \
    X(ERR_JOB_NOT_FOUND, "job_not_found", "not_found_error", 404) \
    X(ERR_METHOD_NOT_ALLOWED, "method_not_allowed", "invalid_request_error", 405) \
    X(ERR_IN_PROGRESS, "idempotent_request_in_progress", "conflict_error", 409) \
    X(ERR_BODY_TOO_LARGE, "body_too_large", "invalid_request_error", 413) \
    X(ERR_UNSUPPORTED_MEDIA, "unsupported_media_type", "invalid_request_error", 415) \
    X(ERR_RATE_LIMITED, "rate_limit_exceeded", "rate_limit_error", 429) \
    X(ERR_INTERNAL, "internal_error", "api_error", 500) \
    X(ERR_ENGINE_UNAVAILABLE, "engine_unavailable", "service_unavailable", 503) \
    X(ERR_QUEUE_FULL, "queue_full", "service_unavailable", 503) \
    X(ERR_STORE_UNAVAILABLE, "store_unavailable", "service_unavailable", 503) \
    X(ERR_PAYMENTS_UNAVAILABLE, "payments_unavailable", "service_unavailable", 503) \
    X(ERR_SHUTTING_DOWN, "shutting_down", "service_unavailable", 503) \
    X(ERR_TIMEOUT, "deadline_exceeded", "timeout_error", 504)

enum error_code {
    ERR_NONE = 0,
#define X(symbol, code, type, status) symbol,
    ERROR_TABLE(X)
#undef X
    ERR_COUNT
};

struct error {
    enum error_code code;
    char param[160];   /* dotted path of the member at fault, "" when none */
    char message[480]; /* one sentence for a person: what is wrong, the limit, what was found, what to do */
    int retry_after_s; /* > 0: becomes Retry-After */
};

/* Fills `e` (never NULL) and returns false, so that callers can `return error_set(...)`. */
bool error_set(struct error *e, enum error_code code, const char *param, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

const char *error_code_name(enum error_code code); /* "invalid_json" */
const char *error_type_name(enum error_code code); /* "invalid_request_error" */
enum error_code error_code_parse(const char *name);    /* the other way; ERR_INTERNAL for an unknown name */
int error_http_status(enum error_code code);

#endif
