// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * fuzz_abi: processes of an unprivileged user that misuse all that a device offers them: calls and
 * driver data, the doorbell, mappings, sockets, and the rings (fuzz_child.c, fuzz_mutate.c). They end as they
 * like, or are killed. What has to hold: each of them goes when it is killed, an innocent process
 * beside goes on, and new connections work afterwards. That nothing is left behind and that the
 * kernel's log is clean is checked by the script around. Needs root in the guest.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz_abi.h"

#define AT_ONCE		3
#define LIFE_MS		1500

static struct {
	pid_t pid;
	uint64_t seed, end_ms;
} children[AT_ONCE];

static void reap(int i)
{
	uint64_t dead_ms = vt_now_ms() + 20000 * vt_cfg.slow;
	int status;
	pid_t pid;

	if (!children[i].pid)
		return;
	pid = waitpid(children[i].pid, &status, WNOHANG);
	if (!pid && vt_now_ms() < children[i].end_ms)
		return;
	/* Grandchildren have its group. */
	kill(-children[i].pid, SIGKILL);
	while (!pid) {
		CHECK(vt_now_ms() < dead_ms, "the child of seed %#llx cannot be killed",
		      (unsigned long long)children[i].seed);
		usleep(1000);
		pid = waitpid(children[i].pid, &status, WNOHANG);
	}
	/* 1 is a failed CHECK of the child's own: it could not even begin. */
	CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 1, "a child could not start (see above)");
	children[i].pid = 0;
}

static void start(int i, unsigned long nr)
{
	uint64_t seed = vt_mix(fuzz_cfg.seed, nr);

	children[i].seed = seed;
	children[i].end_ms = vt_now_ms() + (fuzz_odds(20) ? 1 + fuzz_below(200) : LIFE_MS);
	children[i].pid = fork();
	CHECK(children[i].pid >= 0, "fork: %s", strerror(errno));
	if (!children[i].pid) {
		setpgid(0, 0);
		fuzz_child(seed);
	}
	setpgid(children[i].pid, children[i].pid);
}

static bool busy(void)
{
	for (int i = 0; i < AT_ONCE; i++)
		if (children[i].pid)
			return true;
	return false;
}

static void fuzz(const void *arg)
{
	unsigned long nr = 0;
	struct vt_opts o = VT_OPTS;
	struct vt_dev *da, *db;

	(void)arg;
	innocent_start();
	fuzz_begin();
	while (fuzz_on(nr) || busy()) {
		for (int i = 0; i < AT_ONCE; i++) {
			reap(i);
			if (!children[i].pid && fuzz_on(nr))
				start(i, nr++);
		}
		if (nr % 16 == 15)
			innocent_check();
		usleep(500);
	}
	innocent_stop();
	da = vt_open(vt_cfg.dev);
	db = vt_cfg.peer ? vt_open(vt_cfg.peer) : da;
	vt_ping(vt_pair_new(da, db, &o), vt_buf_new(da, VT_HOST, 20000, VT_ACCESS_ALL),
		vt_buf_new(db, VT_HOST, 20000, VT_ACCESS_ALL), 20000);
	fprintf(stderr, "%s: %lu children\n", vt_case_name(), nr);
}

static void add_cases(void)
{
	vt_add("fuzz/abi", fuzz, NULL, fuzz_seconds());
}

int main(int argc, char **argv)
{
	fuzz_options(&argc, argv, 40);
	return vt_main(argc, argv, add_cases);
}
