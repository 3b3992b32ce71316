// SPDX-License-Identifier: GPL-2.0
/*
 * What the peer answers: data of READs, values of atomics, acknowledgements (READs of no bytes), and
 * the Terminate that ends a connection with an error. Answers come in the order of the requests, so
 * only the oldest that is expected may come; its sink STag is a number of ours, not a key.
 *
 * Context: the socket's lock held, bottom halves disabled; takes sq.lock. RFC 5040, 5.
 */
#include "../obj/qp_state.h"
#include "../op/local_op.h"
#include "../op/source.h"
#include "../stats.h"
#include "../wire/bth.h"
#include "conn.h"
#include "term.h"

static struct berth_tcp_expect *oldest(struct berth_conn *conn)
{
	return conn->expect_count ? &conn->expect[conn->expect_first] : NULL;
}

/* What a READ or an atomic has asked for is here with its answer only: the first that waits for one, or @counter. */
static u32 before_fetches(const struct berth_conn *conn, u32 counter)
{
	const struct berth_tcp_expect *e;
	u32 i;

	for (i = 0; i < conn->expect_count; i++) {
		e = &conn->expect[(conn->expect_first + i) % BERTH_TCP_ANSWERS];
		if (e->kind != BERTH_TCP_ACK)
			return (s32)(e->counter - counter) < 0 ? e->counter : counter;
	}
	return counter;
}

/* The peer has carried out everything before @counter. What has its data, too, is complete. */
static void complete_before(struct berth_conn *conn, u32 counter)
{
	struct berth_sq *sq = &conn->qp->sq;

	counter = before_fetches(conn, counter);
	berth_local_op_settle(conn->qp);
	/* Settling may go beyond it. */
	while ((s32)(counter - sq->tail) > 0 && sq->tail != sq->head && !READ_ONCE(conn->qp->failed)) {
		berth_sq_complete(conn->qp, IB_WC_SUCCESS);
		berth_local_op_settle(conn->qp);
	}
}

/**
 * berth_tcp_freed - SENDs and WRITEs of an iWARP connection are complete when their bytes are free
 * @owner: struct berth_conn of iWARP, sq.lock held
 *
 * berth_parts.complete. What is behind a READ waits for its answer.
 */
void berth_tcp_freed(void *owner)
{
	struct berth_conn *conn = owner;

	/* TCP forgets what it had when the peer resets the connection: that was not delivered. */
	if (!READ_ONCE(conn->runner.sk->sk_err))
		complete_before(conn, READ_ONCE(conn->parts->counter));
}

static void progress(struct berth_conn *conn)
{
	struct berth_sq *sq = &conn->qp->sq;

	sq->rnr_left = sq->rnr_retry;
	if (conn->peer_rnr)
		sq->waiting = false;
	conn->peer_rnr = false;
}

/* The oldest expected answer is whole. */
static void answered(struct berth_conn *conn)
{
	struct berth_tcp_expect *e = oldest(conn);
	u32 counter = e->kind == BERTH_TCP_ACK ? e->counter : e->counter + 1;

	conn->acks -= e->kind == BERTH_TCP_ACK;
	conn->expect_first = (conn->expect_first + 1) % BERTH_TCP_ANSWERS;
	conn->expect_count--;
	progress(conn);
	complete_before(conn, counter);
	if (conn->parts)
		berth_tcp_freed(conn);
}

/* The peer answers nonsense: the oldest request fails with it. */
static int bad_response(struct berth_conn *conn)
{
	const struct berth_term_error error = {
		.layer = BERTH_TERM_DDP,
		.type = BERTH_TERM_DDP_TAGGED,
		.code = BERTH_TERM_TAGGED_STAG,
	};

	if (!READ_ONCE(conn->qp->failed))
		berth_req_fail(conn->qp, IB_WC_BAD_RESP_ERR);
	return berth_tcp_refuse(conn, error);
}

/* Our own memory does not take what has come. */
static int not_landed(struct berth_conn *conn, int err)
{
	const struct berth_term_error error = { .layer = BERTH_TERM_RDMAP };
	struct berth_tcp_expect *e = oldest(conn);

	if (err == -EAGAIN) {
		berth_runner_again(&conn->runner, 1);
		return -EAGAIN;
	}
	complete_before(conn, e->counter);
	if (!READ_ONCE(conn->qp->failed))
		berth_req_fail(conn->qp, IB_WC_LOC_PROT_ERR);
	return berth_tcp_refuse(conn, error);
}

