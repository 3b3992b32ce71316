// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * fail_nth: every allocation on the way of a create fails once. /proc/thread-self/fail-nth has the
 * n-th allocation of this thread fail; n rises until the call gets through without it. A call that
 * failed must have left nothing behind, and one that did not must have made something that works and
 * can be destroyed. What is left behind is counted by the script around, and by kmemleak.
 */
#include <errno.h>
#include <fcntl.h>
#include <infiniband/berthdv.h>
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vtest.h"
#include "vt_ud.h"

#define LIMIT	1000	/* allocations on the longest way */

/* One way: @make returns what it made, or NULL and errno; @unmake undoes it. */
struct way {
	const char *name;
	void *(*make)(void);
	void (*unmake)(void *made);
	void (*prepare)(void);
	bool many;	/* has hundreds of allocations, most of them the core's: a sample of those */
};

static struct vt_dev *dev, *peer;
static struct ibv_cq *cq;
static struct vt_buf *buf, *bar;
static struct berthdv_area *area;
static struct vt_ep ep;
static struct vt_pair *pair;

static int fail_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		vt_skip("this kernel has no fault injection");
	return fd;
}

static void fail_set(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	CHECK(pwrite(fail_fd(), text, (size_t)len, 0) == len, "fail-nth: %s", strerror(errno));
}

/* What is left of n: 0 when the allocation was reached and failed. */
static unsigned int fail_left(void)
{
	char text[16] = "";

	CHECK(pread(fail_fd(), text, sizeof(text) - 1, 0) > 0, "fail-nth: %s", strerror(errno));
	return (unsigned int)strtoul(text, NULL, 10);
}

static void check_errno(unsigned int n, int err)
{
	CHECK(err == ENOMEM || err == EAGAIN || err == ENOBUFS || err == EINTR || err == EFAULT ||
	      err == ENOSPC, "allocation %u failed: error is '%s'", n, strerror(err));
}

static void run(const void *arg)
{
	const struct way *way = arg;
	unsigned int n, failures = 0;

	fail_fd();
	dev = vt_open(vt_cfg.dev);
	peer = vt_open(vt_cfg.peer);
	if (way->prepare)
		way->prepare();
	/* Once without, so that what is made for the first time only is there. */
	way->unmake(way->make());
	for (n = 1;; n += 1 + (way->many ? n / 16 : 0)) {
		unsigned int left;
		void *made;
		int err;

		CHECK(n < (way->many ? 100 * LIMIT : LIMIT), "no end after %u allocations", n);
		fail_set(n);
		made = way->make();
		err = errno;
		left = fail_left();
		fail_set(0);
		if (made) {
			way->unmake(made);
		} else {
			failures++;
			check_errno(n, err);
		}
		if (left)
			break;
	}
	CHECK(failures, "no allocation of %u failed the call", n);
	fprintf(stderr, "%s: up to %u allocations, %u failures\n", vt_case_name(), n - 1, failures);
}

/* libibverbs looks for a device that it cannot open by its name elsewhere, and tells of that. */
static void *make_context(void)
{
	void *made = ibv_open_device(dev->ctx->device);

	if (!made && errno == ENOENT)
		errno = ENOMEM;
	return made;
}

static void unmake_context(void *made)
{
	CHECK(made && !ibv_close_device(made), "context");
}

static void *make_pd(void)
{
	return ibv_alloc_pd(dev->ctx);
}

static void unmake_pd(void *made)
{
	CHECK(made && !ibv_dealloc_pd(made), "PD");
}

static void prepare_buf(void)
{
	buf = vt_buf_alloc(VT_HOST, 100000);
}

static void *make_mr(void)
{
	return vt_buf_try_reg(buf, dev->pd, VT_ACCESS_ALL);
}

static void unmake_mr(void *made)
{
	CHECK(made && !ibv_dereg_mr(made), "MR");
}

