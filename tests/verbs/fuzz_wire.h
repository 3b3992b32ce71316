/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* What the files of fuzz_wire share: the QPs that packets are made for, and the memory around. */
#ifndef FUZZ_WIRE_H
#define FUZZ_WIRE_H

#include "fuzz.h"
#include "fuzz_field.h"
#include "fuzz_frame.h"
#include "fuzz_srq.h"

#define VICTIM_BYTES	(64 * 1024)
#define SECRET_BYTES	8192
#define RECV_BYTES	4096	/* of one receive */
#define RECVS		8

enum victim_kind {
	VICTIM_GHOST,		/* its peer is us */
	VICTIM_LIVE,		/* its peer is another victim, and we are between them */
	VICTIM_UD,
};

struct victim {
	enum victim_kind kind;
	int side;		/* of the device: 0 vt_cfg.dev, 1 vt_cfg.peer */
	bool v6;
	struct vt_opts opts;
	struct vt_ep ep;
	struct victim *peer;	/* live */
	struct fuzz_srq *srq;	/* where its receives come from, or NULL */
	bool attached;		/* UD: to the group */
	uint32_t ghost_qpn;
	/* As of the last look. */
	enum ibv_qp_state state;
	uint32_t mtu, sq_psn, rq_psn;
};

struct fuzz_world {
	struct vt_dev *dev[2];
	struct frame_road road[2];
	struct victim victims[16];
	int nr_victims;
	/* Per device. What packets may write, and what receives may be written to. */
	struct vt_buf *target[2], *inbox[2];
	/* What must not change: only to be read, not remote at all, another PD's. */
	struct vt_buf *readonly[2], *localonly[2];
	uint64_t *secret[2];
	struct ibv_mr *secret_mr[2];
	struct fuzz_field field[2];
	struct fuzz_srq calm, scribbled;	/* on the devices 0 and 1 */
	unsigned long packets;
};

#define SECRET_WORD	0x5ec2e7c0ffee5ec2ULL

/** gen_burst() - Make and send some packets to a victim. */
void gen_burst(struct fuzz_world *w, struct victim *v);

/** victims_new() - Create and connect them all. */
void victims_new(struct fuzz_world *w);

/** victim_look() - Bring a victim back to life where needed, have it do something, note its PSNs. */
void victim_look(struct fuzz_world *w, struct victim *v);

/** victims_finish() - Those that have a peer among them work, once connected anew; none is left. */
void victims_finish(struct fuzz_world *w);

#endif
