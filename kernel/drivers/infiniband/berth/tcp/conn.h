/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TCP-offload QPs, message mode: the semantics of RC over a TCP connection of the kernel, framed as
 * MPA, DDP and RDMAP (RFC 5044, 5041, 5040, 7306).
 *
 * struct berth_tcp belongs to a QP and lives as long as it; struct berth_conn is one connection, from
 * the end of MPA's handshake until the QP is reset or destroyed. Everything of a connection is under
 * its socket's lock: sent to and received from by whoever holds that, a process, a worker or TCP
 * itself in softirq. Order: the socket's lock, sq.lock, rq.lock; tcp->lock is innermost.
 */
#ifndef BERTH_TCP_CONN_H
#define BERTH_TCP_CONN_H

#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>
#include "../obj/qp.h"
#include "../wire/ddp.h"
#include "../wire/fpdu.h"
#include "../wire/mpa.h"
#include "ahead.h"
#include "batch.h"
#include "part.h"
#include "runner.h"

/* Zero-length READs that may be unanswered: they ask for an acknowledgement. */
#define BERTH_TCP_ACKS		2

/* What the peer may have outstanding: READs, atomics, acknowledgements. */
#define BERTH_TCP_ANSWERS	32
static_assert(BERTH_TCP_ANSWERS >= BERTH_MAX_RD_ATOMIC + BERTH_TCP_ACKS);

/*
 * Immediate data (RFC 7306: eight bytes): the consumer's, and what it is for. With a WRITE it comes
 * behind it and takes a receive; with a SEND it precedes it. The others are none of the consumer's and
 * no messages of the queue: RNR says that no receive is posted for the message number in its place,
 * LENGTH how long the WRITE of several segments is that follows, so that all of it can be refused.
 */
struct berth_tcp_imm {
	__be32 data;
	__be32 kind;
};

#define BERTH_TCP_IMM_WRITE	0
#define BERTH_TCP_IMM_SEND	(1U << 24)
#define BERTH_TCP_IMM_RNR	(2U << 24)	/* and the code of the timer */
#define BERTH_TCP_IMM_LENGTH	(3U << 24)
#define BERTH_TCP_IMM_PARAM	0x1f
static_assert(sizeof(struct berth_tcp_imm) == sizeof(__be64));

enum berth_tcp_expected {
	BERTH_TCP_ACK,		/* a zero-length READ: what was sent before it has been carried out */
	BERTH_TCP_READ,
	BERTH_TCP_ATOMIC,
};

/* An answer that we wait for. They come in the order of the requests. */
struct berth_tcp_expect {
	u8 kind;		/* enum berth_tcp_expected */
	u32 counter;		/* of the WQE; of an ACK: WQEs before it are done */
	u32 id;			/* its sink STag, or request identifier */
	u32 landed;		/* READ: bytes */
};

/* An answer that the peer waits for. */
struct berth_tcp_answer {
	bool atomic;
	u32 id;			/* sink STag, or request identifier */
	u64 sink;		/* sink TO */
	u64 va;			/* source; of an atomic: the value that it found */
	u32 rkey;
	u32 length;
	u32 offset;		/* bytes sent */
};

/* Done before anything else is taken; each may have to wait. */
enum berth_tcp_todo {
	BERTH_TCP_NOTHING,
	BERTH_TCP_BEGIN,	/* payload follows: may it be placed? */
	BERTH_TCP_FINISH,	/* payload and trailer have come */
	BERTH_TCP_WHOLE,	/* there is no payload: both at once */
};

struct iw_cm_id;

struct berth_conn {
	refcount_t refs;
	struct socket *sock;		/* released when the QP lets go of the connection */
	struct berth_runner runner;	/* its sk with a reference, until refs is 0 */

	/* All below under the socket's lock. */
	struct berth_qp *qp;		/* NULL: the QP has let go of it */
	struct berth_parts *parts;	/* of an iWARP connection (iw.c), else NULL */
	u32 piece;			/* payload of one FPDU at most */
	bool crc;
	bool heard;			/* the acceptor may send: an FPDU has come */
	bool presumes;			/* it may at presume_at, too */
	unsigned long presume_at;	/* jiffies */
	bool receiving;			/* berth_tcp_receive() is */
	bool ended;			/* by the peer, or broken: nothing is sent or taken any more */
	bool used;			/* requests have gone or come by it */
	bool silent;			/* the peer's TCP does not answer; written by the timer */
	bool probe;			/* ask it whether it is there; the same */

	/* Receiving (recv.c, respond.c, response.c). */
	struct berth_fpdu fpdu;
	u32 sum;			/* CRC of the FPDU so far */
	u8 todo;			/* enum berth_tcp_todo: what its segment still calls for */
	bool broken;			/* what comes is thrown away */
	bool unready;			/* the segment waits for a receive */
	bool refusing;			/* it is refused, when what was asked before it has been answered, */
	unsigned long refuse_at;	/* or at this time (jiffies) */
	struct berth_ahead ahead;	/* what is behind it */
	u8 opcode;			/* of the SEND that is arriving */
	u32 placed;			/* payload of the segment that has landed */
	u32 msn[BERTH_QNS];		/* expected next, by queue number */
	u32 write_bytes;		/* of the WRITE that is arriving, or has just arrived */
	bool write_open;		/* its last segment has not come */
	u32 write_length;		/* of the next one, when it was announced; else 0 */
	bool imm_held;			/* the next SEND's immediate data has come */
	__be32 imm;

