/* A fare terminal on a microcontroller: the core, one reader chip's driver, and no heap. */
#include "board.h"
#include "console.h"
#include "terminal.h"

#define CANNOT_START 1

int main(void);

int main(void)
{
    static struct terminal terminal;
    board_start();
    console_line("", NULL);
    console_line("scrip terminal", NULL);
    if (!terminal_start(&terminal)) {
        return CANNOT_START;
    }
    console_line("ready: type help", NULL);
    for (;;) {
        char *line = console_poll();
        if (line != NULL) {
            command_run(&terminal, line);
            console_forget();
        }
        terminal_look(&terminal);
        board_sleep();
    }
}
