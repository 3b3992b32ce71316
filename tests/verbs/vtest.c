// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The case runner. The parent loads the providers once (ibv_get_device_list) and forks a child per
 * case; the child leads a process group, so that a case that ran out of time is killed with its
 * helpers. The child prints FAIL and SKIP lines, because it knows why; the parent prints PASS and
 * what the child could not (a signal, a time-out). Deferred calls belong to the child.
 */
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vtest.h"

enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_USAGE = 2, EXIT_SKIP = 77 };

struct vt_case {
	char *name;
	vt_fn fn;
	const void *arg;
	unsigned int seconds;
};

struct deferred {
	int (*fn)(void *arg);
	void *arg;
	const char *what;
	struct deferred *next;
};

struct vt_config vt_cfg = { .dev = "berth0", .peer = "berth1", .slow = 1,
			     .ack_timeout = 17 };

static struct vt_case *cases;
static size_t nr_cases;
static const struct vt_case *current;
static bool times;
static struct deferred *deferred;

void vt_add(const char *name, vt_fn fn, const void *arg, unsigned int seconds)
{
	struct vt_case *grown = realloc(cases, (nr_cases + 1) * sizeof(*cases));

	if (!grown) {
		perror("vtest: no memory for the list of cases");
		exit(EXIT_USAGE);
	}
	cases = grown;
	cases[nr_cases++] = (struct vt_case){
		.name = strdup(name), .fn = fn, .arg = arg, .seconds = seconds ? seconds : 20,
	};
}

bool vt_is_long(void)
{
	return getenv("BERTH_LONG");
}

bool vt_is_tcp(void)
{
	const char *type = getenv("BERTH_QP_TYPE");

	return type && !strcmp(type, "tcp");
}

const char *vt_case_name(void)
{
	return current ? current->name : "(no case)";
}

uint64_t vt_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void vt_sleep_ms(unsigned int ms)
{
	uint64_t end = vt_now_ms() + ms;

	for (uint64_t now = vt_now_ms(); now < end; now = vt_now_ms())
		usleep((useconds_t)(end - now) * 1000);
}

static void say(const char *verdict, const char *why)
{
	char line[1200];
	int n;

	if (why)
		n = snprintf(line, sizeof(line), "%s %s: %s\n", verdict, vt_case_name(), why);
	else
		n = snprintf(line, sizeof(line), "%s %s\n", verdict, vt_case_name());
	if (n >= (int)sizeof(line)) {
		n = sizeof(line);
		line[n - 1] = '\n';
	}
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(EXIT_USAGE);
}

void vt_fail(const char *file, int line, const char *fmt, ...)
{
	char why[1000];
	int n = snprintf(why, sizeof(why), "%s:%d: ", strrchr(file, '/') ? strrchr(file, '/') + 1
			 : file, line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why + n, sizeof(why) - (size_t)n, fmt, ap);
	va_end(ap);
	say("FAIL", why);
	_exit(EXIT_FAIL);
}

