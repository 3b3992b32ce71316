// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * conformance: the state machine of queue pairs, all of it. The table below is InfiniBand
 * Architecture 1.x, volume 1, 11.2.5.2 (modify queue pair: transitions with required and optional
 * attributes) for the three kinds of QP. From every state to every state is tried: with
 * what is required, with every optional attribute beside it, without each required one, and with each
 * that does not belong there; and each attribute without a new state. What the table has is
 * accepted, everything else is refused and changes nothing.
 *
 * What differs from the specification, and is the same for every device of Linux: RESET to error is
 * not offered by the RDMA core, and no alternate path exists on RoCE.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conformance.h"
#include "vtest.h"

enum kind { K_RC, K_UC, K_UD, KINDS };

static const struct {
	const char *name;
	enum ibv_qp_type type;
} kinds[KINDS] = {
	[K_RC] = { "rc", IBV_QPT_RC }, [K_UC] = { "uc", IBV_QPT_UC }, [K_UD] = { "ud", IBV_QPT_UD },
};

#define STATES		(IBV_QPS_ERR + 1)
#define ATTRS		21	/* bits of enum ibv_qp_attr_mask, up to IBV_QP_DEST_QPN */

#define CUR		IBV_QP_CUR_STATE
#define NOTIFY		IBV_QP_EN_SQD_ASYNC_NOTIFY
#define ACCESS		IBV_QP_ACCESS_FLAGS
#define PKEY		IBV_QP_PKEY_INDEX
#define PORT		IBV_QP_PORT
#define QKEY		IBV_QP_QKEY
#define RNR_TIMER	IBV_QP_MIN_RNR_TIMER
#define MIGRATION	IBV_QP_PATH_MIG_STATE
#define CONNECT		(IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN)
#define RETRY		(IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC)

struct rule {
	bool exists;
	int required[KINDS];
	int optional[KINDS];
};

static const struct rule rules[STATES][STATES] = {
	[IBV_QPS_RESET] = {
		[IBV_QPS_RESET] = { .exists = true },
		[IBV_QPS_INIT] = { true, { PKEY | PORT | ACCESS, PKEY | PORT | ACCESS, PKEY | PORT | QKEY } },
	},
	[IBV_QPS_INIT] = {
		[IBV_QPS_RESET] = { .exists = true },
		[IBV_QPS_ERR] = { .exists = true },
		[IBV_QPS_INIT] = { true, { }, { PKEY | PORT | ACCESS, PKEY | PORT | ACCESS,
						PKEY | PORT | QKEY } },
		[IBV_QPS_RTR] = { true, { CONNECT | IBV_QP_MAX_DEST_RD_ATOMIC | RNR_TIMER, CONNECT, 0 },
				  { PKEY | ACCESS, PKEY | ACCESS, PKEY | QKEY } },
	},
	[IBV_QPS_RTR] = {
		[IBV_QPS_RESET] = { .exists = true },
		[IBV_QPS_ERR] = { .exists = true },
		[IBV_QPS_RTS] = { true, { IBV_QP_SQ_PSN | RETRY, IBV_QP_SQ_PSN, IBV_QP_SQ_PSN },
				  { CUR | ACCESS | RNR_TIMER | MIGRATION, CUR | ACCESS | MIGRATION,
				    CUR | QKEY } },
	},
	[IBV_QPS_RTS] = {
		[IBV_QPS_RESET] = { .exists = true },
		[IBV_QPS_ERR] = { .exists = true },
		[IBV_QPS_RTS] = { true, { }, { CUR | ACCESS | RNR_TIMER | MIGRATION,
					       CUR | ACCESS | MIGRATION, CUR | QKEY } },
		[IBV_QPS_SQD] = { true, { }, { NOTIFY, NOTIFY, NOTIFY } },
	},
	[IBV_QPS_SQD] = {
		[IBV_QPS_RESET] = { .exists = true },
		[IBV_QPS_ERR] = { .exists = true },
		[IBV_QPS_RTS] = { true, { }, { CUR | ACCESS | RNR_TIMER | MIGRATION,
					       CUR | ACCESS | MIGRATION, CUR | QKEY } },
		[IBV_QPS_SQD] = { true, { }, { PORT | IBV_QP_AV | RETRY | IBV_QP_MAX_DEST_RD_ATOMIC |
					       ACCESS | PKEY | RNR_TIMER | MIGRATION,
					       ACCESS | PKEY | MIGRATION, PKEY | QKEY } },
	},
	[IBV_QPS_ERR] = {
		[IBV_QPS_RESET] = { .exists = true },
		[IBV_QPS_ERR] = { .exists = true },
	},
};

