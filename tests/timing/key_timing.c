/* key_timing.c - does the time of a refusal tell how much of a key is right? (make timing)
 *
 * Four kinds of keys are tried in random order, as often each: `right`; `near`, which differs from the right one in its last
 * random character only; `unknown`, which shares nothing; `revoked`. Either by the very function that judges keys (no
 * network, so the finest difference shows), or with --port over HTTP, as an attacker would.
 *
 * Times above the 95th percentile of all are left out (another program ran). Two kinds count as indistinguishable when
 * Welch's |t| is below 4.5, the limit of leakage assessment (Goodwill et al., "A testing methodology for side-channel
 * resistance validation", 2011): by chance it is passed seven times in a million. `near` against `unknown` must stay below
 * it: exit code 1 otherwise. `right` answers differently anyway and shows that the measurement can see a difference. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access/access.c" /* whole, for key_check */
#include "config.h"

enum { RIGHT, NEAR, UNKNOWN, REVOKED, KINDS };
enum { POOL = 61, HEADER_CHARS = 8 + KEY_CHARS, LAST_OF_BODY = 3 + 32 - 1, KEPT_PERCENT = 95 };

static const char *const kind_names[KINDS] = {"right", "near", "unknown", "revoked"};
static const double t_limit = 4.5, z_95 = 1.96;

struct trial {
    char headers[KINDS][POOL][HEADER_CHARS]; /* "Bearer dm_..." */
    struct access *access;                   /* in the process */
    int fd;                                  /* over HTTP */
    bool over_http;
};

struct options {
    const char *key, *revoked;
    int64_t tries, port;
};

static const struct option_row rows[] = {
    OPTION_INT(struct options, tries, "--tries", NULL, "N", "100000", 100, 10000000, "of each kind of key"),
    OPTION_INT(struct options, port, "--port", NULL, "N", "0", 0, 65535, "ask a service on 127.0.0.1 over HTTP; 0: call the function"),
    OPTION_TEXT(struct options, key, "--key", NULL, "KEY", NULL, "with --port: a right key"),
    OPTION_TEXT(struct options, revoked, "--revoked", NULL, "KEY", NULL, "with --port: a revoked one"),
};
static const struct command_line command = {
    .usage = "key_timing [--tries N] [--port N --key KEY --revoked KEY]",
    .about = "Measures how long right, nearly right, unknown and revoked keys take to be judged. Exit codes: 0 near and unknown\n"
             "keys cannot be told apart, 1 they can, 2 wrong usage or no measurement.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
};

