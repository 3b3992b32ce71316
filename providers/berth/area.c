// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Areas: memory in chunks that queues take for what arrives (berthdv.h, docs/abi.md).
 *
 * Control path, but for the pieces of a message and the return of tokens, which are memory that the kernel shares.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "berth.h"
#include "ring.h"

static bool layout_fits(const struct berth_create_area_resp *resp, uint64_t length, uint32_t chunk_size)
{
	return resp->first <= length && resp->chunks == (length - resp->first) / chunk_size && resp->entries >= resp->chunks &&
	       !(resp->entries & (resp->entries - 1)) && resp->returned_offset >= sizeof(struct berth_area_ring) &&
	       resp->piece_offset >= resp->returned_offset + (uint64_t)resp->entries * sizeof(uint32_t) &&
	       resp->piece_offset + (uint64_t)resp->chunks * sizeof(struct berth_area_piece) <= resp->mmap_size;
}

static int area_map(struct berthdv_area *area, const struct berth_create_area_resp *resp, uint64_t length)
{
	void *map;

	if (!layout_fits(resp, length, area->chunk_size))
		return EPROTO;
	map = mmap(NULL, resp->mmap_size, PROT_READ | PROT_WRITE, MAP_SHARED, area->context->cmd_fd, resp->mmap_offset);
	if (map == MAP_FAILED)
		return errno;
	area->ring = map;
	area->returned = map + resp->returned_offset;
	area->piece = map + resp->piece_offset;
	area->chunks = resp->chunks;
	area->first = resp->first;
	area->mask = resp->entries - 1;
	area->map_size = resp->mmap_size;
	return 0;
}

/**
 * berthdv_create_area - have a memory region in chunks, for queues to take
 * @mr: over a dma-buf, with the right to be written
 * @attr: what the area is like
 *
 * Return: the area, for berthdv_destroy_area(), or NULL with errno set.
 */
struct berthdv_area *berthdv_create_area(struct ibv_mr *mr, const struct berthdv_area_attr *attr)
{
	struct berth_create_area_resp resp;
	struct berth_create_area_req req;
	struct berthdv_area *area;
	int ret;

	if (!mr || !attr) {
		errno = EINVAL;
		return NULL;
	}
	if (!berthdv_is_supported(mr->context->device) || attr->comp_mask) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	area = calloc(1, sizeof(*area));
	if (!area)
		return NULL;
	area->context = mr->context;
	area->chunk_size = attr->chunk_size;
	pthread_spin_init(&area->lock, PTHREAD_PROCESS_PRIVATE);
	req = (struct berth_create_area_req){
		.chunk_size = attr->chunk_size,
		.max_message = attr->max_message,
	};
	ret = berth_create_area_handle(mr, &req, &resp, &area->handle);
	if (ret)
		goto free_area;
	ret = area_map(area, &resp, mr->length);
	if (ret)
		goto destroy_area;
	return area;

destroy_area:
	berth_destroy_area_handle(area->context, area->handle);
free_area:
	pthread_spin_destroy(&area->lock);
	free(area);
	errno = ret;
	return NULL;
}

/**
 * berthdv_destroy_area - end an area
 * @area: that no QP and no SRQ uses
 *
 * Tokens that were not returned are worth nothing from then on.
 *
 * Return: 0 or an errno; EBUSY: a queue uses it.
 */
int berthdv_destroy_area(struct berthdv_area *area)
{
	int ret = berth_destroyed(berth_destroy_area_handle(area->context, area->handle));

	if (ret)
		return ret;
	munmap(area->ring, area->map_size);
	pthread_spin_destroy(&area->lock);
	free(area);
	return 0;
}

/**
 * berthdv_area_piece - the next piece of a message
 * @area: of the queue whose completion it is
 * @token: of the piece: the completion's wr_id at first; receives the one of the next piece
 * @piece: receives it
 *
 * Return: false: there are no more.
 */
