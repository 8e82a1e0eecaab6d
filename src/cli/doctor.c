/* doctor.c - refractr doctor: looks at everything `serve` needs, says what is wrong and what to do about it.
 *
 * It takes the options and the environment of `serve`, so that it judges the service as it would run, and may run beside
 * it. The checks that look at options are here, the others in doctor_data.c and doctor_machine.c. */
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "billing/billing.h"
#include "cli/cli.h"
#include "cli/doctor.h"
#include "webhook/webhook.h"

void found(struct examination *x, enum verdict verdict, const char *remedy, const char *format, ...)
{
    static const char *const names[] = {"fine", "warning", "FAULT"};
    char what[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    for (char *at = what; *at; at++)
        if ((unsigned char)*at < 0x20) *at = ' '; /* SQLite's reports have lines of their own */
    printf("%-8s %-9s %s\n", names[verdict], x->check, what);
    if (remedy) printf("%-18s -> %s\n", "", remedy);
    x->counts[verdict]++;
}

/* ---- settings -------------------------------------------------------------------------------------------------------- */

static bool is_loopback(const char *host)
{
    return !strncmp(host, "127.", 4) || !strcmp(host, "::1") || !strcmp(host, "localhost");
}

static void check_secret_file(struct examination *x, const char *path)
{
    struct stat info;
    if (!path || stat(path, &info) < 0 || !(info.st_mode & 077)) return;
    found(x, WARNING, "chmod 600 the file", "%s holds a secret and others can read it (mode %04o)", path, info.st_mode & 07777);
}

static void check_files(struct examination *x)
{
    const struct serve_options *o = x->options;
    struct billing_options options = {.packs_file = o->packs, .key_file = o->stripe_key, .webhook_secret_file = o->stripe_secret};
    struct error e;
    struct billing *billing = billing_open(NULL, &options, &e); /* reads the files; a store is asked only when money moves */
    if (!billing) found(x, FAULT, "mend the file or the option; the service does not start like this", "%s", e.message);
    billing_close(billing);
    check_secret_file(x, o->stripe_key);
    check_secret_file(x, o->stripe_secret);
    check_secret_file(x, o->upstream_key);
}

static void check_addresses(struct examination *x)
{
    const struct serve_options *o = x->options;
    bool https = o->public_url && !strncmp(o->public_url, "https://", 8), local = is_loopback(o->host);
    if (o->public_url && !https && strncmp(o->public_url, "http://", 7) != 0)
        found(x, FAULT, "write it as https://host", "--public-url %s is not the address of a site", o->public_url);
    if (!local && !https)
        found(x, WARNING, "listen on 127.0.0.1 behind a proxy that speaks TLS (deploy/nginx.conf) and name it with --public-url",
              "listening on %s: keys and cookies travel unencrypted", o->host);
    if (!local && o->trust_proxy)
        found(x, WARNING, "listen on 127.0.0.1, or let the firewall admit the proxy only",
              "--trust-proxy on %s: whoever reaches the port can claim any address", o->host);
    if (https && !o->trust_proxy)
        found(x, WARNING, "add --trust-proxy if the proxy sets X-Forwarded-For and X-Forwarded-Proto (deploy/nginx.conf does)",
              "without --trust-proxy all who come through the proxy count as one client where tries are counted");
}

static void check_settings(struct examination *x)
{
    const struct serve_options *o = x->options;
    struct error e;
    int before = x->counts[WARNING] + x->counts[FAULT];
    check_files(x);
    check_addresses(x);
    if (o->webhook_retries && !webhook_retries_ok(o->webhook_retries, &e)) found(x, FAULT, "mend the option", "%s", e.message);
    if (o->webhook_allow_private)
        found(x, WARNING, "drop it unless all who have an account are yours",
              "--webhook-allow-private: customers can make the service call machines of your own network");
    if (o->stub_engine) found(x, FAULT, "drop it", "--stub-engine is for tests: every answer is empty and charged");
    if (before == x->counts[WARNING] + x->counts[FAULT])
        found(x, FINE, NULL, "options and the files they name can be read; listening on %s", o->host);
}

/* ---- the command ----------------------------------------------------------------------------------------------------- */

/* In the order in which `serve` needs them. */
static const struct {
    const char *name;
    void (*look)(struct examination *x);
} checks[] = {
    {"settings", check_settings}, {"folder", check_folder},       {"disk", check_disk}, {"store", check_store},
    {"model", check_model},       {"upstreams", check_upstreams}, {"port", check_port}, {"limits", check_limits},
    {"clock", check_clock},
};

int cmd_doctor(int argc, char **argv)
{
    struct serve_options o;
    struct command_line command = serve_command;
    command.usage = "refractr doctor [OPTIONS]";
    command.about = "Looks at everything `refractr serve` needs: settings, data folder, disk, store, model, upstreams, port, limits,\n"
                    "clock. Takes the options and environment of `serve`; may run beside it, as the same user. One finding per\n"
                    "line, what to do about it on the next.\n"
                    "Exit codes: 0 no fault (warnings or not), 1 a fault, 2 wrong usage.";
    enum parse_result parsed = options_parse(&command, &o, argc, argv, NULL, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    if (sodium_init() < 0) return EXIT_FAILED;
    log_set_level(LOG_OFF); /* the findings say it */
    struct examination x = {.options = &o, .data = config_data_dir(o.data)};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        x.check = checks[i].name;
        checks[i].look(&x);
    }
    printf("%d faults, %d warnings\n", x.counts[FAULT], x.counts[WARNING]);
    bool told = fflush(stdout) == 0 && !ferror(stdout);
    return told && x.counts[FAULT] == 0 ? EXIT_OK : EXIT_FAILED;
}
