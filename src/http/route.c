/* route.c - method and path -> a row of the route table. */
#include <stdio.h>
#include <string.h>

#include "http/internal.h"

/* Is `path` of the form `pattern`? "{...}" matches one part, copied to `part`; a trailing slash makes no difference. */
static bool path_matches(const char *pattern, const char *path, char *part)
{
    part[0] = 0;
    while (*pattern) {
        if (*pattern == '{') {
            size_t n = strcspn(path, "/");
            if (n == 0 || n > PART_CHARS) return false;
            memcpy(part, path, n);
            part[n] = 0;
            path += n;
            pattern += strcspn(pattern, "}") + 1;
        } else if (*pattern == *path) {
            pattern++;
            path++;
        } else {
            return !strcmp(pattern, "/") && *path == 0;
        }
    }
    return *path == 0 || (!strcmp(path, "/") && pattern[-1] != '/');
}

static bool method_matches(const char *offered, const char *asked)
{
    return !strcmp(offered, asked) || (!strcmp(asked, "HEAD") && !strcmp(offered, "GET"));
}

const struct route *route_allow(const struct server *server, const char *path, char *allow, size_t size)
{
    char part[PART_CHARS + 1];
    const struct route *found = NULL;
    size_t used = 0;
    for (size_t i = 0; i < server->route_count; i++) {
        const struct route *route = &server->routes[i];
        if (!path_matches(route->path, path, part)) continue;
        found = route;
        int n = snprintf(allow + used, size - used, "%s, ", !strcmp(route->method, "GET") ? "GET, HEAD" : route->method);
        if (n > 0 && (size_t)n < size - used) used += (size_t)n;
    }
    if (found) (void)snprintf(allow + used, size - used, "OPTIONS");
    return found;
}

const struct route *route_find(const struct server *server, const char *method, const char *path, char *part,
                               struct error *e)
{
    const struct route *other = NULL;
    for (size_t i = 0; i < server->route_count; i++) {
        const struct route *route = &server->routes[i];
        if (!path_matches(route->path, path, part)) continue;
        if (method_matches(route->method, method)) return route;
        other = route;
    }
    part[0] = 0;
    if (other)
        error_set(e, ERR_METHOD_NOT_ALLOWED, "", "%.15s is not allowed here; the Allow header names what is.", method);
    else
        error_set(e, ERR_NOT_FOUND, "", "There is nothing at this path. The API is described in /openapi.json.");
    return NULL;
}
