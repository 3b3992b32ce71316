// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * berth-pattern: writes or checks the position-dependent pattern in a file.
 *
 * The check runs outside the guest, on the file behind a PCI BAR or on a dumped buffer, after the
 * shim inside has filled the sender's buffer. Exit status: 0 when every byte holds, 1 when one
 * differs, 2 on wrong use or a file that is too short.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/pattern.h"
#include "../common/say.h"

#define CHUNK	65536

struct job {
	const char *path;
	uint64_t offset;
	uint64_t length;
	uint64_t seed;
	uint64_t start;
	bool have_length;
	bool have_seed;
};

static const char usage_text[] =
	"usage: berth-pattern check FILE --length L --seed S [--offset N] [--start I]\n"
	"       berth-pattern fill  FILE --length L --seed S [--offset N] [--start I]\n"
	"  --offset N   first byte in FILE (default 0)\n"
	"  --length L   bytes\n"
	"  --seed S     the pattern's seed\n"
	"  --start I    position in the pattern of the first byte (default 0)\n"
	"Numbers are decimal or 0x hexadecimal, with an optional suffix k, M or G.\n"
	"check exits with 0 when every byte holds, 1 after telling the first that differs, 2 on an error.\n";

static int take_number(struct job *job, const char *option, const char *text)
{
	uint64_t *value;

	if (!strcmp(option, "--offset")) {
		value = &job->offset;
	} else if (!strcmp(option, "--length")) {
		value = &job->length;
		job->have_length = true;
	} else if (!strcmp(option, "--seed")) {
		value = &job->seed;
		job->have_seed = true;
	} else if (!strcmp(option, "--start")) {
		value = &job->start;
	} else {
		say("unknown option %s: use --offset, --length, --seed or --start", option);
		return -1;
	}
	if (text && !berth_pattern_parse_number(text, value))
		return 0;
	say("%s %s: not a number", option, text ? text : "(nothing)");
	return -1;
}

static int take_arguments(struct job *job, char **argv)
{
	for (; *argv; argv++) {
		if (argv[0][0] != '-') {
			if (job->path) {
				say("%s: one file at a time", *argv);
				return -1;
			}
			job->path = *argv;
			continue;
		}
		if (take_number(job, argv[0], argv[1]))
			return -1;
		argv++;
	}
	if (!job->path || !job->have_length || !job->have_seed || !job->length) {
		say("FILE, --length (not 0) and --seed are needed; see berth-pattern --help");
		return -1;
	}
	if (job->offset > INT64_MAX || job->length > INT64_MAX - job->offset) {
		say("--offset and --length are beyond any file");
		return -1;
	}
	return 0;
}

static int check(const struct job *job, int fd)
{
	static uint8_t chunk[CHUNK] __attribute__((aligned(8)));
	uint64_t done = 0;

	while (done < job->length) {
		size_t want = job->length - done < CHUNK ? (size_t)(job->length - done) : CHUNK;
		ssize_t got = pread(fd, chunk, want, (off_t)(job->offset + done));
		size_t good;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			say("%s: %s at byte %" PRIu64, job->path,
			    got ? strerror(errno) : "the file ends", job->offset + done);
			return 2;
		}
		good = berth_pattern_mismatch(chunk, (size_t)got, job->seed, job->start + done);
		if (good < (size_t)got) {
			uint64_t at = done + good;

			printf("%s: byte %" PRIu64 " of %" PRIu64 " (file offset %" PRIu64 ") is 0x%02x, not 0x%02x\n",
			       job->path, at, job->length, job->offset + at, chunk[good],
			       berth_pattern_byte(job->seed, job->start + at));
			return 1;
		}
		done += (uint64_t)got;
	}
	printf("%s: %" PRIu64 " bytes at offset %" PRIu64 " carry the pattern of seed %" PRIu64 "\n",
	       job->path, job->length, job->offset, job->seed);
	return 0;
}

static int fill(const struct job *job, int fd)
{
	static uint8_t chunk[CHUNK] __attribute__((aligned(8)));
	uint64_t done = 0;

	while (done < job->length) {
		size_t size = job->length - done < CHUNK ? (size_t)(job->length - done) : CHUNK;
		ssize_t put;

		berth_pattern_fill(chunk, size, job->seed, job->start + done);
		put = pwrite(fd, chunk, size, (off_t)(job->offset + done));
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			say("%s: %s", job->path, strerror(errno));
			return 2;
		}
		done += (uint64_t)put;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct job job = { .path = NULL };
	bool filling;
	int fd, ret;

	say_name("berth-pattern");
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(usage_text, stdout);
		return 0;
	}
	if (argc < 2 || (strcmp(argv[1], "check") && strcmp(argv[1], "fill"))) {
		fputs(usage_text, stderr);
		return 2;
	}
	filling = !strcmp(argv[1], "fill");
	if (take_arguments(&job, argv + 2))
		return 2;
	fd = open(job.path, (filling ? O_WRONLY | O_CREAT : O_RDONLY) | O_CLOEXEC, 0644);
	if (fd < 0) {
		say("%s: %s", job.path, strerror(errno));
		return 2;
	}
	ret = filling ? fill(&job, fd) : check(&job, fd);
	if (close(fd) && !ret) {
		say("%s: %s", job.path, strerror(errno));
		ret = 2;
	}
	return ret;
}
