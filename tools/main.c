/* main.c: the program `scrip`. Everything is in tool_main, so that tests can call it. */
#include "frame.h"
#include <locale.h>
#include <signal.h>

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a write that fails, and no reason to die */
    return tool_main(argc, argv, stdout, stderr);
}
