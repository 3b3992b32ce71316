// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that come by a connection. What they do is in op/act.h; here are the order of messages and
 * segments, and the answers. READs are answered in order, a piece at a time, by send.c; atomics are
 * carried out when they come.
 *
 * A SEND for which no receive is posted stops the stream, and TCP's window tells the peer's TCP. The
 * peer itself is told, too: it decides how long it waits. The same holds for memory that is being moved
 * or paged in, but for telling: that lasts a moment.
 *
 * Context: the socket's lock held, bottom halves disabled; takes rq.lock. RFC 5040, 5 and 6; RFC
 * 5041, 5 and 7; RFC 7306.
 */
#include "../obj/qp_state.h"
#include "../op/act.h"
#include "../op/source.h"
#include "../stats.h"
#include "../wire/bth.h"
#include "conn.h"

/* How long a peer may take what it has asked for before a request that is refused. */
#define REFUSE_TIME	(2 * HZ)

static int refuse_untagged(struct berth_conn *conn, u8 code)
{
	const struct berth_term_error error = {
		.layer = BERTH_TERM_DDP,
		.type = BERTH_TERM_DDP_UNTAGGED,
		.code = code,
	};

	berth_qp_fail_locked(conn->qp, IB_EVENT_QP_REQ_ERR);
	return berth_tcp_refuse(conn, error);
}

/* What the peer may not have: placing is DDP's, RFC 5041, 7; rights and fetching are RDMAP's, RFC 5040, 4.8. */
static struct berth_term_error denied(struct berth_qp *qp, const struct berth_ddp *seg)
{
	static const u8 rdmap_code[] = {
		[BERTH_DENIED_KEY] = BERTH_TERM_RDMAP_STAG,
		[BERTH_DENIED_DOMAIN] = BERTH_TERM_RDMAP_STREAM,
		[BERTH_DENIED_BOUNDS] = BERTH_TERM_RDMAP_BOUNDS,
		[BERTH_DENIED_RIGHT] = BERTH_TERM_RDMAP_ACCESS,
	};
	static const u8 ddp_code[] = {
		[BERTH_DENIED_KEY] = BERTH_TERM_TAGGED_STAG,
		[BERTH_DENIED_DOMAIN] = BERTH_TERM_TAGGED_STREAM,
		[BERTH_DENIED_BOUNDS] = BERTH_TERM_TAGGED_BOUNDS,
	};
	struct berth_term_error error = {
		.layer = BERTH_TERM_RDMAP,
		.type = BERTH_TERM_RDMAP_PROTECTION,
	};
	enum berth_denial why;

	if (seg->opcode == BERTH_RDMAP_READ_REQUEST)
		why = berth_landing_denial(qp->dev, qp->pd, qp->qpn, seg->read.src_stag, seg->read.src_to, seg->read.size);
	else if (seg->opcode == BERTH_RDMAP_ATOMIC_REQUEST)
		why = berth_landing_denial(qp->dev, qp->pd, qp->qpn, seg->atomic.stag, seg->atomic.to, sizeof(u64));
	else
		why = berth_landing_denial(qp->dev, qp->pd, qp->qpn, seg->stag, seg->to, seg->payload_len);
	error.code = rdmap_code[why];
	if (seg->tagged && why != BERTH_DENIED_RIGHT) {
		error.layer = BERTH_TERM_DDP;
		error.type = BERTH_TERM_DDP_TAGGED;
		error.code = ddp_code[why];
	}
	return error;
}

/* What the peer is told of a request that took the QP down. */
static struct berth_term_error error_of(struct berth_qp *qp, const struct berth_ddp *seg,
					enum berth_rsp_result result)
{
	struct berth_term_error error = { .layer = BERTH_TERM_RDMAP };

