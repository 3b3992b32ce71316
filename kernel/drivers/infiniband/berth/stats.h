/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hardware counters of a device (`rdma statistic show`), kept per CPU. Counting is done with bottom
 * halves disabled or in softirq; reading sums all CPUs.
 */
#ifndef BERTH_STATS_H
#define BERTH_STATS_H

#include <linux/percpu.h>
#include "dev.h"

enum berth_counter {
	BERTH_CNT_TX_PACKETS,		/* RoCE packets, each segment of a super-packet counts */
	BERTH_CNT_RX_PACKETS,
	BERTH_CNT_TX_BYTES,		/* payload */
	BERTH_CNT_RX_BYTES,
	BERTH_CNT_LOCAL_BYTES,		/* payload moved by the local path, without a packet */
	BERTH_CNT_DEVICE_BYTES,		/* payload landed in device memory (dma-buf MRs) */
	BERTH_CNT_HOST_BYTES,		/* payload landed in host memory */
	BERTH_CNT_HANDED_OVER_BYTES,	/* payload that a packet has brought in chunks of an area, not copied */
	BERTH_CNT_RX_BAD_ICRC,
	BERTH_CNT_RX_MALFORMED,
	BERTH_CNT_RX_NO_QP,		/* no such QP, wrong state, or not its peer */
	BERTH_CNT_RX_DUPLICATE,
	BERTH_CNT_RX_OUT_OF_ORDER,
	BERTH_CNT_TX_ACK,
	BERTH_CNT_RX_ACK,
	BERTH_CNT_TX_RNR_NAK,
	BERTH_CNT_RX_RNR_NAK,
	BERTH_CNT_TX_SEQ_NAK,
	BERTH_CNT_RX_SEQ_NAK,
	BERTH_CNT_TX_ERROR_NAK,
	BERTH_CNT_RX_ERROR_NAK,
	BERTH_CNT_RETRANSMITS,		/* go-backs after a NAK or a timeout */
	BERTH_CNT_TIMEOUTS,
	BERTH_CNT_RETRY_EXCEEDED,
	BERTH_CNT_RNR_EXCEEDED,
	BERTH_CNT_TX_NO_ROUTE,
	BERTH_CNT_TX_NO_MEMORY,
	BERTH_CNT_DOORBELLS,
	BERTH_CNT_CQ_OVERFLOW,
	BERTH_CNT_RX_DROPPED,		/* datagrams for which there was no receive */
	BERTH_CNT_TX_COPIED,		/* parts of a stream whose pages went to TCP by reference and had to be copied on the way */
	BERTH_NUM_COUNTERS
};

struct berth_stats {
	u64 counter[BERTH_NUM_COUNTERS];
};

static inline void berth_count_add(struct berth_dev *dev, enum berth_counter which, u64 n)
{
	this_cpu_add(dev->stats->counter[which], n);
}

static inline void berth_count(struct berth_dev *dev, enum berth_counter which)
{
	berth_count_add(dev, which, 1);
}

int berth_stats_init(struct berth_dev *dev);
void berth_stats_fini(struct berth_dev *dev);
extern const struct ib_device_ops berth_stats_ops;

#endif
