// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * rc_life: lives that end at the wrong moment: processes killed in mid-transfer (rc_life_kill.c),
 * devices and netdevs that go while in use (rc_life_gone.c), device memory that moves or is revoked
 * under traffic (rc_life_move.c). That nothing is left behind is checked by the scripts around it.
 */
#include "rc_life.h"
#include "vtest.h"

static void add_cases(void)
{
	life_add_kill();
	life_add_gone();
	life_add_move();
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv, add_cases);
}
