/* webhook.h - tells customers' servers that a job has ended: Standard Webhooks (github.com/standard-webhooks).
 *
 * A delivery is queued in the store by the very transaction that ends its job. One thread here takes those whose time has
 * come, up to 32 at once, 8 of one account, and writes down what became of each. Body:
 *     {"type": "job.succeeded" | "job.failed" | "test", "timestamp": "...", "data": <what polling the job answers>}
 * Headers webhook-id (the same for every attempt), webhook-timestamp, webhook-signature ("v1," + base64 HMAC-SHA256 over
 * "id.timestamp.body"). Any 2xx is success, 410 switches the endpoint off, all else is tried again after the configured
 * waits. Redirects are not followed, answers are read up to 64 KiB and dropped, an attempt has 10 s.
 *
 * Addresses: a name is resolved once per attempt and the very address that is connected to is checked, so a name that
 * changes its mind (DNS rebinding) gains nothing. Private, loopback, link-local and other special ranges are refused, and
 * plain http, unless allow_private is set. Opened by cli/serve.c. */
#ifndef REFRACTR_WEBHOOK_WEBHOOK_H
#define REFRACTR_WEBHOOK_WEBHOOK_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"

struct store;
struct webhooks;

enum { WEBHOOK_RETRIES_MAX = 16, WEBHOOK_SECRET_CHARS = 50, WEBHOOK_ENDPOINTS_MAX = 10 };

struct webhooks_options {
    bool allow_private;
    const char *retries;  /* waits in seconds: "5,300,1800"; NULL: over a day */
    const char *docs_url; /* of doc_url in a failed job's error; NULL: "/docs/" */
};

struct webhooks *webhooks_open(struct store *store, const struct webhooks_options *options, struct error *e)
    __attribute__((warn_unused_result));
void webhooks_close(struct webhooks *webhooks); /* attempts under way are dropped and made again at the next start */

/* A URL an event may be sent to, by its form? `param` names the member at fault. */
bool webhook_url_ok(const char *url, bool allow_private, const char *param, struct error *e)
    __attribute__((warn_unused_result));
/* Waits as webhooks_options.retries has them? */
bool webhook_retries_ok(const char *retries, struct error *e) __attribute__((warn_unused_result));
/* "whsec_" + base64 of the 32 bytes. */
void webhook_secret_text(const unsigned char secret[32], char out[WEBHOOK_SECRET_CHARS + 1]);

/* address.c: may a public service connect to it? */
bool address_is_public(const struct sockaddr *address);

#endif
