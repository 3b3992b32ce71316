// SPDX-License-Identifier: GPL-2.0
/*
 * What leaves by a connection: a Terminate message, or answers and requests in turn. Whole FPDUs are
 * laid out in a batch, which then goes into the socket; when that is full, TCP tells when it is not
 * (sk_write_space), and nobody waits.
 *
 * Requests complete when the peer has carried them out, as those of RC do, and not when TCP has taken
 * or delivered their bytes: a READ of no bytes behind them asks for that. Its answer, or that of any
 * READ or atomic, stands for everything before it, because the peer goes by order. At most two of
 * them are unanswered, so they cost less the more there is to send. Pages that were sent by reference
 * are thus free when their request completes. To iWARP peers, which owe no such answer, batches go as
 * parts (part.h) instead.
 *
 * Context: the socket's lock held, bottom halves disabled.
 */
#include <net/tcp.h>
#include "../obj/qp_state.h"
#include "../op/local_op.h"
#include "../op/source.h"
#include "../stats.h"
#include "conn.h"
#include "tcp.h"

/* A batch leaves the rest to requests when answers have put this many bytes into it. */
#define ANSWER_BYTES	(BERTH_BATCH_BYTES / 2)

static u32 reads(const struct berth_conn *conn)
{
	return conn->expect_count - conn->acks;
}

static void expect(struct berth_conn *conn, enum berth_tcp_expected kind, u32 counter, u32 id)
{
	u32 i = (conn->expect_first + conn->expect_count++) % BERTH_TCP_ANSWERS;

	conn->expect[i] = (struct berth_tcp_expect){ .kind = kind, .counter = counter, .id = id };
	conn->acks += kind == BERTH_TCP_ACK;
	conn->asked = kind == BERTH_TCP_ACK ? counter : counter + 1;
}

/* The RDMAP opcode of a SEND's segments. */
static u8 send_opcode(const struct berth_swqe *wqe)
{
	const bool solicited = wqe->flags & BERTH_WR_SOLICITED;

	if (wqe->opcode == BERTH_WR_SEND_INV)
		return solicited ? BERTH_RDMAP_SEND_SE_INV : BERTH_RDMAP_SEND_INV;
	return solicited ? BERTH_RDMAP_SEND_SE : BERTH_RDMAP_SEND;
}

static int add(struct berth_conn *conn, const struct berth_ddp *seg, struct berth_segs src,
	       u32 offset)
{
	return berth_batch_add(&conn->batch, seg, src, offset, conn->crc);
}

static int add_control(struct berth_conn *conn, const struct berth_ddp *seg)
{
	return add(conn, seg, (struct berth_segs){}, 0);
}

/* A piece of a SEND's or WRITE's payload. */
static int add_piece(struct berth_conn *conn, struct berth_swqe *wqe, u32 n)
{
	struct berth_sq *sq = &conn->qp->sq;
	struct berth_ddp seg = {
		.last = sq->offset + n == wqe->length,
		.payload_len = n,
	};
	int segs;

	if (berth_swqe_is_write(wqe)) {
		seg.tagged = true;
		seg.opcode = BERTH_RDMAP_WRITE;
		seg.stag = wqe->rkey;
		seg.to = wqe->remote_addr + sq->offset;
	} else {
		seg.opcode = send_opcode(wqe);
		seg.qn = BERTH_QN_SEND;
		seg.msn = conn->next_msn[BERTH_QN_SEND];
		seg.mo = sq->offset;
		seg.inv_stag = wqe->opcode == BERTH_WR_SEND_INV ? wqe->ex : 0;
	}
	segs = berth_req_source(conn->qp, wqe, 0);
	if (segs < 0)
		return segs;
	return add(conn, &seg, (struct berth_segs){ sq->seg, segs }, sq->offset);
}

/* Immediate data, see conn.h. */
static int add_immediate(struct berth_conn *conn, u8 opcode, __be32 data, u32 kind)
{
	const struct berth_tcp_imm imm = { .data = data, .kind = cpu_to_be32(kind) };
	struct berth_ddp seg = {
		.last = true,
		.opcode = opcode,
		.qn = BERTH_QN_SEND,
		.msn = conn->next_msn[BERTH_QN_SEND],
	};
	int ret;

	memcpy(&seg.imm, &imm, sizeof(seg.imm));
	ret = add_control(conn, &seg);
	/* One that is none of the consumer's is no message. */
	if (!ret && kind < BERTH_TCP_IMM_RNR)
		conn->next_msn[BERTH_QN_SEND]++;
	return ret;
}

