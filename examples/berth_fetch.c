// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Fetches a file by HTTP into a dma-buf: an ordinary socket asks for it and reads the header, then
 * a stream QP adopts the socket and the body lands in the dma-buf, from any server.
 *
 * One receive at a time is posted, over all that is left of the buffer. It completes when what the
 * server has pushed is there, and the next goes on behind it, so the body has no gaps. Meanwhile
 * TCP's window holds the server back. (Several receives would keep it going, each in a place of its
 * own that may stay partly empty.)
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <infiniband/berthdv.h>
#include <linux/dma-buf.h>

#include "exporter.h"
#include "http.h"
#include "say.h"

#define DEFAULT_ROOM	(16U << 20)
#define MAX_RECV	(1U << 30)	/* a receive holds less than 2 GiB */

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char usage_text[] =
	"usage: berth_fetch [-d DEVICE] [-m heap|udmabuf|bar] [-o FILE] [-s BYTES]\n"
	"                   http://HOST[:PORT]/PATH\n"
	"\n"
	"Fetches the file into a dma-buf and tells where it is.\n"
	"  -d DEVICE  RDMA device of berth; default: the first one\n"
	"  -m WHERE   who gives the dma-buf: heap (default), udmabuf, bar, or an exporter's path\n"
	"  -o FILE    afterwards copy the bytes from the dma-buf to FILE\n"
	"  -s BYTES   room for a file whose length the server does not tell; default: 16 MiB\n"
	"\n"
	"Exit status: 0, 1 when it failed, 2 for a wrong use.\n";

struct options {
	const char *device;
	struct exporter exporter;
	const char *file;
	uint64_t room;
	struct http_url url;
};

/* The dma-buf, and the QP whose receives land in it. */
struct landing {
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_comp_channel *channel;
	struct ibv_cq *cq;
	struct ibv_qp *qp;
	struct ibv_mr *mr;
	int dmabuf;
	uint64_t device_offset;
	uint64_t room;		/* bytes that may land */
	uint64_t got;		/* bytes that have */
};

/* ---- setting up ---- */

static struct ibv_context *open_device(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *ctx = NULL;
	const char *opened;
	int i;

	for (i = 0; list && list[i]; i++)
		if (name ? !strcmp(name, ibv_get_device_name(list[i])) :
			   berthdv_is_supported(list[i]))
			break;
	if (!list || !list[i]) {
		say("device %s: not there: load berth and add one (rdma link add berth0 type berth netdev eth0)",
		    name ? name : "of berth");
	} else if (!berthdv_is_supported(list[i])) {
		say("device %s: not one of berth: choose another with -d, or none", name);
	} else {
		opened = ibv_get_device_name(list[i]);
		ctx = ibv_open_device(list[i]);
		if (!ctx)
			say("device %s: cannot be opened: %s", opened, strerror(errno));
	}
	if (list)
		ibv_free_device_list(list);
	return ctx;
}

/* Says one line about the call that has set errno. */
static int failed(const char *what)
{
	int err = errno;

	say("%s failed: %s", what, strerror(err));
	return -err;
}

static int create_qp(struct landing *l)
{
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = l->cq,
		.recv_cq = l->cq,
		.cap = { .max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1 },
		.qp_type = IBV_QPT_RC,
		.comp_mask = IBV_QP_INIT_ATTR_PD,
		.pd = l->pd,
	};
	struct berthdv_qp_init_attr stream = { .qp_type = BERTHDV_QP_TCP_STREAM };
	struct ibv_qp_attr init = { .qp_state = IBV_QPS_INIT, .port_num = 1 };
	int err;

	l->qp = berthdv_create_qp(l->ctx, &attr, &stream);
	if (!l->qp)
		return failed("creating a stream QP");
	err = ibv_modify_qp(l->qp, &init, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			    IBV_QP_ACCESS_FLAGS);
	if (err) {
		errno = err;
		return failed("bringing the QP to INIT");
	}
	return 0;
}

