/* find_model.c - see find_model.h. */
#include "engine/find_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FOLDER = 4096 };

static bool holds_model(const char *folder)
{
    char path[FOLDER + 16];
    int length = snprintf(path, sizeof path, "%s/config.json", folder);
    return length > 0 && (size_t)length < sizeof path && access(path, R_OK) == 0;
}

static bool take(const char *folder, char *out, size_t size)
{
    return strlen(folder) < size && holds_model(folder) && snprintf(out, size, "%s", folder) > 0;
}

/* The folder of the running program, "" when it cannot be told. */
static void program_folder(char out[FOLDER])
{
    ssize_t length = readlink("/proc/self/exe", out, FOLDER - 1);
    out[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(out, '/');
    *(slash ? slash : out) = '\0';
}

bool find_model(const char *given, const char *data, char *folder, size_t size, struct error *e)
{
    static const char *const beside[] = {"../models/refractr-mini", "models/refractr-mini", "../share/refractr/models/refractr-mini"};
    const char *named = given ? given : getenv("REFRACTR_MODEL");
    if (named)
        return take(named, folder, size) ||
               error_set(e, ERR_ENGINE_UNAVAILABLE, "", "No model in %.300s: it holds no readable config.json.", named);
    char program[FOLDER], path[FOLDER + 64];
    if (data && snprintf(path, sizeof path, "%s/model", data) < (int)sizeof path && take(path, folder, size))
        return true;
    program_folder(program);
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        snprintf(path, sizeof path, "%s/%s", program, beside[i]);
        if (take(path, folder, size))
            return true;
    }
    return error_set(e, ERR_ENGINE_UNAVAILABLE, "", "No model found in the data folder's model/, nor in %.120s/../models/refractr-mini, "
                     "models/refractr-mini or ../share/refractr/models/refractr-mini beside it. Name one with --model or "
                     "REFRACTR_MODEL.", program);
}