static int add_wqe_immediate(struct berth_conn *conn, const struct berth_swqe *wqe, u32 kind)
{
	const bool solicited = wqe->flags & BERTH_WR_SOLICITED;

	return add_immediate(conn, solicited ? BERTH_RDMAP_IMM_SE : BERTH_RDMAP_IMM,
			     (__force __be32)wqe->ex, kind);
}

static int add_read(struct berth_conn *conn, u32 id, u32 length, u32 rkey, u64 va)
{
	const struct berth_ddp seg = {
		.last = true,
		.opcode = BERTH_RDMAP_READ_REQUEST,
		.qn = BERTH_QN_REQUEST,
		.msn = conn->next_msn[BERTH_QN_REQUEST],
		.read = {
			.sink_stag = id,
			.size = length,
			.src_stag = rkey,
			.src_to = va,
		},
	};
	int ret = add_control(conn, &seg);

	if (!ret)
		conn->next_msn[BERTH_QN_REQUEST]++;
	return ret;
}

static int add_atomic(struct berth_conn *conn, u32 id, const struct berth_swqe *wqe)
{
	const bool swap = wqe->opcode == BERTH_WR_CMP_SWP;
	const struct berth_ddp seg = {
		.last = true,
		.opcode = BERTH_RDMAP_ATOMIC_REQUEST,
		.qn = BERTH_QN_REQUEST,
		.msn = conn->next_msn[BERTH_QN_REQUEST],
		.atomic = {
			.aop = swap ? BERTH_AOP_CMP_SWAP : BERTH_AOP_FETCH_ADD,
			.request_id = id,
			.stag = wqe->rkey,
			.to = wqe->remote_addr,
			.data = swap ? wqe->atomic.swap : wqe->atomic.compare_add,
			.mask = swap ? U64_MAX : 0,
			.compare = swap ? wqe->atomic.compare_add : 0,
			.compare_mask = U64_MAX,
		},
	};
	int ret = add_control(conn, &seg);

	if (!ret)
		conn->next_msn[BERTH_QN_REQUEST]++;
	return ret;
}

/* Ask whether everything that was sent has been carried out. */
static int add_ack_request(struct berth_conn *conn)
{
	int ret = add_read(conn, conn->next_id, 0, 0, 0);

	if (!ret)
		expect(conn, BERTH_TCP_ACK, conn->qp->sq.next, conn->next_id++);
	return ret;
}

/* A READ or an atomic; its memory has to take what comes. */
static int add_fetch(struct berth_conn *conn, struct berth_swqe *wqe)
{
	struct berth_qp *qp = conn->qp;
	struct berth_sq *sq = &qp->sq;
	int segs, ret;

	segs = berth_req_source(qp, wqe, IB_ACCESS_LOCAL_WRITE);
	if (segs < 0)
		return segs;
	ret = berth_req_prepare(qp, wqe, (struct berth_segs){ sq->seg, segs }, 0,
				min(wqe->length, (u32)PAGE_SIZE), true);
	if (ret)
		return ret;
	if (wqe->opcode == BERTH_WR_READ)
		ret = add_read(conn, conn->next_id, wqe->length, wqe->rkey, wqe->remote_addr);
	else
		ret = add_atomic(conn, conn->next_id, wqe);
	if (!ret)
		expect(conn, wqe->opcode == BERTH_WR_READ ? BERTH_TCP_READ : BERTH_TCP_ATOMIC,
		       sq->next, conn->next_id++);
	return ret;
}

/* The WQE at next has been sent as a whole. */
static void finish(struct berth_conn *conn)
{
	conn->qp->sq.next++;
	conn->qp->sq.offset = 0;
	conn->immediate_sent = false;
	conn->payload_sent = false;
	conn->announced = false;
}