	switch (result) {
	case BERTH_RSP_ACCESS:
		if (!(seg->op->flags & BERTH_RDMAP_INV))
			return denied(qp, seg);
		error.type = BERTH_TERM_RDMAP_PROTECTION;
		error.code = BERTH_TERM_RDMAP_INVALIDATE;
		break;
	case BERTH_RSP_INVALID:
		if (!seg->tagged && seg->qn == BERTH_QN_SEND) {
			error.layer = BERTH_TERM_DDP;
			error.type = BERTH_TERM_DDP_UNTAGGED;
			error.code = BERTH_TERM_UNTAGGED_TOO_LONG;
		} else {
			error.type = BERTH_TERM_RDMAP_OPERATION;
			error.code = BERTH_TERM_RDMAP_OPCODE;
		}
		break;
	default:
		error.type = BERTH_TERM_RDMAP_LOCAL;
		break;
	}
	return error;
}

/* Look again when the process has posted receives, or after a while. */
static void wait_for_receive(struct berth_conn *conn)
{
	struct berth_qp *qp = conn->qp;
	unsigned long pause = usecs_to_jiffies(berth_rnr_usec(qp->rq.min_rnr_timer)) + 1;

	conn->unready = true;
	if (!conn->rnr_told && !berth_conn_is_iw(conn))
		conn->tell_rnr = true;
	conn->rnr_told = true;
	berth_runner_again(&conn->runner, berth_receives_come_silently(qp) ? min(pause, BERTH_SILENT_POLL) : pause);
}

static int refuse(struct berth_conn *conn, const struct berth_ddp *seg, enum berth_rsp_result result)
{
	berth_count(conn->qp->dev, BERTH_CNT_TX_ERROR_NAK);
	berth_rsp_fail(conn->qp, result);
	return berth_tcp_refuse(conn, error_of(conn->qp, seg, result));
}

/* With the connection the answers of what was asked before would be lost: they go first. */
static bool answers_first(struct berth_conn *conn)
{
	if (!conn->fetches)
		return false;
	if (!conn->refusing)
		conn->refuse_at = jiffies + REFUSE_TIME;
	conn->refusing = true;
	return time_before(jiffies, conn->refuse_at);
}

/* How a request fared, as the functions of this file return it. */
static int outcome(struct berth_conn *conn, const struct berth_ddp *seg,
		   enum berth_rsp_result result)
{
	switch (result) {
	case BERTH_RSP_OK:
		conn->refusing = false;
		return 0;
	case BERTH_RSP_RNR:
		wait_for_receive(conn);
		return -EAGAIN;
	case BERTH_RSP_MOVING:
		berth_runner_again(&conn->runner, 1);
		return -EAGAIN;
	default:
		if (!answers_first(conn))
			return refuse(conn, seg, result);
		berth_runner_again(&conn->runner, 1);
		return -EAGAIN;
	}
}

static enum berth_rsp_result take_receive(struct berth_conn *conn)
{
	struct berth_qp *qp = conn->qp;
	enum berth_rsp_result result = berth_rsp_take(qp);
	bool asked = conn->rnr_told;

	if (result == BERTH_RSP_RNR && !berth_receives_come_silently(qp)) {
		/* What was posted before the process sees this is seen now. */
		berth_qp_ask_for_doorbell(qp, true);
		asked = true;
		result = berth_rsp_take(qp);
	}
	if (!result && asked) {
		conn->rnr_told = false;
		conn->tell_rnr = false;
		if (!berth_receives_come_silently(qp))
			berth_qp_ask_for_doorbell(qp, false);
	}
	return result;
}

