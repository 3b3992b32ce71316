// SPDX-License-Identifier: GPL-2.0
/*
 * Hardware counters: per CPU while counting, one sum when somebody reads them.
 *
 * Allocated with the device and freed when it is; the core serialises reads per port and caches
 * the values for a few milliseconds.
 */
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include "stats.h"

static const struct rdma_stat_desc descs[] = {
	[BERTH_CNT_TX_PACKETS].name = "tx_packets",
	[BERTH_CNT_RX_PACKETS].name = "rx_packets",
	[BERTH_CNT_TX_BYTES].name = "tx_bytes",
	[BERTH_CNT_RX_BYTES].name = "rx_bytes",
	[BERTH_CNT_LOCAL_BYTES].name = "local_bytes",
	[BERTH_CNT_DEVICE_BYTES].name = "device_bytes",
	[BERTH_CNT_HOST_BYTES].name = "host_bytes",
	[BERTH_CNT_HANDED_OVER_BYTES].name = "rx_handed_over_bytes",
	[BERTH_CNT_RX_BAD_ICRC].name = "rx_bad_icrc",
	[BERTH_CNT_RX_MALFORMED].name = "rx_malformed",
	[BERTH_CNT_RX_NO_QP].name = "rx_no_qp",
	[BERTH_CNT_RX_DUPLICATE].name = "rx_duplicate",
	[BERTH_CNT_RX_OUT_OF_ORDER].name = "rx_out_of_order",
	[BERTH_CNT_TX_ACK].name = "tx_ack",
	[BERTH_CNT_RX_ACK].name = "rx_ack",
	[BERTH_CNT_TX_RNR_NAK].name = "tx_rnr_nak",
	[BERTH_CNT_RX_RNR_NAK].name = "rx_rnr_nak",
	[BERTH_CNT_TX_SEQ_NAK].name = "tx_seq_nak",
	[BERTH_CNT_RX_SEQ_NAK].name = "rx_seq_nak",
	[BERTH_CNT_TX_ERROR_NAK].name = "tx_error_nak",
	[BERTH_CNT_RX_ERROR_NAK].name = "rx_error_nak",
	[BERTH_CNT_RETRANSMITS].name = "retransmits",
	[BERTH_CNT_TIMEOUTS].name = "timeouts",
	[BERTH_CNT_RETRY_EXCEEDED].name = "retry_exceeded",
	[BERTH_CNT_RNR_EXCEEDED].name = "rnr_exceeded",
	[BERTH_CNT_TX_NO_ROUTE].name = "tx_no_route",
	[BERTH_CNT_TX_NO_MEMORY].name = "tx_no_memory",
	[BERTH_CNT_DOORBELLS].name = "doorbells",
	[BERTH_CNT_CQ_OVERFLOW].name = "cq_overflow",
	[BERTH_CNT_RX_DROPPED].name = "rx_dropped",
	[BERTH_CNT_TX_COPIED].name = "tx_copied",
};

static_assert(ARRAY_SIZE(descs) == BERTH_NUM_COUNTERS);

int berth_stats_init(struct berth_dev *dev)
{
	dev->stats = alloc_percpu(struct berth_stats);
	return dev->stats ? 0 : -ENOMEM;
}

void berth_stats_fini(struct berth_dev *dev)
{
	free_percpu(dev->stats);
	dev->stats = NULL;
}

static struct rdma_hw_stats *alloc_hw_port_stats(struct ib_device *ib, u32 port)
{
	return rdma_alloc_hw_stats_struct(descs, ARRAY_SIZE(descs), RDMA_HW_STATS_DEFAULT_LIFESPAN);
}

static int get_hw_stats(struct ib_device *ib, struct rdma_hw_stats *stats, u32 port, int index)
{
	struct berth_dev *dev = berth_dev(ib);
	size_t i;
	int cpu;

	if (!port)
		return 0;
	for (i = 0; i < ARRAY_SIZE(descs); i++)
		stats->value[i] = 0;
	for_each_possible_cpu(cpu) {
		const struct berth_stats *s = per_cpu_ptr(dev->stats, cpu);

		for (i = 0; i < ARRAY_SIZE(descs); i++)
			stats->value[i] += READ_ONCE(s->counter[i]);
	}
	return ARRAY_SIZE(descs);
}

const struct ib_device_ops berth_stats_ops = {
	.alloc_hw_port_stats = alloc_hw_port_stats,
	.get_hw_stats = get_hw_stats,
};
