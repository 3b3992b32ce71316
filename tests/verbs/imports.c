// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * imports: a context of one process, used by another one that has its file descriptor and the
 * handles of its objects (ibv_import_device, _pd, _mr, _dm).
 *
 * The owner forks before it opens the device, so that nothing but what it passes is shared.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vtest.h"

#define SIZE	(64 * 1024)
#define DM_SIZE	8192

/* What the owner tells; the descriptor comes along with it. */
struct offer {
	uint32_t pd, mr, dm;
	uint32_t lkey, rkey;
	uint64_t iova;
	uint64_t seed;
};

static void send_fd(int sock, const struct offer *o, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { };
	struct iovec iov = { (void *)o, sizeof(*o) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	CHECK_EQ(sendmsg(sock, &msg, 0), (ssize_t)sizeof(*o), "sendmsg");
}

static int recv_fd(int sock, struct offer *o)
{
	char control[CMSG_SPACE(sizeof(int))] = { };
	struct iovec iov = { o, sizeof(*o) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd;

	CHECK_EQ(recvmsg(sock, &msg, MSG_CMSG_CLOEXEC), (ssize_t)sizeof(*o), "recvmsg");
	CHECK(CMSG_FIRSTHDR(&msg), "no descriptor came along");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static void say(int sock)
{
	CHECK_EQ(write(sock, "x", 1), 1, "write to the other process");
}

static void hear(int sock)
{
	char c;

	CHECK_EQ(read(sock, &c, 1), 1, "read from the other process");
}

static int unimport_pd(void *pd)
{
	ibv_unimport_pd(pd);
	return 0;
}

static int unimport_mr(void *mr)
{
	ibv_unimport_mr(mr);
	return 0;
}

static int unimport_dm(void *dm)
{
	ibv_unimport_dm(dm);
	return 0;
}

static int close_device(void *ctx)
{
	return ibv_close_device(ctx) ? errno : 0;
}

static struct vt_dev *import_device(int fd, uint32_t pd_handle)
{
	struct vt_dev *dev = vt_zalloc(sizeof(*dev));

	dev->name = vt_cfg.dev;
	dev->ctx = ibv_import_device(fd);
	CHECK(dev->ctx, "ibv_import_device: %s", strerror(errno));
	vt_defer(close_device, dev->ctx, "ibv_close_device");
	CHECK_ERRNO(ibv_query_device(dev->ctx, &dev->attr), 0, "ibv_query_device");
	CHECK_ERRNO(ibv_query_port(dev->ctx, 1, &dev->port), 0, "ibv_query_port");
	CHECK(dev->ctx->num_comp_vectors > 0, "no completion vectors");
	dev->pd = ibv_import_pd(dev->ctx, pd_handle);
	CHECK(dev->pd, "ibv_import_pd: %s", strerror(errno));
	vt_defer(unimport_pd, dev->pd, "ibv_unimport_pd");
	return dev;
}

static struct ibv_mr *import_mr(struct vt_dev *dev, uint32_t handle)
{
	struct ibv_mr *mr = ibv_import_mr(dev->pd, handle);

	CHECK(mr, "ibv_import_mr: %s", strerror(errno));
	vt_defer(unimport_mr, mr, "ibv_unimport_mr");
	return mr;
}

/* Bytes of the owner's region arrive in our memory, ours in the owner's. */
static void traffic(struct vt_dev *dev, struct ibv_mr *mr, const struct offer *o)
{
	struct vt_opts opts = VT_OPTS;
	struct vt_pair *p = vt_pair_new(dev, dev, &opts);
	struct vt_buf *mine = vt_buf_new(dev, VT_HOST, SIZE, VT_ACCESS_ALL);
	struct ibv_sge sge = { .addr = o->iova + 100, .length = 5000, .lkey = mr->lkey };

	CHECK_ERRNO(vt_recv(&p->b, 1, vt_sge(mine, 0, 5000)), 0, "ibv_post_recv");
	CHECK_ERRNO(vt_send(&p->a, 2, IBV_WR_SEND, sge, NULL, 0, IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&p->b, p->b.rcq, 1, IBV_WC_SUCCESS, "receiving from the owner's memory", NULL);
	vt_expect_wc(&p->a, p->a.scq, 2, IBV_WC_SUCCESS, "sending from the owner's memory", NULL);
	vt_buf_expect(mine, 0, 5000, o->seed, VT_SKEW + 100, "bytes of the owner's region");
	vt_buf_fill(mine, 0, 5000);
	CHECK_ERRNO(vt_rdma(&p->a, 3, IBV_WR_RDMA_WRITE, vt_sge(mine, 0, 3000), o->iova + 20000, mr->rkey), 0,
		    "ibv_post_send");
	vt_expect_wc(&p->a, p->a.scq, 3, IBV_WC_SUCCESS, "writing to the owner's memory", NULL);
}

static void guest_memory(int sock)
{
	struct offer o;
	int fd = recv_fd(sock, &o);
	struct vt_dev *dev = import_device(fd, o.pd);
	struct ibv_mr *mr = import_mr(dev, o.mr);

	CHECK_EQ(mr->lkey, o.lkey, "lkey of the imported region");
	CHECK_EQ(mr->rkey, o.rkey, "rkey of the imported region");
	CHECK_EQ(mr->length, SIZE, "length of the imported region");
	traffic(dev, mr, &o);
}

static void guest_dm(int sock)
{
	uint8_t bytes[DM_SIZE];
	struct offer o;
	int fd = recv_fd(sock, &o);
	struct vt_dev *dev = import_device(fd, o.pd);
	struct ibv_dm *dm;

	dm = ibv_import_dm(dev->ctx, o.dm);
	CHECK(dm, "ibv_import_dm: %s", strerror(errno));
	vt_defer(unimport_dm, dm, "ibv_unimport_dm");
	CHECK_ERRNO(ibv_memcpy_from_dm(bytes, dm, 0, DM_SIZE), 0, "reading");
	for (size_t i = 0; i < DM_SIZE; i++)
		CHECK_EQ(bytes[i], vt_byte(o.seed, i), "a byte that the owner wrote");
	vt_fill(bytes, DM_SIZE, o.seed + 1, 0);
	CHECK_ERRNO(ibv_memcpy_to_dm(dm, 0, bytes, DM_SIZE), 0, "writing");
	CHECK_ERRNO(ibv_memcpy_to_dm(dm, DM_SIZE - 4, bytes, 8), EINVAL, "writing beyond it");
}

/* Forks a process that runs @fn with its end of a socket; returns ours. */
static int with_guest(void (*fn)(int sock), pid_t *pid)
{
	int sock[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), "socketpair: %s", strerror(errno));
	*pid = fork();
	CHECK(*pid >= 0, "fork: %s", strerror(errno));
	if (!*pid) {
		close(sock[0]);
		fn(sock[1]);
		vt_run_deferred();
		say(sock[1]);
		hear(sock[1]);
		_exit(0);
	}
	close(sock[1]);
	return sock[0];
}

static void guest_ends(pid_t pid, int sock)
{
	int status;

	say(sock);
	CHECK(waitpid(pid, &status, 0) == pid, "waitpid: %s", strerror(errno));
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "the other process failed");
	close(sock);
}

static void memory(const void *arg)
{
	struct offer o;
	struct vt_dev *dev;
	struct vt_buf *buf;
	pid_t pid;
	int sock = with_guest(guest_memory, &pid);

	dev = vt_open(vt_cfg.dev);
	buf = vt_buf_new(dev, *(const enum vt_mem *)arg, SIZE, VT_ACCESS_ALL);
	o = (struct offer){ .pd = dev->pd->handle, .mr = buf->mr->handle, .lkey = buf->mr->lkey,
			    .rkey = buf->mr->rkey, .iova = buf->iova, .seed = buf->seed };
	send_fd(sock, &o, dev->ctx->cmd_fd);
	hear(sock);
	vt_buf_check(buf, 0, 20000, "in front of what the other process wrote");
	vt_buf_check(buf, 23000, SIZE - 23000, "behind what the other process wrote");
	/* The first buffer of each process has the same pattern; its beginning was written here. */
	vt_buf_expect(buf, 20000, 3000, buf->seed, VT_SKEW, "what the other process wrote");
	vt_buf_fill(buf, 20000, 3000);
	guest_ends(pid, sock);
}

static void device_memory(const void *arg)
{
	struct ibv_alloc_dm_attr attr = { .length = DM_SIZE };
	uint8_t bytes[DM_SIZE];
	struct offer o;
	struct vt_dev *dev;
	struct ibv_dm *dm;
	pid_t pid;
	int sock = with_guest(guest_dm, &pid);

	(void)arg;
	dev = vt_open(vt_cfg.dev);
	dm = ibv_alloc_dm(dev->ctx, &attr);
	CHECK(dm, "ibv_alloc_dm: %s", strerror(errno));
	o = (struct offer){ .pd = dev->pd->handle, .dm = dm->handle, .seed = 77 };
	vt_fill(bytes, DM_SIZE, o.seed, 0);
	CHECK_ERRNO(ibv_memcpy_to_dm(dm, 0, bytes, DM_SIZE), 0, "ibv_memcpy_to_dm");
	send_fd(sock, &o, dev->ctx->cmd_fd);
	hear(sock);
	CHECK_ERRNO(ibv_memcpy_from_dm(bytes, dm, 0, DM_SIZE), 0, "ibv_memcpy_from_dm");
	for (size_t i = 0; i < DM_SIZE; i++)
		CHECK_EQ(bytes[i], vt_byte(o.seed + 1, i), "a byte that the other process wrote");
	guest_ends(pid, sock);
	CHECK_ERRNO(ibv_free_dm(dm), 0, "ibv_free_dm");
}

/* The owner ends its region: what was imported is a key to nothing. */
static void ended(const void *arg)
{
	struct vt_dev *dev = vt_open(vt_cfg.dev), *other;
	struct vt_buf *buf = vt_buf_new(dev, VT_HOST, SIZE, VT_ACCESS_ALL);
	struct vt_opts opts = VT_OPTS;
	struct ibv_sge sge;
	struct ibv_mr *mr;
	struct vt_pair *p;

	(void)arg;
	other = import_device(dup(dev->ctx->cmd_fd), dev->pd->handle);
	mr = import_mr(other, buf->mr->handle);
	p = vt_pair_new(other, other, &opts);
	sge = (struct ibv_sge){ .addr = buf->iova, .length = 100, .lkey = mr->lkey };
	vt_buf_dereg(buf);
	CHECK(!ibv_import_mr(other->pd, mr->handle) && errno == ENOENT, "a region that was ended was imported");
	CHECK_ERRNO(vt_send(&p->a, 2, IBV_WR_SEND, sge, NULL, 0, IBV_SEND_SIGNALED), 0, "ibv_post_send");
	vt_expect_wc(&p->a, p->a.scq, 2, IBV_WC_LOC_PROT_ERR, "sending from a region that was ended", NULL);
	CHECK_ERRNO(ibv_dealloc_pd(dev->pd), EBUSY, "ending a domain that another user has QPs in");
}

static void bad_handles(const void *arg)
{
	struct vt_dev *dev = vt_open(vt_cfg.dev), *other;
	struct vt_buf *buf = vt_buf_new(dev, VT_HOST, SIZE, VT_ACCESS_ALL);
	int pipes[2];

	(void)arg;
	other = import_device(dup(dev->ctx->cmd_fd), dev->pd->handle);
	CHECK(!ibv_import_pd(other->ctx, buf->mr->handle) && errno, "a region's handle passed for a domain's");
	CHECK(!ibv_import_pd(other->ctx, 12345) && errno == ENOENT, "no such domain: %s", strerror(errno));
	CHECK(!ibv_import_mr(other->pd, 12345) && errno == ENOENT, "no such region: %s", strerror(errno));
	CHECK(!ibv_import_dm(other->ctx, 12345) && errno == ENOENT, "no such memory: %s", strerror(errno));
	CHECK(!ibv_import_mr(other->pd, dev->pd->handle) && errno, "a domain's handle passed for a region's");
	CHECK(!pipe(pipes), "pipe: %s", strerror(errno));
	CHECK(!ibv_import_device(pipes[0]), "a pipe passed for a device");
	vt_buf_check(buf, 0, SIZE, "memory that nobody touched");
}

static void add_cases(void)
{
	static const enum vt_mem mem[] = { VT_HOST, VT_HEAP, VT_BAR };
	char name[64];

	for (size_t i = 0; i < sizeof(mem) / sizeof(mem[0]); i++) {
		snprintf(name, sizeof(name), "import/memory/%s", vt_mem_name[mem[i]]);
		vt_add(name, memory, &mem[i], 0);
	}
	vt_add("import/device_memory", device_memory, NULL, 0);
	vt_add("import/ended", ended, NULL, 0);
	vt_add("import/bad_handles", bad_handles, NULL, 0);
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
