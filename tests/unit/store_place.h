/* store_place.h - where a test's store lies: a folder of its own, or a schema of its own on the PostgreSQL server that
 * tools/unit.sh starts; and a way to it past the store, to see what it keeps. */
#ifndef TESTS_STORE_PLACE_H
#define TESTS_STORE_PLACE_H

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "testing.h"

struct place {
    char folder[256];
    char url_text[512];
    const char *url; /* NULL: SQLite in `folder` */
    char schema[64];
};

static const char *place_server; /* NULL: places are folders */

/* From here on places are on PostgreSQL. False (said on stderr): no server was given. */
__attribute__((unused)) static bool place_use_postgres(void)
{
    place_server = getenv("REFRACTR_TEST_POSTGRES");
    if (!place_server) print_error("PostgreSQL: not tested, REFRACTR_TEST_POSTGRES names no server (tools/unit.sh starts one)\n");
    return place_server != NULL;
}

/* Runs SQL; the first value it gives as a number in `*value`. False: the database refused. */
static bool place_exec(const char *url, const char *sql, long long *value)
{
    PGconn *db = PQconnectdb(url);
    PGresult *r = PQexec(db, sql);
    bool ok = PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK;
    if (ok && value && PQntuples(r) > 0) *value = atoll(PQgetvalue(r, 0, 0));
    PQclear(r);
    PQfinish(db);
    return ok;
}

__attribute__((unused)) static void place_make(struct place *p)
{
    static int made;
    char sql[128];
    *p = (struct place){.url = NULL};
    if (!place_server) {
        snprintf(p->folder, sizeof p->folder, "%s", make_folder());
        return;
    }
    snprintf(p->schema, sizeof p->schema, "test_%d_%d", (int)getpid(), made++);
    snprintf(sql, sizeof sql, "CREATE SCHEMA %s", p->schema);
    assert_true(place_exec(place_server, sql, NULL));
    snprintf(p->url_text, sizeof p->url_text, "%s?options=-csearch_path%%3D%s", place_server, p->schema);
    p->url = p->url_text;
}

__attribute__((unused)) static void place_remove(struct place *p)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SET client_min_messages = 'error'; DROP SCHEMA %s CASCADE", p->schema);
    if (p->url) assert_true(place_exec(place_server, sql, NULL));
    else remove_folder(p->folder);
}

static bool place_run(const struct place *p, const char *sql, long long *value)
{
    char path[300];
    sqlite3 *db;
    sqlite3_stmt *s;
    if (p->url) return place_exec(p->url, sql, value);
    snprintf(path, sizeof path, "%s/refractr.db", p->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW && value) *value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

__attribute__((unused)) static bool place_refuses(const struct place *p, const char *sql) { return !place_run(p, sql, NULL); }

__attribute__((unused)) static long long place_number(const struct place *p, const char *sql)
{
    long long value = -1;
    assert_true(place_run(p, sql, &value));
    return value;
}

#endif