/* What is there is closed by tear_down(), also after a failure. */
static int set_up(struct landing *l, const struct options *opt)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t size = (l->room + page - 1) & ~(page - 1);

	l->ctx = open_device(opt->device);
	if (!l->ctx)
		return -ENODEV;
	l->dmabuf = exporter_alloc(&opt->exporter, size, EXPORTER_ANYWHERE, &l->device_offset);
	if (l->dmabuf < 0)
		return l->dmabuf;
	l->pd = ibv_alloc_pd(l->ctx);
	if (!l->pd)
		return failed("allocating a protection domain");
	/* Addresses of its bytes are offsets. */
	l->mr = ibv_reg_dmabuf_mr(l->pd, 0, size, 0, l->dmabuf, IBV_ACCESS_LOCAL_WRITE);
	if (!l->mr)
		return failed("registering the dma-buf");
	l->channel = ibv_create_comp_channel(l->ctx);
	if (!l->channel)
		return failed("creating a completion channel");
	l->cq = ibv_create_cq(l->ctx, 2, NULL, l->channel, 0);
	if (!l->cq)
		return failed("creating a completion queue");
	return create_qp(l);
}

static void tear_down(struct landing *l)
{
	if (l->qp)
		ibv_destroy_qp(l->qp);
	if (l->cq)
		ibv_destroy_cq(l->cq);
	if (l->channel)
		ibv_destroy_comp_channel(l->channel);
	if (l->mr)
		ibv_dereg_mr(l->mr);
	if (l->pd)
		ibv_dealloc_pd(l->pd);
	if (l->dmabuf >= 0)
		close(l->dmabuf);
	if (l->ctx)
		ibv_close_device(l->ctx);
}

/* ---- landing ---- */

static int post_rest(struct landing *l)
{
	uint64_t left = l->room - l->got;
	struct ibv_sge sge = {
		.addr = l->got,
		.length = left < MAX_RECV ? (uint32_t)left : MAX_RECV,
		.lkey = l->mr->lkey,
	};
	struct ibv_recv_wr wr = { .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	errno = ibv_post_recv(l->qp, &wr, &bad);
	return errno ? failed("posting a receive") : 0;
}

static int wait_completion(struct landing *l, struct ibv_wc *wc)
{
	struct ibv_cq *cq;
	void *context;
	int n;

	for (;;) {
		n = ibv_poll_cq(l->cq, 1, wc);
		if (!n) {
			/* What comes between that poll and this call would wake nobody. */
			errno = ibv_req_notify_cq(l->cq, 0);
			if (errno)
				return failed("asking for a notification");
			n = ibv_poll_cq(l->cq, 1, wc);
		}
		if (n > 0)
			return 0;
		if (n < 0) {
			say("polling the completion queue failed");
			return -EIO;
		}
		if (ibv_get_cq_event(l->channel, &cq, &context))
			return failed("waiting for a completion");
		ibv_ack_cq_events(cq, 1);
	}
}

/* Lands the body: to its length, or else to the end of the stream. */
static int land(struct landing *l, int sock, bool has_length)
{
	struct ibv_wc wc;
	int err;

	err = post_rest(l);
	if (err)
		return err;
	errno = berthdv_qp_attach_socket(l->qp, sock);
	if (errno)
		return failed("attaching the socket to the QP");
	for (;;) {
		err = wait_completion(l, &wc);
		if (err)
			return err;
		if (wc.status != IBV_WC_SUCCESS) {
			say("the connection failed after %" PRIu64 " bytes: %s", l->got,
			    ibv_wc_status_str(wc.status));
			return -EIO;
		}
		if (!wc.byte_len && !has_length)
			return 0;
		if (!wc.byte_len) {
			say("the server ended after %" PRIu64 " of %" PRIu64 " bytes", l->got,
			    l->room);
			return -EIO;
		}
		l->got += wc.byte_len;
		if (l->got == l->room)
			break;
		err = post_rest(l);
		if (err)
			return err;
	}
	if (has_length)
		return 0;
	say("the file does not fit into %" PRIu64 " bytes: make room with -s", l->room - 1);
	return -EFBIG;
}

/* ---- afterwards ---- */

static int sync_access(int dmabuf, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags | DMA_BUF_SYNC_READ };

	while (ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync))
		if (errno != EINTR && errno != EAGAIN)
			return failed("DMA_BUF_IOCTL_SYNC on the dma-buf");
	return 0;
}

