/* fuzz_cookie.c - any string as a Cookie header and as an X-CSRF-Token: the cookie found is a well-formed one of that
 * header, and no token but its own passes for it. */
#include "api/web.c"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *header = as_text(data, size), cookie[TOKEN_CHARS + 1], token[TOKEN_CHARS + 1];
    read_cookie(header, "refractr_session", cookie);
    must(!cookie[0] || token_well_formed(cookie));
    if (cookie[0]) {
        char pair[17 + TOKEN_CHARS + 1];
        (void)snprintf(pair, sizeof pair, "refractr_session=%s", cookie);
        must(strstr(header, pair) != NULL);
        token_csrf(cookie, token);
        must(token_well_formed(token) && token_csrf_ok(cookie, token) && !token_csrf_ok(cookie, cookie));
        must(!token_csrf_ok(cookie, NULL) && !token_csrf_ok(cookie, header));
        token[size % TOKEN_CHARS] ^= 1;
        must(!token_csrf_ok(cookie, token));
    }
    (void)token_well_formed(header);
    (void)web_number(header);
    free(header);
    return 0;
}
