/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel leaves packets that one CPU has read to the CPU that made them, which frees them when it next receives
 * something; without traffic that may be never. Who waits for their memory kicks it.
 */
#ifndef BERTH_NIC_KICK_H
#define BERTH_NIC_KICK_H

void nic_kick(void);

int nic_kick_init(void);
void nic_kick_exit(void);

#endif
