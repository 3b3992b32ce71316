// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* nic_area: where the chunks are, when there are none, and how it all ends. */
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nic_area.h"
#include "vt_net.h"
#include "vt_nic.h"

/* ---- accounts ---- */

static void read_account(uint32_t account[4])
{
	static const char *const name[] = { " leased=", " out=", " kept=", " home=" };
	char line[512] = "";
	FILE *f = fopen("/sys/kernel/debug/berth_netmem/areas", "r");

	CHECK(f, "areas: %s", strerror(errno));
	while (fgets(line, sizeof(line), f) && !strstr(line, name[0]))
		;
	fclose(f);
	for (int i = 0; i < 4; i++) {
		const char *at = strstr(line, name[i]);

		CHECK(at, "no%s in '%s'", name[i], line);
		account[i] = (uint32_t)atoi(at + strlen(name[i]));
	}
}

/* Every chunk is somewhere: @out with us, @devmem with a devmem socket. */
static void account(uint32_t out, uint32_t devmem, const char *what)
{
	const uint64_t end = vt_now_ms() + 5000 * vt_cfg.slow;
	uint32_t have[4];

	do {
		read_account(have);
		if (have[0] == CHUNKS && have[1] == out && have[1] + have[2] + have[3] + devmem == CHUNKS)
			return;
		/* A packet is freed by the CPU that made it, when that has time. */
		vt_sleep_ms(10);
	} while (vt_now_ms() < end);
	vt_fail(__FILE__, __LINE__, "%s: of %u chunks %u are out, %u kept, %u home and %u with a devmem socket; %u should be out", what,
		have[0], have[1], have[2], have[3], devmem, out);
}