static int send_begin(struct berth_conn *conn, const struct berth_ddp *seg)
{
	struct berth_qp *qp = conn->qp;
	struct berth_rq *rq = &qp->rq;
	enum berth_rsp_result result;
	struct berth_segs segs;

	if (seg->msn != conn->msn[BERTH_QN_SEND])
		return refuse_untagged(conn, BERTH_TERM_UNTAGGED_MSN);
	if (seg->mo != (rq->in_message ? rq->received : 0) ||
	    (rq->in_message && seg->opcode != conn->opcode))
		return refuse_untagged(conn, BERTH_TERM_UNTAGGED_MO);
	if (!rq->in_message) {
		result = take_receive(conn);
		if (result)
			return outcome(conn, seg, result);
		rq->received = 0;
		rq->in_message = true;
		conn->opcode = seg->opcode;
	}
	if (seg->payload_len > BERTH_MAX_MSG - rq->received)
		return outcome(conn, seg, BERTH_RSP_INVALID);
	result = berth_rsp_receive(qp, rq->received + seg->payload_len, &segs);
	return outcome(conn, seg, result);
}

static int write_begin(struct berth_conn *conn, const struct berth_ddp *seg)
{
	u32 length = seg->payload_len;
	struct berth_segs segs;
	int ret;

	if (!conn->write_open) {
		conn->write_bytes = 0;
		length = max(length, conn->write_length);
	}
	if (length > BERTH_MAX_MSG - conn->write_bytes)
		return outcome(conn, seg, BERTH_RSP_INVALID);
	ret = outcome(conn, seg, berth_rsp_range(conn->qp, seg->stag, seg->to, length,
						 IB_ACCESS_REMOTE_WRITE, &segs));
	if (ret)
		return ret;
	conn->write_open = true;
	conn->write_length = 0;
	return 0;
}

/* Room for another answer? Those of no bytes only ask how far we are. */
static bool may_ask(const struct berth_conn *conn, bool fetches)
{
	const struct berth_rq *rq = &conn->qp->rq;

	if (conn->answer_count >= BERTH_TCP_ANSWERS)
		return false;
	return !fetches || conn->fetches < rq->max_rd_atomic;
}

static void enqueue(struct berth_conn *conn, const struct berth_tcp_answer *answer)
{
	u32 i = (conn->answer_first + conn->answer_count++) % BERTH_TCP_ANSWERS;

	conn->answer[i] = *answer;
	conn->fetches += answer->atomic || answer->length;
	conn->msn[BERTH_QN_REQUEST]++;
}

static int read_request(struct berth_conn *conn, const struct berth_ddp *seg)
{
	const struct berth_rdmap_read *read = &seg->read;
	struct berth_qp *qp = conn->qp;
	enum berth_rsp_result result;
	struct berth_segs segs;

	if (seg->msn != conn->msn[BERTH_QN_REQUEST])
		return refuse_untagged(conn, BERTH_TERM_UNTAGGED_MSN);
	if (!may_ask(conn, read->size) || read->size > BERTH_MAX_MSG)
		return refuse(conn, seg, BERTH_RSP_INVALID);
	if (read->size) {
		result = berth_rsp_range(qp, read->src_stag, read->src_to, read->size,
					 IB_ACCESS_REMOTE_READ, &segs);
		if (!result)
			result = berth_rsp_landed(berth_landing_prepare(segs, 0,
									min(read->size, (u32)PAGE_SIZE),
									false));
		if (result)
			return outcome(conn, seg, result);
	}
	enqueue(conn, &(struct berth_tcp_answer){
		.id = read->sink_stag,
		.sink = read->sink_to,
		.va = read->src_to,
		.rkey = read->src_stag,
		.length = read->size,
	});
	return 0;
}

/* Of RFC 7306's masks only those that say "the whole word". */
static bool atomic_ok(const struct berth_rdmap_atomic *atomic)
{
	if (atomic->aop == BERTH_AOP_FETCH_ADD)
		return !(atomic->mask & ~BIT_ULL(63));
	return atomic->mask == U64_MAX && atomic->compare_mask == U64_MAX;
}

