// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/berth_netmem_test: runs self tests of berth_netmem, one case for each ioctl, over the
 * dma-bufs that user space gives. Cases are functions in test_*.c; each notes its first failure.
 *
 * Process context. test_lock lets one case run at a time; what outlives a case (a kept area, a
 * pool, traffic) belongs to test_area.c, test_claim.c and test_move.c, is protected by the same lock and dropped at
 * unload.
 */
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "netmem_test.h"

static DEFINE_MUTEX(test_lock);

static const struct test_case {
	const char *name;
	int bufs;
	void (*fn)(struct nt *t);
} test_cases[] = {
	{ "rw",			1,	test_rw },
	{ "copy",		2,	test_copy },
	{ "overlap",		1,	test_overlap },
	{ "bounds",		1,	test_bounds },
	{ "atomic",		1,	test_atomic },
	{ "atomic-race",	1,	test_atomic_race },
	{ "pages",		0,	test_pages },
	{ "pages-bad",		0,	test_pages_bad },
	{ "pages-none",		1,	test_pages_none },
	{ "direct",		0,	test_direct },
	{ "share",		1,	test_share },
	{ "race",		1,	test_race },
	{ "refuse",		1,	test_refuse },
	{ "revoke",		1,	test_revoke },
	{ "ioremap-share",	1,	test_ioremap_share },
	{ "keep",		1,	test_keep },
	{ "kept",		0,	test_kept },
	{ "drop",		0,	test_drop },
	{ "traffic-start",	1,	test_traffic_start },
	{ "traffic-check",	0,	test_traffic_check },
	{ "traffic-stop",	0,	test_traffic_stop },
	{ "exhaust",		1,	test_exhaust },
	{ "refs",		1,	test_refs },
	{ "leak",		1,	test_leak },
	{ "booking",		1,	test_booking },
	{ "chunk-args",		1,	test_chunk_args },
	{ "claim",		0,	test_claim },
	{ "claim-many",		0,	test_claim_many },
	{ "claim-race",		0,	test_claim_race },
	{ "claim-area",		1,	test_claim_area },
	{ "pool-keep",		1,	test_pool_keep },
	{ "pool-again",		0,	test_pool_again },
	{ "pool-drop",		0,	test_pool_drop },
	{ "claim-here",		1,	test_claim_here },
	{ "claim-rest",		1,	test_claim_rest },
	{ "claim-lost",		1,	test_claim_lost },
	{ "churn-start",	0,	test_churn_start },
	{ "churn-stop",		0,	test_churn_stop },
	{ "percpu",		1,	test_percpu },
	{ "last-put",		1,	test_last_put },
	{ "cost",		1,	test_cost },
	{ "lease-cost",		1,	test_lease_cost },
	{ "memcpy-cost",	0,	test_memcpy_cost },
	{ "string-cost",	0,	test_string_cost },
};

bool nt_check(struct nt *t, bool cond, const char *func, int line, const char *fmt, ...)
{
	char *why = t->run->why;
	va_list args;
	int n;

	if (cond || nt_failed(t))
		return cond;
	n = scnprintf(why, NETMEM_TEST_WHY, "%s:%d: ", func, line);
	va_start(args, fmt);
	vscnprintf(why + n, NETMEM_TEST_WHY - n, fmt, args);
	va_end(args);
	return false;
}

void nt_fill(u8 *mem, u64 pos, size_t len, u32 seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		mem[i] = nt_byte(pos + i, seed);
}

bool nt_match(struct nt *t, const u8 *mem, u64 pos, size_t len, u32 seed, const char *what)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (mem[i] != nt_byte(pos + i, seed))
			return CHECK(t, false, "%s: byte %llu is %#x, not %#x (length %zu)", what,
				     pos + i, mem[i], nt_byte(pos + i, seed), len);
	return true;
}

/* The area of a buffer of the case, or NULL and a failure. */
struct berth_area *nt_area(struct nt *t, int which)
{
	unsigned int flags = t->run->flags & NETMEM_TEST_IOREMAP ? BERTH_AREA_IOREMAP : 0;
	struct berth_area *area;

	area = berth_area_get(berth_netmem_device(), t->buf[which], flags);
	if (!CHECK(t, !IS_ERR(area), "berth_area_get: error %ld", PTR_ERR(area)))
		return NULL;
	return area;
}

unsigned int nt_attachments(struct dma_buf *dmabuf)
{
	unsigned int n;

	dma_resv_lock(dmabuf->resv, NULL);
	n = list_count_nodes(&dmabuf->attachments);
	dma_resv_unlock(dmabuf->resv);
	return n;
}

