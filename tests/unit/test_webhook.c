/* test_webhook.c - where events may be sent: addresses, URLs, and names that answer one thing now and another later.
 *
 * The program's own getaddrinfo and connect stand before the system's, also for libcurl: names answer what a test has
 * written down, and every connection that would be made is noted and refused. */
#include "testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/store_web.h"
#include "webhook/webhook.h"

/* ---- addresses ------------------------------------------------------------------------------------------------------- */

static bool is_public(const char *text)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
    if (strchr(text, ':')) {
        v6->sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
    } else {
        v4->sin_family = AF_INET;
        assert_int_not_equal(inet_aton(text, &v4->sin_addr), 0); /* reads decimal, octal and hex forms too */
    }
    return address_is_public((const struct sockaddr *)&storage);
}

static void expect(bool expected, const char *const *texts)
{
    for (; *texts; texts++) {
        if (is_public(*texts) != expected) fail_msg("%s %s public", *texts, expected ? "is not called" : "is called");
    }
}

static void v4_ranges_end_where_the_registry_says(void **state)
{
    (void)state;
    static const char *const inside[] = {
        "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.0", "127.255.255.255",
        "169.254.0.0", "169.254.169.254", "169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.0",
        "192.0.2.255", "192.88.99.0", "192.88.99.255", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255",
        "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255", "224.0.0.0", "239.255.255.255", "240.0.0.0",
        "255.255.255.255", "168.63.129.16", NULL};
    static const char *const outside[] = {
        "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.15",
        "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0",
        "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
        "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "8.8.8.8", NULL};
    expect(false, inside);
    expect(true, outside);
}

static void other_ways_to_write_v4(void **state)
{
    (void)state;
    static const char *const inside[] = {"2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "10.1", "0xa9fea9fe",
                                         "3232235521", "0300.0250.0.1", "0", NULL};
    expect(false, inside);
}

static void v6_forms(void **state)
{
    (void)state;
    static const char *const inside[] = {
        "::", "::1", "::127.0.0.1",                   /* unspecified, loopback, v4-compatible */
        "::ffff:127.0.0.1", "::ffff:8.8.8.8",          /* v4-mapped, whatever it maps */
        "::ffff:0:127.0.0.1",                          /* v4-translated */
        "64:ff9b::7f00:1", "64:ff9b:1::7f00:1",        /* NAT64, well-known and local prefix */
        "100::1", "5f00::1",                           /* discard, segment routing */
        "fc00::1", "fd00:ec2::254",                    /* unique local; a cloud's metadata */
        "fe80::1", "febf::1", "fec0::1",               /* link-local, site-local */
        "ff02::1",                                     /* multicast */
        "2001::1", "2001:1ff:ffff::1",                 /* Teredo, protocol assignments */
        "2001:db8::1", "3fff::1", "3fff:fff:ffff::1",  /* documentation */
        "2002:7f00:1::1",                              /* 6to4 of 127.0.0.1 */
        "1fff::1", "4000::1", NULL};
    static const char *const outside[] = {"2000::1", "2001:200::1", "2001:db7::1", "2001:db9::1", "2001:4860:4860::8888", "2003::1",
                                          "2606:4700::1111", "3ffe::1", "3fff:1000::1", NULL};
    expect(false, inside);
    expect(true, outside);
}

static void unix_sockets_are_no_addresses(void **state)
{
    (void)state;
    struct sockaddr address = {.sa_family = AF_UNIX};
    assert_false(address_is_public(&address));
}

/* ---- URLs ------------------------------------------------------------------------------------------------------------ */

static void urls(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool strict, open; /* accepted without and with allow_private */
    } cases[] = {
        {"https://hooks.example/in?x=1", true, true},
        {"https://[2001:db8::1]:8443/", true, true}, /* the form is right; the address is refused when it is connected to */
        {"http://hooks.example/", false, true},
        {"HTTPS://hooks.example/", false, false},
        {"https://user@hooks.example/", false, false},
        {"https://user:secret@hooks.example/", false, false},
        {"https://:secret@hooks.example/", false, false},
        {"https://", false, false},
        {"https:///hooks.example", true, true}, /* libcurl reads three slashes as two */
        {"https://a b/", false, false},
        {"https://hooks.example:99999/", false, false},
        {"ftp://hooks.example/", false, false},
        {"file:///etc/passwd", false, false},
        {"gopher://hooks.example/", false, false},
        {"javascript:alert(1)", false, false},
        {"//hooks.example/", false, false},
        {"", false, false},
    };
    struct error e;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool strict = webhook_url_ok(cases[i].url, false, "url", &e), open = webhook_url_ok(cases[i].url, true, "url", &e);
        if (strict != cases[i].strict || open != cases[i].open) fail_msg("%s: %d, %d", cases[i].url, strict, open);
    }
    char longest[STORE_URL_CHARS + 2] = "https://hooks.example/";
    memset(longest + strlen(longest), 'x', STORE_URL_CHARS - strlen(longest));
    assert_true(webhook_url_ok(longest, false, "url", &e));
    longest[STORE_URL_CHARS] = 'x';
    assert_false(webhook_url_ok(longest, false, "url", &e));
    assert_string_equal(e.param, "url");
}

