// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * fuzz_wire: malformed and well-formed but wrong RoCEv2 packets, from packet sockets on both netdevs
 * of the link, at QPs in every stage of a conversation (fuzz_victim.c, fuzz_gen.c). What has to hold:
 * memory that no QP was given away stays as it is and is told to nobody, an innocent process beside
 * goes on, no QP goes anywhere that the state machine does not have, and afterwards new connections
 * work. The kernel's log is the judge's of the script around. Needs root in the guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz_wire.h"

#define CHECK_EVERY	64	/* bursts */

static uint64_t counter(const char *dev, const char *name)
{
	char path[200], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/ports/1/hw_counters/%s", dev, name);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "%s: %s", path, strerror(errno));
	close(fd);
	return strtoull(text, NULL, 10);
}

static void memory_new(struct fuzz_world *w)
{
	for (int s = 0; s < 2; s++) {
		struct ibv_pd *other = vt_pd_new(w->dev[s]);

		w->target[s] = vt_buf_new(w->dev[s], VT_HOST, VICTIM_BYTES,
					  VT_ACCESS_ALL | IBV_ACCESS_REMOTE_ATOMIC);
		w->inbox[s] = vt_buf_new(w->dev[s], VT_HOST, RECVS * RECV_BYTES, IBV_ACCESS_LOCAL_WRITE);
		w->readonly[s] = vt_buf_new(w->dev[s], VT_HOST, 8192, IBV_ACCESS_REMOTE_READ);
		w->localonly[s] = vt_buf_new(w->dev[s], VT_HOST, 8192, IBV_ACCESS_LOCAL_WRITE);
		w->secret[s] = vt_zalloc(SECRET_BYTES);
		for (size_t i = 0; i < SECRET_BYTES / 8; i++)
			w->secret[s][i] = SECRET_WORD;
		w->secret_mr[s] = ibv_reg_mr(other, w->secret[s], SECRET_BYTES, VT_ACCESS_ALL);
		CHECK(w->secret_mr[s], "ibv_reg_mr: %s", strerror(errno));
		field_new(&w->field[s], w->dev[s]);
	}
}

static void memory_check(struct fuzz_world *w)
{
	uint64_t word = SECRET_WORD;

	for (int s = 0; s < 2; s++) {
		vt_buf_check(w->readonly[s], 0, w->readonly[s]->size, "read-only region");
		vt_buf_check(w->localonly[s], 0, w->localonly[s]->size, "local region");
		for (size_t i = 0; i < SECRET_BYTES / 8; i++)
			CHECK(w->secret[s][i] == SECRET_WORD, "word %zu of another PD was changed", i);
		field_check(&w->field[s]);
		CHECK(!frame_seen(&w->road[s], &word, sizeof(word)),
		      "bytes of another PD's region were sent");
	}
}

static void event_check(struct fuzz_world *w, const struct ibv_async_event *e)
{
	const struct ibv_srq *srq = e->element.srq;

	switch (e->event_type) {
	case IBV_EVENT_SRQ_LIMIT_REACHED:
		CHECK(srq == w->calm.srq || srq == w->scribbled.srq, "a limit of no SRQ");
		if (srq == w->calm.srq)
			w->calm.limits++;
		else
			w->scribbled.limits++;
		break;
	case IBV_EVENT_SRQ_ERR:
		CHECK(srq == w->scribbled.srq, "an error of an SRQ that nobody scribbles on");
		break;
	case IBV_EVENT_QP_LAST_WQE_REACHED:
		CHECK(e->element.qp->srq, "the last receive of a QP without SRQ");
		break;
	case IBV_EVENT_CQ_ERR:
	case IBV_EVENT_DEVICE_FATAL:
	case IBV_EVENT_PATH_MIG:
	case IBV_EVENT_PATH_MIG_ERR:
		CHECK(false, "event '%s'", ibv_event_type_str(e->event_type));
		break;
	default:
		break;
	}
}

static void events_check(struct fuzz_world *w)
{
	struct ibv_async_event e;

	for (int s = 0; s < 2; s++)
		while (vt_async_get(w->dev[s], &e, 0))
			event_check(w, &e);
}

/* What must have been noticed, and no counter that runs away. */
static void counters_check(struct fuzz_world *w, const uint64_t *before)
{
	static const char *const names[] = { "rx_packets", "rx_bad_icrc", "rx_duplicate",
					     "rx_out_of_order", "tx_error_nak", "rx_ack" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint64_t n = counter(vt_cfg.dev, names[i]) + counter(vt_cfg.peer, names[i]);

		fprintf(stderr, "%s %llu\n", names[i], (unsigned long long)(n - before[i]));
		CHECK(n > before[i], "counter %s did not rise", names[i]);
		CHECK(n - before[i] < (w->packets + 100000) * 1000ULL, "counter %s ran away: %llu", names[i],
		      (unsigned long long)n);
	}
}

static void works_after(struct fuzz_world *w)
{
	struct vt_opts o = VT_OPTS;
	struct vt_pair *p = vt_pair_new(w->dev[0], w->dev[1], &o);

	vt_ping(p, vt_buf_new(w->dev[0], VT_HOST, 20000, VT_ACCESS_ALL),
		vt_buf_new(w->dev[1], VT_HOST, 20000, VT_ACCESS_ALL), 20000);
	victims_finish(w);
	for (int s = 0; s < 2; s++)
		field_finish(&w->field[s]);
	events_check(w);
	CHECK(w->calm.limits && w->scribbled.limits, "no limit of an SRQ was told");
	memory_check(w);
}

static void fuzz(const void *arg)
{
	static const char *const names[] = { "rx_packets", "rx_bad_icrc", "rx_duplicate",
					     "rx_out_of_order", "tx_error_nak", "rx_ack" };
	uint64_t before[sizeof(names) / sizeof(names[0])];
	static struct fuzz_world w;	/* looked at when the case has returned, too */
	unsigned long bursts = 0;

	(void)arg;
	innocent_start();
	fuzz_begin();
	w.dev[0] = vt_open(vt_cfg.dev);
	w.dev[1] = vt_open(vt_cfg.peer);
	for (int s = 0; s < 2; s++)
		road_open(&w.road[s], s, w.dev[0], w.dev[1]);
	memory_new(&w);
	victims_new(&w);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		before[i] = counter(vt_cfg.dev, names[i]) + counter(vt_cfg.peer, names[i]);
	for (; fuzz_on(w.packets); bursts++) {
		struct victim *v = &w.victims[fuzz_below((uint32_t)w.nr_victims)];

		victim_look(&w, v);
		gen_burst(&w, v);
		if (bursts % CHECK_EVERY == CHECK_EVERY - 1) {
			memory_check(&w);
			events_check(&w);
			innocent_check();
		}
	}
	memory_check(&w);
	counters_check(&w, before);
	innocent_stop();
	works_after(&w);
	for (int s = 0; s < 2; s++)
		CHECK_ERRNO(ibv_dereg_mr(w.secret_mr[s]), 0, "ibv_dereg_mr");
	fprintf(stderr, "%s: %lu packets in %lu bursts\n", vt_case_name(), w.packets, bursts);
}

static void add_cases(void)
{
	vt_add("fuzz/wire", fuzz, NULL, fuzz_seconds());
}

int main(int argc, char **argv)
{
	fuzz_options(&argc, argv, 6000);
	return vt_main(argc, argv, add_cases);
}