static void prepare_bar(void)
{
	buf = vt_buf_alloc(VT_BAR, 100000);
}

static void prepare_heap(void)
{
	buf = vt_buf_alloc(VT_HEAP, 100000);
}

static void prepare_move(void)
{
	buf = vt_buf_alloc(VT_MOVE, 100000);
}

static void *make_cq(void)
{
	return ibv_create_cq(dev->ctx, 100, NULL, NULL, 0);
}

static void unmake_cq(void *made)
{
	CHECK(made && !ibv_destroy_cq(made), "CQ");
}

static void *make_channel(void)
{
	return ibv_create_comp_channel(dev->ctx);
}

static void unmake_channel(void *made)
{
	CHECK(made && !ibv_destroy_comp_channel(made), "channel");
}

static void prepare_cq(void)
{
	cq = vt_cq_new(dev, 200, NULL);
}

static void *make_qp_of(enum ibv_qp_type type)
{
	struct ibv_qp_init_attr ia = { .send_cq = cq, .recv_cq = cq, .qp_type = type,
				       .cap = { 40, 40, 4, 4, 128 } };

	return ibv_create_qp(dev->pd, &ia);
}

static void *make_rc(void)
{
	return make_qp_of(IBV_QPT_RC);
}

static void *make_ud(void)
{
	return make_qp_of(IBV_QPT_UD);
}

static void unmake_qp(void *made)
{
	CHECK(made && !ibv_destroy_qp(made), "QP");
}

static void *make_srq(void)
{
	struct ibv_srq_init_attr ia = { .attr = { .max_wr = 40, .max_sge = 4 } };

	return ibv_create_srq(dev->pd, &ia);
}

static void unmake_srq(void *made)
{
	CHECK(made && !ibv_destroy_srq(made), "SRQ");
}

static void prepare_srq(void)
{
	if (!dev->attr.max_srq)
		vt_skip("%s has no SRQs", dev->name);
}

static int dereg(void *mr)
{
	return ibv_dereg_mr(mr);
}

static void prepare_area(void)
{
	prepare_bar();
	buf->mr = vt_buf_try_reg(buf, dev->pd, VT_ACCESS_ALL);
	CHECK(buf->mr, "MR");
	vt_defer(dereg, buf->mr, "ibv_dereg_mr");
}

static void *make_area(void)
{
	const struct berthdv_area_attr attr = { .chunk_size = 4096, .max_message = 65536 };

	return berthdv_create_area(buf->mr, &attr);
}

static void unmake_area(void *made)
{
	CHECK(made && !berthdv_destroy_area(made), "area");
}

static int destroy_area(void *made)
{
	return berthdv_destroy_area(made);
}

static void prepare_area_qp(void)
{
	prepare_cq();
	prepare_area();
	area = make_area();
	CHECK(area, "area");
	vt_defer(destroy_area, area, "berthdv_destroy_area");
}

static void *make_area_qp(void)
{
	struct berthdv_qp_init_attr dv = { .comp_mask = BERTHDV_QP_INIT_ATTR_AREA, .area = area };
	struct ibv_qp_init_attr_ex ia = {
		.send_cq = cq, .recv_cq = cq, .qp_type = IBV_QPT_RC, .comp_mask = IBV_QP_INIT_ATTR_PD, .pd = dev->pd,
		.cap = { .max_send_wr = 4, .max_send_sge = 1 },
	};

	return berthdv_create_qp(dev->ctx, &ia, &dv);
}

static void *make_area_srq(void)
{
	struct berthdv_srq_init_attr dv = { .area = area };
	struct ibv_srq_init_attr ia = { };

	return berthdv_create_srq(dev->pd, &ia, &dv);
}

static void *make_mw(void)
{
	return ibv_alloc_mw(dev->pd, IBV_MW_TYPE_2);
}

static void unmake_mw(void *made)
{
	CHECK(made && !ibv_dealloc_mw(made), "MW");
}

