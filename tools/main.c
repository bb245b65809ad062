/* main.c: the program `scrip`. Everything is in tool_main, so that tests can call it. */
#include "frame.h"
#include <locale.h>
#include <signal.h>

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    return tool_main(argc, argv, stdout, stderr);
}
