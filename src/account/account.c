/* account.c - signing in and out, sessions, one-time links, passwords. Throttling is in throttle.c. */
#include "account/account.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <account/common_passwords.h> /* made by tools/common_passwords.py: COMMON_PASSWORDS, sorted */

#include "account/throttle.h"
#include "base/clock.h"
#include "base/log.h"

enum { TOKEN_BYTES = 32, TRIES_WINDOW_S = 900, CLIENT_FACTOR = 5, SIGNUPS_PER_CLIENT = 10 };

#define SESSION_MS (SESSION_DAYS * MS_PER_DAY)
#define TOUCH_EVERY_MS INT64_C(3600000)

struct account {
    struct store *store;
    struct account_options options;
    /* Tables of their own: names of clients are cheap to make, but nobody can fill `emails` and so push an address' tries
     * out within their window, because each new name there costs a hash on the one thread that makes them. */
    struct throttle *clients, *emails;
    char no_password[crypto_pwhash_STRBYTES]; /* checked for unknown addresses, so that they take the same time */
};

struct account *account_open(struct store *store, const struct account_options *options, struct error *e)
{
    struct account *a = calloc(1, sizeof *a);
    if (!a || !(a->clients = throttle_open()) || !(a->emails = throttle_open())) {
        account_close(a);
        return error_set(e, ERR_INTERNAL, "", "out of memory"), NULL;
    }
    a->store = store;
    a->options = *options;
    if (a->options.signin_tries <= 0) a->options.signin_tries = 10;
    return a;
}

void account_close(struct account *a)
{
    if (!a) return;
    throttle_close(a->clients);
    throttle_close(a->emails);
    free(a);
}

/* ---- tokens -------------------------------------------------------------------------------------------------------- */

static void to_base64(const unsigned char bytes[TOKEN_BYTES], char token[TOKEN_CHARS + 1])
{
    sodium_bin2base64(token, TOKEN_CHARS + 1, bytes, TOKEN_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void token_make(char token[TOKEN_CHARS + 1])
{
    unsigned char bytes[TOKEN_BYTES];
    randombytes_buf(bytes, sizeof bytes);
    to_base64(bytes, token);
}

bool token_well_formed(const char *token)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return token && strnlen(token, TOKEN_CHARS + 1) == TOKEN_CHARS && strspn(token, digits) == TOKEN_CHARS;
}

void token_hash(const char *token, unsigned char hash[STORE_HASH_BYTES])
{
    crypto_hash_sha256(hash, (const unsigned char *)token, TOKEN_CHARS);
}

void token_csrf(const char *cookie, char csrf[TOKEN_CHARS + 1])
{
    static const unsigned char purpose[] = "csrf";
    crypto_auth_hmacsha256_state state;
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)cookie, TOKEN_CHARS);
    crypto_auth_hmacsha256_update(&state, purpose, sizeof purpose - 1);
    crypto_auth_hmacsha256_final(&state, mac);
    to_base64(mac, csrf);
}

bool token_csrf_ok(const char *cookie, const char *given)
{
    char expected[TOKEN_CHARS + 1];
    if (!given || strnlen(given, TOKEN_CHARS + 1) != TOKEN_CHARS) return false;
    token_csrf(cookie, expected);
    return sodium_memcmp(expected, given, TOKEN_CHARS) == 0;
}

/* ---- sessions ------------------------------------------------------------------------------------------------------ */

static void touch_done(struct store_write *write)
{
    if (!write->ok) log_warn(NULL, "account: a session was not prolonged", LOG_STR("error", write->error.message));
    free(write);
}

static void touch(struct account *a, const struct store_session *session)
{
    struct store_session_touch *w = calloc(1, sizeof *w);
    if (!w) return;
    *w = (struct store_session_touch){.write = {.verb = STORE_SESSION_TOUCH, .done = touch_done},
                                      .session_id = session->id,
                                      .seen_ms = session->now_ms,
                                      .expires_ms = session->now_ms + SESSION_MS};
    store_post(a->store, &w->write);
}

bool account_session(struct account *a, const char *cookie, struct store_session *session, struct error *e)
{
    *session = (struct store_session){.read = {STORE_READ_SESSION}, .now_ms = clock_wall_ms()};
    bool found = false;
    if (token_well_formed(cookie)) {
        token_hash(cookie, session->hash);
        found = store_read(a->store, &session->read, e);
        if (!found && e->code != ERR_NOT_FOUND) return false;
    }
    if (!found) return error_set(e, ERR_NOT_SIGNED_IN, "", "nobody is signed in; sign in at /dashboard/");
    if (session->now_ms - session->seen_ms > TOUCH_EVERY_MS) touch(a, session);
    return true;
}

