/* account.c - GET /api/v1/account/: whose key is this, what is left, what are the limits. */
#include "api/internal.h"

void handle_account(void *context, struct request *r)
{
    (void)context;
    struct error e;
    error_set(&e, ERR_STORE_UNAVAILABLE, "", "The account cannot be read now.");
    request_fail(r, &e, NULL);
}