/* ---- names ----------------------------------------------------------------------------------------------------------- */

enum { ANSWERS_MAX = 4, CONNECTIONS_MAX = 16 };

static struct {
    pthread_mutex_t lock;
    const char *answers[ANSWERS_MAX][ANSWERS_MAX]; /* the n-th question's addresses; the last answer stays */
    int asked;
    char connections[CONNECTIONS_MAX][INET6_ADDRSTRLEN];
    int connected;
} net = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct addrinfo *make_address(const char *text, int port)
{
    struct addrinfo *info = calloc(1, sizeof *info + sizeof(struct sockaddr_storage));
    struct sockaddr_in *v4 = (struct sockaddr_in *)(info + 1);
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(info + 1);
    bool six = strchr(text, ':') != NULL;
    info->ai_family = six ? AF_INET6 : AF_INET;
    info->ai_socktype = SOCK_STREAM;
    info->ai_addrlen = six ? sizeof *v6 : sizeof *v4;
    info->ai_addr = (struct sockaddr *)(info + 1);
    info->ai_addr->sa_family = (sa_family_t)info->ai_family;
    if (six) v6->sin6_port = htons((uint16_t)port);
    else v4->sin_port = htons((uint16_t)port);
    assert_int_equal(inet_pton(info->ai_family, text, six ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr), 1);
    return info;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    (void)name, (void)hints;
    struct addrinfo **next = out;
    *out = NULL;
    pthread_mutex_lock(&net.lock);
    int row = net.asked++;
    while (row > 0 && (row >= ANSWERS_MAX || !net.answers[row][0])) row--;
    for (int i = 0; i < ANSWERS_MAX && net.answers[row][i]; i++) {
        *next = make_address(net.answers[row][i], service ? (int)strtol(service, NULL, 10) : 443);
        next = &(*next)->ai_next;
    }
    pthread_mutex_unlock(&net.lock);
    return *out ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *info)
{
    while (info) {
        struct addrinfo *next = info->ai_next;
        free(info);
        info = next;
    }
}

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t bytes) /* glibc's type: a union of all kinds of addresses */
{
    const struct sockaddr *address = to.__sockaddr__;
    (void)fd, (void)bytes;
    const void *at = address->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                                                    : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
    pthread_mutex_lock(&net.lock);
    if (net.connected < CONNECTIONS_MAX) inet_ntop(address->sa_family, at, net.connections[net.connected++], INET6_ADDRSTRLEN);
    pthread_mutex_unlock(&net.lock);
    errno = ECONNREFUSED;
    return -1;
}

