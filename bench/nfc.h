/* nfc.h: a program nobody here wrote reads one of our cards through the PN532 model. */
#ifndef SCRIP_BENCH_NFC_H
#define SCRIP_BENCH_NFC_H

#include "bench.h"

/** How long libnfc sleeps when it opens a serial line [pn532_uart.c of 1.8.0], seconds: the least any of its programs
 *  can take. */
#define NFC_SLEEP_S 0.050

/** A PN532 with a MIFARE Classic 1K, in a thread of this process. Fields private. */
struct nfc;

/** @return NULL: libnfc's programs are not installed */
struct nfc *nfc_start(const struct bench_options *options);

/** Seconds of one run of nfc-mfclassic that reads the whole card, start and end of the program included. */
double nfc_read_s(const struct nfc *nfc);

/** Seconds of a program that opens the reader and closes it again. */
double nfc_open_s(const struct nfc *nfc);

void nfc_stop(struct nfc *nfc);

#endif