static int atomic_request(struct berth_conn *conn, const struct berth_ddp *seg)
{
	const struct berth_rdmap_atomic *in = &seg->atomic;
	const struct berth_rsp_atomic atomic = {
		.va = in->to,
		.operand = in->data,
		.compare = in->compare,
		.rkey = in->stag,
		.opcode = in->aop == BERTH_AOP_CMP_SWAP ? BERTH_WR_CMP_SWP : BERTH_WR_FETCH_ADD,
	};
	const struct berth_atomic *done;
	enum berth_rsp_result result;

	if (seg->msn != conn->msn[BERTH_QN_REQUEST])
		return refuse_untagged(conn, BERTH_TERM_UNTAGGED_MSN);
	if (!may_ask(conn, true) || !atomic_ok(in))
		return refuse(conn, seg, BERTH_RSP_INVALID);
	result = berth_atomic_run(conn->qp, &atomic, &done);
	if (result)
		return outcome(conn, seg, result);
	enqueue(conn, &(struct berth_tcp_answer){
		.atomic = true,
		.id = in->request_id,
		.va = done->orig,
	});
	return 0;
}

/* The receive of a WRITE with immediate data, or what goes before a message. */
static int immediate(struct berth_conn *conn, const struct berth_ddp *seg,
		     const struct berth_tcp_imm *imm)
{
	const struct berth_rsp_tail tail = {
		.opcode = BERTH_WR_WRITE_IMM,
		.solicited = seg->op->flags & BERTH_RDMAP_SE,
		.ex = (__force u32)imm->data,
	};
	enum berth_rsp_result result;

	if (imm->kind == cpu_to_be32(BERTH_TCP_IMM_LENGTH)) {
		conn->write_length = be32_to_cpu(imm->data);
		return 0;
	}
	if (conn->qp->rq.in_message || seg->msn != conn->msn[BERTH_QN_SEND])
		return refuse_untagged(conn, BERTH_TERM_UNTAGGED_MSN);
	if (imm->kind == cpu_to_be32(BERTH_TCP_IMM_SEND)) {
		conn->imm_held = true;
		conn->imm = imm->data;
	} else {
		result = take_receive(conn);
		if (result)
			return outcome(conn, seg, result);
		berth_rsp_finish(conn->qp, &tail, conn->write_bytes);
		conn->write_bytes = 0;
	}
	conn->msn[BERTH_QN_SEND]++;
	return 0;
}

static int begin_locked(struct berth_conn *conn, const struct berth_ddp *seg)
{
	struct berth_tcp_imm imm;

	if (!berth_qp_responds(conn->qp) || READ_ONCE(conn->qp->failed))
		return -EPROTO;
	if (seg->opcode != BERTH_RDMAP_READ_REQUEST || seg->read.size)
		conn->used = true;
	switch (seg->opcode) {
	case BERTH_RDMAP_WRITE:
		return write_begin(conn, seg);
	case BERTH_RDMAP_READ_REQUEST:
		return read_request(conn, seg);
	case BERTH_RDMAP_ATOMIC_REQUEST:
		return atomic_request(conn, seg);
	case BERTH_RDMAP_IMM:
	case BERTH_RDMAP_IMM_SE:
		memcpy(&imm, &seg->imm, sizeof(imm));
		return immediate(conn, seg, &imm);
	default:
		return send_begin(conn, seg);
	}
}

int berth_tcp_request_begin(struct berth_conn *conn, const struct berth_ddp *seg)
{
	int ret;

	spin_lock(&conn->qp->rq.lock);
	ret = begin_locked(conn, seg);
	spin_unlock(&conn->qp->rq.lock);
	return ret;
}

static int send_payload(struct berth_conn *conn, const struct berth_ddp *seg,
			struct berth_cursor *at, u32 n)
{
	struct berth_qp *qp = conn->qp;
	struct berth_rq *rq = &qp->rq;
	enum berth_rsp_result result;
	struct berth_segs segs;
	int ret;

	result = berth_rsp_receive(qp, rq->received + n, &segs);
	if (result)
		return outcome(conn, seg, result);
	ret = berth_landing_from_skb(qp->dev, segs, rq->received, at, n);
	if (ret == -EAGAIN)
		berth_rsp_ahead(qp);
	if (!ret)
		rq->received += n;
	return outcome(conn, seg, berth_rsp_received(qp, ret));
}