/* The next FPDU of a SEND or WRITE. */
static int add_message(struct berth_conn *conn, struct berth_swqe *wqe)
{
	struct berth_sq *sq = &conn->qp->sq;
	u32 n = min(wqe->length - sq->offset, conn->piece);
	int ret;

	if (berth_swqe_is_write(wqe) && wqe->length > conn->piece && !conn->announced &&
	    !berth_conn_is_iw(conn)) {
		ret = add_immediate(conn, BERTH_RDMAP_IMM, cpu_to_be32(wqe->length),
				    BERTH_TCP_IMM_LENGTH);
		conn->announced = !ret;
		return ret;
	}
	wqe->first_psn = conn->next_msn[BERTH_QN_SEND];
	if (wqe->opcode == BERTH_WR_SEND_IMM && !conn->immediate_sent) {
		ret = add_wqe_immediate(conn, wqe, BERTH_TCP_IMM_SEND);
		conn->immediate_sent = !ret;
		return ret;
	}
	if (wqe->opcode == BERTH_WR_WRITE_IMM && conn->payload_sent) {
		ret = add_wqe_immediate(conn, wqe, BERTH_TCP_IMM_WRITE);
		if (!ret)
			finish(conn);
		return ret;
	}
	ret = add_piece(conn, wqe, n);
	if (ret)
		return ret;
	berth_count_add(conn->qp->dev, BERTH_CNT_TX_BYTES, n);
	sq->offset += n;
	conn->payload_sent = sq->offset == wqe->length;
	if (!conn->payload_sent || wqe->opcode == BERTH_WR_WRITE_IMM)
		return n;
	if (!berth_swqe_is_write(wqe))
		conn->next_msn[BERTH_QN_SEND]++;
	finish(conn);
	return n;
}

/* The next FPDU of a WQE. Returns its payload, or a negative errno. */
static int add_next(struct berth_conn *conn, struct berth_swqe *wqe)
{
	int ret;

	if (!berth_swqe_fetches(wqe))
		return add_message(conn, wqe);
	ret = add_fetch(conn, wqe);
	if (!ret)
		finish(conn);
	return ret;
}

/* May the WQE at next be sent now? */
static bool may_send(const struct berth_conn *conn, const struct berth_swqe *wqe)
{
	const struct berth_sq *sq = &conn->qp->sq;

	if (wqe->flags & BERTH_WR_FENCE && !sq->offset && reads(conn))
		return false;
	return !berth_swqe_fetches(wqe) || reads(conn) < sq->max_rd_atomic;
}

/**
 * berth_tcp_idle_step - carry out what needs no connection
 * @qp: queue pair without one, sq.lock held
 *
 * Return: whether a request waits for the connection.
 */
bool berth_tcp_idle_step(struct berth_qp *qp)
{
	struct berth_swqe *wqe;

	do {
		wqe = berth_req_next(qp);
	} while (wqe && berth_local_op_is(wqe) && berth_local_op_step(qp));
	return wqe && !berth_local_op_is(wqe);
}

/* One FPDU or local operation of the requester. Returns what it cost, 0: nothing may be sent now. */
static u32 request_step(struct berth_conn *conn)
{
	struct berth_qp *qp = conn->qp;
	struct berth_swqe *wqe = berth_req_next(qp);
	int ret;

	if (!wqe)
		return 0;
	if (berth_local_op_is(wqe))
		return berth_local_op_step(qp);
	if (!may_send(conn, wqe))
		return 0;
	wqe->psns = 1;
	ret = add_next(conn, wqe);
	if (ret >= 0) {
		conn->used = true;
		return ret + BERTH_WQE_COST;
	}
	if (ret == -ENOMEM || ret == -EAGAIN)
		berth_req_wait_moving(qp);
	else
		wqe->status = IB_WC_LOC_PROT_ERR;
	return wqe->status == IB_WC_SUCCESS ? 0 : BERTH_WQE_COST;
}

/* Whether the process has posted nothing that could be sent now. */
static bool idle(const struct berth_conn *conn)
{
	const struct berth_qp *qp = conn->qp;

	return qp->sq.next == qp->sq.head && READ_ONCE(qp->ring->sq_prod) == qp->sq.head;
}

/*
 * Has the WQE at next been sent in part? Segments of two messages are not mixed. One that cannot be gone on with ends the
 * connection, when what is before it has completed.
 */
static bool in_message(const struct berth_conn *conn)
{
	const struct berth_sq *sq = &conn->qp->sq;

	if (!sq->offset && !conn->announced && !conn->immediate_sent && !conn->payload_sent)
		return false;
	return berth_sq_slot(sq, sq->next)->status == IB_WC_SUCCESS;
}

/* Is what was sent covered by a question that is open? If not, and it is time, ask. */
static void ask(struct berth_conn *conn)
{
	struct berth_sq *sq = &conn->qp->sq;

	if ((conn->asked == sq->next || berth_conn_is_iw(conn)) && !conn->greet)
		return;
	if (!berth_qp_responds(conn->qp) || in_message(conn) || !berth_batch_room_behind(&conn->batch))
		return;
	/* One question is enough while there is more to send: it would not be the last. */
	if (conn->acks == BERTH_TCP_ACKS || (conn->acks && !idle(conn)))
		return;
	if (add_ack_request(conn))
		berth_runner_again(&conn->runner, 1);
	else
		conn->greet = false;
}

