/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What the files of fuzz_abi share. */
#ifndef FUZZ_ABI_H
#define FUZZ_ABI_H

#include "fuzz.h"

#define FUZZ_MANY	12
#define FUZZ_MEMORY	(256 * 1024)

struct fuzz_bag {
	void *item[FUZZ_MANY];
};

/* All that a child has of its device. */
struct fuzz_child {
	struct ibv_context *ctx;
	int doorbell;
	union ibv_gid gid;
	int gid_index;
	struct fuzz_bag td, pd, chan, cq, srq, qp, mr, mw, dm, ah, area;
	uint8_t *memory;
};

extern struct fuzz_child child;

/* One of a bag, or NULL; what falls out of a bag is left to the exit. */
void *bag_pick(struct fuzz_bag *b);
void bag_keep(struct fuzz_bag *b, void *item);
void *bag_take(struct fuzz_bag *b);

/** fuzz_limit() - A number up to the usual one, or any. */
uint32_t fuzz_limit(uint32_t usual);

/** fuzz_sge() - Of the child's own memory, of an innocent's, or nonsense. */
struct ibv_sge fuzz_sge(void);

/** fuzz_access() - All rights, or any. */
int fuzz_access(void);

/** mutate_arm() - Have the next uverbs calls changed on their way, with that many percent. */
void mutate_arm(unsigned int percent);

/** mutate_forgets() - Whether a call was changed since the last question: its result means nothing. */
bool mutate_forgets(void);

/** scribble_start() - A thread that writes over all rings of this process until it ends. */
void scribble_start(uint64_t seed);

/** rings_find() - Have it write over what is mapped now. */
void rings_find(void);

/** rings_forget() - Have it rest: something may be unmapped. */
void rings_forget(void);

/* Objects beyond those of a connection (fuzz_objects.c). */
void do_domains(void);
void do_cq_ex(void);
void do_srq(void);
void do_srq_modify(void);
void do_srq_recv(void);
void do_null_mr(void);
void do_mw(void);
void do_bind(void);
void do_dm(void);
void do_dm_mr(void);
void do_dm_copy(void);
void do_mcast(void);
void do_destroy(void);

/* TCP-offload QPs and sockets (fuzz_stream.c). */
void do_tcp_qp(void);
void do_attach(void);
void do_socket(void);

/* Areas (fuzz_area.c). */
void area_open(void);
void do_area(void);
void do_area_srq(void);
void do_area_qp(void);
void do_area_return(void);

/** fuzz_child() - Open the devices without privileges and misuse them. Does not return. */
void fuzz_child(uint64_t seed) __attribute__((noreturn));

#endif