static int write_payload(struct berth_conn *conn, const struct berth_ddp *seg,
			 struct berth_cursor *at, u32 n)
{
	struct berth_qp *qp = conn->qp;
	enum berth_rsp_result result;
	struct berth_segs segs;
	int ret;

	result = berth_rsp_range(qp, seg->stag, seg->to + conn->placed, n, IB_ACCESS_REMOTE_WRITE,
				 &segs);
	if (result)
		return outcome(conn, seg, result);
	ret = berth_landing_from_skb(qp->dev, segs, 0, at, n);
	if (!ret)
		conn->write_bytes += n;
	return outcome(conn, seg, berth_rsp_landed(ret));
}

int berth_tcp_request_payload(struct berth_conn *conn, const struct berth_ddp *seg,
			      struct berth_cursor *at, u32 n)
{
	struct berth_qp *qp = conn->qp;
	struct berth_cursor behind = *at;
	int ret;

	spin_lock(&qp->rq.lock);
	if (!berth_qp_responds(qp) || READ_ONCE(qp->failed))
		ret = -EPROTO;
	else if (seg->tagged)
		ret = write_payload(conn, seg, &behind, n);
	else
		ret = send_payload(conn, seg, &behind, n);
	spin_unlock(&qp->rq.lock);
	if (ret)
		return ret;
	berth_count_add(qp->dev, BERTH_CNT_RX_BYTES, n);
	*at = behind;
	return 0;
}

static int end_send(struct berth_conn *conn, const struct berth_ddp *seg)
{
	struct berth_rsp_tail tail = {
		.opcode = BERTH_WR_SEND,
		.solicited = seg->op->flags & BERTH_RDMAP_SE,
	};
	enum berth_rsp_result result;

	if (seg->op->flags & BERTH_RDMAP_INV) {
		tail.opcode = BERTH_WR_SEND_INV;
		tail.ex = seg->inv_stag;
	} else if (conn->imm_held) {
		tail.opcode = BERTH_WR_SEND_IMM;
		tail.ex = (__force u32)conn->imm;
	}
	result = berth_rsp_finish(conn->qp, &tail, conn->qp->rq.received);
	if (result)
		return outcome(conn, seg, result);
	conn->imm_held = false;
	conn->msn[BERTH_QN_SEND]++;
	return 0;
}

int berth_tcp_request_end(struct berth_conn *conn, const struct berth_ddp *seg)
{
	static const struct berth_rsp_tail write = { .opcode = BERTH_WR_WRITE };
	struct berth_qp *qp = conn->qp;
	int ret = 0;

	if (!seg->last)
		return 0;
	spin_lock(&qp->rq.lock);
	if (!berth_qp_responds(qp) || READ_ONCE(qp->failed)) {
		ret = -EPROTO;
	} else if (seg->opcode == BERTH_RDMAP_WRITE) {
		berth_rsp_finish(qp, &write, conn->write_bytes);
		conn->write_open = false;
	} else if (seg->op->flags & BERTH_RDMAP_PAYLOAD) {
		ret = end_send(conn, seg);
	}
	spin_unlock(&qp->rq.lock);
	return ret;
}

static void answered(struct berth_conn *conn, const struct berth_tcp_answer *answer)
{
	conn->fetches -= answer->atomic || answer->length;
	conn->answer_first = (conn->answer_first + 1) % BERTH_TCP_ANSWERS;
	conn->answer_count--;
}

