/* board.h: what a board supplies to the terminal. One board is one folder; mps2/ is the emulated one. To move the
 * terminal to another board, write these functions (docs/firmware.md). */
#ifndef FIRMWARE_BOARD_H
#define FIRMWARE_BOARD_H

#include <scrip/bus.h>
#include <scrip/host.h>

/** Clocks, console, reader line, flash. Called once, before everything else. */
void board_start(void);

/** The console: a serial line to people, 8 bits. Writing waits until the line takes it. */
void board_console_write(const char *text, size_t len);

/** The next character from the console; -1: none. */
int board_console_read(void);

/** The serial line to the reader chip. Static. */
const struct scrip_uart *board_reader(void);

/** Time for drivers. Static. */
const struct scrip_ticks *board_ticks(void);

/** Milliseconds since the start; wraps after 49 days. */
uint32_t board_now_ms(void);

/** Memory that keeps its contents: FIRMWARE_FLASH_PAGES pages. A page whose write was interrupted may hold anything.
 *  Static. */
const struct scrip_nv *board_flash(void);

#define FIRMWARE_FLASH_PAGES 512U

/** Something that differs at every start: a hardware generator where there is one, else all that can be had (counters,
 *  noise). It is mixed into the generator of random numbers together with a secret that the terminal keeps. */
void board_entropy(uint8_t out[16]);

/** Bytes of the stack that were ever used, and all of them. */
size_t board_stack_used(void);
size_t board_stack_size(void);

/** Nothing to do until the next interrupt. */
void board_sleep(void);

/** Start again from the reset vector. */
_Noreturn void board_reset(void);

/** The end: an emulator leaves with this code; a board stays here. */
_Noreturn void board_stop(int code);

#endif