static int write_all(int fd, const char *name, const char *data, uint64_t length)
{
	while (length) {
		ssize_t n = write(fd, data, length < MAX_RECV ? length : MAX_RECV);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			say("%s: cannot be written: %s", name, strerror(errno));
			return -EIO;
		}
		data += n;
		length -= (uint64_t)n;
	}
	return 0;
}

static int copy_out(const struct landing *l, int fd, const char *name)
{
	void *map = mmap(NULL, l->got, PROT_READ, MAP_SHARED, l->dmabuf, 0);
	int err, end_err;

	if (map == MAP_FAILED)
		return failed("mapping the dma-buf");
	err = sync_access(l->dmabuf, DMA_BUF_SYNC_START);
	if (!err) {
		err = write_all(fd, name, map, l->got);
		end_err = sync_access(l->dmabuf, DMA_BUF_SYNC_END);
		err = err ? err : end_err;
	}
	munmap(map, l->got);
	return err;
}

static int write_file(const struct landing *l, const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int err = 0;

	if (fd < 0) {
		say("%s: cannot be created: %s", name, strerror(errno));
		return -EIO;
	}
	if (l->got)
		err = copy_out(l, fd, name);
	if (close(fd) && !err) {
		say("%s: cannot be written: %s", name, strerror(errno));
		err = -EIO;
	}
	return err;
}

static void tell(const struct landing *l, const struct exporter *exporter)
{
	printf("%" PRIu64 " bytes", l->got);
	if (l->got)
		printf(" in a dma-buf of %s, from its offset 0", exporter->path);
	if (l->got && l->device_offset != EXPORTER_ANYWHERE)
		printf(", which is %#" PRIx64 " in the device", l->device_offset);
	putchar('\n');
}

static int fetch(const struct options *opt)
{
	struct landing l = { .dmabuf = -1, .device_offset = EXPORTER_ANYWHERE };
	uint64_t length;
	bool has_length;
	int sock, err = 0;

	sock = http_get(&opt->url, &has_length, &length);
	if (sock < 0)
		return sock;
	/* Without a length, one byte more, which must not come: that tells too much from enough. */
	l.room = has_length ? length : opt->room + 1;
	/* Nothing to land: a receive of no bytes would be refused. */
	if (l.room)
		err = set_up(&l, opt);
	if (!err && l.room)
		err = land(&l, sock, has_length);
	close(sock);
	if (!err)
		tell(&l, &opt->exporter);
	if (!err && opt->file)
		err = write_file(&l, opt->file);
	tear_down(&l);
	return err;
}

/* Returns 0, or -EINVAL after one line. */
static int parse_room(const char *text, uint64_t *room)
{
	char *end;

	errno = 0;
	*room = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || !*room || *room > INT64_MAX / 2) {
		say("-s %s: give a number of bytes", text);
		return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = { { "help", no_argument, NULL, 'h' }, {} };
	struct options opt = { .room = DEFAULT_ROOM };
	const char *exporter = "heap";
	int c, err = 0;

	say_name("berth_fetch");
	while ((c = getopt_long(argc, argv, "d:m:o:s:h", long_options, NULL)) != -1) {
		switch (c) {
		case 'd':
			opt.device = optarg;
			break;
		case 'm':
			exporter = optarg;
			break;
		case 'o':
			opt.file = optarg;
			break;
		case 's':
			err = err ? err : parse_room(optarg, &opt.room);
			break;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		default:
			return EXIT_USAGE;
		}
	}
	if (!err && optind != argc - 1) {
		say("give one URL (--help tells more)");
		err = -EINVAL;
	}
	if (err || exporter_parse(exporter, &opt.exporter) ||
	    http_parse_url(argv[optind], &opt.url))
		return EXIT_USAGE;
	return fetch(&opt) ? EXIT_FAILED : 0;
}