int nt_write(struct berth_window *w, u64 off, const void *src, size_t len)
{
	int err;

	local_bh_disable();
	err = berth_window_write(w, off, src, len);
	local_bh_enable();
	return err;
}

int nt_read(struct berth_window *w, u64 off, void *dst, size_t len)
{
	int err;

	local_bh_disable();
	err = berth_window_read(w, off, dst, len);
	local_bh_enable();
	return err;
}

int nt_copy(struct berth_window *dw, u64 doff, struct berth_window *sw, u64 soff, size_t len)
{
	int err;

	rcu_read_lock();
	err = berth_window_copy(dw, doff, sw, soff, len);
	rcu_read_unlock();
	return err;
}

/*
 * ---- threads ----
 */

struct thread_start {
	struct nt_threads *threads;
	int self;
};

static int thread_main(void *arg)
{
	struct thread_start start = *(struct thread_start *)arg;

	kfree(arg);
	wait_for_completion(&start.threads->go);
	start.threads->fn(start.threads, start.self);
	complete(&start.threads->done);
	/* kthread_stop() wants somebody to stop. */
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* Start threads, all at once. On error none runs. */
int nt_threads_start(struct nt_threads *threads, int count,
		     void (*fn)(struct nt_threads *threads, int self), void *arg)
{
	int err = 0;

	*threads = (struct nt_threads){ .fn = fn, .arg = arg };
	init_completion(&threads->go);
	init_completion(&threads->done);
	while (threads->count < count) {
		struct thread_start *start = kmalloc(sizeof(*start), GFP_KERNEL);
		struct task_struct *task;

		if (!start) {
			err = -ENOMEM;
			break;
		}
		*start = (struct thread_start){ threads, threads->count };
		task = kthread_run(thread_main, start, "netmem_test/%d", threads->count);
		if (IS_ERR(task)) {
			kfree(start);
			err = PTR_ERR(task);
			break;
		}
		threads->task[threads->count++] = task;
	}
	if (err)
		threads->stop = true;
	complete_all(&threads->go);
	if (err)
		nt_threads_join(threads);
	return err;
}

/* Wait until all have returned; the caller has told those that do not end by themselves. */
void nt_threads_join(struct nt_threads *threads)
{
	int i;

	/* A thread that is stopped before its first instruction would never run its function. */
	for (i = 0; i < threads->count; i++)
		wait_for_completion(&threads->done);
	while (threads->count)
		kthread_stop(threads->task[--threads->count]);
}

/*
 * ---- the device file ----
 */

static int get_bufs(struct nt *t, int wanted)
{
	const s32 fd[2] = { t->run->fd, t->run->fd2 };
	int i;

	for (i = 0; i < wanted; i++) {
		struct dma_buf *dmabuf = dma_buf_get(fd[i]);

		if (IS_ERR(dmabuf))
			return PTR_ERR(dmabuf);
		t->buf[i] = dmabuf;
	}
	return 0;
}

static void put_bufs(struct nt *t)
{
	int i;

	for (i = 0; i < 2; i++)
		if (t->buf[i])
			dma_buf_put(t->buf[i]);
}

static int run_case(struct netmem_test *run, const struct test_case *c)
{
	struct nt t = { .run = run };
	int err;

	mutex_lock(&test_lock);
	err = get_bufs(&t, c->bufs);
	if (!err)
		c->fn(&t);
	put_bufs(&t);
	mutex_unlock(&test_lock);
	return err;
}

static long test_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct netmem_test *run;
	long ret = -ENOENT;
	unsigned int i;

	if (cmd != NETMEM_TEST_RUN)
		return -ENOTTY;
	run = memdup_user((void __user *)arg, sizeof(*run));
	if (IS_ERR(run))
		return PTR_ERR(run);
	run->name[sizeof(run->name) - 1] = 0;
	run->why[0] = 0;
	for (i = 0; i < ARRAY_SIZE(test_cases); i++)
		if (!strcmp(run->name, test_cases[i].name))
			ret = run_case(run, &test_cases[i]);
	if (!ret && copy_to_user((void __user *)arg, run, sizeof(*run)))
		ret = -EFAULT;
	kfree(run);
	return ret;
}

static const struct file_operations test_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= test_ioctl,
};

static struct miscdevice test_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "berth_netmem_test",
	.mode	= 0600,
	.fops	= &test_fops,
};

static int __init test_init(void)
{
	return misc_register(&test_misc);
}

static void __exit test_exit(void)
{
	misc_deregister(&test_misc);
	test_move_fini();
	test_claim_fini();
	test_area_fini();
}

module_init(test_init);
module_exit(test_exit);

BERTH_IMPORT_NS(DMA_BUF);
MODULE_DESCRIPTION("berth test: self tests of berth_netmem");
MODULE_LICENSE("GPL");
