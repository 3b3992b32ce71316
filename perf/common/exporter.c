// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Where dma-bufs come from: the system heap, udmabuf, the PCI BAR exporter, or a device that the
 * user names.
 *
 * The launcher parses and checks (so that a mistake is told before a peer waits for a
 * connection), the shim parses and allocates. Every failure says one line here and returns a
 * negative errno; callers add nothing. No state: the caller owns the returned descriptor, which
 * is close-on-exec.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "exporter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <rdma/berth-exporter.h>

#include "say.h"

#define HEAP_DIR	"/dev/dma_heap/"
#define HEAP_PATH	HEAP_DIR "system"
#define UDMABUF_PATH	"/dev/udmabuf"
#define UDMABUF_LIMIT	"/sys/module/udmabuf/parameters/size_limit_mb"

/**
 * exporter_parse - understand what the user asks for
 * @text: heap, udmabuf, bar, or the path of a device; kept by reference
 * @exporter: out
 *
 * Return: 0, or -EINVAL after one line.
 */
int exporter_parse(const char *text, struct exporter *exporter)
{
	exporter->name = text;
	if (!strcmp(text, "heap")) {
		exporter->kind = EXPORTER_HEAP;
		exporter->path = HEAP_PATH;
	} else if (!strcmp(text, "udmabuf")) {
		exporter->kind = EXPORTER_UDMABUF;
		exporter->path = UDMABUF_PATH;
	} else if (!strcmp(text, "bar")) {
		exporter->kind = EXPORTER_BAR;
		exporter->path = BERTH_EXPORTER_BAR_DEV;
	} else if (text[0] == '/') {
		exporter->kind = EXPORTER_DEVICE;
		exporter->path = text;
	} else {
		say("unknown dma-buf exporter '%s': use heap, udmabuf, bar or the path of a device",
		    text);
		return -EINVAL;
	}
	return 0;
}

static const char *remedy(const struct exporter *exporter)
{
	switch (exporter->kind) {
	case EXPORTER_HEAP:
		return "the kernel needs CONFIG_DMABUF_HEAPS_SYSTEM, and opening it needs root";
	case EXPORTER_UDMABUF:
		return "the kernel needs CONFIG_UDMABUF, and opening it needs root or group kvm";
	case EXPORTER_BAR:
		return "it is in the VM only (./run vm), for root after modprobe berth_bar_exporter";
	default:
		return "give the path of a dma-buf exporter that you may open";
	}
}

/**
 * exporter_check - see whether the exporter is there
 * @exporter: from exporter_parse()
 *
 * Return: 0, or a negative errno after one line.
 */
int exporter_check(const struct exporter *exporter)
{
	struct stat st;
	int err = 0;

	if (stat(exporter->path, &st))
		err = -errno;
	else if (!S_ISCHR(st.st_mode))
		err = -ENODEV;
	else if (access(exporter->path, R_OK | W_OK))
		err = -errno;
	if (err)
		say("exporter %s: %s: %s; %s", exporter->name, exporter->path,
		    err == -ENODEV ? "not a character device" : strerror(-err), remedy(exporter));
	return err;
}

/* Returns the dma-buf, or a negative errno without a line. */
static int ask_heap(int dev, size_t length)
{
	struct dma_heap_allocation_data data = {
		.len = length,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	if (ioctl(dev, DMA_HEAP_IOCTL_ALLOC, &data))
		return -errno;
	return (int)data.fd;
}

static int ask_berth(int dev, size_t length, uint64_t want, uint64_t *device_offset)
{
	struct berth_exporter_alloc data = {
		.offset = want,
		.length = length,
	};

	if (ioctl(dev, BERTH_EXPORTER_ALLOC, &data))
		return -errno;
	*device_offset = data.offset;
	if (fcntl(data.fd, F_SETFD, FD_CLOEXEC)) {
		int err = -errno;

		close(data.fd);
		return err;
	}
	return data.fd;
}

/* The pages of a memfd: 4 KiB ones, because the kernel's udmabuf gets larger ones wrong. */
static int ask_udmabuf(int dev, size_t length)
{
	struct udmabuf_create data = {
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = length,
	};
	int memfd, fd;

	memfd = memfd_create("berth-udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0)
		return -errno;
	if (ftruncate(memfd, (off_t)length) || fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK)) {
		fd = -errno;
	} else {
		data.memfd = (uint32_t)memfd;
		fd = ioctl(dev, UDMABUF_CREATE, &data);
		if (fd < 0)
			fd = -errno;
	}
	close(memfd);
	return fd;
}

/* udmabuf answers EINVAL to a buffer over its limit: tell it. Returns whether that was it. */
static int udmabuf_over_limit(const struct exporter *exporter, size_t length)
{
	unsigned long limit_mb = 0;
	FILE *file = fopen(UDMABUF_LIMIT, "re");
	int got;

	if (!file)
		return 0;
	got = fscanf(file, "%lu", &limit_mb);
	fclose(file);
	if (got != 1 || length <= (size_t)limit_mb << 20)
		return 0;
	say("exporter %s: %zu bytes are over the kernel's limit of %lu MiB; raise %s",
	    exporter->name, length, limit_mb, UDMABUF_LIMIT);
	return 1;
}

static int ask(const struct exporter *exporter, int dev, size_t length, uint64_t want,
	       uint64_t *device_offset)
{
	int fd;

	switch (exporter->kind) {
	case EXPORTER_HEAP:
		return ask_heap(dev, length);
	case EXPORTER_UDMABUF:
		return ask_udmabuf(dev, length);
	case EXPORTER_BAR:
		return ask_berth(dev, length, want, device_offset);
	case EXPORTER_DEVICE:
		break;
	}
	/* A heap looks only at the number of a request, so it must never see the other one. */
	if (!strncmp(exporter->path, HEAP_DIR, strlen(HEAP_DIR)))
		return ask_heap(dev, length);
	fd = ask_berth(dev, length, want, device_offset);
	if (fd == -ENOTTY)
		fd = ask_heap(dev, length);
	return fd;
}

/**
 * exporter_alloc - get one dma-buf
 * @exporter: from exporter_parse()
 * @length: bytes, a multiple of the page size
 * @want: offset in the device's memory, or EXPORTER_ANYWHERE; only device memory looks at it
 * @device_offset: out; where in the device's memory it lies, or EXPORTER_ANYWHERE
 *
 * Return: the descriptor, or a negative errno after one line.
 */
int exporter_alloc(const struct exporter *exporter, size_t length, uint64_t want,
		   uint64_t *device_offset)
{
	int dev, fd;

	*device_offset = EXPORTER_ANYWHERE;
	dev = open(exporter->path, O_RDWR | O_CLOEXEC);
	if (dev < 0) {
		fd = -errno;
		say("exporter %s: %s: %s; %s", exporter->name, exporter->path, strerror(-fd),
		    remedy(exporter));
		return fd;
	}
	fd = ask(exporter, dev, length, want, device_offset);
	close(dev);
	if (fd == -ENOTTY)
		say("exporter %s: %s exports no dma-bufs that this program knows how to ask for",
		    exporter->name, exporter->path);
	else if (fd < 0 && !(exporter->kind == EXPORTER_UDMABUF && fd == -EINVAL &&
			     udmabuf_over_limit(exporter, length)))
		say("exporter %s: no dma-buf of %zu bytes from %s: %s", exporter->name, length,
		    exporter->path, strerror(-fd));
	return fd;
}
