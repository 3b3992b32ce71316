// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * fuzz_wire's SRQs, see fuzz_srq.h. A thread writes over the ring of a scribbled one through a
 * mapping of its own, so that the ring may change its size under it: entries with any contents, and
 * counters for a moment. Wherever such an entry points, only the pond is to be written to; QPs that
 * take it fail or not, and afterwards the SRQ still works.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rdma/berth-abi.h>

#include "fuzz.h"
#include "fuzz_srq.h"

#define POND_BYTES	(64 * 1024)
#define STRIDE		(sizeof(struct berth_recv_wqe) + SRQ_SGES * sizeof(struct berth_sge))
#define MARK		0x5a9b1e77ULL
#define MANY_MAPS	256

static int dealloc_pd(void *arg)
{
	return ibv_dealloc_pd(arg);
}

static int destroy_srq(void *arg)
{
	return ibv_destroy_srq(arg);
}

static int dereg_mr(void *arg)
{
	return ibv_dereg_mr(arg);
}

/* ---- the ring ---- */

struct maps {
	unsigned long from[MANY_MAPS], bytes[MANY_MAPS], offset[MANY_MAPS];
	int n;
};

static void read_maps(struct maps *m)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long to;
	char line[512];

	CHECK(f, "/proc/self/maps: %s", strerror(errno));
	m->n = 0;
	while (m->n < MANY_MAPS && fgets(line, sizeof(line), f)) {
		if (!strstr(line, "uverbs") ||
		    sscanf(line, "%lx-%lx %*s %lx", &m->from[m->n], &to, &m->offset[m->n]) != 3)
			continue;
		m->bytes[m->n] = to - m->from[m->n];
		m->n++;
	}
	fclose(f);
}

static bool had(const struct maps *m, unsigned long from)
{
	for (int i = 0; i < m->n; i++)
		if (m->from[i] == from)
			return true;
	return false;
}

static void map_ring(struct fuzz_srq *q, size_t bytes, uint64_t offset, uint32_t entries)
{
	void *ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, q->dev->ctx->cmd_fd,
			  (off_t)offset);

	CHECK(ring != MAP_FAILED, "mmap of a ring once more: %s", strerror(errno));
	pthread_mutex_lock(&q->lock);
	if (q->ring)
		munmap(q->ring, q->ring_bytes);
	q->ring = ring;
	q->ring_bytes = bytes;
	q->entries = entries;
	pthread_mutex_unlock(&q->lock);
}

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

/* The provider's mapping is the one that was not there before. */
static void find_ring(struct fuzz_srq *q, const struct maps *before)
{
	struct maps now;

	read_maps(&now);
	for (int i = 0; i < now.n; i++)
		if (!had(before, now.from[i])) {
			map_ring(q, now.bytes[i], now.offset[i], power_of_two(q->max_wr));
			return;
		}
	CHECK(false, "the SRQ has no ring");
}

/* ---- scribbling ---- */

static struct berth_sge any_sge(struct fuzz_srq *q, uint64_t r)
{
	struct berth_sge sge = {
		.addr = q->pond->iova + (r & 0x7fff), .length = (uint32_t)(r >> 16 & 0x1fff),
		.lkey = q->pond->mr->lkey,
	};

	switch (r >> 60) {
	case 0:
		sge.lkey = q->foreign[r >> 32 & 3];
		break;
	case 1:
		sge.lkey = (uint32_t)(r >> 32);
		break;
	case 2:
		sge.addr = q->pond->iova + q->pond->size - (r >> 32 & 15);
		break;
	case 3:
		sge.addr = q->pond->iova - 1 - (r >> 32 & 15);
		break;
	case 4:
		sge.length = (uint32_t)(r >> 30);
		break;
	}
	return sge;
}

static void put_entry(struct fuzz_srq *q, uint64_t *rnd)
{
	uint64_t r = vt_rand(rnd);
	struct {
		struct berth_recv_wqe wqe;
		struct berth_sge sge[SRQ_SGES];
	} entry = {
		.wqe = { .wr_id = r, .num_sge = r >> 58 ? 1 + (uint32_t)(r >> 20 & 1) :
						 (uint32_t)(r >> 20) },
	};
	uint8_t *at = (uint8_t *)(q->ring + 1) + (r % q->entries) * STRIDE;

	_Static_assert(sizeof(entry) == STRIDE, "an entry is as long as the stride");
	for (int i = 0; i < SRQ_SGES; i++)
		entry.sge[i] = any_sge(q, vt_rand(rnd));
	memcpy(at, &entry, sizeof(entry));
}

