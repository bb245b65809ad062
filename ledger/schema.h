/* schema.h: the steps of ledger/schema, in order. Made by the build. */
#ifndef SCRIP_LEDGER_SCHEMA_H
#define SCRIP_LEDGER_SCHEMA_H

extern const char *const scrip_ledger_schema[];
extern const unsigned scrip_ledger_schema_count;

#endif
