// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * perftest's tools with --use_dmabuf: one program, linked under the names ib_write_bw,
 * ib_send_lat and so on.
 *
 * It takes --use_dmabuf[=EXPORTER] out of the arguments wherever it stands, and executes the
 * stock tool of the same name with everything else untouched: with the option, under the
 * preloaded shim libberth-dmabuf.so; without it, unchanged. The process becomes the tool, so
 * status, signals and standard streams are the tool's. Only for --help does it stay, to add its
 * lines after the tool's own.
 *
 * The stock tool is the one in /usr/bin, or in $BERTH_PERFTEST_BIN for a perftest built from
 * source. The shim is found relative to this program, so an installed tree, a staged one and a
 * build directory all work.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/exporter.h"
#include "../common/say.h"

#define OPTION		"--use_dmabuf"
#define SHIM		"libberth-dmabuf.so"
#define STOCK_DIR	"/usr/bin"
#define VARIABLE	"BERTH_DMABUF"

/* What the arguments say; @argv is what remains for the tool. */
struct request {
	char **argv;
	const char *exporter;
	bool help;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void take_arguments(char **argv, struct request *request)
{
	size_t taken = strlen(OPTION);
	char **out = argv + 1;

	request->argv = argv;
	for (char **in = argv + 1; *in; in++) {
		if (!strcmp(*in, OPTION)) {
			request->exporter = "heap";
			continue;
		}
		if (!strncmp(*in, OPTION "=", taken + 1)) {
			request->exporter = *in + taken + 1;
			continue;
		}
		if (!strcmp(*in, "-h") || !strcmp(*in, "--help"))
			request->help = true;
		*out++ = *in;
	}
	*out = NULL;
}

static int find_stock(const char *name, char *path, size_t size)
{
	const char *dir = getenv("BERTH_PERFTEST_BIN");

	if (!dir || !*dir)
		dir = STOCK_DIR;
	if (snprintf(path, size, "%s/%s", dir, name) >= (int)size) {
		say("BERTH_PERFTEST_BIN: the name is too long");
		return -1;
	}
	if (!access(path, X_OK))
		return 0;
	say("%s: %s: install package perftest (or set BERTH_PERFTEST_BIN)", path, strerror(errno));
	return -1;
}

/* The launchers lie in DIR/perftest, the shim in DIR. */
static int find_shim(char *path, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0) {
		say("/proc/self/exe: %s: mount /proc", strerror(errno));
		return -1;
	}
	self[n] = 0;
	for (int level = 0; level < 2; level++) {
		slash = strrchr(self, '/');
		if (slash)
			*slash = 0;
	}
	if (snprintf(path, size, "%s/" SHIM, self) < (int)size && !access(path, R_OK))
		return 0;
	say("%s: the shim is missing: install berth's perftest launchers again", path);
	return -1;
}

static int preload(const char *exporter_name)
{
	char shim[PATH_MAX], value[2 * PATH_MAX];
	const char *others = getenv("LD_PRELOAD");
	struct exporter exporter;

	if (exporter_parse(exporter_name, &exporter) || exporter_check(&exporter))
		return -1;
	if (find_shim(shim, sizeof(shim)))
		return -1;
	if (strpbrk(shim, ": ")) {
		say("%s: a path with a blank or colon cannot be preloaded", shim);
		return -1;
	}
	if (snprintf(value, sizeof(value), "%s%s%s", shim, others && *others ? ":" : "",
		     others ? others : "") >= (int)sizeof(value)) {
		say("LD_PRELOAD is too long");
		return -1;
	}
	if (setenv("LD_PRELOAD", value, 1) || setenv(VARIABLE, exporter_name, 1)) {
		say("environment: %s", strerror(errno));
		return -1;
	}
	return 0;
}

static int help(const char *stock, char **argv)
{
	pid_t child = fork();
	int status;

	if (child < 0) {
		say("fork: %s", strerror(errno));
		return 1;
	}
	if (!child) {
		execv(stock, argv);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	puts("\n      " OPTION "[=heap|udmabuf|bar|PATH]\n"
	     "                            Use a dma-buf as the buffer: of the system heap (default),\n"
	     "                            of udmabuf, of the PCI BAR exporter, or of the device at\n"
	     "                            PATH. See berth-perftest(1).");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct request request = { .exporter = NULL };
	char stock[PATH_MAX];
	const char *name;

	if (argc < 1)
		return 1;
	name = base_name(argv[0]);
	say_name(name);
	take_arguments(argv, &request);
	if (find_stock(name, stock, sizeof(stock)))
		return 1;
	if (request.help)
		return help(stock, request.argv);
	if (request.exporter && preload(request.exporter))
		return 1;
	execv(stock, request.argv);
	say("%s: %s", stock, strerror(errno));
	return 1;
}
