/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a transport is to the objects: the only way by which QPs, rings and received packets reach
 * the code of a service type. rc/ (for RC and UC), ud/ and tcp/ know nothing of each other.
 *
 * Locks are those of obj/qp.h; a QP's transport is set when it is created and stays.
 */
#ifndef BERTH_TRANSPORT_H
#define BERTH_TRANSPORT_H

#include <rdma/ib_verbs.h>
#include "wire/opcode.h"

struct berth_cursor;
struct berth_dev;
struct berth_packet;
struct berth_qp;
struct berth_rx;
struct berth_send_wqe;

/**
 * struct berth_transport - one service type
 * @service: what its opcodes begin with
 * @stream: bytes without messages: a receive may complete at any of them
 * @reliable: whether the peer acknowledges; otherwise what was sent is done
 * @sq_error: state to which an error of the requester leads: IB_QPS_ERR, or IB_QPS_SQE where the
 *	receive queue goes on (IBTA volume 1, 10.3.1)
 * @setup: prepare timers, works and memory of a QP that nobody knows yet (process context); 0 or
 *	-ENOMEM
 * @teardown: give back what @setup took, of a QP that nobody knows any more; NULL: nothing
 * @prepare: INIT or RTR is about to be set, attributes are valid (process context); NULL: nothing to do.
 *	Returns 0 or the error that modify fails with
 * @quiesce: stop timers; nobody starts them again before the next modify (process context)
 * @shutdown: stop timers and works for good (process context)
 * @takes: whether a send WQE is one of this service (sq.lock held); NULL: all are
 * @kick: work was posted, or may go on (process context, no lock of the QP held)
 * @receives_posted: receives were posted after berth_qp_ask_for_doorbell() (as @kick); NULL
 * @stopped: the QP has come to RESET or ERR (sq.lock and rq.lock held); NULL
 * @reset_requester: begin at a PSN (sq.lock held)
 * @reset_responder: expect a PSN (rq.lock held)
 * @accepts: with @request, of a service that has packets: whether a packet comes from where the QP takes it from (sq.lock or rq.lock held)
 * @request: handle a request packet (rq.lock held)
 * @middle: the same for one that is like the last one that @request took in all but PSN and ack request, its payload in
 *	one piece; returns false if it is for @request all the same; NULL
 * @response: handle a response packet (sq.lock held); NULL: there are none
 * @answer: send what the requests that were handled call for (rq.lock held); returns whether
 *	@answer_more has to be called after the lock was dropped; NULL: nothing is answered
 * @answer_more: see @answer (softirq)
 * @proceed: responses were handled: the requester may go on (softirq, no lock held);
 *	set if @response is
 */
struct berth_transport {
	enum berth_service service;
	bool stream;
	bool reliable;
	enum ib_qp_state sq_error;
	int (*setup)(struct berth_qp *qp);
	void (*teardown)(struct berth_qp *qp);
	int (*prepare)(struct berth_qp *qp, enum ib_qp_state next);
	void (*quiesce)(struct berth_qp *qp);
	void (*shutdown)(struct berth_qp *qp);
	bool (*takes)(const struct berth_swqe *wqe);
	void (*kick)(struct berth_qp *qp);
	void (*receives_posted)(struct berth_qp *qp);
	void (*stopped)(struct berth_qp *qp);
	void (*reset_requester)(struct berth_qp *qp, u32 psn);
	void (*reset_responder)(struct berth_qp *qp, u32 psn);
	bool (*accepts)(const struct berth_qp *qp, const struct berth_packet *pkt,
			const struct berth_rx *rx);
	void (*request)(struct berth_qp *qp, const struct berth_packet *pkt,
			struct berth_cursor *payload, const struct berth_rx *rx);
	bool (*middle)(struct berth_qp *qp, const struct berth_packet *pkt, const u8 *payload);
	void (*response)(struct berth_qp *qp, const struct berth_packet *pkt,
			 struct berth_cursor *payload);
	bool (*answer)(struct berth_qp *qp);
	void (*answer_more)(struct berth_qp *qp);
	void (*proceed)(struct berth_qp *qp);
};

const struct berth_transport *berth_transport_find(const struct berth_dev *dev, enum ib_qp_type type,
						   u32 flags);

#endif
