/* postgres_nodes.c - what several nodes share: who lives, whose turn a waiting job is, which jobs have ended, the windows of
 * the rate limit. Each is one statement. A lease is the node's, not the job's: one row is written every two seconds however
 * many jobs run. A take whose answer got lost may have given this node jobs it does not know of; it then stops being that
 * node, and the jobs are free again when its lease is over. */
#include <stdio.h>

#include "base/log.h"
#include "store/postgres_internal.h"

/* Neither is worth waiting for the disk: a lost take leaves the job pending, and settlements come after it in the log. */
static bool quickly(struct pg_connection *c, struct error *e)
{
    return c->asynchronous || (c->asynchronous = pg_exec(c, "SET synchronous_commit = off", e));
}

static struct pg_connection *take_connection(struct backend *b, struct error *e)
{
    struct pg_connection *c = pg_reader_take(b, e);
    if (c && quickly(c, e)) return c;
    if (c) pg_reader_return(b, c);
    return NULL;
}

static bool beat(struct backend *b, const char *name, const char *role, bool *rejoined, struct error *e)
{
    struct pg_connection *c = &b->pulse;
    int64_t node = atomic_load(&b->node), id = 0;
    int changes = 0;
    bool found;
    *rejoined = false;
    if (!pg_connect(c, e) || !quickly(c, e)) return false;
    atomic_store(&b->beats, true);
    bool ok = node == 0 || pg_run(c, &changes, e, PG_NODE_BEAT, node, name);
    if (ok && changes == 0) {
        ok = pg_run_returning(c, &id, &found, e, PG_NODE_JOIN, name, role);
        if (ok) atomic_store(&b->node, id);
        *rejoined = ok;
    }
    if (ok) atomic_store(&b->down_ms, 0); /* whatever kept another connection from being made: it may try again */
    return ok;
}

static void leave(struct backend *b)
{
    struct error e;
    int64_t node = atomic_exchange(&b->node, 0);
    if (node && !pg_run(&b->pulse, NULL, &e, PG_NODE_LEAVE, node))
        log_warn(NULL, "store: not signed off", LOG_STR("error", e.message));
}

static bool take(struct backend *b, struct store_take *t, struct error *e)
{
    int64_t node = atomic_load(&b->node);
    t->taken = 0;
    t->more = false;
    if (node == 0) return true; /* no node, no job: the next beat makes it one */
    struct pg_connection *c = take_connection(b, e);
    if (!c) return false;
    PGresult *r = pg_query(c, PG_JOBS_TAKE, e, node, (int64_t)t->limit, t->after);
    pg_reader_return(b, c);
    if (!r) {
        atomic_store(&b->node, 0);
        return false;
    }
    t->taken = PQntuples(r);
    t->more = t->taken == t->limit;
    if (t->taken) pg_copy(r, t->taken - 1, 1, t->after, sizeof t->after);
    bool ok = postgres_visit_open_jobs(r, t->visit, t->arg, e);
    PQclear(r);
    return ok;
}

static bool watch(struct backend *b, const struct store_watch *w, struct error *e)
{
    struct pg_array ids = {0};
    struct pg_connection *c = pg_reader_take(b, e);
    if (!c) return false;
    for (int i = 0; i < w->count; i++) pg_array_text(&ids, w->ids[i]);
    PGresult *r = pg_query(c, PG_JOBS_WATCH, e, &ids);
    pg_array_free(&ids);
    pg_reader_return(b, c);
    for (int i = 0; r && i < PQntuples(r); i++) {
        struct store_job job;
        postgres_fill_job(r, i, &job);
        w->visit(w->arg, &job, pg_i64(r, i, 10));
        store_job_clear(&job);
    }
    PQclear(r);
    return r != NULL;
}

static bool permit(struct backend *b, struct store_permit *p, struct error *e)
{
    struct pg_connection *c = take_connection(b, e);
    if (!c) return false;
    PGresult *r = pg_query(c, PG_PERMIT_TAKE, e, p->key_id, (int64_t)p->bucket, (int64_t)p->blocks, p->window_ms);
    pg_reader_return(b, c);
    if (!r) return false;
    p->granted = PQgetvalue(r, 0, 0)[0] == 't';
    p->in_use = (int)pg_i64(r, 0, 1);
    p->frees_in_ms = pg_i64(r, 0, 2);
    PQclear(r);
    return true;
}

const struct node_ops postgres_node_ops = {.beat = beat, .leave = leave, .take = take, .watch = watch, .permit = permit};
