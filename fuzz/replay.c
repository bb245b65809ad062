/* replay.c: runs a fuzz target over files and directories of inputs, once each; what ctest does with the corpus. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    uint8_t *data = malloc(1U << 20);
    const size_t len = data != NULL ? fread(data, 1, 1U << 20, file) : 0;
    fclose(file);
    /* An exact copy, so that the sanitizer sees a read past the end. */
    uint8_t *exact = malloc(len != 0 ? len : 1);
    for (size_t i = 0; exact != NULL && i < len; i++) {
        exact[i] = data[i];
    }
    free(data);
    if (exact == NULL) {
        return 1;
    }
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    replayed++;
    return 0;
}

static int replay(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return replay_file(path);
    }
    int failed = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char name[1024];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.') {
            failed |= replay(name);
        }
    }
    closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        failed |= replay(argv[i]);
    }
    printf("%u inputs replayed\n", replayed);
    return failed || replayed == 0;
}
