/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What the fuzzers share: options, random numbers, and the innocent: a process with QPs of its own
 * whose traffic is verified throughout, so that what a fuzzer does to others would be seen.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "vtest.h"

struct fuzz_config {
	uint64_t seed;		/* of the run; printed */
	unsigned int seconds;	/* 0: bounded by count */
	unsigned long count;	/* steps, where seconds is 0 */
};

extern struct fuzz_config fuzz_cfg;

/** fuzz_options() - Take --seed, --seconds and --count out of the arguments. */
void fuzz_options(int *argc, char **argv, unsigned long count);

/** fuzz_begin() - Print the seed, start the clock and the random numbers of this case. */
void fuzz_begin(void);

/** fuzz_reseed() - Random numbers of fuzz_cfg.seed again, in a process of its own seed. */
void fuzz_reseed(void);

/** fuzz_on() - Whether another step is to be taken. */
bool fuzz_on(unsigned long done);

/** fuzz_seconds() - Time limit for vt_add(). */
unsigned int fuzz_seconds(void);

uint64_t fuzz_rnd(void);
uint32_t fuzz_below(uint32_t n);
bool fuzz_odds(unsigned int percent);
void fuzz_bytes(void *buf, size_t len);
/** fuzz_odd() - A number that is likely to be a special one. */
uint64_t fuzz_odd(void);

#define INNOCENT_QPS	4

/** innocent_start() - Fork it; to be called before the case opens anything. */
void innocent_start(void);

/** innocent_qpns() - The numbers of its QPs: never a packet that is rightly theirs. */
const uint32_t *innocent_qpns(void);

/* Memory of the innocent and the key to it, which nobody else may use. */
struct innocent_region {
	uint64_t addr;
	uint32_t key;
};

/** innocent_region() - One of them, whatever @i is. */
const struct innocent_region *innocent_region(uint32_t i);

/** innocent_check() - Fail the case unless it lives and has done a round since the last check. */
void innocent_check(void);

/** innocent_stop() - Let it end, and fail the case when it does not end well. */
void innocent_stop(void);

#endif
