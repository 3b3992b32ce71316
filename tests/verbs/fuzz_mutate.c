// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Between libibverbs and the kernel: this program's ioctl() takes the place of libc's, so that every
 * call which libibverbs and the provider make can be changed on its way: header, attributes, what
 * they point at (the commands of the core and the driver's data), or be made twice. So whatever
 * verb a later version has is fuzzed as soon as a child calls it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rdma/rdma_user_ioctl_cmds.h>

#include "fuzz_abi.h"

#define CALL_MAX	4096
#define DATA_MAX	512

struct call {
	union {
		struct ib_uverbs_ioctl_hdr hdr;
		uint8_t bytes[CALL_MAX];
	};
};

static unsigned int armed;
static bool changed;

void mutate_arm(unsigned int percent)
{
	armed = percent;
}

bool mutate_forgets(void)
{
	bool was = changed;

	changed = false;
	return was;
}

static void change_word(uint8_t *p, size_t len)
{
	uint64_t odd = fuzz_odd();
	size_t size = (size_t)1 << fuzz_below(4);

	if (len < size)
		size = 1;
	if (len)
		memcpy(p + fuzz_below((uint32_t)(len / size)) * size, &odd, size);
}

static void change_header(struct ib_uverbs_ioctl_hdr *hdr)
{
	switch (fuzz_below(7)) {
	case 0: hdr->length = (uint16_t)fuzz_odd(); break;
	case 1: hdr->object_id = (uint16_t)fuzz_below(24); break;
	case 2: hdr->method_id = (uint16_t)fuzz_below(12); break;
	case 3: hdr->num_attrs = (uint16_t)fuzz_odd(); break;
	case 4: hdr->reserved1 = fuzz_odd(); break;
	case 5: hdr->driver_id = (uint32_t)fuzz_odd(); break;
	case 6: hdr->reserved2 = (uint32_t)fuzz_odd(); break;
	}
}

static void change_attr(struct ib_uverbs_attr *attr)
{
	switch (fuzz_below(5)) {
	case 0: attr->attr_id = (uint16_t)fuzz_odd(); break;
	case 1: attr->len = (uint16_t)fuzz_odd(); break;
	case 2: attr->flags = (uint16_t)fuzz_below(4); break;
	case 3: attr->attr_data.reserved = (uint16_t)fuzz_odd(); break;
	case 4: attr->data = fuzz_odd(); break;
	}
}

/* Has the attribute point at a changed copy of what it points at. */
static bool change_data(struct ib_uverbs_attr *attr, uint8_t *copy)
{
	if (attr->len <= 8 || attr->len > DATA_MAX)
		return false;
	memcpy(copy, (void *)(uintptr_t)attr->data, attr->len);
	for (uint32_t n = 1 + fuzz_below(3); n; n--)
		change_word(copy, attr->len);
	attr->data = (uintptr_t)copy;
	return true;
}

static long call_changed(int fd, unsigned long request, struct ib_uverbs_ioctl_hdr *hdr)
{
	static uint8_t copies[4][DATA_MAX];
	size_t len = hdr->length, copied = 0;
	struct call call = { };
	long ret;

	memcpy(call.bytes, hdr, len);
	changed = true;
	for (uint32_t n = 1 + fuzz_below(2); n; n--) {
		struct ib_uverbs_attr *attr;

		if (!hdr->num_attrs || fuzz_odds(15)) {
			change_header(&call.hdr);
			continue;
		}
		attr = &call.hdr.attrs[fuzz_below(hdr->num_attrs)];
		if (fuzz_odds(25) || !change_data(attr, copies[copied++]))
			change_attr(attr);
	}
	ret = syscall(SYS_ioctl, fd, request, &call);
	for (uint32_t i = 0; i < hdr->num_attrs; i++)
		if (call.hdr.attrs[i].len <= 8)
			hdr->attrs[i].data = call.hdr.attrs[i].data;
	return ret;
}

int ioctl(int fd, unsigned long request, ...)
{
	struct ib_uverbs_ioctl_hdr *hdr;
	va_list args;
	void *arg;
	long ret;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	hdr = arg;
	if (!armed || request != RDMA_VERBS_IOCTL || hdr->length > CALL_MAX - 64)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	if (fuzz_odds(armed))
		ret = call_changed(fd, request, hdr);
	else
		ret = syscall(SYS_ioctl, fd, request, arg);
	/* Twice: what was destroyed is destroyed again, what was created is created unknown to us. */
	if (fuzz_odds(armed / 3 + 1)) {
		struct call again = { };
		int err = errno;

		memcpy(again.bytes, hdr, hdr->length);
		syscall(SYS_ioctl, fd, request, &again);
		errno = err;
	}
	return (int)ret;
}
