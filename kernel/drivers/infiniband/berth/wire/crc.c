// SPDX-License-Identifier: GPL-2.0
/*
 * CRC-32 in the kernel. Headers and other short pieces go to crc32_le(), which
 * costs about 3.5 instructions a byte; long ones to the crypto layer's "crc32"
 * when an accelerated driver (carry-less multiplication) is there, an eighth of
 * that. A kernel without one is served by crc32_le() alone.
 *
 * berth_crc_init() and berth_crc_fini() run at module load and unload, before
 * and after all packets, so @accel needs no lock. berth_crc_update() is for any
 * context: the driver itself falls back where vector registers are off limits.
 */
#include <linux/types.h>
#include <linux/crc32.h>
#include <linux/err.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <crypto/hash.h>
#include "crc.h"

/* Below this the call costs more than it saves; drivers want 64 + alignment. */
#define ACCEL_MIN	80

static struct crypto_shash *accel __read_mostly;

/* A hash descriptor with room for the one word that is the state of crc32. */
struct crc_desc {
	u8 bytes[sizeof(struct shash_desc) + sizeof(u32)] __aligned(__alignof__(struct shash_desc));
};

static u32 accel_update(struct crypto_shash *tfm, u32 crc, const void *data, size_t len)
{
	struct crc_desc space;
	struct shash_desc *desc = (struct shash_desc *)space.bytes;
	u32 *state = shash_desc_ctx(desc);

	desc->tfm = tfm;
	*state = crc;
	/* Cannot fail: the state is valid and an update of crc32 allocates nothing. */
	(void)crypto_shash_update(desc, data, len);
	return *state;
}

/* Trust a driver only after it has carried a running state on correctly. */
static bool accel_agrees(struct crypto_shash *tfm)
{
	const size_t len = 8 * ACCEL_MIN + 3;
	bool agrees;
	u8 *probe;
	size_t i;
	u32 crc;

	if (crypto_shash_descsize(tfm) != sizeof(u32))
		return false;
	probe = kmalloc(len, GFP_KERNEL);
	if (!probe)
		return false;
	for (i = 0; i < len; i++)
		probe[i] = i * 7 + (i >> 8);
	crc = accel_update(tfm, ~0u, probe, len / 2);
	crc = accel_update(tfm, crc, probe + len / 2, len - len / 2);
	agrees = crc == crc32_le(~0u, probe, len);
	kfree(probe);
	return agrees;
}

/**
 * berth_crc_init - look for an accelerated CRC-32
 *
 * Context: Process, may sleep; module load.
 * Return: 0 always: a kernel without a driver is slower, not broken.
 */
int berth_crc_init(void)
{
	struct crypto_shash *tfm = crypto_alloc_shash("crc32", 0, 0);

	if (IS_ERR(tfm))
		return 0;
	if (!strcmp(crypto_shash_driver_name(tfm), "crc32-generic") || !accel_agrees(tfm)) {
		crypto_free_shash(tfm);
		return 0;
	}
	pr_debug("berth: CRC-32 by %s\n", crypto_shash_driver_name(tfm));
	accel = tfm;
	return 0;
}

/**
 * berth_crc_fini - let go of the driver
 *
 * Context: Process, may sleep; module unload, or after berth_crc_init() at any
 * state. No berth_crc_update() may be running.
 */
void berth_crc_fini(void)
{
	struct crypto_shash *tfm = accel;

	accel = NULL;
	if (tfm)
		crypto_free_shash(tfm);
}

/**
 * berth_crc_update - carry a CRC-32 on
 * @crc: running state
 * @data: bytes
 * @len: how many; 0 is allowed
 *
 * Context: Any.
 * Return: the running state, as crc32_le() would give it.
 */
u32 berth_crc_update(u32 crc, const void *data, size_t len)
{
	struct crypto_shash *tfm = accel;

	if (len < ACCEL_MIN || !tfm)
		return crc32_le(crc, data, len);
	return accel_update(tfm, crc, data, len);
}
