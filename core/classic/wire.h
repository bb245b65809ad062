/* wire.h: opcodes by name for the rooms of this folder. */
#ifndef SCRIP_CLASSIC_WIRE_H
#define SCRIP_CLASSIC_WIRE_H

#include <scrip/classic.h>

#define CLASSIC_COMMAND(opcode, id, name, operand, answer, timeout_ms, timeout2_ms, handler)                           \
    CLASSIC_FRONT_COMMAND(opcode, id, name, operand, answer, timeout_ms, timeout2_ms)

/** Opcodes: CMD_READ = 0x30 and so on, straight from the table. */
enum {
#define CLASSIC_FRONT_COMMAND(opcode, id, name, operand, answer, timeout_ms, timeout2_ms) CMD_##id = (opcode),
#include "commands.def"
#undef CLASSIC_FRONT_COMMAND
};

/** Row numbers: ROW_READ and so on. */
enum {
#define CLASSIC_FRONT_COMMAND(opcode, id, name, operand, answer, timeout_ms, timeout2_ms) ROW_##id,
#include "commands.def"
#undef CLASSIC_FRONT_COMMAND
    ROWS
};

#undef CLASSIC_COMMAND

#endif