static void prepare_mw(void)
{
	if (!dev->attr.max_mw)
		vt_skip("%s has no memory windows", dev->name);
}

static void prepare_ep(void)
{
	struct vt_opts o = VT_OPTS;

	vt_ep_create(&ep, dev, &o, 0);
}

static void *make_ah(void)
{
	return ud_ah_try(&ep, &ep.gid);
}

static void unmake_ah(void *made)
{
	CHECK(made && !ibv_destroy_ah(made), "AH");
}

/* The whole way up, where the failing transition leaves the QP usable for another try. */
static void *make_rts(void)
{
	struct vt_opts o = VT_OPTS;
	int err;

	o.mtu = IBV_MTU_1024;
	err = vt_ep_to_init(&ep, &o);
	if (!err)
		err = vt_ep_to_rtr_raw(&ep, &o, &ep.gid, ep.qp->qp_num, 5);
	if (!err)
		err = vt_ep_to_rts(&ep, &o);
	if (!err)
		return &ep;
	fail_set(0);
	CHECK_ERRNO(vt_ep_to_state(&ep, IBV_QPS_RESET), 0, "to RESET");
	errno = err;
	return NULL;
}

static void unmake_rts(void *made)
{
	CHECK(made, "QP");
	CHECK_ERRNO(vt_ep_to_state(&ep, IBV_QPS_RESET), 0, "to RESET");
}

static void prepare_pair(void)
{
	struct vt_opts o = VT_OPTS;

	o.timeout = 12;
	buf = vt_buf_new(dev, VT_HOST, 20000, VT_ACCESS_ALL);
	bar = vt_buf_new(peer, VT_BAR, 20000, VT_ACCESS_ALL);
	pair = vt_pair_new(dev, peer, &o);
}

/* No memory for a packet is a packet lost: the request completes all the same, in time. */
static void *make_write(void)
{
	unsigned int armed = fail_left(), left;
	struct ibv_wc wc;

	CHECK_ERRNO(vt_send(&pair->a, 1, IBV_WR_RDMA_WRITE, vt_sge(buf, 0, 20000), bar, 0,
			    IBV_SEND_SIGNALED), 0, "ibv_post_send");
	left = fail_left();
	fail_set(0);
	vt_poll(pair->a.scq, &wc, "WRITE without memory");
	CHECK_EQ(wc.status, IBV_WC_SUCCESS, "status");
	vt_buf_expect_copy(bar, 0, 20000, buf, 0, "WRITE without memory");
	fail_set(left);
	if (armed && !left) {
		errno = ENOMEM;
		return NULL;
	}
	return pair;
}

static void unmake_nothing(void *made)
{
	CHECK(made, "request");
}

/* ---- rdma link add ---- */

static size_t attr_string(uint8_t *p, uint16_t type, const char *text)
{
	struct nlattr a = { .nla_type = type, .nla_len = (uint16_t)(NLA_HDRLEN + strlen(text) + 1) };

	memset(p, 0, NLA_ALIGN(a.nla_len));
	memcpy(p, &a, sizeof(a));
	memcpy(p + NLA_HDRLEN, text, strlen(text));
	return NLA_ALIGN(a.nla_len);
}

static int nl_fd = -1;

static int netlink(struct nlmsghdr *hdr)
{
	struct {
		struct nlmsghdr hdr;
		struct nlmsgerr err;
		uint8_t more[512];
	} answer;

	hdr->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (send(nl_fd, hdr, hdr->nlmsg_len, 0) < 0)
		return errno;
	fail_left();
	/* The acknowledgement may be what there was no memory for. */
	if (recv(nl_fd, &answer, sizeof(answer), MSG_DONTWAIT) < 0)
		return errno;
	return -answer.err.error;
}

#define LINK	"btf"

static bool link_exists(void)
{
	return !access("/sys/class/infiniband/" LINK, F_OK);
}