static u32 add_requests(struct berth_conn *conn)
{
	struct berth_qp *qp = conn->qp;
	u32 cost, used = 0;

	spin_lock(&qp->sq.lock);
	if (conn->parts)
		berth_tcp_freed(conn);
	do {
		cost = berth_batch_room(&conn->batch) ? request_step(conn) : 0;
		used += cost;
	} while (cost);
	ask(conn);
	if (conn->parts)
		conn->parts->filling->counter = qp->sq.next;
	conn->report_drained |= berth_req_drained(qp);
	spin_unlock(&qp->sq.lock);
	return used;
}

static int add_terminate(struct berth_conn *conn)
{
	const struct berth_ddp seg = {
		.last = true,
		.opcode = BERTH_RDMAP_TERMINATE,
		.qn = BERTH_QN_TERMINATE,
		.msn = conn->next_msn[BERTH_QN_TERMINATE],
		.term = conn->term,
	};

	return add_control(conn, &seg);
}

/*
 * No receive is posted for a message: the peer decides how long it waits for one. What it has asked for before that is
 * answered first: an answer says that the peer is not kept waiting any more.
 */
static void add_rnr(struct berth_conn *conn)
{
	if (!conn->tell_rnr || conn->answer_count || !berth_batch_room(&conn->batch) ||
	    add_immediate(conn, BERTH_RDMAP_IMM, cpu_to_be32(conn->msn[BERTH_QN_SEND]),
			  BERTH_TCP_IMM_RNR | conn->qp->rq.min_rnr_timer))
		return;
	conn->tell_rnr = false;
	berth_count(conn->qp->dev, BERTH_CNT_TX_RNR_NAK);
}

static u32 add_answers(struct berth_conn *conn)
{
	struct berth_qp *qp = conn->qp;
	u32 cost, used = 0;

	spin_lock(&qp->rq.lock);
	do {
		cost = 0;
		if (conn->answer_count && berth_batch_room(&conn->batch) && conn->batch.bytes < ANSWER_BYTES)
			cost = berth_tcp_answer_step(conn);
		used += cost;
	} while (cost);
	add_rnr(conn);
	spin_unlock(&qp->rq.lock);
	return used;
}

/* Lays out the next batch. Returns its cost, 0: there is nothing to send. */
static u32 fill(struct berth_conn *conn)
{
	u32 used;

	if (conn->terminating || (conn->parts && !berth_parts_begin(conn->parts)))
		return 0;
	used = conn->terminate_due ? 0 : add_answers(conn);
	if (conn->terminate_due) {
		conn->terminating = true;
		return add_terminate(conn) ? used : used + BERTH_WQE_COST;
	}
	return used + add_requests(conn);
}

/**
 * berth_tcp_send - send until there is nothing to send, the socket is full, or the budget is used up
 * @conn: connection of a QP, its socket locked
 * @budget: bytes
 *
 * Return: true when the budget ended it.
 */
bool berth_tcp_send(struct berth_conn *conn, u32 budget)
{
	struct berth_parts *parts = conn->parts;
	u32 used = 0, cost = 0;
	int err;

	/* TCP may take what has come meanwhile in the middle of sending, and call us again. */
	if (conn->runner.sending || conn->ended || !berth_conn_may_send(conn))
		return false;
	conn->runner.sending = true;
	do {
		err = berth_batch_push(&conn->batch, conn->runner.sk, parts && parts->filling ? &parts->filling->ubuf : NULL,
				       false);
		if (err)
			break;
		if (parts && parts->filling && parts->filling->laid)
			berth_parts_end(parts);
		cost = fill(conn);
		if (parts && parts->filling)
			parts->filling->laid = !berth_batch_empty(&conn->batch);
		used += cost;
	} while (!berth_batch_empty(&conn->batch) && used < budget);
	conn->runner.sending = false;
	if (err && err != -EAGAIN)
		berth_conn_end(conn);
	/* Out of memory, not full: with nothing under way TCP has nothing to tell. */
	if (err == -EAGAIN && !tcp_sk(conn->runner.sk)->packets_out)
		berth_runner_again(&conn->runner, 1);
	return !err && !berth_batch_empty(&conn->batch);
}
