/* fuzz_webhook_url.c - any string as a webhook's URL, any bytes as the address it leads to: what is let through is https
 * without a login, and no address of a private, local or special range. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include "fuzz.h"
#include "store/store_web.h"
#include "webhook/webhook.h"

static void check_url(const char *url)
{
    struct error e = {0};
    bool ok = webhook_url_ok(url, false, "url", &e);
    must(ok == (e.code == ERR_NONE) && (ok || e.message[0]));
    if (!ok) return;
    must(strlen(url) <= STORE_URL_CHARS && !strncmp(url, "https://", 8));
    CURLU *parsed = curl_url();
    char *part = NULL;
    must(curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK);
    must(curl_url_get(parsed, CURLUPART_SCHEME, &part, 0) == CURLUE_OK && !strcmp(part, "https"));
    curl_free(part);
    must(curl_url_get(parsed, CURLUPART_HOST, &part, 0) == CURLUE_OK && part[0]);
    curl_free(part);
    must(curl_url_get(parsed, CURLUPART_USER, &part, 0) != CURLUE_OK);
    curl_url_cleanup(parsed);
}

/* RFC 6890 in other words than address.c: by text. */
static void check_address(const uint8_t bytes[16])
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    char text[INET6_ADDRSTRLEN];
    memcpy(&v4.sin_addr, bytes, 4);
    memcpy(&v6.sin6_addr, bytes, 16);
    if (address_is_public((const struct sockaddr *)&v4)) {
        static const char *const local[] = {"0.", "10.", "127.", "169.254.", "192.168.", "224.", "239.", "240.", "255."};
        must(inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text) != NULL);
        for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) must(strncmp(text, local[i], strlen(local[i])) != 0);
        must(!(bytes[0] == 172 && bytes[1] >= 16 && bytes[1] < 32));
    }
    if (address_is_public((const struct sockaddr *)&v6)) {
        const struct in6_addr *a = &v6.sin6_addr;
        must(!IN6_IS_ADDR_LOOPBACK(a) && !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_LINKLOCAL(a));
        must(!IN6_IS_ADDR_SITELOCAL(a) && !IN6_IS_ADDR_V4MAPPED(a) && !IN6_IS_ADDR_V4COMPAT(a) && !IN6_IS_ADDR_MULTICAST(a));
        must((bytes[0] & 0xfe) != 0xfc); /* unique local */
        must(memcmp(bytes, "\x00\x64\xff\x9b", 4) != 0 && memcmp(bytes, "\x20\x02", 2) != 0); /* NAT64, 6to4 */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *url = as_text(data, size);
    check_url(url);
    free(url);
    if (size >= 16) check_address(data);
    return 0;
}
