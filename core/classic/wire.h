/* wire.h: opcodes by name for the rooms of this folder. */
#ifndef SCRIP_CLASSIC_WIRE_H
#define SCRIP_CLASSIC_WIRE_H

#include <scrip/classic.h>

/** Opcodes: CMD_READ = 0x30 and so on, straight from the table. */
enum {
#define CLASSIC_COMMAND(opcode, id, name, session, operand, answer, timeout_ms, timeout2_ms, handler)                  \
    CMD_##id = (opcode),
#include "commands.def"
#undef CLASSIC_COMMAND
};

/** Row numbers: ROW_READ and so on. */
enum {
#define CLASSIC_COMMAND(opcode, id, name, session, operand, answer, timeout_ms, timeout2_ms, handler) ROW_##id,
#include "commands.def"
#undef CLASSIC_COMMAND
    ROWS
};

#endif