static int read_begin(struct berth_conn *conn, const struct berth_ddp *seg)
{
	struct berth_tcp_expect *e = oldest(conn);
	u32 length;

	if (!e || e->kind == BERTH_TCP_ATOMIC || seg->stag != e->id || seg->to != e->landed)
		return bad_response(conn);
	length = e->kind == BERTH_TCP_READ ? berth_sq_slot(&conn->qp->sq, e->counter)->length : 0;
	if (seg->payload_len > length - e->landed ||
	    seg->last != (seg->payload_len == length - e->landed))
		return bad_response(conn);
	return 0;
}

static int atomic_response(struct berth_conn *conn, const struct berth_ddp *seg)
{
	struct berth_qp *qp = conn->qp;
	struct berth_tcp_expect *e = oldest(conn);
	int ret;

	if (!e || e->kind != BERTH_TCP_ATOMIC || seg->ack.request_id != e->id ||
	    seg->msn != conn->msn[BERTH_QN_ATOMIC_RESPONSE])
		return bad_response(conn);
	ret = berth_req_source(qp, berth_sq_slot(&qp->sq, e->counter), IB_ACCESS_LOCAL_WRITE);
	if (ret >= 0)
		ret = berth_landing_scatter(qp->dev, (struct berth_segs){ qp->sq.seg, ret }, 0,
					    &seg->ack.orig, sizeof(seg->ack.orig));
	if (ret < 0)
		return not_landed(conn, ret);
	conn->msn[BERTH_QN_ATOMIC_RESPONSE]++;
	answered(conn);
	return 0;
}

static enum ib_wc_status status_of(const struct berth_term_error *error)
{
	if (error->layer == BERTH_TERM_RDMAP && error->type == BERTH_TERM_RDMAP_LOCAL)
		return IB_WC_REM_OP_ERR;
	if (error->layer == BERTH_TERM_RDMAP && error->type == BERTH_TERM_RDMAP_PROTECTION)
		return IB_WC_REM_ACCESS_ERR;
	if (error->layer == BERTH_TERM_DDP && error->type == BERTH_TERM_DDP_TAGGED)
		return IB_WC_REM_ACCESS_ERR;
	return IB_WC_REM_INV_REQ_ERR;
}

/* Whether a Terminate that copied these headers is about a request. */
static bool is_about(const struct berth_swqe *wqe, const struct berth_ddp *of)
{
	const bool write = berth_swqe_is_write(wqe);

	switch (of->opcode) {
	case BERTH_RDMAP_WRITE:
		return write && wqe->rkey == of->stag && of->to >= wqe->remote_addr &&
		       of->to - wqe->remote_addr <= wqe->length;
	case BERTH_RDMAP_READ_REQUEST:
		return wqe->opcode == BERTH_WR_READ && wqe->rkey == of->read.src_stag &&
		       wqe->remote_addr == of->read.src_to && wqe->length == of->read.size;
	case BERTH_RDMAP_ATOMIC_REQUEST:
		return berth_swqe_is_atomic(wqe) && wqe->rkey == of->atomic.stag &&
		       wqe->remote_addr == of->atomic.to;
	default:
		return !write && !berth_swqe_fetches(wqe) && !berth_local_op_is(wqe) &&
		       wqe->first_psn == of->msn;
	}
}

/* The request that failed: the first one it can be, or the oldest. */
static u32 find_failed(struct berth_conn *conn, const struct berth_ddp *term)
{
	struct berth_sq *sq = &conn->qp->sq;
	struct berth_ddp of;
	u32 i;

	if (berth_term_named(&term->term, &of))
		return sq->tail;
	for (i = sq->tail; i != sq->next + !!sq->offset; i++)
		if (is_about(berth_sq_slot(sq, i), &of))
			return i;
	return sq->tail;
}

/* A READ or atomic before the request that failed gets no answer any more: then it is the first that fails. */
static int terminated(struct berth_conn *conn, const struct berth_ddp *seg)
{
	struct berth_qp *qp = conn->qp;
	u32 failed;

	berth_count(qp->dev, BERTH_CNT_RX_ERROR_NAK);
	if (!READ_ONCE(qp->failed) && berth_qp_requests(qp) && qp->sq.tail != qp->sq.head) {
		failed = find_failed(conn, seg);
		complete_before(conn, failed);
		if (!READ_ONCE(qp->failed))
			berth_req_fail(qp, qp->sq.tail == failed ? status_of(&seg->term.error) : IB_WC_REM_ABORT_ERR);
	}
	berth_conn_end(conn);
	return -EPROTO;
}

/* The request that waits for a receive of the peer. */
static bool find_unready(struct berth_conn *conn, u32 msn, u32 *counter)
{
	struct berth_sq *sq = &conn->qp->sq;
	struct berth_swqe *wqe;

	for (*counter = sq->tail; *counter != sq->next + !!sq->offset; ++*counter) {
		wqe = berth_sq_slot(sq, *counter);
		if (wqe->psns && wqe->opcode != BERTH_WR_WRITE && !berth_swqe_fetches(wqe) &&
		    wqe->first_psn == msn)
			return true;
	}
	return false;
}

