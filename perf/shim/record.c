// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * What the shim leaves behind for a check from outside: records and contents.
 *
 * Records are JSON objects, one a line, appended to the file named by BERTH_DMABUF_LOG in one
 * write each, so that several programs may share a file. They tell where in the device's memory a
 * registration lies and which pattern was put into it. Contents are what the CPU reads from a
 * registration through the dma-buf at the time of its deregistration, written to the file named
 * by BERTH_DMABUF_DUMP, further ones to NAME.1, NAME.2 and so on.
 *
 * Called under the lock of mr.c. A file that cannot be written is told in one line; the program
 * goes on, and a check that needs the record fails for want of it.
 */
#define _GNU_SOURCE
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <infiniband/verbs.h>

#include "../common/say.h"
#include "options.h"
#include "region.h"

static void append(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void append(const char *format, ...)
{
	char line[512];
	va_list args;
	int fd, n;

	if (!shim_options.log)
		return;
	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0 || n >= (int)sizeof(line))
		return;
	fd = open(shim_options.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		say("%s: cannot append a record: %s", shim_options.log, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* "null" where there is no device memory to point into. */
static const char *device_offset(const struct mr_entry *entry, char *text, size_t size)
{
	if (entry->region->device_offset == EXPORTER_ANYWHERE)
		return "null";
	snprintf(text, size, "%" PRIu64,
		 entry->region->device_offset + (entry->addr - entry->region->start));
	return text;
}

/**
 * record_registered - tell where a registration lies
 * @entry: just registered
 */
void record_registered(const struct mr_entry *entry)
{
	char text[24];

	append("{\"event\":\"registered\",\"pid\":%d,\"device\":\"%s\",\"exporter\":\"%s\","
	       "\"device_offset\":%s,\"length\":%zu,\"address\":%" PRIuPTR ","
	       "\"lkey\":%u,\"rkey\":%u}\n",
	       (int)getpid(), ibv_get_device_name(entry->mr->context->device),
	       shim_options.exporter.kind == EXPORTER_DEVICE ? "device" :
	       shim_options.exporter.name, device_offset(entry, text, sizeof(text)), entry->length,
	       entry->addr, entry->mr->lkey, entry->mr->rkey);
}

/**
 * record_filled - tell that a registration carries the pattern
 * @entry: just filled
 */
void record_filled(const struct mr_entry *entry)
{
	append("{\"event\":\"filled\",\"pid\":%d,\"seed\":%" PRIu64 ",\"length\":%zu,"
	       "\"address\":%" PRIuPTR ",\"rkey\":%u}\n",
	       (int)getpid(), shim_options.seed, entry->length, entry->addr, entry->mr->rkey);
}

static int write_all(int fd, const char *from, size_t length)
{
	while (length) {
		ssize_t done = write(fd, from, length);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			from += done;
			length -= (size_t)done;
		}
	}
	return 0;
}

/**
 * record_dump - keep the content of a registration
 * @entry: about to be deregistered
 */
void record_dump(const struct mr_entry *entry)
{
	static unsigned int count;
	char path[4096];
	int fd, err = 0, n;
	char *view;

	if (!shim_options.dump)
		return;
	n = count ? snprintf(path, sizeof(path), "%s.%u", shim_options.dump, count) :
		    snprintf(path, sizeof(path), "%s", shim_options.dump);
	if (n < 0 || n >= (int)sizeof(path)) {
		say("BERTH_DMABUF_DUMP: the name is too long");
		return;
	}
	count++;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0) {
		say("%s: %s", path, strerror(errno));
		return;
	}
	view = region_view(entry->region);
	if (view) {
		region_begin_access(entry->region, false);
		err = write_all(fd, view + (entry->addr - entry->region->start), entry->length);
		region_end_access(entry->region, false);
		region_unview(entry->region, view);
	}
	if (close(fd) && !err)
		err = -errno;
	if (err)
		say("%s: %s", path, strerror(-err));
}
