/* fuzz_api_key.c - any string as an Authorization header, before a store that knows every key: let in is only "Bearer" and a
 * well-formed key, under the SHA-256 of exactly its characters. */
#define store_key_find key_of_any_hash /* in place of the store's */
#define store_post drop_write
#include "access/access.c"

#include "fuzz.h"

static unsigned char asked[KEY_HASH_BYTES];
static bool was_asked;

bool key_of_any_hash(struct store *store, const unsigned char *hash, struct store_key *out, struct error *e)
{
    (void)store, (void)e;
    memcpy(asked, hash, sizeof asked);
    was_asked = true;
    *out = (struct store_key){.id = 1, .account_id = "0196a2c4-7d1e-7a3b-9c55-1f0e2d3c4b5a", .last_used_ms = INT64_MAX / 2};
    memcpy(out->hash, hash, KEY_HASH_BYTES);
    return true;
}

void drop_write(struct store *store, struct store_write *write) { (void)store, free(write); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct access *access;
    struct error e = {0};
    if (!access) access = access_open(NULL, &(struct access_options){100, 6000}, &e);
    must(access != NULL);
    char *header = as_text(data, size);
    struct caller caller = {0};
    was_asked = false;
    access_forget(access);
    bool ok = access_authenticate(access, header, &caller, &e);
    must(ok == was_asked && ok == (e.code == ERR_NONE));
    if (ok) {
        unsigned char hash[KEY_HASH_BYTES];
        const char *key = strstr(header, "dm_");
        must(!strncasecmp(header, "bearer ", 7) && key != NULL && strlen(key) == KEY_CHARS);
        crypto_hash_sha256(hash, (const unsigned char *)key, KEY_CHARS);
        must(!memcmp(hash, asked, sizeof hash));
        must(access_authenticate(access, header, &caller, &e)); /* from the cache */
    }
    free(header);
    return 0;
}
