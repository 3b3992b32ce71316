// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * wire/cursor over skbs of every shape: linear, fragments, fragment list, empty
 * pieces in between, memory that cannot be read, and lengths that do not add up.
 * All pieces are heap blocks of their exact size, for ASan to watch.
 */
#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/crc32.h>
#include <linux/skbuff.h>
#include "wire/cursor.h"

#define TOTAL	1000

static u8 content[TOTAL];

/* One skb to build: sizes of its linear part and fragments, -1 ends. */
struct shape {
	int head;
	int frags[6];
};

/* A block of its own with the next @n bytes of the content. */
static u8 *piece(u32 *at, u32 n)
{
	u8 *p = malloc(n ? n : 1);

	assert_non_null(p);
	memcpy(p, content + *at, n);
	*at += n;
	return p;
}

static struct sk_buff *make_skb(const struct shape *shape, u32 *at)
{
	struct sk_buff *skb = calloc(1, sizeof(*skb));
	struct skb_shared_info *shared;

	assert_non_null(skb);
	shared = skb_shinfo(skb);
	skb->data = piece(at, shape->head);
	skb->len = shape->head;
	for (const int *f = shape->frags; *f >= 0; f++) {
		shared->frags[shared->nr_frags].addr = piece(at, *f);
		shared->frags[shared->nr_frags++].size = *f;
		skb->len += *f;
		skb->data_len += *f;
	}
	return skb;
}

static void free_skb(struct sk_buff *skb)
{
	while (skb) {
		struct sk_buff *next = skb->next;

		free_skb(skb_shinfo(skb)->frag_list);
		for (int i = 0; i < skb_shinfo(skb)->nr_frags; i++)
			free(skb_shinfo(skb)->frags[i].addr);
		free(skb->data);
		free(skb);
		skb = next;
	}
}

static struct sk_buff *make(const struct shape *shapes, size_t n)
{
	u32 at = 0;
	struct sk_buff *skb = make_skb(&shapes[0], &at);
	struct sk_buff **tail = &skb_shinfo(skb)->frag_list;

	for (size_t i = 1; i < n; i++) {
		*tail = make_skb(&shapes[i], &at);
		skb->len += (*tail)->len;
		skb->data_len += (*tail)->len;
		tail = &(*tail)->next;
	}
	assert_true(at <= TOTAL);
	return skb;
}

#define ALL_SHAPES	8

static const struct shape shapes[ALL_SHAPES][5] = {
	{ { 300, { -1 } } },
	{ { 0, { 300, -1 } } },
	{ { 1, { 1, 1, 1, 1, -1 } } },
	{ { 40, { 100, 0, 0, 7, 200, -1 } } },
	{ { 12, { 64, 16, -1 } }, { 0, { 64, 16, 64, -1 } }, { 0, { 64, 4, -1 } } },
	{ { 50, { -1 } }, { 60, { -1 } }, { 70, { -1 } }, { 80, { -1 } } },
	{ { 0, { 0, -1 } }, { 0, { -1 } }, { 33, { 0, 5, -1 } }, { 0, { 0, -1 } }, { 9, { -1 } } },
	{ { 200, { 1, 1, -1 } }, { 3, { 100, 0, -1 } }, { 0, { 300, -1 } } },
};

static const size_t members[ALL_SHAPES] = { 1, 1, 1, 1, 3, 4, 5, 3 };

static int setup(void **state)
{
	for (size_t i = 0; i < TOTAL; i++)
		content[i] = i * 37 + (i >> 8) * 11 + 5;
	return 0;
}

static void cursor_pull__every_offset_and_length(void **state)
{
	for (int s = 0; s < ALL_SHAPES; s++) {
		struct sk_buff *skb = make(shapes[s], members[s]);
		u32 step = skb->len > 100 ? 13 : 1;

		for (u32 off = 0; off <= skb->len; off += step)
			for (u32 n = 0; n <= skb->len - off; n += step) {
				u8 *got = malloc(n + 1);
				struct berth_cursor c;

				assert_non_null(got);
				assert_int_equal(berth_cursor_init(&c, skb, off), 0);
				assert_int_equal(berth_cursor_left(&c), skb->len - off);
				assert_int_equal(berth_cursor_pull(&c, got, n), 0);
				assert_memory_equal(got, content + off, n);
				assert_int_equal(berth_cursor_left(&c), skb->len - off - n);
				free(got);
			}
		free_skb(skb);
	}
}

