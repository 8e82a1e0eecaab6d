/* account.h - people: who signs in to the pages, by what, for how long. (API keys are access/'s.)
 *
 * A session is a cookie of 256 random bits; the store keeps its SHA-256. The CSRF token is an HMAC of the cookie's value,
 * so it needs no row and cannot be made without the cookie, which scripts cannot read. A visitor who is not signed in has
 * a cookie too, known to nobody but him; signing in always makes a new one, so a planted cookie gains nothing (session
 * fixation). Passwords are stored as argon2id (libsodium, interactive limits: 64 MiB, about 0.1 s each); the 3,000 most
 * common ones are refused.
 *
 * Functions marked "blocks" hash passwords or wait for a commit: never call them on the HTTP thread. Called by api/ and,
 * for links, the command line. */
#ifndef REFRACTR_ACCOUNT_ACCOUNT_H
#define REFRACTR_ACCOUNT_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/store_web.h"

struct account;

enum {
    TOKEN_CHARS = 43, /* 32 bytes in base64url */
    PASSWORD_MIN = 8, /* bytes */
    PASSWORD_MAX = 1024,
    SESSION_DAYS = 14, /* from its last use */
    LINK_HOURS = 24,
};

struct account_options {
    bool signup;        /* anybody may make an account */
    int signin_tries;   /* failed ones per e-mail address in 15 minutes; five times as many per client address. Default 10 */
};

struct account *account_open(struct store *store, const struct account_options *options, struct error *e)
    __attribute__((warn_unused_result));
void account_close(struct account *account);

/* ---- tokens: cookies, CSRF tokens, links ---- */
void token_make(char token[TOKEN_CHARS + 1]);
bool token_well_formed(const char *token);
void token_hash(const char *token, unsigned char hash[STORE_HASH_BYTES]);
void token_csrf(const char *cookie, char csrf[TOKEN_CHARS + 1]);
bool token_csrf_ok(const char *cookie, const char *given); /* constant time; `given` may be NULL */

/* ---- sessions ---- */

/* The living session of the cookie. ERR_NOT_SIGNED_IN when there is none. One indexed read. Its life is prolonged, at most
 * once an hour, by a write nobody waits for. */
bool account_session(struct account *account, const char *cookie, struct store_session *session, struct error *e)
    __attribute__((warn_unused_result));

/* All block, open a session and put its new cookie into `cookie`. `client`: the client's address, for throttling. */
bool account_sign_in(struct account *account, const char *email, const char *password, const char *client,
                     char cookie[TOKEN_CHARS + 1], struct error *e) __attribute__((warn_unused_result));
bool account_sign_up(struct account *account, const char *email, const char *password, const char *name,
                     const char *client, char cookie[TOKEN_CHARS + 1], struct error *e) __attribute__((warn_unused_result));
bool account_use_link(struct account *account, const char *token, const char *client, char cookie[TOKEN_CHARS + 1],
                      struct error *e) __attribute__((warn_unused_result));
/* Blocks. */
bool account_sign_out(struct account *account, int64_t session_id, struct error *e) __attribute__((warn_unused_result));

/* Blocks. `current` must be right where the user has a password; `email` is set where he has none yet (else NULL). Every
 * session of his ends, this one too, once a new one is open. */
bool account_set_password(struct account *account, const struct store_session *session, const char *password,
                          const char *current, const char *email, const char *client, char cookie[TOKEN_CHARS + 1],
                          struct error *e) __attribute__((warn_unused_result));

/* Is this client (its network, see throttle.h) below `limit` uses of `what` in `window_s` seconds? Counts it in. False: 429 with retry_after_s. */
bool account_throttle(struct account *account, const char *what, const char *client, int limit, int window_s,
                      struct error *e) __attribute__((warn_unused_result));

/* Blocks. A one-time sign-in link's token for the account, living LINK_HOURS; for the command line. `email` or NULL. */
bool account_make_link(struct store *store, const char *account_id, const char *email, char token[TOKEN_CHARS + 1],
                       struct error *e) __attribute__((warn_unused_result));

#endif