bool berthdv_area_piece(struct berthdv_area *area, uint32_t *token, struct berthdv_piece *piece)
{
	const uint32_t at = *token;

	if (at >= area->chunks)
		return false;
	piece->offset = area->first + (uint64_t)at * area->chunk_size + area->piece[at].offset;
	piece->length = area->piece[at].length;
	piece->token = at;
	piece->flags = area->piece[at].flags & BERTH_PIECE_HANDED_OVER ? BERTHDV_PIECE_HANDED_OVER : 0;
	*token = area->piece[at].next;
	return true;
}

/**
 * berthdv_area_return - the program is done with pieces
 * @area: which they are of
 * @tokens: of the pieces, each once
 * @count: how many
 *
 * Without a system call; threads may call it at the same time. More than the area has chunks cannot be returned before
 * the kernel has looked: such calls are cut off.
 */
void berthdv_area_return(struct berthdv_area *area, const uint32_t *tokens, uint32_t count)
{
	uint32_t head, i;

	pthread_spin_lock(&area->lock);
	head = area->ring->prod;
	for (i = 0; i < count; i++)
		area->returned[(head + i) & area->mask] = tokens[i];
	ring_publish(&area->ring->prod, head + count);
	pthread_spin_unlock(&area->lock);
}

/**
 * berth_area_recover - return what a completion has that nobody will see
 * @area: of its queue pair
 * @cqe: completion
 */
void berth_area_recover(struct berthdv_area *area, const struct berth_cqe *cqe)
{
	struct berthdv_piece piece;
	uint32_t token = cqe->wr_id;

	if (!(cqe->flags & BERTH_CQE_RECV) || cqe->status != IBV_WC_SUCCESS)
		return;
	while (berthdv_area_piece(area, &token, &piece))
		berthdv_area_return(area, &piece.token, 1);
}

/**
 * berthdv_area_refused - how many tokens were returned that the program did not have
 * @area: which they were returned to
 *
 * Return: so far; what was returned last may not have been looked at.
 */
uint32_t berthdv_area_refused(struct berthdv_area *area)
{
	return __atomic_load_n(&area->ring->refused, __ATOMIC_RELAXED);
}

/**
 * berthdv_create_srq - create a shared receive queue that takes what arrives from an area
 * @pd: of the area's memory region
 * @srq_attr: its sizes are not looked at
 * @dv_attr: the area
 *
 * Return: the SRQ, for ibv_destroy_srq(), or NULL with errno set.
 */
struct ibv_srq *berthdv_create_srq(struct ibv_pd *pd, struct ibv_srq_init_attr *srq_attr,
				   struct berthdv_srq_init_attr *dv_attr)
{
	struct ibv_srq_init_attr attr;
	struct ibv_srq *srq;
	int ret;

	if (!srq_attr || !dv_attr || !dv_attr->area || dv_attr->area->context != pd->context) {
		errno = EINVAL;
		return NULL;
	}
	if (!berthdv_is_supported(pd->context->device) || dv_attr->comp_mask) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	attr = (struct ibv_srq_init_attr){ .attr = { .max_wr = 1, .max_sge = 1 } };
	srq = berth_create_srq(pd, &attr);
	if (!srq)
		return NULL;
	/* What ibv_create_srq() does. */
	srq->context = pd->context;
	srq->srq_context = srq_attr->srq_context;
	srq->pd = pd;
	srq->events_completed = 0;
	pthread_mutex_init(&srq->mutex, NULL);
	pthread_cond_init(&srq->cond, NULL);
	ret = berth_srq_set_area(srq, dv_attr->area->handle);
	if (!ret) {
		/* Posting finds it full. */
		to_bsrq(srq)->wq.max_wr = 0;
		to_bsrq(srq)->area = dv_attr->area;
		return srq;
	}
	berth_destroy_srq(srq);
	errno = ret;
	return NULL;
}
