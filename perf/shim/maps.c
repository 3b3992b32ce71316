// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Walks this process's own mappings, as /proc/self/maps tells them.
 *
 * The shim asks before it replaces memory (may it?) and before it puts memory back (is the
 * mapping still ours, or has the program unmapped it and got something else at the same place?).
 * Without state; callable from any thread. Allocates no heap memory, because the heap may be what
 * is being replaced. A visitor may change the mapping that it is shown.
 */
#define _GNU_SOURCE
#include "maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LINE_MAX_KEPT	512

static int parse_line(const char *line, struct maps_range *range)
{
	unsigned long start, end, inode;
	unsigned int major, minor;
	char perms[8];

	range->name[0] = 0;
	if (sscanf(line, "%lx-%lx %7s %*s %x:%x %lu %63[^\n]", &start, &end, perms, &major, &minor,
		   &inode, range->name) < 6 || strlen(perms) < 4)
		return -EIO;
	range->start = start;
	range->end = end;
	range->prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
		      (perms[2] == 'x' ? PROT_EXEC : 0);
	range->shared = perms[3] == 's';
	range->dev = makedev(major, minor);
	range->inode = inode;
	return 0;
}

/* Shows one line to the visitor when it lies in the walk. */
static int visit_line(const char *line, uintptr_t start, uintptr_t end, maps_visit visit, void *arg)
{
	struct maps_range range;
	int err;

	err = parse_line(line, &range);
	if (err)
		return err;
	if (range.end <= start || range.start >= end)
		return 0;
	if (range.start < start)
		range.start = start;
	if (range.end > end)
		range.end = end;
	return visit(&range, arg);
}

/**
 * maps_walk - visit the mappings that touch a range, in order of address
 * @start: first byte
 * @end: one past the last byte
 * @visit: called for each; non-zero ends the walk
 * @arg: for @visit
 *
 * Return: what @visit returned last, or a negative errno when the list cannot be read.
 */
int maps_walk(uintptr_t start, uintptr_t end, maps_visit visit, void *arg)
{
	char chunk[4096], line[LINE_MAX_KEPT];
	size_t used = 0;
	int fd, ret = 0;
	ssize_t got;

	fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (!ret && (got = read(fd, chunk, sizeof(chunk))) != 0) {
		if (got < 0) {
			if (errno == EINTR)
				continue;
			ret = -errno;
			break;
		}
		for (ssize_t i = 0; i < got && !ret; i++) {
			if (chunk[i] != '\n') {
				/* A long path is cut: only its beginning is of interest. */
				if (used < sizeof(line) - 1)
					line[used++] = chunk[i];
				continue;
			}
			line[used] = 0;
			used = 0;
			ret = visit_line(line, start, end, visit, arg);
		}
	}
	close(fd);
	return ret;
}