static bool open_session(struct account *a, int64_t user_id, const unsigned char *link, char cookie[TOKEN_CHARS + 1],
                         struct error *e)
{
    int64_t now = clock_wall_ms();
    struct store_session_open w = {.write = {.verb = STORE_SESSION_OPEN},
                                   .user_id = user_id,
                                   .link = link,
                                   .now_ms = now,
                                   .expires_ms = now + SESSION_MS};
    token_make(cookie);
    token_hash(cookie, w.hash);
    return store_write_wait(a->store, &w.write, e);
}

bool account_sign_out(struct account *a, int64_t session_id, struct error *e)
{
    struct store_session_close w = {.write = {.verb = STORE_SESSION_CLOSE}, .session_id = session_id};
    return store_write_wait(a->store, &w.write, e);
}

/* ---- e-mail addresses and passwords ---------------------------------------------------------------------------------- */

/* Lower case, without blanks around. False: not the form of an address. What lies behind the @ is for the mail to find out. */
static bool read_email(const char *given, char email[STORE_EMAIL_CHARS + 1], struct error *e)
{
    const char *at = given + strspn(given, " ");
    size_t n = strcspn(at, " ");
    bool ok = n >= 3 && n <= STORE_EMAIL_CHARS && at[n + strspn(at + n, " ")] == '\0';
    for (size_t i = 0; ok && i < n; i++) {
        ok = (unsigned char)at[i] > 0x20 && at[i] != 0x7f;
        email[i] = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] + ('a' - 'A')) : at[i];
    }
    if (ok) email[n] = '\0';
    char *sign = ok ? strchr(email, '@') : NULL;
    if (sign && sign != email && sign[1] && !strchr(sign + 1, '@')) return true;
    return error_set(e, ERR_INVALID_VALUE, "email", "email must be an e-mail address of at most %d bytes", STORE_EMAIL_CHARS);
}

