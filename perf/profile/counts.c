// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * A QEMU plugin that counts what the guest executes, exactly: how often each translated block (a run of instructions
 * without a jump) was entered. Built and loaded by ./run bench --profile; report.py turns the counts into functions.
 *
 *	-plugin counts.so,dir=DIR
 *
 * While a file DIR/start exists counting begins anew, and the file is removed; the same with DIR/stop, after the counts
 * were written to DIR/counts.0, DIR/counts.1, … as lines of "address instructions entries". The guest makes the files
 * and waits until they are gone; by its own clock that takes no time worth counting.
 *
 * The counters are added to without a lock: for guests of one processor only, as those are that count instructions.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What we use of QEMU's plugin interface, version 1 (docs/devel/tcg-plugins.rst); Debian has no package of its header. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
						  void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, enum qemu_plugin_op op,
						     void *counter, uint64_t value);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);

#define EXPORT	__attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

/* Blocks, by address and length: open addressing. A guest that boots and runs perftest has about 200,000. */
#define SLOTS	(1U << 22)

struct block {
	uint64_t address;
	uint64_t instructions;
	uint64_t entries;
	uint64_t before;	/* entries when counting began */
};

static struct block *blocks;
static const char *dir;

static struct block *block_of(uint64_t address, uint64_t instructions)
{
	uint32_t i = (address * 0x9e3779b97f4a7c15ULL + instructions * 0x1000193) >> 42;
	uint32_t tried;

	for (tried = 0; tried < SLOTS; tried++, i = (i + 1) & (SLOTS - 1)) {
		struct block *b = &blocks[i];

		if (!b->instructions) {
			b->address = address;
			b->instructions = instructions;
		}
		if (b->address == address && b->instructions == instructions)
			return b;
	}
	fputs("counts: more blocks than there is room for\n", stderr);
	abort();
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct block *b = block_of(qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb));

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &b->entries, 1);
}

static void start(void)
{
	uint32_t i;

	for (i = 0; i < SLOTS; i++)
		blocks[i].before = blocks[i].entries;
}

static void stop(void)
{
	static int number;
	char path[4096];
	uint32_t i;
	FILE *out;

	snprintf(path, sizeof(path), "%s/counts.%d", dir, number++);
	out = fopen(path, "w");
	if (!out) {
		perror(path);
		return;
	}
	for (i = 0; i < SLOTS; i++) {
		const struct block *b = &blocks[i];

		if (b->entries != b->before)
			fprintf(out, "%llx %llu %llu\n", (unsigned long long)b->address,
				(unsigned long long)b->instructions, (unsigned long long)(b->entries - b->before));
	}
	fclose(out);
}

/* Does what the file asks for, then removes it. */
static void obey(const char *name, void (*what)(void))
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (access(path, F_OK))
		return;
	what();
	unlink(path);
}

static void *listener(void *unused)
{
	(void)unused;
	for (;;) {
		usleep(1000);
		obey("start", start);
		obey("stop", stop);
	}
	return NULL;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	pthread_t thread;

	(void)info;
	if (argc != 1 || strncmp(argv[0], "dir=", 4)) {
		fputs("counts: wants dir=DIR\n", stderr);
		return -1;
	}
	dir = strdup(argv[0] + 4);
	blocks = calloc(SLOTS, sizeof(*blocks));
	if (!dir || !blocks || pthread_create(&thread, NULL, listener, NULL))
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
