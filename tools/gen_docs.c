/* gen_docs.c: writes man pages and completions at build time.  gen_docs scrip.1.in OUTDIR */
#include "frame.h"
#include <string.h>
#include <sys/stat.h>

static FILE *create(const char *dir, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
    }
    return file;
}

static int write_pages(const char *dir)
{
    const struct tool_command *command;
    for (size_t i = 0; (command = tool_command_at(i)) != NULL; i++) {
        char name[128];
        snprintf(name, sizeof name, "scrip-%s.1", command->name);
        for (char *c = name; *c != '\0'; c++) {
            *c = *c == ' ' ? '-' : *c;
        }
        FILE *file = create(dir, name);
        if (file == NULL) {
            return 1;
        }
        tool_man_command(file, command);
        fclose(file);
    }
    return 0;
}

static int write_overview(const char *template, const char *dir)
{
    FILE *in = fopen(template, "r");
    FILE *out = create(dir, "scrip.1");
    if (in == NULL || out == NULL) {
        return 1;
    }
    char line[1024];
    while (fgets(line, sizeof line, in) != NULL) {
        if (strcmp(line, "@COMMANDS@\n") == 0) {
            tool_man_list(out);
        } else {
            fputs(line, out);
        }
    }
    fclose(in);
    return fclose(out) != 0;
}

static int write_completion(const char *dir, const char *name, void (*write)(FILE *out))
{
    FILE *file = create(dir, name);
    if (file == NULL) {
        return 1;
    }
    write(file);
    return fclose(file) != 0;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: gen_docs scrip.1.in OUTDIR\n", stderr);
        return 2;
    }
    mkdir(argv[2], 0777);
    return write_pages(argv[2]) || write_overview(argv[1], argv[2]) ||
           write_completion(argv[2], "scrip.bash", tool_completion_bash) ||
           write_completion(argv[2], "_scrip", tool_completion_zsh);
}
