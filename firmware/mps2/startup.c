/* From reset to main. The stack is painted first, so that its deepest use can be read off (board_stack_used). */
#include "startup.h"
#include "../board.h"

#include <string.h>

extern uint8_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_bottom[], stack_top[];

int main(void);
void reset(void);

#define PAINT      0xA5
#define FAULT_EXIT 70  /* the emulator's exit code for a fault */
#define IN_USE     256 /* of the stack, by reset itself */

static void fault(void)
{
    board_stop(FAULT_EXIT);
}

void reset(void)
{
    memcpy(data_start, data_load, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    memset(stack_bottom, PAINT, (size_t)(stack_top - stack_bottom) - IN_USE);
    board_stop(main());
}

size_t board_stack_used(void)
{
    const uint8_t *at = stack_bottom;
    while (at < stack_top && *at == PAINT) {
        at++;
    }
    return (size_t)(stack_top - at);
}

size_t board_stack_size(void)
{
    return (size_t)(stack_top - stack_bottom);
}

/* Initial stack pointer, then the exceptions of the core. Of interrupts only the tick is used. */
__attribute__((section(".vectors"), used)) static const struct {
    void *stack;
    void (*handler[15])(void);
} vectors = {
    stack_top,
    {reset, fault, fault, fault, fault, fault, NULL, NULL, NULL, NULL, fault, fault, NULL, fault, startup_tick}};
