/* startup.h: what the vector table calls. */
#ifndef FIRMWARE_MPS2_STARTUP_H
#define FIRMWARE_MPS2_STARTUP_H

/** The tick's interrupt, by board.c. */
void startup_tick(void);

#endif
