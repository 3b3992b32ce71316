// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * ud_mcast: what is sent to a group reaches every QP that is attached to it, on the sender's device
 * and over the wire, and nobody else; payloads and headers verified.
 */
#include <errno.h>
#include <string.h>

#include "vt_ud.h"

#define SIZE		16384
#define SLOT		2000
#define QUIET_MS	80
#define MCAST_QPN	0xffffff

/* The sender, two on its device, two on the other. */
enum { SENDER, OWN_IN, OWN_OUT, FAR_IN, FAR_IN2, FAR_OUT, ENDS };

struct bench {
	struct vt_ep *ep[ENDS];
	struct vt_buf *own, *far;
	union ibv_gid group;
	struct ibv_ah *ah;
};

static void attach(struct vt_ep *ep, const union ibv_gid *gid)
{
	CHECK_ERRNO(ibv_attach_mcast(ep->qp, gid, 0), 0, "ibv_attach_mcast");
}

static void detach(struct vt_ep *ep, const union ibv_gid *gid)
{
	CHECK_ERRNO(ibv_detach_mcast(ep->qp, gid, 0), 0, "ibv_detach_mcast");
}

static struct bench make_bench(bool v6, uint16_t n)
{
	struct vt_dev *own, *far;
	struct ud_opts o = UD_OPTS;
	struct bench b;

	if (!vt_cfg.peer)
		vt_skip("needs a peer");
	own = vt_open(vt_cfg.dev);
	far = vt_open(vt_cfg.peer);
	o.v6 = v6;
	for (int i = 0; i < ENDS; i++)
		b.ep[i] = ud_ep_new(i < FAR_IN ? own : far, &o);
	b.own = vt_buf_new(own, VT_HOST, SIZE, VT_ACCESS_ALL);
	b.far = vt_buf_new(far, VT_HOST, SIZE, VT_ACCESS_ALL);
	b.group = ud_group(v6, n);
	b.ah = ud_ah(b.ep[SENDER], &b.group);
	return b;
}

static struct vt_buf *buf_of(struct bench *b, int end)
{
	return end < FAR_IN ? b->own : b->far;
}

static size_t slot_of(int end)
{
	return (size_t)(end + 1) * SLOT;
}

static void post_receives(struct bench *b)
{
	for (int i = 0; i < ENDS; i++)
		CHECK_ERRNO(vt_recv(b->ep[i], (uint64_t)i,
				    vt_sge(buf_of(b, i), slot_of(i), SLOT)), 0, "ibv_post_recv");
}

static void send(struct bench *b, uint32_t len, uint32_t qkey)
{
	struct vt_ep *ep = b->ep[SENDER];

	ud_send(ep, 99, vt_sge(b->own, 7, len), b->ah, MCAST_QPN, qkey);
	vt_expect_wc(ep, ep->scq, 99, IBV_WC_SUCCESS, "sending to a group", NULL);
}

static void got(struct bench *b, int end, uint32_t len)
{
	struct vt_buf *buf = buf_of(b, end);

	ud_expect(b->ep[end], (uint64_t)end, b->ep[SENDER], len);
	ud_check_grh(buf->ptr + slot_of(end), &b->ep[SENDER]->gid, &b->group, len, false);
	vt_buf_expect_copy(buf, slot_of(end) + UD_GRH, len, b->own, 7, "payload");
	vt_buf_check(buf, slot_of(end) + UD_GRH + len, SLOT - UD_GRH - len, "behind the payload");
}

static void got_nothing(struct bench *b, int end)
{
	vt_poll_none(b->ep[end]->rcq, end == SENDER ? QUIET_MS : 1, "a QP got what it must not");
	vt_buf_check(buf_of(b, end), slot_of(end), SLOT, "untouched");
}