/*
 * The peer has no receive for a message. It goes on by itself as soon as there is one; here is
 * decided whether that takes too long.
 */
static int rnr_notice(struct berth_conn *conn, const struct berth_ddp *seg)
{
	struct berth_qp *qp = conn->qp;
	struct berth_tcp_imm imm;
	u32 counter;

	memcpy(&imm, &seg->imm, sizeof(imm));
	if (!berth_qp_requests(qp) || READ_ONCE(qp->failed) ||
	    !find_unready(conn, be32_to_cpu(imm.data), &counter))
		return 0;
	berth_count(qp->dev, BERTH_CNT_RX_RNR_NAK);
	complete_before(conn, counter);
	conn->peer_rnr = true;
	conn->peer_rnr_usec = berth_rnr_usec(be32_to_cpu(imm.kind) & BERTH_TCP_IMM_PARAM);
	berth_tcp_unready(conn);
	return 0;
}

int berth_tcp_response_begin(struct berth_conn *conn, const struct berth_ddp *seg)
{
	struct berth_sq *sq = &conn->qp->sq;
	int ret = -EPROTO;

	spin_lock(&sq->lock);
	if (seg->opcode == BERTH_RDMAP_TERMINATE)
		ret = terminated(conn, seg);
	else if (seg->opcode == BERTH_RDMAP_IMM)
		ret = rnr_notice(conn, seg);
	else if (!berth_qp_responds(conn->qp) || READ_ONCE(conn->qp->failed))
		ret = -EPROTO;
	else if (seg->opcode == BERTH_RDMAP_READ_RESPONSE)
		ret = read_begin(conn, seg);
	else
		ret = atomic_response(conn, seg);
	spin_unlock(&sq->lock);
	return ret;
}

static int read_payload(struct berth_conn *conn, struct berth_cursor *at, u32 n)
{
	struct berth_qp *qp = conn->qp;
	struct berth_tcp_expect *e = oldest(conn);
	int ret;

	ret = berth_req_source(qp, berth_sq_slot(&qp->sq, e->counter), IB_ACCESS_LOCAL_WRITE);
	if (ret >= 0)
		ret = berth_landing_from_skb(qp->dev, (struct berth_segs){ qp->sq.seg, ret },
					     e->landed, at, n);
	if (ret < 0)
		return not_landed(conn, ret);
	e->landed += n;
	berth_count_add(qp->dev, BERTH_CNT_RX_BYTES, n);
	return 0;
}

int berth_tcp_response_payload(struct berth_conn *conn, const struct berth_ddp *seg,
			       struct berth_cursor *at, u32 n)
{
	struct berth_sq *sq = &conn->qp->sq;
	struct berth_cursor behind = *at;
	int ret = -EPROTO;

	spin_lock(&sq->lock);
	if (berth_qp_requests(conn->qp) && !READ_ONCE(conn->qp->failed))
		ret = read_payload(conn, &behind, n);
	spin_unlock(&sq->lock);
	if (!ret)
		*at = behind;
	return ret;
}

int berth_tcp_response_end(struct berth_conn *conn, const struct berth_ddp *seg)
{
	struct berth_sq *sq = &conn->qp->sq;

	if (seg->opcode != BERTH_RDMAP_READ_RESPONSE || !seg->last)
		return 0;
	spin_lock(&sq->lock);
	if (berth_qp_responds(conn->qp) && !READ_ONCE(conn->qp->failed))
		answered(conn);
	spin_unlock(&sq->lock);
	return 0;
}

/**
 * berth_tcp_unready - the peer still has no receive
 * @conn: connection that was told so, sq.lock held
 */
void berth_tcp_unready(struct berth_conn *conn)
{
	if (berth_req_rnr_left(conn->qp))
		berth_req_wait(conn->qp, conn->peer_rnr_usec);
}

/**
 * berth_tcp_fail_pending - the connection has ended: what waits for the peer has failed
 * @conn: connection, sq.lock held
 *
 * A QP that asks nothing of its peer stays as it is.
 */
void berth_tcp_fail_pending(struct berth_conn *conn)
{
	struct berth_qp *qp = conn->qp;

	lockdep_assert_held(&qp->sq.lock);
	if (!berth_qp_requests(qp) || READ_ONCE(qp->failed))
		return;
	if (qp->sq.tail == qp->sq.head && !berth_tcp_idle_step(qp))
		return;
	berth_count(qp->dev, BERTH_CNT_RETRY_EXCEEDED);
	berth_req_fail(qp, IB_WC_RETRY_EXC_ERR);
}
