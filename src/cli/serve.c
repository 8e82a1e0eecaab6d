/* serve.c - refractr serve: opens the modules in the order a request passes them, waits for a signal, closes them.
 *
 *     open:   store -> access, account, billing, webhooks -> engine -> jobs -> api -> server
 *     close:  server stops listening -> jobs end (30 s at most) -> server answers what is left -> api, engine, access, store
 *
 * Signals are blocked in every thread; the main thread takes them by sigwait. */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "access/access.h"
#include "account/account.h"
#include "api/api.h"
#include "base/log.h"
#include "billing/billing.h"
#include "cli/cli.h"
#include "config.h"
#include "engine/engine.h"
#include "http/http.h"
#include "job/job.h"
#include "store/store.h"
#include "webhook/webhook.h"

enum { DRAIN_MS = 30000 };

enum shutdown_mode {
    SHUTDOWN_NONE,  /* serving */
    SHUTDOWN_DRAIN, /* first SIGTERM, SIGINT or SIGHUP: no new requests, what was accepted is finished and answered */
    SHUTDOWN_NOW,   /* a second one: the process ends where it stands; accepted jobs run again at the next start */
};

struct service {
    struct store *store;
    struct access *access;
    struct account *account;
    struct billing *billing;
    struct webhooks *webhooks;
    struct engine *engine;
    struct jobs *jobs;
    struct api *api;
    struct server *server;
};

static volatile sig_atomic_t shutdown_mode = SHUTDOWN_NONE;

/* ---- open ----------------------------------------------------------------------------------------------------------- */

static enum engine_kind engine_kind_of(const char *name)
{
    return !strcmp(name, "remote") ? ENGINE_REMOTE : !strcmp(name, "auto") ? ENGINE_AUTO : ENGINE_EMBEDDED;
}

static enum job_role role_of(const struct serve_options *o)
{
    return !strcmp(o->role, "api") ? ROLE_API : !strcmp(o->role, "worker") ? ROLE_WORKER : ROLE_ALL;
}

/* Without a shared store nobody else would do the other half. */
static bool check_role(const struct serve_options *o, struct error *e)
{
    if (o->store || role_of(o) == ROLE_ALL) return true;
    return error_set(e, ERR_INVALID_VALUE, "role", "--role %s needs a store that other nodes share (--store postgresql://...)",
                     o->role);
}

static bool open_modules(struct service *s, const struct serve_options *o, struct error *e)
{
    struct store_options store = {.data_dir = config_data_dir(o->data),
                                  .url = o->store,
                                  .durability = strcmp(o->durability, "full") ? DURABILITY_NORMAL : DURABILITY_FULL,
                                  .create = true,
                                  .service = true};
    struct access_options access = {.extract_per_minute = (int)o->rate, .poll_per_minute = (int)o->poll_rate};
    struct engine_options engine = {.kind = engine_kind_of(o->engine),
                                    .upstream = {.urls = o->upstream,
                                                 .model = o->upstream_model,
                                                 .key_file = o->upstream_key,
                                                 .prompt = o->upstream_prompt,
                                                 .concurrency = (int)o->upstream_concurrency,
                                                 .timeout_ms = (int)o->upstream_timeout,
                                                 .context = (int)o->upstream_context},
                                    .threshold_percent = (int)o->auto_threshold,
                                    .model_dir = o->model,
                                    .data_dir = store.data_dir,
                                    .threads = (int)o->threads,
                                    .stub = o->stub_engine,
                                    .stub_delay_ms = (int)o->engine_delay_ms};
    struct jobs_options jobs = {.role = role_of(o),
                                .queue_limit = (int)o->queue,
                                .retention_s = (int)o->retention,
                                .deadline_ms = (int)o->deadline_ms};
    struct account_options account = {.signup = o->signup, .signin_tries = (int)o->signin_tries};
    struct billing_options billing = {.packs_file = o->packs,
                                      .key_file = o->stripe_key,
                                      .webhook_secret_file = o->stripe_secret,
                                      .stripe_url = o->stripe_url};
    struct webhooks_options webhooks = {.allow_private = o->webhook_allow_private, .retries = o->webhook_retries};
    return check_role(o, e) && (s->store = store_open(&store, e)) && (s->access = access_open(s->store, &access, e)) &&
           (s->account = account_open(s->store, &account, e)) && (s->billing = billing_open(s->store, &billing, e)) &&
           (s->webhooks = webhooks_open(s->store, &webhooks, e)) && (s->engine = engine_open(&engine, e)) && (s->jobs = jobs_open(s->store, s->engine, &jobs, e));
}