/* A counter is wrong for a moment, unless its owner corrects it before. */
static void spoil(uint32_t *counter, uint32_t wrong)
{
	uint32_t right = __atomic_exchange_n(counter, wrong, __ATOMIC_SEQ_CST);

	usleep(50);
	__atomic_compare_exchange_n(counter, &wrong, right, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
}

static void scribble_once(struct fuzz_srq *q, uint64_t *rnd)
{
	uint64_t r = vt_rand(rnd);
	uint32_t *words = (uint32_t *)(q->ring + 1);

	switch (r >> 58) {
	case 0:
		spoil(&q->ring->prod, (uint32_t)r);
		break;
	case 1:
		spoil(&q->ring->prod, q->ring->head + (uint32_t)(r & 127));
		break;
	case 2:
		spoil(&q->ring->head, (uint32_t)r);
		break;
	case 3: case 4: case 5: case 6:
		words[(r & 0xffff) % (q->entries * STRIDE / 4)] = (uint32_t)(r >> 16);
		break;
	default:
		put_entry(q, rnd);
	}
}

static void *scribble(void *arg)
{
	struct fuzz_srq *q = arg;
	uint64_t rnd = q->seed;
	bool stop = false;

	while (!stop) {
		pthread_mutex_lock(&q->lock);
		for (int i = 0; i < 16; i++)
			scribble_once(q, &rnd);
		stop = q->stop;
		pthread_mutex_unlock(&q->lock);
		usleep(500);
	}
	return NULL;
}

static void scribble_stop(struct fuzz_srq *q)
{
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_mutex_unlock(&q->lock);
	if (q->scribbled)
		pthread_join(q->thread, NULL);
	munmap(q->ring, q->ring_bytes);
}

/* ---- its owner ---- */

static void pond_new(struct fuzz_srq *q)
{
	q->pond = vt_buf_alloc(VT_HOST, POND_BYTES);
	q->pond->mr = vt_buf_try_reg(q->pond, q->pd, IBV_ACCESS_LOCAL_WRITE);
	CHECK(q->pond->mr, "ibv_reg_mr: %s", strerror(errno));
	vt_defer(dereg_mr, q->pond->mr, "ibv_dereg_mr");
}

void srq_start(struct fuzz_srq *q, struct vt_dev *dev, bool scribbled)
{
	struct ibv_srq_init_attr ia = { .attr = { .max_wr = SRQ_ENTRIES, .max_sge = SRQ_SGES } };
	struct maps before;

	q->dev = dev;
	q->pd = ibv_alloc_pd(dev->ctx);
	CHECK(q->pd, "ibv_alloc_pd: %s", strerror(errno));
	vt_defer(dealloc_pd, q->pd, "ibv_dealloc_pd");
	pond_new(q);
	read_maps(&before);
	q->srq = ibv_create_srq(q->pd, &ia);
	CHECK(q->srq, "ibv_create_srq: %s", strerror(errno));
	vt_defer(destroy_srq, q->srq, "ibv_destroy_srq");
	q->max_wr = ia.attr.max_wr;
	CHECK_EQ(ia.attr.max_sge, SRQ_SGES, "max_sge as granted");
	pthread_mutex_init(&q->lock, NULL);
	find_ring(q, &before);
	q->scribbled = scribbled;
	q->seed = fuzz_rnd();
	if (scribbled)
		CHECK_ERRNO(pthread_create(&q->thread, NULL, scribble, q), 0, "pthread_create");
}

/* What is posted may not fit, or the ring may be nonsense at the moment: then nothing changes. */
static void resize(struct fuzz_srq *q)
{
	struct ibv_srq_attr a = { .max_wr = 1 + fuzz_below(SRQ_ENTRIES) };
	int err = ibv_modify_srq(q->srq, &a, IBV_SRQ_MAX_WR);

	CHECK(!err || err == EINVAL, "ibv_modify_srq: %s", strerror(err));
	if (!err) {
		q->max_wr = a.max_wr;
		map_ring(q, q->ring->next_size, q->ring->next_offset, q->ring->next_entries);
	}
	CHECK_ERRNO(ibv_query_srq(q->srq, &a), 0, "ibv_query_srq");
	CHECK_EQ(a.max_wr, q->max_wr, "max_wr of an SRQ");
}

static void post(struct fuzz_srq *q, uint64_t wr_id, struct ibv_sge *sge, int n, int *err)
{
	struct ibv_recv_wr wr = { .wr_id = wr_id, .sg_list = sge, .num_sge = n }, *bad;

	*err = ibv_post_srq_recv(q->srq, &wr, &bad);
	CHECK(!*err || *err == ENOMEM, "ibv_post_srq_recv: %s", strerror(*err));
}

void srq_look(struct fuzz_srq *q)
{
	struct ibv_srq_attr a = { .srq_limit = fuzz_below(q->max_wr + 1) };

	for (uint32_t n = fuzz_below(6); n; n--) {
		/* Datagrams of the largest size fit, so that they cannot cost a QP. */
		struct ibv_sge sge[SRQ_SGES] = {
			vt_sge(q->pond, fuzz_below(POND_BYTES / 2), fuzz_below(8192)),
			vt_sge(q->pond, fuzz_below(POND_BYTES / 2), 4200),
		};
		int err;

		post(q, fuzz_rnd(), sge, SRQ_SGES, &err);
		if (err)
			break;
	}
	if (fuzz_odds(20))
		CHECK_ERRNO(ibv_modify_srq(q->srq, &a, IBV_SRQ_LIMIT), 0, "arming a limit");
	if (fuzz_odds(10))
		resize(q);
}

/* ---- afterwards ---- */

static void empty(struct ibv_cq *cq)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(cq, 1, &wc) > 0)
		;
}