static u32 answer_atomic(struct berth_conn *conn, const struct berth_tcp_answer *answer)
{
	const struct berth_ddp seg = {
		.last = true,
		.opcode = BERTH_RDMAP_ATOMIC_RESPONSE,
		.qn = BERTH_QN_ATOMIC_RESPONSE,
		.msn = conn->next_msn[BERTH_QN_ATOMIC_RESPONSE],
		.ack = {
			.request_id = answer->id,
			.orig = answer->va,
		},
	};

	if (berth_batch_add(&conn->batch, &seg, (struct berth_segs){}, 0, conn->crc)) {
		berth_runner_again(&conn->runner, 1);
		return 0;
	}
	conn->next_msn[BERTH_QN_ATOMIC_RESPONSE]++;
	answered(conn, answer);
	return BERTH_WQE_COST;
}

/* The READ request that the oldest answer is for, as it came. */
static void oldest_read(const struct berth_conn *conn, struct berth_fpdu *f)
{
	const struct berth_tcp_answer *answer = &conn->answer[conn->answer_first];

	berth_fpdu_init(f);
	f->seg = (struct berth_ddp){
		.op = berth_rdmap_find(BERTH_RDMAP_READ_REQUEST),
		.last = true,
		.opcode = BERTH_RDMAP_READ_REQUEST,
		.qn = BERTH_QN_REQUEST,
		.msn = conn->msn[BERTH_QN_REQUEST] - conn->answer_count,
		.read = {
			.sink_stag = answer->id,
			.sink_to = answer->sink,
			.size = answer->length,
			.src_stag = answer->rkey,
			.src_to = answer->va,
		},
	};
	f->hdr_len = max(berth_ddp_build(&f->seg, f->hdr, sizeof(f->hdr)), 0);
}

/* The memory of a READ that was taken has gone. */
static u32 answer_broken(struct berth_conn *conn, enum berth_rsp_result result)
{
	struct berth_fpdu f;
	const struct berth_term_error error = {
		.layer = BERTH_TERM_RDMAP,
		.type = BERTH_TERM_RDMAP_PROTECTION,
		.code = BERTH_TERM_RDMAP_ACCESS,
	};

	if (result == BERTH_RSP_MOVING) {
		berth_runner_again(&conn->runner, 1);
		return 0;
	}
	berth_count(conn->qp->dev, BERTH_CNT_TX_ERROR_NAK);
	berth_rsp_fail(conn->qp, result);
	oldest_read(conn, &f);
	berth_tcp_refuse_segment(conn, error, &f);
	return 0;
}

/**
 * berth_tcp_answer_step - add an FPDU of the oldest answer that the peer waits for
 * @conn: connection with room in its batch, rq.lock held; there is one
 *
 * Return: what it cost, 0: it has to wait.
 */
u32 berth_tcp_answer_step(struct berth_conn *conn)
{
	struct berth_tcp_answer *answer = &conn->answer[conn->answer_first];
	u32 n = min(answer->length - answer->offset, conn->piece);
	struct berth_qp *qp = conn->qp;
	enum berth_rsp_result result;
	struct berth_segs segs = {};
	struct berth_ddp seg = {
		.tagged = true,
		.opcode = BERTH_RDMAP_READ_RESPONSE,
		.stag = answer->id,
		.to = answer->sink + answer->offset,
		.last = answer->offset + n == answer->length,
		.payload_len = n,
	};
	int ret;

	if (!berth_qp_responds(qp) || READ_ONCE(qp->failed))
		return 0;
	if (answer->atomic)
		return answer_atomic(conn, answer);
	if (answer->length) {
		result = berth_rsp_range(qp, answer->rkey, answer->va, answer->length,
					 IB_ACCESS_REMOTE_READ, &segs);
		if (result)
			return answer_broken(conn, result);
	}
	ret = berth_batch_add(&conn->batch, &seg, segs, answer->offset, conn->crc);
	if (ret)
		return answer_broken(conn, ret == -ENOMEM ? BERTH_RSP_MOVING : berth_rsp_landed(ret));
	berth_count_add(qp->dev, BERTH_CNT_TX_BYTES, n);
	answer->offset += n;
	if (seg.last)
		answered(conn, answer);
	return n + BERTH_WQE_COST;
}
