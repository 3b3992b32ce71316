/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef BERTH_PERF_LANDING_H
#define BERTH_PERF_LANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <infiniband/berthdv.h>

#include "../common/exporter.h"

/*
 * The bytes of the stream repeat after so many. That is no multiple of a page: the same bytes come to the same
 * place of a page only after 512 periods.
 */
#define LANDING_PERIOD	((UINT64_C(1) << 20) + 8)

enum landing_mode {
	LANDING_STREAM,
	LANDING_POSTED,
	LANDING_DEVMEM,
	LANDING_SOCKET,
};

/**
 * struct landing_options - what the user asks for
 * @mode: how the receiver takes the bytes
 * @address: of the receiver; NULL: this is the receiver
 * @port: TCP port
 * @size: bytes of a write, and of a receive or a read at most
 * @iterations: writes; 0: as many as @seconds allow
 * @seconds: of writing; 0: @iterations counts
 * @memory: bytes that there are to land in
 * @device: RDMA device, or NULL for the first of berth
 * @netdev: has the receive queue that the dma-buf is bound to; NULL: it is not bound
 * @queue: number of that queue
 * @use_dmabuf: land in a dma-buf of @exporter, else in host memory
 * @exporter: who hands it out
 * @verify: compare every byte with the pattern
 */
struct landing_options {
	enum landing_mode mode;
	const char *address;
	uint16_t port;
	uint64_t size;
	uint64_t iterations;
	uint64_t seconds;
	uint64_t memory;
	const char *device;
	const char *netdev;
	uint32_t queue;
	bool use_dmabuf;
	struct exporter exporter;
	bool verify;
};

/**
 * struct landing - a receiver
 * @opt: what the user asks for
 * @dmabuf: descriptor, or -1 for host memory
 * @map: the memory, for this program
 * @size: its bytes
 * @binding: netlink socket that holds the binding to a queue, or -1
 * @bytes: that have arrived
 * @handed_over: those of them that no CPU has copied from where the network put them
 * @linear: where devmem TCP puts bytes that did not come as device memory
 * @ctx: this one and the following: of the modes that have a QP
 * @pd: protection domain
 * @mr: the memory
 * @area: the memory in chunks, or NULL with posted receives
 * @channel: tells of completions
 * @cq: of @qp
 * @qp: adopts the connection; NULL when it has given it back
 */
struct landing {
	const struct landing_options *opt;
	int dmabuf;
	uint8_t *map;
	size_t size;
	int binding;
	uint64_t bytes;
	uint64_t handed_over;
	uint8_t *linear;
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	struct berthdv_area *area;
	struct ibv_comp_channel *channel;
	struct ibv_cq *cq;
	struct ibv_qp *qp;
};

/**
 * struct landing_ops - a mode
 * @set_up: after the memory is there, before anybody connects
 * @land: takes what comes by a connection until its end; afterwards the socket is this program's
 * @tear_down: of what is there, also after a failure
 */
struct landing_ops {
	int (*set_up)(struct landing *l);
	int (*land)(struct landing *l, int sock);
	void (*tear_down)(struct landing *l);
};

extern const struct landing_ops landing_stream_ops;
extern const struct landing_ops landing_devmem_ops;
extern const struct landing_ops landing_socket_ops;

int landing_receive(const struct landing_options *opt);
int landing_send(const struct landing_options *opt);
int landing_bind(const char *netdev, uint32_t queue, int dmabuf);

int landing_failed(const char *what);
uint64_t landing_now(void);
void landing_report(const struct landing_options *opt, uint64_t bytes, uint64_t ns,
		    const struct landing *l);
void landing_fill(uint8_t *dst, size_t length);

int landing_begin_access(const struct landing *l);
void landing_end_access(const struct landing *l);
int landing_take(struct landing *l, const uint8_t *at, size_t length);
int landing_take_memory(struct landing *l, uint64_t offset, size_t length);
size_t landing_mismatch(const uint8_t *src, size_t length, uint64_t at, uint8_t *want);

#endif