static int compare_passwords(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static bool is_common(const char *password)
{
    static const char *const common[] = {COMMON_PASSWORDS};
    return bsearch(&password, common, sizeof common / sizeof common[0], sizeof common[0], compare_passwords) != NULL;
}

static bool hash_password(const char *password, char hash[crypto_pwhash_STRBYTES], struct error *e)
{
    size_t n = strlen(password);
    if (n < PASSWORD_MIN || n > PASSWORD_MAX) {
        return error_set(e, ERR_INVALID_VALUE, "password", "a password must have %d to %d bytes, but has %zu", PASSWORD_MIN,
                         PASSWORD_MAX, n);
    }
    if (is_common(password)) {
        return error_set(e, ERR_INVALID_VALUE, "password", "this password is among the most common ones, which are tried "
                         "first by whoever guesses; choose another, a few words in a row for example");
    }
    if (crypto_pwhash_str(hash, password, n, crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0)
        return true;
    return error_set(e, ERR_INTERNAL, "", "there is no memory to hash the password; try again");
}

/* False: `e` is ERR_INVALID_CREDENTIALS (for the caller to put into words), or there was no memory to tell. */
static bool password_matches(struct account *a, const char *hash, const char *password, struct error *e)
{
    bool known = hash && *hash;
    if (!known && !a->no_password[0] && /* made once, when first needed, on the only thread that checks passwords */
        crypto_pwhash_str(a->no_password, "", 0, crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE)) {
        a->no_password[0] = '\0';
        return error_set(e, ERR_INTERNAL, "", "there is no memory to check the password; try again");
    }
    size_t n = strnlen(password, PASSWORD_MAX + 1);
    errno = 0;
    bool same = crypto_pwhash_str_verify(known ? hash : a->no_password, password, n) == 0;
    if (!same && errno != EINVAL) /* libsodium's word for: computed, and another */
        return error_set(e, ERR_INTERNAL, "", "there is no memory to check the password; try again");
    return (known && n <= PASSWORD_MAX && same) || error_set(e, ERR_INVALID_CREDENTIALS, "", "wrong password");
}

bool account_throttle(struct account *a, const char *what, const char *client, int limit, int window_s, struct error *e)
{
    char network[THROTTLE_NETWORK_CHARS + 1];
    throttle_network(client, network);
    return throttle_count(a->clients, what, network, limit, window_s, e);
}

static void forgive_client(struct account *a, const char *what, const char *client)
{
    char network[THROTTLE_NETWORK_CHARS + 1];
    throttle_network(client, network);
    throttle_forgive(a->clients, what, network);
}

static bool count_try(struct account *a, const char *email, const char *client, struct error *e)
{
    int tries = a->options.signin_tries;
    return account_throttle(a, "signin", client, tries * CLIENT_FACTOR, TRIES_WINDOW_S, e) &&
           throttle_count(a->emails, "signin", email, tries, TRIES_WINDOW_S, e);
}

static void forgive_try(struct account *a, const char *email, const char *client)
{
    throttle_forgive(a->emails, "signin", email);
    forgive_client(a, "signin", client);
}

bool account_sign_in(struct account *a, const char *given, const char *password, const char *client,
                     char cookie[TOKEN_CHARS + 1], struct error *e)
{
    char email[STORE_EMAIL_CHARS + 1];
    struct store_user_by_email q = {.read = {STORE_READ_USER_BY_EMAIL}, .email = email};
    if (!read_email(given, email, e) || !count_try(a, email, client, e)) return false;
    bool known = store_read(a->store, &q.read, e);
    if (!known && e->code != ERR_NOT_FOUND) return false;
    if (!password_matches(a, known ? q.password_hash : NULL, password, e)) {
        if (e->code != ERR_INVALID_CREDENTIALS) return false;
        return error_set(e, ERR_INVALID_CREDENTIALS, "", "e-mail address and password do not match");
    }
    forgive_try(a, email, client);
    return open_session(a, q.user_id, NULL, cookie, e);
}

bool account_sign_up(struct account *a, const char *given, const char *password, const char *name, const char *client,
                     char cookie[TOKEN_CHARS + 1], struct error *e)
{
    char email[STORE_EMAIL_CHARS + 1], hash[crypto_pwhash_STRBYTES];
    if (!a->options.signup) return error_set(e, ERR_SIGNUP_CLOSED, "", "accounts are given out by the operator");
    if (!read_email(given, email, e)) return false;
    size_t n = strlen(name);
    if (n == 0 || n > STORE_NAME_CHARS) {
        return error_set(e, ERR_INVALID_VALUE, "name", "name must have 1 to %d bytes, but has %zu", STORE_NAME_CHARS, n);
    }
    if (!account_throttle(a, "signup", client, SIGNUPS_PER_CLIENT, TRIES_WINDOW_S, e)) return false;
    if (!hash_password(password, hash, e)) return false;
    struct store_signup w = {.write = {.verb = STORE_SIGNUP}, .name = name, .email = email, .password_hash = hash};
    return store_write_wait(a->store, &w.write, e) && open_session(a, w.user_id, NULL, cookie, e);
}

bool account_use_link(struct account *a, const char *token, const char *client, char cookie[TOKEN_CHARS + 1],
                      struct error *e)
{
    unsigned char hash[STORE_HASH_BYTES];
    int limit = a->options.signin_tries * CLIENT_FACTOR;
    if (!account_throttle(a, "link", client, limit, TRIES_WINDOW_S, e)) return false;
    bool ok = false;
    if (token_well_formed(token)) {
        token_hash(token, hash);
        ok = open_session(a, 0, hash, cookie, e);
        if (!ok && e->code != ERR_NOT_FOUND) return false;
    }
    if (!ok) return error_set(e, ERR_INVALID_CREDENTIALS, "token", "this sign-in link was used before or has expired");
    forgive_client(a, "link", client);
    return true;
}

static bool check_current(struct account *a, const struct store_session *session, const char *current, const char *client,
                          struct error *e)
{
    if (!session->password_hash[0]) return true;
    if (!count_try(a, session->email, client, e)) return false;
    if (!current || !password_matches(a, session->password_hash, current, e)) {
        if (current && e->code != ERR_INVALID_CREDENTIALS) return false;
        return error_set(e, ERR_INVALID_CREDENTIALS, "current_password", "current_password is not the current password");
    }
    forgive_try(a, session->email, client);
    return true;
}

bool account_set_password(struct account *a, const struct store_session *session, const char *password,
                          const char *current, const char *given_email, const char *client, char cookie[TOKEN_CHARS + 1],
                          struct error *e)
{
    char email[STORE_EMAIL_CHARS + 1] = "", hash[crypto_pwhash_STRBYTES];
    if (!check_current(a, session, current, client, e)) return false;
    if (given_email && !read_email(given_email, email, e)) return false;
    if (!session->email[0] && !email[0])
        return error_set(e, ERR_MISSING_FIELD, "email", "this account has no e-mail address yet; send one as email");
    if (!hash_password(password, hash, e)) return false;
    struct store_password_set w = {.write = {.verb = STORE_PASSWORD_SET},
                                   .user_id = session->user_id,
                                   .keep_session = session->id,
                                   .password_hash = hash,
                                   .email = session->email[0] ? NULL : email};
    return store_write_wait(a->store, &w.write, e) && open_session(a, session->user_id, NULL, cookie, e) &&
           account_sign_out(a, session->id, e);
}

/* ---- the rest -------------------------------------------------------------------------------------------------------- */

bool account_make_link(struct store *store, const char *account_id, const char *given, char token[TOKEN_CHARS + 1],
                       struct error *e)
{
    char email[STORE_EMAIL_CHARS + 1];
    if (given && !read_email(given, email, e)) return false;
    struct store_link_create w = {.write = {.verb = STORE_LINK_CREATE},
                                  .account_id = account_id,
                                  .email = given ? email : NULL,
                                  .expires_ms = clock_wall_ms() + LINK_HOURS * INT64_C(3600000)};
    token_make(token);
    token_hash(token, w.hash);
    return store_write_wait(store, &w.write, e);
}
