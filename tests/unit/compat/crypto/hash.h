/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * User-space stand-in for the part of <crypto/hash.h> that wire/crc.c uses. The
 * test that includes it is the crypto layer: it defines these functions and
 * decides what driver there is.
 */
#ifndef BERTH_COMPAT_CRYPTO_HASH_H
#define BERTH_COMPAT_CRYPTO_HASH_H

#include <linux/types.h>

struct crypto_shash;

struct shash_desc {
	struct crypto_shash *tfm;
	void *ctx[] __aligned(8);
};

static inline void *shash_desc_ctx(struct shash_desc *desc)
{
	return desc->ctx;
}

struct crypto_shash *crypto_alloc_shash(const char *name, u32 type, u32 mask);
void crypto_free_shash(struct crypto_shash *tfm);
const char *crypto_shash_driver_name(struct crypto_shash *tfm);
unsigned int crypto_shash_descsize(struct crypto_shash *tfm);
int crypto_shash_update(struct shash_desc *desc, const u8 *data, unsigned int len);

#endif /* BERTH_COMPAT_CRYPTO_HASH_H */