static const char *const state_name[STATES] = {
	[IBV_QPS_RESET] = "RESET", [IBV_QPS_INIT] = "INIT", [IBV_QPS_RTR] = "RTR", [IBV_QPS_RTS] = "RTS",
	[IBV_QPS_SQD] = "SQD", [IBV_QPS_SQE] = "SQE", [IBV_QPS_ERR] = "ERR",
};

struct bench {
	enum kind kind;
	struct ibv_qp *qp;
	struct ibv_qp_attr good;	/* good for every transition but for the states */
	unsigned int tried, accepted;
};

static enum ibv_qp_state state_of(struct bench *b)
{
	struct ibv_qp_init_attr ia;
	struct ibv_qp_attr a = { };

	CHECK_ERRNO(ibv_query_qp(b->qp, &a, IBV_QP_STATE, &ia), 0, "ibv_query_qp");
	return a.qp_state;
}

static int modify(struct bench *b, enum ibv_qp_state from, enum ibv_qp_state to, int mask)
{
	struct ibv_qp_attr a = b->good;

	a.cur_qp_state = from;
	a.qp_state = to;
	return ibv_modify_qp(b->qp, &a, mask);
}

/* From wherever it is to @state, the straight way. */
static void go(struct bench *b, enum ibv_qp_state state)
{
	enum ibv_qp_state s = IBV_QPS_RESET;

	CHECK_ERRNO(modify(b, s, s, IBV_QP_STATE), 0, "to RESET");
	if (state == IBV_QPS_ERR) {
		CHECK_ERRNO(modify(b, s, IBV_QPS_INIT, IBV_QP_STATE |
				   rules[s][IBV_QPS_INIT].required[b->kind]), 0, "to INIT");
		CHECK_ERRNO(modify(b, IBV_QPS_INIT, IBV_QPS_ERR, IBV_QP_STATE), 0, "to ERR");
		return;
	}
	for (; s < state; s++)
		CHECK_ERRNO(modify(b, s, s + 1, IBV_QP_STATE | rules[s][s + 1].required[b->kind]), 0,
			    state_name[s + 1]);
}

/* One call in state @from; whether it was right to accept or refuse it. */
static void try(struct bench *b, enum ibv_qp_state from, enum ibv_qp_state to, int mask, bool ok)
{
	const char *new = mask & IBV_QP_STATE ? state_name[to] : "the same state";
	int err = modify(b, from, to, mask);
	enum ibv_qp_state now = state_of(b);

	b->tried++;
	if (ok) {
		CHECK(!err, "%s to %s with attributes %#x: refused (%s)", state_name[from], new, mask,
		      strerror(err));
		CHECK_EQ(now, mask & IBV_QP_STATE ? to : from, "state after an accepted transition");
		b->accepted++;
		go(b, from);
		return;
	}
	CHECK(err, "%s to %s with attributes %#x: accepted", state_name[from], new, mask);
	CHECK(err == EINVAL || err == EOPNOTSUPP, "%s to %s with attributes %#x: %s, expected EINVAL",
	      state_name[from], new, mask, strerror(err));
	CHECK_EQ(now, from, "state after a refused transition");
}

static void try_pair(struct bench *b, enum ibv_qp_state from, enum ibv_qp_state to)
{
	const struct rule *r = &rules[from][to];
	int required = r->required[b->kind], optional = r->optional[b->kind];

	try(b, from, to, IBV_QP_STATE | required, r->exists);
	try(b, from, to, IBV_QP_STATE | required | optional, r->exists);
	if (!r->exists) {	/* with what is right for entering that state from elsewhere, too */
		for (enum ibv_qp_state s = 0; s < STATES; s++)
			try(b, from, to, IBV_QP_STATE | rules[s][to].required[b->kind], false);
		return;
	}
	for (int i = 0; i < ATTRS; i++) {
		int bit = 1 << i;

		if (bit == IBV_QP_STATE)
			continue;
		if (required & bit)
			try(b, from, to, IBV_QP_STATE | (required & ~bit), false);
		else
			try(b, from, to, IBV_QP_STATE | required | bit, optional & bit);
	}
}

/* Without a new state: a change of attributes where the state has a transition to itself. */
static void try_attributes(struct bench *b, enum ibv_qp_state from)
{
	const struct rule *r = &rules[from][from];

	for (int i = 0; i < ATTRS; i++)
		if (1 << i != IBV_QP_STATE)
			try(b, from, from, 1 << i, r->exists && r->optional[b->kind] & 1 << i);
}

