/* version.c: scrip version */
#include "tool.h"

#ifndef SCRIP_VERSION
#define SCRIP_VERSION "unknown"
#endif

static int run(struct tool *tool)
{
    tool_say(tool, "scrip %s", SCRIP_VERSION);
    tool_put(tool, "version", json_string(SCRIP_VERSION));
    return TOOL_OK;
}

const struct tool_command tool_version = {
    .name = "version",
    .summary = "print the version",
    .run = run,
};
