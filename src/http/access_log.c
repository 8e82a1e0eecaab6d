/* access_log.c - one line per request. Never the document, never a key, never a query string or a header. */
#include "base/log.h"
#include "http/internal.h"

void access_log(const struct request *r, int64_t latency_ns)
{
    log_info(r->id, "request", LOG_STR("method", r->method), LOG_STR("path", r->target), LOG_INT("status", r->status),
             LOG_REAL("latency_ms", (double)latency_ns / 1e6), LOG_INT("body_bytes", (int64_t)r->received),
             LOG_STR("account_id", r->account[0] ? r->account : NULL));
}