static void try_wrong_cur(struct bench *b, enum ibv_qp_state from, enum ibv_qp_state to)
{
	for (enum ibv_qp_state cur = 0; cur < STATES; cur++) {
		struct ibv_qp_attr a = b->good;

		if (cur == from)
			continue;
		a.cur_qp_state = cur;
		a.qp_state = to;
		CHECK(ibv_modify_qp(b->qp, &a, IBV_QP_STATE | CUR | rules[from][to].required[b->kind]),
		      "%s to %s: accepted although the caller thought that it was in %s", state_name[from],
		      state_name[to], state_name[cur]);
		CHECK_EQ(state_of(b), from, "state after a refused transition");
	}
}

static void bench(struct bench *b, const enum kind *kind)
{
	struct vt_dev *d = vt_open(vt_cfg.dev);
	struct ibv_cq *cq = vt_cq_new(d, 16, NULL);
	struct ibv_qp_init_attr ia = {
		.qp_type = kinds[*kind].type, .send_cq = cq, .recv_cq = cq,
		.cap = { .max_send_wr = 4, .max_recv_wr = 4, .max_send_sge = 1, .max_recv_sge = 1 },
	};
	union ibv_gid gid;
	int index = vt_find_gid(d, false, &gid);

	CHECK(index >= 0, "%s has no RoCEv2 GID", d->name);
	*b = (struct bench){ .kind = *kind, .qp = ibv_create_qp(d->pd, &ia) };
	CHECK(b->qp, "ibv_create_qp(%s): %s", kinds[*kind].name, strerror(errno));
	vt_defer((int (*)(void *))ibv_destroy_qp, b->qp, "ibv_destroy_qp");
	b->good = (struct ibv_qp_attr){
		.port_num = 1, .qp_access_flags = VT_ACCESS_ALL, .qkey = 0x1234, .path_mtu = IBV_MTU_512,
		.dest_qp_num = b->qp->qp_num, .max_dest_rd_atomic = 1, .max_rd_atomic = 1,
		.min_rnr_timer = 1, .timeout = 14, .retry_cnt = 1, .rnr_retry = 1,
		.path_mig_state = IBV_MIG_MIGRATED, .alt_port_num = 1,
		.ah_attr = { .is_global = 1, .port_num = 1,
			     .grh = { .dgid = gid, .hop_limit = 1, .sgid_index = (uint8_t)index } },
	};
	b->good.alt_ah_attr = b->good.ah_attr;
}

static void table(const void *arg)
{
	struct bench b;

	bench(&b, arg);
	for (enum ibv_qp_state from = 0; from < STATES; from++) {
		if (from == IBV_QPS_SQE)	/* entered by an error only: ud_errors */
			continue;
		go(&b, from);
		for (enum ibv_qp_state to = 0; to < STATES; to++)
			try_pair(&b, from, to);
		try_attributes(&b, from);
	}
	CHECK(b.tried > 400 && b.accepted > 30, "only %u calls, %u accepted: nothing was tried", b.tried,
	      b.accepted);
	go(&b, IBV_QPS_RTR);
	try_wrong_cur(&b, IBV_QPS_RTR, IBV_QPS_RTS);
	go(&b, IBV_QPS_SQD);
	try_wrong_cur(&b, IBV_QPS_SQD, IBV_QPS_RTS);
}

/* States and attributes that no specification has. */
static void unknown(const void *arg)
{
	struct bench b;

	bench(&b, arg);
	for (enum ibv_qp_state from = 0; from < STATES; from++) {
		if (from == IBV_QPS_SQE)
			continue;
		go(&b, from);
		for (int i = ATTRS; i < 32; i++) {
			struct ibv_qp_attr a = b.good;

			a.qp_state = from;
			CHECK(ibv_modify_qp(b.qp, &a, (int)(1U << i)), "%s: attribute bit %d alone was accepted",
			      state_name[from], i);
			CHECK(ibv_modify_qp(b.qp, &a, (int)(IBV_QP_STATE | 1U << i)),
			      "%s: attribute bit %d was accepted", state_name[from], i);
		}
		for (unsigned int s = STATES; s < 300; s++) {
			struct ibv_qp_attr a = b.good;

			a.qp_state = (enum ibv_qp_state)s;
			/* libibverbs sends 8 bits of it. */
			if ((uint8_t)s >= STATES)
				CHECK(ibv_modify_qp(b.qp, &a, IBV_QP_STATE), "%s to state %u was accepted",
				      state_name[from], s);
		}
		CHECK_EQ(state_of(&b), from, "state after refused calls");
	}
}

void conf_add_state(void)
{
	static const enum kind each[KINDS] = { K_RC, K_UC, K_UD };
	char name[64];

	for (int k = 0; k < KINDS; k++) {
		snprintf(name, sizeof(name), "state/table/%s", kinds[k].name);
		vt_add(name, table, &each[k], 60);
		snprintf(name, sizeof(name), "state/unknown/%s", kinds[k].name);
		vt_add(name, unknown, &each[k], 60);
	}
}
