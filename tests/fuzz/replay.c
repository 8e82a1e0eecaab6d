/* replay.c - main() of a fuzz target without libFuzzer: every file of the corpus once, in `make test`.
 *
 *     build-asan/fuzz/fuzz_template [FILE or FOLDER ...]        (without arguments: tests/fuzz/corpus/fuzz_template)
 * A broken promise or a sanitizer's report ends it; the input at fault is then the last one named with REPLAY_NAMES=1.
 * Prints one line in the form tools/unit.sh counts. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

static int inputs;

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    must(file != NULL);
    must(fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    must(size >= 0);
    rewind(file);
    uint8_t *bytes = malloc((size_t)size + !size); /* exactly: a byte read past the input's end is told */
    must(bytes != NULL && fread(bytes, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    if (getenv("REPLAY_NAMES")) fprintf(stderr, "%s\n", path);
    (void)LLVMFuzzerTestOneInput(bytes, (size_t)size);
    free(bytes);
    inputs++;
}

static void replay(const char *path)
{
    struct stat info;
    must(stat(path, &info) == 0);
    if (!S_ISDIR(info.st_mode)) {
        replay_file(path);
        return;
    }
    DIR *folder = opendir(path);
    must(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char inside[4096];
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        replay(inside);
    }
    closedir(folder);
}

int main(int count, char **arguments)
{
    char corpus[256];
    const char *slash = strrchr(arguments[0], '/'), *name = slash ? slash + 1 : arguments[0];
    (void)snprintf(corpus, sizeof corpus, "tests/fuzz/corpus/%s", name);
    for (int i = 1; i < count; i++) replay(arguments[i]);
    if (count == 1) replay(corpus);
    if (inputs == 0) {
        printf("[  FAILED  ] %s: there are no inputs\n", name);
        return 1;
    }
    printf("[       OK ] %s: %d inputs\n", name, inputs);
    return 0;
}
