// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Threads of fuzz_abi's children that write over everything that the process has mapped of its
 * device (rings of QPs, SRQs and CQs, several in one page; device memory) while the kernel works
 * with it: numbers, counters, and work requests that are nearly right.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <rdma/berth-abi.h>

#include "fuzz_abi.h"

#define PART_WORDS	512	/* a page may hold the rings of two QPs */

static struct ring {
	volatile uint32_t *at;
	size_t words;
} rings[64];

static volatile int nr_rings;

void rings_forget(void)
{
	nr_rings = 0;
}

void rings_find(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[512];
	int n = 0;

	while (maps && n < 64 && fgets(line, sizeof(line), maps))
		if (strstr(line, "uverbs") && sscanf(line, "%lx-%lx", &from, &to) == 2)
			rings[n++] = (struct ring){ (volatile uint32_t *)from, (to - from) / 4 };
	if (maps)
		fclose(maps);
	nr_rings = n;
}

static void put_words(volatile uint32_t *at, size_t room, const void *from, size_t bytes)
{
	uint32_t copy[32];

	if (room < bytes / 4)
		return;
	memcpy(copy, from, bytes);
	for (size_t i = 0; i < bytes / 4; i++)
		at[i] = copy[i];
}

/* A work request that is nearly one: what its union means depends on the opcode. */
static void put_send(volatile uint32_t *at, size_t room, uint64_t r)
{
	struct berth_send_wqe wqe = {
		.wr_id = r, .opcode = (uint8_t)(r % 14), .flags = (uint8_t)(r >> 8 & 0x1f),
		.num_sge = (uint8_t)(r >> 16 & 3), .inline_len = (uint32_t)(r >> 24 & 0x3ff),
		.rkey = (uint32_t)(r >> 20), .remote_addr = (uintptr_t)child.memory + (r >> 40 & 0xffff),
		.bind = { .length = r >> 33 & 0x7fff },
	};
	struct ibv_mr *mr = child.mr.item[r % FUZZ_MANY];
	struct ibv_mw *mw = child.mw.item[(r >> 4) % FUZZ_MANY];
	bool bind = wqe.opcode == BERTH_WR_BIND_MW;

	/* Without inline bytes, or without any, where most were refused otherwise. */
	if (wqe.opcode >= BERTH_WR_CMP_SWP && r >> 63)
		wqe.flags &= (uint8_t)~BERTH_WR_INLINE;
	if (wqe.opcode >= BERTH_WR_LOCAL_INV && r >> 63)
		wqe.num_sge = 0;
	if (!(wqe.flags & BERTH_WR_INLINE) && r >> 63)
		wqe.inline_len = 0;
	if (mr) {
		wqe.rkey = mr->rkey;
		wqe.ex = mr->rkey;
		if (bind)
			wqe.bind.lkey = mr->lkey;
	}
	if (bind)
		wqe.bind.access = (uint32_t)(r >> 50 & 0x3f);
	if (mw && (bind || r & 0x40)) {
		wqe.rkey = mw->rkey;
		wqe.ex = bind ? mw->rkey ^ (uint32_t)(r >> 56) : mw->rkey;
	}
	if (!(r & 0x1f000)) {
		wqe.rkey = innocent_region((uint32_t)r)->key;
		wqe.remote_addr = innocent_region((uint32_t)r)->addr;
	}
	put_words(at, room, &wqe, sizeof(wqe));
}

static void put_recv(volatile uint32_t *at, size_t room, uint64_t r)
{
	struct {
		struct berth_recv_wqe wqe;
		struct berth_sge sge[2];
	} recv = {
		.wqe = { .wr_id = r, .num_sge = (uint32_t)(r >> 8 & 3), .reserved = !(r & 0xf0000) },
	};

	for (unsigned int i = 0; i < 2; i++) {
		struct ibv_mr *mr = child.mr.item[(r >> (8 * i)) % FUZZ_MANY];

		recv.sge[i].addr = (uintptr_t)child.memory + (r >> (20 + i) & 0x3ffff);
		recv.sge[i].length = (uint32_t)(r >> (40 + i) & 0x1fff);
		recv.sge[i].lkey = mr && r & 0x800 ? mr->lkey : innocent_region((uint32_t)r)->key;
	}
	put_words(at, room, &recv, sizeof(recv));
}

static void scribble_once(uint64_t *rnd, const struct ring *ring)
{
	uint64_t r = vt_rand(rnd);
	size_t word = vt_rand(rnd) % ring->words;
	size_t entry = word & ~3UL;

	/* The counters are in the first words. */
	if (r >> 60 < 6) {
		word = (r >> 32 & 3) * 16 + (r >> 34 & 1) * PART_WORDS;
		word %= ring->words;
	}
	if (r >> 60 == 15)
		put_send(ring->at + entry, ring->words - entry, vt_rand(rnd));
	else if (r >> 60 == 14)
		put_recv(ring->at + entry, ring->words - entry, vt_rand(rnd));
	else if (r >> 60 & 1)
		ring->at[word] += (uint32_t)(r >> 8 & 7);
	else
		ring->at[word] = (uint32_t)(r >> 8);
	if (!(r & 0x3f0))
		sched_yield();
}

static void *scribble(void *arg)
{
	uint64_t rnd = *(uint64_t *)arg;

	for (;;) {
		int n = nr_rings;
		struct ring ring;

		if (!n) {
			sched_yield();
			continue;
		}
		ring = rings[vt_rand(&rnd) % (uint64_t)n];
		scribble_once(&rnd, &ring);
	}
	return NULL;
}

void scribble_start(uint64_t seed)
{
	static uint64_t seeds[2];
	static int nr;
	pthread_t thread;

	seeds[nr & 1] = seed;
	pthread_create(&thread, NULL, scribble, &seeds[nr++ & 1]);
}
