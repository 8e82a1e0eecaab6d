/* testing.h - cmocka with what it wants included before it, and folders that go away again. */
#ifndef TESTS_TESTING_H
#define TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A fresh folder below $TMPDIR or /tmp. Static storage, one at a time. */
__attribute__((unused)) static const char *make_folder(void)
{
    static char path[256];
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/refractr-unit-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

__attribute__((unused)) static void remove_folder(const char *path)
{
    static const char *const names[] = {"refractr.db", "refractr.db-wal", "refractr.db-shm", "refractr.write",
                                        "refractr.service"};
    char file[512];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        unlink(file);
    }
    rmdir(path);
}

#endif