struct fixture {
    char folder[256];
    struct store *store;
    struct webhooks *webhooks;
    char account[STORE_ID_CHARS + 1];
    int64_t endpoint;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error e;
    log_set_level(LOG_OFF);
    memset(net.answers, 0, sizeof net.answers);
    net.asked = net.connected = 0;
    snprintf(f->folder, sizeof f->folder, "%s", make_folder());
    struct store_options store = {.data_dir = f->folder, .create = true, .service = true};
    struct webhooks_options webhooks = {.retries = "0,0"};
    f->store = store_open(&store, &e);
    struct store_account_create account = {.write = {.verb = STORE_ACCOUNT_CREATE}, .name = "a"};
    struct store_endpoint_create endpoint = {.write = {.verb = STORE_ENDPOINT_CREATE},
                                             .account_id = account.id,
                                             .url = "https://changes-its-mind.example/",
                                             .limit = 1};
    if (!store_write_wait(f->store, &account.write, &e) || !store_write_wait(f->store, &endpoint.write, &e)) return -1;
    memcpy(f->account, account.id, sizeof f->account);
    f->endpoint = endpoint.endpoint_id;
    f->webhooks = webhooks_open(f->store, &webhooks, &e);
    *state = f;
    return f->webhooks ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    webhooks_close(f->webhooks);
    store_close(f->store);
    remove_folder(f->folder);
    free(f);
    return 0;
}

static bool note_delivery(void *arg, const struct store_delivery *d)
{
    *(struct store_delivery *)arg = *d;
    return false;
}

/* Sends a test event and waits until it was given up; its attempts. */
static int attempts_of_one_event(struct fixture *f)
{
    struct error e;
    struct store_delivery d = {0};
    struct store_endpoint_test w = {
        .write = {.verb = STORE_ENDPOINT_TEST}, .account_id = f->account, .endpoint_id = f->endpoint, .now_ms = clock_wall_ms()};
    assert_true(store_write_wait(f->store, &w.write, &e));
    const struct timespec pause = {.tv_nsec = 10000000};
    for (int i = 0; i < 1500 && d.state != DELIVERY_FAILED; i++) {
        struct store_deliveries q = {.read = {STORE_READ_DELIVERIES}, .account_id = f->account, .endpoint_id = f->endpoint,
                                     .limit = 1, .visit = note_delivery, .arg = &d};
        assert_true(store_read(f->store, &q.read, &e));
        nanosleep(&pause, NULL);
    }
    assert_int_equal(d.state, DELIVERY_FAILED);
    return d.attempts;
}

static void a_name_that_turns_private_is_not_followed(void **state)
{
    struct fixture *f = *state;
    net.answers[0][0] = "93.184.216.34";
    net.answers[1][0] = "127.0.0.1";
    net.answers[2][0] = "fd00::1";
    assert_int_equal(attempts_of_one_event(f), 3);
    assert_int_equal(net.asked, 3); /* once per attempt: what was checked is what is connected to */
    assert_int_equal(net.connected, 1);
    assert_string_equal(net.connections[0], "93.184.216.34");
}

static void of_many_addresses_only_public_ones_are_tried(void **state)
{
    struct fixture *f = *state;
    net.answers[0][0] = "127.0.0.1";
    net.answers[0][1] = "93.184.216.34";
    net.answers[0][2] = "::ffff:169.254.169.254";
    net.answers[0][3] = "10.0.0.1";
    assert_int_equal(attempts_of_one_event(f), 3);
    assert_true(net.connected >= 3);
    for (int i = 0; i < net.connected; i++) assert_string_equal(net.connections[i], "93.184.216.34");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v4_ranges_end_where_the_registry_says),
        cmocka_unit_test(other_ways_to_write_v4),
        cmocka_unit_test(v6_forms),
        cmocka_unit_test(unix_sockets_are_no_addresses),
        cmocka_unit_test(urls),
        cmocka_unit_test_setup_teardown(a_name_that_turns_private_is_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_many_addresses_only_public_ones_are_tried, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