/*
 * One message without bytes, which any receive that is whole takes. Returns whether the marked one
 * did.
 */
static bool use_one_up(struct vt_pair *p)
{
	struct ibv_wc wc;

	CHECK_ERRNO(vt_send(&p->a, 1, IBV_WR_SEND, (struct ibv_sge){ }, NULL, 0, IBV_SEND_SIGNALED),
		    0, "ibv_post_send");
	vt_poll(p->a.scq, &wc, "a message of no bytes");
	if (wc.status == IBV_WC_SUCCESS) {
		vt_poll(p->b.rcq, &wc, "its receive");
		CHECK_EQ(wc.status, IBV_WC_SUCCESS, "status of its receive");
		return wc.wr_id == MARK;
	}
	CHECK_EQ(wc.status, IBV_WC_REM_OP_ERR, "status of a message into a bad receive");
	vt_pair_reset(p);
	empty(p->a.scq);
	empty(p->b.rcq);
	return false;
}

/* What is left in it, good and bad, goes before what is posted now. */
static void use_up(struct fuzz_srq *q, struct vt_pair *p)
{
	struct ibv_sge sge = vt_sge(q->pond, 0, 4096);
	int err = ENOMEM;

	for (unsigned int n = 0; n <= 2 * SRQ_ENTRIES; n++) {
		if (err)
			post(q, MARK, &sge, 1, &err);
		if (use_one_up(p))
			return;
	}
	CHECK(false, "the SRQ does not come to what was posted last");
}

void srq_finish(struct fuzz_srq *q, struct vt_dev *from)
{
	struct ibv_srq_attr a = { .srq_limit = 1 };
	struct vt_opts o = VT_OPTS;
	struct vt_buf *src = vt_buf_new(from, VT_HOST, 4096, VT_ACCESS_ALL);
	struct ibv_sge sge = vt_sge(q->pond, 0, 4096);
	struct vt_pair *p;
	struct ibv_wc wc;
	int err;

	scribble_stop(q);
	o.srq[1] = q->srq;
	p = vt_pair_new(from, q->dev, &o);
	use_up(q, p);
	post(q, 77, &sge, 1, &err);
	CHECK_ERRNO(err, 0, "posting to an empty SRQ");
	CHECK_ERRNO(vt_send(&p->a, 2, IBV_WR_SEND, vt_sge(src, 0, 4000), NULL, 0, IBV_SEND_SIGNALED),
		    0, "ibv_post_send");
	vt_expect_wc(&p->a, p->a.scq, 2, IBV_WC_SUCCESS, "SEND to an SRQ that was fuzzed", NULL);
	vt_expect_wc(&p->b, p->b.rcq, 77, IBV_WC_SUCCESS, "receive of an SRQ that was fuzzed", &wc);
	CHECK_EQ(wc.byte_len, 4000, "byte_len");
	vt_buf_expect_copy(q->pond, 0, 4000, src, 0, "SEND to an SRQ that was fuzzed");
	/* It is empty: fewer are posted than the limit says. */
	CHECK_ERRNO(ibv_modify_srq(q->srq, &a, IBV_SRQ_LIMIT), 0, "arming a limit");
}