static void fan_out(const void *arg)
{
	bool v6 = *(const bool *)arg;
	struct bench b = make_bench(v6, 1);

	attach(b.ep[OWN_IN], &b.group);
	attach(b.ep[FAR_IN], &b.group);
	attach(b.ep[FAR_IN2], &b.group);
	post_receives(&b);
	send(&b, 1001, UD_QKEY);
	got(&b, OWN_IN, 1001);
	got(&b, FAR_IN, 1001);
	got(&b, FAR_IN2, 1001);
	got_nothing(&b, SENDER);
	got_nothing(&b, OWN_OUT);
	got_nothing(&b, FAR_OUT);
	detach(b.ep[OWN_IN], &b.group);
	detach(b.ep[FAR_IN], &b.group);
	detach(b.ep[FAR_IN2], &b.group);
}

/* The sender is a member, too. */
static void to_self(const void *arg)
{
	struct bench b = make_bench(*(const bool *)arg, 2);

	attach(b.ep[SENDER], &b.group);
	post_receives(&b);
	send(&b, 10, UD_QKEY);
	got(&b, SENDER, 10);
	got_nothing(&b, OWN_OUT);
	got_nothing(&b, FAR_OUT);
	detach(b.ep[SENDER], &b.group);
}

/* After detaching, with another queue key, or to another group: nothing. */
static void nobody(const void *arg)
{
	bool v6 = *(const bool *)arg;
	struct bench b = make_bench(v6, 3);
	union ibv_gid other = ud_group(v6, 4);

	attach(b.ep[OWN_IN], &b.group);
	attach(b.ep[FAR_IN], &b.group);
	attach(b.ep[FAR_IN2], &other);
	detach(b.ep[OWN_IN], &b.group);
	post_receives(&b);
	send(&b, 100, UD_QKEY ^ 1);
	got_nothing(&b, SENDER);
	for (int i = 0; i < ENDS; i++)
		got_nothing(&b, i);
	send(&b, 100, UD_QKEY);
	got(&b, FAR_IN, 100);
	got_nothing(&b, SENDER);
	got_nothing(&b, OWN_IN);
	got_nothing(&b, FAR_IN2);
	CHECK(ibv_detach_mcast(b.ep[OWN_IN]->qp, &b.group, 0), "detached twice");
	/* A QP that is attached cannot be destroyed. */
	CHECK_ERRNO(ibv_destroy_qp(b.ep[FAR_IN]->qp), EBUSY, "ibv_destroy_qp");
	detach(b.ep[FAR_IN], &b.group);
	detach(b.ep[FAR_IN2], &other);
}

static void refused(const void *arg)
{
	struct vt_dev *dev = vt_open(vt_cfg.dev);
	struct ud_opts u = UD_OPTS;
	struct vt_opts o = VT_OPTS;
	union ibv_gid group = ud_group(false, 5);
	struct vt_ep *ud = ud_ep_new(dev, &u);
	struct vt_ep rc;

	(void)arg;
	vt_ep_create(&rc, dev, &o, 0);
	CHECK_ERRNO(ibv_attach_mcast(rc.qp, &group, 0), EINVAL, "attaching an RC QP");
	CHECK_ERRNO(ibv_attach_mcast(ud->qp, &ud->gid, 0), EINVAL, "attaching to a unicast GID");
	CHECK_ERRNO(vt_ep_to_init(&rc, &o), 0, "to INIT");
	CHECK_ERRNO(vt_ep_to_rtr_raw(&rc, &o, &group, 17, 0), EINVAL, "an RC QP to a group");
}

static void add_cases(void)
{
	static const bool v4 = false, v6 = true;

	vt_add("mcast/fan_out/ipv4", fan_out, &v4, 0);
	vt_add("mcast/fan_out/ipv6", fan_out, &v6, 0);
	vt_add("mcast/to_self/ipv4", to_self, &v4, 0);
	vt_add("mcast/to_self/ipv6", to_self, &v6, 0);
	vt_add("mcast/nobody/ipv4", nobody, &v4, 0);
	vt_add("mcast/nobody/ipv6", nobody, &v6, 0);
	vt_add("mcast/refused", refused, NULL, 0);
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