static void cursor_span__covers_everything_once(void **state)
{
	for (int s = 0; s < ALL_SHAPES; s++) {
		struct sk_buff *skb = make(shapes[s], members[s]);
		struct berth_cursor c;
		u32 seen = 0, avail;
		const void *p;

		assert_int_equal(berth_cursor_init(&c, skb, 0), 0);
		while ((p = berth_cursor_span(&c, &avail))) {
			assert_int_not_equal(avail, 0);
			assert_memory_equal(p, content + seen, avail);
			seen += avail;
			assert_int_equal(berth_cursor_skip(&c, avail), 0);
		}
		assert_int_equal(avail, 0);
		assert_int_equal(seen, skb->len);
		free_skb(skb);
	}
}

static void cursor_span__linear_is_one_piece(void **state)
{
	struct sk_buff *skb = make(shapes[0], 1);
	struct berth_cursor c;
	u32 avail;

	assert_int_equal(berth_cursor_init(&c, skb, 20), 0);
	assert_ptr_equal(berth_cursor_span(&c, &avail), skb->data + 20);
	assert_int_equal(avail, 280);
	free_skb(skb);
}

static void cursor_crc__stays_where_it_is(void **state)
{
	for (int s = 0; s < ALL_SHAPES; s++) {
		struct sk_buff *skb = make(shapes[s], members[s]);

		for (u32 off = 0; off <= skb->len; off += 11) {
			struct berth_cursor c, before;
			u32 n = skb->len - off;
			u32 crc = 0x12345678;

			assert_int_equal(berth_cursor_init(&c, skb, off), 0);
			before = c;
			assert_int_equal(berth_cursor_crc(&c, &crc, n), 0);
			assert_int_equal(crc, crc32_le(0x12345678, content + off, n));
			assert_memory_equal(&c, &before, sizeof(c));
		}
		free_skb(skb);
	}
}

static void cursor__beyond_the_end(void **state)
{
	for (int s = 0; s < ALL_SHAPES; s++) {
		struct sk_buff *skb = make(shapes[s], members[s]);
		struct berth_cursor c, before;
		u32 crc = 77;
		u8 byte[TOTAL + 1];

		assert_int_equal(berth_cursor_init(&c, skb, skb->len + 1), -EBADMSG);
		assert_int_equal(berth_cursor_init(&c, skb, 0), 0);
		before = c;
		assert_int_equal(berth_cursor_skip(&c, skb->len + 1), -EBADMSG);
		assert_int_equal(berth_cursor_skip(&c, ~0u), -EBADMSG);
		assert_int_equal(berth_cursor_pull(&c, byte, skb->len + 1), -EBADMSG);
		assert_int_equal(berth_cursor_crc(&c, &crc, skb->len + 1), -EBADMSG);
		assert_int_equal(crc, 77);
		assert_memory_equal(&c, &before, sizeof(c));
		free_skb(skb);
	}
}

/* Replace fragment @i of @skb by memory that the CPU cannot read. */
static void make_unreadable(struct sk_buff *skb, int i)
{
	free(skb_shinfo(skb)->frags[i].addr);
	skb_shinfo(skb)->frags[i].addr = NULL;
}

static void cursor__unreadable_fragment(void **state)
{
	static const struct shape shape = { 20, { 30, 40, 50, -1 } };
	struct sk_buff *skb = make(&shape, 1);
	struct berth_cursor c, before;
	u32 crc = 77, avail;
	u8 got[200];

	make_unreadable(skb, 1);
	assert_int_equal(berth_cursor_init(&c, skb, 0), 0);
	assert_null(berth_cursor_frag(&c, &avail));
	before = c;
	assert_int_equal(berth_cursor_pull(&c, got, 51), -EFAULT);
	assert_memory_equal(&c, &before, sizeof(c));
	assert_int_equal(berth_cursor_crc(&c, &crc, 140), -EFAULT);
	assert_int_equal(crc, 77);
	assert_int_equal(berth_cursor_pull(&c, got, 50), 0);
	assert_memory_equal(got, content, 50);
	assert_null(berth_cursor_span(&c, &avail));
	assert_int_equal(avail, 40);
	/* It can be passed over, from its middle too. */
	assert_int_equal(berth_cursor_skip(&c, 15), 0);
	assert_null(berth_cursor_span(&c, &avail));
	assert_int_equal(avail, 25);
	assert_ptr_equal(berth_cursor_frag(&c, &avail), &skb_shinfo(skb)->frags[1]);
	assert_int_equal(avail, 15);
	assert_int_equal(berth_cursor_skip(&c, 25), 0);
	assert_ptr_equal(berth_cursor_frag(&c, &avail), &skb_shinfo(skb)->frags[2]);
	assert_int_equal(avail, 0);
	assert_int_equal(berth_cursor_pull(&c, got, 50), 0);
	assert_memory_equal(got, content + 90, 50);
	assert_null(berth_cursor_frag(&c, &avail));
	free_skb(skb);
}