/* Without a shell: starting a program is what takes the time here. */
static void delete_link(void)
{
	char *const argv[] = { "rdma", "link", "delete", LINK, NULL };
	pid_t pid;
	int status;

	CHECK_ERRNO(posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ), 0, "posix_spawnp");
	CHECK(waitpid(pid, &status, 0) == pid && !status, "rdma link delete");
}

static void prepare_link(void)
{
	int there = open("/run/netns/a", O_RDONLY | O_CLOEXEC);

	CHECK(there >= 0 && !setns(there, CLONE_NEWNET), "setns: %s", strerror(errno));
	close(there);
	nl_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_RDMA);
	CHECK(nl_fd >= 0, "netlink: %s", strerror(errno));
	CHECK(!system("ip link add dmf type dummy && ip addr add 10.76.0.1/24 dev dmf && ip link set dmf up"),
	      "no dummy netdev");
}

static void *make_link(void)
{
	uint8_t msg[256] = { };
	struct nlmsghdr *hdr = (struct nlmsghdr *)msg;
	int err;

	hdr->nlmsg_type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_NEWLINK);
	hdr->nlmsg_len = NLMSG_HDRLEN;
	hdr->nlmsg_len += attr_string(msg + hdr->nlmsg_len, RDMA_NLDEV_ATTR_DEV_NAME, LINK);
	hdr->nlmsg_len += attr_string(msg + hdr->nlmsg_len, RDMA_NLDEV_ATTR_LINK_TYPE, "berth");
	hdr->nlmsg_len += attr_string(msg + hdr->nlmsg_len, RDMA_NLDEV_ATTR_NDEV_NAME, "dmf");
	err = netlink(hdr);
	errno = err;
	return err ? NULL : &nl_fd;
}

static void unmake_link(void *made)
{
	CHECK(made, "link: %s", strerror(errno));
	CHECK(link_exists(), "the link is not there");
	delete_link();
}

/* A failed add may have failed to say that it worked, so look, and count that as made. */
static void *make_link_or_look(void)
{
	void *made = make_link();
	int err = errno;
	unsigned int left = fail_left();

	if (!made) {
		fail_set(0);
		if (link_exists())
			delete_link();
		fail_set(left);
	}
	errno = err;
	return made;
}

static const struct way ways[] = {
	{ "context", make_context, unmake_context, NULL, false },
	{ "pd", make_pd, unmake_pd, NULL, false },
	{ "mr/host", make_mr, unmake_mr, prepare_buf, false },
	{ "mr/heap", make_mr, unmake_mr, prepare_heap, false },
	{ "mr/bar", make_mr, unmake_mr, prepare_bar, false },
	{ "mr/move", make_mr, unmake_mr, prepare_move, false },
	{ "channel", make_channel, unmake_channel, NULL, false },
	{ "cq", make_cq, unmake_cq, NULL, false },
	{ "qp/rc", make_rc, unmake_qp, prepare_cq, false },
	{ "qp/ud", make_ud, unmake_qp, prepare_cq, false },
	{ "srq", make_srq, unmake_srq, prepare_srq, false },
	{ "area", make_area, unmake_area, prepare_area, false },
	{ "area/qp", make_area_qp, unmake_qp, prepare_area_qp, false },
	{ "area/srq", make_area_srq, unmake_srq, prepare_area_qp, false },
	{ "mw", make_mw, unmake_mw, prepare_mw, false },
	{ "ah", make_ah, unmake_ah, prepare_ep, false },
	{ "rts", make_rts, unmake_rts, prepare_ep, false },
	{ "write", make_write, unmake_nothing, prepare_pair, false },
	{ "link", make_link_or_look, unmake_link, prepare_link, true },
};

static void add_cases(void)
{
	char name[64];

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		snprintf(name, sizeof(name), "fail/%s", ways[i].name);
		vt_add(name, run, &ways[i], 120);
	}
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
