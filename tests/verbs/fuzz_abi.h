/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What the files of fuzz_abi share. */
#ifndef FUZZ_ABI_H
#define FUZZ_ABI_H

#include "fuzz.h"

/** mutate_arm() - Have the next uverbs calls changed on their way, with that many percent. */
void mutate_arm(unsigned int percent);

/** mutate_forgets() - Whether a call was changed since the last question: its result means nothing. */
bool mutate_forgets(void);

/** scribble_start() - A thread that writes over all rings of this process until it ends. */
void scribble_start(uint64_t seed);

/** fuzz_child() - Open the devices without privileges and misuse them. Does not return. */
void fuzz_child(uint64_t seed) __attribute__((noreturn));

#endif
