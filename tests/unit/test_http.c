/* test_http.c - the server against slow, stubborn and unlucky peers, over real sockets, with routes of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http/http.h"

/* ---- routes under test ---- */

static _Atomic(struct request *) parked;
static atomic_int wins;

static void reply_ok(void *context, struct request *r)
{
    (void)context;
    request_reply_json(r, 200, json_pack("{s:s}", "path", request_route_path(r)));
}

static void park_for_the_test(void *context, struct request *r)
{
    (void)context;
    request_park(r);
    atomic_store(&parked, r);
}

static void *take_and_reply(void *arg)
{
    if (request_take(arg)) {
        atomic_fetch_add(&wins, 1);
        reply_ok(NULL, arg);
    }
    return NULL;
}

static void reply_from_another_thread(void *context, struct request *r)
{
    (void)context;
    pthread_t thread;
    request_park(r);
    assert_int_equal(pthread_create(&thread, NULL, take_and_reply, r), 0);
    pthread_detach(thread);
}

static bool refuse(void *context, struct request *r, struct error *e)
{
    (void)context, (void)r;
    return error_set(e, ERR_KEY_MISSING, "", "No.");
}

enum { BIG = 16 << 20 }; /* more than the kernel takes off our hands */

static void reply_big(void *context, struct request *r)
{
    static char big[BIG];
    (void)context;
    request_reply(r, 200, "text/plain", big, sizeof big, NULL);
}

static const struct route routes[] = {
    {.method = "GET", .path = "/big", .handle = reply_big},
    {.method = "GET", .path = "/plain", .handle = reply_ok},
    {.method = "GET", .path = "/part/{id}/", .handle = reply_ok},
    {.method = "POST", .path = "/body", .json_body = true, .handle = reply_ok},
    {.method = "GET", .path = "/park", .handle = park_for_the_test},
    {.method = "GET", .path = "/thread", .handle = reply_from_another_thread},
    {.method = "POST", .path = "/refused", .json_body = true, .admit = refuse, .handle = reply_ok},
};

/* ---- a client of a few lines ---- */

enum { LIMIT = 256 };

static struct server *server;

static int set_up(void **state)
{
    (void)state;
    struct error e;
    struct server_options options = {.idle_timeout_s = 1, .body_timeout_s = 1, .answer_timeout_s = 1, .connection_limit = LIMIT};
    server = server_start(&options, routes, sizeof routes / sizeof routes[0], NULL, &e);
    atomic_store(&parked, NULL);
    atomic_store(&wins, 0);
    return server ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    if (server) server_stop(server);
    return 0;
}

static void sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int dial(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server_port(server))};
    struct timeval limit = {.tv_sec = 10};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
    close(fd);
    return -1;
}

static void say(int fd, const char *text) { (void)!send(fd, text, strlen(text), MSG_NOSIGNAL); }

/* Reads one answer (head and body of its Content-Length). Returns its status, 0 when the peer closed first. */
static int hear(int fd, char *out, size_t size)
{
    size_t n = 0;
    for (;;) {
        out[n] = 0;
        char *end = strstr(out, "\r\n\r\n"), *length = strstr(out, "Content-Length: ");
        if (end && n >= (size_t)(end + 4 - out) + (length ? strtoul(length + 16, NULL, 10) : 0)) return atoi(out + 9);
        ssize_t got = recv(fd, out + n, size - 1 - n, 0);
        if (got <= 0) return 0;
        n += (size_t)got;
    }
}

static int ask(const char *request, char *out, size_t size)
{
    int fd = dial();
    assert_true(fd >= 0);
    say(fd, request);
    int status = hear(fd, out, size);
    close(fd);
    return status;
}

static bool closed_by_peer(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) == 0 || errno == ECONNRESET;
}

/* ---- tests ---- */

