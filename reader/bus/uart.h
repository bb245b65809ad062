/* uart.h: serial lines, for open.c. */
#ifndef READER_BUS_UART_H
#define READER_BUS_UART_H

#include "linux_bus.h"

bool uart_has_speed(uint32_t baud);

/* Raw, 8N1, no flow control, at bus->speed. @return 0, or -1 and errno */
int uart_set_up(struct linux_bus *bus);

#endif
