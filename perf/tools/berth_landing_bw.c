// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * berth_landing_bw: how fast the bytes of a TCP connection land in memory, and whether a CPU copies them on
 * the way. The sender is an ordinary socket. The receiver takes them with a stream QP, with the kernel's
 * devmem TCP, or with a plain socket. Here: options and the line of figures; landing_receive.c and
 * landing_send.c do the work.
 */
#include "landing.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../common/pattern.h"
#include "../common/say.h"

#define MAX_SIZE	(UINT64_C(1) << 30)
#define MAX_MEMORY	(UINT64_C(1) << 36)
#define MAX_COUNT	(UINT64_C(1) << 32)
#define MAX_PAGES	(UINT64_C(1) << 20)	/* completions of a CQ */

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Options that have no letter. */
enum { OPT_MODE = 256, OPT_MEMORY, OPT_NETDEV, OPT_QUEUE, OPT_USE_DMABUF, OPT_VERIFY };

static const char usage_text[] =
	"usage: berth_landing_bw [--mode=MODE] [OPTIONS]    the receiver\n"
	"       berth_landing_bw [OPTIONS] ADDRESS          the sender, an ordinary socket\n"
	"\n"
	"Sends bytes over a TCP connection and tells how fast they have landed in memory, how many were handed\n"
	"over where the network had put them, and how many were copied.\n"
	"\n"
	"Both sides:\n"
	"  -p, --port=N            TCP port (18517)\n"
	"  -s, --size=BYTES        of a write, and of a receive or a read at most (64k)\n"
	"  -n, --iters=N           writes (1000)\n"
	"  -D, --duration=SECONDS  write for so long instead\n"
	"The receiver:\n"
	"  --mode=stream           a TCP-stream QP whose bytes land in an area over a dma-buf (default)\n"
	"  --mode=posted           a TCP-stream QP with posted receives\n"
	"  --mode=devmem           the kernel's devmem TCP\n"
	"  --mode=socket           recv() into host memory\n"
	"  --use_dmabuf[=heap|udmabuf|bar|PATH]\n"
	"                          land in a dma-buf of the system heap (default), of udmabuf, of the PCI BAR, or of\n"
	"                          the device at PATH; stream and devmem always do\n"
	"  --memory=BYTES          to land in (8M)\n"
	"  --netdev=NAME --queue=N bind the dma-buf to this receive queue: stream, devmem\n"
	"  -d, --ib-dev=DEVICE     RDMA device of berth (the first one): stream, posted\n"
	"  --verify                compare every byte with what was sent\n"
	"\n"
	"Give both sides the same -s, -n and -D. Numbers may have a suffix k, M or G.\n"
	"Exit status: 0 when everything has arrived, 1 when not, 2 for a wrong use.\n";

static const struct option long_options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "size", required_argument, NULL, 's' },
	{ "iters", required_argument, NULL, 'n' },
	{ "duration", required_argument, NULL, 'D' },
	{ "ib-dev", required_argument, NULL, 'd' },
	{ "mode", required_argument, NULL, OPT_MODE },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "netdev", required_argument, NULL, OPT_NETDEV },
	{ "queue", required_argument, NULL, OPT_QUEUE },
	{ "use_dmabuf", optional_argument, NULL, OPT_USE_DMABUF },
	{ "verify", no_argument, NULL, OPT_VERIFY },
	{ "help", no_argument, NULL, 'h' },
	{}
};

static const char *const mode_names[] = {
	[LANDING_STREAM] = "stream",
	[LANDING_POSTED] = "posted",
	[LANDING_DEVMEM] = "devmem",
	[LANDING_SOCKET] = "socket",
};

#define MODES	(sizeof(mode_names) / sizeof(mode_names[0]))

/* What was given, whatever its value. */
struct given {
	bool iterations, seconds, queue, memory;
	const char *receivers;	/* an option that a sender has no use for */
};

/**
 * landing_failed - say which call has set errno
 * @what: it does
 *
 * Return: the negative errno.
 */
int landing_failed(const char *what)
{
	int err = errno;

	say("%s failed: %s", what, strerror(err));
	return -err;
}

/**
 * landing_now - a clock
 *
 * Return: nanoseconds.
 */
uint64_t landing_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/**
 * landing_report - print the line of figures
 * @opt: what the user asks for
 * @bytes: that were sent and have arrived
 * @ns: it took
 * @l: receiver, or NULL for a sender, who does not know how they have landed
 */
void landing_report(const struct landing_options *opt, uint64_t bytes, uint64_t ns,
		    const struct landing *l)
{
	double rate = ns ? (double)bytes / (1 << 20) / ((double)ns / 1e9) : 0;

	printf(" #bytes     #iterations    BW average[MB/sec]   handed over[bytes]   copied[bytes]\n");
	printf(" %-10" PRIu64 " %-14" PRIu64 " %-20.2f ", opt->size, bytes / opt->size, rate);
	if (l)
		printf("%-20" PRIu64 " %" PRIu64 "\n", l->handed_over, bytes - l->handed_over);
	else
		printf("%-20s -\n", "-");
}

/* Returns 0, or -EINVAL after one line. */
static int parse(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
	if (!berth_pattern_parse_number(text, value) && *value >= least && *value <= most)
		return 0;
	say("%s %s: give a number from %" PRIu64 " to %" PRIu64, option, text, least, most);
	return -EINVAL;
}

