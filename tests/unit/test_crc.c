// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * wire/crc.c, the kernel side of the seam: this program plays the crypto layer
 * and offers it good, bad and no drivers. Sums are checked against a CRC made
 * bit by bit here. Every test ends with no handle and no allocation left (the
 * latter by the leak check of ASan).
 */
#include "unit.h"
#include <errno.h>
#include <string.h>
#include <linux/crc32.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <crypto/hash.h>
#include "wire/crc.h"

struct crypto_shash {
	const char *driver;
	unsigned int descsize;
	bool lies;		/* about every sum */
	bool forgets;		/* the state that it is given */
};

unsigned int compat_kmalloc_failures;
static struct crypto_shash *offered;
static int handles;
static unsigned int updates;

struct crypto_shash *crypto_alloc_shash(const char *name, u32 type, u32 mask)
{
	assert_string_equal(name, "crc32");
	if (!offered)
		return ERR_PTR(-ENOENT);
	handles++;
	return offered;
}

void crypto_free_shash(struct crypto_shash *tfm)
{
	assert_ptr_equal(tfm, offered);
	handles--;
}

const char *crypto_shash_driver_name(struct crypto_shash *tfm)
{
	return tfm->driver;
}

unsigned int crypto_shash_descsize(struct crypto_shash *tfm)
{
	return tfm->descsize;
}

static u32 bitwise(u32 crc, const u8 *p, size_t len)
{
	while (len--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return crc;
}

int crypto_shash_update(struct shash_desc *desc, const u8 *data, unsigned int len)
{
	u32 *state = shash_desc_ctx(desc);

	updates++;
	*state = bitwise(desc->tfm->forgets ? ~0u : *state, data, len) ^ desc->tfm->lies;
	return 0;
}

static u8 noise[4096];

static int setup(void **state)
{
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = i * 31 + (i >> 3);
	offered = NULL;
	handles = 0;
	updates = 0;
	return 0;
}

static int teardown(void **state)
{
	berth_crc_fini();
	assert_int_equal(handles, 0);
	return 0;
}

/* All lengths across the threshold, odd starts, odd seeds. */
static void check_all_lengths(void)
{
	for (size_t len = 0; len < 300; len++)
		assert_int_equal(berth_crc_update(len * 0x9e3779b9u, noise + len % 7, len),
				 bitwise(len * 0x9e3779b9u, noise + len % 7, len));
	assert_int_equal(berth_crc_update(5, noise, sizeof(noise)),
			 bitwise(5, noise, sizeof(noise)));
}

static void crc_update__without_init(void **state)
{
	check_all_lengths();
	assert_int_equal(updates, 0);
}

static void crc_update__check_value(void **state)
{
	/* The check value that catalogues of CRCs give for this polynomial. */
	assert_int_equal(~berth_crc_update(~0u, "123456789", 9), 0xcbf43926);
}

static void crc_init__uses_an_accelerated_driver(void **state)
{
	struct crypto_shash fast = { .driver = "crc32-pclmul", .descsize = 4 };
	unsigned int before;

	offered = &fast;
	assert_int_equal(berth_crc_init(), 0);
	assert_int_equal(handles, 1);
	before = updates;
	check_all_lengths();
	assert_true(updates > before);
}

static void crc_update__short_pieces_stay_off_the_driver(void **state)
{
	struct crypto_shash fast = { .driver = "crc32-pclmul", .descsize = 4 };
	unsigned int before;

	offered = &fast;
	assert_int_equal(berth_crc_init(), 0);
	before = updates;
	berth_crc_update(0, noise, 63);
	assert_int_equal(updates, before);
	berth_crc_update(0, noise, 4096);
	assert_int_equal(updates, before + 1);
}

static void check_refused(struct crypto_shash *driver)
{
	unsigned int before;

	offered = driver;
	assert_int_equal(berth_crc_init(), 0);
	assert_int_equal(handles, 0);
	before = updates;
	check_all_lengths();
	assert_int_equal(updates, before);
}

static void crc_init__no_driver(void **state)
{
	check_refused(NULL);
}

static void crc_init__generic_driver_is_no_gain(void **state)
{
	check_refused(&(struct crypto_shash){ .driver = "crc32-generic", .descsize = 4 });
}

static void crc_init__driver_with_another_state(void **state)
{
	check_refused(&(struct crypto_shash){ .driver = "crc32-other", .descsize = 8 });
}

static void crc_init__driver_that_lies(void **state)
{
	check_refused(&(struct crypto_shash){ .driver = "crc32-bad", .descsize = 4, .lies = true });
}

static void crc_init__driver_that_forgets_the_state(void **state)
{
	check_refused(&(struct crypto_shash){ .driver = "crc32-bad", .descsize = 4, .forgets = true });
}

static void crc_init__no_memory_for_the_probe(void **state)
{
	compat_kmalloc_failures = 1;
	check_refused(&(struct crypto_shash){ .driver = "crc32-pclmul", .descsize = 4 });
	assert_int_equal(compat_kmalloc_failures, 0);
}

static void crc_fini__twice(void **state)
{
	struct crypto_shash fast = { .driver = "crc32-pclmul", .descsize = 4 };

	offered = &fast;
	assert_int_equal(berth_crc_init(), 0);
	berth_crc_fini();
	assert_int_equal(handles, 0);
	berth_crc_fini();
	assert_int_equal(handles, 0);
	check_all_lengths();
}

#define CASE(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(crc_update__without_init),
		CASE(crc_update__check_value),
		CASE(crc_init__uses_an_accelerated_driver),
		CASE(crc_update__short_pieces_stay_off_the_driver),
		CASE(crc_init__no_driver),
		CASE(crc_init__generic_driver_is_no_gain),
		CASE(crc_init__driver_with_another_state),
		CASE(crc_init__driver_that_lies),
		CASE(crc_init__driver_that_forgets_the_state),
		CASE(crc_init__no_memory_for_the_probe),
		CASE(crc_fini__twice),
	};

	return cmocka_run_group_tests_name("crc", tests, NULL, NULL);
}