static void die(const char *what)
{
    fprintf(stderr, "key_timing: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- keys ------------------------------------------------------------------------------------------------------------ */

static void put_key(struct trial *t, int kind, int i, const char *key)
{
    (void)snprintf(t->headers[kind][i], HEADER_CHARS, "Bearer %s", key);
}

/* The key with every other last character, and the checksum that belongs to each. */
static void put_near_keys(struct trial *t, const char *key)
{
    char near[KEY_CHARS + 1];
    int count = 0;
    memcpy(near, key, sizeof near);
    for (int i = 0; i < 62; i++) {
        if (base62[i] == key[LAST_OF_BODY]) continue;
        near[LAST_OF_BODY] = base62[i];
        key_check(near, near + LAST_OF_BODY + 1);
        put_key(t, NEAR, count++, near);
    }
}

static void put_keys(struct trial *t, const char *right, const char *revoked)
{
    unsigned char hash[KEY_HASH_BYTES];
    char unknown[KEY_CHARS + 1];
    put_near_keys(t, right);
    for (int i = 0; i < POOL; i++) {
        access_key_generate(unknown, hash);
        put_key(t, RIGHT, i, right);
        put_key(t, UNKNOWN, i, unknown);
        put_key(t, REVOKED, i, revoked);
    }
}

/* ---- in the process -------------------------------------------------------------------------------------------------- */

static void remove_store(const char *folder)
{
    static const char *const names[] = {"refractr.db", "refractr.db-wal", "refractr.db-shm", "refractr.write", "refractr.service"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static void write_or_die(struct store *store, struct store_write *w)
{
    struct error e;
    if (store_write_wait(store, w, &e)) return;
    fprintf(stderr, "key_timing: %s\n", e.message);
    exit(2);
}

static void open_in_process(struct trial *t, char folder[])
{
    struct error e = {0};
    char right[KEY_CHARS + 1], revoked[KEY_CHARS + 1];
    if (!mkdtemp(folder)) die(folder);
    struct store_options store_options = {.data_dir = folder, .create = true, .service = true};
    struct access_options limits = {.extract_per_minute = 1, .poll_per_minute = 1};
    struct store *store = store_open(&store_options, &e);
    if (!store || !(t->access = access_open(store, &limits, &e))) die(e.message);
    struct store_account_create account = {.write = {.verb = STORE_ACCOUNT_CREATE}, .name = "a"};
    write_or_die(store, &account.write);
    for (int i = 0; i < 1000; i++) { /* as many keys as a small service has; the last two are ours */
        char *key = i == 999 ? revoked : right;
        struct store_key_create create = {.write = {.verb = STORE_KEY_CREATE}, .account_id = account.id, .name = "k", .prefix = "dm_"};
        access_key_generate(key, create.hash);
        write_or_die(store, &create.write);
        struct store_key_revoke revoke = {.write = {.verb = STORE_KEY_REVOKE}, .key_id = create.key_id, .at_ms = 1};
        if (i == 999) write_or_die(store, &revoke.write);
    }
    put_keys(t, right, revoked);
}

/* ---- over HTTP ------------------------------------------------------------------------------------------------------- */

static void open_http(struct trial *t, const struct options *o)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    t->over_http = true;
    t->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (t->fd < 0 || connect(t->fd, (struct sockaddr *)&address, sizeof address) ||
        setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one))
        die("no service on that port");
    put_keys(t, o->key, o->revoked);
}

static void ask_http(int fd, const char *authorization, int expected)
{
    char text[4096];
    int n = snprintf(text, sizeof text, "GET /api/v1/account/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\n\r\n", authorization);
    if (send(fd, text, (size_t)n, 0) != n) die("the service is gone");
    size_t used = 0;
    char *end = NULL;
    while (!end || used < (size_t)(end - text) + strtoul(strstr(text, "Content-Length: ") + 16, NULL, 10)) {
        ssize_t got = recv(fd, text + used, sizeof text - 1 - used, 0);
        if (got <= 0) die("the service has closed the connection");
        used += (size_t)got;
        text[used] = '\0';
        if ((end = strstr(text, "\r\n\r\n"))) end += 4;
    }
    if (strtol(text + 9, NULL, 10) != expected) die("another answer than expected");
}

/* ---- measuring ------------------------------------------------------------------------------------------------------- */

static double try_one(struct trial *t, int kind)
{
    const char *header = t->headers[kind][randombytes_uniform(POOL)];
    struct caller caller;
    struct error e;
    int64_t start = clock_monotonic_ns();
    if (t->over_http) {
        ask_http(t->fd, header, kind == RIGHT ? 200 : 401);
    } else if (access_authenticate(t->access, header, &caller, &e) != (kind == RIGHT)) {
        die("another answer than expected");
    }
    return (double)(clock_monotonic_ns() - start);
}

static void measure(struct trial *t, int64_t tries, double *times[KINDS])
{
    for (int64_t i = 0; i < tries; i++) {
        int order[KINDS] = {RIGHT, NEAR, UNKNOWN, REVOKED};
        for (int k = KINDS; k > 1; k--) {
            int other = (int)randombytes_uniform((uint32_t)k), last = order[k - 1];
            order[k - 1] = order[other];
            order[other] = last;
        }
        for (int k = 0; k < KINDS; k++) times[order[k]][i] = try_one(t, order[k]);
        if (isatty(STDERR_FILENO) && i % 1000 == 0) fprintf(stderr, "\r%lld of %lld tries", (long long)i, (long long)tries);
    }
    if (isatty(STDERR_FILENO)) fputs("\r                              \r", stderr);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double limit_of_all(double *const times[KINDS], int64_t tries)
{
    double *all = malloc(sizeof *all * (size_t)(KINDS * tries));
    if (!all) die("memory");
    for (int k = 0; k < KINDS; k++) memcpy(all + k * tries, times[k], sizeof *all * (size_t)tries);
    qsort(all, (size_t)(KINDS * tries), sizeof *all, compare);
    double limit = all[KINDS * tries * KEPT_PERCENT / 100];
    free(all);
    return limit;
}

struct summary { double count, mean, variance; };

static struct summary summarize(const double *times, int64_t tries, double limit)
{
    struct summary s = {0};
    double squares = 0; /* Welford */
    for (int64_t i = 0; i < tries; i++) {
        if (times[i] > limit) continue;
        double step = times[i] - s.mean;
        s.mean += step / ++s.count;
        squares += step * (times[i] - s.mean);
    }
    s.variance = s.count > 1 ? squares / (s.count - 1) : 0;
    return s;
}

static double tell(const struct summary s[KINDS], int a, int b)
{
    double difference = s[a].mean - s[b].mean, error = sqrt(s[a].variance / s[a].count + s[b].variance / s[b].count);
    double t = difference / error;
    printf("%-8s less %-8s %+9.1f ns (95 %% interval %+.1f to %+.1f), Welch's t %+.2f: %s\n", kind_names[a], kind_names[b],
           difference, difference - z_95 * error, difference + z_95 * error, t,
           fabs(t) < t_limit ? "indistinguishable" : "distinguishable");
    return t;
}

int main(int argc, char **argv)
{
    struct options o;
    struct trial t = {0};
    struct summary s[KINDS];
    double *times[KINDS];
    char folder[] = "/tmp/refractr-timing-XXXXXX";
    enum parse_result parsed = options_parse(&command, &o, argc, argv, NULL, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? 0 : 2;
    if (o.port && (!o.key || !o.revoked)) return fputs("key_timing: --port needs --key and --revoked\n", stderr), 2;
    if (sodium_init() < 0) die("libsodium");
    log_set_level(LOG_OFF);
    for (int k = 0; k < KINDS; k++)
        if (!(times[k] = calloc((size_t)o.tries, sizeof *times[k]))) die("memory");
    if (o.port) open_http(&t, &o);
    else open_in_process(&t, folder);
    measure(&t, o.tries, times);
    if (!o.port) remove_store(folder);
    double limit = limit_of_all(times, o.tries);
    printf("%lld tries of each kind, %s\n", (long long)o.tries, o.port ? "over HTTP" : "by the function");
    for (int k = 0; k < KINDS; k++) {
        s[k] = summarize(times[k], o.tries, limit);
        printf("%-8s %10.1f ns +- %.1f, %.0f tries\n", kind_names[k], s[k].mean, z_95 * sqrt(s[k].variance / s[k].count), s[k].count);
    }
    double told = fabs(tell(s, NEAR, UNKNOWN));
    (void)tell(s, REVOKED, UNKNOWN);
    (void)tell(s, RIGHT, UNKNOWN);
    return told < t_limit ? 0 : 1;
}
