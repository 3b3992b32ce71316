// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving. A packet of the lower device waits in the ring of its queue; the queue's NAPI writes it into the queue's
 * buffers and gives it to GRO.
 */
#include <linux/etherdevice.h>
#include "place.h"
#include "rx.h"
#include "steer.h"

/* Under ring.lock, which the NAPI takes, too, to empty it: so nobody else counts. */
static bool add(struct nic_queue *q, struct sk_buff *skb)
{
	const u32 room = READ_ONCE(q->nic->ring_size);
	bool full;

	spin_lock(&q->ring.lock);
	full = skb_queue_len(&q->ring) >= room;
	if (full)
		q->ring_full++;
	else
		__skb_queue_tail(&q->ring, skb);
	spin_unlock(&q->ring.lock);
	return !full;
}

/**
 * nic_rx_enqueue - a packet for this NIC has come
 * @nic: NIC that is up
 * @skb: packet, its data at the network header; taken
 *
 * Context: softirq, RCU read side.
 */
void nic_rx_enqueue(struct nic *nic, struct sk_buff *skb)
{
	const int index = nic_steer(nic, skb);
	struct nic_queue *q;

	if (index < 0) {
		kfree_skb_reason(skb, SKB_DROP_REASON_NETFILTER_DROP);
		return;
	}
	q = &nic->queue[index];
	/* The table may be older than a change of the number of queues. */
	if (!READ_ONCE(q->up) || !add(q, skb)) {
		kfree_skb(skb);
		return;
	}
	napi_schedule(&q->napi);
}

/* All that waits. */
static void take(struct nic_queue *q, struct sk_buff_head *list, int most)
{
	struct sk_buff *skb;

	spin_lock(&q->ring.lock);
	while (most-- && (skb = __skb_dequeue(&q->ring)))
		__skb_queue_tail(list, skb);
	spin_unlock(&q->ring.lock);
}

static void receive(struct nic_queue *q, struct sk_buff *skb)
{
	struct sk_buff *placed = nic_place(q, skb);

	consume_skb(skb);
	if (!placed)
		return;
	u64_stats_update_begin(&q->sync);
	u64_stats_inc(&q->count[NIC_PACKETS]);
	u64_stats_add(&q->count[NIC_BYTES], placed->len);
	u64_stats_update_end(&q->sync);
	skb_record_rx_queue(placed, q->index);
	placed->protocol = eth_type_trans(placed, q->nic->dev);
	napi_gro_receive(&q->napi, placed);
}

/**
 * nic_rx_poll - the NAPI of a queue
 * @napi: of the queue
 * @budget: packets
 *
 * Return: packets received.
 */
int nic_rx_poll(struct napi_struct *napi, int budget)
{
	struct nic_queue *q = container_of(napi, struct nic_queue, napi);
	struct sk_buff_head list;
	struct sk_buff *skb;
	int done = 0;

	__skb_queue_head_init(&list);
	take(q, &list, budget);
	while ((skb = __skb_dequeue(&list))) {
		receive(q, skb);
		done++;
	}
	if (done < budget && napi_complete_done(napi, done) && !skb_queue_empty_lockless(&q->ring))
		napi_schedule(napi);
	return done;
}