void vt_skip(const char *fmt, ...)
{
	char why[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	say(vt_cfg.strict ? "FAIL" : "SKIP", why);
	_exit(vt_cfg.strict ? EXIT_FAIL : EXIT_SKIP);
}

void vt_defer(int (*fn)(void *arg), void *arg, const char *what)
{
	struct deferred *d = malloc(sizeof(*d));

	CHECK(d, "no memory");
	*d = (struct deferred){ .fn = fn, .arg = arg, .what = what, .next = deferred };
	deferred = d;
}

void vt_undefer(const void *arg)
{
	for (struct deferred *d = deferred; d; d = d->next)
		if (d->arg == arg)
			d->fn = NULL;
}

static int free_arg(void *arg)
{
	free(arg);
	return 0;
}

void *vt_zalloc(size_t size)
{
	void *p = calloc(1, size);

	CHECK(p, "no memory for %zu bytes", size);
	vt_defer(free_arg, p, "free");
	return p;
}

void vt_run_deferred(void)
{
	while (deferred) {
		struct deferred *d = deferred;
		int err = 0;

		deferred = d->next;
		if (d->fn)
			err = d->fn(d->arg);
		if (err)
			vt_fail(__FILE__, __LINE__, "%s at the end of the case: %s", d->what,
				strerror(err));
		free(d);
	}
}

/* SIGCHLD and nothing else. */
static sigset_t of_children(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return set;
}

static void mask_children(int how)
{
	const sigset_t set = of_children();

	sigprocmask(how, &set, NULL);
}

static void run_child(void)
{
	setpgid(0, 0);
	signal(SIGINT, SIG_DFL);
	mask_children(SIG_UNBLOCK);
	current->fn(current->arg);
	vt_run_deferred();
	_exit(EXIT_PASS);
}

/* Wait for @pid until @end_ms. Return: whether it ended. SIGCHLD is blocked, so it is not lost before the wait. */
static bool wait_until(pid_t pid, int *status, uint64_t end_ms)
{
	const sigset_t set = of_children();

	while (waitpid(pid, status, WNOHANG) != pid) {
		uint64_t now = vt_now_ms();
		struct timespec left;

		if (now >= end_ms)
			return false;
		left.tv_sec = (time_t)((end_ms - now) / 1000);
		left.tv_nsec = (long)((end_ms - now) % 1000) * 1000000;
		sigtimedwait(&set, NULL, &left);
	}
	return true;
}

/* Run cases[i]. Return: EXIT_PASS, EXIT_FAIL or EXIT_SKIP. */
static int run_case(const struct vt_case *c)
{
	unsigned int limit = c->seconds * vt_cfg.slow;
	char why[128];
	uint64_t begin;
	int status = 0;
	pid_t pid;

	current = c;
	begin = vt_now_ms();
	pid = fork();
	if (pid < 0) {
		say("FAIL", "fork failed");
		return EXIT_FAIL;
	}
	if (!pid)
		run_child();
	setpgid(pid, pid);
	if (!wait_until(pid, &status, vt_now_ms() + limit * 1000)) {
		kill(-pid, SIGKILL);
		snprintf(why, sizeof(why), "not done after %u s%s", limit,
			 wait_until(pid, &status, vt_now_ms() + 10000) ? "" :
			 ", and it cannot be killed");
		say("FAIL", why);
		return EXIT_FAIL;
	}
	kill(-pid, SIGKILL);
	if (times)
		fprintf(stderr, "%6llu ms %s\n", (unsigned long long)(vt_now_ms() - begin), c->name);
	if (WIFSIGNALED(status)) {
		snprintf(why, sizeof(why), "ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
		say("FAIL", why);
		return EXIT_FAIL;
	}
	if (WEXITSTATUS(status) == EXIT_PASS)
		say("PASS", NULL);
	return WEXITSTATUS(status);
}

static void usage(FILE *to, const char *prog)
{
	fprintf(to,
		"usage: %s [--dev NAME] [--peer NAME|none] [--filter GLOB]... [--list] [--strict]\n"
		"       [--slow N] [--flip] [--times] [--ack-timeout CODE]\n"
		"  --dev, --peer  the two devices (berth0, berth1); --peer none leaves out wire cases\n"
		"  --filter       run only cases that match one of the patterns\n"
		"  --list         print the names of the cases, run none\n"
		"  --strict       count a skipped case as failed\n"
		"  --slow         multiply every deadline by N\n"
		"  --ack-timeout  of the QPs, 4.096 us << CODE (17), where a case does not need its own; with --slow N\n"
		"                 CODE grows by as much as makes it N times\n"
		"  --flip         spoil one received byte per transfer: data cases then have to fail\n"
		"  --times        tell on stderr how long each case took\n",
		prog);
}

static bool chosen(const char *name, char **filters, int nr)
{
	for (int i = 0; i < nr; i++)
		if (!fnmatch(filters[i], name, 0))
			return true;
	return !nr;
}

static int run_all(char **filters, int nr_filters, bool list)
{
	struct ibv_device **devs = list ? NULL : ibv_get_device_list(NULL);
	unsigned int count[3] = { 0 };
	size_t i;

	/* Providers are loaded now, once; the children inherit them. */
	if (devs)
		ibv_free_device_list(devs);
	mask_children(SIG_BLOCK);

	for (i = 0; i < nr_cases; i++) {
		if (!chosen(cases[i].name, filters, nr_filters))
			continue;
		if (list) {
			puts(cases[i].name);
			count[0]++;
			continue;
		}
		switch (run_case(&cases[i])) {
		case EXIT_PASS:
			count[0]++;
			break;
		case EXIT_SKIP:
			count[2]++;
			break;
		default:
			count[1]++;
		}
	}
	if (!list)
		fprintf(stderr, "%u passed, %u failed, %u skipped\n", count[0], count[1], count[2]);
	if (!(count[0] + count[1] + count[2])) {
		fprintf(stderr, "vtest: no case matches the filter\n");
		return EXIT_USAGE;
	}
	return count[1] ? EXIT_FAIL : EXIT_PASS;
}

int vt_main(int argc, char **argv, void (*add_cases)(void))
{
	static const struct option options[] = {
		{ "dev", required_argument, NULL, 'd' }, { "peer", required_argument, NULL, 'p' },
		{ "filter", required_argument, NULL, 'f' }, { "list", no_argument, NULL, 'l' },
		{ "strict", no_argument, NULL, 's' }, { "slow", required_argument, NULL, 'w' },
		{ "flip", no_argument, NULL, 'x' }, { "times", no_argument, NULL, 't' },
		{ "ack-timeout", required_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	char **filters = calloc((size_t)argc, sizeof(*filters));
	int nr_filters = 0;
	uint8_t ack_timeout = 0;
	bool list = false;
	unsigned int n;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'd':
			vt_cfg.dev = optarg;
			break;
		case 'p':
			vt_cfg.peer = strcmp(optarg, "none") ? optarg : NULL;
			break;
		case 'f':
			filters[nr_filters++] = optarg;
			break;
		case 'l':
			list = true;
			break;
		case 's':
			vt_cfg.strict = true;
			break;
		case 'w':
			vt_cfg.slow = (unsigned int)atoi(optarg);
			break;
		case 'x':
			vt_cfg.flip = true;
			break;
		case 'a':
			ack_timeout = (uint8_t)atoi(optarg);
			break;
		case 't':
			times = true;
			break;
		case 'h':
			usage(stdout, argv[0]);
			return EXIT_PASS;
		default:
			usage(stderr, argv[0]);
			return EXIT_USAGE;
		}
	}
	if (optind < argc || !vt_cfg.slow) {
		usage(stderr, argv[0]);
		return EXIT_USAGE;
	}
	/* Where the machine is slow, what comes late is not lost. */
	for (n = 1; ack_timeout && n < vt_cfg.slow; n *= 2)
		ack_timeout++;
	if (ack_timeout)
		vt_cfg.ack_timeout = ack_timeout;
	add_cases();
	return run_all(filters, nr_filters, list);
}