	/* Sending (send.c). */
	struct berth_batch batch;
	u32 next_msn[BERTH_QNS];
	u32 next_id;
	bool immediate_sent;		/* of the SEND at sq.next */
	bool payload_sent;		/* of the WRITE at sq.next */
	bool announced;			/* its length was */
	struct berth_tcp_expect expect[BERTH_TCP_ANSWERS];
	u32 expect_first, expect_count;
	u8 acks;			/* of those expected */
	u32 asked;			/* WQEs before this one are covered by what is expected */
	struct berth_tcp_answer answer[BERTH_TCP_ANSWERS];
	u32 answer_first, answer_count;
	u32 fetches;			/* of those: READs with bytes, atomics */
	bool greet;			/* the dialer has to be heard first */
	bool terminate_due;		/* term is to be sent, then nothing else */
	bool terminating;
	struct berth_term term;
	bool tell_rnr;			/* the peer is to be told that no receive is there */
	bool rnr_told;			/* once for the message that waits */
	bool peer_rnr;			/* the peer has told so; under sq.lock, as all of these: */
	u32 peer_rnr_usec;
	bool report_drained;		/* SQD: nothing is outstanding any more */
};

/*
 * Does the peer know RFC 5040 only, or may it? Nothing of RFC 7306 is said to it, and nobody tells when a SEND
 * or WRITE has been carried out: it is complete when the peer has it and its bytes are free.
 */
static inline bool berth_conn_is_iw(const struct berth_conn *conn)
{
	return conn->parts;
}

/* How far a QP's connection is. */
enum berth_tcp_state {
	BERTH_TCP_IDLE,		/* before RTR */
	BERTH_TCP_AWAIT,	/* the peer dials */
	BERTH_TCP_DIAL,		/* we do: at once, or again later */
	BERTH_TCP_CONNECTING,	/* TCP's handshake */
	BERTH_TCP_GREETED,	/* our request is sent, the reply is not here */
	BERTH_TCP_UP,		/* one that was used is the only one before RESET */
	BERTH_TCP_CLOSING,	/* the QP has failed: until the peer has closed, too */
};

/* What a TCP QP has besides other QPs. */
struct berth_tcp {
	struct berth_qp *qp;
	spinlock_t lock;		/* conn; innermost */
	struct berth_conn *conn;
	struct delayed_work run_work;	/* goes on sending and taking */

	bool listening;			/* berth_listen_open(); written by modify and destroy */
	struct mutex mutex;		/* what follows; taken by works and by modify and destroy */
	enum berth_tcp_state state;
	struct delayed_work work;	/* dial.c: connects; closes what the QP does not want any more */
	struct berth_path path;		/* of the QP when its work last looked, for addresses; it has no route */
	struct berth_greeting *greeting;	/* CONNECTING, GREETED: with whom */
	u32 attempts;
	unsigned long give_up;		/* jiffies: this attempt has failed */
	unsigned long dial_at;		/* jiffies: the next attempt may begin */

	/* Of links of type berth_iw (iw_cm.c), under mutex, too. */
	struct iw_cm_id *cm_id;		/* referenced, from the first attempt until CLOSE was told */
	struct berth_mpa_frame iw_frame;	/* the request, with private data at iw_pd */
	void *iw_pd;
};

extern struct workqueue_struct *berth_tcp_wq;

/* conn.c */
struct berth_conn *berth_conn_alloc(struct socket *sock, bool crc, bool dialed);
int berth_conn_make_iw(struct berth_conn *conn, bool greet);
void berth_conn_presume(struct berth_conn *conn);
bool berth_conn_may_send(struct berth_conn *conn);
struct berth_conn *berth_conn_get(struct berth_tcp *tcp);
void berth_conn_put(struct berth_conn *conn);
void berth_conn_attach(struct berth_conn *conn, struct berth_tcp *tcp);
void berth_conn_detach(struct berth_tcp *tcp);
void berth_conn_end(struct berth_conn *conn);
void berth_tcp_release(struct socket *sock);

/* tcp.c */
unsigned long berth_tcp_patience(const struct berth_sq *sq);

/* send.c */
bool berth_tcp_send(struct berth_conn *conn, u32 budget);
bool berth_tcp_idle_step(struct berth_qp *qp);

/*
 * respond.c: what the peer asks for, and response.c: what it answers. A segment's begin, payload and
 * end: 0; -EAGAIN: its memory or a receive is not ready, again later; -EPROTO: the stream is at its
 * end, and what there is to say about it has been noted. The cursor stands behind the payload then, if that has landed.
 */
int berth_tcp_request_begin(struct berth_conn *conn, const struct berth_ddp *seg);
int berth_tcp_request_payload(struct berth_conn *conn, const struct berth_ddp *seg,
			      struct berth_cursor *at, u32 n);
int berth_tcp_request_end(struct berth_conn *conn, const struct berth_ddp *seg);
u32 berth_tcp_answer_step(struct berth_conn *conn);

int berth_tcp_response_begin(struct berth_conn *conn, const struct berth_ddp *seg);
int berth_tcp_response_payload(struct berth_conn *conn, const struct berth_ddp *seg,
			       struct berth_cursor *at, u32 n);
int berth_tcp_response_end(struct berth_conn *conn, const struct berth_ddp *seg);
void berth_tcp_unready(struct berth_conn *conn);
void berth_tcp_fail_pending(struct berth_conn *conn);
void berth_tcp_freed(void *owner);

/* recv.c */
void berth_tcp_receive(struct berth_conn *conn);
int berth_tcp_refuse_segment(struct berth_conn *conn, struct berth_term_error error, const struct berth_fpdu *f);
int berth_tcp_refuse(struct berth_conn *conn, struct berth_term_error error);
bool berth_tcp_is_response(const struct berth_ddp *seg);
u32 berth_tcp_crc(const struct berth_conn *conn, u32 sum, const void *bytes, u32 n);
u32 berth_tcp_crc_payload(const struct berth_conn *conn, u32 sum, struct berth_cursor at, u32 n);

#endif
