// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * A memory backend for perftest built from source: --use_dmabuf[=heap|udmabuf|bar|PATH].
 *
 * Each buffer is one dma-buf of its own, mapped for the tool's CPU accesses and registered by the
 * tool with ibv_reg_dmabuf_mr(). The tool closes the descriptor that it is given, so it gets a
 * duplicate; ours stays until the buffer is freed, because the CPU access that begins with the
 * buffer (DMA_BUF_IOCTL_SYNC) has to end with it. perftest calls all of this from one thread.
 * Every failure says one line.
 *
 * In perftest's tree this directory's files lie in src/berth: see install-into.sh.
 */
#include "dmabuf_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include "exporter.h"
#include "perftest_parameters.h"
#include "say.h"

/* perftest takes this descriptor for "no dma-buf", and stdio has the next two. */
#define LOWEST_FD	3

struct dmabuf_buffer {
	struct dmabuf_buffer *next;
	void *addr;
	size_t length;
	int fd;
};

struct dmabuf_memory {
	struct memory_ctx base;
	struct exporter exporter;
	struct dmabuf_buffer *buffers;
};

static struct dmabuf_memory *dmabuf_memory(struct memory_ctx *ctx)
{
	return (struct dmabuf_memory *)((char *)ctx - offsetof(struct dmabuf_memory, base));
}

/**
 * dmabuf_memory_option - take the option --use_dmabuf
 * @params: of the run; remembers the exporter
 * @exporter: the option's argument, NULL without one; copied
 *
 * Return: 0, or a negative errno after one line: unknown exporter, or it is not there.
 */
int dmabuf_memory_option(struct perftest_parameters *params, const char *exporter)
{
	struct exporter parsed;
	char *name;
	int err;

	say_name("perftest");
	name = strdup(exporter ? exporter : "heap");
	if (!name)
		return -ENOMEM;
	err = exporter_parse(name, &parsed);
	if (!err)
		err = exporter_check(&parsed);
	if (err) {
		free(name);
		return err;
	}
	params->dmabuf_exporter = name;
	params->memory_type = MEMORY_DMABUF;
	params->memory_create = dmabuf_memory_create;
	return 0;
}

static void sync_access(int fd, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags | DMA_BUF_SYNC_RW };

	while (ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) && (errno == EINTR || errno == EAGAIN))
		;
}

static int init(struct memory_ctx *ctx)
{
	return exporter_check(&dmabuf_memory(ctx)->exporter) ? 1 : 0;
}

static void release(struct dmabuf_buffer *buffer)
{
	sync_access(buffer->fd, DMA_BUF_SYNC_END);
	munmap(buffer->addr, buffer->length);
	close(buffer->fd);
	free(buffer);
}

static int destroy(struct memory_ctx *ctx)
{
	struct dmabuf_memory *memory = dmabuf_memory(ctx);

	while (memory->buffers) {
		struct dmabuf_buffer *buffer = memory->buffers;

		memory->buffers = buffer->next;
		release(buffer);
	}
	free(memory);
	return 0;
}

/* Maps the dma-buf and duplicates its descriptor for the tool. Returns 0 or an errno after a line. */
static int map(struct dmabuf_buffer *buffer, const char *name, int *for_tool)
{
	int err;

	buffer->addr = mmap(NULL, buffer->length, PROT_READ | PROT_WRITE, MAP_SHARED, buffer->fd, 0);
	if (buffer->addr == MAP_FAILED) {
		err = errno;
		say("exporter %s: its dma-buf cannot be mapped: %s", name, strerror(err));
		return err;
	}
	*for_tool = fcntl(buffer->fd, F_DUPFD_CLOEXEC, LOWEST_FD);
	if (*for_tool < 0) {
		err = errno;
		say("exporter %s: no descriptor left: %s", name, strerror(err));
		munmap(buffer->addr, buffer->length);
		return err;
	}
	return 0;
}

static int allocate_buffer(struct memory_ctx *ctx, int alignment, uint64_t size, int *dmabuf_fd,
			   uint64_t *dmabuf_offset, void **addr, bool *can_init)
{
	struct dmabuf_memory *memory = dmabuf_memory(ctx);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct dmabuf_buffer *buffer;
	uint64_t device_offset;

	if (alignment > 0 && (size_t)alignment > page) {
		say("exporter %s: a dma-buf is aligned to pages, not to %d bytes (no --use_hugepages)",
		    memory->exporter.name, alignment);
		return 1;
	}
	if (!size || size > SIZE_MAX - page) {
		say("exporter %s: no buffer of %llu bytes", memory->exporter.name,
		    (unsigned long long)size);
		return 1;
	}
	buffer = calloc(1, sizeof(*buffer));
	if (!buffer)
		return 1;
	buffer->length = (size + page - 1) & ~(page - 1);
	buffer->fd = exporter_alloc(&memory->exporter, buffer->length, EXPORTER_ANYWHERE,
				    &device_offset);
	if (buffer->fd < 0)
		goto free_buffer;
	if (map(buffer, memory->exporter.name, dmabuf_fd))
		goto close_dmabuf;
	sync_access(buffer->fd, DMA_BUF_SYNC_START);
	/* A device's memory may be what its last user left. */
	memset(buffer->addr, 0, buffer->length);
	buffer->next = memory->buffers;
	memory->buffers = buffer;
	*dmabuf_offset = 0;
	*addr = buffer->addr;
	*can_init = true;
	return 0;

close_dmabuf:
	close(buffer->fd);
free_buffer:
	free(buffer);
	return 1;
}

static int free_buffer(struct memory_ctx *ctx, int dmabuf_fd, void *addr, uint64_t size)
{
	struct dmabuf_buffer **at = &dmabuf_memory(ctx)->buffers;

	(void)dmabuf_fd;
	(void)size;
	while (*at && (*at)->addr != addr)
		at = &(*at)->next;
	if (*at) {
		struct dmabuf_buffer *buffer = *at;

		*at = buffer->next;
		release(buffer);
	}
	return 0;
}

/**
 * dmabuf_memory_create - the backend of a run
 * @params: with what dmabuf_memory_option() left there
 *
 * Return: the backend, ended by its destroy(); NULL when there is no memory.
 */
struct memory_ctx *dmabuf_memory_create(struct perftest_parameters *params)
{
	struct dmabuf_memory *memory = calloc(1, sizeof(*memory));

	if (!memory || exporter_parse(params->dmabuf_exporter, &memory->exporter)) {
		free(memory);
		return NULL;
	}
	memory->base.init = init;
	memory->base.destroy = destroy;
	memory->base.allocate_buffer = allocate_buffer;
	memory->base.free_buffer = free_buffer;
	memory->base.copy_host_to_buffer = memcpy;
	memory->base.copy_buffer_to_host = memcpy;
	memory->base.copy_buffer_to_buffer = memcpy;
	return &memory->base;
}
