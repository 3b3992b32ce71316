/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* nic_area: what its files share: a dma-buf that is bound to a queue of a NIC, with an area over it. */
#ifndef NIC_AREA_H
#define NIC_AREA_H

#include <infiniband/berthdv.h>
#include <pthread.h>

#include "vtest.h"

#define CHUNK		4096
#define CHUNKS		512
#define BYTES		((size_t)CHUNKS * CHUNK)
#define MESSAGE		65536
#define IOVA		0x1880000000ULL
#define SEED		0x41c
#define SENDS		50

struct bench {
	struct vt_dev *dev, *peer;
	uint8_t *mem;
	int fd, binding;
	struct ibv_mr *mr;
	struct berthdv_area *area;
	struct ibv_cq *cq, *scq;
	uint64_t handed, copied;	/* bytes of pieces that were so, or not */
	uint32_t token[CHUNKS];	/* held */
	uint32_t tokens;
};

struct writer {
	pthread_t thread;
	int sock;
	size_t bytes;
	uint64_t seed;
};

/* SENDs into the area, of any length, one after the other. */
struct sends {
	struct vt_pair *p;
	struct vt_buf *src;
	uint32_t count;
	bool under_way;
};

int nic_area_try_bind(struct bench *b);
void nic_area_bind_in_time(struct bench *b);
struct bench *nic_area_memory_of(int fd);
struct bench *nic_area_memory_new(enum vt_mem kind);
struct berthdv_area *nic_area_try(struct bench *b, uint32_t chunk, uint64_t length);
void nic_area_new(struct bench *b);
struct bench *nic_area_bench_new(enum vt_mem kind);
void nic_area_pair_of_sockets(int sock[2]);
int nic_area_stream_new(struct bench *b, struct berthdv_area *area, struct ibv_qp **qp);
void nic_area_writer_start(struct writer *w);
void nic_area_writer_end(struct writer *w);
void nic_area_give_back(struct bench *b);
void nic_area_check_pieces(struct bench *b, uint32_t token, uint32_t length, uint64_t seed, uint64_t pos);
uint32_t nic_area_take(struct bench *b, uint64_t pos);
void nic_area_take_all(struct bench *b, uint64_t pos, size_t bytes);
struct vt_pair *nic_area_rc_pair(struct bench *b);
bool nic_area_send_on(struct bench *b, struct sends *s);
int nic_area_destroy(void *area);
void nic_area_add_life(void);

#endif