static void cursor__unreadable_skb(void **state)
{
	static const struct shape shape = { 20, { 30, -1 } };
	struct sk_buff *skb = make(&shape, 1);
	struct berth_cursor c;
	u8 got[50];

	skb->unreadable = true;
	assert_int_equal(berth_cursor_init(&c, skb, 0), 0);
	assert_int_equal(berth_cursor_pull(&c, got, 20), 0);
	assert_memory_equal(got, content, 20);
	assert_int_equal(berth_cursor_pull(&c, got, 1), -EFAULT);
	free_skb(skb);
}

static void cursor__length_promises_too_much(void **state)
{
	static const struct shape shape = { 20, { 30, -1 } };
	struct sk_buff *skb = make(&shape, 1);
	struct berth_cursor c;
	u32 avail;
	u8 got[80];

	skb->len += 25;
	skb->data_len += 25;
	assert_int_equal(berth_cursor_init(&c, skb, 50), 0);
	assert_null(berth_cursor_span(&c, &avail));
	assert_int_equal(avail, 25);
	assert_int_equal(berth_cursor_pull(&c, got, 1), -EFAULT);
	assert_int_equal(berth_cursor_skip(&c, 25), 0);
	assert_int_equal(berth_cursor_left(&c), 0);
	free_skb(skb);
}

static void cursor__length_promises_too_little(void **state)
{
	static const struct shape shape = { 20, { 30, -1 } };
	struct sk_buff *skb = make(&shape, 1);
	struct berth_cursor c;
	u32 avail;
	u8 got[80];

	/* As after a trim that left the fragment's size alone. */
	skb->len -= 5;
	skb->data_len -= 5;
	assert_int_equal(berth_cursor_init(&c, skb, 0), 0);
	assert_int_equal(berth_cursor_pull(&c, got, 46), -EBADMSG);
	assert_int_equal(berth_cursor_init(&c, skb, 20), 0);
	assert_non_null(berth_cursor_span(&c, &avail));
	assert_int_equal(avail, 25);
	assert_int_equal(berth_cursor_init(&c, skb, 0), 0);
	assert_int_equal(berth_cursor_pull(&c, got, 45), 0);
	assert_memory_equal(got, content, 45);
	free_skb(skb);
}

static void cursor__nested_lists_are_not_read(void **state)
{
	static const struct shape outer[3] = { { 10, { -1 } }, { 20, { -1 } },
					       { 40, { -1 } } };
	static const struct shape inner = { 30, { -1 } };
	struct sk_buff *skb = make(outer, 3);
	struct sk_buff *member = skb_shinfo(skb)->frag_list;
	struct berth_cursor c;
	u32 at = 70;
	u8 got[60];

	skb_shinfo(member)->frag_list = make_skb(&inner, &at);
	member->len += 30;
	member->data_len += 30;
	skb->len += 30;
	skb->data_len += 30;
	assert_int_equal(berth_cursor_init(&c, skb, 0), 0);
	assert_int_equal(berth_cursor_pull(&c, got, 30), 0);
	assert_memory_equal(got, content, 30);
	assert_int_equal(berth_cursor_pull(&c, got, 1), -EFAULT);
	free_skb(skb);
}

static void cursor__copies_are_independent(void **state)
{
	struct sk_buff *skb = make(shapes[4], members[4]);
	struct berth_cursor a, b;
	u8 got[64];

	assert_int_equal(berth_cursor_init(&a, skb, 10), 0);
	b = a;
	assert_int_equal(berth_cursor_skip(&b, 90), 0);
	assert_int_equal(berth_cursor_pull(&a, got, 64), 0);
	assert_memory_equal(got, content + 10, 64);
	assert_int_equal(berth_cursor_pull(&b, got, 64), 0);
	assert_memory_equal(got, content + 100, 64);
	free_skb(skb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cursor_pull__every_offset_and_length),
		cmocka_unit_test(cursor_span__covers_everything_once),
		cmocka_unit_test(cursor_span__linear_is_one_piece),
		cmocka_unit_test(cursor_crc__stays_where_it_is),
		cmocka_unit_test(cursor__beyond_the_end),
		cmocka_unit_test(cursor__unreadable_fragment),
		cmocka_unit_test(cursor__unreadable_skb),
		cmocka_unit_test(cursor__length_promises_too_much),
		cmocka_unit_test(cursor__length_promises_too_little),
		cmocka_unit_test(cursor__nested_lists_are_not_read),
		cmocka_unit_test(cursor__copies_are_independent),
	};

	return cmocka_run_group_tests_name("cursor", tests, setup, NULL);
}
