#include "nfc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <scrip/classic_card.h>
#include <scrip/posix.h>
#include <scrip/reader.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct nfc {
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random random;
    struct scrip_classic_host host;
    struct scrip_classic_card card;
    struct scrip_picc *cards[1];
    struct scrip_present how;
    volatile sig_atomic_t stop;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool ready;
    enum scrip_status status;
    char error[SCRIP_LINK_ERROR_MAX];
    char dump[600];
};

static void must(const char *what, enum scrip_status status)
{
    if (status != SCRIP_OK) {
        bench_die(what, scrip_strerror(status));
    }
}

static void on_device(void *ctx, const char *path)
{
    struct nfc *nfc = ctx;
    char device[128];
    (void)snprintf(device, sizeof device, "pn532_uart:%s", path);
    pthread_mutex_lock(&nfc->lock);
    (void)setenv("LIBNFC_DEVICE", device, 1);
    (void)setenv("LIBNFC_AUTO_SCAN", "false", 1);
    (void)setenv("LIBNFC_LOG_LEVEL", "1", 1);
    nfc->ready = true;
    pthread_cond_signal(&nfc->told);
    pthread_mutex_unlock(&nfc->lock);
}

static void *presenting(void *ctx)
{
    struct nfc *nfc = ctx;
    nfc->status = scrip_present_pn532(nfc->cards, 1, &nfc->how, nfc->error);
    pthread_mutex_lock(&nfc->lock);
    nfc->ready = true; /* nobody waits for a device that does not come */
    pthread_cond_signal(&nfc->told);
    pthread_mutex_unlock(&nfc->lock);
    return NULL;
}

/* Seconds that a program runs, its output thrown away. */
static double run_s(char *const argv[])
{
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int ended = 0;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    const double start = bench_now();
    const int failed = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
        bench_die(argv[0], strerror(failed));
    }
    while (waitpid(pid, &ended, 0) < 0 && errno == EINTR) {
    }
    return bench_now() - start;
}

static bool installed(const char *program)
{
    const char *path = getenv("PATH");
    char full[4096];
    while (path != NULL && *path != '\0') {
        const size_t len = strcspn(path, ":");
        (void)snprintf(full, sizeof full, "%.*s/%s", (int)len, path, program);
        if (access(full, X_OK) == 0) {
            return true;
        }
        path += len + (path[len] == ':');
    }
    return false;
}

struct nfc *nfc_start(const struct bench_options *options)
{
    const struct scrip_classic_identity identity = {.uid = {0xDE, 0xAD, 0xBE, 0xEF}, .uid_len = 4};
    const struct scrip_classic_options hardened = {.profile = SCRIP_CLASSIC_HARDENED};
    struct nfc *nfc = calloc(1, sizeof *nfc);
    if (nfc == NULL || !installed("nfc-mfclassic") || !installed("pn53x-tamashell")) {
        free(nfc);
        return NULL;
    }
    must("card", scrip_nv_memory_init(&nfc->memory, scrip_classic_card_pages(false)));
    nfc->nv = scrip_nv_memory(&nfc->memory);
    nfc->random = scrip_random_system();
    must("card", scrip_classic_card_make(&nfc->nv, &identity));
    nfc->host = (struct scrip_classic_host){.nv = &nfc->nv, .random = &nfc->random};
    scrip_classic_card_init(&nfc->card, &nfc->host, &hardened);
    nfc->cards[0] = &nfc->card.picc;
    nfc->how = (struct scrip_present){.stop = &nfc->stop, .ctx = nfc, .device = on_device};
    (void)snprintf(nfc->dump, sizeof nfc->dump, "%s/scrip-bench-nfc.mfd", options->folder);
    (void)pthread_mutex_init(&nfc->lock, NULL);
    (void)pthread_cond_init(&nfc->told, NULL);
    if (pthread_create(&nfc->thread, NULL, presenting, nfc) != 0) {
        bench_die("thread", strerror(errno));
    }
    pthread_mutex_lock(&nfc->lock);
    while (!nfc->ready) {
        (void)pthread_cond_wait(&nfc->told, &nfc->lock);
    }
    pthread_mutex_unlock(&nfc->lock);
    return nfc;
}

/* The dump that it leaves is the proof that it read. */
double nfc_read_s(const struct nfc *nfc)
{
    char program[] = "nfc-mfclassic";
    char read[] = "r";
    char key_a[] = "a";
    char any_uid[] = "u";
    char dump[sizeof nfc->dump];
    uint8_t block[SCRIP_CLASSIC_BLOCK];
    uint8_t read_back[SCRIP_CLASSIC_BLOCK] = {0};
    memcpy(dump, nfc->dump, sizeof dump);
    char *const argv[] = {program, read, key_a, any_uid, dump, NULL};
    (void)unlink(dump);
    const double spent = run_s(argv);
    must("card", scrip_classic_card_peek(&nfc->nv, 0, block));
    FILE *file = fopen(dump, "rb");
    const bool same = file != NULL && fread(read_back, 1, sizeof read_back, file) == sizeof read_back &&
                      memcmp(read_back, block, sizeof block) == 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    (void)unlink(dump);
    if (!same) {
        bench_die(program, "did not read the card");
    }
    return spent;
}

double nfc_open_s(const struct nfc *nfc)
{
    char program[] = "pn53x-tamashell"; /* at the end of its input it closes the reader */
    char *const argv[] = {program, NULL};
    (void)nfc;
    return run_s(argv);
}

void nfc_stop(struct nfc *nfc)
{
    nfc->stop = 1;
    (void)pthread_join(nfc->thread, NULL);
    must("reader", nfc->status);
    scrip_nv_memory_free(&nfc->memory);
    free(nfc);
}