static int parse_mode(const char *text, enum landing_mode *mode)
{
	size_t i;

	for (i = 0; i < MODES; i++) {
		if (!strcmp(text, mode_names[i])) {
			*mode = (enum landing_mode)i;
			return 0;
		}
	}
	say("unknown mode '%s': use stream, posted, devmem or socket", text);
	return -EINVAL;
}

/* An option of the receiver's alone. */
static int take_receivers(struct landing_options *opt, struct given *given, int c, const char *arg)
{
	uint64_t value;
	int err = 0;

	switch (c) {
	case 'd':
		given->receivers = "-d";
		opt->device = arg;
		break;
	case OPT_MODE:
		given->receivers = "--mode";
		err = parse_mode(arg, &opt->mode);
		break;
	case OPT_MEMORY:
		given->receivers = "--memory";
		given->memory = true;
		err = parse("--memory", arg, 1, MAX_MEMORY, &opt->memory);
		break;
	case OPT_NETDEV:
		given->receivers = "--netdev";
		opt->netdev = arg;
		break;
	case OPT_QUEUE:
		given->receivers = "--queue";
		given->queue = true;
		err = parse("--queue", arg, 0, UINT16_MAX, &value);
		opt->queue = err ? 0 : (uint32_t)value;
		break;
	case OPT_USE_DMABUF:
		given->receivers = "--use_dmabuf";
		opt->use_dmabuf = true;
		err = exporter_parse(arg ? arg : "heap", &opt->exporter);
		break;
	case OPT_VERIFY:
		given->receivers = "--verify";
		opt->verify = true;
		break;
	default:
		/* getopt_long() has said it. */
		err = -EINVAL;
	}
	return err;
}

static int take_option(struct landing_options *opt, struct given *given, int c, const char *arg)
{
	uint64_t value;
	int err;

	switch (c) {
	case 'p':
		err = parse("-p", arg, 1, UINT16_MAX, &value);
		opt->port = err ? 0 : (uint16_t)value;
		return err;
	case 's':
		return parse("-s", arg, 1, MAX_SIZE, &opt->size);
	case 'n':
		given->iterations = true;
		return parse("-n", arg, 1, MAX_COUNT, &opt->iterations);
	case 'D':
		given->seconds = true;
		return parse("-D", arg, 1, MAX_COUNT, &opt->seconds);
	default:
		return take_receivers(opt, given, c, arg);
	}
}

static bool is(const struct landing_options *opt, enum landing_mode one, enum landing_mode other)
{
	return opt->mode == one || opt->mode == other;
}

/* What does not go together. Returns what is wrong, or NULL. */
static const char *contradiction(const struct landing_options *opt, const struct given *given)
{
	if (given->iterations && given->seconds)
		return "-n and -D: one of them";
	if (!opt->netdev != !given->queue)
		return "--netdev and --queue: both or none";
	if (opt->mode == LANDING_DEVMEM && !opt->netdev)
		return "--mode=devmem needs --netdev and --queue";
	if (opt->netdev && !is(opt, LANDING_STREAM, LANDING_DEVMEM))
		return "--netdev and --queue are for the modes stream and devmem";
	if (opt->device && !is(opt, LANDING_STREAM, LANDING_POSTED))
		return "-d is for the modes stream and posted";
	if (opt->mode == LANDING_SOCKET && (opt->use_dmabuf || given->memory))
		return "--use_dmabuf and --memory are not for the mode socket: it reads into host memory";
	if (opt->mode == LANDING_POSTED && opt->memory < opt->size)
		return "--memory: less than one receive (-s)";
	if (opt->mode == LANDING_STREAM &&
	    opt->memory > (MAX_PAGES - 2) * (uint64_t)sysconf(_SC_PAGESIZE))
		return "--memory: too much for --mode=stream: a CQ suffices for 2^20 - 2 pages";
	return NULL;
}

/* What was left out. */
static int complete(struct landing_options *opt, const struct given *given)
{
	const char *wrong;

	if (opt->address && given->receivers) {
		say("%s is an option of the receiver, who has no ADDRESS", given->receivers);
		return -EINVAL;
	}
	wrong = contradiction(opt, given);
	if (wrong) {
		say("%s", wrong);
		return -EINVAL;
	}
	if (given->seconds)
		opt->iterations = 0;
	if (opt->mode == LANDING_SOCKET)
		opt->memory = opt->size;
	if (!opt->use_dmabuf && is(opt, LANDING_STREAM, LANDING_DEVMEM)) {
		opt->use_dmabuf = true;
		exporter_parse("heap", &opt->exporter);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct landing_options opt = {
		.port = 18517, .size = 65536, .iterations = 1000, .memory = 8 << 20,
	};
	struct given given = { .receivers = NULL };
	int c;

	say_name("berth_landing_bw");
	while ((c = getopt_long(argc, argv, "p:s:n:D:d:h", long_options, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage_text, stdout);
			return 0;
		}
		if (take_option(&opt, &given, c, optarg))
			return EXIT_USAGE;
	}
	if (argc - optind > 1) {
		say("%s: one ADDRESS at a time", argv[optind + 1]);
		return EXIT_USAGE;
	}
	opt.address = argv[optind];
	if (complete(&opt, &given))
		return EXIT_USAGE;
	return (opt.address ? landing_send(&opt) : landing_receive(&opt)) ? EXIT_FAILED : 0;
}