static void accounts(const void *arg)
{
	const enum vt_mem *kind = arg;
	struct bench *b = nic_area_bench_new(*kind);
	struct sends s = { nic_area_rc_pair(b), vt_buf_new(b->peer, VT_HOST, 2 * MESSAGE, VT_ACCESS_ALL), 0, false };
	uint32_t devmem = 0, of_stream;
	uint64_t pos = 0, at = 0;
	/* A socket that closes without it may keep its chunks for a minute (FIN_WAIT_2). */
	const struct linger at_once = { .l_onoff = 1 };
	struct ibv_qp *qp;
	int sock[2], peer;

	account(0, 0, "at first");
	peer = nic_area_stream_new(b, b->area, &qp);
	vt_net_write(peer, 200001, SEED, 0, 65536);
	while (pos < 200001)
		pos += nic_area_take(b, pos);
	of_stream = b->tokens;
	CHECK(of_stream >= 49, "%u chunks for 200001 bytes", of_stream);
	account(of_stream, 0, "with a stream's chunks");
	nic_area_pair_of_sockets(sock);
	vt_net_write(sock[1], 100003, SEED + 1, 0, 65536);
	while (at < 100003)
		at += vt_nic_hold(sock[0], b->mem, SEED + 1, at, &devmem);
	account(of_stream, devmem, "with a devmem socket's");
	while (s.count < 5)
		nic_area_send_on(b, &s);
	CHECK(b->tokens > of_stream, "no chunks for messages");
	account(b->tokens, devmem, "with those of messages");
	CHECK(!setsockopt(sock[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), "SO_LINGER: %s", strerror(errno));
	close(sock[0]);
	account(b->tokens, 0, "without the devmem socket");
	nic_area_give_back(b);
	/* They are taken back when somebody wants some. */
	while (s.count < 6)
		nic_area_send_on(b, &s);
	account(b->tokens, 0, "with one message's");
	close(peer);
	close(sock[1]);
}

/* ---- no chunks ---- */

static uint32_t drain(struct bench *b, uint64_t *pos)
{
	struct ibv_wc wc;
	uint32_t n = 0;

	while (vt_poll_for(b->cq, &wc, 500 * vt_cfg.slow)) {
		CHECK(wc.status == IBV_WC_SUCCESS, "bytes of a stream: %s", ibv_wc_status_str(wc.status));
		nic_area_check_pieces(b, (uint32_t)wc.wr_id, wc.byte_len, SEED, *pos);
		*pos += wc.byte_len;
		n++;
	}
	return n;
}

static void exhausted(const void *unused __attribute__((unused)))
{
	struct bench *b = nic_area_bench_new(VT_UDMABUF);
	struct writer w = { .bytes = 5000001, .seed = SEED };
	uint64_t pos = 0;
	struct ibv_qp *qp;

	w.sock = nic_area_stream_new(b, b->area, &qp);
	nic_area_writer_start(&w);
	for (int round = 0; round < 2; round++) {
		drain(b, &pos);
		CHECK(b->tokens > CHUNKS / 2 && pos < w.bytes, "%u tokens after %llu bytes", b->tokens, (unsigned long long)pos);
		nic_area_give_back(b);
	}
	nic_area_take_all(b, pos, w.bytes);
	nic_area_writer_end(&w);
}

/* ---- ends ---- */

/* The binding ends: the area goes on with its chunks, and has to be gone before they are bound again. */
static void unbound(const void *unused __attribute__((unused)))
{
	struct bench *b = nic_area_bench_new(VT_UDMABUF);
	struct sends s = { nic_area_rc_pair(b), vt_buf_new(b->peer, VT_HOST, 2 * MESSAGE, VT_ACCESS_ALL), 0, false };
	struct writer w = { .bytes = 3000001, .seed = SEED };
	struct bench again = { .fd = b->fd };
	struct ibv_qp *qp;
	uint64_t pos = 0;

	w.sock = nic_area_stream_new(b, b->area, &qp);
	nic_area_writer_start(&w);
	pos += nic_area_take(b, pos);
	close(b->binding);
	nic_area_take_all(b, pos, w.bytes);
	nic_area_writer_end(&w);
	while (s.count < 20)
		nic_area_send_on(b, &s);
	nic_area_give_back(b);
	CHECK_ERRNO(nic_area_try_bind(b), EBUSY, "to bind what an area has");
	vt_run_deferred();
	nic_area_bind_in_time(&again);
}

static void refused(const void *unused __attribute__((unused)))
{
	struct bench *b = nic_area_memory_new(VT_UDMABUF);
	struct berthdv_area *second;

	nic_area_bind_in_time(b);
	CHECK(!nic_area_try(b, 2 * CHUNK, BYTES) && errno == EBUSY, "chunks of two pages of bound memory: %s", strerror(errno));
	CHECK(!nic_area_try(b, CHUNK, BYTES / 2) && errno == EBUSY, "half of bound memory: %s", strerror(errno));
	nic_area_new(b);
	/* Whoever shares them may be several. */
	second = nic_area_try(b, CHUNK, BYTES);
	CHECK(second, "a second area over bound memory: %s", strerror(errno));
	vt_defer(nic_area_destroy, second, "berthdv_destroy_area");
}

/* A dma-buf over a memfd of CHUNKS pages: its first two are @first and @second of the memfd. */
static int udmabuf_of(int memfd, unsigned int first, unsigned int second)
{
	struct {
		struct udmabuf_create_list head;
		struct udmabuf_create_item item[3];
	} list = {
		.head = { .flags = UDMABUF_FLAGS_CLOEXEC, .count = 3 },
		.item = {
			{ .memfd = (__u32)memfd, .offset = first * CHUNK, .size = CHUNK },
			{ .memfd = (__u32)memfd, .offset = second * CHUNK, .size = CHUNK },
			{ .memfd = (__u32)memfd, .offset = 2 * CHUNK, .size = BYTES - 2 * CHUNK },
		},
	};
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), fd;

	CHECK(dev >= 0, "/dev/udmabuf: %s", strerror(errno));
	fd = ioctl(dev, UDMABUF_CREATE_LIST, &list);
	CHECK(fd >= 0, "UDMABUF_CREATE_LIST: %s", strerror(errno));
	close(dev);
	return fd;
}

/*
 * The same pages in another order are what is bound. With one of them twice they are not: the one that is missing would arrive and
 * have no number.
 */
