/* replay.c: runs a fuzz target without libFuzzer: first every file of its corpus, then mutations of them.
 *
 *   fuzz_NAME CORPUS_DIR [MUTATIONS [SEED]]
 *
 * The mutations are a fixed number from a printed seed, so that a failing run can be repeated. An empty corpus fails.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX 65536U
#define FILES_MAX 4096U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    uint8_t *bytes;
    size_t len;
};

static struct input corpus[FILES_MAX];
static size_t corpus_count;

/* xorshift64*: repeatable and good enough to choose mutations. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || corpus_count == FILES_MAX) {
        fprintf(stderr, "%s: %s\n", path, file == NULL ? strerror(errno) : "too many files");
        exit(1);
    }
    uint8_t *bytes = malloc(INPUT_MAX);
    if (bytes == NULL) {
        exit(1);
    }
    corpus[corpus_count++] = (struct input){.bytes = bytes, .len = fread(bytes, 1, INPUT_MAX, file)};
    fclose(file);
}

static void load_all(const char *dir)
{
    struct dirent **entries;
    const int count = scandir(dir, &entries, NULL, by_name);
    for (int i = 0; i < count; i++) {
        char path[4096];
        struct stat info;
        snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name);
        if (stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
            load(path);
        }
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
}

/* An input of its exact size on the heap, so that AddressSanitizer sees the first byte read past its end. */
static void run(const uint8_t *bytes, size_t len)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);
    if (exact == NULL) {
        exit(1);
    }
    memcpy(exact, bytes, len);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}

static size_t mutate(uint8_t *bytes, size_t len, uint64_t *random)
{
    const uint64_t edits = 1 + next_random(random) % 8;
    for (uint64_t i = 0; i < edits; i++) {
        const uint64_t pick = next_random(random);
        const size_t at = len > 0 ? (size_t)(pick >> 8) % len : 0;
        switch (pick % 6) {
        case 0:
        case 1:
            if (len > 0) {
                bytes[at] ^= (uint8_t)(1U << (pick >> 40) % 8);
            }
            break;
        case 2:
            if (len > 0) {
                bytes[at] = (uint8_t)(pick >> 40);
            }
            break;
        case 3:
            len = at;
            break;
        case 4:
            if (len < INPUT_MAX) {
                memmove(bytes + at + 1, bytes + at, len - at);
                bytes[at] = (uint8_t)(pick >> 40);
                len++;
            }
            break;
        default: { /* splice the tail of another input */
            const struct input *other = &corpus[(pick >> 20) % corpus_count];
            const size_t from = other->len > 0 ? (size_t)(pick >> 30) % other->len : 0;
            const size_t count = other->len - from < INPUT_MAX - at ? other->len - from : INPUT_MAX - at;
            memcpy(bytes + at, other->bytes + from, count);
            len = at + count;
        }
        }
    }
    return len;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s CORPUS_DIR [MUTATIONS [SEED]]\n", argv[0]);
        return 2;
    }
    const unsigned long mutations = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    uint64_t random = argc > 3 ? strtoull(argv[3], NULL, 10) : 20200702;
    load_all(argv[1]);
    if (corpus_count == 0) {
        fprintf(stderr, "%s: no corpus in %s\n", argv[0], argv[1]);
        return 1;
    }
    printf("%zu inputs, %lu mutations, seed %llu\n", corpus_count, mutations, (unsigned long long)random);
    for (size_t i = 0; i < corpus_count; i++) {
        run(corpus[i].bytes, corpus[i].len);
    }
    static uint8_t bytes[INPUT_MAX + 1];
    for (unsigned long i = 0; i < mutations; i++) {
        const struct input *start = &corpus[next_random(&random) % corpus_count];
        memcpy(bytes, start->bytes, start->len);
        run(bytes, mutate(bytes, start->len, &random));
    }
    for (size_t i = 0; i < corpus_count; i++) {
        free(corpus[i].bytes);
    }
    return 0;
}
