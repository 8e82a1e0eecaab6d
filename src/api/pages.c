/* pages.c - embedded files over HTTP: ETag and 304, gzip when asked for, and a policy that lets a page load nothing but
 * our own files. */
#include <string.h>
#include <strings.h>

#include "api/internal.h"
#include "web/assets.h"

static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                             "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
                             "frame-ancestors 'none'";

static const struct asset *asset_at(const char *path)
{
    size_t count;
    const struct asset *assets = assets_all(&count);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(assets[i].path, path)) return &assets[i];
    return NULL;
}

/* Is this ETag among the client's (RFC 9110 section 13.1.2, weak comparison)? */
static bool client_has(const char *list, const char *etag) { return list && (!strcmp(list, "*") || strstr(list, etag)); }

void handle_asset(void *context, struct request *r)
{
    (void)context;
    const struct asset *a = asset_at(request_route_path(r)); /* its route was made from its path: it is there */
    const char *accepted = request_header(r, "Accept-Encoding");
    request_add_header(r, "ETag", "%s", a->etag);
    request_add_header(r, "Vary", "Accept-Encoding");
    request_add_header(r, "Cache-Control", "no-cache"); /* keep it, but ask with the ETag before each use */
    request_add_header(r, "Content-Security-Policy", "%s", policy);
    request_add_header(r, "X-Frame-Options", "DENY");
    request_add_header(r, "Referrer-Policy", "same-origin");
    if (client_has(request_header(r, "If-None-Match"), a->etag)) {
        request_reply(r, 304, NULL, "", 0, NULL);
    } else if (a->gzip && accepted && strcasestr(accepted, "gzip")) {
        request_add_header(r, "Content-Encoding", "gzip");
        request_reply(r, 200, a->content_type, a->gzip, a->gzip_bytes, NULL);
    } else {
        request_reply(r, 200, a->content_type, (void *)(size_t)a->data, (size_t)(a->end - a->data), NULL);
    }
}