static void other_order(const void *unused __attribute__((unused)))
{
	int memfd = memfd_create("nic_area", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	struct bench *b, *swapped, *twice;
	struct berthdv_area *area;

	CHECK(memfd >= 0 && !ftruncate(memfd, BYTES) && !fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), "memfd: %s", strerror(errno));
	b = nic_area_memory_of(udmabuf_of(memfd, 0, 1));
	swapped = nic_area_memory_of(udmabuf_of(memfd, 1, 0));
	twice = nic_area_memory_of(udmabuf_of(memfd, 0, 0));
	nic_area_bind_in_time(b);
	area = nic_area_try(swapped, CHUNK, BYTES);
	CHECK(area, "an area over bound memory in another order: %s", strerror(errno));
	vt_defer(nic_area_destroy, area, "berthdv_destroy_area");
	CHECK(!nic_area_try(twice, CHUNK, BYTES), "accepted: a page twice and another not at all");
	CHECK_ERRNO(errno, EBUSY, "a page twice and another not at all");
	close(memfd);
}

/* Device memory for a QP that has no area, or another one. */
static void not_here(const void *own)
{
	struct bench *b = nic_area_bench_new(VT_UDMABUF);
	struct berthdv_area *other = NULL;
	struct writer w = { .bytes = 4096, .seed = SEED };
	struct ibv_sge sge = { IOVA, MESSAGE, b->mr->lkey };
	struct ibv_recv_wr wr = { .wr_id = 5, .sg_list = &sge, .num_sge = 1 }, *bad;
	struct ibv_qp *qp;
	struct ibv_wc wc;

	if (own) {
		struct vt_buf *elsewhere = vt_buf_new(b->dev, VT_UDMABUF, BYTES, VT_ACCESS_ALL);
		const struct berthdv_area_attr attr = { .chunk_size = CHUNK, .max_message = MESSAGE };

		other = berthdv_create_area(elsewhere->mr, &attr);
		CHECK(other, "berthdv_create_area: %s", strerror(errno));
		vt_defer(nic_area_destroy, other, "berthdv_destroy_area");
	}
	w.sock = nic_area_stream_new(b, other, &qp);
	if (!own)
		CHECK_ERRNO(ibv_post_recv(qp, &wr, &bad), 0, "ibv_post_recv");
	nic_area_writer_start(&w);
	vt_poll(b->cq, &wc, "bytes of memory that is not ours");
	CHECK_EQ(wc.status, IBV_WC_LOC_PROT_ERR, "status");
	nic_area_writer_end(&w);
}

/* A process dies with chunks in every state. */
static void killed(const void *unused __attribute__((unused)))
{
	struct bench *b = nic_area_memory_new(VT_UDMABUF);

	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0, "fork: %s", strerror(errno));
		if (!pid) {
			struct bench *mine = nic_area_bench_new(VT_BAR);
			struct writer w = { .bytes = 1U << 30, .seed = SEED };
			struct ibv_qp *qp;
			uint64_t pos = 0;

			w.sock = nic_area_stream_new(mine, mine->area, &qp);
			nic_area_writer_start(&w);
			for (;;) {
				pos += nic_area_take(mine, pos);
				if (mine->tokens > 200)
					nic_area_give_back(mine);
			}
		}
		vt_sleep_ms(300 + 130 * (unsigned int)i);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	/* The queue is free again. */
	nic_area_bind_in_time(b);
}

void nic_area_add_life(void)
{
	static const enum vt_mem mems[] = { VT_UDMABUF, VT_HEAP, VT_BAR };
	char name[64];

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "nic_area/accounts/%s", vt_mem_name[mems[i]]);
		vt_add(name, accounts, &mems[i], 0);
	}
	vt_add("nic_area/exhausted", exhausted, NULL, 60);
	vt_add("nic_area/unbound", unbound, NULL, 60);
	vt_add("nic_area/refused", refused, NULL, 0);
	vt_add("nic_area/other_order", other_order, NULL, 0);
	vt_add("nic_area/no_area", not_here, NULL, 0);
	vt_add("nic_area/other_area", not_here, "own", 0);
	vt_add("nic_area/killed", killed, NULL, 60);
}
