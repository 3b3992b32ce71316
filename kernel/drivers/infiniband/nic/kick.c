// SPDX-License-Identifier: GPL-2.0
/* Having each CPU free what was left to it, see kick.h. */
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include "kick.h"

static struct net_device *kick_dev;
static struct napi_struct __percpu *kick_napi;

/* Nothing is received; what was left to this CPU has been freed before. */
static int kick_poll(struct napi_struct *napi, int budget)
{
	napi_complete_done(napi, 0);
	return 0;
}

static void kick_this_cpu(void *unused)
{
	napi_schedule_irqoff(this_cpu_ptr(kick_napi));
}

/**
 * nic_kick - have all CPUs free what was left to them, soon
 *
 * Context: process.
 */
void nic_kick(void)
{
	on_each_cpu(kick_this_cpu, NULL, 0);
}

int nic_kick_init(void)
{
	int cpu;

	kick_napi = alloc_percpu(struct napi_struct);
	kick_dev = alloc_netdev_dummy(0);
	if (!kick_napi || !kick_dev) {
		free_percpu(kick_napi);
		if (kick_dev)
			free_netdev(kick_dev);
		return -ENOMEM;
	}
	for_each_possible_cpu(cpu) {
		netif_napi_add(kick_dev, per_cpu_ptr(kick_napi, cpu), kick_poll);
		napi_enable(per_cpu_ptr(kick_napi, cpu));
	}
	return 0;
}

/* Nobody kicks any more. */
void nic_kick_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		napi_disable(per_cpu_ptr(kick_napi, cpu));
		__netif_napi_del(per_cpu_ptr(kick_napi, cpu));
	}
	synchronize_net();
	free_netdev(kick_dev);
	free_percpu(kick_napi);
}
