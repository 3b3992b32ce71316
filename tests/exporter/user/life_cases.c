// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Lives that end in the wrong order: file descriptor closed, process dead, modules unloaded,
 * hardware gone while an area is in use.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bufs.h"

static void closed_fd(enum kind kind)
{
	int fd = buf_alloc(kind, BUF_SIZE, 0);

	module_pass("keep", fd, 0);
	close(fd);
	module_pass("kept", -1, 0);
	if (kind >= BAR)
		expect_true(exporter_buffers(kind) == 1, "the buffer went with its descriptor");
	module_pass("drop", -1, 0);
	/* The last reference of a file is dropped on the way out of a system call. */
	if (kind >= BAR)
		expect_true(exporter_buffers(kind) == 0, "the buffer is still there");
}

static void dead_process(enum kind kind)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		int fd = buf_alloc(kind, BUF_SIZE, 0);

		raise(module_pass("keep", fd, 0) ? SIGKILL : SIGABRT);
	}
	if (!expect_true(pid > 0 && waitpid(pid, &status, 0) == pid, "fork") ||
	    !expect_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child failed"))
		return;
	module_pass("kept", -1, 0);
	module_pass("drop", -1, 0);
	if (kind >= BAR)
		expect_true(exporter_buffers(kind) == 0, "the buffer is still there");
}

/* The line of an area in debugfs, or an empty string. */
static void areas_line(uint64_t id, char *line, size_t size)
{
	char want[32];
	FILE *f = fopen("/sys/kernel/debug/berth_netmem/areas", "r");

	snprintf(want, sizeof(want), "id=%llu ", (unsigned long long)id);
	while (f && fgets(line, (int)size, f)) {
		if (!strncmp(line, want, strlen(want))) {
			fclose(f);
			return;
		}
	}
	if (f)
		fclose(f);
	line[0] = 0;
}

static void debugfs(enum kind kind, const char *exporter, const char *memory)
{
	struct netmem_test run = { .name = "keep", .fd2 = -1 };
	char line[512], want[256];

	run.fd = buf_alloc(kind, BUF_SIZE, 0);
	if (!expect_errno(module_run(&run), 0, "keep") || !expect_true(!run.why[0], run.why))
		return;
	areas_line(run.value, line, sizeof(line));
	snprintf(want, sizeof(want),
		 "exporter=%s size=%lu mapped=%lu device=berth_netmem refs=1 memory=%s state=ready"
		 " moves=0 chunks=0 allocated=0 free=0 cached=0 exhausted=0\n",
		 exporter, BUF_SIZE, BUF_SIZE, memory);
	if (!strstr(line, want))
		fail("line is \"%s\"", line);
	module_pass("drop", -1, 0);
	areas_line(run.value, line, sizeof(line));
	expect_true(!line[0], "the line is still there");
	close(run.fd);
}

static void unload_refused(void)
{
	int fd = buf_alloc(BAR, BUF_SIZE, 0);
	long ret;

	ret = syscall(SYS_delete_module, "berth_bar_exporter", O_NONBLOCK);
	expect_errno(ret ? errno : 0, EAGAIN, "unloading the exporter of a live buffer");
	ret = syscall(SYS_delete_module, "berth_netmem", O_NONBLOCK);
	expect_errno(ret ? errno : 0, EAGAIN, "unloading berth_netmem under its user");
	close(fd);
}

/*
 * ---- the PCI device goes ----
 */

static sigjmp_buf bus_error;

static void on_bus_error(int sig)
{
	siglongjmp(bus_error, sig);
}

static bool touch_is_sigbus(volatile uint8_t *mem)
{
	struct sigaction act = { .sa_handler = on_bus_error }, old;
	bool caught = true;

	sigaction(SIGBUS, &act, &old);
	if (!sigsetjmp(bus_error, 1)) {
		(void)*mem;
		caught = false;
	}
	sigaction(SIGBUS, &old, NULL);
	return caught;
}

static bool write_one(const char *path)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, "1", 1) == 1;

	close(fd);
	return ok;
}

/* The sysfs directory of the device that the BAR exporter drives. */
static bool bar_device(char *path, size_t size)
{
	DIR *dir = opendir("/sys/bus/pci/drivers/berth_bar_exporter");
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		found = strchr(entry->d_name, ':');
		if (found)
			snprintf(path, size, "/sys/bus/pci/devices/%s/remove", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

static void bar_removed(void)
{
	struct berth_exporter_alloc alloc = {
		.offset = BERTH_EXPORTER_ANYWHERE, .length = BUF_SIZE,
	};
	int dev = open(BERTH_EXPORTER_BAR_DEV, O_RDWR | O_CLOEXEC);
	int fd = buf_alloc(BAR, BUF_SIZE, 0);
	volatile uint8_t *mem;
	char path[320];

	module_pass("keep", fd, 0);
	mem = mmap(NULL, BUF_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!expect_true(mem != MAP_FAILED, "mmap") ||
	    !expect_true(bar_device(path, sizeof(path)), "no device is bound"))
		return;
	mem[0] = 1;
	expect_true(write_one(path), "removing the device");
	/* The area tries to map again, is told ENODEV, and gives up. */
	usleep(200000);
	module_pass("kept", -1, EKEYREVOKED);
	expect_true(touch_is_sigbus(mem), "memory of a device that is gone");
	expect_errno(ioctl(dev, BERTH_EXPORTER_ALLOC, &alloc) ? errno : 0, ENODEV, "allocation");
	module_pass("refuse", fd, ENODEV);
	module_pass("drop", -1, 0);
	munmap((void *)mem, BUF_SIZE);
	close(fd);
	close(dev);
	expect_true(write_one("/sys/bus/pci/rescan"), "rescan");
	for (int i = 0; i < 100 && !kind_there(BAR); i++)
		usleep(20000);
	fd = buf_alloc(BAR, BUF_SIZE, 0);
	module_pass("rw", fd, 1);
	close(fd);
}

void life_cases(void)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		if (!kind_there(kind))
			continue;
		test_begin("closed-fd/%s", kind_name[kind]);
		closed_fd(kind);
		test_end();
		test_begin("dead-process/%s", kind_name[kind]);
		dead_process(kind);
		test_end();
	}
	test_begin("debugfs/heap");
	debugfs(HEAP, "system", "sys");
	test_end();
	test_begin("debugfs/move");
	debugfs(MOVE, "berth_move_exporter", "sys");
	test_end();
	if (!kind_there(BAR))
		return;
	test_begin("debugfs/bar");
	debugfs(BAR, "berth_bar_exporter", "io");
	test_end();
	test_begin("unload-refused");
	unload_refused();
	test_end();
	test_begin("bar-removed");
	bar_removed();
	test_end();
}