static void routes_are_found_with_and_without_slash(void **state)
{
    (void)state;
    char out[4096];
    static const struct { const char *path; int status; } cases[] = {
        {"/plain", 200}, {"/plain/", 200}, {"/plain?x=1", 200}, {"/part/7", 200}, {"/part/7/", 200}, {"/part/", 404},
        {"/part/7/8", 404}, {"/plainer", 404}, {"/", 404}, {"/plain//", 404}, {"/body", 405}, {"//plain", 404},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char request[256];
        (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", cases[i].path);
        if (ask(request, out, sizeof out) != cases[i].status) fail_msg("%s: %.12s", cases[i].path, out);
    }
}

static void connection_is_kept_and_reused(void **state)
{
    (void)state;
    char out[4096];
    int fd = dial();
    for (int i = 0; i < 3; i++) {
        say(fd, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(hear(fd, out, sizeof out), 200);
    }
    say(fd, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(hear(fd, out, sizeof out), 404);
    say(fd, "GET /thread HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(hear(fd, out, sizeof out), 200);
    close(fd);
}

static void slow_head_is_cut_off(void **state)
{
    (void)state;
    int fd = dial();
    double start = seconds();
    say(fd, "GET /plain HTTP/1.1\r\nX: ");
    for (int i = 0; i < 20 && seconds() - start < 5; i++) {
        say(fd, "a"); /* never silent for a second */
        sleep_ms(150);
    }
    assert_true(closed_by_peer(fd));
    assert_true(seconds() - start < 6);
    close(fd);
}

static void slow_reader_is_cut_off(void **state)
{
    (void)state;
    static char part[1 << 16];
    int fd = dial();
    double start = seconds();
    size_t total = 0;
    say(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    for (ssize_t n; (n = recv(fd, part, sizeof part, 0)) > 0; total += (size_t)n)
        if (seconds() - start < 3) sleep_ms(100); /* slow, but never quiet for a second; then as fast as it comes */
    assert_true(total < BIG);
    close(fd);
}

static void newcomer_finds_room_among_silent_ones(void **state)
{
    (void)state;
    int silent[2 * LIMIT];
    char out[4096];
    double start = seconds();
    for (int i = 0; i < 2 * LIMIT; i++) silent[i] = dial();
    assert_int_equal(ask("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n", out, sizeof out), 200);
    assert_true(seconds() - start < 0.9); /* not because their time was up */
    for (int i = 0; i < 2 * LIMIT; i++) close(silent[i]);
}

static void slow_body_is_cut_off(void **state)
{
    (void)state;
    char out[4096];
    int fd = dial();
    double start = seconds();
    say(fd, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        say(fd, "a");
        sleep_ms(150);
    }
    assert_int_equal(hear(fd, out, sizeof out), 0);
    assert_true(seconds() - start < 6);
    close(fd);
}

static void early_refusal_reaches_a_client_that_keeps_sending(void **state)
{
    (void)state;
    char out[4096], *body = calloc(1, 1 << 20);
    int fd = dial();
    say(fd, "POST /refused HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n");
    sleep_ms(100); /* the answer is there before the body */
    for (size_t sent = 0; sent < 1 << 20;) {
        ssize_t n = send(fd, body + sent, 65536, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += (size_t)n;
        sleep_ms(5);
    }
    assert_int_equal(hear(fd, out, sizeof out), 401);
    assert_non_null(strstr(out, "api_key_missing"));
    close(fd);
    free(body);
}

static void body_limits(void **state)
{
    (void)state;
    char out[4096];
    assert_int_equal(ask("POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1048577\r\n\r\n", out,
                         sizeof out), 413);
    assert_int_equal(ask("POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1048577\r\n"
                         "Expect: 100-continue\r\n\r\n", out, sizeof out), 413);
    assert_int_equal(ask("POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                         "Expect: 100-continue\r\n\r\n", out, sizeof out), 100);
    assert_int_equal(ask("POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", out,
                         sizeof out), 415);
}

static void chunked_body_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    char out[4096], *chunk = malloc(65536 + 16);
    int fd = dial(), n = sprintf(chunk, "10000\r\n");
    memset(chunk + n, 'a', 65536);
    memcpy(chunk + n + 65536, "\r\n", 3);
    say(fd, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 17; i++) say(fd, chunk);
    say(fd, "0\r\n\r\n");
    assert_int_equal(hear(fd, out, sizeof out), 413);
    assert_true(closed_by_peer(fd));
    close(fd);
    free(chunk);
}

static struct request *wait_for_parked(void)
{
    struct request *r = NULL;
    for (int i = 0; i < 500 && !(r = atomic_load(&parked)); i++) sleep_ms(10);
    assert_non_null(r);
    return r;
}

static void parked_request_is_answered_from_another_thread(void **state)
{
    (void)state;
    char out[4096];
    for (int round = 0; round < 50; round++) {
        pthread_t thread;
        atomic_store(&parked, NULL);
        atomic_store(&wins, 0);
        int fd = dial();
        say(fd, "GET /park HTTP/1.1\r\nHost: a\r\n\r\n");
        struct request *r = wait_for_parked();
        pthread_create(&thread, NULL, take_and_reply, r);
        pthread_join(thread, NULL);
        assert_int_equal(hear(fd, out, sizeof out), 200);
        assert_int_equal(atomic_load(&wins), 1);
        close(fd);
    }
}

static void *stop(void *arg)
{
    server_stop(arg);
    return NULL;
}

static void stop_answers_what_is_parked(void **state)
{
    (void)state;
    char out[4096];
    int fd = dial();
    say(fd, "GET /park HTTP/1.1\r\nHost: a\r\n\r\n");
    struct request *r = wait_for_parked();
    pthread_t thread;
    pthread_create(&thread, NULL, stop, server);
    assert_int_equal(hear(fd, out, sizeof out), 503);
    assert_non_null(strstr(out, "shutting_down"));
    assert_non_null(strstr(out, "Retry-After: "));
    pthread_join(thread, NULL);
    server = NULL;
    assert_false(request_take(r)); /* the worker that comes too late */
    close(fd);
}

static void stop_and_workers_race_for_every_request(void **state)
{
    (void)state;
    enum { CLIENTS = 40 };
    char out[4096];
    int fds[CLIENTS], ok = 0, unavailable = 0;
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial();
        say(fds[i], "GET /thread HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    sleep_ms(2);
    server_stop(server);
    server = NULL;
    for (int i = 0; i < CLIENTS; i++) {
        int status = hear(fds[i], out, sizeof out);
        ok += status == 200;
        unavailable += status == 503 || status == 0; /* 0: not yet accepted when listening ended */
        close(fds[i]);
    }
    sleep_ms(100); /* late takers end */
    assert_int_equal(ok + unavailable, CLIENTS);
}

static void quiesce_ends_listening_and_keeps_what_runs(void **state)
{
    (void)state;
    char out[4096];
    int fd = dial();
    say(fd, "GET /park HTTP/1.1\r\nHost: a\r\n\r\n");
    struct request *r = wait_for_parked();
    server_quiesce(server);
    assert_int_equal(dial(), -1);
    take_and_reply(r);
    assert_int_equal(hear(fd, out, sizeof out), 200);
    assert_non_null(strstr(out, "Connection: close"));
    close(fd);
}

static void request_id_is_kept_when_sane(void **state)
{
    (void)state;
    char out[4096];
    (void)ask("GET /plain HTTP/1.1\r\nHost: a\r\nX-Request-Id: abc_DEF-1\r\n\r\n", out, sizeof out);
    assert_non_null(strstr(out, "X-Request-Id: abc_DEF-1\r\n"));
    (void)ask("GET /plain HTTP/1.1\r\nHost: a\r\nX-Request-Id: a b\"\r\n\r\n", out, sizeof out);
    assert_null(strstr(out, "a b"));
    assert_non_null(strstr(out, "X-Request-Id: "));
}

static void port_in_use_is_told(void **state)
{
    (void)state;
    struct error e;
    struct server_options options = {.port = server_port(server)};
    assert_null(server_start(&options, routes, 1, NULL, &e));
    assert_non_null(strstr(e.message, "Address already in use"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(routes_are_found_with_and_without_slash),
        TEST(connection_is_kept_and_reused),
        TEST(slow_head_is_cut_off),
        TEST(slow_reader_is_cut_off),
        TEST(newcomer_finds_room_among_silent_ones),
        TEST(slow_body_is_cut_off),
        TEST(early_refusal_reaches_a_client_that_keeps_sending),
        TEST(body_limits),
        TEST(chunked_body_beyond_the_limit_is_refused),
        TEST(parked_request_is_answered_from_another_thread),
        TEST(stop_answers_what_is_parked),
        TEST(stop_and_workers_race_for_every_request),
        TEST(quiesce_ends_listening_and_keeps_what_runs),
        TEST(request_id_is_kept_when_sane),
        TEST(port_in_use_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