static bool open_listener(struct service *s, const struct serve_options *o, struct error *e)
{
    struct api_options api = {.access = s->access,
                              .jobs = s->jobs,
                              .store = s->store,
                              .engine = s->engine,
                              .account = s->account,
                              .billing = s->billing,
                              .contact = o->contact,
                              .public_url = o->public_url,
                              .health_only = role_of(o) == ROLE_WORKER,
                              .signup_open = o->signup,
                              .trust_proxy = o->trust_proxy,
                              .webhook_allow_private = o->webhook_allow_private,
                              .demos_per_minute = (int)o->demo_rate,
                              .low_credits = o->low_credits,
                              .requests_per_minute = (int)o->rate,
                              .polls_per_minute = (int)o->poll_rate};
    struct server_options server = {.host = o->host,
                                    .port = (int)o->port,
                                    .connection_limit = (int)o->connections,
                                    .idle_timeout_s = (int)o->idle_timeout,
                                    .log_requests = true};
    size_t count;
    if (!(s->api = api_open(&api, e))) return false;
    const struct route *routes = api_routes(s->api, &count);
    s->server = server_start(&server, routes, count, s->api, e);
    return s->server != NULL;
}

/* ---- close ---------------------------------------------------------------------------------------------------------- */

static void end_at_once(int signal_number)
{
    (void)signal_number;
    shutdown_mode = SHUTDOWN_NOW;
    _exit(EXIT_FAILED);
}

static void take_second_signal(const sigset_t *signals)
{
    struct sigaction action = {.sa_handler = end_at_once};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

/* Also after an open that failed half-way: what is NULL was never opened. */
static void close_modules(struct service *s)
{
    if (s->server) {
        api_drain(s->api);
        server_quiesce(s->server);
    }
    bool ended = jobs_drain(s->jobs, DRAIN_MS);
    if (s->api) api_finish(s->api);
    if (s->server) server_stop(s->server);
    if (!ended) _exit(EXIT_OK); /* the engine still holds jobs; they are durable */
    jobs_close(s->jobs);
    if (s->api) api_close(s->api);
    if (s->engine) engine_close(s->engine);
    webhooks_close(s->webhooks);
    billing_close(s->billing);
    account_close(s->account);
    access_close(s->access);
    store_close(s->store);
}

/* ---- the command ---------------------------------------------------------------------------------------------------- */

static void wait_for_signal(const sigset_t *signals)
{
    int number;
    while (sigwait(signals, &number) != 0) continue;
    shutdown_mode = SHUTDOWN_DRAIN;
    log_info(NULL, "stopping", LOG_STR("signal", strsignal(number)), LOG_INT("drain_ms", DRAIN_MS));
    take_second_signal(signals);
}

int cmd_serve(int argc, char **argv)
{
    struct serve_options o;
    struct service s = {0};
    struct error e = {0};
    enum log_level level = LOG_INFO;
    sigset_t signals;
    enum parse_result parsed = options_parse(&serve_command, &o, argc, argv, NULL, NULL);
    if (parsed != PARSE_OK) return parsed == PARSE_HELP ? EXIT_OK : EXIT_USAGE;
    if (log_level_parse(o.log_level, &level)) log_set_level(level);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    bool ok = sodium_init() >= 0 && open_modules(&s, &o, &e) && open_listener(&s, &o, &e);
    if (ok) {
        log_info(NULL, "listening", LOG_STR("host", o.host), LOG_INT("port", server_port(s.server)),
                 LOG_STR("version", REFRACTR_VERSION), LOG_STR("store", o.store ? "postgresql" : config_data_dir(o.data)),
                 LOG_STR("role", o.role),
                 LOG_STR("model", engine_model_name(s.engine)), LOG_STR("durability", o.durability));
        wait_for_signal(&signals);
    } else {
        fprintf(stderr, "refractr: %s\n", e.message);
    }
    close_modules(&s);
    if (ok) log_info(NULL, "stopped");
    return ok ? EXIT_OK : EXIT_UNAVAILABLE;
}
